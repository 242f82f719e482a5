//! Modules with any bytes in any field: the texts of depmod have no line that is not their module's.
#![no_main]

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use modutils::ModuleName;
use modutils::depmod::Run;
use modutils_fuzz::{files, memory};
use testkit::{Crc, ModuleBuilder, Section};

#[derive(Arbitrary, Debug)]
struct Fields {
    file: Option<Vec<u8>>,
    modinfo: Vec<(u8, Vec<u8>)>,
    exports: Vec<Vec<u8>>,
    section: Vec<u8>,
}

thread_local! {
    static DIRECTORY: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

fuzz_target!(|modules: Vec<Fields>| {
    DIRECTORY.with(|directory| {
        let directory = directory.get_or_init(files::scratch).path();
        let mut world: BTreeMap<Vec<u8>, Fields> = BTreeMap::new();
        let mut paths = Vec::new();
        for (number, fields) in modules.into_iter().take(4).enumerate() {
            let ordinary = format!("m{number}").into_bytes();
            let name: Vec<u8> = fields.file.clone().unwrap_or(ordinary);
            let name: Vec<u8> = name.into_iter().filter(|byte| !b"\0/".contains(byte)).take(200).collect();
            let path = directory.join(OsStr::from_bytes(&[&name[..], b".ko"].concat()));
            let Some(module) = ModuleName::from_path(&path) else { continue };
            if !world.contains_key(module.as_bytes()) && std::fs::write(&path, build(&fields)).is_ok() {
                world.insert(module.as_bytes().to_vec(), fields);
                paths.push(path);
            }
        }
        memory::within(32 << 20, || check(directory, &world));
        paths.iter().for_each(|path| std::fs::remove_file(path).expect("a file of this run"));
    });
});

const KEYS: [&str; 5] = ["alias", "softdep", "weakdep", "author", "alias"];

fn build(fields: &Fields) -> Vec<u8> {
    let mut module = ModuleBuilder::new("m").modinfo("license", "GPL");
    for (key, value) in &fields.modinfo {
        module = module.modinfo(KEYS[usize::from(*key) % KEYS.len()], without_nul(value));
    }
    for name in &fields.exports {
        module = module.export(without_nul(name), Crc::None);
    }
    module.section(Section::new(without_nul(&fields.section), b"".to_vec())).build()
}

fn without_nul(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|&byte| byte != 0).collect()
}

fn check(directory: &Path, world: &BTreeMap<Vec<u8>, Fields>) {
    let run = Run::new(directory).without_configuration().threads(std::num::NonZeroUsize::MIN);
    let Ok(Some(preview)) = run.preview(&()) else { return };
    for (file, text) in preview.texts() {
        assert!(text.is_empty() || text.ends_with(b"\n"));
        for line in
            text.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b"# ") && !line.is_empty())
        {
            assert!(
                !line.ends_with(b"\\") && !line.iter().any(|byte| *byte != b'\t' && byte.is_ascii_control())
            );
            let words: Vec<&[u8]> = line.split(|byte| b" \t".contains(byte)).collect();
            let own = |name: &[u8], key: &str, value: &[u8]| {
                let fields = world.get(name).expect("a line of a module that is there");
                let of_key = fields
                    .modinfo
                    .iter()
                    .filter(|(number, _)| KEYS[usize::from(*number) % KEYS.len()] == key);
                of_key.into_iter().any(|(_, own)| without_nul(own) == value)
            };
            match (file, &words[..]) {
                ("modules.dep", paths) => {
                    for path in paths {
                        let path = path.strip_suffix(b":").unwrap_or(path);
                        let name =
                            ModuleName::from_path(Path::new(OsStr::from_bytes(path))).expect("a module");
                        assert!(world.contains_key(name.as_bytes()));
                    }
                }
                ("modules.alias", [b"alias", alias, name]) => assert!(own(name, "alias", alias)),
                ("modules.softdep" | "modules.weakdep", [directive, name, ..]) => {
                    let value = &line[directive.len() + name.len() + 2..];
                    assert!(own(name, std::str::from_utf8(directive).expect("ASCII"), value));
                }
                ("modules.symbols", [b"alias", symbol, name]) => {
                    assert!(symbol.starts_with(b"symbol:") && world.contains_key(*name));
                }
                ("modules.devname", [name, node, _]) => {
                    assert!(own(name, "alias", &[b"devname:", *node].concat()));
                    assert!(!node.iter().any(|byte| b"%\"'\\$*?[]".contains(byte)));
                    assert!(node.split(|&byte| byte == b'/').all(|part| !matches!(part, b"" | b"." | b"..")));
                }
                _ => panic!("{file}: a line of no known form"),
            }
        }
    }
}
