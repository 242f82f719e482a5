//! Inputs that amplify: many of something that is small, or that asks for much.

use modutils_tests::module;
use testkit::compress::{xz_of_blocks, xz_with_dictionary};
use testkit::{Compression, Crc, ModuleBuilder, Section, TestRoot};

/// An input of any size, and what is run on it.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// The smallest of three counts: of streams, sections, modules …
    pub(crate) least: usize,
    pub(crate) make: Make,
    /// The bytes that the files hold for each of them, where they are compressed.
    pub(crate) plain: usize,
    /// What is run before, on the same files.
    pub(crate) before: &'static [&'static [&'static str]],
    /// What is measured.
    pub(crate) command: &'static [&'static str],
}

/// What makes an input of so many.
pub(crate) enum Make {
    /// Files in a root.
    Tree(fn(&TestRoot, usize)),
    /// The bytes of one module file.
    File(fn(usize) -> Vec<u8>),
}

impl Make {
    pub(crate) fn make(&self, root: &TestRoot, count: usize) {
        match self {
            Make::Tree(make) => make(root, count),
            Make::File(make) => put(root, &make(count)),
        }
    }
}

const DEPMOD: &[&str] = &["depmod"];
const MODINFO: &[&str] = &["modinfo", "-F", "license", "/tmp/m.ko"];

/// A file for modinfo.
const fn file(name: &'static str, least: usize, make: fn(usize) -> Vec<u8>) -> Subject {
    Subject { name, least, make: Make::File(make), plain: 0, before: &[], command: MODINFO }
}

/// A tree for depmod.
const fn indexed(name: &'static str, least: usize, make: fn(&TestRoot, usize)) -> Subject {
    Subject { name, least, make: Make::Tree(make), plain: 0, before: &[], command: DEPMOD }
}

/// A module that takes a few kilobytes, with many of something, of so many bytes each.
const fn packed(name: &'static str, least: usize, plain: usize, make: fn(&TestRoot, usize)) -> Subject {
    Subject { plain, ..indexed(name, least, make) }
}

const fn planned(
    name: &'static str,
    least: usize,
    make: fn(&TestRoot, usize),
    command: &'static [&'static str],
) -> Subject {
    Subject { name, least, make: Make::Tree(make), plain: 0, before: &[DEPMOD], command }
}

/// All of them.
pub(crate) const SUBJECTS: &[Subject] = &[
    file("zstd: skippable frames", 1 << 17, |count| {
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].repeat(count);
        [Compression::Zstd.compress(&sound()), skippable].concat()
    }),
    file("zstd: empty frames", 1 << 16, |count| Compression::Zstd.compress(b"").repeat(count)),
    file("zstd: blocks of one byte", 1 << 18, |count| {
        // A frame of 2 MiB at most in its window, of raw blocks: size 1, type 0.
        [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0x58][..], &[0x08, 0, 0, 7].repeat(count), &[1, 0, 0]].concat()
    }),
    file("xz: streams", 1 << 14, |count| Compression::Xz.compress(b"").repeat(count)),
    file("xz: streams, large dictionaries", 1 << 14, |count| xz_with_dictionary(b"a", 30).repeat(count)),
    file("xz: blocks, alternating dictionaries", 1 << 15, |count| {
        let dictionaries: Vec<u8> = [24, 25].into_iter().cycle().take(count).collect();
        xz_of_blocks(&dictionaries)
    }),
    file("xz: blocks", 1 << 15, |count| xz_of_blocks(&vec![24; count])),
    file("gzip: members", 1 << 16, |count| Compression::Gzip.compress(b"").repeat(count)),
    file("gzip: stored blocks of no byte", 1 << 18, |count| {
        let member = Compression::Gzip.compress(b"");
        [&member[..10], &[0, 0, 0, 0xff, 0xff].repeat(count), &member[10..]].concat()
    }),
    file("gzip: zeros after the member", 1 << 20, |count| {
        [Compression::Gzip.compress(&sound()), vec![0; count]].concat()
    }),
    file("sections", 1 << 14, |count| module("m").empty_sections(count).modinfo("license", "GPL").build()),
    file("entries of .modinfo", 1 << 13, |count| {
        many(count, |module, number| module.modinfo(format!("k{number}"), "v")).build()
    }),
    Subject {
        command: &["modinfo", "/tmp/m.ko"],
        ..file("parameters", 1 << 12, |count| {
            let one = |module: ModuleBuilder, number| {
                module
                    .modinfo("parm", format!("p{number}:text"))
                    .modinfo("parmtype", format!("p{number}:int"))
            };
            many(count, one).build()
        })
    },
    indexed("aliases of one module", 1 << 12, |root, count| {
        add(root, "m", &many(count, |module, number| module.alias(format!("pci:v{number:08X}d*sv*"))));
    }),
    indexed("aliases that share a long prefix", 1 << 10, |root, count| {
        let prefix = "p".repeat(200);
        add(root, "m", &many(count, |module, number| module.alias(format!("{prefix}{number}"))));
    }),
    indexed("symbols", 1 << 14, |root, count| {
        add(root, "e", &many(count, |module, number| module.export(format!("s{number}"), Crc::None)));
        add(root, "n", &many(count, |module, number| module.needs(format!("s{number}"), None)));
    }),
    indexed("modules", 512, |root, count| modules(root, count, |module, _| module)),
    indexed("a chain of modules", 500, chain),
    indexed("cycles", 256, |root, count| {
        modules(root, count, |module, number| {
            let module = module.export(format!("s{number}"), Crc::None);
            (1..8).fold(module, |module, step| module.needs(format!("s{}", (number + step) % count), None))
        });
    }),
    indexed("deep directories", 150, |root, count| {
        let directory = "d/".repeat(count);
        (0..20).for_each(|number| add(root, &format!("{directory}m{number}"), &module("m")));
    }),
    indexed("links to one directory", 64, |root, count| {
        (0..20).for_each(|number| add(root, &format!("k/m{number}"), &module("m")));
        for number in 0..count {
            root.symlink("k", &root.module_path(&format!("l{number}")));
        }
    }),
    planned(
        "softdeps of all on all",
        128,
        |root, count| lattice(root, count, false),
        &["modprobe", "-D", "a0"],
    ),
    planned(
        "softdeps, and needs of all on all",
        100,
        |root, count| lattice(root, count, true),
        &["modprobe", "-D", "a0"],
    ),
    planned(
        "removal: softdeps of all on all",
        128,
        |root, count| lattice(root, count, false),
        &["modprobe", "-n", "-r", "a0"],
    ),
    planned(
        "a chain of softdeps",
        512,
        |root, count| {
            modules(root, count, |module, number| module.modinfo("softdep", format!("pre: m{}", number + 1)));
        },
        &["modprobe", "-D", "m0"],
    ),
    planned(
        "patterns of aliases",
        1 << 13,
        |root, count| add(root, "m", &many(count, |module, number| module.alias(format!("*a*b*{number}*")))),
        &["modprobe", "-D", "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"],
    ),
    planned(
        "lines of modprobe.d",
        1 << 15,
        |root, count| {
            let lines = (0..count).map(|number| {
                format!("options m{number}* a={number}\nalias x{number}-* m\nblacklist b{number}\n")
            });
            root.write("etc/modprobe.d/m.conf", lines.collect::<String>());
            add(root, "m", &module("m"));
        },
        &["modprobe", "-D", "m"],
    ),
    planned(
        "one long line of modprobe.d",
        1 << 17,
        |root, count| {
            root.write("etc/modprobe.d/m.conf", format!("softdep m pre: {}\n", "m a b c ".repeat(count)));
            add(root, "m", &module("m"));
        },
        &["modprobe", "-D", "m"],
    ),
    planned(
        "continued lines of modprobe.d",
        1 << 17,
        |root, count| {
            root.write("etc/modprobe.d/m.conf", format!("options m {}\n", "a=1 \\\n".repeat(count)));
            add(root, "m", &module("m"));
        },
        &["modprobe", "-D", "m"],
    ),
    planned("kmod graph of a chain", 500, chain, &["kmod", "graph", "--format=dot"]),
    planned("modprobe -D of a chain", 500, chain, &["modprobe", "-D", "m0"]),
    packed("packed: exports, as many as are read", 1 << 16, 2, exports),
    packed("packed: exports", 1 << 23, 2, exports),
    packed("packed: entries, as many as are read", 1 << 14, 2, |root, count| entries(root, b"=", count)),
    packed("packed: entries", 1 << 23, 2, |root, count| entries(root, b"=", count)),
    packed("packed: aliases, as many as are read", 1 << 14, 8, |root, count| {
        entries(root, b"alias=a", count);
    }),
    packed("packed: aliases", 1 << 21, 8, |root, count| entries(root, b"alias=a", count)),
    packed("packed: aliases that are not ASCII", 1 << 14, 8, |root, count| {
        entries(root, b"alias=\xff", count);
    }),
    packed("packed: aliases that are no pattern", 1 << 14, 8, |root, count| {
        entries(root, b"alias=[", count);
    }),
    packed("packed: a long alias", 1 << 24, 1, |root, count| {
        entries(root, &[b"alias=", &b"a".repeat(count)[..]].concat(), 1);
    }),
    packed("packed: versions", 1 << 22, 6, |root, count| {
        let sections =
            [("__version_ext_names", b"v\0".repeat(count)), ("__version_ext_crcs", vec![0; count * 4])];
        let module = sections
            .into_iter()
            .fold(module("m"), |module, (name, bytes)| module.section(Section::new(name, bytes)));
        add(root, "m", &module.modinfo("license", "GPL").compressed(Compression::Zstd));
    }),
    packed("packed: modules with many aliases", 16, 8 << 15, |root, count| {
        (0..count).for_each(|number| entries_of(root, &format!("m{number}"), b"alias=a", 1 << 15));
    }),
    Subject {
        plain: 2,
        ..file("packed: entries, for modinfo", 1 << 23, |count| {
            Compression::Zstd.compress(&module("m").modinfo_raw(b"=\0".repeat(count)).build())
        })
    },
    Subject {
        plain: 2,
        command: &["modprobe", "--show-exports", "/tmp/m.ko"],
        ..file("packed: exports, for modprobe", 1 << 23, |count| {
            Compression::Zstd.compress(&module_with_exports(count).build())
        })
    },
];

/// Modules each of which needs the next one.
fn chain(root: &TestRoot, count: usize) {
    modules(root, count, |module, number| {
        let module = module.export(format!("s{number}"), Crc::None);
        if number + 1 == count { module } else { module.needs(format!("s{}", number + 1), None) }
    });
}

/// A compressed module with an entry of `.modinfo` so many times.
fn entries(root: &TestRoot, entry: &[u8], count: usize) {
    entries_of(root, "m", entry, count);
}

fn entries_of(root: &TestRoot, name: &str, entry: &[u8], count: usize) {
    let module = module(name).modinfo_raw([entry, b"\0"].concat().repeat(count));
    add(root, name, &module.compressed(Compression::Zstd));
}

fn exports(root: &TestRoot, count: usize) {
    add(root, "m", &module_with_exports(count).compressed(Compression::Zstd));
}

/// A module with so many names of exports.
fn module_with_exports(count: usize) -> ModuleBuilder {
    let names = Section::new("__ksymtab_strings", b"e\0".repeat(count));
    module("m").modinfo("license", "GPL").section(names)
}

/// A module with a licence.
fn sound() -> Vec<u8> {
    module("m").modinfo("license", "GPL").build()
}

fn put(root: &TestRoot, bytes: &[u8]) {
    root.write("tmp/m.ko", bytes);
}

fn add(root: &TestRoot, name: &str, module: &ModuleBuilder) {
    root.add_module(&format!("{name}.ko"), module);
}

/// A module with many of something.
fn many(count: usize, one: impl Fn(ModuleBuilder, usize) -> ModuleBuilder) -> ModuleBuilder {
    (0..count).fold(module("m").modinfo("license", "GPL"), one)
}

/// Many modules, each with something.
fn modules(root: &TestRoot, count: usize, one: impl Fn(ModuleBuilder, usize) -> ModuleBuilder) {
    for number in 0..count {
        add(root, &format!("m{number}"), &one(module(format!("m{number}")), number));
    }
}

/// As many modules `a` as modules `b`. Each `a` has a soft dependency on all `b`, and each `b` on all `a`, or needs all
/// of them.
fn lattice(root: &TestRoot, count: usize, needs: bool) {
    let all =
        |letter: &str| (0..count).map(|number| format!("{letter}{number}")).collect::<Vec<_>>().join(" ");
    for number in 0..count {
        let (a, b) = (module(format!("a{number}")), module(format!("b{number}")));
        let a = a.export(format!("s{number}"), Crc::None).modinfo("softdep", format!("pre: {}", all("b")));
        let b = match needs {
            true => (0..count).fold(b, |b, other| b.needs(format!("s{other}"), None)),
            false => b.modinfo("softdep", format!("pre: {}", all("a"))),
        };
        add(root, &format!("a{number}"), &a);
        add(root, &format!("b{number}"), &b);
    }
}
