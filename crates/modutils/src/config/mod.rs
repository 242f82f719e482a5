//! What people configure: modprobe.d, modutils.d and the kernel command line, as a list of lines.
//!
//! [`Context::config`](crate::Context::config) gives the [`Config`]: every [`Line`] with its [`Directive`]
//! and its [`Origin`], the file and line it comes from.

pub(crate) mod by_name;
pub(crate) mod cmdline;
pub(crate) mod deny;
#[cfg(feature = "depmod")]
pub(crate) mod depmod_d;
pub(crate) mod directories;
pub(crate) mod entries;
pub(crate) mod explain;
pub(crate) mod line;
pub(crate) mod lines;
pub(crate) mod modprobe_d;
pub(crate) mod modutils_d;
pub(crate) mod statement;

use std::{fmt, io, path::Path, sync::Arc};

pub(crate) use deny::DenyLine;
#[cfg(feature = "depmod")]
pub(crate) use depmod_d::DepmodConfig;
pub(crate) use directories::{Family, Files};
pub(crate) use entries::{BlacklistLine, CommandLine, SoftdepLine};
pub use explain::Explain;
pub(crate) use explain::ExplainLine;
pub use line::{Config, Directive, Line};
pub(crate) use modprobe_d::{ConfigPaths, ModprobeConfig};
pub(crate) use statement::Statement;

use crate::{file::read_bounded, shown::shown_path};

/// Far more than any configuration file holds: 16 MiB. What is kept of the lines takes some times as
/// much.
pub(crate) const LARGEST_FILE: u64 = 16 << 20;

/// The location of a line.
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
        write!(f, "{} line {}", shown_path(&self.file), self.line)
    }
}

/// Reads a configuration file.
///
/// # Errors
/// When the file cannot be opened or read, is no regular file, or is larger than any configuration is.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(path, LARGEST_FILE)
}
