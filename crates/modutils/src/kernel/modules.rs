//! `/proc/modules`: the loaded modules, newest first.
//!
//! The format is that of `m_show` in `kernel/module/procfs.c`.

use super::{Kernel, State};
use crate::{
    Malformed, ModuleName, Notice, Result, Sink,
    config::{lines, read},
};

/// A line of `/proc/modules`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadedModule {
    /// The module.
    pub name: ModuleName,
    /// The bytes it takes in memory.
    pub size: u64,
    /// How many use it; `None` in a kernel that cannot unload modules.
    pub references: Option<i64>,
    /// The modules among those.
    pub holders: Vec<ModuleName>,
    /// Whether it cannot be unloaded: it has no exit function.
    pub permanent: bool,
    /// Whether it is live, on its way in or out; [`State::Unknown`] where the line has no such word.
    pub state: State,
}

/// Reads the text of `/proc/modules`: for each line the module, or what is wrong with it.
pub fn parse_modules(text: &[u8]) -> impl Iterator<Item = Result<LoadedModule, Malformed>> {
    (1..).zip(text.split(|&byte| byte == b'\n')).filter(|(_, line)| !line.is_empty()).map(|(number, line)| {
        parse_line(line).ok_or_else(|| Malformed::line(number, "not a name, a size and a use count"))
    })
}

fn parse_line(line: &[u8]) -> Option<LoadedModule> {
    let mut words = lines::words(line);
    let name = ModuleName::new(words.next()?);
    let size = number(words.next()?)?;
    let references = match words.next() {
        None | Some(b"-") => None,
        Some(count) => Some(number(count)?),
    };
    // `-` for none, `[permanent]` for a module that cannot go.
    let is_module = |holder: &&[u8]| !holder.is_empty() && *holder != b"-" && !holder.starts_with(b"[");
    let users = words.next().unwrap_or_default().split(|&byte| byte == b',');
    let permanent = users.clone().any(|user| user == b"[permanent]");
    let holders = users.filter(is_module).map(ModuleName::new).collect();
    let state = match words.next() {
        Some(b"Live") => State::Live,
        Some(b"Loading") => State::Coming,
        Some(b"Unloading") => State::Going,
        _ => State::Unknown,
    };
    Some(LoadedModule { name, size, references, holders, permanent, state })
}

/// The names as they stand and the states of the modules in the text of `/proc/modules`; kernels that show none have
/// only live ones.
#[cfg(feature = "diagnose")]
pub(crate) fn states(text: &[u8]) -> impl Iterator<Item = (&[u8], super::State)> {
    text.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut words = lines::words(line);
        let name = words.next()?;
        let state = match words.nth(3) {
            Some(b"Loading") => super::State::Coming,
            Some(b"Unloading") => super::State::Going,
            _ => super::State::Live,
        };
        Some((name, state))
    })
}

fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Kernel {
    /// The line of a module; `None` where the kernel does not have it, or `/proc/modules` cannot be read.
    pub(crate) fn listed(&self, module: &ModuleName) -> Option<LoadedModule> {
        let text = read(&self.root().system("/proc/modules")).ok()?;
        let is_it = |name: &[u8]| name.len() == module.as_bytes().len() && ModuleName::new(name) == *module;
        let mut lines = text.split(|&byte| byte == b'\n');
        // Only the module's own line is parsed: this may be asked of many modules.
        let line = lines.find(|line| lines::words(line).next().is_some_and(is_it))?;
        parse_line(line)
    }

    /// The loaded modules, newest first. A malformed line is reported to the sink.
    ///
    /// # Errors
    /// When `/proc/modules` cannot be read.
    pub fn loaded_modules(&self, sink: &mut Sink) -> Result<Vec<LoadedModule>> {
        let path = self.root().system("/proc/modules");
        let text = read(&path).map_err(crate::Error::io("open", &path))?;
        let mut modules = Vec::new();
        for module in parse_modules(&text) {
            match module {
                Ok(module) => modules.push(module),
                Err(fault) => sink(Notice::error(fault.at(&path).to_string())),
            }
        }
        Ok(modules)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_gives_name_size_count_and_holders() {
        let text = b"mid 16384 1 top, Live 0x0000000000000000\nvfat 20480 0 - Live 0x0 (OE)\nperm 4096 1 [permanent], Live 0x0\nold 1 -\n";
        let modules: Vec<LoadedModule> = parse_modules(text).map(Result::unwrap).collect();
        assert_eq!(modules[0].name.as_bytes(), b"mid");
        assert_eq!((modules[0].size, modules[0].references), (16384, Some(1)));
        assert_eq!(modules[0].holders, [ModuleName::new("top")]);
        assert!(modules[1].holders.is_empty() && modules[2].holders.is_empty());
        assert!(!modules[1].permanent && modules[2].permanent);
        assert_eq!(modules[3].references, None);
        assert_eq!([0, 3].map(|line| modules[line].state), [State::Live, State::Unknown]);
        let state = |line: &[u8]| parse_modules(line).next().unwrap().unwrap().state;
        assert_eq!(state(b"m 1 1 - Loading 0x0\n"), State::Coming);
        assert_eq!(state(b"m 1 1 - Unloading 0x0\n"), State::Going);
    }

    #[test]
    fn a_line_of_another_form_is_named() {
        let modules: Vec<_> = parse_modules(b"good 1 0\nbad\nworse x\n").collect();
        assert!(modules[0].is_ok());
        assert_eq!(modules[1].as_ref().unwrap_err().place, crate::Place::Line(2));
        assert_eq!(modules[2].as_ref().unwrap_err().place, crate::Place::Line(3));
    }

    proptest! {
        #[test]
        fn any_bytes_give_one_result_a_line(text in proptest::collection::vec(prop_oneof![Just(b' '), Just(b'\n'), Just(b'1'), any::<u8>()], 0..200)) {
            let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count();
            prop_assert_eq!(parse_modules(&text).count(), lines);
        }
    }
}
