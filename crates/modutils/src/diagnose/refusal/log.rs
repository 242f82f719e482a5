//! The kernel's words about a module that it refuses, as far as they give a cause.
//!
//! The texts are those of `kernel/module/main.c`, `kernel/module/version.c` and `kernel/params.c`;
//! what is not among them is quoted and nothing more.

use bstr::{BString, ByteSlice};

use super::examined_module::ExaminedModule;

/// A message of the loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `version magic 'M' should be 'K'`.
    Vermagic {
        /// The module's.
        module: BString,
        /// The kernel's.
        kernel: BString,
    },
    /// `Unknown symbol S (err E)`.
    UnknownSymbol {
        /// The symbol.
        symbol: BString,
        /// The number; most kernels print it.
        errno: Option<i32>,
    },
    /// `gave up waiting for init of module M`: the symbol that is unknown next is one of that module.
    GaveUp(BString),
    /// `module using GPL-only symbols uses symbols S from proprietary module M`.
    Proprietary {
        /// The symbol.
        symbol: BString,
        /// The proprietary module.
        module: BString,
    },
    /// The loader found fault with the file, in these words.
    Damaged(BString),
    /// `failed to validate module [M] BTF: -22`.
    Btf,
    /// `module has no symbols (stripped?)`.
    Stripped,
    /// `Could not allocate N bytes percpu data`.
    PerCpu,
    /// Memory could not be had.
    Memory,
    /// The integrity policy's audit line.
    Appraisal,
    /// `Loading of unsigned module is rejected`, or the same of a locked-down kernel.
    Unsigned,
    /// `Loading of module with unsupported crypto is rejected`.
    UnsupportedSignature,
    /// `Loading of module with unavailable key is rejected`.
    UnavailableKey,
    /// `disagrees about version of symbol S`.
    Disagrees(BString),
    /// `no symbol version for S`.
    NoVersion(BString),
    /// `module uses symbol (S) from namespace N, but does not import it.`
    Namespace {
        /// The symbol.
        symbol: BString,
        /// The namespace.
        namespace: BString,
    },
    /// `exports duplicate symbol S (owned by M)`.
    Duplicate {
        /// The symbol.
        symbol: BString,
        /// Its owner.
        owner: BString,
    },
    /// `'V' invalid for parameter 'P'`, or too large for it.
    Value {
        /// The value.
        value: BString,
        /// The parameter.
        parameter: BString,
    },
}

/// Reads a line.
pub fn parse(line: &[u8]) -> Option<Message> {
    let after = |text: &str| line.split_once_str(text).map(|(_, rest)| rest);
    if let Some(rest) = after("version magic '") {
        let (module, kernel) = rest.split_once_str("' should be '")?;
        return Some(Message::Vermagic { module: module.into(), kernel: kernel.strip_suffix(b"'")?.into() });
    }
    if let Some(rest) = after("Unknown symbol ") {
        let errno = rest.split_once_str("(err ").and_then(|(_, rest)| {
            rest.strip_suffix(b")")?.to_str().ok()?.parse::<i32>().ok().map(i32::saturating_abs)
        });
        return Some(Message::UnknownSymbol { symbol: first_word(rest), errno });
    }
    if let Some(rest) = after("gave up waiting for init of module ") {
        return Some(Message::GaveUp(rest.strip_suffix(b".").unwrap_or(rest).into()));
    }
    if let Some((symbol, module)) = after("module using GPL-only symbols uses symbols ")
        .and_then(|rest| rest.split_once_str(" from proprietary module "))
    {
        let module = module.strip_suffix(b".").unwrap_or(module);
        return Some(Message::Proprietary { symbol: symbol.into(), module: module.into() });
    }
    if let Some(rest) = after("disagrees about version of symbol ") {
        return Some(Message::Disagrees(first_word(rest)));
    }
    if let Some(rest) = after("no symbol version for ").or_else(|| after("no extended symbol version for ")) {
        return Some(Message::NoVersion(first_word(rest)));
    }
    if let Some((symbol, rest)) =
        after(" uses symbol ").and_then(|rest| rest.split_once_str(" from namespace "))
    {
        let namespace = rest.split_once_str(", ").map_or(rest, |(namespace, _)| namespace);
        let symbol = symbol.trim_with(|letter| matches!(letter, '(' | ')'));
        return Some(Message::Namespace { symbol: symbol.into(), namespace: namespace.into() });
    }
    if let Some((symbol, owner)) =
        after("exports duplicate symbol ").and_then(|rest| rest.split_once_str(" (owned by "))
    {
        let owner = owner.strip_suffix(b")").unwrap_or(owner);
        return Some(Message::Duplicate { symbol: symbol.into(), owner: owner.into() });
    }
    for middle in [" invalid for parameter ", " too large for parameter "] {
        if let Some((before, after)) = line.split_once_str(middle) {
            let value = before.split_once_str(": ").map_or(before, |(_, value)| value);
            return Some(Message::Value { value: unquoted(value), parameter: unquoted(after) });
        }
    }
    let (_, message) = FIXED.iter().find(|(words, _)| words.iter().all(|part| line.contains_str(part)))?;
    Some(match message {
        Message::Damaged(_) => Message::Damaged(line.into()),
        message => message.clone(),
    })
}

const DAMAGED: Message = Message::Damaged(BString::new(Vec::new()));

/// Messages by words that are always in them.
static FIXED: [(&[&str], Message); 28] = [
    (&["failed to validate module [", "] BTF:"], Message::Btf),
    (&["module has no symbols (stripped?)"], Message::Stripped),
    (&["Could not allocate ", " bytes percpu data"], Message::PerCpu),
    (&["percpu: allocation failed"], Message::PerCpu),
    (&["page allocation failure"], Message::Memory),
    (&["vmalloc error"], Message::Memory),
    (&["vmap allocation for size", "failed"], Message::Memory),
    (&["op=appraise_data", "res=0"], Message::Appraisal),
    (&["Loading of unsigned module is rejected"], Message::Unsigned),
    (&["unsigned module loading is restricted"], Message::Unsigned),
    (&["Loading of module with unsupported crypto is rejected"], Message::UnsupportedSignature),
    (&["Loading of module with unavailable key is rejected"], Message::UnavailableKey),
    (&["Invalid ELF"], DAMAGED),
    (&["invalid ELF"], DAMAGED),
    (&["Invalid architecture in ELF header"], DAMAGED),
    (&["nvalid relocation target"], DAMAGED),
    (&["Unknown rel", "relocation"], DAMAGED),
    (&["unsupported RELA relocation"], DAMAGED),
    (&["overflow in relocation type"], DAMAGED),
    (&[".gnu.linkonce.this_module"], DAMAGED),
    (&["__this_module", "exist"], DAMAGED),
    (&["Only one .modinfo section"], DAMAGED),
    (&["out of bounds"], DAMAGED),
    (&["No module found in object"], DAMAGED),
    (&["section header", "overflow"], DAMAGED),
    (&["Section .gnu.linkonce"], DAMAGED),
    (&["decompression failed"], DAMAGED),
    (&["PKCS#7 signature info has unexpected non-zero params"], DAMAGED),
];

/// The lines with the reason why a module was refused, without lines about it that mean no more than a taint. Where no
/// cause is known, everything that was logged meanwhile may be it.
pub fn quotes(lines: &[BString], subject: Option<&ExaminedModule>, has_cause: bool) -> Vec<BString> {
    let own = subject.map(|subject| [subject.raw_name.as_slice(), b":"].concat());
    let is_about = |line: &BString| {
        parse(line).is_some()
            || own.as_ref().is_some_and(|own| line.starts_with(own))
            || subject.is_some_and(|subject| {
                line.starts_with(b"module") && line.contains_str(subject.raw_name.as_slice())
            })
            || ["Loading of ", "Lockdown: ", "is blacklisted", "module decompression", " can only take "]
                .iter()
                .any(|words| line.contains_str(words))
    };
    let lines = lines.iter().filter(|line| !line.is_empty() && !is_noise(line));
    lines.filter(|line| !has_cause || is_about(line)).cloned().collect()
}

/// What the kernel logs of modules that it takes as well.
fn is_noise(line: &[u8]) -> bool {
    const TAINTS: [&str; 10] = [
        "taints kernel",
        "tainting kernel",
        "module verification failed",
        "retpoline",
        "Spectre V2",
        "Disabling lock debugging due to kernel taint",
        "inheriting taint",
        "unknown parameter",
        "BTF mismatch detected",
        "random: ",
    ];
    TAINTS.iter().any(|words| line.contains_str(words))
}

fn first_word(text: &[u8]) -> BString {
    text.fields().next().unwrap_or_default().into()
}

/// Without quotes of either kind, which kernels have used.
fn unquoted(text: &[u8]) -> BString {
    text.trim_with(|letter| matches!(letter, '\'' | '`')).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_words_are_understood() {
        let symbol = |name: &str| BString::from(name);
        for (line, message) in [
            (
                "dummy: version magic '6.1 SMP ' should be '6.2 SMP '",
                Message::Vermagic { module: symbol("6.1 SMP "), kernel: symbol("6.2 SMP ") },
            ),
            (
                "vfat: Unknown symbol fat_x (err -2)",
                Message::UnknownSymbol { symbol: symbol("fat_x"), errno: Some(2) },
            ),
            ("vfat: Unknown symbol fat_x", Message::UnknownSymbol { symbol: symbol("fat_x"), errno: None }),
            ("vfat: gave up waiting for init of module fat.", Message::GaveUp(symbol("fat"))),
            (
                "a: module using GPL-only symbols uses symbols b from proprietary module c.",
                Message::Proprietary { symbol: symbol("b"), module: symbol("c") },
            ),
            ("BPF: failed to validate module [x] BTF: -22", Message::Btf),
            ("module: x: module has no symbols (stripped?)", Message::Stripped),
            ("x: Could not allocate 65536 bytes percpu data", Message::PerCpu),
            ("Lockdown: insmod: unsigned module loading is restricted; see man", Message::Unsigned),
            ("Loading of module with unavailable key is rejected", Message::UnavailableKey),
            (
                "x86/modules: Invalid relocation target, existing value is nonzero for type 1",
                Message::Damaged(
                    "x86/modules: Invalid relocation target, existing value is nonzero for type 1".into(),
                ),
            ),
            ("a: disagrees about version of symbol b", Message::Disagrees(symbol("b"))),
            ("a: no symbol version for b", Message::NoVersion(symbol("b"))),
            (
                "a: module uses symbol (b) from namespace C, but does not import it.",
                Message::Namespace { symbol: symbol("b"), namespace: symbol("C") },
            ),
            (
                "a: exports duplicate symbol b (owned by kernel)",
                Message::Duplicate { symbol: symbol("b"), owner: symbol("kernel") },
            ),
            (
                "dummy: `many' invalid for parameter `numdummies'",
                Message::Value { value: symbol("many"), parameter: symbol("numdummies") },
            ),
        ] {
            assert_eq!(parse(line.as_bytes()), Some(message), "{line}");
        }
        assert_eq!(parse(b"hello: hello world"), None);
    }

    #[test]
    fn the_lines_of_the_cause_are_quoted_or_else_all_but_noise() {
        let lines: Vec<BString> = [
            "bonding: loading out-of-tree module taints kernel.",
            "BPF: [11] Invalid name",
            "failed to validate module [bonding] BTF: -22",
            "x: module verification failed: signature and/or required key missing - tainting kernel",
            "",
        ]
        .iter()
        .map(|line| BString::from(*line))
        .collect();
        assert_eq!(quotes(&lines, None, true), ["failed to validate module [bonding] BTF: -22"]);
        assert_eq!(
            quotes(&lines, None, false),
            ["BPF: [11] Invalid name", "failed to validate module [bonding] BTF: -22"]
        );
    }
}
