//! Counts the calls that were compared, by function. `cargo xtask libkmod --compare` adds up those of all tests.

use std::env;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

use testkit::TestRoot;

/// The functions of the library, as the script for the linker lists them.
fn functions() -> impl Iterator<Item = &'static str> {
    let script = include_str!("../../crates/libkmod/libkmod.map");
    script.lines().filter_map(|line| line.trim().strip_suffix(';').filter(|name| name.starts_with("kmod_")))
}

/// A header with which a program counts its calls.
pub(crate) fn header() -> String {
    let mut text = include_str!("counted.h").to_owned();
    for (number, name) in functions().enumerate() {
        // A macro's own name is not replaced again in what it stands for.
        let _ = writeln!(text, "#define {name}(...) (calls[{number}]++, {name}(__VA_ARGS__))");
    }
    text
}

/// Where a program that runs a script writes the numbers.
pub(crate) fn file(script: &str) -> String {
    format!("{script}.calls")
}

/// How often a program called each function, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts(String);

impl Counts {
    /// What was counted while a script ran.
    pub(crate) fn of(root: &TestRoot, script: &str) -> Counts {
        let bytes = root.read(file(script).trim_start_matches('/'));
        Counts(String::from_utf8(bytes).expect("digits"))
    }

    /// Appends the calls to the file `$MODUTILS_LIBKMOD_CALLS`, and the commands of the script whose output differs.
    pub(crate) fn record(&self, differing: &[String]) {
        let Some(path) = env::var_os("MODUTILS_LIBKMOD_CALLS") else { return };
        let called = functions().zip(self.0.lines()).filter(|(_, count)| *count != "0");
        let mut text: String = called.map(|(name, count)| format!("call {name} {count}\n")).collect();
        text.extend(differing.iter().map(|command| format!("differs {command} 1\n")));
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the list of calls");
        file.write_all(text.as_bytes()).expect("the list of calls");
    }
}
