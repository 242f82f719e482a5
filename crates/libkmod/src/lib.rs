//! libkmod.so.2: kmod's C library over the crate `modutils`.
//!
//! The interface is described in `include/libkmod.h` and libkmod(3). Here, `context`, `module` and their
//! neighbours hold what C has pointers to, in safe Rust; `ffi` has the 75 functions, each of which checks
//! what it was given, catches panics, and turns errors into negative error numbers.
//!
//! The questions are answered by `modutils`. What this crate adds is what C needs and Rust does not: objects
//! with reference counts, strings that stay where they are, lists, callbacks, and `errno`.

#![cfg_attr(
    not(test),
    deny(
        clippy::exit,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used,
    )
)]

mod configuration;
mod context;
mod facts;
mod ffi;
mod list;
mod log;
mod module;
mod probe;
mod text;
