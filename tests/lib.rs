//! Code that the behaviour tests in `tool/` and `compliance/` share.

pub mod faults;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use testkit::compare::{same, same_indexes, same_lines, same_text};
use testkit::{Crc, Indexes, ModuleBuilder, Run, TestRoot};

/// A root with a little kernel, not indexed yet: modules that depend on each other, with aliases, softdeps, weakdeps,
/// parameters, a device node and a built-in module. All of them are in modules.order.
///
/// `top` needs `helper` and `base`, `helper` needs `base`; `extra` has a device node; `my-dash` is called `my_dash`.
pub fn little_kernel() -> TestRoot {
    let root = TestRoot::new();
    let base = module("base").modinfo("license", "GPL").export("base_fn", Crc::Section(0x0b));
    let helper = module("helper").export("helper_fn", Crc::Section(0x0e)).needs("base_fn", 0x0b);
    let top = module("top")
        .modinfo("license", "Dual MIT/GPL")
        .modinfo("author", "One <one@example.org>")
        .modinfo("author", "Two")
        .modinfo("description", "The top of it")
        .alias("pci:v00008086d0000100Esv*sd*bc*sc*i*")
        .alias("fs-top")
        .modinfo("softdep", "pre: extra")
        .modinfo("weakdep", "my_dash")
        .modinfo("parm", "depth:how deep")
        .modinfo("parmtype", "depth:int")
        .modinfo("parmtype", "bare:charp")
        .needs("helper_fn", 0x0e)
        .needs("base_fn", 0x0b)
        .needs("_printk", 0x01);
    let extra = module("extra").alias("devname:extra/node").alias("char-major-10-200");
    let dash = module("my_dash").alias("pci:v00008086d0000100Esv*sd*bc02sc*i*").alias("of:N*T[a-c]-x");
    for (path, module) in [
        ("kernel/lib/base.ko", base),
        ("kernel/lib/helper.ko", helper),
        ("kernel/drivers/top.ko", top),
        ("kernel/drivers/extra.ko", extra),
        ("kernel/drivers/my-dash.ko", dash),
    ] {
        add_ordered(&root, path, &module);
    }
    root.write_module_file("modules.builtin", "kernel/fs/inside.ko\nkernel/fs/deep-inside.ko\n");
    let facts = "inside.license=GPL\0inside.alias=fs-inside\0inside.file=fs/inside\0deep_inside.parm=x:an x\0\
                 deep_inside.parmtype=x:uint\0";
    root.write_module_file("modules.builtin.modinfo", facts);
    root
}

/// The module directory of a kernel with these modules, in this order, and its indexes, which the packaged depmod writes: the
/// files by path. There is also a file `broken.ko` that is no module, the built-in module `inside`, which is `inside-alias`,
/// and no file of the module `gone`, which the indexes have.
pub fn module_directory(release: &str, modules: &[(&str, ModuleBuilder)]) -> BTreeMap<String, Vec<u8>> {
    let root = TestRoot::with_version(release);
    let mut order = String::new();
    for (file, module) in modules {
        let path = format!("kernel/{file}");
        root.add_module(&path, module);
        order.push_str(&format!("{path}\n"));
    }
    root.write_module_file("kernel/broken.ko", "this is no module\n");
    root.write_module_file("modules.order", order);
    root.write_module_file("modules.builtin", "kernel/inside.ko\n");
    root.write_module_file("modules.builtin.modinfo", "inside.license=GPL\0inside.alias=inside-alias\0");
    root.reference("depmod", &[release]).succeeds();
    root.remove(&root.module_path("kernel/gone.ko"));
    let directory = root.module_path("");
    files_below(&root.path().join(&directory), &format!("{}/", directory.trim_end_matches('/')))
}

/// The files below a directory, by path with a prefix.
pub fn files_below(directory: &Path, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory of the root").flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().expect("a directory entry has a type");
        if kind.is_dir() {
            found.extend(files_below(&entry.path(), &format!("{name}/")));
        } else if kind.is_file() {
            found.insert(name, fs::read(entry.path()).expect("root reads everything"));
        }
    }
    found
}

/// A module with the entry of `.modinfo` that every module has: without that section our tools do not accept a file as a module.
pub fn module(name: impl AsRef<[u8]>) -> ModuleBuilder {
    ModuleBuilder::new(&name).modinfo("name", &name)
}

/// Adds a module and a line for it to modules.order, without which kmod uses hash order. The lines name uncompressed
/// files, even if the files are compressed.
pub fn add_ordered(root: &TestRoot, path: &str, module: &ModuleBuilder) {
    root.add_module(path, module);
    let order = root.module_path("modules.order");
    let before = if root.exists(&order) { root.read(&order) } else { Vec::new() };
    let plain = path.trim_end_matches(".gz").trim_end_matches(".xz").trim_end_matches(".zst");
    root.write(&order, [before.as_slice(), plain.as_bytes(), b"\n"].concat());
}

/// Runs both depmods with the same arguments on the same directory, compares their messages and the files they write,
/// and returns these. The files are removed.
#[track_caller]
pub fn same_depmod(root: &TestRoot, args: &[&str]) -> (Run, Indexes) {
    let theirs = root.reference("depmod", args);
    let their_files = root.take_indexes();
    let ours = root.ours("depmod", args);
    let our_files = root.take_indexes();
    same(&ours, &theirs);
    same_indexes(&our_files, &their_files);
    (theirs, their_files)
}

/// Runs both depmods with `-n` and compares their output, except for the order of symbols, which is hash order in kmod
/// (docs/differences.md: "lines of modules.symbols").
#[track_caller]
pub fn same_dry_run(ours: &Run, theirs: &Run) {
    assert_eq!((ours.code, ours.own_messages()), (theirs.code, theirs.own_messages()));
    let parts = |run: &Run| -> (Vec<u8>, Vec<u8>) {
        let (symbols, others): (Vec<&[u8]>, Vec<&[u8]>) = run
            .stdout
            .split_inclusive(|byte| *byte == b'\n')
            .partition(|line: &&[u8]| line.starts_with(b"alias symbol:"));
        (symbols.concat(), others.concat())
    };
    same_text("depmod -n without symbols", &parts(ours).1, &parts(theirs).1);
    same_lines("the symbols of depmod -n", &parts(ours).0, &parts(theirs).0);
}

/// Runs both sides with the same arguments and compares everything; returns the reference's run.
#[track_caller]
pub fn same_run(root: &TestRoot, tool: &str, args: &[&str]) -> Run {
    let theirs = root.reference(tool, args);
    same(&root.ours(tool, args), &theirs);
    theirs
}

/// A text file among indexes.
#[track_caller]
pub fn text<'a>(files: &'a Indexes, name: &str) -> &'a str {
    std::str::from_utf8(&files[name]).expect("UTF-8")
}
