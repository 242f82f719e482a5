//! modprobe: where configuration comes from, line by line, and what goes wrong in it.

use super::{Case, Claim, Row, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [lines(), directories()].concat()
}

fn lines() -> Vec<Case> {
    let long = "x".repeat(20000);
    vec![
        works("modprobe config-lines", "comments and empty lines", "-c")
            .config("# one\\n\\n#two\\n   \\nalias mine alone\\n"),
        works("modprobe config-lines", "no new line at the end", "-c").config("alias mine alone"),
        works("modprobe config-lines", "continued", "-c").config("alias \\\\\\nmine \\\\\\nalone\\n"),
        works("modprobe config-lines", "tabs", "-c").config("alias\\tmine\\talone\\n"),
        works("modprobe config-lines", "an empty file", "-c").config(""),
        works("modprobe config-lines", "very long", "-c").config(&format!("options alone x={long}\\n")),
        fails("modprobe config-lines", "an unknown word", "-c").config("nonsense word\\n"),
        fails("modprobe config-lines", "blanks before a word", "-c")
            .config("  alias mine alone\\n")
            .quietly(),
        fails("modprobe config-lines", "blanks before a comment", "-c").config("  # comment\\n"),
        fails("modprobe config-lines", "upper case", "-c").config("Alias mine alone\\n"),
        fails("modprobe config-lines", "one bad line among good ones", "-D alone")
            .config("options alone a=1\\nnonsense\\noptions alone b=1\\n"),
        fails("modprobe config-lines", "bad lines and -q", "-q alone").config("nonsense\\n").differs(
            Row::QuietConfig,
            &[Claim::Exit(0), Claim::Silent, Claim::Loaded("alone")],
            &[Claim::Exit(0), Claim::Complains("/etc/modprobe.d/a.conf line 1")],
        ),
        fails("modprobe config-lines", "bad lines and -s", "-s alone").config("nonsense\\n"),
        fails("modprobe config-lines", "binary", "-c").config("\\x7fELF\\x01\\xff\\n").differs(
            Row::BinaryConfig,
            &[Claim::Exit(0), Claim::Reports("a.conf is an ELF file, not configuration")],
            &[Claim::Exit(0), Claim::Complains("/etc/modprobe.d/a.conf line 1")],
        ),
        fails("modprobe config-lines", "a number of a bad line after a continued one", "alone")
            .config("alias a \\\\\\n b\\n\\nnonsense\\n"),
        combined("modprobe config-lines", "a NUL", "-c")
            .bytes("etc/modprobe.d/a.conf", *b"alias mine alone\0more\nalias two lower\n"),
        combined("modprobe config-lines", "a comment that continues", "-c")
            .config("# comment \\\\\\nalias mine alone\\n"),
        combined("modprobe config-lines", "a backslash at the end of the file", "-c")
            .config("alias mine alone\\\\"),
        combined("modprobe config-lines", "a backslash before a letter", "-c")
            .config("alias mi\\\\ne alone\\n"),
        combined("modprobe config-lines", "two backslashes", "-c").config("options alone x=a\\\\\\\\b\\n"),
        combined("modprobe config-lines", "a carriage return", "-c")
            .config("alias mine alone\\x0d\\noptions alone x=1\\x0d\\n")
            .differs(
                Row::OtherLineEnds,
                &[Claim::Exit(0), Claim::PrintsLine("alias mine alone\n")],
                &[Claim::Exit(0), Claim::PrintsLine("alias mine alone\r\n")],
            ),
        combined("modprobe config-lines", "not UTF-8", "-c")
            .config("alias m\\xffne al\\xfene\\noptions alone x=\\xff\\n"),
        combined("modprobe config-lines", "form feed and vertical tab", "-c")
            .config("alias\\x0bmine\\x0calone\\n"),
        works("modprobe include", "is skipped", "alone")
            .config("alias mine alone\\ninclude /tmp/other\\n")
            .file("tmp/other", "options alone x=1\\n"),
        fails("modprobe include", "is an error", "-c").config("include /tmp/other\\n"),
        fails("modprobe include", "config, likewise", "-c").config("config binary_indexes yes\\n"),
        combined("modprobe include", "with -q", "-q alone").config("include /tmp/other\\n").differs(
            Row::QuietConfig,
            &[Claim::Exit(0), Claim::Silent, Claim::Loaded("alone")],
            &[Claim::Exit(0), Claim::Complains("/etc/modprobe.d/a.conf")],
        ),
    ]
}

fn directories() -> Vec<Case> {
    let everywhere = |case: Case, name: &str| {
        ["etc", "run", "usr/local/lib", "usr/lib", "lib"].iter().fold(case, |case, place| {
            let option = place.replace('/', "-");
            case.file(&format!("{place}/modprobe.d/{name}"), &format!("options alone {option}=1\\n"))
        })
    };
    let each = |case: Case| {
        [("etc", "e"), ("run", "d"), ("usr/local/lib", "c"), ("usr/lib", "b"), ("lib", "a")].iter().fold(
            case,
            |case, (place, file)| {
                case.file(&format!("{place}/modprobe.d/{file}.conf"), &format!("options alone {file}=1\\n"))
            },
        )
    };
    let of = "modprobe config-directories";
    vec![
        each(works(of, "all five, sorted by name", "-D alone")),
        everywhere(works(of, "/etc masks the others", "-D alone"), "a.conf"),
        everywhere(works(of, "/run masks what is below", "-D alone"), "a.conf")
            .delete("etc/modprobe.d/a.conf"),
        everywhere(works(of, "/usr/local/lib masks what is below", "-D alone"), "a.conf")
            .delete("etc/modprobe.d/a.conf")
            .delete("run/modprobe.d/a.conf"),
        everywhere(works(of, "/usr/lib masks /lib", "-D alone"), "a.conf")
            .delete("etc/modprobe.d/a.conf")
            .delete("run/modprobe.d/a.conf")
            .delete("usr/local/lib/modprobe.d/a.conf"),
        works(of, "a link to /dev/null masks", "-D alone")
            .link("/dev/null", "etc/modprobe.d/a.conf")
            .file("lib/modprobe.d/a.conf", "options alone x=1\\n"),
        works(of, "an empty file masks", "-D alone")
            .config("")
            .file("lib/modprobe.d/a.conf", "options alone x=1\\n"),
        works(of, "a link to a file", "-D alone")
            .link("/tmp/real", "etc/modprobe.d/a.conf")
            .file("tmp/real", "options alone x=1\\n"),
        fails(of, "a dangling link", "alone").link("/nowhere", "etc/modprobe.d/a.conf").differs(
            Row::UnreadableConfig,
            &[Claim::Exit(0), Claim::Reports("/etc/modprobe.d/a.conf")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        fails(of, "a directory called *.conf", "alone").dir("etc/modprobe.d/a.conf").differs(
            Row::UnreadableConfig,
            &[Claim::Exit(0), Claim::Reports("/etc/modprobe.d/a.conf")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        fails(of, "a link to itself", "alone").link("a.conf", "etc/modprobe.d/a.conf").differs(
            Row::UnreadableConfig,
            &[Claim::Exit(0), Claim::Reports("/etc/modprobe.d/a.conf")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        fails(of, "unreadable, with -C", "-C /tmp/mine alone").link("mine", "tmp/mine").differs(
            Row::UnreadableConfig,
            &[Claim::Exit(0), Claim::Reports("/tmp/mine")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        combined(of, "a dangling link masks nothing", "-D alone")
            .link("/nowhere", "etc/modprobe.d/a.conf")
            .file("lib/modprobe.d/a.conf", "options alone x=1\\n")
            .differs(
                Row::UnreadableConfig,
                &[Claim::Prints("insmod @/alone.ko x=1 \n"), Claim::Reports("/etc/modprobe.d/a.conf")],
                &[Claim::Prints("insmod @/alone.ko x=1 \n"), Claim::Silent],
            ),
        combined(of, "a directory called *.conf masks nothing", "-D alone")
            .dir("etc/modprobe.d/a.conf")
            .file("lib/modprobe.d/a.conf", "options alone x=1\\n")
            .differs(
                Row::UnreadableConfig,
                &[Claim::Prints("insmod @/alone.ko x=1 \n"), Claim::Reports("/etc/modprobe.d/a.conf")],
                &[Claim::Prints("insmod @/alone.ko x=1 \n"), Claim::Silent],
            ),
        combined(of, "other names are not read", "-D alone")
            .conf("a", "options alone a=1\\n")
            .conf("b.alias", "options alone b=1\\n")
            .conf("c.conf.bak", "options alone c=1\\n")
            .conf(".d.conf", "options alone d=1\\n")
            .conf(".conf", "options alone e=1\\n")
            .conf("f.CONF", "options alone f=1\\n")
            .conf("g.conf", "options alone g=1\\n"),
        combined(of, "subdirectories are not read", "-D alone")
            .file("etc/modprobe.d/sub/a.conf", "options alone x=1\\n"),
        combined(of, "/etc/modprobe.conf is not read", "-D alone")
            .file("etc/modprobe.conf", "options alone x=1\\n"),
        combined(of, "no directory at all", "-D alone").link("/nowhere", "etc/modprobe.d.away"),
        combined(of, "a file in the directory's place", "-D alone")
            .file("run/modprobe.d", "options alone x=1\\n"),
        combined(of, "sorted by byte, not by letter", "-D alone")
            .conf("B.conf", "options alone B=1\\n")
            .conf("a.conf", "options alone a=1\\n")
            .conf("_.conf", "options alone _=1\\n")
            .conf("10.conf", "options alone t=1\\n")
            .conf("9.conf", "options alone n=1\\n"),
        combined(of, "the name of a file is not UTF-8", "-D alone")
            .link("/tmp/real", "etc/modprobe.d/x.conf")
            .file("tmp/real", "options alone x=\\xff\\n"),
    ]
}
