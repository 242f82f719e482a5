//! Signatures appended to module files.
//!
//! `include/linux/module_signature.h` of the kernel: the signature itself, then a 12-byte `struct module_signature`
//! with its type and length, then a line of text. Kernels since 4.3 write PKCS#7; older ones wrote the name of the
//! signer and the key's identifier as plain text before the signature.

use std::path::Path;

use crate::surroundings::program;

/// The text at the end of every signed module.
pub const MAGIC: &[u8] = b"~Module signature appended~\n";

/// A key and its self-signed certificate, made by the `openssl` program.
#[derive(Debug)]
pub struct SigningKey {
    dir: tempfile::TempDir,
}

impl SigningKey {
    /// A new RSA key whose certificate names `common_name` as its issuer and has the serial number `serial`
    /// (`0x…` in hexadecimal).
    ///
    /// # Panics
    /// When `openssl` is not installed or refuses.
    pub fn new(common_name: &str, serial: &str) -> SigningKey {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let subject = format!("/CN={common_name}");
        openssl(
            dir.path(),
            &[
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                "key.pem",
                "-out",
                "certificate.pem",
            ],
            &["-subj", &subject, "-days", "3650", "-set_serial", serial],
        );
        SigningKey { dir }
    }

    /// The file of the certificate, in PEM.
    pub fn certificate(&self) -> std::path::PathBuf {
        self.dir.path().join("certificate.pem")
    }

    /// A detached PKCS#7 signature of `bytes` with the digest `hash` (`sha256`, …), as the kernel's `sign-file`
    /// makes it: no certificate, no attributes.
    ///
    /// # Panics
    /// When `openssl` refuses.
    pub fn pkcs7(&self, bytes: &[u8], hash: &str) -> Vec<u8> {
        self.message(bytes, hash, &[])
    }

    /// The same with the key's identifier in the place of issuer and serial number, as `sign-file -k` makes it.
    ///
    /// # Panics
    /// When `openssl` refuses.
    pub fn pkcs7_by_key_id(&self, bytes: &[u8], hash: &str) -> Vec<u8> {
        self.message(bytes, hash, &["-keyid"])
    }

    fn message(&self, bytes: &[u8], hash: &str, options: &[&str]) -> Vec<u8> {
        let dir = tempfile::tempdir_in(self.dir.path()).expect("a temporary directory");
        std::fs::write(dir.path().join("content"), bytes).expect("the content to sign");
        openssl(
            dir.path(),
            &["cms", "-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-outform", "DER"],
            &[
                options,
                &[
                    "-md",
                    hash,
                    "-signer",
                    "../certificate.pem",
                    "-inkey",
                    "../key.pem",
                    "-in",
                    "content",
                    "-out",
                    "out",
                ],
            ]
            .concat(),
        );
        std::fs::read(dir.path().join("out")).expect("the signature")
    }
}

fn openssl(dir: &Path, command: &[&str], more: &[&str]) {
    let output = program("openssl")
        .current_dir(dir)
        .args(command)
        .args(more)
        .output()
        .expect("openssl, which signs test modules");
    assert!(output.status.success(), "openssl {command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A `struct module_signature` and the fields before it.
#[derive(Debug, Clone, Default)]
pub struct Signature {
    /// `algo`: the public key's algorithm; 0 with PKCS#7.
    pub algo: u8,
    /// `hash`: the digest's number; 0 with PKCS#7.
    pub hash: u8,
    /// `id_type`: 0 PGP, 1 X.509, 2 PKCS#7.
    pub id_type: u8,
    /// The name of the signer; none with PKCS#7.
    pub signer: Vec<u8>,
    /// The identifier of the key; none with PKCS#7.
    pub key_id: Vec<u8>,
    /// The signature, or the whole PKCS#7 message.
    pub signature: Vec<u8>,
    /// A wrong length of the signature, for damaged modules.
    pub claimed_len: Option<u32>,
}

impl Signature {
    /// A PKCS#7 message.
    pub fn pkcs7(message: Vec<u8>) -> Signature {
        Signature { id_type: 2, signature: message, ..Signature::default() }
    }

    /// Everything that is appended to the module: signer, key, signature, the struct and the magic text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = self.claimed_len.unwrap_or(self.signature.len() as u32);
        let mut bytes = [self.signer.as_slice(), &self.key_id, &self.signature].concat();
        bytes.extend([
            self.algo,
            self.hash,
            self.id_type,
            self.signer.len() as u8,
            self.key_id.len() as u8,
            0,
            0,
            0,
        ]);
        bytes.extend(len.to_be_bytes());
        bytes.extend_from_slice(MAGIC);
        bytes
    }
}
