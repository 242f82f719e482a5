//! Copying and comparing memory, for the static binary.
//!
//! musl's `memcpy` is one instruction for copies of any length, which takes long to start, its `memmove` another one
//! when the target lies above the source, and its `memcmp` looks at one byte at a time. With them `modprobe -c` takes
//! three times as long, `modinfo` of plain files 1.9 times, `depmod` 1.2 times; with its `memcmp` alone, a `depmod` that
//! has its cache takes 8 % longer. The linker takes these instead, since it finds them before it looks into the C library.
//!
//! They are written in assembly: a function of C or Rust that copies bytes may be compiled into a call of
//! `memcpy`, and what overlaps is beyond the contract of that function, not beyond that of instructions.
//! Those used are of SSE2, which every x86-64 processor has.
#![expect(unsafe_code, reason = "functions of the C library, in assembly")]

use std::arch::naked_asm;

/// `memmove(3)`.
///
/// Up to 64 bytes are all read before the first is written. Of more, 64 at a time are, in the direction
/// in which what is written was read before; those at the end of it are read first and written last.
///
/// # Safety
/// As C has it: `from` is readable and `to` writable for `len` bytes.
#[unsafe(naked)]
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "cmp rdx, 16",
        "jb 2f",
        "cmp rdx, 32",
        "ja 5f",
        // 16 to 32: the first and the last 16, which may be some of the first.
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + rdx - 16], xmm1",
        "ret",
        // 8 to 15.
        "2:",
        "cmp edx, 8",
        "jb 3f",
        "mov rcx, [rsi]",
        "mov r8, [rsi + rdx - 8]",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], r8",
        "ret",
        // 4 to 7.
        "3:",
        "cmp edx, 4",
        "jb 4f",
        "mov ecx, [rsi]",
        "mov r8d, [rsi + rdx - 4]",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], r8d",
        "ret",
        // 1 to 3: the first, the middle and the last one.
        "4:",
        "test edx, edx",
        "je 9f",
        "mov r10d, edx",
        "shr r10d",
        "movzx ecx, byte ptr [rsi]",
        "movzx r8d, byte ptr [rsi + r10]",
        "movzx r9d, byte ptr [rsi + rdx - 1]",
        "mov [rdi], cl",
        "mov [rdi + r10], r8b",
        "mov [rdi + rdx - 1], r9b",
        "9:",
        "ret",
        // 33 to 64.
        "5:",
        "cmp rdx, 64",
        "ja 6f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + rdx - 32]",
        "movups xmm3, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + rdx - 32], xmm2",
        "movups [rdi + rdx - 16], xmm3",
        "ret",
        // More. Where the target begins within the source, the last are moved first.
        "6:",
        "mov rcx, rdi",
        "sub rcx, rsi",
        "cmp rcx, rdx",
        "jb 8f",
        // Upwards, until no more than the last 64 are left.
        "movups xmm4, [rsi + rdx - 64]",
        "movups xmm5, [rsi + rdx - 48]",
        "movups xmm6, [rsi + rdx - 32]",
        "movups xmm7, [rsi + rdx - 16]",
        "lea rcx, [rdi + rdx - 64]",
        ".p2align 4",
        "7:",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + 32], xmm2",
        "movups [rdi + 48], xmm3",
        "add rsi, 64",
        "add rdi, 64",
        "cmp rdi, rcx",
        "jb 7b",
        "movups [rcx], xmm4",
        "movups [rcx + 16], xmm5",
        "movups [rcx + 32], xmm6",
        "movups [rcx + 48], xmm7",
        "ret",
        // Downwards, until no more than the first 64 are left.
        "8:",
        "movups xmm4, [rsi]",
        "movups xmm5, [rsi + 16]",
        "movups xmm6, [rsi + 32]",
        "movups xmm7, [rsi + 48]",
        ".p2align 4",
        "20:",
        "movups xmm0, [rsi + rdx - 16]",
        "movups xmm1, [rsi + rdx - 32]",
        "movups xmm2, [rsi + rdx - 48]",
        "movups xmm3, [rsi + rdx - 64]",
        "movups [rdi + rdx - 16], xmm0",
        "movups [rdi + rdx - 32], xmm1",
        "movups [rdi + rdx - 48], xmm2",
        "movups [rdi + rdx - 64], xmm3",
        "sub rdx, 64",
        "cmp rdx, 64",
        "ja 20b",
        "movups [rdi], xmm4",
        "movups [rdi + 16], xmm5",
        "movups [rdi + 32], xmm6",
        "movups [rdi + 48], xmm7",
        "ret",
    )
}

/// `memcpy(3)`: for a copy the same is done.
///
/// # Safety
/// As C has it: as for [`memmove`], and the two do not overlap.
#[unsafe(naked)]
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!("jmp {}", sym memmove)
}

/// `memcmp(3)`.
///
/// # Safety
/// As C has it: both are readable for `len` bytes.
#[unsafe(naked)]
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn memcmp(one: *const u8, two: *const u8, len: usize) -> i32 {
    naked_asm!(
        "cmp rdx, 16",
        "jb 4f",
        // 16 at `rcx`, the last ones together with some that were compared already.
        "xor ecx, ecx",
        "sub rdx, 16",
        ".p2align 4",
        "2:",
        "movups xmm0, [rdi + rcx]",
        "movups xmm1, [rsi + rcx]",
        "pcmpeqb xmm0, xmm1",
        "pmovmskb eax, xmm0",
        "xor eax, 0xffff",
        "jne 3f",
        "cmp rcx, rdx",
        "je 9f",
        "add rcx, 16",
        "cmp rcx, rdx",
        "cmova rcx, rdx",
        "jmp 2b",
        // The first that differs of these 16.
        "3:",
        "bsf eax, eax",
        "add rcx, rax",
        "movzx eax, byte ptr [rdi + rcx]",
        "movzx edx, byte ptr [rsi + rcx]",
        "sub eax, edx",
        "ret",
        // 8 to 15.
        "4:",
        "cmp edx, 8",
        "jb 5f",
        "mov rax, [rdi]",
        "mov rcx, [rsi]",
        "cmp rax, rcx",
        "jne 8f",
        "mov rax, [rdi + rdx - 8]",
        "mov rcx, [rsi + rdx - 8]",
        "cmp rax, rcx",
        "jne 8f",
        "xor eax, eax",
        "ret",
        // 4 to 7.
        "5:",
        "cmp edx, 4",
        "jb 6f",
        "mov eax, [rdi]",
        "mov ecx, [rsi]",
        "cmp eax, ecx",
        "jne 8f",
        "mov eax, [rdi + rdx - 4]",
        "mov ecx, [rsi + rdx - 4]",
        "cmp eax, ecx",
        "jne 8f",
        "xor eax, eax",
        "ret",
        // 1 to 3, one by one.
        "6:",
        "xor eax, eax",
        "test edx, edx",
        "je 9f",
        "7:",
        "movzx eax, byte ptr [rdi]",
        "movzx ecx, byte ptr [rsi]",
        "sub eax, ecx",
        "jne 9f",
        "inc rdi",
        "inc rsi",
        "dec edx",
        "jne 7b",
        "9:",
        "ret",
        // The byte that comes first in memory counts most.
        "8:",
        "bswap rax",
        "bswap rcx",
        "cmp rax, rcx",
        "sbb eax, eax",
        "or eax, 1",
        "ret",
    )
}

/// `bcmp(3)`, which compilers call where only equality is asked for.
///
/// # Safety
/// As for [`memcmp`].
#[unsafe(naked)]
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn bcmp(one: *const u8, two: *const u8, len: usize) -> i32 {
    naked_asm!("jmp {}", sym memcmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths on both sides of every bound of the functions, and of the first turns of their loops.
    const LENGTHS: std::ops::RangeInclusive<usize> = 0..=270;

    const PAGE: usize = 4096;

    /// Bytes of which no two near each other are the same.
    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|number| (number % 251) as u8).collect()
    }

    #[test]
    fn exactly_the_bytes_asked_for_are_copied() {
        let source = pattern(6000);
        for len in LENGTHS.chain([4096, 5000]) {
            for shift in 0..17 {
                let mut target = vec![0xff; len + 128];
                // SAFETY: 6000 bytes are more than `shift + len`, and the target has 64 on each side.
                let end = unsafe {
                    let start = target.as_mut_ptr().add(64 - shift);
                    memcpy(start, source.as_ptr().add(shift), len).offset_from(start)
                };
                assert_eq!(end, 0);
                let (before, rest) = target.split_at(64 - shift);
                let (copied, after) = rest.split_at(len);
                assert!(copied == &source[shift..shift + len], "{len}");
                assert!(before.iter().chain(after).all(|&byte| byte == 0xff), "{len}");
            }
        }
    }

    #[test]
    fn pieces_that_overlap_in_any_way_are_moved() {
        for len in LENGTHS.chain([1000, 4096]) {
            let before = pattern(3 * len + 2);
            let source = len + 1;
            for target in 0..=2 * len + 2 {
                let (mut ours, mut expected) = (before.clone(), before.clone());
                expected.copy_within(source..source + len, target);
                let start = ours.as_mut_ptr();
                // SAFETY: both pieces end within the `3 * len + 2` bytes.
                let end = unsafe { memmove(start.add(target), start.add(source), len).offset_from(start) };
                assert_eq!(end, target as isize);
                assert!(ours == expected, "{len} bytes from {source} to {target}");
            }
        }
    }

    #[test]
    fn the_first_difference_decides() {
        for len in LENGTHS.filter(|&len| len > 0) {
            let one = vec![7; len];
            // SAFETY: both have `len` bytes.
            let compare = |two: &[u8]| unsafe { memcmp(one.as_ptr(), two.as_ptr(), len) };
            // SAFETY: as above.
            let equals = |two: &[u8]| unsafe { bcmp(one.as_ptr(), two.as_ptr(), len) } == 0;
            assert!(compare(&one) == 0 && equals(&one));
            for place in 0..len {
                for (byte, sign) in [(6, 1), (0xff, -1)] {
                    let mut two = one.clone();
                    two[place] = byte;
                    two[place + 1..].fill(if sign == 1 { 0xff } else { 0 });
                    assert_eq!(compare(&two).signum(), sign, "{place} of {len}");
                    assert!(!equals(&two), "{place} of {len}");
                }
            }
        }
        // SAFETY: nothing is read.
        assert_eq!(unsafe { memcmp([1].as_ptr(), [2].as_ptr(), 0) }, 0);
    }

    /// A page of memory; what touches a byte before or behind it ends the process.
    fn page() -> *mut u8 {
        let (nothing, private) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, of whose three pages the middle one is made accessible.
        unsafe {
            let pages = libc::mmap(std::ptr::null_mut(), 3 * PAGE, nothing, private, -1, 0);
            assert_ne!(pages, libc::MAP_FAILED);
            let page = pages.add(PAGE);
            assert_eq!(libc::mprotect(page, PAGE, libc::PROT_READ | libc::PROT_WRITE), 0);
            page.cast()
        }
    }

    #[test]
    fn no_byte_before_or_behind_is_touched() {
        let (source, target) = (page(), page());
        for len in LENGTHS {
            for (from, to) in [(0, 0), (0, PAGE - len), (PAGE - len, 0), (PAGE - len, PAGE - len)] {
                // SAFETY: the pieces lie in pages of their own, of `PAGE` bytes each.
                let compared = unsafe {
                    let (from, to) = (source.add(from), target.add(to));
                    from.write_bytes(len as u8, len);
                    memmove(to, from, len);
                    memcmp(from, to, len)
                };
                assert_eq!(compared, 0, "{len} bytes from {from} to {to}");
            }
        }
    }
}
