//! What a signed module file ends in: the text [`MAGIC`], and before it a `struct module_signature`
//! (`include/linux/module_signature.h`), which has the lengths of the fields before it.

/// `MODULE_SIG_STRING`: it alone marks that a signature precedes it.
pub const MAGIC: &[u8] = b"~Module signature appended~\n";

/// The length of `struct module_signature`.
const STRUCT_LEN: usize = 12;

/// The length of the structure and the text after it.
pub const TRAILER_LEN: usize = STRUCT_LEN + MAGIC.len();

/// The fields of a `struct module_signature`, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// `enum pkey_algo`; zero in all that hold a PKCS#7 message.
    pub algorithm: u8,
    /// `enum hash_algo`.
    pub hash: u8,
    /// `enum pkey_id_type`.
    pub id_type: u8,
    /// The length of the signer's name.
    pub signer_len: u8,
    /// The length of the key's identifier.
    pub key_id_len: u8,
    /// Bytes without a meaning, zero in all that the kernel takes.
    pub padding: [u8; 3],
    /// The length of the signature, or of the PKCS#7 message that holds all.
    pub signature_len: u32,
}

impl Trailer {
    /// Parses the last [`TRAILER_LEN`] bytes of a file; `None` where it is not signed.
    pub fn parse(tail: &[u8]) -> Option<Self> {
        let fields: [u8; STRUCT_LEN] = tail.strip_suffix(MAGIC)?.try_into().ok()?;
        let [algorithm, hash, id_type, signer_len, key_id_len, a, b, c, len @ ..] = fields;
        let signature_len = u32::from_be_bytes(len);
        let padding = [a, b, c];
        Some(Self { algorithm, hash, id_type, signer_len, key_id_len, padding, signature_len })
    }

    /// The length of the fields before the structure: the signer's name, the key's identifier, the
    /// signature.
    pub fn block_len(&self) -> u64 {
        u64::from(self.signer_len) + u64::from(self.key_id_len) + u64::from(self.signature_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_is_the_structure_and_the_text() {
        let tail = [&[1, 4, 2, 5, 6, 0, 0, 0, 0, 0, 1, 2], MAGIC].concat();
        assert_eq!(tail.len(), TRAILER_LEN);
        let trailer = Trailer::parse(&tail).unwrap();
        let expected = Trailer {
            algorithm: 1,
            hash: 4,
            id_type: 2,
            signer_len: 5,
            key_id_len: 6,
            padding: [0; 3],
            signature_len: 0x102,
        };
        assert_eq!((trailer, trailer.block_len()), (expected, 0x102 + 11));
        for wrong in [&tail[1..], &tail[..tail.len() - 1], MAGIC, b"", &[&b"\0"[..], &tail].concat()] {
            assert_eq!(Trailer::parse(wrong), None);
        }
    }

    #[test]
    fn no_lengths_are_too_large_to_be_added() {
        let tail = [&[0xff; STRUCT_LEN], MAGIC].concat();
        assert_eq!(Trailer::parse(&tail).unwrap().block_len(), u64::from(u32::MAX) + 510);
    }
}
