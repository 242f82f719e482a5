//! What the fuzz targets share: a bound on memory, files without a disk, modules and indexes to damage, and the
//! properties that hold of whatever a parser makes of hostile bytes.
//!
//! A property that does not hold panics, and libFuzzer keeps the input.

#![deny(unsafe_code)]

pub mod files;
pub mod glibc;
pub mod index;
pub mod memory;
pub mod module;
pub mod patch;
