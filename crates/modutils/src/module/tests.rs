use std::{fs, path::Path, thread};

use testkit::{Crc, ModuleBuilder};

use super::*;
use crate::Root;

/// A root with a module directory `m`, in which a few modules have files and lines.
struct World(tempfile::TempDir);

impl World {
    fn new(config: &str) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        let mid = ModuleBuilder::new("mid").modinfo("license", "GPL").modinfo("firmware", "mid/a.bin");
        let mid =
            mid.modinfo("firmware", "mid/b.bin").needs("base_sym", 1).export("mid_sym", Crc::Absolute(2));
        world.write("m/k/mid.ko", mid.build());
        let lines =
            [("mid", "k/mid.ko: k/base.ko k/low-est.ko"), ("base", "k/base.ko:"), ("gone", "k/gone.ko:")];
        world.write("m/modules.dep.bin", testkit::index(lines));
        world.write("m/modules.alias.bin", testkit::index([("al:*", "mid"), ("al:*", "base")]));
        world.write("m/modules.builtin.bin", testkit::index([("blt", "")]));
        world.write("m/modules.builtin.modinfo", b"blt.license=GPL\0blt.firmware=blt.bin\0");
        world.write("etc/modprobe.d/t.conf", config);
        world
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn context(&self) -> Context {
        let root = Root::default().with_system(self.0.path());
        Context::builder().root(root).directory(self.0.path().join("m")).build().unwrap()
    }

    fn module(&self, name: &str) -> Module {
        self.context().module(ModuleName::new(name))
    }
}

fn names(modules: &[Module]) -> Vec<String> {
    modules.iter().map(|module| module.name().to_string()).collect()
}

#[test]
fn a_module_keeps_what_it_was_found_by_in_another_context() {
    let world = World::new("options al:x a=1\n");
    let context = world.context();
    let found = &context.lookup(b"al:x").unwrap()[0];
    assert_eq!(found.path().unwrap(), Some(world.0.path().join("m/k/mid.ko").as_path()));
    world.write("m/modules.dep.bin", testkit::index([("mid", "new/mid.ko:")]));
    let again = found.within(&context.reopened());
    assert_eq!((again.alias(), again.options()), (found.alias(), "a=1".into()));
    assert_eq!(again.path().unwrap(), Some(world.0.path().join("m/new/mid.ko").as_path()));
    assert_eq!(again.with_file("/x/mid.ko").path().unwrap(), Some(Path::new("/x/mid.ko")));
    assert_eq!(again.with_file("/x/mid.ko").alias(), found.alias());
}

#[test]
fn a_module_has_a_path_and_dependencies_in_the_order_of_loading() {
    let world = World::new("");
    let mid = world.module("mid");
    assert_eq!(mid.path().unwrap(), Some(world.0.path().join("m/k/mid.ko").as_path()));
    let dependencies = mid.dependencies().unwrap();
    assert_eq!(names(&dependencies), ["low_est", "base"]);
    // It has no line itself: the line that names it has its path.
    assert_eq!(dependencies[0].path().unwrap(), Some(world.0.path().join("m/k/low-est.ko").as_path()));
    assert!(!mid.is_builtin().unwrap() && mid.alias().is_none());
}

#[test]
fn a_module_without_a_file_has_no_facts_of_one() {
    let world = World::new("");
    for (name, licence, firmware) in [("blt", Some("GPL"), 1), ("none", None, 0)] {
        let module = world.module(name);
        assert!(module.path().unwrap().is_none() && module.file().unwrap().is_none());
        assert!(module.dependencies().unwrap().is_empty() && module.needs().unwrap().is_empty());
        assert!(module.versions().unwrap().is_empty() && module.exports().unwrap().is_empty());
        assert_eq!(module.signature().unwrap(), None);
        assert_eq!(module.modinfo().unwrap().value("license"), licence.map(BStr::new));
        assert_eq!(module.firmware().unwrap().len(), firmware);
        assert_eq!(module.is_builtin().unwrap(), name == "blt");
    }
}

#[test]
fn facts_of_the_file_are_those_of_the_file() {
    let world = World::new("");
    let mid = world.module("mid");
    assert_eq!(mid.firmware().unwrap(), ["mid/a.bin", "mid/b.bin"]);
    assert_eq!(mid.needs().unwrap()[0].name, "base_sym");
    assert_eq!(mid.versions().unwrap()[0].crc, 1);
    assert_eq!((mid.exports().unwrap()[0].name, mid.exports().unwrap()[0].crc), ("mid_sym".into(), Some(2)));
    assert!(world.module("gone").modinfo().unwrap_err().is_not_found());
}

#[test]
fn configuration_is_asked_by_name_and_by_the_alias_that_led_there() {
    let world = World::new(
        "options mid a=1\noptions al:x b=2\noptions base c=3\ninstall mi* one\nremove mid two\nblacklist mid\n\
         softdep mid pre: base nothing post: al:y\nsoftdep m?d pre: blt\nweakdep mid gone\n",
    );
    world.write("etc/modutils.d/d.conf", "deny b* no reason\n");
    let [mid, base] = &*world.context().lookup(b"al:x").unwrap() else { panic!() };
    assert_eq!((mid.options().as_slice(), base.options().as_slice()), (&b"a=1 b=2"[..], &b"b=2 c=3"[..]));
    assert_eq!(world.module("mid").options(), "a=1");
    assert_eq!(mid.install_command(), Some("one".into()));
    assert_eq!(mid.remove_command(), Some("two".into()));
    assert_eq!(mid.blacklisted().unwrap().origin.line, 6);
    assert_eq!(mid.denied(), None);
    assert_eq!(base.denied().unwrap().directive.text(), "deny b* no reason");
    let soft = mid.soft_dependencies().unwrap();
    assert_eq!(
        (names(&soft.pre), names(&soft.post)),
        (vec!["base".into(), "blt".into()], vec!["mid".into(), "base".into()])
    );
    assert_eq!(names(&mid.weak_dependencies().unwrap()), ["gone"]);
}

#[test]
fn a_module_in_a_file_has_that_path_and_must_be_there() {
    let world = World::new("");
    let context = world.context();
    world.write("elsewhere/mid.ko", b"");
    let path = world.0.path().join("elsewhere/mid.ko");
    let module = context.module_in_file(&path).unwrap();
    assert_eq!((module.name().as_bytes(), module.path().unwrap()), (&b"mid"[..], Some(path.as_path())));
    assert_eq!(names(&module.dependencies().unwrap()), ["low_est", "base"]);
    assert!(context.module_in_file(Path::new("/nowhere/mid.ko")).unwrap_err().is_not_found());
    let error = context.module_in_file(Path::new("/")).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);
}

#[test]
#[cfg(feature = "kernel")]
fn the_kernels_view_is_taken_each_time() {
    use crate::kernel::State;

    let world = World::new("");
    let context = world.context();
    assert!(context.loaded().unwrap_err().is_not_found());
    world.write("proc/modules", "mid 16384 1 top, Live 0x0\ntop 4096 0 - Live 0x0\n");
    assert_eq!(names(&context.loaded().unwrap()), ["mid", "top"]);
    let mid = world.module("mid");
    assert_eq!((mid.state(), names(&mid.holders().unwrap())), (State::Live, vec!["top".into()]));
    assert!(mid.sections().unwrap_err().is_not_found());
    world.write("sys/module/top/initstate", "live\n");
    assert_eq!(mid.state(), State::Absent);
    assert!(mid.holders().unwrap_err().is_not_found());
    for (file, text) in [
        ("initstate", "live\n"),
        ("coresize", "16384\n"),
        ("refcnt", "1\n"),
        ("holders/top/refcnt", "0\n"),
        ("sections/.text", "0xffffffffc0a01000\n"),
        ("parameters/depth", "3\n"),
    ] {
        world.write(&format!("sys/module/mid/{file}"), text);
    }
    assert_eq!((mid.state(), mid.size(), mid.reference_count()), (State::Live, Some(16384), Some(1)));
    assert_eq!(names(&mid.holders().unwrap()), ["top"]);
    assert_eq!(mid.sections().unwrap()[0].address, Some(0xffff_ffff_c0a0_1000));
    assert_eq!(mid.parameters()[0].name, "depth");
}

#[test]
fn threads_ask_one_context_and_one_module_at_once() {
    let world = World::new("softdep mid pre: base\n");
    let context = world.context();
    let shared = context.module(ModuleName::new("mid"));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(names(&context.lookup(b"al:1").unwrap()), ["mid", "base"]);
                    assert_eq!(names(&shared.dependencies().unwrap()), ["low_est", "base"]);
                    assert_eq!(shared.modinfo().unwrap().value("license"), Some("GPL".into()));
                    assert_eq!(names(&shared.soft_dependencies().unwrap().pre), ["base"]);
                    assert_eq!(context.module(ModuleName::new("blt")).firmware().unwrap(), ["blt.bin"]);
                }
            });
        }
    });
    // All had the one file.
    assert!(std::ptr::eq(shared.file().unwrap().unwrap(), shared.clone().file().unwrap().unwrap()));
}
