//! Why a request could not be met: a name that means no module, a module that is in use, was not removed or
//! is not loaded.

mod in_use;
mod not_found;
mod not_removed;
mod similar;

pub use in_use::{InUse, User, in_use};
pub use not_found::{listed_but_gone, not_found};
pub use not_removed::{not_loaded, not_removed};
