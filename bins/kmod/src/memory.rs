//! Copying and comparing memory, for the static binary.
//!
//! musl's `memcpy` is one instruction for copies of any length, which takes long to start, and its
//! `memcmp` looks at one byte at a time. Decompression copies a few bytes very often, and sorting
//! compares names: with musl's functions an xz tree takes a fifth longer. The linker takes these
//! instead, since it finds them before it looks into the C library.
//!
//! Each function moves 16 or 8 bytes at a time, and the last ones together with some that were moved
//! already. The intrinsics are those of SSE2, which every x86-64 processor has.
#![expect(unsafe_code, reason = "functions of the C library have raw pointers for arguments")]

use std::arch::{
    asm,
    x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_storeu_si128},
};

/// From so many bytes on the processor's own copying is as fast.
const LONG: usize = 1024;

/// `memcpy(3)`.
///
/// # Safety
/// As C has it: `from` is readable and `to` writable for `len` bytes, and they do not overlap.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: every access below is to bytes from 0 to `len` of the two, as the comparisons of `len`
    // before it show: a piece of N bytes is moved at 0 and at `len - N` where `len >= N`, and in the
    // loop at `at` while `at + 32 <= len`. Nothing is asked of the alignment: the accesses are
    // unaligned ones.
    unsafe {
        if len >= LONG {
            // SAFETY: copies `len` bytes upwards; the direction flag is clear, as the ABI demands.
            asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
                 options(nostack, preserves_flags));
        } else if len >= 16 {
            let last = load(from.add(len - 16));
            if len >= 32 {
                let before = load(from.add(len - 32));
                let mut at = 0;
                while at + 32 <= len {
                    let (one, two) = (load(from.add(at)), load(from.add(at + 16)));
                    store(to.add(at), one);
                    store(to.add(at + 16), two);
                    at += 32;
                }
                store(to.add(len - 32), before);
            } else {
                store(to, load(from));
            }
            store(to.add(len - 16), last);
        } else if len >= 8 {
            let (first, last) = (from.cast::<u64>().read_unaligned(), word(from, len));
            to.cast::<u64>().write_unaligned(first);
            to.add(len - 8).cast::<u64>().write_unaligned(last);
        } else if len >= 4 {
            let first = from.cast::<u32>().read_unaligned();
            let last = from.add(len - 4).cast::<u32>().read_unaligned();
            to.cast::<u32>().write_unaligned(first);
            to.add(len - 4).cast::<u32>().write_unaligned(last);
        } else if len > 0 {
            let (first, middle, last) = (*from, *from.add(len / 2), *from.add(len - 1));
            *to = first;
            *to.add(len / 2) = middle;
            *to.add(len - 1) = last;
        }
    }
    to
}

/// `memmove(3)`.
///
/// # Safety
/// As C has it: `from` is readable and `to` writable for `len` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    let ahead = to.addr().wrapping_sub(from.addr());
    // SAFETY: `memcpy` above reads what it moves before it writes, and goes upwards: it may also be
    // used where `to` is below `from`, whatever they share. So it may below 32 bytes, where all is
    // read before anything is written. Else the loop goes downwards, with 32 bytes at `at - 32` while
    // `at >= 32`, and the first 32, read before it, are written last.
    unsafe {
        if ahead >= len || len < 32 {
            return memcpy(to, from, len);
        }
        let (first, second) = (load(from), load(from.add(16)));
        let mut at = len;
        while at >= 32 {
            let (one, two) = (load(from.add(at - 32)), load(from.add(at - 16)));
            store(to.add(at - 32), one);
            store(to.add(at - 16), two);
            at -= 32;
        }
        store(to, first);
        store(to.add(16), second);
    }
    to
}

/// `memcmp(3)`.
///
/// # Safety
/// As C has it: both are readable for `len` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn memcmp(one: *const u8, two: *const u8, len: usize) -> i32 {
    let mut at = 0;
    // SAFETY: as in `memcpy`, every access is to bytes from 0 to `len`: 16 at `at` while
    // `at + 16 <= len`, then single ones while `at < len`.
    unsafe {
        while at + 16 <= len {
            let equal = _mm_movemask_epi8(_mm_cmpeq_epi8(load(one.add(at)), load(two.add(at))));
            if equal != 0xffff {
                at += (!equal).trailing_zeros() as usize;
                return i32::from(*one.add(at)) - i32::from(*two.add(at));
            }
            at += 16;
        }
        while at < len {
            let difference = i32::from(*one.add(at)) - i32::from(*two.add(at));
            if difference != 0 {
                return difference;
            }
            at += 1;
        }
    }
    0
}

/// `bcmp(3)`, which compilers call where only equality is asked for.
///
/// # Safety
/// As for [`memcmp`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn bcmp(one: *const u8, two: *const u8, len: usize) -> i32 {
    // SAFETY: the caller keeps what `memcmp` asks.
    unsafe { memcmp(one, two, len) }
}

/// # Safety
/// 16 bytes from `from` on are readable.
unsafe fn load(from: *const u8) -> __m128i {
    // SAFETY: the caller's; the instruction is one for unaligned addresses.
    unsafe { _mm_loadu_si128(from.cast()) }
}

/// # Safety
/// 16 bytes from `to` on are writable.
unsafe fn store(to: *mut u8, value: __m128i) {
    // SAFETY: the caller's; the instruction is one for unaligned addresses.
    unsafe { _mm_storeu_si128(to.cast(), value) }
}

/// The last 8 of `len` bytes.
///
/// # Safety
/// `len` bytes are readable, and they are at least 8.
unsafe fn word(from: *const u8, len: usize) -> u64 {
    // SAFETY: the caller's.
    unsafe { from.add(len - 8).cast::<u64>().read_unaligned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths around every bound of the functions.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..100).chain(LONG - 40..LONG + 40).chain([5000])
    }

    #[test]
    fn exactly_the_bytes_asked_for_are_copied() {
        let source: Vec<u8> = (0..6000_u32).map(|number| (number % 251) as u8).collect();
        for len in lengths() {
            for shift in [0, 1, 7] {
                let mut target = vec![0xff; len + 32];
                // SAFETY: 6000 bytes are more than `shift + len`, and the target has 16 on each side.
                unsafe { memcpy(target.as_mut_ptr().add(16), source.as_ptr().add(shift), len) };
                assert!(target[16..16 + len] == source[shift..shift + len], "{len}");
                let around = target[..16].iter().chain(&target[16 + len..]);
                assert!(around.into_iter().all(|&byte| byte == 0xff), "{len}");
            }
        }
    }

    #[test]
    fn pieces_that_overlap_are_moved_either_way() {
        for len in lengths() {
            for shift in [0, 1, 15, 16, 31, 33, 100] {
                let before: Vec<u8> = (0..len + shift).map(|number| (number % 251) as u8).collect();
                for (from, to) in [(0, shift), (shift, 0)] {
                    let (mut ours, mut expected) = (before.clone(), before.clone());
                    expected.copy_within(from..from + len, to);
                    let start = ours.as_mut_ptr();
                    // SAFETY: the vector has `len + shift` bytes.
                    unsafe { memmove(start.add(to), start.add(from), len) };
                    assert!(ours == expected, "{len} bytes from {from} to {to}");
                }
            }
        }
    }

    #[test]
    fn the_first_difference_decides() {
        for len in lengths().filter(|&len| len > 0) {
            let one = vec![7; len];
            // SAFETY: both have `len` bytes.
            let compare = |two: &[u8]| unsafe { memcmp(one.as_ptr(), two.as_ptr(), len) };
            assert_eq!(compare(&one), 0);
            // SAFETY: as above.
            assert_eq!(unsafe { bcmp(one.as_ptr(), one.as_ptr(), len) }, 0);
            for place in [0, len / 2, len - 1] {
                for (byte, sign) in [(6, 1), (0xff, -1)] {
                    let mut two = one.clone();
                    two[place] = byte;
                    two[place + 1..].fill(if sign == 1 { 0xff } else { 0 });
                    assert_eq!(compare(&two).signum(), sign, "{place} of {len}");
                }
            }
        }
    }
}
