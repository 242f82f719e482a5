//! modprobe: options that only print, and options for directories.

use super::{Case, Claim, Compare, Row, Step, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [depends(), aliases(), config(), files(), places(), version()].concat()
}

fn depends() -> Vec<Case> {
    vec![
        works("modprobe --show-depends", "a chain", "--show-depends upper"),
        works("modprobe --show-depends", "what is loaded, all the same", "-D upper").chain(),
        works("modprobe --show-depends", "built in", "-D inside"),
        works("modprobe --show-depends", "an alias", "-D alone-alias"),
        works("modprobe --show-depends", "an alias with two targets", "-D twins:1"),
        works("modprobe --show-depends", "an alias of built-in code", "-D inside-alias"),
        works("modprobe --show-depends", "softdeps", "-D soft"),
        works("modprobe --show-depends", "weakdeps are not shown", "-D weak"),
        works("modprobe --show-depends", "a broken file", "-D broken"),
        fails("modprobe --show-depends", "unknown", "--show-depends unheard-of"),
        fails("modprobe --show-depends", "nothing given", "-D"),
        fails("modprobe --show-depends", "unknown and quiet", "-Dq unheard-of"),
        combined("modprobe --show-depends", "with parameters", "-D upper depth=1"),
        combined("modprobe --show-depends", "with options of the configuration", "-D upper")
            .config("options upper depth=1\\noptions lower x=2\\n"),
        combined("modprobe --show-depends", "with both", "-D upper depth=1")
            .config("options upper depth=2\\n"),
        combined("modprobe --show-depends", "an install command", "-D alone")
            .config("install alone /bin/echo installing\\n"),
        combined("modprobe --show-depends", "an install command with parameters", "-D alone x=1")
            .config("install alone /bin/echo $CMDLINE_OPTS\\n"),
        combined("modprobe --show-depends", "a dependency's install command", "-D middle")
            .config("install lower /bin/echo lower\\n"),
        combined("modprobe --show-depends", "an install command of what is no module", "-D nothing")
            .config("install nothing /bin/true\\n"),
        combined("modprobe --show-depends", "-v", "-Dv upper"),
        combined("modprobe --show-depends", "a module twice", "-D upper")
            .config("softdep upper pre: lower\\n")
            .differs(
                Row::ListedTwice,
                &[
                    Claim::Exit(0),
                    Claim::Prints("insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/upper.ko \n"),
                ],
                &[
                    Claim::Exit(0),
                    Claim::Prints(
                        "insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/lower.ko \ninsmod @/upper.ko \n",
                    ),
                ],
            ),
        combined("modprobe --show-depends", "with -S", "-D -S 5.0.0-other alone")
            .link("6.12.0-fake", "lib/modules/5.0.0-other"),
        combined("modprobe --show-depends", "with -d", "-D -d /tmp/root alone").link("/lib", "tmp/root/lib"),
    ]
}

fn aliases() -> Vec<Case> {
    vec![
        works("modprobe --show-alias", "an alias", "--show-alias alone-alias").differs(
            Row::MasterOptions,
            &[Claim::Prints("alone\n"), Claim::Exit(0)],
            &[Claim::Exit(1), Claim::Reports("unrecognized option")],
        ),
        works("modprobe --show-alias", "a modalias", "-R pci:v0001d0001"),
        works("modprobe --show-alias", "two targets", "-R twins:1"),
        works("modprobe --show-alias", "a name", "-R dash-ed"),
        works("modprobe --show-alias", "a symbol", "-R symbol:mid"),
        works("modprobe --show-alias", "built in", "-R inside"),
        works("modprobe --show-alias", "an alias of built-in code", "-R inside-alias"),
        fails("modprobe --show-alias", "unknown", "--show-alias unheard-of").differs(
            Row::MasterOptions,
            &[Claim::Exit(1), Claim::Reports("not found in directory")],
            &[Claim::Exit(1), Claim::Reports("unrecognized option")],
        ),
        fails("modprobe --show-alias", "takes no value", "--resolve-alias=1 x"),
        fails("modprobe --show-alias", "nothing given", "-R"),
        fails("modprobe --show-alias", "unknown and quiet", "-Rq unheard-of"),
        fails("modprobe --show-alias", "an unmatched bracket", "-R usb:[a"),
        combined("modprobe --show-alias", "of the configuration", "-R mine")
            .config("alias mine alone\\nalias mine lower\\n"),
        combined("modprobe --show-alias", "of the configuration, hiding a module", "-R lower")
            .config("alias lower alone\\n"),
        combined("modprobe --show-alias", "a target nobody knows", "-R mine")
            .config("alias mine unheard-of\\n"),
        combined("modprobe --show-alias", "blacklisted", "-R alone-alias").config("blacklist alone\\n"),
        combined("modprobe --show-alias", "an install command's name", "-R nothing")
            .config("install nothing /bin/true\\n"),
        combined("modprobe --show-alias", "several words", "-R alone-alias twins:1"),
        combined("modprobe --show-alias", "with -a", "-R -a alone-alias unheard-of twins:1"),
        combined("modprobe --show-alias", "with -v", "-Rv alone-alias"),
        works("modprobe --resolve-alias", "is --show-alias", "--resolve-alias alone-alias"),
        fails("modprobe --resolve-alias", "unknown", "--resolve-alias unheard-of"),
        combined("modprobe --resolve-alias", "with -a", "--resolve-alias -a alone-alias twins:1"),
    ]
}

fn config() -> Vec<Case> {
    let all = "alias mine alone\\noptions alone depth=1 x=\"a b\"\\ninstall alone /bin/true \\$CMDLINE_OPTS\\n\
               remove alone /bin/false\\nblacklist dash-ed\\nsoftdep upper pre: side post: alone\\nweakdep upper alone\\n";
    let all = &all.replace("\\$", "$");
    vec![
        works("modprobe --show-config", "of nothing", "--show-config"),
        works("modprobe --show-config", "every directive", "-c").config(all),
        works("modprobe --showconfig", "of nothing", "--showconfig"),
        fails("modprobe --show-config", "bad lines", "-c").config("nonsense\\nalias\\n"),
        fails("modprobe --show-config", "takes no value", "--show-config=1"),
        fails("modprobe --showconfig", "takes no value", "--showconfig=1"),
        combined("modprobe --showconfig", "with a module", "--showconfig alone").config(all),
        combined("modprobe --show-config", "a module's name changes nothing", "-c alone").config(all),
        combined("modprobe --show-config", "the kernel command line", "-c")
            .cmdline("quiet alone.depth=3 lower.x modprobe.blacklist=side,alone"),
        combined("modprobe --show-config", "-C FILE", "-c -C /tmp/mine").file("tmp/mine", all),
        combined("modprobe --show-config", "without indexes", "-c")
            .delete("lib/modules/6.12.0-fake/modules.alias.bin")
            .delete("lib/modules/6.12.0-fake/modules.symbols.bin"),
        combined("modprobe --show-config", "without a module directory", "-c -S 1.2.3"),
        combined("modprobe --show-config", "to a pipe that nobody reads", "-c")
            .config(all)
            .step(Step::BrokenPipe),
        combined("modprobe --show-config", "a softdep with both words", "-c")
            .file("lib/modules/6.12.0-fake/modules.softdep", "softdep a pre: b post: c\\n")
            .differs(
                Row::SoftdepBlank,
                &[Claim::PrintsLine("softdep a pre: b post: c\n")],
                &[Claim::PrintsLine("softdep a pre: bpost: c\n")],
            ),
        combined("modprobe --show-config", "a line twice", "-c")
            .config("alias mine alone\\nalias mine alone\\n"),
    ]
}

fn files() -> Vec<Case> {
    vec![
        works("modprobe --show-modversions", "of a file", "--show-modversions @/upper.ko"),
        fails("modprobe --show-modversions", "of a compressed file without versions", "--show-modversions @/packed_xz.ko.xz"),
        works("modprobe --show-modversions", "of a file with versions", "--show-modversions @/versioned.ko"),
        fails("modprobe --show-modversions", "missing", "--show-modversions /nowhere.ko"),
        fails("modprobe --show-modversions", "a text", "--show-modversions @/broken.ko"),
        fails("modprobe --show-modversions", "nothing given", "--show-modversions"),
        fails("modprobe --show-modversions", "a directory", "--show-modversions /tmp"),
        fails("modprobe --show-modversions", "an unknown name", "--show-modversions unheard-of"),
        combined("modprobe --show-modversions", "by name", "--show-modversions upper").differs(
            Row::ShowByName,
            &[Claim::Exit(0), Claim::Prints("0x22222222\tmid\n")],
            &[Claim::Exit(1), Claim::Prints("")],
        ),
        combined("modprobe --show-modversions", "long symbol names", "--show-modversions @/rustic.ko").differs(
            Row::LongVersions,
            &[Claim::Exit(0), Claim::Prints("0x33333333\t_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R_R\n")],
            &[Claim::Prints("")],
        ),
        combined("modprobe --show-modversions", "two files", "--show-modversions @/upper.ko @/middle.ko"),
        combined("modprobe --show-modversions", "with -a", "-a --show-modversions @/upper.ko @/middle.ko"),
        combined("modprobe --show-modversions", "relative", "--show-modversions upper.ko")
            .step(Step::Directory("/lib/modules/6.12.0-fake/kernel")),
        works("modprobe --dump-modversions", "is --show-modversions", "--dump-modversions @/upper.ko"),
        fails("modprobe --dump-modversions", "missing", "--dump-modversions /nowhere.ko"),
        combined("modprobe --dump-modversions", "two files", "--dump-modversions @/upper.ko @/middle.ko"),
        works("modprobe --show-exports", "of a file", "--show-exports @/lower.ko"),
        fails("modprobe --show-exports", "of a file that exports nothing", "--show-exports @/alone.ko"),
        fails("modprobe --show-exports", "missing", "--show-exports /nowhere.ko"),
        fails("modprobe --show-exports", "a text", "--show-exports @/broken.ko"),
        fails("modprobe --show-exports", "nothing given", "--show-exports"),
        fails("modprobe --show-exports", "an unknown name", "--show-exports unheard-of"),
        combined("modprobe --show-exports", "by name", "--show-exports lower").differs(
            Row::ShowByName,
            &[Claim::Exit(0), Claim::Prints("0x11111111\tlow\n")],
            &[Claim::Exit(1), Claim::Prints("")],
        ),
        combined("modprobe --show-exports", "without CRCs", "--show-exports @/gone.ko").bytes(
            "lib/modules/6.12.0-fake/kernel/gone.ko",
            testkit::ModuleBuilder::new("gone").export("away", testkit::Crc::None).build(),
        ),
        combined("modprobe --show-exports", "two files", "--show-exports @/lower.ko @/middle.ko"),
    ]
}

fn places() -> Vec<Case> {
    let mine = "options alone depth=7\\n";
    vec![
        works("modprobe --config", "a file of any name", "--config /tmp/mine -D alone")
            .file("tmp/mine", mine),
        works("modprobe --config", "a directory", "--config /tmp/mine.d -D alone")
            .file("tmp/mine.d/a.conf", mine),
        works("modprobe --config", "relative", "-C mine -D alone")
            .file("tmp/mine", mine)
            .step(Step::Directory("/tmp")),
        works("modprobe --config", "nothing at all", "-C /dev/null alone").config(mine),
        fails("modprobe --config", "missing", "--config /nowhere -D alone").quietly(),
        fails("modprobe --config", "without a value", "-D alone --config"),
        fails("modprobe --config", "a bad file", "-C /tmp/mine alone").file("tmp/mine", "nonsense\\n"),
        combined("modprobe --config", "replaces the directories", "-C /tmp/mine -D alone")
            .file("tmp/mine", "options alone x=1\\n")
            .config(mine),
        combined("modprobe --config", "does not replace the kernel command line", "-C /tmp/mine -D alone")
            .file("tmp/mine", "options alone x=1\\n")
            .cmdline("alone.depth=3"),
        combined("modprobe --config", "only *.conf of a directory", "-C /tmp/mine.d -D alone")
            .file("tmp/mine.d/a.conf", "options alone a=1\\n")
            .file("tmp/mine.d/b", "options alone b=1\\n")
            .file("tmp/mine.d/.c.conf", "options alone c=1\\n")
            .file("tmp/mine.d/d/e.conf", "options alone e=1\\n"),
        combined("modprobe --config", "several", "-C /tmp/one -C /tmp/two -D alone")
            .file("tmp/one", "options alone one=1\\n")
            .file("tmp/two", "options alone two=1\\n"),
        combined("modprobe --config", "several, sorted otherwise", "-C /tmp/two -C /tmp/one -D alone")
            .file("tmp/one", "options alone one=1\\n")
            .file("tmp/two", "options alone two=1\\n"),
        combined("modprobe --config", "one base name in two directories", "-C /tmp/x -C /tmp/y -D alone")
            .file("tmp/x/a.conf", "options alone x=1\\n")
            .file("tmp/y/a.conf", "options alone y=1\\n"),
        combined("modprobe --config", "twice the same", "-C /tmp/one -C /tmp/one -D alone")
            .file("tmp/one", "options alone one=1\\n"),
        combined("modprobe --config", "is passed on", "-C /tmp/mine alone").file(
            "tmp/mine",
            "install alone echo \"$MODPROBE_OPTIONS\"; /sbin/modprobe lower\\noptions lower x=1\\n",
        ),
        combined("modprobe --config", "modules.softdep is read", "-C /tmp/mine -D soft")
            .file("tmp/mine", mine),
        works("modprobe --dirname", "another root's modules", "--dirname /tmp/root -D alone")
            .link("/lib", "tmp/root/lib"),
        works("modprobe --dirname", "loads from there", "-d /tmp/root upper").link("/lib", "tmp/root/lib"),
        works("modprobe --dirname", "relative", "-d root -D alone")
            .link("/lib", "tmp/root/lib")
            .step(Step::Directory("/tmp")),
        works("modprobe --dirname", "with a slash at its end", "-d /tmp/root/ -D alone")
            .link("/lib", "tmp/root/lib"),
        fails("modprobe --dirname", "that is missing", "--dirname /nowhere alone"),
        fails("modprobe --dirname", "that is empty", "--dirname /tmp alone"),
        fails("modprobe --dirname", "without a value", "alone --dirname"),
        fails("modprobe --dirname", "an empty one", "-d \\e -D alone").quietly(),
        combined("modprobe --dirname", "configuration is the running system's", "-d /tmp/root -D alone")
            .link("/lib", "tmp/root/lib")
            .config("options alone here=1\\n")
            .file("tmp/root/etc/modprobe.d/a.conf", "options alone there=1\\n"),
        combined("modprobe --dirname", "with -S", "-d /tmp/root -S 5.0.0 -D alone")
            .link("/lib/modules/6.12.0-fake", "tmp/root/lib/modules/5.0.0"),
        combined("modprobe --dirname", "twice, the last wins", "-d /nowhere -d /tmp/root -D alone")
            .link("/lib", "tmp/root/lib"),
        combined("modprobe --dirname", "is not passed on", "-d /tmp/root alone")
            .link("/lib", "tmp/root/lib")
            .config("install alone echo \"<$MODPROBE_OPTIONS>\"\\n"),
        works("modprobe --set-version", "another kernel's modules", "--set-version 5.0.0 -D alone")
            .link("6.12.0-fake", "lib/modules/5.0.0"),
        fails("modprobe --set-version", "that is missing", "--set-version 5.0.0 alone"),
        fails("modprobe --set-version", "without a value", "alone -S"),
        fails("modprobe --set-version", "an empty one", "-S \\e alone").differs(
            Row::EmptyValue,
            &[Claim::Exit(0), Claim::Silent, Claim::Loaded("alone")],
            &[Claim::Exit(1), Claim::Reports("Module alone not found in directory /lib/modules/")],
        ),
        combined("modprobe --set-version", "loads, too", "-S 5.0.0 alone")
            .link("6.12.0-fake", "lib/modules/5.0.0"),
        combined("modprobe --set-version", "with -r", "-S 5.0.0 -r upper")
            .chain()
            .link("6.12.0-fake", "lib/modules/5.0.0"),
        combined("modprobe --set-version", "is not passed on", "-S 5.0.0 alone")
            .link("6.12.0-fake", "lib/modules/5.0.0")
            .config("install alone echo \"<$MODPROBE_OPTIONS>\"\\n"),
        combined("modprobe --set-version", "missing, with -n", "-S 5.0.0 -n alone"),
        combined("modprobe --set-version", "missing, with -q", "-S 5.0.0 -q alone"),
    ]
}

fn version() -> Vec<Case> {
    vec![
        works("modprobe --version", "prints the version", "--version").compare(Compare::Version),
        fails("modprobe --version", "takes no value", "--version=1"),
        combined("modprobe --version", "wins over a module", "alone -V").compare(Compare::Version),
        combined("modprobe --version", "after a bad option", "-x -V"),
        works("modprobe --help", "prints help", "--help").compare(Compare::HelpOnStdout),
        fails("modprobe --help", "takes no value", "--help=1"),
        combined("modprobe --help", "wins over a module", "-h alone").compare(Compare::HelpOnStdout),
        combined("modprobe --help", "before a bad option", "-h -x").compare(Compare::HelpOnStdout),
    ]
}
