//! Walks over the configuration, and what it sets for modules.

use crate::world::script;

/// Lines of every kind, some of them malformed.
const LINES: &str = "\
alias al-* a-b
alias x[a-z]-b y
blacklist b-l
options o-p  a=1   b
options q\tc=2 \\
  continued
options q d
install in-* echo $CMDLINE_OPTS; x
install z  /bin/true 
remove r cmd
softdep s-o pre: a-x b post: c
softdep t foo pre: b
softdep u post: x pre: y
weakdep w a  b-c
weakdep v  x
badline
include foo
";

#[test]
fn a_walk_gives_the_lines_of_a_directive() {
    script("new 0 -\nconfig 0\nnew 1 /nowhere none\nconfig 1")
        .config(LINES)
        .file("proc/cmdline", "q.e=5 q.flag bad. x-y.z=\"a b\" modprobe.blacklist=fo-o,ba_r quiet\n")
        .differs(&[
            // Names of the kernel command line are normalised like others.
            ("    fo-o => NULL\n", "    fo_o => NULL\n"),
            // A blank stands between the names of both sides.
            ("    soft_one => pre: basepost: alone\n", "    soft_one => pre: base post: alone\n"),
            ("    s_o => pre: a-x bpost: c\n", "    s_o => pre: a-x b post: c\n"),
            ("    u => pre: ypost: x\n", "    u => pre: y post: x\n"),
            ("    fo-o => NULL\n", "    fo_o => NULL\n"),
        ])
        .compare();
}

#[test]
fn files_come_in_the_order_of_their_names_and_hide_each_other() {
    let line = |text: &str| format!("options {text}\n");
    script("new 0 -\nconfig 0\nnew 1 - /x/b.conf /x/dir /x/a /missing\nconfig 1\nnew 2 - none\nconfig 2")
        .file("etc/modprobe.d/b.conf", line("etc b=1"))
        .file("run/modprobe.d/b.conf", line("run b=1"))
        .file("run/modprobe.d/a.conf", line("run a=1"))
        .file("usr/local/lib/modprobe.d/c.conf", line("local c=1"))
        .file("usr/lib/modprobe.d/d.conf", line("usr d=1"))
        .file("lib/modprobe.d/0.conf", line("lib zero=1"))
        .file("etc/modprobe.d/no-configuration", line("no n=1"))
        .file("x/b.conf", line("x b=1"))
        .file("x/a", line("x a=1"))
        .file("x/dir/b.conf", line("dir b=1"))
        .file("x/dir/c.conf", line("dir c=1"))
        .differs(
            &[("basepost", "base post"), ("basepost", "base post"), ("basepost", "base post")].map(SOFT_ONE),
        )
        .compare();
}

/// The line of the module directory, which both have in each context.
const SOFT_ONE: fn((&'static str, &'static str)) -> (&'static str, &'static str) =
    |_| ("    soft_one => pre: basepost: alone\n", "    soft_one => pre: base post: alone\n");

#[test]
fn a_module_has_options_commands_and_soft_dependencies() {
    script(
        "new 0 -
        name 0 base 0
        facts 0
        lookup 0 al 0
        get 0 0 1
        facts 1
        name 0 in-one 2
        facts 2
        name 0 inside 3
        facts 3
        name 0 gone 4
        facts 4
        name 0 top-most 5
        needs 5
        name 0 soft-one 6
        needs 6
        name 0 other 7
        needs 7
        name 0 needs-gone 8
        needs 8
        name 0 inside 9
        needs 9
        name 0 once 10
        needs 10",
    )
    .config(
        "alias al base\noptions base a=1\noptions al b=2\noptions ba* c=3\ninstall in-* first\ninstall in-one second\n\
         remove in-one one\nremove in_* two\nsoftdep once pre: twin nothing base post: inside-alias\n\
         weakdep once nothing twin alone\n",
    )
    .file("proc/cmdline", "base.z=9 base.y\n")
    .compare();
}

#[test]
fn all_softdep_and_weakdep_lines_count() {
    script("new 0 -\nname 0 my-own 0\nneeds 0")
        .config(
            "softdep my-own pre: base\nsoftdep my* pre: twin post: mid\nweakdep my-own base\nweakdep my* mid alone\n",
        )
        .differs(&[("  pre base\n  post\n", "  pre base alone other\n  post mid\n"), ("  weak base\n", "  weak base mid alone\n")])
        .compare();
}
