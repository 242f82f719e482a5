//! modprobe: how it takes its command line, speaks and falls silent.

use testkit::Errno;

use super::{Case, Claim, Compare, Row, Step, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [voice(), syslog(), helper(), bytes(), getopt()].concat()
}

fn voice() -> Vec<Case> {
    vec![
        works("modprobe --quiet", "loads", "--quiet alone"),
        works("modprobe --quiet", "what is loaded", "-q alone").loaded("alone"),
        fails("modprobe --quiet", "unknown", "--quiet unheard-of"),
        fails("modprobe --quiet", "refused", "-q alone").refuse("alone", Errno::ENODEV),
        fails("modprobe --quiet", "a bad option is reported all the same", "-q --nonsense alone"),
        fails("modprobe --quiet", "nothing given", "-q"),
        combined("modprobe --quiet", "with -v", "-q -v alone"),
        combined("modprobe --quiet", "with -v the other way", "-v -q alone"),
        combined("modprobe --quiet", "with -v, unknown", "-q -v unheard-of"),
        combined("modprobe --quiet", "with -s", "-q -s unheard-of"),
        combined("modprobe --quiet", "with --first-time", "-q --first-time alone").loaded("alone"),
        combined("modprobe --quiet", "with -r and two, the first in use", "-q -r lower alone")
            .chain()
            .loaded("alone"),
        combined("modprobe --quiet", "with a failing command", "-q alone").config("install alone exit 2\\n"),
        combined("modprobe --quiet", "with -R", "-q -R unheard-of"),
        works("modprobe --verbose", "prints what it does", "--verbose upper"),
        works("modprobe --verbose", "removing", "-v -r upper").chain(),
        works("modprobe --verbose", "what is loaded", "-v alone").loaded("alone"),
        fails("modprobe --verbose", "unknown", "--verbose unheard-of"),
        fails("modprobe --verbose", "refused", "-v alone").refuse("alone", Errno::ENODEV),
        combined("modprobe --verbose", "twice", "-vv upper"),
        combined("modprobe --verbose", "three times", "-vvv upper"),
        combined("modprobe --verbose", "removing what is in use", "-v -r lower").chain(),
        combined("modprobe --verbose", "with an alias", "-v alone-alias"),
        combined("modprobe --verbose", "with a path", "-v @/alone.ko"),
    ]
}

fn syslog() -> Vec<Case> {
    vec![
        works("modprobe --syslog", "prints nothing on success", "--syslog alone"),
        works("modprobe --syslog", "with -v prints all the same", "-s -v alone"),
        fails("modprobe --syslog", "logs that it is unknown", "--syslog unheard-of")
            .log_explains("FATAL: Module ", "modprobe:   No module of this kernel has this name or alias."),
        fails("modprobe --syslog", "logs that it is unknown, without causes", "--syslog unheard-of")
            .env("MODUTILS_EXPLAIN", "never"),
        fails("modprobe --syslog", "logs a refusal", "-s alone").refuse("alone", Errno::ENODEV).log_explains(
            "could not insert 'alone': No such device",
            "modprobe:   The module's own initialisation failed: No such device.",
        ),
        fails("modprobe --syslog", "a bad option comes to standard error", "-s --nonsense"),
        fails("modprobe --syslog", "a bad option before -s", "--nonsense -s"),
        fails("modprobe --syslog", "nothing given", "-s"),
        combined("modprobe --syslog", "with -a", "-s -a unheard-of alone other")
            .log_explains("WARNING: Module ", "modprobe:   No module of this kernel has this name or alias."),
        combined("modprobe --syslog", "with -q", "-s -q unheard-of"),
        combined("modprobe --syslog", "with --first-time", "-s --first-time alone").loaded("alone"),
        combined("modprobe --syslog", "with -r, in use", "-s -r lower")
            .chain()
            .log_explains("FATAL: Module lower is in use.", "modprobe:   The module middle uses it"),
        combined("modprobe --syslog", "with a failing command", "-s alone")
            .config("install alone echo shouting >&2; false\\n")
            .log_explains(
                "Error running install command",
                "modprobe:   /etc/modprobe.d/a.conf line 1 has this command run in its place.",
            ),
        combined("modprobe --syslog", "in a nested call", "-s alone")
            .config("install alone /sbin/modprobe unheard-of\\n")
            .log_explains("FATAL: Module ", "modprobe:   No module of this kernel has this name or alias."),
        combined("modprobe --syslog", "a percent sign", "-s un%sheard%n")
            .log_explains("FATAL: Module ", "modprobe:   No module of this kernel has this name or alias."),
        works("modprobe syslog", "standard error closed, success", "alone").step(Step::Closed(2)),
        fails("modprobe syslog", "standard error closed, unknown", "unheard-of")
            .step(Step::Closed(2))
            .log_explains("FATAL: Module ", "modprobe:   No module of this kernel has this name or alias."),
        fails("modprobe syslog", "standard error closed, refused", "alone")
            .refuse("alone", Errno::ENODEV)
            .step(Step::Closed(2))
            .log_explains(
                "could not insert 'alone': No such device",
                "modprobe:   The module's own initialisation failed: No such device.",
            ),
        fails("modprobe syslog", "standard error closed, a bad line", "alone")
            .config("nonsense\\n")
            .step(Step::Closed(2))
            .differs(
                Row::ClosedStderr,
                &[Claim::Exit(0), Claim::Complains("/etc/modprobe.d/a.conf line 1")],
                &[Claim::Exit(0), Claim::Silent],
            ),
        combined("modprobe syslog", "standard error closed and -q", "-q unheard-of").step(Step::Closed(2)),
        combined("modprobe syslog", "everything closed", "unheard-of")
            .step(Step::Closed(0))
            .step(Step::Closed(1))
            .step(Step::Closed(2))
            .log_explains("FATAL: Module ", "modprobe:   No module of this kernel has this name or alias."),
        combined("modprobe syslog", "standard output closed", "-v alone").step(Step::Closed(1)),
        combined("modprobe syslog", "standard error closed, nobody listens", "unheard-of")
            .step(Step::Closed(2))
            .step(Step::NoLog),
        combined("modprobe syslog", "standard error closed, in an install command", "alone")
            .config("install alone /sbin/modprobe unheard-of\\n")
            .step(Step::Closed(2))
            .log_explains("FATAL: Module ", "modprobe:   No module of this kernel has this name or alias."),
    ]
}

fn helper() -> Vec<Case> {
    let called = |case: Case| case.env("HOME", "/").env("TERM", "linux");
    vec![
        called(works("modprobe usermode-helper", "a modalias", "-q -- pci:v0001d0001")),
        called(works("modprobe usermode-helper", "a name", "-q -- fs-alone"))
            .config("alias fs-alone alone\\n"),
        called(works("modprobe usermode-helper", "a character device", "-q -- char-major-10-200")),
        called(fails("modprobe usermode-helper", "unknown", "-q -- net-pf-99")),
        called(fails("modprobe usermode-helper", "refused", "-q -- alone")).refuse("alone", Errno::ENODEV),
        called(fails("modprobe usermode-helper", "a name that starts with a dash", "-q -- -alone")),
        called(combined("modprobe usermode-helper", "blacklisted", "-q -- alone-alias"))
            .config("blacklist alone\\n"),
        called(combined("modprobe usermode-helper", "loaded", "-q -- alone")).loaded("alone"),
        called(combined("modprobe usermode-helper", "with closed streams", "-q -- unheard-of"))
            .step(Step::Closed(0))
            .step(Step::Closed(1))
            .step(Step::Closed(2)),
        called(combined("modprobe usermode-helper", "an install command", "-q -- alone"))
            .config("install alone echo installing\\n"),
        called(combined("modprobe usermode-helper", "a wildcard from the kernel", "-q -- pci:v*d0001*")),
        fails("modprobe sigpipe", "-c", "-c").step(Step::BrokenPipe),
        works("modprobe sigpipe", "nothing to print", "alone").step(Step::BrokenPipe),
        fails("modprobe sigpipe", "-D", "-D upper").step(Step::BrokenPipe),
        fails("modprobe sigpipe", "-v", "-v upper").step(Step::BrokenPipe),
        combined("modprobe sigpipe", "in an install command", "alone")
            .config("install alone echo a; echo b >/tmp/b\\n")
            .step(Step::BrokenPipe)
            .differs(
                Row::KilledCommand,
                &[Claim::Exit(1), Claim::Reports("signal")],
                &[Claim::Exit(0), Claim::Silent],
            ),
        combined("modprobe sigpipe", "-R", "-R twins:1").step(Step::BrokenPipe),
        combined("modprobe sigpipe", "--show-exports", "--show-exports @/lower.ko").step(Step::BrokenPipe),
        combined("modprobe sigpipe", "help", "--help").step(Step::BrokenPipe).compare(Compare::HelpOnStdout),
    ]
}

fn bytes() -> Vec<Case> {
    vec![
        works("modprobe bytes", "in an alias", "m\\xffne").config("alias m\\xffne alone\\n"),
        works("modprobe bytes", "in a parameter", "alone x=\\xc3\\x28"),
        works("modprobe bytes", "in an option", "-D alone").config("options alone x=\\xff\\n"),
        works("modprobe bytes", "in an install command", "alone").config("install alone echo \\xff\\xfe\\n"),
        works("modprobe bytes", "in a path", "@/alone.ko -D x=\\xff"),
        fails("modprobe bytes", "in an unknown name", "un\\xffheard"),
        fails("modprobe bytes", "in a bad line", "alone").config("non\\xffsense\\n"),
        fails("modprobe bytes", "in a directory", "-d /tmp/\\xff alone"),
        fails("modprobe bytes", "in a version", "-S \\xff alone"),
        fails("modprobe bytes", "in an unknown option", "--non\\xffsense"),
        fails("modprobe bytes", "in an unknown short option", "-\\xff"),
        combined("modprobe bytes", "in a parameter with -v", "-v alone x=\\xff"),
        combined("modprobe bytes", "in $CMDLINE_OPTS", "alone x=\\xff")
            .config("install alone echo $CMDLINE_OPTS\\n"),
        combined("modprobe bytes", "control characters in a name", "un\\x1b[31mheard\\x07").differs(
            Row::ControlCharacters,
            &[Claim::Exit(1), Claim::Reports("Module un\\x1b[31mheard\\x07 not found")],
            &[Claim::Exit(1), Claim::Reports("Module un\x1b[31mheard\x07 not found")],
        ),
        combined("modprobe bytes", "control characters in a parameter", "-v alone x=\\x1b[31m"),
        combined("modprobe bytes", "UTF-8", "-v alone x=äöü"),
    ]
}

fn getopt() -> Vec<Case> {
    vec![
        works("modprobe getopt", "options after the name", "upper -v -n"),
        works("modprobe getopt", "bundled", "-nv upper"),
        works("modprobe getopt", "bundled with a value", "-nvS6.12.0-fake upper"),
        works("modprobe getopt", "repeated", "-n -v -n -v upper"),
        works("modprobe getopt", "a value joined", "--set-version=6.12.0-fake -D alone"),
        works("modprobe getopt", "a shortened option with a value", "--set=6.12.0-fake -D alone"),
        works("modprobe getopt", "--show-d", "--show-d alone"),
        works("modprobe getopt", "--show exactly, though others start so", "--show -v alone"),
        fails("modprobe getopt", "unknown long option", "--nonsense alone"),
        fails("modprobe getopt", "unknown long option with a value", "--nonsense=1 alone"),
        fails("modprobe getopt", "unknown short option", "-x alone"),
        fails("modprobe getopt", "unknown in a bundle", "-nx alone"),
        fails("modprobe getopt", "two unknown ones", "-x -y alone"),
        fails("modprobe getopt", "ambiguous", "--show-m --show- alone").differs(
            Row::MasterOptions,
            &[Claim::Exit(1), Claim::Reports("possibilities: '--show-alias' '--show-depends'")],
            &[Claim::Exit(1), Claim::Reports("possibilities: '--show-depends'")],
        ),
        fails("modprobe getopt", "ambiguous among many", "--s alone").differs(
            Row::MasterOptions,
            &[Claim::Exit(1), Claim::Reports("possibilities: '--show-alias' '--show-depends'")],
            &[Claim::Exit(1), Claim::Reports("possibilities: '--show-depends'")],
        ),
        fails("modprobe getopt", "ambiguous between two", "--ver alone"),
        fails("modprobe getopt", "ambiguous in meaning only", "--ignore alone").quietly(),
        fails("modprobe getopt", "a value that is not taken", "--verbose=1 alone"),
        fails("modprobe getopt", "a value that is missing", "alone --config"),
        fails("modprobe getopt", "a short value that is missing", "alone -C"),
        fails("modprobe getopt", "an unknown option after the name", "alone --nonsense"),
        fails("modprobe getopt", "a long option with one dash", "-quiet alone"),
        fails("modprobe getopt", "an option that is gone", "-l"),
        fails("modprobe getopt", "-t, which is gone", "-t x alone"),
        fails("modprobe getopt", "another name", "--nonsense").step(Step::Name("/some/where/modprobe")),
        fails("modprobe getopt", "another name, unknown module", "unheard-of")
            .step(Step::Name("/some/where/modprobe")),
        combined("modprobe getopt", "POSIXLY_CORRECT", "upper -v").env("POSIXLY_CORRECT", "1"),
        combined("modprobe getopt", "POSIXLY_CORRECT, options first", "-v upper -x=1")
            .env("POSIXLY_CORRECT", "1"),
        combined("modprobe getopt", "--", "-v -- alone"),
        combined("modprobe getopt", "-- and a dash", "-- -alone"),
        combined("modprobe getopt", "a lone dash", "- alone"),
        combined("modprobe getopt", "a lone dash after", "alone -"),
        combined("modprobe getopt", "-- after the name", "alone -- -v"),
        combined("modprobe getopt", "-- twice", "-- alone --"),
        combined("modprobe getopt", "a value that looks like an option", "-D -S -v alone"),
        combined("modprobe getopt", "the last of two versions wins", "-D -S 1.2.3 -S 6.12.0-fake alone"),
        combined("modprobe getopt", "-D and -R", "-D -R alone-alias"),
        combined("modprobe getopt", "-c and -D", "-c -D alone").compare(Compare::Lines),
        combined("modprobe getopt", "-r and -D", "-r -D upper").chain(),
        combined("modprobe getopt", "-r and -c", "-r -c").chain(),
        combined("modprobe getopt", "--show-exports and -c", "--show-exports -c @/lower.ko"),
        combined("modprobe getopt", "POSIXLY_CORRECT and MODPROBE_OPTIONS with a name", "-v")
            .env("POSIXLY_CORRECT", "1")
            .env("MODPROBE_OPTIONS", "alone"),
    ]
}
