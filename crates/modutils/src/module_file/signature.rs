//! The signature appended to a module file.
//!
//! From the end of the file backwards: a text and a `struct module_signature`, and what that gives the
//! lengths of: the signature, the key's identifier, the signer's name. Kernels since Linux 4.4 write a PKCS#7 message,
//! which holds all of it, as the signature; before, the fields stood by themselves.

use bstr::BString;
use cms::signed_data::{SignerIdentifier, SignerInfo};
use der::{
    Decode, ErrorKind, Header, Reader, SliceReader, Tag, TagNumber, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};

use crate::{
    Result,
    file::Contents,
    formats::signature::{TRAILER_LEN, Trailer},
};

/// The tag of the content of a `ContentInfo`, RFC 5652, 3.
const CONTENT: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber::N0 };
/// id-at-commonName, RFC 5280.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// How signer and key are identified, `enum pkey_id_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdType {
    /// A PGP key.
    Pgp,
    /// The subject and key identifier of an X.509 certificate.
    X509,
    /// A PKCS#7 message.
    Pkcs7,
}

impl IdType {
    fn by_number(number: u8) -> Option<Self> {
        [Self::Pgp, Self::X509, Self::Pkcs7].get(usize::from(number)).copied()
    }

    /// The name that `modinfo` prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pgp => "PGP",
            Self::X509 => "X509",
            Self::Pkcs7 => "PKCS#7",
        }
    }
}

/// Who signed a module, and how. Whether the signature is right is not checked: that takes the
/// kernel's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// The form of the signature.
    pub id_type: IdType,
    /// The name of the signer; `None` where it cannot be determined.
    pub signer: Option<BString>,
    /// The key's identifier, for PKCS#7 the serial number of its certificate; empty where it cannot
    /// be determined.
    pub key_id: Vec<u8>,
    /// The digest's name as the kernel spells it, or `unknown`.
    pub hash: &'static str,
    /// The signature proper; empty where it cannot be determined.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// Whether the signature could be read. A PKCS#7 message that could not be leaves everything but
    /// the form unknown.
    pub fn is_readable(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The signature at the end of a file; `None` where there is none, or where what stands there
    /// is malformed, as the kernel too calls such a module unsigned.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn read(contents: &Contents) -> Result<Option<Self>> {
        let tail = TRAILER_LEN as u64;
        let Some(start) = contents.len().checked_sub(tail) else { return Ok(None) };
        let trailer = Trailer::parse(&contents.read(start, tail)?);
        let Some(form) = trailer.and_then(Form::of) else { return Ok(None) };
        let len = form.trailer.block_len();
        let Some(block) = start.checked_sub(len) else { return Ok(None) };
        Ok(form.split(&contents.read(block, len)?))
    }

    /// The signature in the bytes of a whole file, or of the end of one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (rest, tail) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER_LEN)?)?;
        let form = Form::of(Trailer::parse(tail)?)?;
        let block = rest.len().checked_sub(usize::try_from(form.trailer.block_len()).ok()?)?;
        form.split(rest.get(block..)?)
    }
}

/// A trailer whose numbers are all known.
struct Form {
    trailer: Trailer,
    id_type: IdType,
    hash: &'static str,
}

impl Form {
    fn of(trailer: Trailer) -> Option<Self> {
        let (id_type, hash) = (IdType::by_number(trailer.id_type)?, hash_by_number(trailer.hash)?);
        // enum pkey_algo: DSA, RSA.
        let is_sound = trailer.algorithm <= 1 && trailer.signature_len > 0;
        is_sound.then_some(Self { trailer, id_type, hash })
    }

    /// Reads the block before the structure.
    fn split(&self, block: &[u8]) -> Option<Signature> {
        let (signer, rest) = block.split_at_checked(self.trailer.signer_len.into())?;
        let (key_id, signature) = rest.split_at_checked(self.trailer.key_id_len.into())?;
        if self.id_type == IdType::Pkcs7 {
            return Some(pkcs7(signature).unwrap_or_else(|_| unreadable_pkcs7()));
        }
        Some(Signature {
            id_type: self.id_type,
            signer: Some(signer.into()),
            key_id: key_id.to_owned(),
            hash: self.hash,
            bytes: signature.to_owned(),
        })
    }
}

fn unreadable_pkcs7() -> Signature {
    let (key_id, bytes) = (Vec::new(), Vec::new());
    Signature { id_type: IdType::Pkcs7, signer: None, key_id, hash: "unknown", bytes }
}

/// What the first signer of a PKCS#7 message says.
fn pkcs7(message: &[u8]) -> der::Result<Signature> {
    let signer = first_signer(message)?;
    let SignerIdentifier::IssuerAndSerialNumber(id) = &signer.sid else {
        return Err(ErrorKind::Failed.into());
    };
    let attributes = || id.issuer.0.iter().flat_map(|name| name.0.iter());
    let common_name = attributes().find(|attribute| attribute.oid == COMMON_NAME);
    // kmod shows the last part of a name without a common name.
    let name = common_name.or_else(|| attributes().last());
    Ok(Signature {
        id_type: IdType::Pkcs7,
        signer: Some(name.map_or_else(BString::default, |attribute| attribute.value.value().into())),
        key_id: magnitude(id.serial_number.as_bytes()),
        hash: hash_by_oid(&signer.digest_alg.oid),
        bytes: signer.signature.as_bytes().to_owned(),
    })
}

/// An integer's absolute value, without leading zeros.
fn magnitude(integer: &[u8]) -> Vec<u8> {
    let mut bytes = integer.to_owned();
    if integer.first().is_some_and(|byte| byte & 0x80 != 0) {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(carry.into());
        }
    }
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    bytes.split_off(zeros)
}

/// The first signer in the order of the message. The rest of the `SignedData` (RFC 5652, 5.1) is
/// skipped, so that a certificate which the library would not read does not matter.
fn first_signer(message: &[u8]) -> der::Result<SignerInfo> {
    // What follows the message is of no matter.
    let message = AnyRef::decode(&mut SliceReader::new(message)?)?;
    message.tag().assert_eq(Tag::Sequence)?;
    let mut fields = SliceReader::new(message.value())?;
    ObjectIdentifier::decode(&mut fields)?;
    let content = AnyRef::decode(&mut fields)?;
    content.tag().assert_eq(CONTENT)?;
    let signed_data = AnyRef::decode(&mut SliceReader::new(content.value())?)?;
    let mut fields = SliceReader::new(signed_data.value())?;
    let mut signers = AnyRef::decode(&mut fields)?;
    while !fields.is_finished() {
        signers = AnyRef::decode(&mut fields)?;
    }
    signers.tag().assert_eq(Tag::Set)?;
    check_lengths(signers.value())?;
    SignerInfo::decode(&mut SliceReader::new(signers.value())?)
}

/// Checks that no value claims more bytes than there are: the library makes room for what is claimed
/// before it looks whether it is there.
fn check_lengths(message: &[u8]) -> der::Result<()> {
    let mut reader = SliceReader::new(message)?;
    while !reader.is_finished() {
        let header = Header::decode(&mut reader)?;
        if header.length > reader.remaining_len() {
            return Err(ErrorKind::Overlength.into());
        }
        // What a constructed value is made of comes next.
        if !header.tag.is_constructed() {
            reader.read_slice(header.length)?;
        }
    }
    Ok(())
}

/// `hash_algo_name` of `crypto/hash_info.c` by `enum hash_algo`, as far as modules were signed so.
fn hash_by_number(number: u8) -> Option<&'static str> {
    let names = ["md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3"];
    names.get(usize::from(number)).copied()
}

/// The name that OpenSSL gives a digest.
fn hash_by_oid(oid: &ObjectIdentifier) -> &'static str {
    match oid.to_string().as_str() {
        "1.2.840.113549.2.4" => "md4",
        "1.2.840.113549.2.5" => "md5",
        "1.3.14.3.2.26" => "sha1",
        "1.3.36.3.2.1" => "ripemd160",
        "2.16.840.1.101.3.4.2.1" => "sha256",
        "2.16.840.1.101.3.4.2.2" => "sha384",
        "2.16.840.1.101.3.4.2.3" => "sha512",
        "2.16.840.1.101.3.4.2.4" => "sha224",
        "2.16.840.1.101.3.4.2.5" => "sha512-224",
        "2.16.840.1.101.3.4.2.6" => "sha512-256",
        "2.16.840.1.101.3.4.2.7" => "sha3-224",
        "2.16.840.1.101.3.4.2.8" => "sha3-256",
        "2.16.840.1.101.3.4.2.9" => "sha3-384",
        "2.16.840.1.101.3.4.2.10" => "sha3-512",
        "1.2.156.10197.1.401" => "sm3",
        _ => "undefined",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: 40 bytes that took 33 MiB.
    #[test]
    fn a_value_longer_than_the_message_is_refused_before_room_is_made_for_it() {
        let claims_much = b"\x04\x84\x02\x03\x00\x00";
        let kind = |message: &[u8]| check_lengths(message).unwrap_err().kind();
        assert_eq!(kind(claims_much), ErrorKind::Overlength);
        // The same in a sequence whose own length is right.
        assert_eq!(kind(&[b"\x30\x06", &claims_much[..]].concat()), ErrorKind::Overlength);
        assert!(check_lengths(b"\x30\x03\x04\x01x\x05\x00").is_ok());

        let content_info = b"\x30\x0e\x06\x03\x09\x35\x64\xb5\x06\x84\x84\x02\x03\x00\x00\x30";
        assert!(first_signer(content_info).is_err());
    }
}
