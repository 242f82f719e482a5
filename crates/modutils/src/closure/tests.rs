use std::fs;

use testkit::ModuleBuilder;

use super::*;
use crate::{Release, Root};

/// A root with a module directory, firmware and configuration.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        let top = ModuleBuilder::new("top").modinfo("firmware", "top.bin").modinfo("firmware", "board-*.txt");
        world.write("m/k/top.ko", top.build());
        let mid = ModuleBuilder::new("mid").modinfo("firmware", "top.bin").modinfo("firmware", "none.bin");
        for (name, module) in
            [("mid", mid), ("base", ModuleBuilder::new("base")), ("soft", ModuleBuilder::new("soft"))]
        {
            world.write(&format!("m/k/{name}.ko"), module.modinfo("license", "GPL").build());
        }
        let lines = [
            ("top", "k/top.ko: k/mid.ko k/base.ko"),
            ("mid", "k/mid.ko: k/base.ko"),
            ("base", "k/base.ko:"),
            ("soft", "k/soft.ko:"),
            ("gone", "k/gone.ko: k/base.ko"),
        ];
        world.write("m/modules.dep.bin", testkit::index(lines));
        world.write("m/modules.alias.bin", testkit::index([("al:*", "soft")]));
        world.write("m/modules.builtin.bin", testkit::index([("blt", "")]));
        world.write("m/modules.builtin.modinfo", b"blt.license=GPL\0blt.firmware=blt.bin\0");
        world.write("etc/modprobe.d/t.conf", "softdep mid pre: al:x blt post: nosuch\nweakdep mid gone\n");
        for file in ["top.bin.xz", "board-1.txt", "board-2.txt"] {
            world.write(&format!("fw/{file}"), "firmware");
        }
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

    fn closure(&self, names: &[&str], follow: &Follow) -> Closure {
        let context = self.context();
        let modules: Vec<Module> = names.iter().map(|name| context.module(ModuleName::new(name))).collect();
        Closure::of_modules(&context, &modules, follow).unwrap()
    }
}

fn names(closure: &Closure) -> Vec<String> {
    closure.members().map(|member| member.module.name().to_string()).collect()
}

fn member<'a>(closure: &'a Closure, name: &str) -> &'a Member {
    closure.members().find(|member| *member.module.name() == ModuleName::new(name)).unwrap()
}

#[test]
fn a_closure_has_dependencies_and_what_they_are_configured_with() {
    let world = World::new();
    let closure = world.closure(&["top"], &Follow::default());
    assert_eq!(names(&closure), ["base", "blt", "gone", "mid", "nosuch", "soft", "top"]);
    assert_eq!(member(&closure, "blt").presence, Presence::BuiltIn);
    assert_eq!(member(&closure, "nosuch").presence, Presence::Absent);
    assert!(matches!(member(&closure, "gone").presence, Presence::Gone(_)));
    let size = fs::metadata(world.0.path().join("m/k/soft.ko")).unwrap().len();
    let path = world.0.path().join("m/k/soft.ko");
    assert_eq!(member(&closure, "soft").presence, Presence::File { path, size });
}

#[test]
fn what_is_configured_can_be_omitted() {
    let world = World::new();
    assert_eq!(names(&world.closure(&["top"], &Follow { soft: false, weak: false })), ["base", "mid", "top"]);
    let without_weak = world.closure(&["top"], &Follow { soft: true, weak: false });
    assert_eq!(names(&without_weak), ["base", "blt", "mid", "nosuch", "soft", "top"]);
}

#[test]
fn each_member_has_the_modules_that_pulled_it_in() {
    let world = World::new();
    let closure = world.closure(&["top"], &Follow::default());
    let reasons = |name: &str| member(&closure, name).reasons.iter().cloned().collect::<Vec<_>>();
    let mid = || ModuleName::new("mid");
    assert_eq!(reasons("mid"), [(ModuleName::new("top"), Relation::Needs)]);
    assert_eq!(reasons("base"), [(ModuleName::new("gone"), Relation::Needs), (mid(), Relation::Needs)]);
    assert_eq!(reasons("soft"), [(mid(), Relation::Before)]);
    assert_eq!(reasons("nosuch"), [(mid(), Relation::After)]);
    assert!(member(&closure, "top").requested && !member(&closure, "mid").requested);
}

#[test]
fn only_what_loading_would_fail_without_is_missing() {
    let world = World::new();
    let closure = world.closure(&["top", "void"], &Follow::default());
    let missing = closure.members().filter(|member| member.is_missing());
    let missing: Vec<String> = missing.map(|member| member.module.name().to_string()).collect();
    assert_eq!(missing, ["gone", "void"]);
}

#[test]
fn firmware_is_found_or_missing_by_name() {
    let world = World::new();
    let search = FirmwareSearch::below(world.0.path().join("fw"), &Release::new("r"));
    let closure = world.closure(&["top", "blt"], &Follow::default());
    let firmware = closure.firmware(&search, |name, error| panic!("{name}: {error}"));
    let found: Vec<(String, usize, usize)> = firmware
        .iter()
        .map(|firmware| (firmware.name.to_string(), firmware.files.len(), firmware.needed_by.len()))
        .collect();
    let expected = [("blt.bin", 0, 1), ("board-*.txt", 2, 1), ("none.bin", 0, 1), ("top.bin", 1, 2)];
    assert_eq!(found, expected.map(|(name, files, users)| (name.to_owned(), files, users)));
}

#[test]
fn a_file_outside_of_the_tree_is_followed_by_what_it_declares() {
    let world = World::new();
    let module =
        ModuleBuilder::new("mine").modinfo("depends", "mid,base").modinfo("softdep", "pre: al:1 post: top");
    world.write("mine.ko", module.modinfo("weakdep", "blt").build());
    let context = world.context();
    let module = context.module_in_file(&world.0.path().join("mine.ko")).unwrap();
    let closure = Closure::of_modules(&context, &[module], &Follow { soft: true, weak: false }).unwrap();
    assert_eq!(names(&closure), ["base", "blt", "mid", "mine", "nosuch", "soft", "top"]);
    assert_eq!(member(&closure, "soft").reasons.len(), 2);
}

#[test]
fn patterns_match_names_or_paths() {
    let world = World::new();
    let context = world.context();
    let matching = |pattern: &str| {
        let found = matching(&context, pattern.as_bytes()).unwrap();
        found.iter().map(|module| module.name().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(matching("*o*"), ["gone", "soft", "top"]);
    assert_eq!(matching("k/[bm]*"), ["base", "mid"]);
    assert!(matching("nosuch*").is_empty());
}
