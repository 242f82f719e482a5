//! What the tests of `tests/libkmod` compared: how often they called each function, and whose outputs differ as
//! `docs/differences.md` has it.

use std::collections::BTreeMap;
use std::fmt;

/// The numbers of all tests together.
pub(super) struct Calls {
    /// By function.
    calls: BTreeMap<String, u64>,
    /// By command of their scripts.
    differing: BTreeMap<String, u64>,
}

impl Calls {
    /// Adds up lines of `call FUNCTION NUMBER` and `differs COMMAND NUMBER`.
    pub(super) fn parse(text: &str) -> Calls {
        let (mut calls, mut differing) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(kind), Some(name), Some(number)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let numbers = if kind == "call" { &mut calls } else { &mut differing };
            *numbers.entry(name.to_owned()).or_default() += number.parse().unwrap_or(0);
        }
        Calls { calls, differing }
    }

    /// Whether a function, `NAME@NODE`, was called.
    pub(super) fn has(&self, function: &str) -> bool {
        let name = function.split('@').next().unwrap_or_default();
        self.calls.contains_key(name)
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.calls.values().sum();
        writeln!(f, "      {total} calls of {} functions compared:", self.calls.len())?;
        let columns: Vec<String> =
            self.calls.iter().map(|(name, number)| format!("{number:>8} {name}")).collect();
        for row in columns.chunks(2) {
            let line: String = row.iter().map(|column| format!("{column:<52}")).collect();
            writeln!(f, "{}", line.trim_end())?;
        }
        let total: u64 = self.differing.values().sum();
        let by_command: Vec<String> =
            self.differing.iter().map(|(name, number)| format!("{name} {number}")).collect();
        writeln!(
            f,
            "      {total} outputs differ as docs/differences.md has it, by command of the scripts: {}",
            by_command.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_tests_are_added() {
        let calls = Calls::parse("call kmod_new 2\ncall kmod_ref 1\ndiffers probe 1\ncall kmod_new 3\n");
        assert!(calls.has("kmod_new@LIBKMOD_5") && !calls.has("kmod_unref@LIBKMOD_5"));
        let text = calls.to_string();
        assert!(text.starts_with("      6 calls of 2 functions compared:\n       5 kmod_new "), "{text}");
        assert!(text.ends_with("scripts: probe 1\n"), "{text}");
    }
}
