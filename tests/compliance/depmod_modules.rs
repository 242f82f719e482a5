//! What depmod makes of modules: dependencies, aliases, soft dependencies, device nodes, and damaged ones.

use modutils_tests::{add_ordered, module, same_depmod, same_run, text};
use testkit::compare::same_indexes;
use testkit::{Arch, Crc, Export, ModuleBuilder, TestRoot};

use crate::depmod_options::same_verbose;

#[test]
fn cycles_are_named_and_nothing_is_written() {
    let root = TestRoot::new();
    let link = |name: &str, needs: &[&str]| {
        let start = module(name).export(format!("{name}_fn"), Crc::Section(1));
        needs.iter().fold(start, |module, need| module.needs(format!("{need}_fn"), 1))
    };
    for (name, needs) in
        [("a", ["b"].as_slice()), ("b", &["a"]), ("c", &["d"]), ("d", &["e"]), ("e", &["c"]), ("f", &["a"])]
    {
        add_ordered(&root, &format!("kernel/{name}.ko"), &link(name, needs));
    }
    let (run, files) = same_depmod(&root, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.err().contains("Cycle detected: "), "{run:?}");
    assert!(files.is_empty());
    same_run(&root, "depmod", &["-n"]);
}

#[test]
fn a_module_that_needs_itself_does_not_depend_on_itself() {
    let root = TestRoot::new();
    add_ordered(&root, "kernel/own.ko", &module("own").export("own_fn", Crc::Section(1)).needs("own_fn", 1));
    same_depmod(&root, &[]);
}

#[test]
fn the_later_of_two_exporters_is_depended_on() {
    let root = TestRoot::new();
    for name in ["first", "second"] {
        add_ordered(&root, &format!("kernel/{name}.ko"), &module(name).export("fn", Crc::Section(1)));
    }
    add_ordered(&root, "kernel/user.ko", &module("user").needs("fn", 1));
    same_depmod(&root, &[]);
}

#[test]
fn a_disagreeing_crc_is_still_a_dependency() {
    let root = TestRoot::new();
    add_ordered(&root, "kernel/exporter.ko", &module("exporter").export("fn", Crc::Section(1)));
    add_ordered(&root, "kernel/user.ko", &module("user").needs("fn", 2));
    same_depmod(&root, &[]);
    root.write("tmp/Module.symvers", "0x1\tother\tvmlinux\tEXPORT_SYMBOL\n");
    same_depmod(&root, &["-e", "-E", "/tmp/Module.symvers"]);
}

#[test]
fn aliases_are_normalised_in_the_trie_only() {
    let root = TestRoot::new();
    let module = module("odd")
        .alias("with-dash[a-c]-x")
        .alias("unmatched]")
        .alias("unmatched[")
        .alias("")
        .alias("nested[[a]-b]");
    add_ordered(&root, "kernel/odd.ko", &module);
    same_depmod(&root, &[]);
}

#[test]
fn softdeps_and_weakdeps_are_listed_unchanged() {
    let root = TestRoot::new();
    let module = module("soft")
        .modinfo("softdep", "pre: a-b c post: d")
        .modinfo("softdep", "post: e")
        .modinfo("softdep", "nonsense")
        .modinfo("weakdep", "w-x y");
    add_ordered(&root, "kernel/soft.ko", &module);
    same_depmod(&root, &[]);
}

#[test]
fn device_nodes_need_their_numbers() {
    let root = TestRoot::new();
    let with = |name: &str, aliases: &[&str]| aliases.iter().fold(module(name), ModuleBuilder::alias);
    add_ordered(&root, "kernel/block.ko", &with("block", &["devname:loop-control", "block-major-7-0"]));
    add_ordered(&root, "kernel/swapped.ko", &with("swapped", &["char-major-10-5", "devname:x/y"]));
    add_ordered(&root, "kernel/lacking.ko", &with("lacking", &["devname:z"]));
    add_ordered(&root, "kernel/wild.ko", &with("wild", &["devname:w", "char-major-4-*"]));
    add_ordered(
        &root,
        "kernel/two.ko",
        &with("two", &["devname:t", "char-major-1-2", "block-major-3-4", "devname:u"]),
    );
    let (run, _) = same_depmod(&root, &[]);
    assert!(run.err().contains("lacks major and minor"), "{run:?}");
}

#[test]
fn a_module_may_lack_struct_module() {
    let root = TestRoot::new();
    add_ordered(&root, "kernel/bare.ko", &module("bare").this_module_size(0));
    add_ordered(&root, "kernel/other.ko", &module("other").alias("o"));
    same_depmod(&root, &[]);
}

/// docs/differences.md: "a damaged module in a tree": kmod prints little or nothing, ours names the file; the files are the same.
#[test]
fn a_bad_module_is_listed_and_named() {
    let good = module("good").export("fn", Crc::Section(1)).alias("good-*");
    let whole = good.build();
    let bare = ModuleBuilder::new("bad").build();
    for (what, bytes) in [
        ("bare", bare.as_slice()),
        ("empty", b""),
        ("truncated", &whole[..whole.len() / 2]),
        ("text", b"not a module at all"),
    ] {
        let root = TestRoot::new();
        add_ordered(&root, "kernel/good.ko", &good);
        add_ordered(&root, "kernel/bad.ko", &module("bad"));
        root.write_module_file("kernel/bad.ko", bytes);
        let theirs = root.reference("depmod", &[]);
        let their_files = root.take_indexes();
        let ours = root.ours("depmod", &[]);
        let our_files = root.take_indexes();
        assert_eq!(ours.code, theirs.code, "{what}: {ours:?} {theirs:?}");
        same_indexes(&our_files, &their_files);
        assert!(ours.err().contains("bad.ko"), "{what}: {ours:?}");
    }
}

#[test]
fn builtin_lists_may_be_odd() {
    let root = TestRoot::new();
    add_ordered(&root, "kernel/only.ko", &module("only"));
    root.write_module_file("modules.builtin", "kernel/a.ko\nkernel/b-c.ko.xz\n\n/\nlast.ko");
    root.write_module_file("modules.builtin.modinfo", "a.alias=x-y\0a.alias=p[a-b]\0b_c.alias=z\0");
    same_depmod(&root, &[]);
}

#[test]
fn namespaces_are_not_symbols() {
    let root = TestRoot::new();
    let spaced = module("spaced").export_as(Export::new("fn").crc(Crc::Section(1)).namespace("SPACE"));
    add_ordered(&root, "kernel/spaced.ko", &spaced);
    add_ordered(&root, "kernel/user.ko", &module("user").needs("fn", 1).modinfo("import_ns", "SPACE"));
    let (_, files) = same_depmod(&root, &[]);
    assert!(!text(&files, "modules.symbols").contains("SPACE"));
}

/// 64-bit PowerPC's first ABI puts a dot before the names of functions. It does not count between modules and kernel,
/// but the symbol table of one module spells a name as its version table does.
#[test]
fn a_dot_before_a_name_does_not_count() {
    for arch in [Arch::Ppc64V1, Arch::Ppc64V2, Arch::X86_64] {
        let root = TestRoot::new();
        let with = |name: &str| module(name).arch(arch);
        add_ordered(&root, "kernel/own.ko", &with("own").export("own_fn", Crc::Section(6)));
        let users = [
            ("dots", with("dots").needs(".kern", 5).needs(".own_fn", 6)),
            ("none", with("none").needs("kern", 5).needs("own_fn", 6)),
            ("versions", with("versions").needs("kern", None).version(".kern", 5)),
            ("symbols", with("symbols").needs(".kern", None).version("kern", 5)),
            ("unversioned", with("unversioned").needs(".kern", None)),
            ("both", with("both").needs(".own_fn", 6).needs("own_fn", 6)),
        ];
        for (name, user) in &users {
            add_ordered(&root, &format!("kernel/{name}.ko"), user);
        }
        root.write("tmp/Module.symvers", "0x00000005\tkern\tvmlinux\tEXPORT_SYMBOL\t\n");
        let (run, _) = same_depmod(&root, &["-e", "-E", "/tmp/Module.symvers"]);
        let disagrees = |name: &str| run.err().contains(&format!("{name}.ko disagrees"));
        let disagreeing: Vec<&str> =
            users.iter().map(|(name, _)| *name).filter(|name| disagrees(name)).collect();
        assert_eq!(disagreeing, ["versions", "symbols", "unversioned"], "{run:?}");
        same_verbose(&root, &["-nv"]);
    }
}
