//! What long-lived programs do with the library: threads, fork, dlopen again and again, files that change meanwhile.
//! `host.c` does it; everything on its standard output would be the library's.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use testkit::{Side, cache, surroundings, under_test};

use crate::world::{self, RELEASE};

/// The program, linked with neither library.
fn host() -> &'static Path {
    static PATH: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = PATH.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("host");
        world::compile_alone(&path, concat!(env!("CARGO_MANIFEST_DIR"), "/libkmod/host.c"));
        (directory, path)
    });
    path
}

/// What it does in one way, with the C library that the packaged one needs.
fn run(side: Side, way: &str) -> Output {
    let directory = tempfile::tempdir().expect("a temporary directory");
    world::write_module_directory(directory.path());
    let packaged = cache::reference("kmod34").join("usr/lib/x86_64-linux-gnu");
    let library = if side == Side::Ours { under_test::libkmod() } else { &packaged.join("libkmod.so.2") };
    let mut command = surroundings::program("timeout");
    command.arg("120").arg(packaged.join("ld-linux-x86-64.so.2")).arg("--library-path").arg(&packaged);
    command.arg(host()).arg(library).arg(directory.path().join("lib/modules").join(RELEASE)).arg(way);
    command.output().expect("it starts")
}

#[track_caller]
fn works(side: Side, way: &str) -> String {
    let output = run(side, way);
    let [printed, errors] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{side:?}: {}: {errors}", output.status);
    assert_eq!(printed, "", "{side:?}: printed on standard output");
    errors
}

#[track_caller]
fn works_with_both(way: &str) {
    works(Side::Ours, way);
    works(Side::Kmod34, way);
}

#[test]
fn contexts_work_in_different_threads_at_once() {
    works_with_both("threads");
}

#[test]
fn a_child_uses_what_it_inherited_while_the_parents_threads_are_in_the_library() {
    works_with_both("forks");
}

#[test]
fn it_is_opened_and_closed_again_and_again() {
    works_with_both("reopened");
}

#[test]
fn nothing_is_printed_and_the_process_keeps_its_signals_mask_and_environment() {
    for side in [Side::Ours, Side::Kmod34] {
        let errors = works(side, "untouched");
        assert!(errors.starts_with("libkmod: ERROR"), "{side:?}: {errors}");
    }
}

#[test]
fn an_index_that_is_cut_while_it_is_used_does_not_kill_the_process() {
    works(Side::Ours, "cut");
    // The packaged library maps the files. timeout(1) reports a signal as a shell does.
    const SIGBUS: i32 = 7;
    let status = run(Side::Kmod34, "cut").status;
    assert_eq!(status.code().or(status.signal().map(|number| 128 + number)), Some(128 + SIGBUS), "{status}");
}
