//! modprobe: every directive of modprobe.d.

use super::{Case, Claim, Compare, Row, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [aliases(), options(), commands(), blacklist(), softdep(), weakdep()].concat()
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
                &[Claim::Exit(1), Claim::Reports("signal")],
                &[Claim::Exit(0), Claim::Silent],
            ),
        combined("modprobe install", "hung up on", "alone").config("install alone kill -HUP $$\\n").differs(
            Row::KilledCommand,
            &[Claim::Exit(1), Claim::Reports("signal")],
            &[Claim::Exit(0), Claim::Silent],
        ),
        combined("modprobe install", "a dependency's is killed", "middle")
            .config("install lower kill -9 $$\\n")
            .differs(
                Row::KilledCommand,
                &[Claim::Exit(1), Claim::Reports("signal"), Claim::Loaded("")],
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
                &[Claim::Exit(1), Claim::Reports("remove command")],
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
            .file("lib/modules/6.12.0-fake/modules.softdep", "options alone x=1\\n")
            .differs(
                Row::DepmodLists,
                &[Claim::Prints("insmod @/alone.ko \n")],
                &[Claim::Prints("insmod @/alone.ko x=1 \n")],
            ),
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
