//! What people configure: modprobe.d, depmod.d, modutils.d and the kernel command line.
//!
//! [`Family`] and [`Files`] say which files count, [`lines`](lines::lines) what a line of them is,
//! [`Statement`] what a line of modprobe.d says, [`ModprobeConfig`] what all of them mean, and [`Config`]
//! shows them as a list. Every line knows its [`Origin`].

mod by_name;
pub mod cmdline;
mod deny;
pub mod depmod_d;
mod directories;
mod entries;
mod line;
pub mod lines;
mod modprobe_d;
mod statement;

use std::{fmt, io, path::Path, sync::Arc};

pub use by_name::{LinesByName, NamedLine};
pub use deny::DenyLine;
pub use depmod_d::DepmodConfig;
pub use directories::{Family, Files};
pub use entries::{AliasLine, BlacklistLine, CommandLine, OptionsLine, SoftdepLine, WeakdepLine};
pub use line::{Config, Directive, Line};
pub use modprobe_d::{ModprobeConfig, Sources};
pub use statement::Statement;

use crate::file::read_bounded;

/// Far more than any configuration file holds: 16 MiB. What is kept of the lines takes some times as
/// much.
const LARGEST_FILE: u64 = 16 << 20;

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The file.
    pub file: Arc<Path>,
    /// The line it begins at, counted from one.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.file.display(), self.line)
    }
}

/// Reads a configuration file.
///
/// # Errors
/// When the file cannot be opened or read, is no regular file, or is larger than any configuration is.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(path, LARGEST_FILE)
}
