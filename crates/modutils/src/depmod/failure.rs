//! Why a run failed.

use super::{complete::Incomplete, cycles::Cycles, tree::TreeFile};
use crate::{Error, Level, ModuleName, Notice, shown::shown_path};

/// Why a [`Run`](super::Run) wrote nothing. The files that were there before are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The module directory cannot be searched.
    #[error("could not search modules: {}", .0.cause())]
    Search(#[source] Error),
    /// A file that the caller named is not there, is no module by its name, or is named twice.
    #[error("{0}")]
    NamedFile(#[source] Error),
    /// The file of the kernel's symbols cannot be read.
    #[error("could not load {}: {}", shown_path(.0.path().unwrap_or("".as_ref())), .0.cause())]
    KernelSymbols(#[source] Error),
    /// Modules need each other in circles, and cannot be put into an order.
    #[error("Found {modules} modules in dependency cycles!")]
    Cycles {
        /// Each cycle as the modules on it; the last one needs the first. Of very many cycles not all
        /// are listed.
        cycles: Vec<Vec<ModuleName>>,
        /// How many modules are on any cycle.
        modules: usize,
    },
    /// Something that is there could not be read.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The output directory is unavailable, an index exceeds its format, or the files cannot be
    /// written.
    #[error(transparent)]
    Output(#[from] Error),
}

impl Failure {
    pub(super) fn of_cycles(found: &Cycles, files: &[TreeFile]) -> Self {
        let name = |&module: &u32| files.get(module as usize).map(|file| file.name.clone());
        let cycles = found.cycles.iter().map(|cycle| cycle.iter().filter_map(name).collect()).collect();
        Self::Cycles { cycles, modules: found.modules }
    }

    /// The failure as messages for people, the way depmod prints it.
    pub fn notices(&self) -> Vec<Notice> {
        let text = self.to_string();
        match self {
            Self::Search(error) => {
                vec![Notice::of(Level::Error, error), Notice::new(Level::Fatal, text)]
            }
            Self::NamedFile(_) | Self::KernelSymbols(_) => vec![Notice::new(Level::Fatal, text)],
            Self::Cycles { cycles, .. } => {
                let lines = cycles.iter().map(|cycle| {
                    let names: Vec<&[u8]> =
                        cycle.iter().chain(cycle.first()).map(ModuleName::as_bytes).collect();
                    Notice::error([&b"Cycle detected: "[..], &names.join(&b" -> "[..])].concat())
                });
                lines.chain([Notice::error(text)]).collect()
            }
            Self::Incomplete(_) | Self::Output(_) => vec![Notice::error(text)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cycle_has_a_message_that_ends_where_it_begins() {
        let files = ["a", "b", "c-d"].map(|name| TreeFile {
            name: ModuleName::new(name),
            path: name.into(),
            listed: name.into(),
        });
        let found = Cycles { cycles: vec![vec![2, 0], vec![1]], modules: 3 };
        let failure = Failure::of_cycles(&found, &files);
        let notices: Vec<_> = failure.notices().iter().map(ToString::to_string).collect();
        let expected = [
            "Cycle detected: c_d -> a -> c_d",
            "Cycle detected: b -> b",
            "Found 3 modules in dependency cycles!",
        ];
        assert_eq!(notices, expected);
    }
}
