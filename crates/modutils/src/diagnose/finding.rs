use std::fmt;

use bstr::{BStr, BString, ByteSlice};

use super::{
    refusal::{
        cause::{Cause, Certainty, SignatureFault, SymbolFault},
        exports::Owner,
        text,
        value::ValueFault,
    },
    words::printable,
};

/// A reason for which a kernel refuses a module, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub(super) cause: Cause,
    pub(super) certainty: Certainty,
}

/// What a module has, or a kernel wants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A size, or a CRC.
    Number(u64),
    /// A text, which need not be UTF-8.
    Text(BString),
}

impl Finding {
    /// A cause that is known to hold.
    pub(super) fn verified(cause: Cause) -> Self {
        Self { cause, certainty: Certainty::Verified }
    }

    /// A cause that the kernel logged.
    pub(super) fn confirmed(cause: Cause) -> Self {
        Self { cause, certainty: Certainty::Confirmed }
    }

    /// What is wrong, in a word that stays the same when the text changes: `vermagic`, `missing_symbol`,
    /// `not_signed` and so on. `man/modutils.schema.json` lists them: `kmod check --json` prints the same.
    pub fn kind(&self) -> &'static str {
        match &self.cause {
            Cause::Damaged(_) => "damaged",
            Cause::NotRelocatable => "not_a_module",
            Cause::Gone(_) => "file_gone",
            Cause::Machine { .. } => "machine",
            Cause::Stripped => "stripped",
            Cause::NoVermagic => "no_vermagic",
            Cause::NoVersions => "no_versions",
            Cause::NotForced => "not_forced",
            Cause::Btf => "btf",
            Cause::Vermagic { .. } => "vermagic",
            Cause::StructSize { .. } => "struct_size",
            Cause::Symbol { fault, .. } => match fault {
                SymbolFault::Missing { .. } => "missing_symbol",
                SymbolFault::NotLoaded(_) => "symbol_not_loaded",
                SymbolFault::NotReady(_) => "symbol_not_ready",
                SymbolFault::Proprietary(_) => "proprietary",
                SymbolFault::Version { .. } | SymbolFault::Disagrees { .. } => "symbol_version",
                SymbolFault::NoVersion { .. } => "symbol_without_version",
                SymbolFault::GplOnly { .. } => "gpl_only",
                SymbolFault::Namespace { .. } => "namespace",
            },
            Cause::Duplicate { .. } => "duplicate_symbol",
            Cause::Value { .. } => "parameter",
            Cause::Signature(fault) => match fault {
                SignatureFault::Missing(_) => "not_signed",
                SignatureFault::Malformed => "signature_unreadable",
                SignatureFault::Unsupported(_) => "signature_unsupported",
                SignatureFault::Ignored(_) => "signature_ignored",
                SignatureFault::UnknownKey { .. } => "signature_key",
                SignatureFault::Wrong { .. } => "signature_wrong",
            },
            Cause::ModulesDisabled => "modules_disabled",
            Cause::NotPermitted { .. } => "not_permitted",
            Cause::Filtered => "filtered",
            Cause::OpenForWriting { .. } => "open_for_writing",
            Cause::Appraisal => "appraisal",
            Cause::Command { .. } => "install_command",
            Cause::Denied { .. } => "denied",
            Cause::Blacklisted => "blacklisted",
            Cause::Present(_) => "present",
            Cause::BuiltIn => "built_in",
            Cause::Decompression => "decompression",
            Cause::NoMemory => "no_memory",
            Cause::NoPerCpuMemory => "no_percpu_memory",
            Cause::Dependency { .. } => "dependency",
        }
    }

    /// The symbol, the parameter or the module that it is about.
    pub fn subject(&self) -> Option<&BStr> {
        match &self.cause {
            Cause::Symbol { name, .. } | Cause::Duplicate { name, .. } | Cause::Value { name, .. } => {
                Some(name.as_bstr())
            }
            Cause::Dependency { module, .. } => Some(module.as_bytes().as_bstr()),
            _ => None,
        }
    }

    /// Who exports the symbol that it is about: a module, or the kernel as `vmlinux`.
    pub fn provider(&self) -> Option<&BStr> {
        let owner = match &self.cause {
            Cause::Duplicate { owner, .. } => owner,
            Cause::Symbol { fault, .. } => match fault {
                SymbolFault::Missing { listed } => return Some(listed.as_ref()?.as_bytes().as_bstr()),
                SymbolFault::NotLoaded(module)
                | SymbolFault::NotReady(module)
                | SymbolFault::Proprietary(module) => return Some(module.as_bytes().as_bstr()),
                SymbolFault::Version { owner, .. }
                | SymbolFault::NoVersion { owner }
                | SymbolFault::GplOnly { owner, .. } => owner,
                SymbolFault::Namespace { owner, .. } => owner.as_ref()?,
                SymbolFault::Disagrees { .. } => return None,
            },
            _ => return None,
        };
        Some(match owner {
            Owner::Kernel => b"vmlinux".as_bstr(),
            Owner::Module(module) => module.as_bytes().as_bstr(),
        })
    }

    /// What the module has, or was given.
    pub fn has(&self) -> Option<Value> {
        let crc = |crc: &u32| Value::Number(u64::from(*crc));
        let text = |text: &BString| Value::Text(text.clone());
        match &self.cause {
            Cause::Machine { module, .. } => Some(Value::Text(module.to_string().into())),
            Cause::Vermagic { module, .. } => Some(text(module)),
            Cause::StructSize { module, .. } => Some(Value::Number(*module)),
            Cause::Value { value, .. } => Some(text(value)),
            Cause::Symbol { fault: SymbolFault::Version { module, .. }, .. } => Some(crc(module)),
            Cause::Symbol { fault: SymbolFault::Disagrees { module }, .. } => module.as_ref().map(crc),
            Cause::Symbol { fault: SymbolFault::GplOnly { license, .. }, .. } => license.as_ref().map(text),
            Cause::Signature(
                SignatureFault::UnknownKey { signer, .. } | SignatureFault::Wrong { signer, .. },
            ) => Some(text(signer)),
            _ => None,
        }
    }

    /// What the kernel has, or takes.
    pub fn wanted(&self) -> Option<Value> {
        let text = |text: &BString| Value::Text(text.clone());
        match &self.cause {
            Cause::Machine { kernel, .. } => Some(Value::Text(kernel.to_string().into())),
            Cause::Vermagic { kernel, .. } => Some(text(kernel)),
            Cause::StructSize { kernel, .. } => Some(Value::Number(*kernel)),
            Cause::Symbol { fault: SymbolFault::Version { kernel, .. }, .. } => {
                Some(Value::Number(u64::from(*kernel)))
            }
            Cause::Symbol { fault: SymbolFault::Namespace { namespace, .. }, .. } => Some(text(namespace)),
            Cause::Value { fault, .. } => match fault {
                Some(ValueFault::NotA(kind) | ValueFault::OutOfRange(kind) | ValueFault::Missing(kind)) => {
                    Some(text(kind))
                }
                Some(ValueFault::TooLong(_) | ValueFault::TooMany(_)) | None => None,
            },
            _ => None,
        }
    }

    /// Whether it was verified, or confirmed by the kernel's own words. Otherwise the text states what could
    /// not be.
    pub fn is_verified(&self) -> bool {
        !matches!(self.certainty, Certainty::Unverified(_))
    }

    /// The same in words: what is wrong, and what to do. Lines with details about the one before begin with
    /// two blanks.
    pub fn text(&self) -> Vec<String> {
        text::findings(std::slice::from_ref(self))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&printable(text)),
        }
    }
}
