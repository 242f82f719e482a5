//! Why the kernel refuses a module, or would: one typed cause for each thing it checks.

use std::path::PathBuf;

use bstr::BString;

use super::{examined_module::Machine, exports::Owner, value::ValueFault};
use crate::{
    ModuleName,
    config::Origin,
    file::{Compression, kernel_decoder::Obstacle},
    kernel::State,
};

/// Something that makes the kernel refuse a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The file is damaged, or no module.
    Damaged(String),
    /// It is an ELF file of another kind: a program, a library.
    NotRelocatable,
    /// The indexes list the file, and it is not there.
    Gone(PathBuf),
    /// It is compiled for another machine.
    Machine {
        /// The module's.
        module: Machine,
        /// The kernel's.
        kernel: Machine,
    },
    /// Its symbol table was removed.
    Stripped,
    /// It does not record which kernel it was built for, and the kernel takes no module as if forced.
    NoVermagic,
    /// It does not record which versions of symbols it was built against, and the kernel takes no module as if forced.
    NoVersions,
    /// The kernel takes no module as if forced, which it was asked to.
    NotForced,
    /// Its type information (BTF) does not fit that of the kernel.
    Btf,
    /// It was built for another kernel, or for one with other features.
    Vermagic {
        /// The module's.
        module: BString,
        /// The kernel's.
        kernel: BString,
        /// Whether the release counts.
        whole: bool,
    },
    /// Its `struct module` has another size: the kernel was configured otherwise.
    StructSize {
        /// The module's.
        module: u64,
        /// The kernel's.
        kernel: u64,
    },
    /// A symbol that it needs is unavailable.
    Symbol {
        /// The symbol.
        name: BString,
        /// Why.
        fault: SymbolFault,
    },
    /// It exports a symbol that is exported already.
    Duplicate {
        /// The symbol.
        name: BString,
        /// By whom.
        owner: Owner,
    },
    /// A parameter's value is refused.
    Value {
        /// The parameter.
        name: BString,
        /// The value as given.
        value: BString,
        /// What is wrong with it; `None` where only the module knows.
        fault: Option<ValueFault>,
        /// What the parameter is for.
        about: Option<BString>,
    },
    /// Its signature, or the lack of one.
    Signature(SignatureFault),
    /// `kernel.modules_disabled` is set: nothing is loaded until the next boot.
    ModulesDisabled,
    /// The process lacks CAP_SYS_MODULE, which it cannot have in a user namespace.
    NotPermitted {
        /// Whether it lives in one.
        in_user_namespace: bool,
    },
    /// A filter of system calls is on the process (seccomp).
    Filtered,
    /// A process has the file open for writing.
    OpenForWriting {
        /// Its id and name, where one was found.
        by: Option<(u32, BString)>,
    },
    /// The system's integrity policy (IMA) refuses the file.
    Appraisal,
    /// A line of the configuration has a command run in the place of loading it, and that loads nothing.
    Command {
        /// The command.
        command: BString,
        /// The line.
        origin: Origin,
        /// Whether the command fails, or does nothing.
        fails: bool,
    },
    /// A line of the configuration denies it, whoever asks.
    Denied {
        /// The line.
        origin: Origin,
        /// The reason that it gives.
        reason: BString,
    },
    /// `module_blacklist=` on the kernel command line names it.
    Blacklisted,
    /// The kernel has it: live, or on its way in or out.
    Present(State),
    /// It is part of the kernel.
    BuiltIn,
    /// The kernel could not decompress the file, or does not do that.
    Decompression,
    /// The kernel has not enough memory.
    NoMemory,
    /// The kernel has not enough memory of the kind that each processor has its own of.
    NoPerCpuMemory,
    /// A module that it needs would be refused.
    Dependency {
        /// That module.
        module: ModuleName,
        /// Why, in short.
        why: Vec<String>,
    },
}

/// Why a symbol is unavailable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolFault {
    /// Neither the kernel nor an installed module exports it. The module that does in the kernel's own
    /// build, where that is known.
    Missing {
        /// A module that is not installed.
        listed: Option<ModuleName>,
    },
    /// A module that is not loaded exports it.
    NotLoaded(ModuleName),
    /// The module that exports it is still being initialised, and the kernel gave up waiting for that.
    NotReady(ModuleName),
    /// A proprietary module exports it, and this one uses symbols for GPL modules.
    Proprietary(ModuleName),
    /// It has another CRC: it was built against another version of it.
    Version {
        /// The CRC that the module was built against.
        module: u32,
        /// The CRC that it has.
        kernel: u32,
        /// Who exports it.
        owner: Owner,
        /// How many other modules need it with the kernel's CRC, where that is how it is known.
        witnesses: Option<u32>,
    },
    /// The module does not record the CRC that it was built against.
    NoVersion {
        /// Who exports it.
        owner: Owner,
    },
    /// The versions differ, as the kernel logged; the values are unknown.
    Disagrees {
        /// The CRC that the module was built against.
        module: Option<u32>,
    },
    /// It is for modules with a GPL-compatible licence.
    GplOnly {
        /// Who exports it.
        owner: Owner,
        /// The module's licence.
        license: Option<BString>,
    },
    /// It is in a namespace that the module does not import.
    Namespace {
        /// The namespace.
        namespace: BString,
        /// Who exports it, where that is known.
        owner: Option<Owner>,
    },
}

/// What is wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// There is none, and the kernel insists on one.
    Missing(Enforcement),
    /// It is malformed.
    Malformed,
    /// It is in a form that the kernel does not verify, and the kernel insists on one.
    Unsupported(Enforcement),
    /// The kernel ignores it because it is asked to skip checks, and insists on one.
    Ignored(Enforcement),
    /// The kernel does not have the signer's key.
    UnknownKey {
        /// The signer.
        signer: BString,
        /// The key's identifier.
        key_id: Vec<u8>,
        /// Why that matters.
        enforcement: Enforcement,
    },
    /// It is not the signature of these bytes: the file was changed, or another key made it.
    Wrong {
        /// The signer.
        signer: BString,
        /// The key's identifier.
        key_id: Vec<u8>,
    },
}

/// Why a kernel insists on signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// `module.sig_enforce=1`, or CONFIG_MODULE_SIG_FORCE.
    SigEnforce,
    /// The kernel is locked down to this level.
    Lockdown(BString),
}

/// How sure a cause is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// What is compared is known on both sides.
    Verified,
    /// The kernel itself logged it.
    Confirmed,
    /// It cannot be verified, for this reason.
    Unverified(String),
}

/// Something that would have to be known, and is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Whether anything exports a symbol.
    Symbol(BString),
    /// The CRC that a symbol has.
    Version(BString),
    /// Whether a symbol is for GPL modules only; the module's licence is none.
    GplOnly(BString),
    /// Whether a symbol is in a namespace, perhaps this one.
    Namespace(BString, BString),
    /// The kernel's `vermagic`.
    Vermagic,
    /// The kernel's machine.
    Machine,
    /// Whether the kernel, which insists on it, can verify the signature: it is described.
    Key(String),
    /// Whether the kernel insists on a signature, which there is not.
    Enforcement,
    /// What the signature is, which cannot be read here.
    Signature,
    /// Whether the kernel takes a module as if forced.
    ForceLoad,
    /// Whether the kernel looks at the type information, which is malformed.
    Btf,
    /// Whether the system's integrity policy lets the file be loaded.
    Appraisal,
    /// Whether the filter of system calls on this process lets it load modules.
    Filter,
    /// Something about the kernel, which could not be read, for this reason.
    Kernel(String),
    /// Whether this process may load modules.
    Permission,
    /// Whether the command line forbids the module, which cannot be read.
    CommandLine,
    /// Which modules the kernel has.
    Loaded,
    /// Whether the module is on its way in or out, or stuck on it.
    Moving(ModuleName),
    /// Whether a module that it needs would load.
    Dependency(ModuleName),
    /// Whether the kernel has so many bytes left of the memory that each processor has its own of.
    PerCpu(u64),
    /// Whether a symbol of a proprietary module, which is this one, is refused: whether it uses symbols for GPL modules
    /// as well is unknown.
    Proprietary(BString, ModuleName),
    /// Whether the module itself takes this value of a parameter.
    Value(BString, BString),
    /// What a command does that is run in the place of loading a module: the module, the command and its line.
    Command(String),
    /// What is in the file: the system did not let it be read, for this reason.
    Contents(String),
}

/// Something worth telling that does not keep the module out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A parameter that the module does not have: the kernel ignores it.
    UnknownParameter {
        /// Its name as given.
        name: BString,
        /// The parameter of the nearest name.
        nearest: Option<BString>,
    },
    /// It is loaded already.
    Present(State),
    /// It is part of the kernel.
    BuiltIn,
    /// A kernel that decompresses modules itself does not read the file.
    Packing {
        /// How the file is compressed.
        compression: Compression,
        /// What the kernel does not read of it.
        obstacle: Obstacle,
    },
    /// A parameter that is refused comes from this line.
    ParameterFrom {
        /// The parameter.
        name: BString,
        /// The line.
        origin: Origin,
    },
    /// It does not record what it was built for: the kernel takes it as if forced, and is tainted.
    AsIfForced,
}
