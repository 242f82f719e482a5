//! The fields that openssl reads in a module's signature, in modinfo's form.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::packages::{self, OPENSSL};
use crate::process;

/// The end of a signed module (`MODULE_SIG_STRING` of `include/linux/module_signature.h`).
const MAGIC: &[u8] = b"~Module signature appended~\n";

/// The length of `struct module_signature` before it, which ends in the signature's length.
const TRAILER: usize = 12;

/// The lines that modinfo prints of the signature of `module`.
///
/// # Errors
/// When it has none, or openssl cannot read it.
pub(super) fn as_modinfo_shows(module: &Path) -> Result<String> {
    packages::need(&[OPENSSL])?;
    let bytes = std::fs::read(module).with_context(|| module.display().to_string())?;
    let signature = appended(&bytes).with_context(|| format!("{} is not signed", module.display()))?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), signature)?;
    let structure = process::output(
        Command::new("openssl").args(["asn1parse", "-inform", "DER", "-in"]).arg(file.path()),
    )?;
    fields(&structure).context("the structure is not PKCS#7 with one signer")
}

/// The signature at the end of a module.
fn appended(module: &[u8]) -> Option<&[u8]> {
    let rest = module.strip_suffix(MAGIC)?;
    let (rest, trailer) = rest.split_at_checked(rest.len().checked_sub(TRAILER)?)?;
    let length = u32::from_be_bytes(trailer.get(8..)?.try_into().ok()?);
    rest.get(rest.len().checked_sub(length as usize)?..)
}

/// The signer's fields from openssl's list of the elements of RFC 2315's SignedData, whose last one is SignerInfo:
/// issuer, serial number, digest algorithm, signature algorithm, signature.
fn fields(structure: &str) -> Option<String> {
    let last = |kind: &str, back: usize| {
        let values = structure.lines().filter_map(|line| line.split_once(kind));
        let values: Vec<&str> =
            values.filter_map(|(_, rest)| rest.split_once(':')).map(|(_, value)| value).collect();
        values.len().checked_sub(back).and_then(|place| values.get(place).copied())
    };
    let signer = last("prim: UTF8STRING", 1)?;
    let key = colons(last("prim: INTEGER", 1)?);
    let hash = last("prim: OBJECT", 2)?;
    let signature: Vec<String> = pairs(last("prim: OCTET STRING", 1)?);
    let lines: Vec<String> = signature.chunks(20).map(|line| line.join(":")).collect();
    Some(format!(
        "sig_id:         PKCS#7\nsigner:         {signer}\nsig_key:        {key}\nsig_hashalgo:   {hash}\n\
         signature:      {}\n",
        lines.join(":\n\t\t")
    ))
}

fn pairs(digits: &str) -> Vec<String> {
    digits.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect()
}

fn colons(digits: &str) -> String {
    pairs(digits).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signers_fields_are_the_last_of_their_kinds() {
        let structure = "\
    9:d=1  hl=2 l=   9 prim: OBJECT            :pkcs7-signedData
   28:d=3  hl=2 l=   1 prim: INTEGER           :01
   73:d=9  hl=2 l=   3 prim: OBJECT            :commonName
   78:d=9  hl=2 l=  35 prim: UTF8STRING        :A key: ours
  115:d=6  hl=2 l=  20 prim: INTEGER           :795FBE
  139:d=6  hl=2 l=   9 prim: OBJECT            :sha256
  152:d=6  hl=2 l=   9 prim: OBJECT            :rsaEncryption
  165:d=5  hl=4 l= 512 prim: OCTET STRING      [HEX DUMP]:000102030405060708090A0B0C0D0E0F1011121314
";
        assert_eq!(
            fields(structure).unwrap(),
            "sig_id:         PKCS#7\nsigner:         A key: ours\nsig_key:        79:5F:BE\nsig_hashalgo:   sha256\n\
             signature:      00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:\n\t\t14\n"
        );
    }

    #[test]
    fn a_length_beyond_the_file_is_not_a_signature() {
        let mut module = vec![0; 20];
        module.extend([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 20]);
        module.extend(MAGIC);
        assert_eq!(appended(&module).map(<[u8]>::len), Some(20));
        assert_eq!(appended(&module[1..]), None);
    }
}
