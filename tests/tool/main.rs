//! Tests only of our tools: what kmod does not do, or does wrong (docs/differences.md).
//!
//! Tests of both sides are in `compliance/`. The root they run in has the C library of the packaged kmod, so these tests need
//! what `cargo xtask fetch` fetches, and root for chroot(2).

mod bounds;
mod check;
mod closure;
mod commands;
mod completions;
mod deny;
mod depmod;
mod depmod_cache;
mod device;
mod documents;
mod durable;
mod explain;
mod faults;
mod json;
mod messages;
mod modinfo;
mod modprobe;
mod not_found;
mod pressure;
mod privileges;
mod root;
mod terminal;
