//! Why something could not be done, worked out from what is on the disk and what the kernel shows.

pub mod not_found;
pub mod similar;
mod words;
