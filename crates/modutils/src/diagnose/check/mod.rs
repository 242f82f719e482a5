//! Whether a kernel would take a module, without loading anything.
//!
//! [`Check`] names the kernel, and compares one module ([`Check::module`], [`Check::file`]) or all that are
//! installed for it ([`Check::tree`]) with what is known of it: its list of exports, its image, the modules
//! of the same build and, where it is the running one, /proc and /sys. What comes out is a [`Verdict`], with
//! [findings](super::Finding), and with what would have to be known.
//!
//! ```
//! use std::fs;
//! use modutils::{Release, Root};
//! use modutils::diagnose::check::{Check, Prediction};
//! use testkit::{Crc, ModuleBuilder};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A kernel with two modules, one of which was built against another version of the other.
//! let system = tempfile::tempdir()?;
//! let modules = system.path().join("lib/modules/6.12.0/kernel");
//! fs::create_dir_all(&modules)?;
//! let module = |name: &str| ModuleBuilder::new(name).modinfo("license", "GPL").modinfo("vermagic", "6.12.0 SMP ");
//! fs::write(modules.join("base.ko"), module("base").export("base_fn", Crc::Section(0xb)).build())?;
//! fs::write(modules.join("user.ko"), module("user").needs("base_fn", 0xbad).build())?;
//!
//! let root = Root::default().with_base(system.path()).with_system(system.path());
//! let check = Check::new(root, Release::new("6.12.0"));
//! let tree = check.tree()?.examine(&|| ());
//! assert_eq!(tree.outcome(), Prediction::WouldNotLoad);
//! let user = tree.verdicts().iter().find(|verdict| verdict.module().as_bytes() == b"user").ok_or("no user")?;
//! let finding = &user.findings()[0];
//! assert_eq!((finding.kind(), finding.provider()), ("symbol_version", Some("base".into())));
//!
//! // The same of one module; a file need not be installed.
//! let verdict = check.file(&modules.join("base.ko"), b"depth=3")?;
//! assert_eq!(verdict.outcome(), Prediction::WouldLoad);
//! assert_eq!(verdict.notes()[0].kind(), "unknown_parameter");
//! # Ok(())
//! # }
//! ```

mod by_name;
mod command;
mod one;
mod tree;
mod verdict;

use std::{collections::HashMap, path::Path};

use goblin::elf::header::{ELFCLASS64, ELFDATA2LSB, EM_X86_64};

use crate::{
    Context, Error, ModuleName, Notice, Release, Result, Root,
    elf::Elf,
    file::{Compression, Contents, TREE_FILE_LIMIT, first_stream, kernel_decoder::obstacle, read_bounded},
    kernel::Kernel,
    module_file::ModuleFile,
};

use super::{
    Finding,
    refusal::{cause::Cause, examined_module::ExaminedModule, running},
};

pub use super::refusal::examination::Counts;
pub use tree::{Tree, TreeVerdict};
pub use verdict::{Prediction, Verdict};

/// Whether a kernel would take modules: which kernel, and how to look.
pub struct Check {
    root: Root,
    release: Release,
    is_running: bool,
    threads: usize,
    sink: Box<dyn Fn(Notice) + Send + Sync>,
}

/// The module in a file whose header has another class or byte order than x86-64. Such a kernel looks at the number of the
/// machine only (`elf_check_arch` in `arch/x86/include/asm/elf.h`), and takes the rest for its own.
fn by_machine_number(path: &Path) -> Option<ExaminedModule> {
    let contents = Contents::open(path).ok()?;
    let mut bytes = contents.read_all().ok()?.into_owned();
    let &[b'\x7f', b'E', b'L', b'F', class, order, ..] = bytes.as_slice() else { return None };
    let number = bytes.get(18..20)?;
    if number != EM_X86_64.to_le_bytes() || (class, order) == (ELFCLASS64, ELFDATA2LSB) {
        return None;
    }
    bytes.get_mut(4..6)?.copy_from_slice(&[ELFCLASS64, ELFDATA2LSB]);
    ExaminedModule::thoroughly(&ModuleFile::from_bytes(path, bytes).ok()?).ok()
}

impl Check {
    /// For the kernel of this release that is installed in a root. Its state counts, too, where it is the
    /// running one: the release is that, the root has no base, and /proc is there.
    pub fn new(root: Root, release: Release) -> Self {
        // Another root's kernel of the same release is another kernel, and one whose state cannot be seen is as one
        // that was not booted.
        let is_running = !root.has_base()
            && root.system("/proc/modules").exists()
            && Release::running().is_ok_and(|running| running == release);
        Self { root, release, is_running, threads: 0, sink: Box::new(drop) }
    }

    /// How many threads may read modules; zero stands for one on each processor.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Where notices go about what is wrong in the tree: directories that cannot be read, faulty lines of
    /// depmod.d. Without it they are dropped.
    #[must_use]
    pub fn on_notice(self, sink: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self { sink: Box::new(sink), ..self }
    }

    /// Whether the kernel would take the module in this file, with these parameters, as `insmod` gives it: alone. Where
    /// the kernel is the running one, what it needs must be loaded, and it must not be.
    ///
    /// # Errors
    /// When there is no such file. One that cannot be read, or is damaged, has a verdict.
    pub fn file(&self, path: &Path, parameters: &[u8]) -> Result<Verdict> {
        self.opened(path, &one::Asked { parameters, alone: true, options: HashMap::new() })
    }

    /// Whether `modprobe` would load the module that a name or alias means, with what it needs and with what the
    /// configuration sets for them. `None` where it means none.
    ///
    /// # Errors
    /// When an index cannot be read, or the module's file is not there.
    pub fn module(&self, name: &[u8], parameters: &[u8]) -> Result<Option<Verdict>> {
        let context = Context::builder().root(self.root.clone()).release(self.release.clone()).build()?;
        by_name::verdict(self, &context, name, parameters)
    }

    /// The verdict on a file, in the place of which others may be examined as well.
    fn opened(&self, path: &Path, asked: &one::Asked) -> Result<Verdict> {
        let subject = ExaminedModule::open(path);
        let subject = match subject {
            Err(Error::Malformed { .. }) => {
                self.first_stream(path).or_else(|| by_machine_number(path)).map_or(subject, Ok)
            }
            Ok(odd) if odd.machine.number == EM_X86_64 && !(odd.machine.is_64 && odd.machine.is_little) => {
                Ok(by_machine_number(path).unwrap_or(odd))
            }
            subject => subject,
        };
        match subject {
            Ok(subject) => {
                let mut verdict = one::verdict(self, &subject, asked);
                // The kernel does not read such a file.
                let writer = if self.is_running { running::writer(&self.root, path) } else { None };
                if let Some(writer) = writer {
                    verdict.add_finding(Finding::verified(Cause::OpenForWriting { by: Some(writer) }));
                }
                Ok(verdict)
            }
            Err(error) if error.is_not_found() => Err(error),
            Err(error) => {
                let name = ModuleName::from_path(path)
                    .unwrap_or_else(|| ModuleName::new(path.as_os_str().as_encoded_bytes()));
                Ok(Verdict::unread(name, path, &error))
            }
        }
    }

    /// The module in a compressed file that is not read here because something follows its stream: the running kernel
    /// stops there, if it decompresses such files itself.
    fn first_stream(&self, path: &Path) -> Option<ExaminedModule> {
        let decoder = Kernel::running(&self.root).compression().filter(|_| self.is_running)?;
        let bytes = read_bounded(path, TREE_FILE_LIMIT).ok()?;
        if Compression::of(&bytes) != decoder || obstacle(&bytes).is_some() {
            return None;
        }
        let plain = first_stream(&bytes, TREE_FILE_LIMIT, 0).ok()??;
        let module = Contents::from_bytes(path, plain).and_then(Elf::parse).and_then(ModuleFile::from_elf);
        ExaminedModule::thoroughly(&module.ok()?).ok()
    }

    /// The modules that are installed for the kernel, as depmod would list them.
    ///
    /// # Errors
    /// When the module directory cannot be read. What else cannot is a notice, and makes the tree incomplete.
    pub fn tree(&self) -> Result<Tree<'_>> {
        Tree::find(self)
    }
}

#[cfg(test)]
mod tests {
    use testkit::{Arch, ModuleBuilder};

    use super::*;

    #[test]
    fn of_x86_64_only_the_number_of_the_machine_counts() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::default().with_base(directory.path()).with_system(directory.path());
        let check = Check::new(root, Release::new("6.12.0"));
        let verdict = |bytes: &[u8]| {
            let path = directory.path().join("m.ko");
            std::fs::write(&path, bytes).unwrap();
            check.file(&path, b"").unwrap()
        };
        let module = ModuleBuilder::new("m").arch(Arch::X86_64).modinfo("license", "GPL").build();
        let expected = verdict(&module);
        assert!(expected.is_examined());
        for (place, byte) in [(4, 1), (4, 9), (5, 2), (5, 0)] {
            let mut odd = module.clone();
            odd[place] = byte;
            assert_eq!(verdict(&odd).lines(), expected.lines(), "{place} {byte}");
            // Of another machine it is not known what that means.
            odd[18..20].copy_from_slice(&183_u16.to_le_bytes());
            assert_ne!(verdict(&odd).lines(), expected.lines(), "{place} {byte}");
        }
    }
}
