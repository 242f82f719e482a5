//! Our libkmod.so.2 and the packaged one of kmod 34.2, called by the same C program in the same root, compared.
//!
//! `drive.c` takes a script of calls and prints what they return. A test names the lines that differ on purpose
//! (docs/differences.md has them); any other difference fails it, and so does a named one that does not show.

mod calls;
#[expect(dead_code, reason = "only the roots of the cases are for the C library")]
#[path = "../compliance/matrix/cases.rs"]
mod cases;
mod configuration;
mod contexts;
mod facts;
mod finding;
mod hosts;
mod loading;
mod matrix;
mod memory;
mod misuse;
mod running;
mod tree;
mod world;
