//! The signature in the form of a PKCS#7 message: the fields of its first signer.

use bstr::BString;
use cms::signed_data::{SignerIdentifier, SignerInfo};
use der::{
    Decode, ErrorKind, Header, Length, Reader, SliceReader, Tag, TagNumber, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};

use super::SignatureDetails;

/// The tag of the content of a `ContentInfo`, RFC 5652, 3.
const CONTENT: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber::N0 };
/// id-at-commonName, RFC 5280.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The fields of the first signer of a PKCS#7 message.
pub(super) fn parse(message: &[u8]) -> der::Result<SignatureDetails> {
    let signer = first_signer(message)?;
    if signer.signature.as_bytes().is_empty() {
        return Err(ErrorKind::Failed.into());
    }
    let (name, key_id) = match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => {
            let attributes = || id.issuer.0.iter().flat_map(|name| name.0.iter());
            let common_name = attributes().find(|attribute| attribute.oid == COMMON_NAME);
            // kmod shows the last part of a name without a common name.
            let name = common_name.or_else(|| attributes().last());
            let name = name.map_or_else(BString::default, |attribute| attribute.value.value().into());
            (Some(name), magnitude(id.serial_number.as_bytes()))
        }
        // `sign-file -k`: the key alone, without a name.
        SignerIdentifier::SubjectKeyIdentifier(id) => (None, id.0.as_bytes().to_owned()),
    };
    Ok(SignatureDetails {
        signer: name,
        key_id,
        hash: hash_by_oid(&signer.digest_alg.oid),
        key_algorithm: algorithm_by_oid(&signer.signature_algorithm.oid),
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

/// Checks that no value claims more bytes than are left in the one it is part of: the library makes room for what is
/// claimed before it looks whether it is there.
fn check_lengths(message: &[u8]) -> der::Result<()> {
    let mut reader = SliceReader::new(message)?;
    // How much is left of the message behind each value that is open.
    let mut open = Vec::new();
    while !reader.is_finished() {
        while open.last() == Some(&reader.remaining_len()) {
            open.pop();
        }
        let behind = open.last().copied().unwrap_or(Length::ZERO);
        let header = Header::decode(&mut reader)?;
        // What remains behind this one.
        let after = (reader.remaining_len() - header.length).map_err(|_| ErrorKind::Overlength)?;
        if after < behind {
            return Err(ErrorKind::Overlength.into());
        }
        // What a constructed value is made of comes next.
        if header.tag.is_constructed() {
            open.push(after);
        } else {
            reader.read_slice(header.length)?;
        }
    }
    Ok(())
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
        "2.16.840.1.101.3.4.2.11" => "shake128",
        "2.16.840.1.101.3.4.2.12" => "shake256",
        "1.3.6.1.4.1.1722.12.2.1.16" => "blake2b512",
        "1.3.6.1.4.1.1722.12.2.2.8" => "blake2s256",
        "1.2.643.2.2.9" => "GOST R 34.11-94",
        "1.2.643.7.1.1.2.2" => "GOST R 34.11-2012 with 256 bit hash",
        "1.2.643.7.1.1.2.3" => "GOST R 34.11-2012 with 512 bit hash",
        "1.2.156.10197.1.401" => "sm3",
        _ => "undefined",
    }
}

/// The algorithm of a key, by the algorithm of what it signed.
fn algorithm_by_oid(oid: &ObjectIdentifier) -> Option<&'static str> {
    let oid = oid.to_string();
    Some(match oid.as_str() {
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44",
        "2.16.840.1.101.3.4.3.18" => "ML-DSA-65",
        "2.16.840.1.101.3.4.3.19" => "ML-DSA-87",
        // ecdsa-with-SHA3-224 and the three longer ones.
        "2.16.840.1.101.3.4.3.9"
        | "2.16.840.1.101.3.4.3.10"
        | "2.16.840.1.101.3.4.3.11"
        | "2.16.840.1.101.3.4.3.12" => "ECDSA",
        "1.2.156.10197.1.501" => "SM2",
        other if other.starts_with("1.2.840.113549.1.1.") => "RSA",
        other if other.starts_with("1.2.840.10045.") => "ECDSA",
        other if other.starts_with("1.2.643.") => "GOST",
        _ => return None,
    })
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
        // One that the message has room for, but not the sequence; what it covers are values for who reads it by the
        // sequence's end.
        assert_eq!(kind(b"\x30\x04\x04\x08aa\x04\x84\x02\x03\x00\x00"), ErrorKind::Overlength);
        assert!(check_lengths(b"\x30\x04\x30\x02\x04\x00\x30\x00\x04\x02aa").is_ok());

        let content_info = b"\x30\x0e\x06\x03\x09\x35\x64\xb5\x06\x84\x84\x02\x03\x00\x00\x30";
        assert!(first_signer(content_info).is_err());
    }
}
