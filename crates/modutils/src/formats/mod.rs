//! What the kernel's build writes and its loader reads, as far as more than one part of the crate needs
//! it: each format is parsed here and nowhere else, each list is here once.

pub mod extension;
#[cfg(feature = "diagnose")]
pub mod kernel_config;
pub mod signature;
pub mod symbol;
#[cfg(feature = "depmod")]
pub mod symvers;
#[cfg(feature = "depmod")]
pub mod system_map;
