//! Compiles the piece of C that hands a `va_list` to log functions: stable Rust cannot make one.

fn main() {
    // cargo-fuzz sets it.
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
    println!("cargo::rerun-if-changed=c/log.c");
    cc::Build::new().file("c/log.c").flag_if_supported("-std=c99").warnings(true).compile("kmod_log");
}
