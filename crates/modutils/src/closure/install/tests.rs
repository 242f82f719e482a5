use std::os::unix::fs::symlink;

use testkit::ModuleBuilder;

use super::*;
use crate::{
    Root,
    closure::{FirmwareSearch, Follow},
    module_file::ModuleFile,
};

/// A system to copy from and a directory for roots.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        let driver = ModuleBuilder::new("driver").modinfo("firmware", "v/a.bin").needs("base_fn", 1);
        let base =
            ModuleBuilder::new("base").modinfo("license", "GPL").export("base_fn", testkit::Crc::Absolute(1));
        world.write("lib/modules/6.1.0/kernel/driver.ko", driver.build());
        world.write("lib/modules/6.1.0/kernel/base.ko", base.build());
        world.write("lib/modules/6.1.0/kernel/other.ko", ModuleBuilder::new("other").build());
        let lines = [("driver", "kernel/driver.ko: kernel/base.ko"), ("base", "kernel/base.ko:")];
        world.write("lib/modules/6.1.0/modules.dep.bin", testkit::index(lines));
        world.write("lib/modules/6.1.0/modules.order", "kernel/base.ko\nkernel/driver.ko\n");
        world.write("lib/firmware/real/a.bin", "firmware");
        fs::create_dir(world.path("lib/firmware/v")).unwrap();
        symlink("../real/a.bin", world.path("lib/firmware/v/a.bin")).unwrap();
        world.write("etc/modprobe.d/driver.conf", "options driver a=1\n");
        world.write("etc/modprobe.d/other.conf", "options other a=1\n");
        world
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Copies the closure of the driver into `target`.
    fn copy(&self, packing: Packing) -> Result<Copied> {
        let release = Release::new("6.1.0");
        let root = Root::default().with_system(self.0.path()).with_base(self.0.path());
        let context = Context::builder().root(root).release(release.clone()).build()?;
        let modules = [context.module(ModuleName::new("driver"))];
        let closure = Closure::of_modules(&context, &modules, &Follow::default())?;
        let directory = self.path("lib/firmware");
        let firmware = closure.firmware(&FirmwareSearch::below(&directory, &release), |_, _| ());
        let mut to = Destination::new(self.path("target"), release, directory);
        to.packing = packing;
        closure.copy(&context, &firmware, &to)
    }

    fn files(&self, directory: &str) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.path(directory), Path::new(""), &mut files).unwrap();
        let mut files: Vec<String> =
            files.into_iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        files.sort();
        files
    }
}

#[test]
fn a_copy_has_modules_indexes_firmware_and_configuration() {
    let world = World::new();
    let copied = world.copy(Packing::AsIs).unwrap();
    assert_eq!((copied.modules, copied.firmware, copied.configuration), (2, 2, 1));
    let files = world.files("target");
    for file in [
        "etc/modprobe.d/driver.conf",
        "lib/firmware/real/a.bin",
        "lib/firmware/v/a.bin",
        "lib/modules/6.1.0/kernel/base.ko",
        "lib/modules/6.1.0/kernel/driver.ko",
        "lib/modules/6.1.0/modules.dep.bin",
    ] {
        assert!(files.iter().any(|other| other == file), "{file}: {files:?}");
    }
    assert!(!files.iter().any(|file| file.contains("other") || file.contains(".kmod-closure")), "{files:?}");
    assert_eq!(fs::read_link(world.path("target/lib/firmware/v/a.bin")).unwrap(), Path::new("../real/a.bin"));
    let context =
        Context::builder().directory(world.path("target/lib/modules/6.1.0")).without_configuration().build();
    let dependencies = context.unwrap().module(ModuleName::new("driver")).dependencies().unwrap();
    assert_eq!(dependencies.len(), 1);
}

#[test]
fn modules_can_be_repacked_and_keep_their_mode() {
    for (packing, extension, compression) in [
        (Packing::Plain, "", Compression::None),
        (Packing::Gzip, ".gz", Compression::Gzip),
        (Packing::Xz, ".xz", Compression::Xz),
        (Packing::Zstd, ".zst", Compression::Zstd),
    ] {
        let world = World::new();
        let source = world.path("lib/modules/6.1.0/kernel/driver.ko");
        fs::set_permissions(&source, fs::Permissions::from_mode(0o640)).unwrap();
        if world.copy(packing).is_err() {
            assert!(!compression.is_supported(), "{packing:?}");
            continue;
        }
        let file = world.path(&format!("target/lib/modules/6.1.0/kernel/driver.ko{extension}"));
        let contents = Contents::open(&file).unwrap();
        assert_eq!(
            (contents.compression(), &*contents.read_all().unwrap()),
            (compression, &*fs::read(&source).unwrap())
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        assert!(ModuleFile::open(&file).is_ok());
    }
}

#[test]
fn what_is_there_already_stays_and_a_difference_is_an_error() {
    let world = World::new();
    world.write("target/etc/modprobe.d/driver.conf", "options driver a=1\n");
    world.write("target/lib/firmware/real/a.bin", "other firmware");
    let before = world.files("target");
    let error = world.copy(Packing::AsIs).unwrap_err();
    assert_eq!(
        (error.errno(), error.path()),
        (Errno::EEXIST, Some(&*world.path("target/lib/firmware/real/a.bin")))
    );
    assert_eq!(world.files("target"), before);
    assert!(!world.path("target/lib/modules").exists() && !world.path("target/lib/firmware/v").exists());
    world.write("target/lib/firmware/real/a.bin", "firmware");
    world.copy(Packing::AsIs).unwrap();
    let error = world.copy(Packing::AsIs).unwrap_err();
    assert_eq!(error.path(), Some(&*world.path("target/lib/modules/6.1.0")));
}

#[test]
fn a_failure_leaves_nothing() {
    let world = World::new();
    fs::write(world.path("lib/modules/6.1.0/kernel/driver.ko"), "no module").unwrap();
    let error = world.copy(Packing::AsIs).unwrap_err();
    assert_eq!(error.path(), Some(&*world.path("lib/modules/6.1.0/kernel/driver.ko")));
    assert!(!world.path("target").exists());
}

#[test]
fn links_of_the_root_do_not_lead_out_of_it() {
    let world = World::new();
    fs::create_dir_all(world.path("target")).unwrap();
    fs::create_dir_all(world.path("elsewhere")).unwrap();
    symlink(world.path("elsewhere"), world.path("target/lib")).unwrap();
    world.copy(Packing::AsIs).unwrap();
    assert!(world.files("elsewhere").is_empty());
    let inside = world.path("target").join(world.path("elsewhere").strip_prefix("/").unwrap());
    assert!(inside.join("modules/6.1.0/kernel/driver.ko").exists());
}
