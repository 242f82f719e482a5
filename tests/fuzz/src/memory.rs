//! A bound on the memory that Rust code takes.
//!
//! libFuzzer's own `-malloc_limit_mb` needs a sanitizer, which stable compilers do not have. What the C libraries
//! take (xz, zstd) is not counted here; `-rss_limit_mb` bounds the process as a whole.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Runs `work`, which may hold `bytes` more than is held now. What wants more aborts, and is a finding; a
/// `try_reserve` that fails is an error of the library's, as it would be on a small machine.
pub fn within<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let limit = ALLOCATOR.allocated().saturating_add(bytes);
    let set = ALLOCATOR.set_limit(limit);
    assert!(set.is_ok(), "a limit above what is allocated");
    let result = work();
    let _ = ALLOCATOR.set_limit(usize::MAX);
    result
}
