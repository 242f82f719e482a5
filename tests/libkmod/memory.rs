//! Memory: the scripts of misuse and of every function under valgrind, and with gcc's AddressSanitizer on the C side.

use std::path::Path;

use testkit::surroundings;

use crate::world::{self, RELEASE};

/// A call of each function, on a module directory outside of a root.
fn script(directory: &str) -> String {
    format!(
        "new 0 {directory} none
        null
        ref 0
        unref 0
        dirname 0
        load 0
        validate 0
        log 0 data
        config 0
        lookup 0 top-most 0
        lookup 0 twin 1
        lookup-again 0 twin 1
        list 1
        filter 1 3
        get 1 1 1
        facts 1
        get 0 0 2
        facts 2
        needs 2
        info 2
        versions 2
        symbols 2
        needed 2
        mixed 2
        state 2
        probe 2 0x18 a=1 0
        lookup 0 pci:v00001AF4d00001000sv00 3
        name-lookup 0 mid 4
        path 0 {directory}/kernel/signed.ko 5
        info 5
        path 0 {directory}/kernel/broken.ko 6
        info 6
        path 0 {directory}/kernel/packed.ko.xz 7
        needed 7
        path 0 {directory}/kernel/pressed.ko.zst 8
        symbols 8
        lookup 0 base 15
        occupied 2 i
        dump 0 0
        dump 0 1
        unload 0
        dump 0 2
        descriptors
        loaded 0 9
        free 0
        free 1
        free 3
        free 9
        free 15
        module-unref 1
        module-unref 2
        module-unref 4
        module-unref 5
        module-unref 6
        module-unref 7
        module-unref 8
        unref 0"
    )
    .lines()
    .map(|line| format!("{}\n", line.trim()))
    .collect()
}

/// Runs a program with the script and returns what it printed on standard error.
fn run(directory: &Path, program: &mut std::process::Command) -> String {
    let modules = directory.join("lib/modules").join(RELEASE);
    world::write_module_directory(directory);
    let path = directory.join("script");
    std::fs::write(&path, script(&modules.to_string_lossy())).expect("a file of our own");
    let output = program.arg(&path).output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {errors}\n{printed}", output.status);
    assert!(printed.contains("  pre base\n") || printed.contains("dependencies base mid"), "{printed}");
    errors
}

#[test]
fn valgrind_finds_no_error_and_no_leak() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let driver = world::driver();
    let library = driver.parent().expect("a directory").to_string_lossy().into_owned();
    let mut valgrind =
        surroundings::program_with("valgrind", &[("LD_LIBRARY_PATH", std::ffi::OsStr::new(&library))]);
    valgrind.args([
        "--quiet",
        "--error-exitcode=9",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect,possible",
    ]);
    valgrind.args(["--errors-for-leak-kinds=definite,indirect,possible"]).arg(driver);
    let errors = run(directory.path(), &mut valgrind);
    assert!(!errors.contains("=="), "{errors}");
}

#[test]
fn the_sanitizer_of_gcc_finds_no_error_and_no_leak() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("drive");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/libkmod/drive.c");
    world::compile(&program, &[source], &["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]);
    let library = world::driver().parent().expect("a directory").as_os_str().to_owned();
    let mut command = surroundings::program_with(
        "env",
        &[("LD_LIBRARY_PATH", &library), ("ASAN_OPTIONS", "detect_leaks=1".as_ref())],
    );
    let errors = run(directory.path(), command.arg(&program));
    assert!(!errors.contains("Sanitizer") && !errors.contains("runtime error"), "{errors}");
}
