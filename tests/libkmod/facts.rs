//! What is in modules' files.

use testkit::{Arch, ModuleBuilder, surroundings};

use crate::world::script;

/// All questions about the files of some modules.
fn questions(modules: &[&str]) -> String {
    let ask =
        |name: &&str| format!("name 0 {name} 1\ninfo 1\nversions 1\nsymbols 1\nneeded 1\nmodule-unref 1\n");
    format!("new 0 -\n{}", modules.iter().map(ask).collect::<String>())
}

#[test]
fn what_files_have_is_listed() {
    script(&questions(&[
        "base", "mid", "top-most", "soft-one", "exports", "bare", "signed", "packed", "pressed",
    ]))
    .compare();
    script(&questions(&["gone", "needs-gone", "broken", "foreign", "inside", "nothing"])).compare();
}

#[test]
fn a_file_by_its_path_needs_no_index() {
    let big_endian = ModuleBuilder::new("big").arch(Arch::S390x).modinfo("license", "GPL").needs("sym", 7);
    let text = |path: &str| {
        format!("new 0 -\npath 0 {path} 1\ninfo 1\nversions 1\nsymbols 1\nneeded 1\nfacts 1\nneeds 1")
    };
    script(&text("/big.ko")).file("big.ko", big_endian.build()).compare();
    script(&text("/empty.ko")).file("empty.ko", "").compare();
    let whole = big_endian.build();
    script(&text("/cut.ko")).file("cut.ko", &whole[..whole.len() / 2]).compare();
}

/// dracut-install asks nodes of needed symbols by the accessor of exported ones.
#[test]
fn accessors_of_one_list_of_symbols_are_right_for_the_others() {
    script("new 0 -\nname 0 mid 1\nmixed 1")
        .differs(&[("    Ubase_sym\n    Wmaybe\n", "    base_sym\n    maybe\n")])
        .compare();
}

#[test]
fn a_list_that_is_not_empty_is_refused() {
    for kind in ["i", "v", "s", "d"] {
        let text = format!("new 0 -\nlookup 0 base 15\nname 0 mid 1\noccupied 1 {kind}\nlist 15");
        // An assertion ends the host with the packaged library.
        let ours = script(&text).run(testkit::Side::Ours);
        assert!(
            ours.output.contains("  found EINVAL\n") && ours.output.contains("  length 1\n"),
            "{}",
            ours.output
        );
    }
}

/// Which symbols it needs is unknown, but for those of its versions.
#[test]
fn a_stripped_module_lacks_data() {
    let directory = tempfile::tempdir().unwrap();
    let stripped = |name: &str, module: ModuleBuilder| {
        let path = directory.path().join(name);
        std::fs::write(&path, module.build()).unwrap();
        let done = surroundings::program("strip").arg("--strip-all").arg(&path).status().unwrap();
        assert!(done.success());
        std::fs::read(path).unwrap()
    };
    script("new 0 -\npath 0 /plain.ko 1\nneeded 1\npath 0 /versioned.ko 2\nneeded 2")
        .file("plain.ko", stripped("plain.ko", ModuleBuilder::new("plain").needs("sym", None)))
        .file("versioned.ko", stripped("versioned.ko", ModuleBuilder::new("versioned").needs("sym", 7)))
        .differs(&[
            ("  found EINVAL\n", "  found ENODATA\n"),
            ("  found EINVAL\n", "  found 1\n    sym U 0x7\n"),
        ])
        .compare();
}

#[test]
fn gzip_is_read() {
    let module =
        ModuleBuilder::new("zipped").modinfo("license", "GPL").compressed(testkit::Compression::Gzip);
    script("new 0 -\npath 0 /zipped.ko.gz 1\ninfo 1")
        .file("zipped.ko.gz", module.build())
        .differs(&[("  found ENOSYS\n", "  found 1\n    license=GPL\n")])
        .compare();
}
