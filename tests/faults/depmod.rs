//! depmod: the module directory has the indexes of an older tree, and depmod replaces them.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use testkit::{
    Crc, FakeKernel, Fault, Indexes, ModuleBuilder, Outcome, Side, Signal, Start, TestRoot, TracedRun,
};

use super::{Defect, FaultSubject, StateAfter};
use crate::{add_ordered, module};

/// A module directory whose modules are newer than its indexes, and a depmod that updates them.
pub struct Depmod {
    root: TestRoot,
    kernel: FakeKernel,
    side: Side,
    old: Indexes,
    new: Indexes,
    /// The other files of the directory.
    others: Vec<String>,
}

impl Depmod {
    /// A subject for the depmod of one side. Each index file differs between the old tree and the new one.
    pub fn new(side: Side) -> Depmod {
        let root = TestRoot::in_memory();
        let base = || module("base").modinfo("license", "GPL").export("base_fn", Crc::Section(0x0b));
        let top = |number: u32| -> ModuleBuilder {
            module("top")
                .needs("base_fn", 0x0b)
                .export(format!("top_fn{number}"), Crc::Section(number))
                .alias(format!("pci:v{number}*"))
                .alias("devname:top")
                .alias(format!("char-major-10-{number}"))
                .modinfo("softdep", format!("pre: s{number}"))
                .modinfo("weakdep", format!("w{number}"))
        };
        let builtin = |name: &str| {
            root.write_module_file("modules.builtin", format!("kernel/{name}.ko\n"));
            root.write_module_file("modules.builtin.modinfo", format!("{name}.alias=b-{name}\0"));
        };
        root.write("etc/depmod.d/some.conf", "search updates built-in\n");
        add_ordered(&root, "kernel/base.ko", &base());
        add_ordered(&root, "kernel/top.ko", &top(1));
        builtin("one");
        root.run(side, "depmod", &[]).succeeds();
        let old = root.take_indexes();
        root.add_module("kernel/top.ko", &top(2));
        add_ordered(&root, "updates/more.ko.xz", &module("more").alias("more-*"));
        builtin("two");
        root.run(side, "depmod", &[]).succeeds();
        let new = root.take_indexes();
        for (name, content) in &old {
            assert_ne!(content, &new[name], "{name} must differ");
        }
        let kernel = FakeKernel::new(root.path(), root.version());
        let mut subject = Depmod { root, kernel, side, old, new, others: Vec::new() };
        subject.others = subject.names();
        subject
    }

    /// The root.
    pub fn root(&self) -> &TestRoot {
        &self.root
    }

    /// The files of the earlier run.
    pub fn old(&self) -> &Indexes {
        &self.old
    }

    /// The files that an undisturbed run writes.
    pub fn new_files(&self) -> &Indexes {
        &self.new
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join(self.root.module_path(""))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory()).expect("the module directory");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    /// The files in the directory that belong to no finished run.
    pub fn leftovers(&self) -> Vec<String> {
        let known = |name: &String| self.others.contains(name) || self.new.contains_key(name);
        self.names().into_iter().filter(|name| !known(name)).collect()
    }

    /// Which files are there, and what is wrong with the ones that are neither old nor new.
    pub fn files(&self) -> (StateAfter, Vec<Defect>) {
        let mut defects = Vec::new();
        let (mut old, mut new) = (0, 0);
        for (name, content) in &self.new {
            match fs::read(self.directory().join(name)) {
                Ok(found) if found == *content => new += 1,
                Ok(found) if self.old.get(name) == Some(&found) => old += 1,
                Ok(found)
                    if is_part(&found, content)
                        || self.old.get(name).is_some_and(|old| is_part(&found, old)) =>
                {
                    defects.push(Defect::Torn(name.clone()));
                }
                Ok(_) => defects.push(Defect::Lacking(name.clone())),
                Err(_) if !self.old.contains_key(name) => old += 1,
                Err(_) => defects.push(Defect::Gone(name.clone())),
            }
        }
        let left = match (old, new) {
            _ if !defects.is_empty() => StateAfter::Other,
            (_, 0) => StateAfter::Old,
            (0, _) => StateAfter::New,
            _ => StateAfter::Mixed,
        };
        (left, defects)
    }
}

/// Whether a file was cut short.
fn is_part(found: &[u8], whole: &[u8]) -> bool {
    whole.starts_with(found) && found.len() < whole.len()
}

impl FaultSubject for Depmod {
    fn restore(&self) {
        let directory = self.directory();
        for name in self.names() {
            let path = directory.join(&name);
            let same = self.old.get(&name).is_some_and(|old| fs::read(&path).is_ok_and(|now| now == *old));
            if !self.others.contains(&name) && !same {
                fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).expect("a file of a run");
            }
        }
        for (name, content) in &self.old {
            let path = directory.join(name);
            if !path.exists() {
                fs::write(path, content).expect("an index file");
            }
        }
    }

    fn start(&self) -> Start {
        Start::new(format!("/{}/depmod", self.side.dir())).env("PATH", "/bin")
    }

    fn trace(&self, start: &Start, fault: Option<Fault>) -> TracedRun {
        self.kernel.trace(start, fault)
    }

    fn judge(&self, run: &Outcome, _: &Outcome) -> (StateAfter, Vec<Defect>) {
        let (left, mut defects) = self.files();
        if run.status.signal() != Some(Signal::SIGKILL as i32) {
            // The standard library aborts where a thread cannot be given its stack: nothing runs any more.
            let aborted = run.status.signal() == Some(Signal::SIGABRT as i32);
            let leftovers = self.leftovers().into_iter().filter(|name| !aborted || name != ".depmod.lock");
            defects.extend(leftovers.map(Defect::Leftover));
            if left == StateAfter::Mixed && run.status.signal().is_some() {
                defects.push(Defect::Changed);
            }
        }
        if run.status.signal().is_none() {
            match (run.status.success(), left) {
                (true, StateAfter::New) | (false, StateAfter::Old) => {}
                (true, _) => defects.push(Defect::Silent),
                (false, _) => defects.push(Defect::Changed),
            }
        }
        let next = self.root.run(self.side, "depmod", &[]);
        if next.code != Some(0) || self.files().0 != StateAfter::New {
            defects.push(Defect::Unrepaired);
        }
        defects.extend(self.leftovers().into_iter().map(Defect::Stays));
        (left, defects)
    }
}
