//! modprobe: every directive, where configuration comes from, and what goes wrong in it.

use super::{Case, Claim, Compare, Row, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [
        aliases(),
        options(),
        commands(),
        blacklist(),
        softdep(),
        weakdep(),
        lines(),
        directories(),
        environment(),
        cmdline(),
    ]
    .concat()
}

fn aliases() -> Vec<Case> {
    vec![
        works("modprobe alias", "to a module", "mine").config("alias mine alone\\n"),
        works("modprobe alias", "with a wildcard", "mine-3").config("alias mine-* alone\\n"),
        works("modprobe alias", "with a class", "mine-3").config("alias mine-[0-9] alone\\n"),
        works("modprobe alias", "with a question mark", "mine-3").config("alias mine-? alone\\n"),
        works("modprobe alias", "with a dash in the module", "mine").config("alias mine dash-ed\\n"),
        works("modprobe alias", "to two modules", "mine").config("alias mine alone\\nalias mine lower\\n"),
        works("modprobe alias", "two patterns", "mine").config("alias mine alone\\nalias m* lower\\n"),
        fails("modprobe alias", "to nothing", "mine").config("alias mine unheard-of\\n"),
        fails("modprobe alias", "to off, which is a module's name", "mine").config("alias mine off\\n"),
        fails("modprobe alias", "without a module", "mine").config("alias mine\\n"),
        fails("modprobe alias", "without anything", "mine").config("alias\\n"),
        fails("modprobe alias", "with an unmatched bracket", "mine").config("alias mine[ alone\\n"),
        fails("modprobe alias", "with a closing bracket", "mine]").config("alias mine] alone\\n"),
        fails("modprobe alias", "with an unmatched bracket in the module", "mine")
            .config("alias mine al[one\\n"),
        fails("modprobe alias", "to an alias", "mine").config("alias mine alone-alias\\n"),
        combined("modprobe alias", "hides a module", "lower").config("alias lower alone\\n"),
        combined("modprobe alias", "is loaded", "mine").config("alias mine alone\\n").loaded("alone"),
        combined("modprobe alias", "with options on the alias", "-D mine")
            .config("alias mine alone\\noptions mine x=1\\n"),
        combined("modprobe alias", "options on both", "-D mine")
            .config("alias mine alone\\noptions mine x=1\\noptions alone y=1\\n"),
        combined("modprobe alias", "options on an alias of the module", "-D alone-alias")
            .config("options alone-alias x=1\\n"),
        combined("modprobe alias", "extra words", "mine").config("alias mine alone more words\\n"),
        combined("modprobe alias", "twice the same line", "mine")
            .config("alias mine alone\\nalias mine alone\\n"),
        combined("modprobe alias", "with blacklist and no -b", "mine")
            .config("alias mine alone\\nblacklist alone\\n"),
        combined("modprobe alias", "to built-in code", "mine").config("alias mine inside\\n"),
        combined("modprobe alias", "with underscores and dashes", "my_ne-3").config("alias my-ne_3 alone\\n"),
    ]
}

fn options() -> Vec<Case> {
    vec![
        works("modprobe options", "one line", "alone").config("options alone depth=1\\n"),
        works("modprobe options", "several lines", "alone")
            .config("options alone depth=1\\noptions alone x=2 y=3\\n"),
        works("modprobe options", "a dash in the name", "-D dash_ed").config("options dash-ed x=1\\n"),
        works("modprobe options", "quotes", "-D alone").config("options alone x=\"a b\" y='c d'\\n"),
        works("modprobe options", "of a dependency", "upper").config("options lower x=1\\n"),
        works("modprobe options", "blanks and tabs", "-D alone")
            .config("options   alone \\t  x=1 \\t y=2  \\n"),
        fails("modprobe options", "without words", "alone").config("options alone\\n"),
        fails("modprobe options", "without a module", "alone").config("options\\n"),
        fails("modprobe options", "an unmatched bracket", "alone").config("options al[one x=1\\n"),
        fails("modprobe options", "an unbalanced quote, which the kernel sees", "alone")
            .config("options alone x=\"a b\\n")
            .refuse("alone", testkit::Errno::EINVAL),
        combined("modprobe options", "an unbalanced quote", "-D alone").config("options alone x=\"a b\\n"),
        combined("modprobe options", "with parameters", "-D alone x=3").config("options alone x=1\\n"),
        combined("modprobe options", "with the kernel command line", "-D alone x=3")
            .config("options alone x=1\\n")
            .cmdline("alone.x=2"),
        combined("modprobe options", "a pattern is no pattern", "-D alone").config("options al* x=1\\n"),
        combined("modprobe options", "with -v", "-v alone").config("options alone x=1\\n"),
        combined("modprobe options", "in two files", "-D alone")
            .conf("b.conf", "options alone b=1\\n")
            .conf("a.conf", "options alone a=1\\n"),
        combined("modprobe options", "a comment behind", "-D alone").config("options alone x=1 # why\\n"),
        combined("modprobe options", "backslashes", "-D alone").config("options alone x=a\\\\tb\\\\\\\\c\\n"),
    ]
}

fn commands() -> Vec<Case> {
    let print = "install alone echo \"$MODPROBE_MODULE\" \"$0\" $#\\n";
    vec![
        works("modprobe install", "a command", "alone").config("install alone echo installing\\n"),
        works("modprobe install", "loads the module itself", "alone x=1")
            .config("install alone /sbin/modprobe -i alone $CMDLINE_OPTS && echo done\\n"),
        works("modprobe install", "what is no module", "nothing")
            .config("install nothing echo installing\\n"),
        works("modprobe install", "a pattern", "twin_a")
            .config("install twin* echo installing $MODPROBE_MODULE\\n"),
        works("modprobe install", "a dependency's", "middle")
            .config("install lower echo lower; /sbin/modprobe -i lower\\n"),
        works("modprobe install", "writes a file", "alone").config("install alone echo here > /tmp/here\\n"),
        works("modprobe install", "/bin/true", "alone").config("install alone /bin/true\\n"),
        fails("modprobe install", "/bin/false", "alone").config("install alone /bin/false\\n"),
        fails("modprobe install", "exit 3", "alone").config("install alone exit 3\\n"),
        fails("modprobe install", "a command nobody has", "alone")
            .config("install alone /nowhere/command\\n"),
        fails("modprobe install", "a dependency's fails", "middle").config("install lower /bin/false\\n"),
        fails("modprobe install", "bad shell", "alone").config("install alone if then\\n"),
        fails("modprobe install", "without a command", "alone").config("install alone\\n"),
        fails("modprobe install", "without anything", "alone").config("install\\n"),
        fails("modprobe install", "fails and quiet", "-q alone").config("install alone /bin/false\\n"),
        combined("modprobe install", "killed by a signal", "alone")
            .config("install alone kill -9 $$\\n")
            .differs(
                Row::KilledCommand,
                &[Claim::Exit(1), Claim::Says("signal")],
                &[Claim::Exit(0), Claim::Silent],
            ),
        combined("modprobe install", "hung up on", "alone").config("install alone kill -HUP $$\\n").differs(
            Row::KilledCommand,
            &[Claim::Exit(1), Claim::Says("signal")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        combined("modprobe install", "a dependency's is killed", "middle")
            .config("install lower kill -9 $$\\n")
            .differs(
                Row::KilledCommand,
                &[Claim::Exit(1), Claim::Says("signal"), Claim::Loaded("")],
                &[Claim::Exit(1)],
            ),
        combined("modprobe install", "with a softdep", "alone")
            .config("install alone echo installing\\nsoftdep alone pre: lower\\n")
            .differs(
                Row::SoftdepAndInstall,
                &[Claim::Exit(0), Claim::Prints("installing\n"), Claim::Loaded("lower")],
                &[Claim::Exit(0), Claim::Prints(""), Claim::Loaded("alone lower")],
            ),
        combined("modprobe install", "two lines, the first wins", "alone")
            .config("install alone echo 1\\ninstall alone echo 2\\n"),
        combined("modprobe install", "a pattern before the name", "alone")
            .config("install al* echo 1\\ninstall alone echo 2\\n"),
        combined("modprobe install", "of what is loaded", "alone")
            .config("install alone echo installing\\n")
            .loaded("alone"),
        combined("modprobe install", "of what is built in", "inside")
            .config("install inside echo installing\\n"),
        combined("modprobe install", "with -v", "-v alone")
            .config("install alone echo installing\\n")
            .compare(Compare::Lines),
        combined("modprobe install", "with -v and parameters", "-v alone x=1")
            .config("install alone echo $CMDLINE_OPTS\\n")
            .compare(Compare::Lines),
        combined("modprobe install", "through an alias", "alone-alias").config(print),
        combined("modprobe install", "on an alias's name", "alone-alias")
            .config("install alone-alias echo installing\\n"),
        combined("modprobe install", "blanks before the command", "-v alone")
            .config("install alone \\t  echo   a    b\\n")
            .compare(Compare::Lines),
        combined("modprobe install", "a continued line", "-v alone")
            .config("install alone echo a; \\\\\\n  echo b\\n")
            .compare(Compare::Lines),
        combined("modprobe install", "a backslash in the command", "alone")
            .config("install alone echo 'a\\\\tb\\\\\\\\c'\\n"),
        combined("modprobe install", "endless, ended by the module becoming loaded", "alone")
            .config("install alone /sbin/modprobe -i lower; /sbin/modprobe -i alone\\n"),
        works("modprobe remove", "a command", "-r alone")
            .config("remove alone echo removing\\n")
            .loaded("alone"),
        works("modprobe remove", "removes the module itself", "-r alone")
            .config("remove alone /sbin/modprobe -r -i alone && echo done\\n")
            .loaded("alone"),
        works("modprobe remove", "a pattern", "-r twin_a")
            .config("remove twin* echo removing $MODPROBE_MODULE\\n")
            .loaded("twin_a"),
        fails("modprobe remove", "/bin/false", "-r alone")
            .config("remove alone /bin/false\\n")
            .loaded("alone"),
        fails("modprobe remove", "exit 3", "-r alone").config("remove alone exit 3\\n").loaded("alone"),
        fails("modprobe remove", "without a command", "-r alone").config("remove alone\\n").loaded("alone"),
        fails("modprobe remove", "fails, with -q", "-rq alone")
            .config("remove alone /bin/false\\n")
            .loaded("alone"),
        combined("modprobe remove", "killed by a signal", "-r alone")
            .config("remove alone kill -9 $$\\n")
            .loaded("alone")
            .differs(
                Row::KilledCommand,
                &[Claim::Exit(1), Claim::Says("remove command")],
                &[Claim::Exit(0), Claim::Silent],
            ),
        combined("modprobe remove", "in use", "-r alone")
            .config("remove alone echo removing\\n")
            .loaded("alone")
            .users("alone", 1),
        combined("modprobe remove", "two lines, the first wins", "-r alone")
            .config("remove alone echo 1\\nremove alone echo 2\\n")
            .loaded("alone"),
        combined("modprobe remove", "with -v", "-rv alone")
            .config("remove alone echo removing\\n")
            .loaded("alone"),
        combined("modprobe remove", "$CMDLINE_OPTS stays", "-r alone")
            .config("remove alone echo \"<$CMDLINE_OPTS>\"\\n")
            .loaded("alone"),
        combined("modprobe remove", "the dependencies then", "-r upper")
            .config("remove upper /sbin/rmmod upper\\n")
            .chain(),
        combined("modprobe remove", "with a softdep", "-r alone")
            .config("remove alone echo removing\\nsoftdep alone pre: lower\\n")
            .loaded("lower")
            .loaded("alone"),
        works("modprobe $CMDLINE_OPTS", "parameters", "alone x=1 y=2")
            .config("install alone echo $CMDLINE_OPTS\\n"),
        works("modprobe $CMDLINE_OPTS", "twice", "alone x=1")
            .config("install alone echo $CMDLINE_OPTS and $CMDLINE_OPTS\\n"),
        works("modprobe $CMDLINE_OPTS", "none", "alone").config("install alone echo \"<$CMDLINE_OPTS>\"\\n"),
        fails("modprobe $CMDLINE_OPTS", "breaks the shell's quoting", "alone x='a")
            .config("install alone echo $CMDLINE_OPTS\\n"),
        combined("modprobe $CMDLINE_OPTS", "with options of the configuration", "alone x=1")
            .config("options alone y=2\\ninstall alone echo \"<$CMDLINE_OPTS>\"\\n"),
        combined("modprobe $CMDLINE_OPTS", "a longer name", "alone x=1")
            .config("install alone echo $CMDLINE_OPTSX ${CMDLINE_OPTS}\\n"),
        combined("modprobe $CMDLINE_OPTS", "a variable of the environment", "alone")
            .env("CMDLINE_OPTS", "from-outside")
            .config("install alone echo \"<$CMDLINE_OPTS>\"\\n"),
        combined("modprobe $CMDLINE_OPTS", "shell characters", "alone x=$(echo\\s1)")
            .config("install alone echo $CMDLINE_OPTS\\n"),
    ]
}

fn blacklist() -> Vec<Case> {
    vec![
        works("modprobe blacklist", "an alias's target", "alone-alias").config("blacklist alone\\n"),
        works("modprobe blacklist", "a modalias's target", "pci:v0001d0001").config("blacklist alone\\n"),
        works("modprobe blacklist", "not by name", "alone").config("blacklist alone\\n"),
        works("modprobe blacklist", "a dash", "usb:v1234-p1").config("blacklist dash-ed\\n"),
        works("modprobe blacklist", "one of two targets", "twins:1").config("blacklist twin_a\\n"),
        fails("modprobe blacklist", "without a module", "alone-alias").config("blacklist\\n"),
        fails("modprobe blacklist", "an unmatched bracket", "alone-alias").config("blacklist al[one\\n"),
        combined("modprobe blacklist", "a pattern is no pattern", "alone-alias").config("blacklist al*\\n"),
        combined("modprobe blacklist", "extra words", "alone-alias").config("blacklist alone lower\\n"),
        combined("modprobe blacklist", "a dependency", "upper").config("blacklist lower\\n"),
        combined("modprobe blacklist", "a softdep", "soft").config("blacklist side\\nblacklist alone\\n"),
        combined("modprobe blacklist", "with -R", "-R alone-alias").config("blacklist alone\\n"),
        combined("modprobe blacklist", "with -D", "-D alone-alias").config("blacklist alone\\n"),
        combined("modprobe blacklist", "an alias of the configuration", "mine")
            .config("alias mine alone\\nblacklist alone\\n"),
        combined("modprobe blacklist", "with -r", "-r alone-alias")
            .config("blacklist alone\\n")
            .loaded("alone"),
        combined("modprobe blacklist", "with --first-time", "--first-time alone-alias")
            .config("blacklist alone\\n"),
        combined("modprobe blacklist", "a symbol", "symbol:low").config("blacklist lower\\n"),
        combined("modprobe blacklist", "with an install command", "alone-alias")
            .config("blacklist alone\\ninstall alone echo installing\\n"),
    ]
}

fn softdep() -> Vec<Case> {
    vec![
        works("modprobe softdep", "of the module itself", "soft"),
        works("modprobe softdep", "pre", "upper").config("softdep upper pre: alone\\n"),
        works("modprobe softdep", "post", "upper").config("softdep upper post: alone\\n"),
        works("modprobe softdep", "both, several words", "upper").config("softdep upper pre: alone twin_a post: side twin_b\\n"),
        works("modprobe softdep", "a pattern", "upper").config("softdep up* pre: alone\\n"),
        works("modprobe softdep", "through an alias", "-D upper").config("softdep upper pre: alone-alias\\n"),
        works("modprobe softdep", "of a dependency", "upper").config("softdep lower pre: alone\\n"),
        fails("modprobe softdep", "without words", "upper").config("softdep upper\\n"),
        fails("modprobe softdep", "without a module", "upper").config("softdep\\n"),
        fails("modprobe softdep", "an unknown one", "upper").config("softdep upper pre: unheard-of\\n").quietly(),
        fails("modprobe softdep", "an unmatched bracket", "upper").config("softdep up[per pre: alone\\n"),
        combined("modprobe softdep", "words before the first keyword", "upper").config("softdep upper side pre: alone\\n"),
        combined("modprobe softdep", "keywords without words", "upper").config("softdep upper pre: post:\\n"),
        combined("modprobe softdep", "a loop", "upper").config("softdep upper pre: alone\\nsoftdep alone pre: upper\\n"),
        combined("modprobe softdep", "itself", "alone").config("softdep alone pre: alone\\n"),
        combined("modprobe softdep", "several lines", "upper")
            .config("softdep upper pre: alone\\nsoftdep upper pre: twin_a post: side\\n")
            .differs(
                Row::SeveralSoftdeps,
                &[Claim::Exit(0), Claim::Loaded("side upper twin_a alone middle lower")],
                &[Claim::Exit(0), Claim::Loaded("upper alone middle lower")],
            ),
        combined("modprobe softdep", "with -r", "-r upper").config("softdep upper pre: alone post: twin_a\\n").chain().loaded("alone").loaded("twin_a"),
        combined("modprobe softdep", "with -D", "-D upper").config("softdep upper pre: alone post: twin_a\\n"),
        combined("modprobe softdep", "with -v", "-v upper").config("softdep upper pre: alone post: twin_a\\n"),
        combined("modprobe softdep", "what is loaded", "upper").config("softdep upper pre: alone\\n").loaded("alone"),
        combined("modprobe softdep", "of what is loaded", "upper").config("softdep upper pre: alone\\n").chain(),
        combined("modprobe softdep", "with an install command of the other", "upper")
            .config("softdep upper pre: alone\\ninstall alone echo installing\\n"),
        combined("modprobe softdep", "with a failing install command of the other", "upper")
            .config("softdep upper pre: alone\\ninstall alone /bin/false\\n"),
        combined("modprobe softdep", "parameters are for the named module", "-v upper x=1").config("softdep upper pre: alone\\n"),
        combined("modprobe softdep", "blacklisted", "upper").config("softdep upper pre: alone\\nblacklist alone\\n"),
        combined("modprobe softdep", "blacklisted alias", "upper").config("softdep upper pre: alone-alias\\nblacklist alone\\n"),
        combined("modprobe softdep", "to built-in code", "upper").config("softdep upper pre: inside\\n"),
        combined("modprobe softdep", "of built-in code", "inside").config("softdep inside pre: alone\\n"),
        combined("modprobe softdep", "two targets of an alias", "upper").config("softdep upper pre: twins:1\\n"),
        combined("modprobe softdep", "a dash in words", "-D upper").config("softdep upper pre: dash-ed\\n"),
        works("modprobe modules.softdep", "is read", "soft"),
        fails("modprobe modules.softdep", "bad lines", "soft").file("lib/modules/6.12.0-fake/modules.softdep", "nonsense\\nsoftdep\\n"),
        combined("modprobe modules.softdep", "a.conf is before it", "-D soft").conf("a.conf", "softdep soft pre: twin_a\\n").differs(
            Row::SeveralSoftdeps,
            &[Claim::Prints("insmod @/twin_a.ko \ninsmod @/alone.ko \ninsmod @/soft.ko \ninsmod @/lower.ko \ninsmod @/side.ko \n")],
            &[Claim::Prints("insmod @/twin_a.ko \ninsmod @/soft.ko \n")],
        ),
        combined("modprobe modules.softdep", "zz.conf is after it", "-D soft").conf("zz.conf", "softdep soft pre: twin_a\\n").differs(
            Row::SeveralSoftdeps,
            &[Claim::Prints("insmod @/alone.ko \ninsmod @/twin_a.ko \ninsmod @/soft.ko \ninsmod @/lower.ko \ninsmod @/side.ko \n")],
            &[Claim::Prints("insmod @/alone.ko \ninsmod @/soft.ko \ninsmod @/lower.ko \ninsmod @/side.ko \n")],
        ),
        combined("modprobe modules.softdep", "holds other directives", "-D alone")
            .file("lib/modules/6.12.0-fake/modules.softdep", "options alone x=1\\n"),
        combined("modprobe modules.softdep", "is masked", "-D soft").file("etc/modprobe.d/modules.softdep", ""),
    ]
}

fn weakdep() -> Vec<Case> {
    vec![
        works("modprobe weakdep", "loads nothing", "upper").config("weakdep upper alone\\n"),
        works("modprobe weakdep", "is shown", "-c").config("weakdep upper alone side\\n"),
        fails("modprobe weakdep", "without words", "upper").config("weakdep upper\\n"),
        fails("modprobe weakdep", "without a module", "upper").config("weakdep\\n"),
        fails("modprobe weakdep", "an unmatched bracket", "upper").config("weakdep up[per alone\\n"),
        combined("modprobe weakdep", "with -D", "-D weak"),
        combined("modprobe weakdep", "with an install command", "weak")
            .config("install weak echo installing\\n"),
        combined("modprobe weakdep", "with a softdep", "weak").config("softdep weak pre: lower\\n"),
        combined("modprobe weakdep", "several words", "-c")
            .config("weakdep upper  alone   side\\t lower \\n"),
        works("modprobe modules.weakdep", "is read", "-c"),
        fails("modprobe modules.weakdep", "bad lines", "weak")
            .file("lib/modules/6.12.0-fake/modules.weakdep", "weakdep\\nnonsense\\n"),
        combined("modprobe modules.weakdep", "a.conf is before it", "-c")
            .conf("a.conf", "weakdep weak side\\n"),
    ]
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
        fails("modprobe config-lines", "binary", "-c").config("\\x7fELF\\x01\\xff\\n"),
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
            .config("alias mine alone\\x0d\\noptions alone x=1\\x0d\\n"),
        combined("modprobe config-lines", "not UTF-8", "-c")
            .config("alias m\\xffne al\\xfene\\noptions alone x=\\xff\\n"),
        combined("modprobe config-lines", "form feed and vertical tab", "-c")
            .config("alias\\x0bmine\\x0calone\\n"),
        works("modprobe include", "is passed over", "alone")
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
            &[Claim::Exit(0), Claim::Says("/etc/modprobe.d/a.conf")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        fails(of, "a directory called *.conf", "alone").dir("etc/modprobe.d/a.conf").differs(
            Row::UnreadableConfig,
            &[Claim::Exit(0), Claim::Says("/etc/modprobe.d/a.conf")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        fails(of, "a link to itself", "alone").link("a.conf", "etc/modprobe.d/a.conf").differs(
            Row::UnreadableConfig,
            &[Claim::Exit(0), Claim::Says("/etc/modprobe.d/a.conf")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        fails(of, "unreadable, with -C", "-C /tmp/mine alone").link("mine", "tmp/mine").differs(
            Row::UnreadableConfig,
            &[Claim::Exit(0), Claim::Says("/tmp/mine")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        combined(of, "a dangling link masks nothing", "-D alone")
            .link("/nowhere", "etc/modprobe.d/a.conf")
            .file("lib/modprobe.d/a.conf", "options alone x=1\\n")
            .differs(
                Row::UnreadableConfig,
                &[Claim::Prints("insmod @/alone.ko x=1 \n"), Claim::Says("/etc/modprobe.d/a.conf")],
                &[Claim::Prints("insmod @/alone.ko x=1 \n"), Claim::Silent],
            ),
        combined(of, "a directory called *.conf masks nothing", "-D alone")
            .dir("etc/modprobe.d/a.conf")
            .file("lib/modprobe.d/a.conf", "options alone x=1\\n")
            .differs(
                Row::UnreadableConfig,
                &[Claim::Prints("insmod @/alone.ko x=1 \n"), Claim::Says("/etc/modprobe.d/a.conf")],
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
        combined(of, "a fifo would hang", "-D alone").file("etc/modprobe.d/z.conf", "options alone z=1\\n"),
    ]
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
                &[Claim::Exit(1), Claim::Says("Module  not found")],
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
            &[Claim::Exit(1), Claim::Says("Module  not found")],
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
        works(parameters, "no value", "-D alone").cmdline("alone.flag").quietly().quietly(),
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
            &[Claim::Exit(0), Claim::Says("al[one")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        fails(parameters, "an empty line", "-c").cmdline("").quietly(),
        fails(parameters, "no file", "-c").delete("proc/cmdline").quietly(),
        combined(parameters, "with options and argv", "-D alone z=3")
            .config("options alone x=1\\n")
            .cmdline("alone.y=2"),
        combined(parameters, "a dot in the value", "-c").cmdline("alone.x=1.2.3 root=/dev/sda.1 lower.y=a.b"),
        combined(parameters, "no value and a dot in a value", "-c").cmdline("alone. alone.x= lower.y"),
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
        fails(blacklist, "no value", "-c").cmdline("modprobe.blacklist alone.x=1"),
        fails(blacklist, "commas only", "-c").cmdline("modprobe.blacklist=,,").quietly(),
        combined(blacklist, "a dash", "usb:v1234-p1").cmdline("modprobe.blacklist=dash-ed").differs(
            Row::CmdlineBlacklistDash,
            &[Claim::Exit(0), Claim::Loaded("")],
            &[Claim::Exit(0), Claim::Loaded("dash_ed")],
        ),
        combined(blacklist, "quoted", "-c").cmdline("modprobe.blacklist=\"alone,lower\" alone.x=1"),
        combined(blacklist, "quoted as grub writes", "-c")
            .cmdline("\"modprobe.blacklist=alone,lower\" alone.x=1"),
        combined(blacklist, "empty ones between", "-c").cmdline("modprobe.blacklist=,alone,,lower,"),
        combined(blacklist, "with -C", "-C /dev/null alone-alias").cmdline("modprobe.blacklist=alone"),
        combined(blacklist, "another parameter of modprobe", "-c").cmdline("modprobe.something=1"),
        combined(blacklist, "the kernel's own", "alone-alias").cmdline("module_blacklist=alone"),
        combined(blacklist, "with blacklist lines", "-c")
            .config("blacklist side\\n")
            .cmdline("modprobe.blacklist=alone"),
    ]
}
