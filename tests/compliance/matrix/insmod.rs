//! insmod: a file into the kernel, with parameters.

use testkit::{Compression, Errno};

use super::{Case, Claim, Compare, Row, Step, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [options(), files(), kernel(), getopt()].concat()
}

fn options() -> Vec<Case> {
    vec![
        works("insmod --force", "loads a module of another kernel", "--force @/foreign.ko"),
        works("insmod --force", "loads a module with other symbol versions", "--force @/versioned.ko"),
        fails("insmod --force", "does not force what is no module", "--force @/broken.ko"),
        fails("insmod --force", "takes no value", "--force=yes @/foreign.ko"),
        combined("insmod --force", "strips the image where finit_module is missing", "-f @/both.ko")
            .step(Step::FinitFails(Errno::ENOSYS)),
        combined("insmod --force", "with parameters", "-f @/both.ko depth=1"),
        combined("insmod --force", "on a compressed file", "-f @/packed_xz.ko.xz"),
        works("insmod --syslog", "prints nothing on success", "--syslog @/alone.ko"),
        fails("insmod --syslog", "logs the error", "--syslog @/foreign.ko").differs(
            Row::Cause,
            &[Claim::Logs("Invalid module format"), Claim::Logs("insmod:   It was built for another kernel")],
            &[Claim::Logs("Invalid module format")],
        ),
        fails("insmod --syslog", "logs the error without causes", "--syslog @/foreign.ko")
            .env("MODUTILS_EXPLAIN", "never"),
        fails("insmod --syslog", "logs a missing file", "-s /nowhere.ko"),
        combined("insmod --syslog", "when there is no log", "-s /nowhere.ko").step(Step::NoLog),
        combined("insmod --syslog", "with -v", "-s -v @/alone.ko"),
        works("insmod --verbose", "prints what it does", "--verbose @/alone.ko"),
        fails("insmod --verbose", "and fails", "--verbose @/foreign.ko"),
        combined("insmod --verbose", "three times", "-vvv @/alone.ko depth=1"),
        works("insmod --version", "prints the version", "--version").compare(Compare::Version),
        fails("insmod --version", "takes no value", "--version=1"),
        combined("insmod --version", "wins over the file", "@/alone.ko -V").compare(Compare::Version),
        works("insmod --help", "prints help", "--help").compare(Compare::HelpOnStdout),
        fails("insmod --help", "takes no value", "--help=1"),
        combined("insmod --help", "wins over the file", "-h @/alone.ko").compare(Compare::HelpOnStdout),
        combined("insmod --help", "the first of -h and -V", "-h -V").compare(Compare::HelpOnStdout),
        combined("insmod --help", "the first of -V and -h", "-V -h").compare(Compare::Version),
    ]
}

fn files() -> Vec<Case> {
    vec![
        works("insmod file", "by its absolute path", "@/alone.ko"),
        works("insmod file", "by a relative path", "alone.ko")
            .step(Step::Directory("/lib/modules/6.12.0-fake/kernel")),
        works("insmod file", "compressed with xz", "@/packed_xz.ko.xz"),
        works("insmod file", "compressed with zstd", "@/packed_zst.ko.zst"),
        works("insmod file", "under any name", "/tmp/strange.name")
            .link("/lib/modules/6.12.0-fake/kernel/alone.ko", "tmp/strange.name"),
        works("insmod file", "with a dash in its name", "@/dash-ed.ko"),
        works("insmod file", "through /dev/stdin's other name", "/tmp/-")
            .link("/lib/modules/6.12.0-fake/kernel/alone.ko", "tmp/-"),
        fails("insmod file", "that is not given", "").compare(Compare::HelpAfterError),
        fails("insmod file", "that is missing", "/nowhere/alone.ko"),
        fails("insmod file", "that is a directory", "/tmp"),
        fails("insmod file", "that is empty", "/tmp/empty.ko").file("tmp/empty.ko", ""),
        fails("insmod file", "that is empty, the cause", "/tmp/empty.ko")
            .file("tmp/empty.ko", "")
            .explained()
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("Invalid parameters"), Claim::Reports("the file is empty")],
                &[Claim::Exit(1), Claim::Reports("Invalid parameters")],
            ),
        fails("insmod file", "that is a text", "@/broken.ko"),
        fails("insmod file", "that is a name without a file", "alone"),
        fails("insmod file", "that is a dangling link", "/tmp/link.ko").link("/nowhere", "tmp/link.ko"),
        fails("insmod file", "that is a cut xz stream", "/tmp/cut.ko.xz")
            .bytes("tmp/cut.ko.xz", *b"\xfd7zXZ\0\0\x01")
            .differs(
                Row::BrokenFile,
                &[
                    Claim::Exit(1),
                    Claim::Is("insmod: ERROR: could not insert module /tmp/cut.ko.xz: Invalid parameters\n"),
                ],
                &[Claim::Exit(1), Claim::Reports("xz: Unexpected end of input")],
            ),
        fails("insmod file", "that is a cut xz stream, the cause", "/tmp/cut.ko.xz")
            .bytes("tmp/cut.ko.xz", *b"\xfd7zXZ\0\0\x01")
            .explained()
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("cut short")],
                &[Claim::Exit(1), Claim::Reports("Invalid parameters")],
            ),
        fails("insmod file", "that is a cut zstd frame", "/tmp/cut.ko.zst")
            .bytes("tmp/cut.ko.zst", *b"\x28\xb5\x2f\xfd\x04"),
        fails("insmod file", "that is a cut zstd frame, the cause", "/tmp/cut.ko.zst")
            .bytes("tmp/cut.ko.zst", *b"\x28\xb5\x2f\xfd\x04")
            .explained()
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("cut short")],
                &[Claim::Exit(1), Claim::Reports("Invalid parameters")],
            ),
        fails("insmod file", "that is cut ELF", "/tmp/cut.ko")
            .bytes("tmp/cut.ko", *b"\x7fELF\x02\x01\x01\0\0\0"),
        fails("insmod file", "that is standard input", "-"),
        fails("insmod file", "that is an empty name", "\\e"),
        fails("insmod file", "whose name is not UTF-8", "/tmp/\\xff\\xfe.ko"),
        combined("insmod file", "that is loaded", "@/alone.ko").loaded("alone"),
        combined("insmod file", "that is being loaded", "@/alone.ko")
            .loaded("alone")
            .state("alone", "coming"),
        combined("insmod file", "whose dependency is not loaded", "@/middle.ko"),
        combined("insmod file", "whose dependency is loaded", "@/middle.ko").loaded("lower"),
        combined("insmod file", "that modprobe.d blacklists and configures", "@/alone.ko")
            .config("blacklist alone\\noptions alone depth=9\\ninstall alone /bin/false\\n"),
        combined("insmod file", "without modules.dep", "@/alone.ko")
            .delete("lib/modules/6.12.0-fake/modules.dep.bin"),
        combined("insmod file", "compressed with gzip, which Debian's kmod cannot read", "@/packed_gz.ko.gz")
            .differs(
                Row::Gzip,
                &[Claim::Exit(0), Claim::Silent, Claim::Loaded("packed_gz")],
                &[Claim::Exit(1), Claim::Loaded("")],
            ),
        works("insmod parameters", "one", "@/alone.ko depth=3"),
        works("insmod parameters", "several", "@/alone.ko depth=3 flag name=text"),
        works("insmod parameters", "with a blank", "@/alone.ko name=a\\sb"),
        works("insmod parameters", "with quotes", "@/alone.ko name=\"a\\sb\""),
        works("insmod parameters", "that is a blank and a word", "@/alone.ko a\\sb"),
        works("insmod parameters", "that is empty", "@/alone.ko \\e x=1"),
        works("insmod parameters", "with an unbalanced quote", "@/alone.ko name=\"a\\sb"),
        works("insmod parameters", "not in UTF-8", "@/alone.ko name=\\xff\\x80"),
        works("insmod parameters", "long", &format!("@/alone.ko x={}", "y".repeat(5000))),
        fails("insmod parameters", "the kernel does not like", "@/alone.ko depth=x")
            .refuse("alone", Errno::EINVAL),
        fails("insmod parameters", "before the file", "depth=3 @/alone.ko"),
        combined("insmod parameters", "after --", "@/alone.ko -- -x=1"),
        combined("insmod parameters", "that look like options", "-- @/alone.ko --force"),
        combined("insmod parameters", "for a compressed file", "@/packed_xz.ko.xz depth=3"),
    ]
}

fn kernel() -> Vec<Case> {
    let mut cases: Vec<Case> = super::case::REFUSALS
        .into_iter()
        .map(|errno| {
            let mut case = fails("insmod kernel", "refuses", "@/alone.ko").refuse("alone", errno);
            case.what = format!("refuses with {errno:?}");
            case
        })
        .collect();
    cases.extend([
        works("insmod kernel", "without finit_module", "@/alone.ko depth=1")
            .step(Step::FinitFails(Errno::ENOSYS)),
        works("insmod kernel", "decompresses xz itself", "@/packed_xz.ko.xz")
            .step(Step::Decompresses(Compression::Xz)),
        works("insmod kernel", "decompresses zstd itself", "@/packed_zst.ko.zst")
            .step(Step::Decompresses(Compression::Zstd)),
        fails("insmod kernel", "whose finit_module is not permitted", "@/alone.ko")
            .step(Step::FinitFails(Errno::EPERM)),
        combined("insmod kernel", "decompresses another kind", "@/packed_xz.ko.xz")
            .step(Step::Decompresses(Compression::Zstd)),
        combined("insmod kernel", "decompresses, and the file is plain", "@/alone.ko")
            .step(Step::Decompresses(Compression::Xz)),
        combined("insmod kernel", "decompresses, and the name lies", "/tmp/alone.ko.xz")
            .step(Step::Decompresses(Compression::Xz))
            .link("/lib/modules/6.12.0-fake/kernel/alone.ko", "tmp/alone.ko.xz"),
        combined("insmod kernel", "decompresses, and the name hides it", "/tmp/packed.ko")
            .step(Step::Decompresses(Compression::Xz))
            .link("/lib/modules/6.12.0-fake/kernel/packed_xz.ko.xz", "tmp/packed.ko"),
        combined("insmod kernel", "decompresses, but finit_module is missing", "@/packed_xz.ko.xz")
            .step(Step::Decompresses(Compression::Xz))
            .step(Step::FinitFails(Errno::ENOSYS)),
        combined("insmod kernel", "decompresses and forces", "-f @/packed_xz.ko.xz")
            .step(Step::Decompresses(Compression::Xz)),
    ]);
    cases
}

fn getopt() -> Vec<Case> {
    vec![
        works("insmod getopt", "options after the file", "@/alone.ko -v"),
        works("insmod getopt", "bundled", "-fv @/foreign.ko"),
        fails("insmod getopt", "unknown long option", "--nonsense @/alone.ko"),
        fails("insmod getopt", "unknown short option", "-x @/alone.ko"),
        fails("insmod getopt", "unknown in a bundle", "-vx @/alone.ko"),
        fails("insmod getopt", "ambiguous", "--ver @/alone.ko"),
        fails("insmod getopt", "an unknown option after the file", "@/alone.ko --nonsense"),
        fails("insmod getopt", "a parameter that starts with a dash", "@/alone.ko -depth=1"),
        fails("insmod getopt", "an option of master", "--force-vermagic @/foreign.ko").differs(
            Row::MasterOptions,
            &[Claim::Loaded("foreign")],
            &[Claim::Exit(1), Claim::Reports("unrecognized option")],
        ),
        combined("insmod getopt", "POSIXLY_CORRECT", "@/alone.ko -v").env("POSIXLY_CORRECT", "1"),
        combined("insmod getopt", "--", "-- @/alone.ko"),
        combined("insmod getopt", "MODPROBE_OPTIONS means nothing", "@/alone.ko")
            .env("MODPROBE_OPTIONS", "-v -x"),
        combined("insmod getopt", "under another name", "@/alone.ko").step(Step::Name("insmod.new")).differs(
            Row::OtherName,
            &[Claim::Exit(1), Claim::Reports("invalid command")],
            &[Claim::Exit(1), Claim::Silent],
        ),
        combined("insmod getopt", "by a path", "--nonsense").step(Step::Name("/somewhere/insmod")),
    ]
}
