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
    UnknownSymbol(BString),
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
        return Some(Message::UnknownSymbol(first_word(rest)));
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
    None
}

/// The lines about one module, and the lines that name none: while it was loaded the log may have had others.
pub fn about<'a>(lines: &'a [BString], subject: &ExaminedModule) -> Vec<&'a BString> {
    let own = [subject.name.as_bytes(), b": "].concat();
    let is_about = |line: &&BString| {
        line.starts_with(&own)
            || LOADER.iter().any(|words| line.contains_str(words))
            || (line.starts_with(b"module") && line.contains_str(subject.name.as_bytes()))
    };
    lines.iter().filter(is_about).collect()
}

/// How the loader's messages begin that are not about a module by name.
const LOADER: [&str; 8] = [
    "Invalid ELF header",
    "Module has invalid ELF",
    "Loading of ",
    "Lockdown: ",
    "is blacklisted",
    "module verification failed",
    "module decompression",
    "decompression failed",
];

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
            ("vfat: Unknown symbol fat_x (err -2)", Message::UnknownSymbol(symbol("fat_x"))),
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
}
