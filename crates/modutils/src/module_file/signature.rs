//! The signature appended to a module file.
//!
//! From the end of the file backwards: a text and a `struct module_signature`, and what that gives the
//! lengths of: the signature, the key's identifier, the signer's name. Kernels since Linux 4.4 write a PKCS#7 message,
//! which holds all of it, as the signature; before, the fields stood by themselves.

#[cfg(feature = "signature")]
mod pkcs7;

use bstr::BString;

use crate::{
    Malformed, Result,
    file::Contents,
    formats::signature::{TRAILER_LEN, Trailer},
};

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
    /// Its content; `None` for a PKCS#7 message that could not be parsed.
    pub details: Option<SignatureDetails>,
}

/// The content of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureDetails {
    /// The name of the signer; `None` where the signature has only its key's identifier.
    pub signer: Option<BString>,
    /// The key's identifier, for PKCS#7 the serial number of its certificate, or else its subject key identifier.
    pub key_id: Vec<u8>,
    /// The digest's name as the kernel spells it, or `unknown`.
    pub hash: &'static str,
    /// The algorithm of the key, such as `RSA`, `ECDSA` or `ML-DSA-65`; `None` where it is unknown.
    pub key_algorithm: Option<&'static str>,
    /// The signature proper.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// The signature at the end of a file; `None` where there is none, or where the trailer is malformed,
    /// as the kernel too calls such a module unsigned.
    ///
    /// # Errors
    /// When reading fails; as [`Signature::parse`].
    pub(crate) fn read(contents: &Contents) -> Result<Option<Self>> {
        let tail = TRAILER_LEN as u64;
        let Some(start) = contents.len().checked_sub(tail) else { return Ok(None) };
        let trailer = Trailer::parse(&contents.read(start, tail)?);
        let Some(form) = trailer.and_then(Form::of) else { return Ok(None) };
        let len = form.trailer.block_len();
        let Some(block) = start.checked_sub(len) else { return Ok(None) };
        form.split(&contents.read(block, len)?).map_err(|fault| fault.at(contents.path()))
    }

    /// The signature in the bytes of a whole file, or of the end of one; `None` where there is none, or
    /// where what is there is malformed.
    ///
    /// # Errors
    /// Of the kind [`Unsupported`](crate::ErrorKind::Unsupported) for a PKCS#7 message where the crate was built
    /// without its feature `signature`: whether a module is signed never depends on that.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let parts = || {
            let (rest, tail) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER_LEN)?)?;
            let form = Form::of(Trailer::parse(tail)?)?;
            let block = rest.len().checked_sub(usize::try_from(form.trailer.block_len()).ok()?)?;
            Some((form, rest.get(block..)?))
        };
        parts().map_or(Ok(None), |(form, block)| form.split(block))
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
    fn split(&self, block: &[u8]) -> Result<Option<Signature>, Malformed> {
        let Some((signer, key_id, signature)) = self.parts(block) else { return Ok(None) };
        if self.id_type == IdType::Pkcs7 {
            let details = pkcs7(signature)?;
            return Ok(Some(Signature { id_type: self.id_type, details }));
        }
        let details = SignatureDetails {
            signer: Some(signer.into()),
            key_id: key_id.to_owned(),
            hash: self.hash,
            // enum pkey_algo.
            key_algorithm: ["DSA", "RSA"].get(usize::from(self.trailer.algorithm)).copied(),
            bytes: signature.to_owned(),
        };
        Ok(Some(Signature { id_type: self.id_type, details: Some(details) }))
    }

    /// The signer's name, the key's identifier and the signature.
    fn parts<'a>(&self, block: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let (signer, rest) = block.split_at_checked(self.trailer.signer_len.into())?;
        let (key_id, signature) = rest.split_at_checked(self.trailer.key_id_len.into())?;
        Some((signer, key_id, signature))
    }
}

#[cfg(feature = "signature")]
fn pkcs7(message: &[u8]) -> Result<Option<SignatureDetails>, Malformed> {
    Ok(pkcs7::parse(message).ok())
}

#[cfg(not(feature = "signature"))]
fn pkcs7(_: &[u8]) -> Result<Option<SignatureDetails>, Malformed> {
    use crate::{Errno, ErrorKind};

    let fault = Malformed::file("this build does not read PKCS#7 signatures");
    Err(fault.with_errno(Errno::ENOSYS).of_kind(ErrorKind::Unsupported))
}

/// `hash_algo_name` of `crypto/hash_info.c` by `enum hash_algo`, as far as modules were signed so.
fn hash_by_number(number: u8) -> Option<&'static str> {
    let names = ["md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3"];
    names.get(usize::from(number)).copied()
}
