//! modprobe: its environment and the kernel command line.

use super::{Case, Claim, Compare, Row, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [environment(), cmdline()].concat()
}

fn environment() -> Vec<Case> {
    let show = "install alone echo \"<$MODPROBE_OPTIONS>\" \"<$MODPROBE_MODULE>\"\\n";
    vec![
        works("modprobe $MODPROBE_OPTIONS", "an option", "alone").env("MODPROBE_OPTIONS", "-v"),
        works("modprobe $MODPROBE_OPTIONS", "several", "alone")
            .env("MODPROBE_OPTIONS", "  -v   --show-depends ")
            .differs(
                Row::BlankOptions,
                &[Claim::Prints("insmod @/alone.ko \n")],
                &[Claim::Exit(1), Claim::Reports("Module  not found")],
            ),
        works("modprobe $MODPROBE_OPTIONS", "quoted", "-D alone")
            .env("MODPROBE_OPTIONS", "-C '/tmp/a b'")
            .file("tmp/a b", "options alone x=1\\n"),
        works("modprobe $MODPROBE_OPTIONS", "double quotes", "-D alone")
            .env("MODPROBE_OPTIONS", "-C \"/tmp/a b\"")
            .file("tmp/a b", "options alone x=1\\n"),
        works("modprobe $MODPROBE_OPTIONS", "a name", "x=1").env("MODPROBE_OPTIONS", "-v alone"),
        works("modprobe $MODPROBE_OPTIONS", "empty", "alone").env("MODPROBE_OPTIONS", ""),
        works("modprobe $MODPROBE_OPTIONS", "blanks only", "alone").env("MODPROBE_OPTIONS", "   ").differs(
            Row::BlankOptions,
            &[Claim::Loaded("alone")],
            &[Claim::Exit(1), Claim::Reports("Module  not found")],
        ),
        fails("modprobe $MODPROBE_OPTIONS", "an unknown option", "alone")
            .env("MODPROBE_OPTIONS", "--nonsense"),
        fails("modprobe $MODPROBE_OPTIONS", "an unbalanced quote", "-v alone")
            .env("MODPROBE_OPTIONS", "-C '/tmp/a b")
            .quietly(),
        fails("modprobe $MODPROBE_OPTIONS", "a missing value", "").env("MODPROBE_OPTIONS", "-C"),
        combined("modprobe $MODPROBE_OPTIONS", "quotes within a word", "-D alone")
            .env("MODPROBE_OPTIONS", "--config='/tmp/a b'")
            .file("tmp/a b", "options alone x=1\\n"),
        combined("modprobe $MODPROBE_OPTIONS", "a tab", "alone").env("MODPROBE_OPTIONS", "-v\\t-D"),
        combined("modprobe $MODPROBE_OPTIONS", "a backslash", "-D alone")
            .env("MODPROBE_OPTIONS", "-C /tmp/a\\\\ b")
            .file("tmp/a b", "options alone x=1\\n"),
        combined("modprobe $MODPROBE_OPTIONS", "argv comes after", "-D -S 6.12.0-fake alone")
            .env("MODPROBE_OPTIONS", "-S 1.2.3"),
        combined("modprobe $MODPROBE_OPTIONS", "-- ends options", "-v alone").env("MODPROBE_OPTIONS", "--"),
        combined("modprobe $MODPROBE_OPTIONS", "not UTF-8", "-v alone")
            .env("MODPROBE_OPTIONS", "-C /tmp/\\xff")
            .bytes("tmp/x", *b""),
        combined("modprobe $MODPROBE_OPTIONS", "passes on -q", "-q alone").config(show),
        combined("modprobe $MODPROBE_OPTIONS", "passes on -v", "-v alone")
            .config(show)
            .compare(Compare::Lines),
        combined("modprobe $MODPROBE_OPTIONS", "passes on -vvv", "-vvv alone")
            .config(show)
            .compare(Compare::Lines),
        combined("modprobe $MODPROBE_OPTIONS", "passes on -s", "-s alone").config(show),
        combined("modprobe $MODPROBE_OPTIONS", "passes on -C", "-C /tmp/mine alone").file("tmp/mine", show),
        combined("modprobe $MODPROBE_OPTIONS", "passes on two -C", "-C /tmp/mine -C /tmp/more alone")
            .file("tmp/mine", show)
            .file("tmp/more", ""),
        combined("modprobe $MODPROBE_OPTIONS", "passes on -C with a blank", "-C /tmp/a\\sb alone")
            .file("tmp/a b", show),
        combined("modprobe $MODPROBE_OPTIONS", "passes on what it was given", "-q alone")
            .env("MODPROBE_OPTIONS", "-b")
            .config(show),
        combined("modprobe $MODPROBE_OPTIONS", "does not pass on -b -i -f", "-b -f middle")
            .config("install lower echo \"<$MODPROBE_OPTIONS>\"\\n"),
        combined("modprobe $MODPROBE_OPTIONS", "in a nested call", "-v alone x=1")
            .config("install alone /sbin/modprobe lower; /sbin/modprobe -i alone $CMDLINE_OPTS\\n")
            .compare(Compare::Lines),
        works("modprobe $MODPROBE_MODULE", "in an install command", "alone")
            .config("install alone echo $MODPROBE_MODULE\\n"),
        works("modprobe $MODPROBE_MODULE", "in a remove command", "-r alone")
            .config("remove alone echo $MODPROBE_MODULE\\n")
            .loaded("alone"),
        works("modprobe $MODPROBE_MODULE", "with underscores", "dash-ed")
            .config("install dash-ed echo $MODPROBE_MODULE\\n"),
        fails("modprobe $MODPROBE_MODULE", "in a command that fails", "alone")
            .config("install alone echo $MODPROBE_MODULE; false\\n"),
        combined("modprobe $MODPROBE_MODULE", "through an alias", "alone-alias")
            .config("install alone echo $MODPROBE_MODULE\\n"),
        combined("modprobe $MODPROBE_MODULE", "of a pattern", "twins:1")
            .config("install twin* echo $MODPROBE_MODULE\\n"),
        combined("modprobe $MODPROBE_MODULE", "of a dependency", "upper")
            .config("install lower echo $MODPROBE_MODULE; /sbin/modprobe -i lower\\n"),
        combined("modprobe $MODPROBE_MODULE", "what is no module", "nothing")
            .config("install nothing echo $MODPROBE_MODULE\\n"),
        combined("modprobe $MODPROBE_MODULE", "from outside", "alone")
            .env("MODPROBE_MODULE", "outside")
            .config("install alone echo $MODPROBE_MODULE\\n"),
    ]
}

fn cmdline() -> Vec<Case> {
    let filler = |length: usize| format!("{} alone.late=1", "x".repeat(length));
    let parameters = "modprobe cmdline-parameters";
    let blacklist = "modprobe cmdline-blacklist";
    vec![
        works(parameters, "a value", "-D alone").cmdline("quiet alone.depth=3 ro"),
        works(parameters, "no value", "-D alone").cmdline("alone.flag"),
        works(parameters, "several", "-D alone").cmdline("alone.a=1 alone.b=2 lower.c=3"),
        works(parameters, "a dash in the module", "-D dash_ed").cmdline("dash-ed.x=1"),
        works(parameters, "a dash in the parameter", "-D alone").cmdline("alone.some-thing=1"),
        works(parameters, "quotes in the value", "-D alone").cmdline("alone.x=\"a b\" alone.y=1"),
        works(parameters, "quotes around it, as grub writes", "-D alone")
            .cmdline("\"alone.x=a b\" alone.y=1"),
        works(parameters, "shown", "-c").cmdline("quiet alone.depth=3 \"lower.x=a b\" side.flag"),
        fails(parameters, "a dot in the parameter", "-c").cmdline("alone.x.y=1 lower.z=2").quietly(),
        fails(parameters, "an unbalanced quote", "-c").cmdline("alone.x=\"a b lower.y=1").quietly(),
        fails(parameters, "an unbalanced quote before", "-c").cmdline("\"alone.x=a b lower.y=1").quietly(),
        fails(parameters, "no module", "-c").cmdline(".x=1 .=2 =3 . .. alone.y=4").quietly(),
        fails(parameters, "an unmatched bracket", "-c").cmdline("al[one.x=1 lower.y=2").differs(
            Row::UnreadableConfig,
            &[Claim::Exit(0), Claim::Reports("al[one")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        fails(parameters, "an empty line", "-c").cmdline("").quietly(),
        fails(parameters, "no file", "-c").delete("proc/cmdline").quietly(),
        combined(parameters, "with options and argv", "-D alone z=3")
            .config("options alone x=1\\n")
            .cmdline("alone.y=2"),
        combined(parameters, "a dot in the value", "-c").cmdline("alone.x=1.2.3 root=/dev/sda.1 lower.y=a.b"),
        combined(parameters, "no value and a dot in a value", "-c").cmdline("alone. alone.x= lower.y"),
        combined(parameters, "no parameter before another", "-D alone").cmdline("alone. alone.x=1 alone."),
        combined(parameters, "a quote within a value", "-c").cmdline("alone.x=a\"b c\"d lower.y=1"),
        combined(parameters, "--", "-c").cmdline("alone.x=1 -- lower.y=2"),
        combined(parameters, "no new line at the end", "-c").bytes("proc/cmdline", *b"alone.x=1"),
        combined(parameters, "two lines", "-c").bytes("proc/cmdline", *b"alone.x=1\nlower.y=2\n"),
        combined(parameters, "blanks and tabs", "-c").cmdline("  alone.x=1 \\t lower.y=2  "),
        combined(parameters, "an equals sign in the value", "-c").cmdline("alone.x=a=b"),
        combined(parameters, "an equals sign before the dot", "-c")
            .cmdline("ip=1.2.3.4 root=UUID=a.b alone.x=1"),
        combined(parameters, "of the kernel itself", "-c")
            .cmdline("libata.force=1 module.sig_enforce=1 module_blacklist=alone"),
        combined(parameters, "not UTF-8", "-c").cmdline("alone.x=\\xff\\x80"),
        combined(parameters, "through an alias's name", "-D alone-alias").cmdline("alone-alias.x=1"),
        combined(parameters, "4,000 bytes", "-D alone").cmdline(&filler(4000)),
        combined(parameters, "4,094 bytes and a new line", "-D alone").cmdline(&filler(4094 - 13)),
        combined(parameters, "4,095 bytes and a new line", "-D alone").cmdline(&filler(4095 - 13)),
        combined(parameters, "4,096 bytes and a new line", "-D alone").cmdline(&filler(4096 - 13)).differs(
            Row::LongCommandLine,
            &[Claim::Prints("insmod @/alone.ko late=1 \n")],
            &[Claim::Prints("insmod @/alone.ko late= \n")],
        ),
        combined(parameters, "5,000 bytes", "-D alone").cmdline(&filler(5000)).differs(
            Row::LongCommandLine,
            &[Claim::Prints("insmod @/alone.ko late=1 \n")],
            &[Claim::Prints("insmod @/alone.ko \n")],
        ),
        combined(parameters, "5,000 bytes, the parameter first", "-D alone")
            .cmdline(&format!("alone.x=1 {}", "y".repeat(5000))),
        combined(parameters, "5,000 bytes of one value", "-D alone")
            .cmdline(&format!("alone.x={}", "y".repeat(5000)))
            .differs(Row::LongCommandLine, &[Claim::Exit(0)], &[Claim::Exit(0)]),
        works(blacklist, "one", "alone-alias").cmdline("modprobe.blacklist=alone"),
        works(blacklist, "several", "-b -a alone lower side").cmdline("modprobe.blacklist=alone,lower"),
        works(blacklist, "shown", "-c").cmdline("modprobe.blacklist=alone,lower modprobe.blacklist=side"),
        fails(blacklist, "empty", "-c").cmdline("modprobe.blacklist= alone.x=1").quietly(),
        fails(blacklist, "no value", "-c").cmdline("modprobe.blacklist alone.x=1").quietly(),
        fails(blacklist, "commas only", "-c").cmdline("modprobe.blacklist=,,").quietly(),
        combined(blacklist, "a dash", "usb:v1234-p1").cmdline("modprobe.blacklist=dash-ed").differs(
            Row::CmdlineBlacklistDash,
            &[Claim::Exit(0), Claim::Loaded("")],
            &[Claim::Exit(0), Claim::Loaded("dash_ed")],
        ),
        combined(blacklist, "quoted", "-c").cmdline("modprobe.blacklist=\"alone,lower\" alone.x=1").differs(
            Row::CmdlineQuotes,
            &[Claim::Exit(0), Claim::PrintsLine("blacklist alone\n")],
            &[Claim::Exit(0), Claim::PrintsLine("blacklist \"alone\n")],
        ),
        combined(blacklist, "quoted as grub writes", "-c")
            .cmdline("\"modprobe.blacklist=alone,lower\" alone.x=1")
            .differs(
                Row::CmdlineQuotes,
                &[Claim::Exit(0), Claim::PrintsLine("blacklist alone\n")],
                &[Claim::Exit(0), Claim::PrintsLine("blacklist \"alone\n")],
            ),
        combined(blacklist, "empty ones between", "-c").cmdline("modprobe.blacklist=,alone,,lower,"),
        combined(blacklist, "with -C", "-C /dev/null alone-alias").cmdline("modprobe.blacklist=alone"),
        combined(blacklist, "another parameter of modprobe", "-c").cmdline("modprobe.something=1"),
        combined(blacklist, "the kernel's own", "alone-alias").cmdline("module_blacklist=alone"),
        combined(blacklist, "with blacklist lines", "-c")
            .config("blacklist side\\n")
            .cmdline("modprobe.blacklist=alone"),
    ]
}
