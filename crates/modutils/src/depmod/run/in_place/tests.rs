//! A module directory that is moved, or exchanged for another one, while it is read.

use std::{fs, path::PathBuf, sync::Mutex};

use testkit::ModuleBuilder;

use super::*;
use crate::Notice;

/// Directories to read and to write to, and what happens when the first modules have been read.
struct Tree {
    above: tempfile::TempDir,
    notices: Mutex<Vec<String>>,
    read: Mutex<usize>,
    meanwhile: fn(usize, &Tree),
}

impl Tree {
    fn new(meanwhile: fn(usize, &Tree)) -> Self {
        let above = tempfile::tempdir().unwrap();
        for (place, alias) in [("modules", "old"), ("other", "new")] {
            fs::create_dir(above.path().join(place)).unwrap();
            let module = ModuleBuilder::new("m").modinfo("license", "GPL").alias(alias);
            fs::write(above.path().join(place).join("m.ko"), module.build()).unwrap();
        }
        Self { above, notices: Mutex::default(), read: Mutex::new(0), meanwhile }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.above.path().join(path)
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    /// The text of the aliases, or the failure.
    fn run(&self, output: &str) -> Result<String, String> {
        let run = Run::new(self.at("modules"))
            .without_configuration()
            .threads(NonZeroUsize::MIN)
            .output(self.at(output));
        run.execute(self).map_err(|failure| failure.to_string())?;
        Ok(fs::read_to_string(self.at(output).join("modules.alias")).unwrap())
    }

    /// How often there is a message about a list that the tree does not have.
    fn messages(&self) -> usize {
        let notices = self.notices.lock().unwrap();
        notices.iter().filter(|notice| notice.contains("modules.order")).count()
    }
}

impl Observer for Tree {
    fn notice(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice.to_string());
    }

    fn module_read(&self) {
        let mut read = self.read.lock().unwrap();
        *read += 1;
        // What is changed within a tick of the kernel's clock is not seen by its time.
        thread::sleep(std::time::Duration::from_millis(20));
        (self.meanwhile)(*read, self);
    }
}

#[test]
fn one_that_was_replaced_for_good_is_read_in_its_place() {
    let tree = Tree::new(|read, tree| {
        if read == 1 {
            tree.rename("modules", "before");
            tree.rename("other", "modules");
        }
    });
    assert_eq!(tree.run("output").unwrap(), "# Aliases extracted from modules themselves.\nalias new m\n");
    assert_eq!((*tree.read.lock().unwrap(), tree.messages()), (2, 1));
}

#[test]
fn one_that_is_replaced_each_time_is_not_written_about() {
    let tree = Tree::new(|read, tree| {
        tree.rename("modules", &format!("before{read}"));
        let module = ModuleBuilder::new("m").modinfo("license", "GPL");
        fs::create_dir(tree.at("modules")).unwrap();
        fs::write(tree.at("modules/m.ko"), module.build()).unwrap();
    });
    let failure = tree.run("output").unwrap_err();
    assert!(failure.ends_with("modules: another directory has taken its place"), "{failure}");
    assert_eq!((*tree.read.lock().unwrap(), tree.messages()), (ATTEMPTS as usize, 1));
    assert!(!tree.at("output/modules.alias").exists());
}

#[test]
fn one_whose_mode_is_changed_is_read_again_and_messages_come_once() {
    let tree = Tree::new(|read, tree| {
        if read < 3 {
            let mode = fs::metadata(tree.at("modules")).unwrap().permissions();
            fs::set_permissions(tree.at("modules"), mode).unwrap();
        }
    });
    assert_eq!(tree.run("modules").unwrap(), "# Aliases extracted from modules themselves.\nalias old m\n");
    assert_eq!((*tree.read.lock().unwrap(), tree.messages()), (3, 1));
}

/// It is away when its modules are looked for, and back when they are read.
#[test]
fn one_that_is_away_each_time_is_not_written_about() {
    for output in ["modules", "output"] {
        let tree = Tree::new(|_, tree| {
            tree.rename("modules", "before");
            tree.rename("other", "modules");
            tree.rename("modules", "other");
            tree.rename("before", "modules");
        });
        let failure = tree.run(output).unwrap_err();
        assert!(failure.ends_with("modules: it is moved while its modules are read"), "{failure}");
        assert!(!tree.at(output).join("modules.alias").exists());
    }
}

#[test]
fn one_that_is_away_when_it_is_locked_is_not_made() {
    let tree = Tree::new(|_, _| ());
    let run = Run::new(tree.at("none")).without_configuration();
    assert!(OutputDirectory::lock(&tree.at("none"), false, &|| false, &mut |_| ()).is_err());
    assert!(run.execute(&tree).is_err() && !tree.at("none").exists());
}

#[test]
fn a_module_that_is_removed_meanwhile_is_no_error() {
    let tree = Tree::new(|read, tree| {
        if read == 1 {
            tree.rename("modules/n.ko", "removed.ko");
        }
    });
    fs::copy(tree.at("other/m.ko"), tree.at("modules/n.ko")).unwrap();
    assert!(tree.run("modules").unwrap().ends_with("alias old m\n"));
    assert_eq!((*tree.read.lock().unwrap(), tree.messages()), (3, 1));
    let notices = tree.notices.lock().unwrap();
    assert!(!notices.iter().any(|notice| notice.contains("n.ko")), "{notices:?}");
}
