//! Why something could not be done, worked out from what is on the disk and what the kernel shows.
//!
//! [`request`]: a name that means nothing, a module that is in use or was not removed. [`refusal`]: a
//! module's file that the kernel refused. [`check`]: what it would refuse, without loading anything.
//! [`blocked`]: what the configuration keeps from being loaded.
//!
//! The kernel answers with an error number, and each stands for several causes, which can be worked out
//! from the module's file and what is known of the kernel. No cause is guessed: what could not be
//! verified is said to be so.

pub mod blocked;
pub mod check;
pub mod refusal;
pub mod request;

mod remark;
mod rights;
pub mod words;

pub use remark::Remark;
