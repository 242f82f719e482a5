//! Whether a kernel would take a module, without loading anything: [`one`] module, or a whole [`tree`].

pub mod one;
pub mod tree;
