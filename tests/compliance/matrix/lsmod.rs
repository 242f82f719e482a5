//! lsmod, and `kmod list`, which is the same.

use super::{Case, Claim, Compare, Row, Step, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = of_lsmod();
    cases.extend(listings("lsmod listing", ""));
    cases
}

fn of_lsmod() -> Vec<Case> {
    vec![
        works("lsmod --syslog", "lists", "--syslog").chain(),
        fails("lsmod --syslog", "logs the error", "--syslog argument"),
        combined("lsmod --syslog", "without /proc/modules", "-s")
            .delete("proc/modules")
            .log_explains("could not get list of modules: ", "lsmod:   This kernel has no module support."),
        works("lsmod --verbose", "lists", "--verbose").chain(),
        fails("lsmod --verbose", "and fails", "--verbose argument").compare(Compare::HelpAfterError),
        combined("lsmod --verbose", "with -s", "-v -s").chain(),
        works("lsmod --version", "prints the version", "--version").compare(Compare::Version),
        fails("lsmod --version", "takes no value", "--version=1"),
        combined("lsmod --version", "wins over an argument", "argument -V").compare(Compare::Version),
        works("lsmod --help", "prints help", "--help").compare(Compare::HelpOnStdout),
        fails("lsmod --help", "takes no value", "--help=1"),
        combined("lsmod --help", "wins over an argument", "argument -h").compare(Compare::HelpOnStdout),
        works("lsmod getopt", "nothing", ""),
        works("lsmod getopt", "--", "--").chain(),
        fails("lsmod getopt", "an argument", "argument").compare(Compare::HelpAfterError),
        fails("lsmod getopt", "unknown long option", "--nonsense"),
        fails("lsmod getopt", "unknown short option", "-x"),
        fails("lsmod getopt", "ambiguous", "--ver"),
        combined("lsmod getopt", "bundled", "-sv").chain(),
        combined("lsmod getopt", "a pipe that nobody reads", "").chain().step(Step::BrokenPipe),
        combined("lsmod getopt", "standard error closed", "")
            .delete("proc/modules")
            .step(Step::Closed(2))
            .differs(
                Row::ClosedStderr,
                &[Claim::Exit(1), Claim::Logs("could not get list of modules")],
                &[Claim::Exit(1), Claim::LogsNothing],
            ),
    ]
}

/// What a list of modules may look like.
pub(crate) fn listings(of: &'static str, argv: &str) -> Vec<Case> {
    let name20 = "a_name_longer_than_the_column";
    vec![
        works(of, "nothing loaded", argv),
        works(of, "a chain", argv).chain(),
        works(of, "open users", argv).chain().users("upper", 3),
        works(of, "a long name", argv).loaded(name20),
        works(of, "a module being loaded", argv).loaded("alone").state("alone", "coming"),
        works(of, "a module being removed", argv).loaded("alone").state("alone", "going"),
        works(of, "several holders", argv)
            .loaded("lower")
            .loaded_on("middle", &["lower"])
            .loaded_on("side", &["lower"])
            .compare(Compare::Lines),
        fails(of, "without /proc/modules", argv).delete("proc/modules"),
        fails(of, "without /sys/module", argv)
            .chain()
            .delete("sys/module/lower/refcnt")
            .delete("sys/module/lower/coresize")
            .differs(
                Row::ListOfModules,
                &[Claim::Exit(0), Claim::PrintsLine("lower                  16384  1 middle")],
                &[Claim::Exit(0), Claim::PrintsLine("lower                  16384  -2 middle")],
            ),
        fails(of, "a module without a directory", argv)
            .file("proc/modules", "ghost 4096 0 - Live 0x0\\n")
            .differs(
                Row::ListOfModules,
                &[Claim::Exit(0), Claim::Silent, Claim::PrintsLine("ghost                   4096  0")],
                &[
                    Claim::Exit(0),
                    Claim::Reports("could not open"),
                    Claim::PrintsLine("ghost                     -2  -2"),
                ],
            ),
        combined(of, "without refcnt", argv).loaded("alone").delete("sys/module/alone/refcnt").differs(
            Row::ListOfModules,
            &[Claim::Exit(0), Claim::PrintsLine("alone                  16384  0")],
            &[Claim::Exit(0), Claim::PrintsLine("alone                  16384  -2")],
        ),
        combined(of, "without coresize", argv).loaded("alone").delete("sys/module/alone/coresize"),
        combined(of, "a size that fills its column", argv)
            .loaded("alone")
            .file("sys/module/alone/coresize", "12345678901\\n"),
        combined(of, "no new line at the end", argv)
            .loaded("alone")
            .file("proc/modules", "alone 16384 0 - Live 0x0"),
        combined(of, "a taint at the end", argv)
            .loaded("alone")
            .file("proc/modules", "alone 16384 0 - Live 0x0 (OE)\\n"),
        combined(of, "bytes that are not UTF-8", argv)
            .file("proc/modules", "\\xff\\xfe 16384 0 - Live 0x0\\n")
            .differs(
                Row::ListOfModules,
                &[Claim::Exit(0), Claim::Silent, Claim::PrintsLine("16384  0")],
                &[Claim::Exit(0), Claim::PrintsLine("-2  -2")],
            ),
        combined(of, "a line of 5,000 characters", argv)
            .loaded("alone")
            .file(
                "proc/modules",
                &format!("alone 16384 0 {} Live 0x0\\nlower 4096 0 - Live 0x0\\n", "x,".repeat(2500)),
            )
            .differs(
                Row::ListOfModules,
                &[Claim::Exit(0), Claim::PrintsLine("lower                   4096  0")],
                &[Claim::Exit(0), Claim::PrintsLine("lower                     -2  -2")],
            ),
    ]
}
