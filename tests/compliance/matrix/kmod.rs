//! The program under its own name: `kmod list`, `kmod static-nodes`.

use super::{Case, Claim, Compare, Row, Step, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = of_kmod();
    cases.extend(super::lsmod::listings("kmod list", "list"));
    cases.extend(static_nodes());
    cases.extend(dispatch());
    cases
}

fn of_kmod() -> Vec<Case> {
    vec![
        works("kmod --version", "prints the version", "--version").compare(Compare::Version),
        fails("kmod --version", "takes no value", "--version=1"),
        combined("kmod --version", "wins over a command", "-V list").compare(Compare::Version),
        combined("kmod --version", "after a command is the command's", "list -V").compare(Compare::Version),
        works("kmod --help", "prints help", "--help").compare(Compare::HelpOnStdout),
        fails("kmod --help", "takes no value", "--help=1"),
        combined("kmod --help", "after a command is the command's", "list --help")
            .compare(Compare::HelpOnStdout),
        works("kmod help", "prints help", "help").compare(Compare::HelpOnStdout),
        fails("kmod help", "with an unknown command", "help nonsense")
            .compare(Compare::HelpOnStdout)
            .quietly(),
        combined("kmod help", "with a command", "help list").compare(Compare::HelpOnStdout),
        combined("kmod help", "with an option", "help --nonsense").compare(Compare::HelpOnStdout),
        works("kmod command", "list", "list").chain(),
        fails("kmod command", "none", "").compare(Compare::HelpAfterError),
        fails("kmod command", "unknown", "nonsense").compare(Compare::HelpAfterError),
        works("kmod command", "a tool's name", "lsmod").chain().differs(
            Row::ToolCommand,
            &[Claim::Exit(0), Claim::Silent, Claim::PrintsLine("middle")],
            &[Claim::Exit(1), Claim::Reports("invalid command 'lsmod'")],
        ),
        fails("kmod command", "insert, which is gone", "insert alone").compare(Compare::HelpAfterError),
        fails("kmod command", "remove, which is gone", "remove alone").compare(Compare::HelpAfterError),
        fails("kmod command", "load", "load").compare(Compare::HelpAfterError),
        fails("kmod command", "config", "config").compare(Compare::HelpAfterError),
        fails("kmod command", "empty", "\\e").compare(Compare::HelpAfterError),
        fails("kmod command", "not UTF-8", "\\xff").compare(Compare::HelpAfterError),
        combined("kmod command", "with too many arguments", "list more").compare(Compare::HelpAfterError),
        combined("kmod command", "with an unknown option", "list --nonsense"),
        combined("kmod command", "after --", "-- list").chain(),
        works("kmod getopt", "shortened", "--h").compare(Compare::HelpOnStdout),
        fails("kmod getopt", "unknown long option", "--nonsense").compare(Compare::HelpAfterError),
        fails("kmod getopt", "unknown short option", "-x").compare(Compare::HelpAfterError),
        fails("kmod getopt", "unknown option before a command", "-x list").compare(Compare::HelpAfterError),
        combined("kmod getopt", "a pipe that nobody reads", "list").chain().step(Step::BrokenPipe),
    ]
}

fn static_nodes() -> Vec<Case> {
    let devname = "lib/modules/6.12.0-fake/modules.devname";
    vec![
        works("kmod static-nodes", "for people", "static-nodes"),
        works("kmod static-nodes", "an empty file", "static-nodes").file(devname, ""),
        works("kmod static-nodes", "a comment only", "static-nodes").file(devname, "# nothing\\n"),
        fails("kmod static-nodes", "no file, which is well", "static-nodes").delete(devname),
        fails("kmod static-nodes", "bad lines", "static-nodes").file(
            devname,
            "one\\none two\\nalone cool c10\\nalone cool x1:2\\nalone good c1:2\\nalone cool c1:x\\n",
        ),
        fails("kmod static-nodes", "an unknown option", "static-nodes --nonsense"),
        fails("kmod static-nodes", "a file that is a directory", "static-nodes")
            .delete(devname)
            .dir(devname)
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("Is a directory")],
                &[Claim::Exit(0), Claim::Silent],
            ),
        combined("kmod static-nodes", "an argument", "static-nodes more"),
        combined("kmod static-nodes", "help", "static-nodes --help").compare(Compare::HelpOnStdout),
        combined("kmod static-nodes", "version", "static-nodes --version").compare(Compare::HelpOnStdout),
        combined("kmod static-nodes", "no new line at the end", "static-nodes")
            .file(devname, "alone cool c10:1"),
        combined("kmod static-nodes", "blanks and tabs", "static-nodes")
            .file(devname, "  alone\\tcool   c10:1 rest\\n\\n"),
        combined("kmod static-nodes", "bytes that are not UTF-8", "static-nodes")
            .file(devname, "al\\xffne c\\xfeol c10:1\\n"),
        combined("kmod static-nodes", "a long line", "static-nodes")
            .file(devname, &format!("{} cool c10:1\\nb d c1:1\\n", "a".repeat(5000)))
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(0), Claim::Silent],
                &[Claim::Exit(1), Claim::Reports("invalid devname entry")],
            ),
        combined("kmod static-nodes", "numbers too large", "static-nodes")
            .file(devname, "a b c4294967295:4294967296\\na b c-1:2\\n")
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("invalid devname entry")],
                &[Claim::Exit(0), Claim::Silent],
            ),
        combined("kmod static-nodes", "a pipe that nobody reads", "static-nodes").step(Step::BrokenPipe),
        works("kmod --format", "human", "static-nodes --format human"),
        works("kmod --format", "tmpfiles", "static-nodes --format tmpfiles"),
        works("kmod --format", "devname", "static-nodes --format devname"),
        works("kmod --format", "tmpfiles of nested directories", "static-nodes --format tmpfiles")
            .file(devname, "a x/y/z c10:1\\nb x/y/w c10:2\\nc top b7:0\\n"),
        fails("kmod --format", "unknown", "static-nodes --format nonsense").compare(Compare::HelpAfterError),
        fails("kmod --format", "shortened value", "static-nodes --format tmp")
            .compare(Compare::HelpAfterError),
        fails("kmod --format", "without a value", "static-nodes --format"),
        fails("kmod --format", "tmpfiles with bad lines", "static-nodes -f tmpfiles")
            .file(devname, "one\\nalone good c1:2\\n"),
        fails("kmod --format", "devname with bad lines", "static-nodes -f devname")
            .file(devname, "one\\nalone good c1:2\\n"),
        combined("kmod --format", "tmpfiles without the file", "static-nodes -f tmpfiles").delete(devname),
        combined("kmod --format", "twice, the last wins", "static-nodes -f human -f tmpfiles"),
        works("kmod --output", "writes a file", "static-nodes --output /tmp/nodes"),
        works("kmod --output", "makes directories", "static-nodes --output /tmp/a/b/nodes"),
        works("kmod --output", "relative", "static-nodes --output nodes").step(Step::Directory("/tmp")),
        fails("kmod --output", "into a directory's place", "static-nodes --output /tmp"),
        fails("kmod --output", "below a file", "static-nodes --output /tmp/file/nodes")
            .file("tmp/file", "x")
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("File exists")],
                &[Claim::Exit(1), Claim::Reports("Success")],
            ),
        fails("kmod --output", "without a value", "static-nodes --output"),
        fails("kmod --output", "in a file's place", "static-nodes -o /dev/file/x")
            .file("dev/file", "")
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("File exists")],
                &[Claim::Exit(1), Claim::Reports("Success")],
            ),
        combined("kmod --output", "with --format", "static-nodes -o /tmp/nodes -f tmpfiles"),
        combined("kmod --output", "without the input", "static-nodes -o /tmp/nodes").delete(devname),
        combined("kmod --output", "over a longer file", "static-nodes -o /tmp/nodes")
            .file("tmp/nodes", &"old\\n".repeat(500)),
        combined("kmod --output", "with bad lines", "static-nodes -o /tmp/nodes -f tmpfiles")
            .file(devname, "one\\na b c1:2\\n"),
    ]
}

/// The program decides by its name what it is.
fn dispatch() -> Vec<Case> {
    vec![
        combined("kmod command", "called lsmod", "").chain().step(Step::Name("lsmod")),
        combined("kmod command", "called by a path that ends in lsmod", "")
            .chain()
            .step(Step::Name("/x/lsmod")),
        combined("kmod command", "called rmmod", "upper").chain().step(Step::Name("rmmod")),
        combined("kmod command", "called insmod", "@/alone.ko").step(Step::Name("insmod")),
        combined("kmod command", "called modprobe", "alone").step(Step::Name("modprobe")),
        combined("kmod command", "called something else", "list")
            .chain()
            .step(Step::Name("something"))
            .differs(Row::OtherName, &[Claim::Exit(0)], &[Claim::Exit(1), Claim::Silent, Claim::Prints("")]),
        combined("kmod command", "called something else, no command", "")
            .step(Step::Name("lsmod.old"))
            .compare(Compare::HelpAfterError)
            .differs(
                Row::OtherName,
                &[Claim::Exit(1), Claim::Reports("missing command")],
                &[Claim::Exit(1), Claim::Silent],
            ),
        combined("kmod command", "called nothing", "list").chain().step(Step::Name("")).differs(
            Row::OtherName,
            &[Claim::Exit(0)],
            &[Claim::Exit(1), Claim::Silent, Claim::Prints("")],
        ),
    ]
}
