//! Why a request could not be met: a name that means no module, a module that is in use, was not removed or
//! is not loaded.
//!
//! Each function is for a failure of one kind and is called after it; nothing is searched before. What they
//! find are [remarks](super::Remark), each with a word for programs and lines for people.
//!
//! ```
//! use std::fs;
//! use modutils::{Context, ModuleName, Release, Root};
//! use modutils::diagnose::request;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A kernel whose indexes nobody has made yet, and a loaded module that another one uses.
//! let system = tempfile::tempdir()?;
//! fs::create_dir_all(system.path().join("lib/modules/6.12.0/kernel/fs"))?;
//! fs::create_dir_all(system.path().join("sys/module/fat/holders/vfat"))?;
//! let root = Root::default().with_base(system.path()).with_system(system.path());
//!
//! let context = Context::builder().root(root.clone()).release(Release::new("6.12.0")).build()?;
//! let remarks = request::not_found(&context, b"msdos", None);
//! assert_eq!(remarks[0].kind(), "no_index");
//! let depmod = format!("  Run depmod -b {} 6.12.0 to make it.", system.path().display());
//! assert_eq!(remarks[0].text()[1], depmod);
//!
//! let users = request::in_use(&root, &ModuleName::new("fat"));
//! assert_eq!(users.lines(), ["The module vfat uses it (modprobe -r vfat)."]);
//! # Ok(())
//! # }
//! ```

mod in_use;
mod not_found;
mod not_removed;
mod similar;

pub use in_use::{InUse, User, in_use};
pub use not_found::{dangling_alias, listed_but_gone, not_found};
pub use not_removed::{not_found_to_remove, not_loaded, not_removed};
pub use similar::similar;
