//! libdeflate's gzip decoder.
//!
//! It takes a whole member at once and is more than twice as fast as a decoder of streams. The crate
//! libdeflater hides how many bytes a member had, without which several in one file cannot be determined
//! from one; so the C function is called here.
#![expect(unsafe_code, reason = "the crate libdeflater lacks libdeflate_gzip_decompress_ex")]

use std::ptr::NonNull;

use libdeflate_sys::{
    libdeflate_alloc_decompressor, libdeflate_decompressor, libdeflate_free_decompressor,
    libdeflate_gzip_decompress_ex, libdeflate_result_LIBDEFLATE_SUCCESS as SUCCESS,
};

/// A decoder; it may be used for one member after the other.
#[derive(Debug)]
pub(super) struct Gzip(NonNull<libdeflate_decompressor>);

impl Gzip {
    /// A new decoder; `None` where memory lacks.
    pub(super) fn new() -> Option<Self> {
        // SAFETY: the function takes nothing and may be called at any time.
        NonNull::new(unsafe { libdeflate_alloc_decompressor() }).map(Self)
    }

    /// Decodes the member at the front of `bytes` to the front of `plain`. Returns how many bytes the
    /// member had and how many it holds; `None` where it is damaged or does not fit.
    pub(super) fn member(&mut self, bytes: &[u8], plain: &mut [u8]) -> Option<(usize, usize)> {
        let (mut read, mut written) = (0, 0);
        // SAFETY: the decoder is one that libdeflate allocated, not freed before `drop`, and used by
        // one thread at a time since it is borrowed mutably. It reads at most `bytes.len()` bytes
        // from a live slice, writes at most `plain.len()` bytes to another one, and writes the two
        // counts to live integers.
        let result = unsafe {
            libdeflate_gzip_decompress_ex(
                self.0.as_ptr(),
                bytes.as_ptr().cast(),
                bytes.len(),
                plain.as_mut_ptr().cast(),
                plain.len(),
                &raw mut read,
                &raw mut written,
            )
        };
        (result == SUCCESS).then_some((read, written))
    }
}

impl Drop for Gzip {
    fn drop(&mut self) {
        // SAFETY: allocated by `new`, and freed here alone.
        unsafe { libdeflate_free_decompressor(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use testkit::Compression as Writer;

    use super::*;

    #[test]
    fn a_member_is_decoded_and_measured() {
        let member = Writer::Gzip.compress(b"some bytes");
        let mut plain = [0; 20];
        let mut decoder = Gzip::new().unwrap();
        for tail in [&b""[..], b"tail"] {
            let bytes = [&member[..], tail].concat();
            assert_eq!(decoder.member(&bytes, &mut plain), Some((member.len(), 10)));
            assert_eq!(plain[..10], *b"some bytes");
        }
    }

    #[test]
    fn what_is_damaged_or_does_not_fit_is_refused() {
        let member = Writer::Gzip.compress(b"some bytes");
        let mut decoder = Gzip::new().unwrap();
        assert_eq!(decoder.member(&member, &mut [0; 9]), None);
        for end in 0..member.len() {
            assert_eq!(decoder.member(&member[..end], &mut [0; 100]), None);
        }
    }
}
