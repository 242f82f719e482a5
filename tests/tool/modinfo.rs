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
