//! What the running kernel has of modules.

use testkit::Side;

use crate::world::script;

#[test]
fn the_kernels_view_is_asked_each_time() {
    script(
        "new 0 -
        name 0 base 1
        state 1
        name 0 mid 2
        state 2
        name 0 alone 3
        state 3
        name 0 inside 4
        state 4
        name 0 nothing 5
        state 5
        name 0 other 6
        state 6
        loaded 0 1
        sh echo%20live>/sys/module/other/initstate
        state 6
        states 0",
    )
    .kernel(|kernel| {
        kernel.loaded("base", &[]).loaded("mid", &["base"]).loaded("alone", &[]).state("alone", "going");
    })
    .file("sys/module/other/refcnt", "5\n")
    .file("sys/module/base/sections/.text", "0xffffffffc0000000\n")
    .file("sys/module/base/sections/.data", "0x0000000000000000\n")
    .compare();
}

#[test]
fn the_size_may_come_from_the_list() {
    let list = "old 4096 0 - Live 0x0\nother 8192 1 - Live 0x0\n";
    script("new 0 -\nname 0 old 1\nstate 1\nname 0 other 2\nstate 2\nloaded 0 1")
        .file("sys/module/old/initstate", "live\n")
        .file("proc/modules", list)
        .compare();
}

#[test]
fn without_a_list_of_loaded_modules_there_is_an_error() {
    script("new 0 -\nloaded 0 1").without("proc/modules").compare();
}

#[test]
fn messages_have_no_quotes_around_paths() {
    let errors = |side| script("new 0 -\nname 0 base 1\nstate 1").run(side).errors;
    let theirs = errors(Side::Kmod34);
    assert!(theirs.contains("could not open '/sys/module/base/holders': No such file"), "{theirs}");
    assert_eq!(errors(Side::Ours), theirs.replace('\'', ""));
}
