//! Finding modules: lookups, names, paths, and lists of them.

use crate::world::script;

#[test]
fn a_lookup_searches_one_source_after_the_other() {
    script(
        "new 0 -
        lookup 0 base 0
        lookup 0 top-most 0
        lookup 0 top_most 0
        lookup 0 top-aliasa-x 1
        lookup 0 twin 2
        list 2
        lookup-again 0 twin 2
        lookup 0 pci:v00001AF4d00001000sv00 3
        lookup 0 symbol:base_sym 3
        lookup 0 symbol:absent 3
        lookup 0 inside 3
        lookup 0 inside-alias 3
        lookup 0 nothing 3
        lookup 0 % 3
        lookup 0 %2A 3
        lookup 0 a[b 3
        lookup 0 a]b 3
        lookup 0 base.ko 3
        lookup 0 BASE 3
        lookup 0 inst-a 3
        lookup 0 inst-b 3
        lookup 0 al1 3
        lookup 0 rem 3
        lookup 0 mid 3
        lookup 0 dup 4",
    )
    .config(
        "alias al1 al2\nalias mid other\nalias al2 zzz\nalias du? base\nalias dup inside\nalias dup mid\nalias d* base\n\
         install inst-a x\ninstall inst* y\nremove rem x\n",
    )
    .compare();
}

#[test]
fn lists_of_modules_are_filtered() {
    script(
        "new 0 -
        lookup 0 dup 0
        filter 0 0
        filter 0 1
        filter 0 2
        filter 0 3
        filter 0 0xfc
        list 0
        free 0
        lookup 0 fo-o 0
        filter 0 1",
    )
    .config("alias dup inside\nalias dup mid\nalias dup base\nblacklist base\nblacklist dup\nalias fo-o fo-o\nalias fo-o mid\n")
    .file("proc/cmdline", "modprobe.blacklist=fo-o\n")
    // The packaged library does not normalise names of the kernel command line.
    .differs(&[("  kept fo_o mid\n", "  kept mid\n"), ("  kept fo_o mid\n", "  kept mid\n")])
    .compare();
}

#[test]
fn there_is_one_object_for_a_name() {
    script(
        "new 0 -
        name 0 base 0
        name 0 ba-se.ko 1
        name 0 base 2
        same 0 2
        lookup 0 base 0
        get 0 0 3
        same 0 3
        lookup 0 twin 1
        lookup 0 twin 2
        get 1 0 4
        get 2 0 5
        same 4 5
        name 0 alone 6
        same 4 6
        path 0 /lib/modules/6.12.0-test/kernel/base.ko 7
        same 0 7
        module-unref 0
        module-unref 2
        module-unref 3
        free 0
        module-unref 7",
    )
    .compare();
}

#[test]
fn any_name_is_one() {
    script("new 0 -\nname 0 % 0\nname 0 - 0\nname 0 x/y 1\nname 0 .ko 2\nname 0 a%20b 3\nname 0 %FF%01 4")
        .compare();
    let long = "x".repeat(4000);
    script(&format!("new 0 -\nname 0 {long} 0\nfacts 0\nlookup 0 {long} 0")).compare();
}

#[test]
fn a_name_is_looked_up_as_it_is() {
    script(
        "new 0 -
        name-lookup 0 base 0
        name-lookup 0 base.ko.xz 0
        name-lookup 0 top-most 0
        name-lookup 0 inside 0
        name-lookup 0 inside-alias 0
        name-lookup 0 twin 0
        name-lookup 0 al 0
        name-lookup 0 nothing 0
        name-lookup 0 % 0",
    )
    .config("alias al base\n")
    .compare();
}

#[test]
fn a_path_becomes_that_of_the_modules_name() {
    script(
        "new 0 -
        path 0 /lib/modules/6.12.0-test/kernel/base.ko 0
        path 0 /lib/modules/6.12.0-test/kernel/../kernel/base.ko 1
        path 0 lib/modules/6.12.0-test/kernel/mid.ko 2
        path 0 /nowhere/x.ko 3
        path 0 % 3
        path 0 script 4
        path 0 /dev/null 5
        name 0 alone 6
        path 0 /else/alone.ko 7
        same 6 7
        facts 6
        name 0 other 8
        facts 8
        path 0 /else/other.ko 9",
    )
    .file("else/alone.ko", "")
    .file("else/other.ko", "")
    .compare();
    // A directory is no module.
    script("new 0 -\npath 0 /etc 0")
        .differs(&[(
            "  path 0\n  module \"etc\"\n  at \"/etc\"\n",
            "  path EISDIR\n  module NULL\n  at NULL\n",
        )])
        .compare();
}

#[test]
fn a_damaged_index_is_an_error() {
    let ours =
        script("new 0 -\nload 0\nlookup 0 base 0\nlookup 0 inside-alias 0\nname 0 base 0\nfacts 0\nneeds 0")
            .file("lib/modules/6.12.0-test/modules.dep.bin", "this is no index at all")
            .differs(&[
                ("lookup 0 base 0\n  lookup 0\n", "lookup 0 base 0\n  lookup EINVAL\n"),
                (
                    "lookup 0 inside-alias 0\n  lookup 0\n  found inside\n",
                    "lookup 0 inside-alias 0\n  lookup EINVAL\n  found\n",
                ),
            ])
            .compare();
    assert!(ours.errors.contains("modules.dep.bin: "), "{}", ours.errors);
}
