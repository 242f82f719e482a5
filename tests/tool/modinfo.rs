//! modinfo where kmod cannot read, or differs from its manual.

use testkit::{Arch, Compression, ModuleBuilder, TestRoot};

#[test]
fn field_names_have_no_case() {
    let root = TestRoot::new();
    root.write("tmp/a.ko", ModuleBuilder::new("a").modinfo("license", "GPL").modinfo("Author", "x").build());
    for (field, value) in
        [("LICENSE", "GPL\n"), ("License", "GPL\n"), ("author", "x\n"), ("FileName", "/tmp/a.ko\n")]
    {
        assert_eq!(root.ours("modinfo", &["-F", field, "/tmp/a.ko"]).succeeds().out(), value, "{field}");
    }
}

#[test]
fn every_compression_of_every_machine_is_read() {
    let root = TestRoot::new();
    for arch in Arch::ALL {
        for compression in Compression::ALL {
            let module = ModuleBuilder::new("a").arch(arch).modinfo("license", "GPL").compressed(compression);
            let path = format!("tmp/a{}", compression.suffix());
            root.write(&path, module.build());
            let run = root.ours("modinfo", &["-l", &format!("/{path}")]).succeeds();
            assert_eq!(run.out(), "GPL\n", "{arch:?} {compression:?}");
        }
    }
}

#[test]
fn the_content_decides_the_compression_not_the_name() {
    let root = TestRoot::new();
    for compression in Compression::ALL {
        let bytes = ModuleBuilder::new("a").modinfo("license", "GPL").compressed(compression).build();
        for other in Compression::ALL {
            let path = format!("tmp/a{}", other.suffix());
            root.write(&path, &bytes);
            let run = root.ours("modinfo", &["-l", &format!("/{path}")]).succeeds();
            assert_eq!(run.out(), "GPL\n", "{compression:?} in {path}");
        }
    }
}

#[test]
fn modules_with_very_many_sections_are_read() {
    let root = TestRoot::new();
    let module = ModuleBuilder::new("many").empty_sections(66_000).modinfo("license", "GPL");
    root.write("tmp/many.ko", module.build());
    assert_eq!(root.ours("modinfo", &["-l", "/tmp/many.ko"]).succeeds().out(), "GPL\n");
}

#[test]
fn the_build_id_is_shown_where_it_is_requested() {
    let root = TestRoot::new();
    let id: Vec<u8> = (1..=20).collect();
    let note = [&[4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0][..], b"GNU\0", &id].concat();
    let with_note = |note: Vec<u8>| {
        let section = testkit::Section::new(".note.gnu.build-id", note);
        ModuleBuilder::new("a").modinfo("license", "GPL").section(section).build()
    };
    root.write("tmp/a.ko", with_note(note.clone()));
    root.write("tmp/none.ko", ModuleBuilder::new("none").modinfo("license", "GPL").build());
    root.write("tmp/short.ko", with_note(note[..30].to_vec()));
    let digits = "0102030405060708090a0b0c0d0e0f1011121314";
    let requested = |file: &str| root.ours("modinfo", &["-F", "build-id", file]);
    assert_eq!(requested("/tmp/a.ko").succeeds().out(), format!("{digits}\n"));
    assert_eq!(requested("/tmp/none.ko").succeeds().out(), "");
    requested("/tmp/short.ko").fails();
    // kmod 34.2 does not print it.
    for file in ["/tmp/a.ko", "/tmp/short.ko"] {
        let ours = root.ours("modinfo", &[file]).succeeds().out();
        assert_eq!(ours, root.reference("modinfo", &[file]).succeeds().out());
    }
    let item = |file: &str| {
        let document = crate::json::document(&root.ours("modinfo", &["--json", file]).succeeds());
        document["modules"][0]["build_id"].clone()
    };
    assert_eq!(item("/tmp/a.ko"), digits);
    assert!(item("/tmp/none.ko").is_null() && item("/tmp/short.ko").is_null());
}
