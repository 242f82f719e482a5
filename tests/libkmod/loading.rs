//! Loading and removing modules, on a fake kernel; the system calls of both are compared.

use testkit::Errno;

use crate::world::script;

#[test]
fn a_module_is_given_to_the_kernel_and_removed() {
    script(
        "new 0 -
        name 0 base 1
        name 0 mid 2
        name 0 alone 3
        name 0 inside 4
        name 0 nothing 5
        insert 1 0 -
        insert 1 0 -
        insert 2 0 m=1
        insert 3 3 -
        insert 4 0 -
        insert 5 0 -
        name 0 packed 6
        insert 6 0 x
        name 0 pressed 7
        insert 7 0xff00 x
        name 0 foreign 8
        insert 8 0 -
        insert 8 1 -
        name 0 gone 9
        insert 9 0 -
        remove 1 0
        remove 2 0
        remove 1 0
        remove 1 0
        remove 3 512
        remove 5 2048
        remove 5 1
        loaded 0 1",
    )
    .compare();
}

#[test]
fn an_old_kernel_gets_the_image() {
    script("new 0 -\nname 0 alone 1\ninsert 1 0 a=1\nname 0 foreign 2\ninsert 2 3 -\nname 0 packed 3\ninsert 3 0 -")
        .kernel(|kernel| {
            kernel.finit_fails(Errno::ENOSYS);
        })
        .compare();
    script("new 0 -\nname 0 packed 1\ninsert 1 0 a=1\nname 0 pressed 2\ninsert 2 3 -")
        .kernel(|kernel| {
            kernel.decompresses(testkit::Compression::Xz);
        })
        .compare();
}

#[test]
fn a_module_is_loaded_with_all_it_needs() {
    script(
        "new 0 -
        name 0 inside 1
        probe 1 0 - -
        probe 1 32 - -
        name 0 nothing 2
        probe 2 0 - -
        probe 2 16 - -
        name 0 top-most 3
        probe 3 16 - -
        probe 3 16 b=1 -
        probe 3 24 - -
        probe 3 0 b=2 -
        probe 3 0 - -
        probe 3 32 - -
        probe 3 40 - -
        name 0 soft-one 4
        probe 4 16 - -
        probe 4 20 - -
        probe 4 0 - -
        loaded 0 1",
    )
    .compare();
}

#[test]
fn a_dependency_that_is_refused_stops_it_and_a_soft_one_does_not() {
    script("new 0 -\nname 0 top-most 1\nprobe 1 0 - -\nname 0 soft-one 2\nprobe 2 0 - -\nloaded 0 1")
        .kernel(|kernel| {
            kernel.refuse_load("mid", Errno::EINVAL).refuse_load("alone", Errno::ENODEV);
        })
        .compare();
}

const BLACKLISTS: &str = "alias al alone\nblacklist alone\nblacklist base\nblacklist al\noptions al q=2\n";

#[test]
fn blacklists_apply_as_the_flags_have_it() {
    script(
        "new 0 -
        name 0 top-most 1
        probe 1 0x10010 - -
        probe 1 0x20010 - -
        probe 1 0x40010 - -
        lookup 0 al 0
        get 0 0 2
        probe 2 0x40010 - -
        probe 2 0x20010 - -
        probe 2 0x10010 - -
        name 0 alone 3
        probe 3 0x40010 - -
        probe 3 0x70010 - -
        probe 3 0x30010 - -
        probe 3 0x50000 - -
        probe 1 0x10000 - -
        name 0 soft-one 4
        probe 4 0x10000 - -
        probe 3 0 - -
        probe 3 0x10000 - -
        loaded 0 1",
    )
    .config(BLACKLISTS)
    .compare();
}

#[test]
fn install_commands_are_run_in_a_modules_place() {
    script(
        "new 0 -
        name 0 withcmd 1
        probe 1 0x10 - -
        probe 1 0x10 o=2 -
        probe 1 0 o=2 0
        probe 1 0 o=2 7
        probe 1 0 - -5
        probe 1 4 - -5
        name 0 cmdopts 2
        probe 2 0 - 0
        probe 2 0 c=3 0
        probe 2 0 c=3 -
        name 0 failing 3
        probe 3 0 - -
        name 0 top-most 4
        probe 4 0 - 4
        probe 4 0 - -3
        probe 4 0 - -",
    )
    .config(
        "install withcmd echo \"hello\"\noptions withcmd n=1\n\
         install cmdopts echo with $CMDLINE_OPTS and $CMDLINE_OPTS; echo $MODPROBE_MODULE\noptions cmdopts z=3\n\
         install failing exit 3\ninstall mid echo mid $CMDLINE_OPTS\noptions mid m=9\n",
    )
    .differs(&[
        ("  install withcmd \"n=1 \"\n", "  install withcmd \"n=1\"\n"),
        ("  install withcmd \"n=1 \"\n", "  install withcmd \"n=1\"\n"),
        ("  insmod withcmd \"n=1 \"\n", "  insmod withcmd \"n=1\"\n"),
        ("  install cmdopts \"z=3 \"\n", "  install cmdopts \"z=3\"\n"),
        ("  install mid \"m=9 \"\n", "  install mid \"m=9\"\n"),
        ("  install mid \"m=9 \"\n", "  install mid \"m=9\"\n"),
        ("  install mid \"m=9 \"\n", "  install mid \"m=9\"\n"),
    ])
    .compare();
}

#[test]
fn soft_dependencies_do_not_disable_an_install_command() {
    script("new 0 -\nname 0 softcmd 1\nprobe 1 0x10 - 0\nprobe 1 0x14 - 0\nprobe 1 0 - 0\nloaded 0 1")
        .config("install softcmd run soft\nsoftdep softcmd pre: base post: alone\n")
        .differs(&[
            ("  insmod softcmd \"\"\n", "  install softcmd \"\"\n"),
            (
                "probe 1 0 - 0\n  insmod base \"\"\n  insmod softcmd \"\"\n  probe ENOENT\n",
                "probe 1 0 - 0\n  insmod base \"\"\n  install softcmd \"\"\n  run softcmd: run soft\n  insmod alone \"\"\n  probe 0\n",
            ),
            ("  modules base\n", "  modules alone base\n"),
        ])
        .compare_output();
}

#[test]
fn a_command_killed_by_a_signal_failed() {
    script("new 0 -\nname 0 killed 1\nprobe 1 0 - -")
        .config("install killed kill -9 $$\n")
        .differs(&[("  probe 0\n", "  probe EINVAL\n")])
        .compare();
}

#[test]
fn a_denied_module_is_not_loaded_whoever_asks() {
    let ours = script("new 0 -\nname 0 top-most 1\nprobe 1 0 - -\nname 0 base 2\nprobe 2 0 - -\nprobe 2 0x10 - -\nloaded 0 1")
        .file("etc/modutils.d/d.conf", "deny base not on this machine\n")
        .run(testkit::Side::Ours);
    assert!(ours.output.contains("probe EPERM\nname 0 base 2"), "{}", ours.output);
    assert!(ours.output.ends_with("  modules\n") && ours.calls.is_empty(), "{}", ours.output);
    assert!(ours.errors.contains("denied by /etc/modutils.d/d.conf line 1"), "{}", ours.errors);
}
