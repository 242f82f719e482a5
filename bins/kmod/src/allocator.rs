//! The static binary's memory: a piece of fixed size for the start, then mimalloc.
//!
//! With musl's own allocator, which maps and unmaps every larger piece, `depmod -n` of a plain tree takes four times as
//! long; with the crate dlmalloc, whose one lock the threads wait for, 1.4 times. `build.rs` compiles mimalloc.
//!
//! Most calls of these tools end before they have asked for much. Their requests are served one behind the other from a
//! piece that is part of the program, and what is given back of it is not used again. Without it `modprobe -D` takes
//! 10 to 16 % longer (and a fifth more instructions), `modprobe -V` 25 %.
#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

// SAFETY: these are mimalloc's functions of the same names with the same parameters (mimalloc.h), which `build.rs`
// compiles into the binary.
unsafe extern "C" {
    fn mi_malloc_aligned(size: usize, align: usize) -> *mut u8;
    fn mi_zalloc_aligned(size: usize, align: usize) -> *mut u8;
    fn mi_realloc_aligned(pointer: *mut u8, size: usize, align: usize) -> *mut u8;
    fn mi_free(pointer: *mut u8);
}

/// The size of the piece, of which a modprobe that loads a module takes the larger part.
const SIZE: usize = 512 << 10;
/// Larger requests are mimalloc's.
const LARGEST: usize = 64 << 10;
/// What is handed out of the piece begins at a multiple of this, and so does the piece.
const ALIGN: usize = 16;

/// Memory of which no byte is handed out twice.
#[repr(C, align(16))]
struct Piece {
    bytes: UnsafeCell<[u8; SIZE]>,
    /// How much of it is taken; more than there is once a request did not fit.
    taken: AtomicUsize,
}

// SAFETY: the bytes are touched by none but those they were handed out to, each to one; `taken` is atomic.
unsafe impl Sync for Piece {}

impl Piece {
    const fn new() -> Self {
        Self { bytes: UnsafeCell::new([0; SIZE]), taken: AtomicUsize::new(0) }
    }

    /// Takes memory, all zero, where so much is left.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.size() > LARGEST || layout.align() > ALIGN || self.taken.load(Ordering::Relaxed) >= SIZE {
            return None;
        }
        let size = layout.size().next_multiple_of(ALIGN);
        let start = self.taken.fetch_add(size, Ordering::Relaxed);
        (start + size <= SIZE).then(|| self.bytes.get().cast::<u8>().wrapping_add(start))
    }

    /// Whether memory was taken from here.
    fn has(&self, pointer: *mut u8) -> bool {
        pointer.addr().wrapping_sub(self.bytes.get().addr()) < SIZE
    }
}

static PIECE: Piece = Piece::new();

/// Serves the whole program.
pub struct Allocator;

// SAFETY: memory of the piece is handed out once, since `taken` only grows, and is aligned as `ALIGN` is. All other
// memory comes from mimalloc and goes back to it: `has` distinguishes them.
//
// Compiled into every place that asks for memory, these functions would make the binary larger by 7 %.
unsafe impl GlobalAlloc for Allocator {
    // SAFETY: what the trait asks of the caller is all that is asked here.
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not zero and the alignment a power of two, as the trait asks.
        PIECE.take(layout).unwrap_or_else(|| unsafe { mi_malloc_aligned(layout.size(), layout.align()) })
    }

    // SAFETY: what the trait asks of the caller is all that is asked here.
    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        PIECE.take(layout).unwrap_or_else(|| unsafe { mi_zalloc_aligned(layout.size(), layout.align()) })
    }

    // SAFETY: what the trait asks of the caller is all that is asked here.
    #[inline(never)]
    unsafe fn dealloc(&self, pointer: *mut u8, _: Layout) {
        if !PIECE.has(pointer) {
            // SAFETY: what does not lie in the piece is mimalloc's.
            unsafe { mi_free(pointer) };
        }
    }

    // SAFETY: what the trait asks of the caller is all that is asked here.
    #[inline(never)]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !PIECE.has(pointer) {
            // SAFETY: as in `dealloc`; the size and alignment as in `alloc`.
            return unsafe { mi_realloc_aligned(pointer, size, layout.align()) };
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

    /// Takes, fills, grows and checks memory of all sizes, by several threads at once, in the piece and beyond it.
    #[test]
    fn memory_is_handed_out_once_and_keeps_its_bytes() {
        std::thread::scope(|scope| {
            for thread in 1..5_u8 {
                scope.spawn(move || {
                    let mut kept = Vec::new();
                    for round in 0..2000_usize {
                        let old = layout(round * 7 % 700 + 1, 1 << (round % 7));
                        let new = layout(old.size() * 2, old.align());
                        // SAFETY: the layouts are those of the memory, and its bytes within them.
                        unsafe {
                            let pointer = Allocator.alloc(old);
                            pointer.write_bytes(thread, old.size());
                            let grown = Allocator.realloc(pointer, old, new.size());
                            assert_eq!(grown as usize % new.align(), 0);
                            grown.add(old.size()).write_bytes(thread, old.size());
                            kept.push((grown, new));
                            if round % 3 == 0 {
                                let (pointer, layout) = kept.swap_remove(round % kept.len());
                                Allocator.dealloc(pointer, layout);
                            }
                        }
                    }
                    for (pointer, layout) in kept {
                        // SAFETY: so many bytes were written.
                        let bytes = unsafe { std::slice::from_raw_parts(pointer, layout.size()) };
                        assert!(bytes.iter().all(|&byte| byte == thread));
                        // SAFETY: as it was asked for.
                        unsafe { Allocator.dealloc(pointer, layout) };
                    }
                });
            }
        });
        assert!(PIECE.taken.load(Ordering::Relaxed) >= SIZE);
        let large = layout(1 << 20, 4096);
        // SAFETY: the layout is that of the memory.
        unsafe {
            let pointer = Allocator.alloc_zeroed(large);
            assert!(std::slice::from_raw_parts(pointer, large.size()).iter().all(|&byte| byte == 0));
            assert!(!PIECE.has(pointer));
            Allocator.dealloc(pointer, large);
        }
    }

    #[test]
    fn a_piece_ends_and_refuses_what_it_cannot_align() {
        static OWN: Piece = Piece::new();
        let first = OWN.take(layout(1, 1)).unwrap();
        assert_eq!(OWN.take(layout(17, 16)), Some(first.wrapping_add(ALIGN)));
        assert_eq!(OWN.take(layout(1, 2 * ALIGN)), None);
        assert_eq!(OWN.take(layout(LARGEST + 1, 1)), None);
        assert_eq!(OWN.take(layout(1, 1)), Some(first.wrapping_add(3 * ALIGN)));
        let mut last = first;
        while let Some(next) = OWN.take(layout(LARGEST, ALIGN)) {
            last = next;
        }
        let end = first.wrapping_add(SIZE);
        assert!(last.wrapping_add(LARGEST) <= end);
        assert!(OWN.has(first) && OWN.has(last) && OWN.has(end.wrapping_sub(1)));
        assert!(!OWN.has(end) && !OWN.has(first.wrapping_sub(1)));
        assert_eq!(OWN.take(layout(1, 1)), None);
    }
}
