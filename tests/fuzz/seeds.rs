//! Writes the seeds that are not text, a directory for each target: `seeds DIRECTORY`.
//!
//! They are made anew from testkit wherever fuzzing is done, so that no binary lies in the repository.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modutils::internals::index::TrieBuilder;
use testkit::compress::zstd_without_size;
use testkit::{
    Arch, Compression, Crc, Export, ExportTables, ModuleBuilder, Signature, SigningKey, VersionTables,
};

fn main() -> std::io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: seeds DIRECTORY");
        std::process::exit(2);
    };
    let key = Arc::new(SigningKey::new("fuzz", "0x80ff"));
    decompress(&directory)?;
    modules(&directory, &key)?;
    signatures(&directory, &key)?;
    indexes(&directory)
}

fn write(directory: &Path, target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let directory = directory.join(target);
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join(name), bytes)
}

fn decompress(directory: &Path) -> std::io::Result<()> {
    let texts = [&b""[..], b"a", b"some bytes, some bytes, and some more bytes", &[7; 3000]];
    for form in [Compression::Gzip, Compression::Xz, Compression::Zstd] {
        let suffix = form.suffix();
        for (number, text) in texts.iter().enumerate() {
            write(directory, "decompress", &format!("text{number}{suffix}"), &form.compress(text))?;
        }
        let several = texts.map(|text| form.compress(text)).concat();
        write(directory, "decompress", &format!("several{suffix}"), &several)?;
        let module = module(Arch::X86_64).compressed(form).build();
        write(directory, "decompress", &format!("module{suffix}"), &module)?;
    }
    let padded = [Compression::Xz.compress(b"padded"), vec![0; 8]].concat();
    write(directory, "decompress", "padded.ko.xz", &padded)?;
    write(directory, "decompress", "without-size.ko.zst", &zstd_without_size(b"of any length"))
}

/// A module with something of everything.
fn module(arch: Arch) -> ModuleBuilder {
    ModuleBuilder::new("seed")
        .arch(arch)
        .this_module_size(100)
        .modinfo("license", "GPL")
        .modinfo("parmtype", "size:int")
        .modinfo("parm", "size:of it")
        .modinfo("softdep", "pre: a post: b")
        .alias("pci:v00008086d*sv*")
        .export("square", Crc::Section(1))
        .export_as(Export::new("cube").crc(Crc::Absolute(2)).gpl().namespace("SHAPES"))
        .needs("_printk", 3)
        .needs(".TOC.", None)
        .needs_weak("maybe", 4)
        .version("module_layout", 5)
}

fn modules(directory: &Path, key: &Arc<SigningKey>) -> std::io::Result<()> {
    for arch in Arch::ALL {
        write(directory, "module", &format!("{arch:?}.ko"), &module(arch).build())?;
    }
    let forms = [
        ("flags", module(Arch::X86_64).export_tables(ExportTables::Flags)),
        ("strings", module(Arch::X86_64).export_tables(ExportTables::StringsOnly)),
        ("extended", module(Arch::S390x).version_tables(VersionTables::Extended)),
        ("both", module(Arch::Armhf).version_tables(VersionTables::Both)),
        ("register", module(Arch::Sparc64).register_symbol("#ignore")),
        ("signed", module(Arch::X86_64).signed_by(key, "sha256")),
        ("bare", ModuleBuilder::new("m").this_module_size(0)),
    ];
    for (name, module) in forms {
        write(directory, "module", name, &module.build())?;
        write(directory, "module", &format!("{name}.zst"), &module.compressed(Compression::Zstd).build())?;
    }
    Ok(())
}

fn signatures(directory: &Path, key: &SigningKey) -> std::io::Result<()> {
    for hash in ["sha256", "sha512", "sha3-384"] {
        let message = key.pkcs7(b"module", hash);
        let seed = [&[2, 0, 0, 0][..], &message].concat();
        write(directory, "signature", hash, &seed)?;
        // The same at the end of a file that is no module otherwise.
        write(directory, "module", &format!("trailer-{hash}"), &Signature::pkcs7(message).to_bytes())?;
    }
    write(directory, "signature", "x509", b"\x01\x04\x04\x03namekeysignature")
}

/// A key and its value.
type Entry = (&'static [u8], &'static [u8]);

fn indexes(directory: &Path) -> std::io::Result<()> {
    let entries: [(&str, &[Entry]); 4] = [
        ("empty", &[]),
        ("dep", &[(b"a", b"kernel/a.ko: kernel/b.ko"), (b"ab", b"kernel/ab.ko:"), (b"b", b"kernel/b.ko:")]),
        ("alias", &[(b"pci:v*d*", b"a"), (b"pci:v[0-9]d?", b"b"), (b"pci:v1", b"c"), (b"*", b"d")]),
        ("values", &[(b"a", b"1"), (b"a", b"2"), (b"a", b"3"), (b"", b"4")]),
    ];
    for (name, entries) in entries {
        let mut builder = TrieBuilder::new();
        for (priority, (key, value)) in (0..).zip(entries) {
            builder.insert(key, value, priority).expect("an ASCII key");
        }
        let bytes = builder.to_bytes().expect("a small index");
        // The target puts magic and version before it.
        let seed = [&b"\x06pci:v1"[..], &bytes[8..]].concat();
        write(directory, "index", name, &seed)?;
    }
    Ok(())
}
