//! Compiles the static binary's allocator. mimalloc's settings are given to the compiler here: CFLAGS, RUSTFLAGS and
//! cargo's configuration add to them and replace none.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_MIMALLOC_INCLUDE_DIR");
    // Only x86-64 has it among its dependencies.
    let Ok(include) = std::env::var("DEP_MIMALLOC_INCLUDE_DIR") else { return };
    let sources = Path::new(&include).with_file_name("src");
    cc::Build::new()
        .include(&include)
        .include(&sources)
        .file(sources.join("static.c"))
        // By default it reserves a gibibyte of address space, which a limit may not leave for the rest of the process.
        .define("MI_DEFAULT_ARENA_RESERVE", "0")
        // By default it reads its options from the environment, and prints what they ask for.
        .define("MI_NO_GETENV", "1")
        .define("MI_NO_THP", "1")
        .define("MI_DEBUG", "0")
        .define("MI_BUILD_RELEASE", None)
        .define("NDEBUG", None)
        .flag_if_supported("-ftls-model=initial-exec")
        // The profile of the whole binary is for its size; every tool waits for this.
        .opt_level(3)
        .warnings(false)
        .compile("allocator");
}
