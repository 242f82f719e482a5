//! rmmod: modules out of the kernel.

use testkit::Errno;

use super::{Case, Claim, Compare, Row, Step, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [options(), names(), kernel(), getopt()].concat()
}

fn options() -> Vec<Case> {
    vec![
        works("rmmod --force", "removes what is in use", "--force alone").loaded("alone").users("alone", 1),
        works("rmmod --force", "removes what is not in use", "--force alone").loaded("alone"),
        fails("rmmod --force", "does not remove what is not there", "--force alone"),
        fails("rmmod --force", "does not remove what modules use", "--force lower").chain(),
        fails("rmmod --force", "does not remove built-in code", "--force inside"),
        combined("rmmod --force", "with -v", "-f -v alone").loaded("alone").users("alone", 1),
        combined("rmmod --force", "the kernel refuses", "-f alone")
            .loaded("alone")
            .keep("alone", Errno::EBUSY),
        works("rmmod --syslog", "prints nothing on success", "--syslog alone").loaded("alone"),
        fails("rmmod --syslog", "logs the error", "--syslog alone"),
        fails("rmmod --syslog", "logs that it is in use", "-s lower").chain(),
        combined("rmmod --syslog", "with -v", "-sv alone").loaded("alone"),
        combined("rmmod --syslog", "logs each of several", "-s alone lower middle").chain(),
        works("rmmod --verbose", "prints what it does", "--verbose alone").loaded("alone"),
        fails("rmmod --verbose", "and fails", "--verbose alone"),
        combined("rmmod --verbose", "of several", "-v upper middle lower").chain(),
        combined("rmmod --verbose", "three times", "-vvv alone").loaded("alone"),
        works("rmmod --version", "prints the version", "--version").compare(Compare::Version),
        fails("rmmod --version", "takes no value", "--version=1"),
        combined("rmmod --version", "wins over a name", "alone -V").loaded("alone").compare(Compare::Version),
        works("rmmod --help", "prints help", "--help").compare(Compare::HelpOnStdout),
        fails("rmmod --help", "takes no value", "--help=1"),
        combined("rmmod --help", "wins over a name", "-h alone")
            .loaded("alone")
            .compare(Compare::HelpOnStdout),
    ]
}

fn names() -> Vec<Case> {
    vec![
        works("rmmod name", "as it is", "alone").loaded("alone"),
        works("rmmod name", "with a dash", "dash-ed").loaded("dash_ed"),
        works("rmmod name", "with an underscore", "dash_ed").loaded("dash_ed"),
        combined("rmmod name", "that has a dash in the kernel", "made-dash").loaded("made-dash").differs(
            Row::OwnDash,
            &[Claim::Exit(0), Claim::Loaded("")],
            &[
                Claim::Exit(1),
                Claim::Reports("Module made_dash is not currently loaded"),
                Claim::Loaded("made-dash"),
            ],
        ),
        works("rmmod name", "as a file's path", "@/dash-ed.ko").loaded("dash_ed"),
        works("rmmod name", "with .ko", "alone.ko").loaded("alone"),
        works("rmmod name", "with .ko.xz", "packed_xz.ko.xz").loaded("packed_xz"),
        works("rmmod name", "several, in their order", "upper middle lower").chain(),
        fails("rmmod name", "that is not given", "").compare(Compare::HelpAfterError),
        fails("rmmod name", "that is not loaded", "alone"),
        fails("rmmod name", "that nobody knows", "unheard-of"),
        fails("rmmod name", "that is built in", "inside"),
        fails("rmmod name", "that is built in and has a directory", "inside")
            .dir("sys/module/inside/parameters"),
        fails("rmmod name", "that modules use", "lower").chain(),
        fails("rmmod name", "that several modules use", "lower").chain().loaded_on("side", &["lower"]),
        fails("rmmod name", "that somebody uses", "alone").loaded("alone").users("alone", 2),
        fails("rmmod name", "that is empty", "\\e"),
        fails("rmmod name", "that is an alias", "alone-alias").loaded("alone"),
        fails("rmmod name", "that is a path to nothing", "/tmp/alone.ko").loaded("alone"),
        fails("rmmod name", "that is not UTF-8", "\\xff\\xfe"),
        fails("rmmod name", "that is a directory's path", "/tmp"),
        fails("rmmod name", "that is longer than names are", &"x".repeat(300)),
        fails("rmmod name", "that is as long as paths may be", &"x".repeat(4000)),
        combined("rmmod name", "several, the first fails", "alone upper").chain(),
        combined("rmmod name", "several, in the wrong order", "lower middle upper").chain(),
        combined("rmmod name", "twice", "alone alone").loaded("alone"),
        combined("rmmod name", "with a file of that name here", "alone")
            .loaded("alone")
            .file("tmp/alone", "")
            .step(Step::Directory("/tmp")),
        combined("rmmod name", "with a directory of that name here", "alone")
            .loaded("alone")
            .dir("tmp/alone")
            .step(Step::Directory("/tmp")),
        combined("rmmod name", "with a file of the path it cannot stat", "alone unheard-of lower")
            .loaded("alone")
            .loaded("lower"),
        combined("rmmod name", "whose remove command is configured", "alone")
            .loaded("alone")
            .config("remove alone /bin/echo removed\\n"),
        combined("rmmod name", "that is being loaded", "alone").loaded("alone").state("alone", "coming"),
        combined("rmmod name", "that is being removed", "alone").loaded("alone").state("alone", "going"),
        combined("rmmod name", "after which a dependency is unused", "upper").chain(),
    ]
}

fn kernel() -> Vec<Case> {
    let kept = [Errno::EBUSY, Errno::EPERM, Errno::EAGAIN, Errno::ENOENT, Errno::EFAULT];
    let mut cases: Vec<Case> = kept
        .into_iter()
        .map(|errno| {
            let mut case =
                fails("rmmod kernel", "the kernel refuses", "alone").loaded("alone").keep("alone", errno);
            case.what = format!("the kernel refuses with {errno:?}");
            case
        })
        .collect();
    cases.extend([
        works("rmmod kernel", "removes", "dash-ed").loaded("dash_ed"),
        combined("rmmod kernel", "the kernel refuses the first of two", "alone lower")
            .loaded("alone")
            .loaded("lower")
            .keep("alone", Errno::EPERM),
        combined("rmmod kernel", "that cannot unload", "alone")
            .loaded("alone")
            .delete("sys/module/alone/refcnt"),
        combined("rmmod kernel", "that cannot unload, forced", "-f alone")
            .loaded("alone")
            .delete("sys/module/alone/refcnt"),
        combined("rmmod kernel", "without initstate", "alone")
            .loaded("alone")
            .delete("sys/module/alone/initstate"),
    ]);
    cases
}

fn getopt() -> Vec<Case> {
    vec![
        works("rmmod getopt", "options after names", "alone -v").loaded("alone"),
        works("rmmod getopt", "bundled", "-fv alone").loaded("alone"),
        works("rmmod getopt", "a repeated option", "-v -v alone").loaded("alone"),
        fails("rmmod getopt", "unknown long option", "--nonsense alone").loaded("alone"),
        fails("rmmod getopt", "unknown short option", "-x alone").loaded("alone"),
        fails("rmmod getopt", "ambiguous", "--ver alone").loaded("alone"),
        fails("rmmod getopt", "--wait, which is gone", "--wait alone").loaded("alone"),
        fails("rmmod getopt", "-w, which is gone", "-w alone").loaded("alone"),
        combined("rmmod getopt", "POSIXLY_CORRECT", "alone -v").loaded("alone").env("POSIXLY_CORRECT", "1"),
        combined("rmmod getopt", "--", "-- alone").loaded("alone"),
        combined("rmmod getopt", "-- and a name with a dash", "-- -alone"),
        combined("rmmod getopt", "standard error closed", "alone").step(Step::Closed(2)).differs(
            Row::ClosedStderr,
            &[Claim::Exit(1), Claim::Logs("Module alone is not currently loaded")],
            &[Claim::Exit(1), Claim::LogsNothing],
        ),
    ]
}
