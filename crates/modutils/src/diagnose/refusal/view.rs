//! What is known of the kernel that a module would be loaded into: the running one, or one that is
//! installed and perhaps was never booted.
//!
//! The kernel itself cannot be asked most of this. Its symbols are in lists that its build leaves
//! (`Module.symvers`) and in its image; where there are neither, the modules that the same build made
//! are witnesses: what they need and nobody else exports, the kernel exports, with the CRC that they
//! agree on.

use std::collections::{BTreeMap, HashMap, HashSet};

use bstr::{BString, ByteSlice};

use super::{
    agreement::Agreement,
    btf::Extent,
    examined_module::{ExaminedModule, Machine, Signed},
    exports::{KernelTable, KnownExport, Owner},
    image::Names,
    unlisted::UnlistedExports,
};
use crate::{ModuleName, Result, file::Compression, formats::kernel_config::KernelConfig, kernel::State};

/// Something known, and how many modules of the kernel's build agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed<T> {
    /// The value.
    pub value: T,
    /// How many.
    pub witnesses: usize,
}

/// What only a running kernel has.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// The modules that it has, with their states: `/proc/modules`; `None` where that cannot be read.
    pub loaded: Option<BTreeMap<ModuleName, State>>,
    /// Those of them that taint the kernel as proprietary.
    pub proprietary: HashSet<ModuleName>,
    /// `/proc/sys/kernel/modules_disabled`.
    pub modules_disabled: Option<bool>,
    /// `module_blacklist=` of its command line, unchanged: the kernel compares that with the name in the module.
    /// `None` where the command line cannot be read.
    pub blacklist: Option<Vec<BString>>,
    /// `/sys/module/module/parameters/sig_enforce`, which kernels with CONFIG_MODULE_SIG have.
    pub enforces_signatures: Option<bool>,
    /// Whether its command line sets that.
    pub sig_enforce_at_boot: Option<bool>,
    /// Whether `/sys/module` shows what a kernel has: what is not there it has not.
    pub has_sys: bool,
    /// Whether `/sys/kernel` shows what a kernel has.
    pub shows_kernel: bool,
    /// Whether it has type information, `/sys/kernel/btf/vmlinux`.
    pub has_btf: bool,
    /// Whether it decompresses module files: `/sys/module/compression` is there.
    pub decompresses: bool,
    /// The word in brackets of `/sys/kernel/security/lockdown`, or else the level on the command line.
    pub lockdown: Option<BString>,
    /// Whether it may be locked down although nothing shows that.
    pub may_be_locked_down: bool,
    /// Whether its integrity policy may ask for a signature of the file besides (IMA).
    pub appraises: Option<bool>,
    /// Whether a filter of system calls is on this process, which may forbid to load modules (seccomp).
    pub is_filtered: Option<bool>,
    /// The descriptions of its keys, `/proc/keys`; `None` where that cannot be read.
    pub keys: Option<Vec<BString>>,
    /// Whether this process may load modules at all.
    pub is_permitted: Option<bool>,
    /// The compression of module files that it decompresses itself.
    pub decoder: Option<Compression>,
    /// Whether it lives in a user namespace, where nobody may.
    pub in_user_namespace: Option<bool>,
}

impl Running {
    /// The state of a module: unknown where the list cannot be read.
    pub fn state(&self, module: &ModuleName) -> State {
        match &self.loaded {
            Some(loaded) => loaded.get(module).copied().unwrap_or(State::Absent),
            None => State::Unknown,
        }
    }
}

/// A kernel as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct KernelView {
    /// Its release.
    pub release: BString,
    /// Its `vermagic`.
    pub vermagic: Option<Agreed<BString>>,
    /// Its machine.
    pub machine: Option<Machine>,
    /// The size of its `struct module`.
    pub struct_size: Option<Agreed<u64>>,
    /// The symbols that it exports itself.
    pub table: Option<KernelTable>,
    /// Where there is no such list: all names in its image, among them those of its exports.
    pub names: Option<Names>,
    /// The symbols that modules installed for it export.
    pub exports: HashMap<BString, Vec<KnownExport>>,
    /// The symbols of modules that the indexes list and that could not be read, with the module.
    pub unread_exports: HashMap<BString, Unread>,
    /// What loaded modules export that the indexes do not list.
    pub unlisted: UnlistedExports,
    /// Why something that would be known of it is not: there was no memory for it, or an index is damaged.
    pub unread: Option<String>,
    /// What modules of its build need of it.
    pub agreement: Agreement,
    /// Whether modules of its build are signed: it then has support for signatures.
    pub signs: bool,
    /// How far its type information (BTF) leads, where that was asked.
    pub btf: Option<Extent>,
    /// Built-in modules.
    pub builtin: HashSet<ModuleName>,
    /// Its state, when it is the running one.
    pub running: Option<Running>,
    /// The configuration it was built with, where that is available.
    pub config: Option<KernelConfig>,
}

/// A module that the indexes list and that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The module.
    pub module: ModuleName,
    /// Whether its file is gone.
    pub is_gone: bool,
}

impl KernelView {
    /// Records that something could not be read that would be known of the kernel otherwise, and returns the rest.
    pub fn known<T>(&mut self, result: Result<Option<T>>) -> Option<T> {
        result.unwrap_or_else(|error| {
            self.unread.get_or_insert_with(|| error.to_string());
            None
        })
    }

    /// Adds what an installed module exports.
    pub fn add_exports(&mut self, module: &ExaminedModule) {
        for export in &module.exports {
            let owner = Owner::Module(module.name.clone());
            let offer = KnownExport {
                owner,
                crc: export.crc,
                gpl_only: export.gpl_only,
                namespace: export.namespace.clone(),
                by_proprietary: !module.is_gpl_compatible(),
            };
            let offers = self.exports.entry(export.name.clone()).or_default();
            if !offers.iter().any(|other| other.owner == offer.owner) {
                offers.push(offer);
            }
        }
    }

    /// Takes modules of the kernel's own build as witnesses for what they agree on.
    pub fn add_witnesses<'a>(&mut self, witnesses: impl Iterator<Item = &'a ExaminedModule> + Clone) {
        let of = |subject: &&'a ExaminedModule| subject.machine;
        self.machine = most_frequent(witnesses.clone().map(|one| of(&one))).map(|agreed| agreed.value);
        let machine = self.machine;
        let witnesses = witnesses.filter(move |one| Some(one.machine) == machine);
        self.vermagic = most_frequent(witnesses.clone().filter_map(|one| one.vermagic.clone()));
        let vermagic = self.vermagic.as_ref().map(|agreed| agreed.value.clone());
        let witnesses = witnesses.filter(move |one| one.vermagic == vermagic);
        self.struct_size = most_frequent(witnesses.clone().filter_map(|one| one.struct_size));
        self.signs = witnesses.clone().any(|one| matches!(one.signed, Signed::By(_)));
        self.agreement = Agreement::of(witnesses);
    }

    /// Who exports a symbol, as the kernel would find it for this module: the kernel itself first.
    pub fn offer<'a>(&'a self, symbol: &[u8], user: &'a ExaminedModule) -> Option<&'a KnownExport> {
        let listed = self.table.as_ref().and_then(|table| table.offers.get(symbol.as_bstr()));
        if listed.is_some_and(|offer| offer.owner == Owner::Kernel) {
            return listed;
        }
        self.exports_of_others(symbol, user).next()
    }

    /// The modules that export a symbol, except the one in question.
    pub fn exports_of_others<'a>(
        &'a self,
        symbol: &[u8],
        user: &'a ExaminedModule,
    ) -> impl Iterator<Item = &'a KnownExport> {
        let offers = self.exports.get(symbol.as_bstr()).into_iter().flatten();
        offers.filter(|offer| offer.owner != Owner::Module(user.name.clone()))
    }

    /// Whether the kernel's list has the licence of each symbol: a list of mere names has not.
    pub fn knows_licences(&self) -> bool {
        self.table.as_ref().is_some_and(|table| table.has_crcs)
    }

    /// Whether a loaded module is proprietary, or has used symbols of one; `None` where it is not loaded.
    pub fn is_proprietary(&self, module: &ModuleName) -> Option<bool> {
        let running = self.running.as_ref()?;
        (running.state(module) == State::Live).then(|| running.proprietary.contains(module))
    }

    /// The module that the kernel's build lists as the owner of a symbol, installed or not.
    pub fn listed_owner(&self, symbol: &[u8]) -> Option<&ModuleName> {
        match &self.table.as_ref()?.offers.get(symbol.as_bstr())?.owner {
            Owner::Module(module) => Some(module),
            Owner::Kernel => None,
        }
    }
}

/// The most frequent value, the first one among equals.
fn most_frequent<T: Clone + Eq + std::hash::Hash>(values: impl Iterator<Item = T>) -> Option<Agreed<T>> {
    let mut counts: HashMap<T, (usize, usize)> = HashMap::new();
    for (place, value) in values.enumerate() {
        counts.entry(value).or_insert((0, place)).0 += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, (count, place))| (*count, std::cmp::Reverse(*place)));
    most.map(|(value, (witnesses, _))| Agreed { value, witnesses })
}
