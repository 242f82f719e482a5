//! The static binary's memory: a piece of fixed size for the start, then mimalloc.
//!
//! Most calls of these tools last less than a millisecond, and a third of that went into memory: each
//! page that is touched for the first time costs a visit to the kernel. So the first small requests are
//! served one behind the other from one piece, which the kernel provides with pages at once, and are not
//! given back, but for the last one. What is large, or comes when the piece is used up, is mimalloc's:
//! musl's own allocator has one lock for all threads, and gives larger pieces back to the system at once.
#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use std::{
    alloc::{GlobalAlloc, Layout},
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use mimalloc::MiMalloc;

/// The size of the piece, of which a modprobe that loads a module takes the larger part.
const PIECE: usize = 512 << 10;
/// So much of it gets its pages at once.
const STEP: usize = 64 << 10;
/// Larger requests are mimalloc's.
const LARGEST: usize = 64 << 10;
/// Stands for the address of the piece where there is none.
const NONE: usize = 1;

/// Serves the whole program.
pub struct Allocator {
    /// The address of the piece; zero before the first request.
    base: AtomicUsize,
    /// How much of it is taken.
    taken: AtomicUsize,
    /// How much of it has pages.
    provided: AtomicUsize,
}

impl Allocator {
    /// The one of a program.
    pub const fn new() -> Self {
        Self { base: AtomicUsize::new(0), taken: AtomicUsize::new(0), provided: AtomicUsize::new(0) }
    }

    /// The address of the piece, mapped at the first request.
    fn base(&self) -> Option<usize> {
        let base = self.base.load(Ordering::Acquire);
        let base = if base == 0 { self.map() } else { base };
        (base != NONE).then_some(base)
    }

    #[cold]
    fn map(&self) -> usize {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at an address that the kernel chooses, touches no memory of ours.
        let mapped = unsafe { libc::mmap(ptr::null_mut(), PIECE, protection, flags, -1, 0) };
        let mapped = if mapped == libc::MAP_FAILED { NONE } else { mapped as usize };
        match self.base.compare_exchange(0, mapped, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => mapped,
            Err(other) => {
                if mapped != NONE {
                    // SAFETY: another thread was first; nobody has seen this mapping.
                    unsafe { libc::munmap(mapped as *mut libc::c_void, PIECE) };
                }
                other
            }
        }
    }

    /// Takes memory from the piece, where it has so much.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.size() > LARGEST || layout.align() > 4096 {
            return None;
        }
        let base = self.base()?;
        let mut taken = self.taken.load(Ordering::Relaxed);
        loop {
            // The base is aligned to a page.
            let start = taken.next_multiple_of(layout.align());
            let end = start + layout.size();
            if end > PIECE {
                return None;
            }
            match self.taken.compare_exchange_weak(taken, end, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    self.provide(base, end);
                    return Some((base + start) as *mut u8);
                }
                Err(other) => taken = other,
            }
        }
    }

    /// Has the kernel provide the pages up to an end. Without that they come when they are touched.
    fn provide(&self, base: usize, end: usize) {
        let provided = self.provided.load(Ordering::Relaxed);
        if end <= provided {
            return;
        }
        let more = provided + (end - provided).next_multiple_of(STEP);
        if self.provided.compare_exchange(provided, more, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let (start, len) = ((base + provided) as *mut libc::c_void, more - provided);
            // SAFETY: both are multiples of STEP, which divides PIECE: the range lies in the piece. The
            // call changes nothing that is there.
            unsafe { libc::madvise(start, len, libc::MADV_POPULATE_WRITE) };
        }
    }

    /// The place in the piece of memory that was taken from it.
    fn place(&self, pointer: *mut u8) -> Option<usize> {
        let base = self.base.load(Ordering::Relaxed);
        let place = (pointer as usize).wrapping_sub(base);
        (base > NONE && place < PIECE).then_some(place)
    }

    /// Moves the end of what was taken last; whether this was the last.
    fn move_end(&self, from: usize, to: usize) -> bool {
        self.taken.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

// SAFETY: memory of the piece is handed out once: `taken` only grows, except for `move_end`, which gives
// back the end of the last request, whose owner asks for it. It is aligned, as the place is and the base
// is to a page. All other memory comes from mimalloc and goes back to it: `place` tells them apart, since
// the mapping of the piece never ends.
unsafe impl GlobalAlloc for Allocator {
    // SAFETY: what the trait asks of the caller is all that is asked here.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is the caller's.
        self.take(layout).unwrap_or_else(|| unsafe { MiMalloc.alloc(layout) })
    }

    // SAFETY: what the trait asks of the caller is all that is asked here.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some(pointer) => {
                // It may have been given back by another.
                // SAFETY: so many bytes were handed out there.
                unsafe { pointer.write_bytes(0, layout.size()) };
                pointer
            }
            // SAFETY: the layout is the caller's.
            None => unsafe { MiMalloc.alloc_zeroed(layout) },
        }
    }

    // SAFETY: what the trait asks of the caller is all that is asked here.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.place(pointer) {
            Some(place) => {
                self.move_end(place + layout.size(), place);
            }
            // SAFETY: what does not lie in the piece is mimalloc's.
            None => unsafe { MiMalloc.dealloc(pointer, layout) },
        }
    }

    // SAFETY: what the trait asks of the caller is all that is asked here.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(pointer) else {
            // SAFETY: what does not lie in the piece is mimalloc's.
            return unsafe { MiMalloc.realloc(pointer, layout, size) };
        };
        let end = place + size;
        if size <= LARGEST && end <= PIECE && self.move_end(place + layout.size(), end) {
            self.provide(self.base.load(Ordering::Relaxed), end);
            return pointer;
        }
        // SAFETY: the alignment was valid with the old layout, the size is the caller's.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: the new memory is not the old, which is still handed out; both have so many bytes.
            unsafe { ptr::copy_nonoverlapping(pointer, new, layout.size().min(size)) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    /// Takes, fills and checks memory of all sizes, by several threads at once.
    #[test]
    fn memory_is_handed_out_once_and_keeps_its_bytes() {
        let allocator = Allocator::new();
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let allocator = &allocator;
                scope.spawn(move || {
                    let mut kept = Vec::new();
                    for round in 0..2000_usize {
                        let layout = layout(round % 700 + 1, 1 << (round % 7));
                        // SAFETY: the layouts are those of the memory, and its bytes within them.
                        unsafe {
                            let pointer = allocator.alloc(layout);
                            assert_eq!(pointer as usize % layout.align(), 0);
                            pointer.write_bytes(thread, layout.size());
                            let grown = allocator.realloc(pointer, layout, layout.size() * 2);
                            grown.add(layout.size()).write_bytes(thread, layout.size());
                            kept.push((grown, layout));
                            if round % 3 == 0 {
                                let (pointer, layout) = kept.swap_remove(round % kept.len());
                                let twice = Layout::from_size_align(layout.size() * 2, layout.align());
                                allocator.dealloc(pointer, twice.unwrap());
                            }
                        }
                    }
                    for (pointer, layout) in kept {
                        // SAFETY: so many bytes were written.
                        let bytes = unsafe { std::slice::from_raw_parts(pointer, layout.size() * 2) };
                        assert!(bytes.iter().all(|&byte| byte == thread));
                    }
                });
            }
        });
        assert!(allocator.taken.load(Ordering::Relaxed) > PIECE - LARGEST);
    }

    #[test]
    fn what_was_taken_last_grows_in_its_place_and_comes_back_clean() {
        let allocator = Allocator::new();
        // SAFETY: the layouts are those of the memory.
        unsafe {
            let first = allocator.alloc(layout(10, 1));
            first.write_bytes(7, 10);
            assert_eq!(allocator.realloc(first, layout(10, 1), 100), first);
            allocator.dealloc(first, layout(100, 1));
            let second = allocator.alloc_zeroed(layout(100, 1));
            assert_eq!(second, first);
            assert!(std::slice::from_raw_parts(second, 100).iter().all(|&byte| byte == 0));
            let third = allocator.alloc(layout(1, 1));
            assert_ne!(allocator.realloc(second, layout(100, 1), 200), second);
            assert_ne!(third, second);
            let large = allocator.alloc(layout(LARGEST + 1, 1));
            assert!(allocator.place(large).is_none());
            allocator.dealloc(large, layout(LARGEST + 1, 1));
        }
    }
}
