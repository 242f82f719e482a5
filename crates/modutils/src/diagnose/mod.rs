//! Why something could not be done, worked out from what is on the disk and what the kernel shows.
//!
//! - [`request`]: a name that means no module, a module that is in use, was not removed or is not loaded;
//! - [`refusal`]: a module's file that the kernel refused;
//! - [`check`]: whether it would refuse one, or one of all that are installed, without loading anything;
//! - [`blocked`]: what the configuration keeps from being loaded.
//!
//! The kernel answers with an error number, and each stands for several causes, which can be worked out
//! from the module's file and what is known of the kernel. No cause is guessed: what could not be
//! verified is marked so.
//!
//! A [`Finding`] or [`Remark`] has a word for programs and lines for people. Names and values that come from
//! files are escaped in these lines; [`printable`] does the same for others.

mod finding;
mod remark;
mod rights;
mod words;

pub mod blocked;
pub mod check;
pub mod refusal;
pub mod request;

pub use finding::{Finding, Value};
pub use remark::Remark;
pub use words::printable;
