//! The same call on ours and on the packaged kmod 34.2, in the same root, compared.
//!
//! Where we deliberately differ (docs/differences.md) a test states what either side does. These tests need root,
//! for chroot(2), and what `cargo xtask fetch` fetches. With `MODUTILS_KMOD` naming the packaged kmod itself they
//! compare it with itself, which tests the tests.

mod bench;
mod depmod_d;
mod depmod_modules;
mod depmod_options;
mod foreign_text;
mod matrix;
mod modinfo_options;
mod modprobe_basic;
mod modprobe_config;
mod other_tools;
mod scripts;
mod trees;
