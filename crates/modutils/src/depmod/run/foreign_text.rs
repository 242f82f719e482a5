//! Whatever bytes a module has in whatever field, the texts that depmod writes hold no line, path or directive that is not
//! that module's: they are read back here as modprobe and `kmod static-nodes` read them.

use std::{collections::BTreeSet, ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use proptest::{collection::vec, prelude::*};
use testkit::{Crc, ModuleBuilder};

use super::*;
use crate::{
    ModuleName,
    config::{ConfigPaths, ModprobeConfig},
};

/// A module's fields.
#[derive(Clone, Debug)]
struct Fields {
    file: Vec<u8>,
    key: Vec<u8>,
    aliases: Vec<Vec<u8>>,
    softdeps: Vec<Vec<u8>>,
    weakdeps: Vec<Vec<u8>>,
    exports: Vec<Vec<u8>>,
    needs: Vec<Vec<u8>>,
}

/// Bytes among which are all that mean something to a reader of lines.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(&b"abc \n\r\t\x0b\x0c\\#\"'%./:*?[]=-,;$\x1b\x7f\x80\x85\xff"[..]);
    let part = prop_oneof![
        6 => vec(byte, 1..4),
        2 => vec(any::<u8>(), 1..3),
        3 => prop::sample::select(vec![
            &b"\nsoftdep victim pre: evil"[..], b"\nalias victim evil", b"\nweakdep victim evil", b"\\\n",
            b"\nvictim.ko: evil.ko", b"\nfuse ../../etc/x c1:1", b"devname:", b"../", b"pre: ", b" post: ",
            b"\nremove victim ", b"victim", b" evil", b"%h", b"symbol:",
        ]).prop_map(<[u8]>::to_vec),
    ];
    vec(part, 0..5).prop_map(|parts| parts.concat().into_iter().filter(|&byte| byte != 0).collect())
}

fn alias() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => text(),
        1 => text().prop_map(|name| [b"devname:", &name[..]].concat()),
        1 => text().prop_map(|rest| [b"char-major-10-200", &rest[..]].concat()),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    let no_slash = |name: Vec<u8>| name.into_iter().filter(|&byte| byte != b'/').collect::<Vec<_>>();
    // One module in two has an ordinary name, so that its other fields count.
    let file = prop_oneof!["[a-d]{1,2}".prop_map(String::into_bytes), text().prop_map(no_slash)];
    let texts = || vec(text(), 0..3);
    (file, text(), vec(alias(), 0..5), texts(), texts(), texts(), texts()).prop_map(
        |(file, key, aliases, softdeps, weakdeps, exports, needs)| Fields {
            file,
            key,
            aliases,
            softdeps,
            weakdeps,
            exports,
            needs,
        },
    )
}

fn build(fields: &Fields) -> Vec<u8> {
    let mut module = ModuleBuilder::new("m").modinfo(&fields.key, "x").modinfo("license", "GPL");
    module = fields.aliases.iter().fold(module, ModuleBuilder::alias);
    for (key, values) in [("softdep", &fields.softdeps), ("weakdep", &fields.weakdeps)] {
        module = values.iter().fold(module, |module, value| module.modinfo(key, value));
    }
    module = fields.exports.iter().fold(module, |module, name| module.export(name, Crc::None));
    fields.needs.iter().fold(module, |module, name| module.needs(name, None)).build()
}

/// The module of each file in the tree.
struct World {
    modules: Vec<(Vec<u8>, Fields)>,
}

impl World {
    /// The fields of the module that a line names. Names are compared as depmod writes them.
    fn of(&self, name: &[u8]) -> &Fields {
        let found = self.modules.iter().find(|(module, _)| module == name);
        &found.unwrap_or_else(|| panic!("no module is called {}", name.as_bstr())).1
    }

    fn check(&self, file: &str, line: &[u8]) {
        let shown = line.as_bstr();
        assert!(!line.ends_with(b"\\"), "{file} continues a line: {shown}");
        assert!(!line.iter().any(|&byte| byte != b'\t' && byte.is_ascii_control()), "{file}: {shown:?}");
        if line.starts_with(b"# ") {
            return;
        }
        let words: Vec<&[u8]> = line.split(|byte| b" \t".contains(byte)).collect();
        let has = |values: &[Vec<u8>], value: &[u8]| values.iter().any(|one| one == value);
        match (file, &words[..]) {
            ("modules.dep", [path, dependencies @ ..]) => {
                let path = path.strip_suffix(b":").unwrap_or_else(|| panic!("{shown}"));
                for path in dependencies.iter().chain([&path]) {
                    assert!(!path.contains(&b':'), "{shown}");
                    let name = ModuleName::from_path(Path::new(OsStr::from_bytes(path)));
                    self.of(name.expect("a module's path").as_bytes());
                }
            }
            ("modules.alias", [b"alias", alias, name]) => {
                assert!(has(&self.of(name).aliases, alias), "{shown}");
            }
            ("modules.symbols", [b"alias", symbol, name]) => {
                let symbol = symbol.strip_prefix(b"symbol:").unwrap_or_else(|| panic!("{shown}"));
                // A dot in front of a function's name is no part of it on some machines.
                let exports = &self.of(name).exports;
                assert!(has(exports, symbol) || has(exports, &[b".", symbol].concat()), "{shown}");
            }
            ("modules.softdep" | "modules.weakdep", [directive, name, ..]) => {
                assert_eq!(*directive, file.strip_prefix("modules.").unwrap().as_bytes(), "{shown}");
                assert!(!name.iter().any(|byte| b"*?[".contains(byte)), "a pattern: {shown}");
                let value = &line[directive.len() + name.len() + 2..];
                let fields = self.of(name);
                assert!(has(
                    if *directive == b"softdep" { &fields.softdeps } else { &fields.weakdeps },
                    value
                ));
            }
            ("modules.devname", [name, node, _]) => {
                assert!(has(&self.of(name).aliases, &[b"devname:", *node].concat()), "{shown}");
                let parts = || node.split(|&byte| byte == b'/');
                assert!(parts().all(|part| !part.is_empty() && part != b".." && part != b"."), "{shown}");
                assert!(!node.iter().any(|byte| b"%\"'\\".contains(byte)), "{shown}");
            }
            _ => panic!("{file}: {shown}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_text_has_a_line_that_its_module_could_not_have_by_its_own_name(all in vec(fields(), 1..5)) {
        let directory = tempfile::tempdir().unwrap();
        let mut world = World { modules: Vec::new() };
        let mut taken = BTreeSet::new();
        for fields in all {
            let path = directory.path().join(OsStr::from_bytes(&[&fields.file[..], b".ko"].concat()));
            let Some(name) = ModuleName::from_path(&path) else { continue };
            // Of two files of one name, one counts.
            if taken.insert(name.clone()) && std::fs::write(&path, build(&fields)).is_ok() {
                world.modules.push((name.as_bytes().to_vec(), fields));
            }
        }
        let run = Run::new(directory.path()).without_configuration().threads(NonZeroUsize::MIN);
        let Ok(Some(preview)) = run.preview(&()) else { return Ok(()) };
        let read_back = tempfile::tempdir().unwrap();
        for (name, text) in preview.texts() {
            std::fs::write(read_back.path().join(name), text).unwrap();
            let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
            prop_assert_eq!(lines.pop(), Some(&b""[..]), "{} does not end with its last line", name);
            lines.into_iter().for_each(|line| world.check(name, line));
        }
        // What modprobe would report about a line, it would report at each use.
        let sources =
            ConfigPaths { paths: Some(Vec::new()), modules: Some(read_back.path().to_owned()) };
        let root = Root::inside(read_back.path()).unwrap();
        let mut notices = Vec::new();
        ModprobeConfig::load(&root, &sources, &mut |notice| notices.push(notice.to_string()));
        prop_assert_eq!(notices, [""; 0]);
    }
}
