//! Signatures: any block with a sound trailer, read from the end of a file and from bytes in memory.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use modutils::internals::file::Contents;
use modutils::module_file::{IdType, Signature};
use modutils_fuzz::memory;
use testkit::signature::MAGIC;

fuzz_target!(|input: &[u8]| {
    // Kind, digest and two lengths, as in the trailer, then the block they are about.
    let [kind, hash, signer, key, block @ ..] = input else { return };
    let names = usize::from(*signer) + usize::from(*key);
    let Some(length) = block.len().checked_sub(names) else { return };
    let trailer = [&[1, *hash, *kind, *signer, *key, 0, 0, 0][..], &(length as u32).to_be_bytes()].concat();
    let bytes = [&b"module"[..], block, &trailer, MAGIC].concat();
    memory::within((1 << 20) + 16 * bytes.len(), || {
        let parsed = Signature::parse(&bytes).expect("messages are read");
        let contents = Contents::from_bytes(Path::new("m.ko"), bytes.clone()).expect("plain bytes");
        let read = modutils::internals::module_file::read_signature(&contents).expect("bytes in memory");
        assert_eq!(parsed, read);
        let Some(signature) = parsed else { return };
        let Some(details) = signature.details else {
            assert_eq!(signature.id_type, IdType::Pkcs7, "only a message can be impossible to parse");
            return;
        };
        assert!(details.bytes.len() + details.key_id.len() <= block.len());
        match signature.id_type {
            IdType::Pkcs7 => assert!(!details.bytes.is_empty()),
            _ => assert_eq!(details.bytes, block[names..]),
        }
    });
});
