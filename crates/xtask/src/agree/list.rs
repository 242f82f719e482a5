//! The situations for one kernel, and the files that they use.

mod causes;
mod changed;
mod companions;
mod configuration;
mod functions;
mod made;
mod removals;
mod signatures;
mod states;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use testkit::{ExportTables, ModuleBuilder, patch};

use super::situation::Situation;
use crate::guest;
use crate::trees::{self, KernelTree};

/// The situations of a kernel.
#[derive(Default)]
pub(super) struct List {
    pub(super) situations: Vec<Situation>,
    /// The files in `/agree/files`, by name.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Whether these are not all.
    pub(super) is_sample: bool,
}

/// What a made module must have for a kernel to take it.
struct Kernel {
    vermagic: Vec<u8>,
    struct_size: usize,
    layout: Option<u32>,
    printk: Option<u32>,
    kfree: Option<u32>,
    exports: ExportTables,
    /// What it was built with, as text.
    config: String,
}

/// Modules of a tree that are not loaded: they test the kernel for minutes, or wait for hardware that is not there.
const SLOW: [&str; 8] = ["test", "torture", "kunit", "bench", "watchdog", "softdog", "ipmi", "hangcheck"];

impl List {
    /// All of it, with so many of the tree's own modules, and the companion modules where there are any.
    pub(super) fn of(tree: &KernelTree, modules: usize, companions: Option<&Path>) -> Result<List> {
        let mut list = List::default();
        let plain = |name: &str| guest::plain_module(tree, name);
        // Our own kernel has few modules, and not those whose parameters and states are tried.
        let (dummy, is_stock) = match plain("dummy") {
            Ok(dummy) => (dummy, true),
            Err(_) => (plain("loop")?, false),
        };
        let kernel = Kernel::of(tree, &dummy)?;
        list.made(&kernel);
        list.signatures(&kernel, &dummy);
        list.damaged("stock", &dummy);
        if is_stock {
            list.changed(tree, &dummy)?;
            list.values();
            list.states(&dummy, &plain("vfat")?, &kernel);
            list.configuration();
        }
        list.causes(tree, &kernel, &dummy)?;
        list.functions(tree, &kernel, &dummy);
        list.removals(tree);
        if let Some(companions) = companions {
            list.companions(companions)?;
        }
        list.own(tree, modules)?;
        Ok(list)
    }

    /// Some of those that need no parameters of the kernel, spread over all.
    pub(super) fn sampled(mut self, count: usize) -> List {
        self.situations.retain(|situation| situation.boot.is_empty());
        let step = (self.situations.len() / count.max(1)).max(1);
        self.situations = self.situations.into_iter().step_by(step).take(count).collect();
        self.is_sample = true;
        self
    }

    fn add(&mut self, situation: Situation) {
        self.situations.push(situation);
    }

    /// A file, and the situation that it is given to insmod.
    fn file(&mut self, name: &str, bytes: Vec<u8>, parameters: &str) -> Situation {
        let file = format!("{name}.ko");
        let path = path(&file);
        self.files.insert(file, bytes);
        Situation::file(name, &path, parameters)
    }

    fn file_only(&mut self, name: &str, bytes: Vec<u8>) {
        let situation = self.file(name, bytes, "");
        self.add(situation);
    }

    fn refused(&mut self, name: &str, bytes: Vec<u8>, cause: &'static str) {
        let situation = self.file(name, bytes, "").cause(cause);
        self.add(situation);
    }

    /// The tree's own modules.
    fn own(&mut self, tree: &KernelTree, count: usize) -> Result<()> {
        let mut names: Vec<String> = Vec::new();
        for file in trees::files_below(&tree.modules(), "")? {
            let name = file.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            let Some((name, _)) = name.split_once(".ko") else { continue };
            if !SLOW.iter().any(|part| name.contains(part)) {
                names.push(name.to_owned());
            }
        }
        let step = (names.len() / count.max(1)).max(1);
        for name in names.iter().step_by(step) {
            self.add(Situation::name(format!("own-{name}"), name, ""));
        }
        Ok(())
    }
}

/// Whether a text is in some bytes.
fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Where a file lies in the guest.
fn path(file: &str) -> String {
    format!("/agree/files/{file}")
}

impl Kernel {
    fn of(tree: &KernelTree, dummy: &[u8]) -> Result<Kernel> {
        let is_old = ["5.", "6."].iter().any(|series| tree.version.starts_with(series));
        let crc = |symbol: &str| patch::crc(dummy, symbol);
        Ok(Kernel {
            vermagic: patch::modinfo(dummy, "vermagic").context("dummy has no vermagic")?,
            struct_size: patch::struct_size(dummy),
            layout: crc("module_layout"),
            printk: crc("_printk"),
            kfree: crc("kfree"),
            config: std::fs::read_to_string(tree.root.join(format!("boot/config-{}", tree.version)))
                .context("the kernel's configuration")?,
            exports: if is_old { ExportTables::ByLicence } else { ExportTables::Flags },
        })
    }

    /// A module that the kernel would take but for its vermagic and licence.
    fn bare(&self, name: &str) -> ModuleBuilder {
        let module = ModuleBuilder::new(name).this_module_size(self.struct_size).export_tables(self.exports);
        match self.layout {
            Some(crc) => module.version("module_layout", crc),
            None => module,
        }
    }
}
