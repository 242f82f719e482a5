//! Why something could not be done, worked out from what is on the disk and what the kernel shows.

pub mod blocked;
pub mod in_use;
pub mod not_found;
pub mod not_removed;
pub mod similar;
mod words;
