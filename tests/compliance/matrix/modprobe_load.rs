//! modprobe: loading.

use testkit::{Compression, Errno};

use super::{Case, Claim, Compare, Row, Step, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [all(), once(), commands_and_blacklist(), force(), dry_run(), names(), kernel(), parameters()].concat()
}

fn all() -> Vec<Case> {
    vec![
        works("modprobe --all", "loads each", "--all alone upper"),
        works("modprobe --all", "with one that is loaded", "-a alone lower").loaded("alone"),
        works("modprobe --all", "takes every word for a module", "-a alone dash-ed lower"),
        fails("modprobe --all", "one is unknown, the others load", "--all alone unheard-of lower"),
        fails("modprobe --all", "the last is unknown", "--all alone unheard-of"),
        fails("modprobe --all", "one is refused, the others load", "-a alone lower side")
            .refuse("alone", Errno::ENODEV),
        fails("modprobe --all", "nothing given", "--all"),
        fails("modprobe --all", "parameters are not modules", "-a alone depth=1"),
        combined("modprobe --all", "with -q", "-aq alone unheard-of lower"),
        combined("modprobe --all", "with -q, all well", "-aq alone lower"),
        combined("modprobe --all", "with -r", "-ar upper alone").chain().loaded("alone"),
        combined("modprobe --all", "with -r and one that is in use", "-a -r lower alone")
            .chain()
            .loaded("alone"),
        combined("modprobe --all", "with -b", "-ab alone lower").config("blacklist alone\\n"),
        combined("modprobe --all", "with -abq and modaliases", "-abq pci:v0001d0001 usb:v1234-p1 none:such")
            .config("blacklist dash_ed\\n"),
        combined("modprobe --all", "with -D", "-aD upper side").differs(Row::ListedTwice, &[Claim::Prints("insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/upper.ko \ninsmod @/side.ko \n")], &[Claim::Prints("insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/upper.ko \ninsmod @/lower.ko \ninsmod @/side.ko \n")]),
        combined("modprobe --all", "with -D and one unknown", "-aD upper unheard-of side").differs(Row::ListedTwice, &[Claim::Prints("insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/upper.ko \ninsmod @/side.ko \n")], &[Claim::Prints("insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/upper.ko \ninsmod @/lower.ko \ninsmod @/side.ko \n")]),
        combined("modprobe --all", "with -R", "-aR alone-alias usb:v1234-p1"),
        combined("modprobe --all", "with -n -v", "-anv upper side").differs(Row::ListedTwice, &[Claim::Prints("insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/upper.ko \ninsmod @/side.ko \n")], &[Claim::Prints("insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/upper.ko \ninsmod @/lower.ko \ninsmod @/side.ko \n")]),
        combined("modprobe --all", "with --first-time", "-a --first-time alone lower").loaded("alone"),
        combined("modprobe --all", "with paths", "-a @/alone.ko @/lower.ko"),
        combined("modprobe --all", "one name twice", "-a alone alone"),
    ]
}

fn once() -> Vec<Case> {
    vec![
        works("modprobe --first-time", "loads", "--first-time alone"),
        works("modprobe --first-time", "with -r, removes", "--first-time -r alone").loaded("alone"),
        fails("modprobe --first-time", "it is loaded", "--first-time alone").loaded("alone"),
        fails("modprobe --first-time", "it is built in", "--first-time inside"),
        fails("modprobe --first-time", "with -r, it is not loaded", "--first-time -r alone"),
        fails("modprobe --first-time", "with -r, nobody knows it", "--first-time -r unheard-of"),
        combined("modprobe --first-time", "with a loaded dependency", "--first-time upper").loaded("lower"),
        combined("modprobe --first-time", "with -q", "--first-time -q alone").loaded("alone"),
        combined("modprobe --first-time", "with -n", "--first-time -n alone").loaded("alone"),
        combined("modprobe --first-time", "with -nv", "--first-time -nv alone").loaded("alone"),
        combined("modprobe --first-time", "with an alias", "--first-time alone-alias").loaded("alone"),
        combined("modprobe --first-time", "with an install command", "--first-time alone")
            .loaded("alone")
            .config("install alone /bin/echo installing\\n"),
        combined("modprobe --first-time", "while it is being loaded", "--first-time alone")
            .loaded("alone")
            .state("alone", "coming"),
        combined("modprobe --first-time", "with -D", "--first-time -D alone").loaded("alone"),
        combined("modprobe --first-time", "a path", "--first-time @/alone.ko").loaded("alone"),
    ]
}

fn commands_and_blacklist() -> Vec<Case> {
    let echo = "install alone /bin/echo installing\\nremove alone /bin/echo removing\\n";
    vec![
        works("modprobe --ignore-install", "loads in spite of the command", "--ignore-install alone")
            .config(echo),
        works("modprobe --ignore-install", "in an install command", "alone")
            .config("install alone /bin/echo first; /sbin/modprobe --ignore-install alone $CMDLINE_OPTS\\n"),
        fails("modprobe --ignore-install", "what is only a command", "--ignore-install nothing")
            .config("install nothing /bin/echo installing\\n"),
        combined("modprobe --ignore-install", "dependencies run theirs", "-i middle").config(
            "install lower /bin/echo lower; /sbin/modprobe -i lower\\ninstall middle /bin/echo middle\\n",
        ),
        combined("modprobe --ignore-install", "softdeps are skipped", "-i soft"),
        combined("modprobe --ignore-install", "with -r", "-r -i alone").config(echo).loaded("alone"),
        combined("modprobe --ignore-install", "with -D", "-D -i alone").config(echo),
        combined("modprobe --ignore-install", "with -a", "-a -i alone lower").config(echo),
        combined("modprobe --ignore-install", "through an alias", "-i alone-alias").config(echo),
        works("modprobe --ignore-remove", "removes in spite of the command", "-r --ignore-remove alone")
            .config(echo)
            .loaded("alone"),
        fails("modprobe --ignore-remove", "what is in use", "-r --ignore-remove alone")
            .config(echo)
            .loaded("alone")
            .users("alone", 1),
        combined("modprobe --ignore-remove", "while loading", "--ignore-remove alone").config(echo),
        combined("modprobe --ignore-remove", "dependencies run theirs", "-r --ignore-remove middle")
            .config("remove lower /bin/echo lower\\nremove middle /bin/echo middle\\n")
            .loaded("lower")
            .loaded_on("middle", &["lower"]),
        works("modprobe --use-blacklist", "skips the named module", "--use-blacklist alone")
            .config("blacklist alone\\n"),
        works("modprobe --use-blacklist", "loads another", "-b lower").config("blacklist alone\\n"),
        works("modprobe --use-blacklist", "skips by alias", "-b alone-alias").config("blacklist alone\\n"),
        fails("modprobe --use-blacklist", "unknown", "--use-blacklist unheard-of")
            .config("blacklist alone\\n"),
        fails("modprobe --use-blacklist", "unknown and blacklisted", "-b unheard-of")
            .config("blacklist unheard-of\\n"),
        combined("modprobe --use-blacklist", "dependencies are not filtered", "-b middle")
            .config("blacklist lower\\n"),
        combined("modprobe --use-blacklist", "softdeps", "-b soft")
            .config("blacklist alone\\nblacklist side\\n"),
        combined("modprobe --use-blacklist", "with -r", "-b -r alone")
            .config("blacklist alone\\n")
            .loaded("alone"),
        combined("modprobe --use-blacklist", "with -D", "-b -D alone").config("blacklist alone\\n"),
        combined("modprobe --use-blacklist", "with -R", "-b -R alone-alias").config("blacklist alone\\n"),
        combined("modprobe --use-blacklist", "with -v", "-bv alone").config("blacklist alone\\n"),
        combined("modprobe --use-blacklist", "with --first-time", "-b --first-time alone")
            .config("blacklist alone\\n"),
        combined("modprobe --use-blacklist", "with an install command", "-b alone")
            .config("blacklist alone\\ninstall alone /bin/echo installing\\n"),
        combined("modprobe --use-blacklist", "a path", "-b @/alone.ko").config("blacklist alone\\n"),
        combined("modprobe --use-blacklist", "one of two targets", "-b twins:1")
            .config("blacklist twin-a\\n"),
        combined("modprobe --use-blacklist", "what is loaded", "-b alone")
            .config("blacklist alone\\n")
            .loaded("alone"),
    ]
}

fn force() -> Vec<Case> {
    let no_finit = Step::FinitFails(Errno::ENOSYS);
    vec![
        works("modprobe --force", "another kernel and other versions", "--force both"),
        works("modprobe --force", "a chain", "-f upper"),
        fails("modprobe --force", "what is no module", "--force broken"),
        fails("modprobe --force", "what is missing", "--force unheard-of"),
        combined("modprobe --force", "with -r", "-r -f alone").loaded("alone").users("alone", 1),
        combined("modprobe --force", "with -r, a module that modules use", "-r -f lower").chain(),
        combined("modprobe --force", "without finit_module", "-f both").step(no_finit.clone()),
        combined("modprobe --force", "compressed", "-f packed_xz"),
        combined("modprobe --force", "compressed, the kernel decompresses", "-f packed_xz")
            .step(Step::Decompresses(Compression::Xz)),
        combined("modprobe --force", "with -D", "-f -D both"),
        combined("modprobe --force", "what is loaded", "-f alone").loaded("alone"),
        works("modprobe --force-modversion", "other symbol versions", "--force-modversion versioned"),
        fails("modprobe --force-modversion", "another kernel", "--force-modversion foreign"),
        combined("modprobe --force-modversion", "both wrong", "--force-modversion both"),
        combined(
            "modprobe --force-modversion",
            "with the other half",
            "--force-modversion --force-vermagic both",
        ),
        combined("modprobe --force-modversion", "without finit_module", "--force-modversion versioned")
            .step(no_finit.clone()),
        combined(
            "modprobe --force-modversion",
            "without finit_module, another kernel",
            "--force-modversion both",
        )
        .step(no_finit.clone()),
        works("modprobe --force-vermagic", "another kernel", "--force-vermagic foreign"),
        fails("modprobe --force-vermagic", "other symbol versions", "--force-vermagic versioned"),
        combined("modprobe --force-vermagic", "both wrong", "--force-vermagic both"),
        combined("modprobe --force-vermagic", "without finit_module", "--force-vermagic foreign")
            .step(no_finit.clone()),
        combined(
            "modprobe --force-vermagic",
            "a module without vermagic, no finit_module",
            "--force-vermagic rustic",
        )
        .step(no_finit),
    ]
}

fn dry_run() -> Vec<Case> {
    vec![
        works("modprobe --dry-run", "with -v prints what it would do", "-v --dry-run upper"),
        works("modprobe --dry-run", "with -v, parameters", "-nv upper depth=1"),
        fails("modprobe --dry-run", "unknown", "--dry-run unheard-of"),
        fails("modprobe --dry-run", "unknown and quiet", "-nq unheard-of"),
        fails("modprobe --dry-run", "a bad path", "-n /nowhere/x.ko"),
        combined("modprobe --dry-run", "without -v", "-n upper").differs(
            Row::DryRunPrints,
            &[
                Claim::Exit(0),
                Claim::Prints("insmod @/lower.ko \ninsmod @/middle.ko \ninsmod @/upper.ko \n"),
                Claim::Loaded(""),
            ],
            &[Claim::Exit(0), Claim::Prints(""), Claim::Loaded("")],
        ),
        combined("modprobe --dry-run", "without -v, removing", "-nr upper").chain().differs(
            Row::DryRunPrints,
            &[Claim::Exit(0), Claim::Prints("rmmod upper\n"), Claim::Loaded("upper middle lower")],
            &[Claim::Exit(0), Claim::Prints(""), Claim::Loaded("upper middle lower")],
        ),
        combined("modprobe --dry-run", "with -q", "-nq alone"),
        combined("modprobe --dry-run", "with -r and -v", "-nvr upper").chain(),
        combined("modprobe --dry-run", "with -r and -v, in use", "-nvr lower").chain(),
        combined("modprobe --dry-run", "with an install command", "-nv alone")
            .config("install alone /bin/echo installing\\n"),
        combined("modprobe --dry-run", "with a remove command", "-nvr alone")
            .loaded("alone")
            .config("remove alone /bin/echo removing\\n"),
        combined("modprobe --dry-run", "what is loaded", "-nv alone").loaded("alone"),
        combined("modprobe --dry-run", "a loaded dependency", "-nv upper").loaded("lower"),
        combined("modprobe --dry-run", "what is built in", "-nv inside"),
        combined("modprobe --dry-run", "what is refused", "-nv foreign"),
        combined("modprobe --dry-run", "softdeps", "-nv soft"),
        combined("modprobe --dry-run", "with -D", "-nD upper"),
        combined("modprobe --dry-run", "a broken file", "-nv broken"),
        works("modprobe --show", "is --dry-run", "--show -v upper"),
        fails("modprobe --show", "unknown", "--show unheard-of"),
        combined("modprobe --show", "with -r", "--show -v -r upper").chain(),
    ]
}

fn names() -> Vec<Case> {
    vec![
        works("modprobe name", "alone", "alone"),
        works("modprobe name", "with its dependencies", "upper"),
        works("modprobe name", "a dash for an underscore", "twin-a"),
        works("modprobe name", "an underscore for a dash", "dash_ed"),
        works("modprobe name", "an alias", "alone-alias"),
        works("modprobe name", "a modalias", "pci:v0001d0001sv0000"),
        works("modprobe name", "a modalias with brackets", "usb:b-x"),
        works("modprobe name", "a symbol", "symbol:low"),
        works("modprobe name", "built in", "inside"),
        works("modprobe name", "an alias of built-in code", "inside-alias"),
        works("modprobe name", "compressed with xz", "packed_xz"),
        works("modprobe name", "compressed with zstd", "packed_zst"),
        works("modprobe name", "two targets", "twins:1"),
        works("modprobe name", "a device number", "char-major-10-200"),
        fails("modprobe name", "nothing given", ""),
        fails("modprobe name", "unknown", "unheard-of"),
        fails("modprobe name", "unknown with dashes and underscores", "un-heard_of"),
        fails("modprobe name", "with .ko", "alone.ko"),
        fails("modprobe name", "empty", "\\e"),
        fails("modprobe name", "an unmatched bracket", "usb:[a"),
        fails("modprobe name", "a closing bracket", "usb:a]"),
        fails("modprobe name", "a wildcard", "al*"),
        fails("modprobe name", "a broken file", "broken"),
        fails("modprobe name", "refused", "foreign"),
        fails("modprobe name", "whose dependency is refused", "upper").refuse("lower", Errno::ENODEV),
        fails("modprobe name", "whose file is gone", "gone").differs(
            Row::BrokenFile,
            &[Claim::Exit(1), Claim::Reports("gone.ko: No such file or directory")],
            &[Claim::Exit(1), Claim::Reports("Unknown symbol in module")],
        ),
        fails("modprobe name", "very long", &"x".repeat(5000)),
        fails("modprobe name", "with a slash", "kernel/alone"),
        fails("modprobe name", "upper case", "ALONE"),
        combined("modprobe name", "whose dependency's file is gone", "needs_gone").differs(
            Row::MissingDependency,
            &[Claim::Exit(1), Claim::Reports("gone.ko"), Claim::Loaded("")],
            &[Claim::Reports("needs_gone")],
        ),
        combined("modprobe name", "whose dependency's file is gone and which is loaded", "needs_gone")
            .loaded("gone"),
        combined("modprobe name", "that is loaded", "upper").chain(),
        combined("modprobe name", "whose dependencies are loaded", "upper")
            .loaded("lower")
            .loaded_on("middle", &["lower"]),
        combined("modprobe name", "that is being loaded", "alone").loaded("alone").state("alone", "coming"),
        combined("modprobe name", "that is being removed", "alone").loaded("alone").state("alone", "going"),
        combined("modprobe name", "a dependency of which is being loaded", "middle")
            .loaded("lower")
            .state("lower", "coming"),
        combined("modprobe name", "with a directory in /sys/module and no initstate", "alone")
            .dir("sys/module/alone"),
        combined("modprobe name", "one of two targets is refused", "twins:1")
            .refuse("twin_a", Errno::ENODEV)
            .differs(
                Row::SeveralTargets,
                &[Claim::Exit(1), Claim::Reports("twin_a"), Claim::Loaded("twin_b")],
                &[Claim::Exit(0), Claim::Loaded("twin_b")],
            ),
        combined("modprobe name", "the last of two targets is refused", "twins:1")
            .refuse("twin_b", Errno::ENODEV),
        combined(
            "modprobe name",
            "compressed with gzip, which Debian's kmod cannot read",
            "@/packed_gz.ko.gz",
        )
        .differs(
            Row::Gzip,
            &[Claim::Exit(0), Claim::Silent, Claim::Loaded("packed_gz")],
            &[Claim::Exit(1), Claim::Loaded("")],
        ),
        combined("modprobe name", "and one that is not loaded but named like a parameter", "alone lower"),
        combined("modprobe name", "a race: another one was faster", "alone").refuse("alone", Errno::EEXIST),
        combined("modprobe name", "a race of a dependency", "middle").refuse("lower", Errno::EEXIST),
        works("modprobe path", "absolute", "@/alone.ko"),
        works("modprobe path", "relative", "./alone.ko")
            .step(Step::Directory("/lib/modules/6.12.0-fake/kernel")),
        works("modprobe path", "with dependencies", "@/upper.ko"),
        works("modprobe path", "outside of the module directory", "/tmp/alone.ko")
            .link("/lib/modules/6.12.0-fake/kernel/alone.ko", "tmp/alone.ko"),
        works("modprobe path", "compressed", "@/packed_zst.ko.zst"),
        fails("modprobe path", "missing", "/nowhere/alone.ko"),
        fails("modprobe path", "missing, relative", "./alone.ko"),
        fails("modprobe path", "parent directory", "../alone.ko")
            .step(Step::Directory("/lib/modules/6.12.0-fake")),
        combined("modprobe path", "no dot before the slash", "kernel/alone.ko")
            .step(Step::Directory("/lib/modules/6.12.0-fake"))
            .differs(
                Row::SlashIsFile,
                &[Claim::Exit(0), Claim::Loaded("alone")],
                &[Claim::Exit(1), Claim::Reports("Module kernel/alone.ko not found in directory")],
            ),
        fails("modprobe path", "a directory", "/tmp"),
        fails("modprobe path", "a text", "@/broken.ko"),
        fails("modprobe path", "not UTF-8", "/tmp/\\xff.ko"),
        combined("modprobe path", "with options from the configuration", "@/alone.ko x=1")
            .config("options alone depth=2\\n"),
        combined("modprobe path", "with an install command", "@/alone.ko")
            .config("install alone /bin/echo installing\\n"),
        combined("modprobe path", "with softdeps", "@/soft.ko"),
        combined("modprobe path", "with -r", "-r @/alone.ko").loaded("alone"),
        combined("modprobe path", "with -D", "-D @/upper.ko"),
        combined("modprobe path", "with -D, elsewhere", "-D /tmp/upper.ko")
            .link("/lib/modules/6.12.0-fake/kernel/upper.ko", "tmp/upper.ko"),
        combined("modprobe path", "with -R", "-R @/alone.ko"),
        combined("modprobe path", "loaded", "@/alone.ko").loaded("alone"),
        combined("modprobe path", "and a bad name", "/tmp/no.module.here").file("tmp/no.module.here", "x"),
        combined("modprobe path", "and a bad name, the cause", "/tmp/no.module.here")
            .file("tmp/no.module.here", "x")
            .explained()
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("Invalid argument"), Claim::Reports("not a module")],
                &[Claim::Exit(1), Claim::Reports("Invalid argument")],
            ),
    ]
}

fn kernel() -> Vec<Case> {
    let mut cases: Vec<Case> = super::case::REFUSALS
        .into_iter()
        .map(|errno| {
            let mut case = fails("modprobe kernel", "refuses", "alone").refuse("alone", errno);
            case.what = format!("refuses with {errno:?}");
            case
        })
        .collect();
    cases.extend([
        works("modprobe kernel", "without finit_module", "upper depth=1")
            .step(Step::FinitFails(Errno::ENOSYS)),
        fails("modprobe kernel", "finit_module is not permitted", "alone")
            .step(Step::FinitFails(Errno::EPERM)),
        fails("modprobe kernel", "refuses, quiet", "-q alone").refuse("alone", Errno::ENODEV),
        combined("modprobe kernel", "refuses a softdep", "soft").refuse("alone", Errno::ENODEV),
        combined("modprobe kernel", "refuses a softdep that comes after", "soft")
            .refuse("side", Errno::ENODEV),
        combined("modprobe kernel", "without /proc/modules", "alone").delete("proc/modules"),
        combined("modprobe kernel", "without /proc/cmdline", "alone").delete("proc/cmdline"),
        works("modprobe compression", "the kernel reads xz", "packed_xz")
            .step(Step::Decompresses(Compression::Xz)),
        works("modprobe compression", "the kernel reads zstd", "packed_zst x=1")
            .step(Step::Decompresses(Compression::Zstd)),
        combined("modprobe compression", "the kernel reads gzip", "@/packed_gz.ko.gz")
            .step(Step::Decompresses(Compression::Gzip)),
        fails("modprobe compression", "a cut stream", "packed_xz")
            .bytes("lib/modules/6.12.0-fake/kernel/packed_xz.ko.xz", *b"\xfd7zXZ\0\0\x01")
            .differs(
                Row::BrokenFile,
                &[
                    Claim::Exit(1),
                    Claim::Is("modprobe: ERROR: could not insert 'packed_xz': Invalid argument\n"),
                ],
                &[Claim::Exit(1), Claim::Reports("xz: Unexpected end of input")],
            ),
        fails("modprobe compression", "a cut stream, the cause", "packed_xz")
            .bytes("lib/modules/6.12.0-fake/kernel/packed_xz.ko.xz", *b"\xfd7zXZ\0\0\x01")
            .explained()
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("cut short")],
                &[Claim::Exit(1), Claim::Reports("Invalid argument")],
            ),
        fails("modprobe compression", "a cut stream that the kernel reads", "packed_xz")
            .step(Step::Decompresses(Compression::Xz))
            .bytes("lib/modules/6.12.0-fake/kernel/packed_xz.ko.xz", *b"\xfd7zXZ\0\0\x01"),
        combined("modprobe compression", "the kernel reads another kind", "packed_xz")
            .step(Step::Decompresses(Compression::Zstd)),
        combined("modprobe compression", "the kernel reads it, the file is plain", "alone")
            .step(Step::Decompresses(Compression::Xz)),
        combined("modprobe compression", "the kernel reads it, without finit_module", "packed_xz")
            .step(Step::Decompresses(Compression::Xz))
            .step(Step::FinitFails(Errno::ENOSYS)),
        combined("modprobe compression", "an unknown word in /sys/module/compression", "packed_xz")
            .file("sys/module/compression", "lz4\\n"),
    ]);
    cases
}

fn parameters() -> Vec<Case> {
    vec![
        works("modprobe parameters", "one", "alone depth=1"),
        works("modprobe parameters", "several", "alone depth=1 flag x=a,b,c"),
        works("modprobe parameters", "a blank in a value", "alone x=a\\sb y=1"),
        works("modprobe parameters", "quotes and a blank", "alone x=\"a\\sb\""),
        works("modprobe parameters", "an unbalanced quote and a blank", "alone x=\"a\\sb"),
        works("modprobe parameters", "a blank and no value", "alone a\\sb"),
        works("modprobe parameters", "an empty one", "alone \\e x=1"),
        works("modprobe parameters", "a dash in a name", "alone some-thing=1"),
        works("modprobe parameters", "with a tab", "alone x=a\\tb"),
        works("modprobe parameters", "only for the named module", "upper depth=1"),
        fails("modprobe parameters", "refused", "alone depth=x").refuse("alone", Errno::EINVAL),
        fails("modprobe parameters", "before the name", "depth=1 alone"),
        combined("modprobe parameters", "after --", "-- alone -x=1"),
        combined("modprobe parameters", "with options of the configuration", "alone depth=1")
            .config("options alone depth=2\\noptions alone flag=1\\n"),
        combined("modprobe parameters", "for an alias with two targets", "twins:1 x=1"),
        combined("modprobe parameters", "with -D and a blank", "-D alone x=a\\sb"),
        combined("modprobe parameters", "with -v", "-v alone x=a\\sb"),
        combined("modprobe parameters", "with -r are modules", "-r alone depth=1").loaded("alone"),
        combined("modprobe parameters", "for what is loaded", "alone depth=1").loaded("alone"),
        combined("modprobe parameters", "with an install command", "alone x=a\\sb y=1")
            .config("install alone /bin/echo opts: $CMDLINE_OPTS\\n"),
        combined("modprobe parameters", "not UTF-8", "-v alone x=\\xff\\x80"),
        combined("modprobe parameters", "very long", &format!("alone x={}", "y".repeat(9000))),
        combined("modprobe parameters", "help is after the name", "alone --help")
            .compare(Compare::HelpOnStdout),
    ]
}
