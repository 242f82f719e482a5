//! modprobe: removal, holders and waiting.

use testkit::Errno;

use super::{Case, Claim, Compare, Row, combined, fails, works};

pub(crate) fn cases() -> Vec<Case> {
    [remove(), holders(), wait()].concat()
}

fn remove() -> Vec<Case> {
    vec![
        works("modprobe --remove", "one", "--remove alone").loaded("alone"),
        works("modprobe --remove", "and what becomes unused", "-r upper").chain(),
        works("modprobe --remove", "several", "-r upper alone").chain().loaded("alone"),
        works("modprobe --remove", "what is not loaded", "-r alone"),
        works("modprobe --remove", "an alias", "-r alone-alias").loaded("alone"),
        works("modprobe --remove", "an alias with two targets", "-r twins:1")
            .loaded("twin_a")
            .loaded("twin_b"),
        works("modprobe --remove", "an alias, one target of which is loaded", "-r twins:1").loaded("twin_b"),
        fails("modprobe --remove", "nothing given", "-r"),
        fails("modprobe --remove", "unknown", "-r unheard-of"),
        fails("modprobe --remove", "built in", "-r inside"),
        fails("modprobe --remove", "used by modules", "-r lower").chain(),
        fails("modprobe --remove", "used by somebody", "-r alone").loaded("alone").users("alone", 1),
        fails("modprobe --remove", "the first is in use, which ends it", "-r lower alone")
            .chain()
            .loaded("alone"),
        fails("modprobe --remove", "the first is unknown", "-r unheard-of alone").loaded("alone"),
        fails("modprobe --remove", "the kernel answers EBUSY", "-r alone")
            .loaded("alone")
            .keep("alone", Errno::EBUSY),
        fails("modprobe --remove", "the kernel answers EPERM", "-r alone")
            .loaded("alone")
            .keep("alone", Errno::EPERM),
        fails("modprobe --remove", "the kernel answers EAGAIN", "-r alone")
            .loaded("alone")
            .keep("alone", Errno::EAGAIN),
        fails("modprobe --remove", "being loaded", "-r alone").loaded("alone").state("alone", "coming"),
        fails("modprobe --remove", "being removed", "-r alone").loaded("alone").state("alone", "going"),
        fails("modprobe --remove", "a kernel that cannot unload", "-r alone")
            .loaded("alone")
            .delete("sys/module/alone/refcnt")
            .quietly(),
        combined("modprobe --remove", "a dependency is still used", "-r upper")
            .chain()
            .loaded_on("side", &["lower"]),
        combined("modprobe --remove", "a dependency has open users", "-r upper").chain().users("lower", 1),
        combined("modprobe --remove", "the kernel keeps a dependency", "-r upper")
            .chain()
            .keep("middle", Errno::EPERM),
        combined("modprobe --remove", "a dependency is built in", "-r upper")
            .chain()
            .file("lib/modules/6.12.0-fake/modules.builtin", "kernel/lower.ko\\n"),
        combined("modprobe --remove", "with -q, in use", "-rq lower alone").chain().loaded("alone"),
        combined("modprobe --remove", "with -q, unknown", "-rq unheard-of alone").loaded("alone"),
        combined("modprobe --remove", "with -v", "-rv upper").chain(),
        combined("modprobe --remove", "with -D", "-rD upper").chain(),
        combined("modprobe --remove", "with -R", "-rR alone-alias").loaded("alone"),
        combined("modprobe --remove", "a remove command", "-r alone")
            .loaded("alone")
            .config("remove alone /bin/echo removing; /sbin/modprobe -r -i alone\\n"),
        combined("modprobe --remove", "a remove command of what is not loaded", "-r alone")
            .config("remove alone /bin/echo removing\\n"),
        combined("modprobe --remove", "a remove command of a dependency", "-r middle")
            .loaded("lower")
            .loaded_on("middle", &["lower"])
            .config("remove lower /bin/echo lower; /sbin/modprobe -r -i lower\\n"),
        combined("modprobe --remove", "softdeps", "-r soft")
            .loaded("lower")
            .loaded("alone")
            .loaded("soft")
            .loaded_on("side", &["lower"]),
        combined("modprobe --remove", "softdeps of which one is in use", "-r soft")
            .loaded("lower")
            .loaded("alone")
            .users("alone", 1)
            .loaded("soft")
            .loaded_on("side", &["lower"]),
        combined("modprobe --remove", "softdeps that are not loaded", "-r soft").loaded("soft"),
        combined("modprobe --remove", "without modules.dep", "-r alone")
            .loaded("alone")
            .delete("lib/modules/6.12.0-fake/modules.dep.bin"),
        combined("modprobe --remove", "loaded, but in no index", "-r stranger").loaded("stranger"),
        combined("modprobe --remove", "its file is gone", "-r gone").loaded("gone"),
        combined("modprobe --remove", "twice the same", "-r alone alone").loaded("alone"),
        combined("modprobe --remove", "words that look like parameters", "-r alone depth=1 lower")
            .loaded("alone")
            .loaded("lower"),
    ]
}

/// What was asked for is done.
const WELL: [Claim; 3] = [Claim::Exit(0), Claim::Silent, Claim::Loaded("")];
/// The module went as an unused dependency of its holder, and then it is missed.
const GONE: [Claim; 3] = [
    Claim::Exit(1),
    Claim::Reports("could not remove 'lower': No such file or directory"),
    Claim::Loaded(""),
];

fn holders() -> Vec<Case> {
    let of = "modprobe --remove-holders";
    let pair = |case: Case| case.loaded("lower").loaded_on("middle", &["lower"]);
    vec![
        pair(
            fails(of, "takes the holder first, then the module itself is gone", "-r --remove-holders lower")
                .differs(Row::RemoveHolders, &WELL, &GONE),
        ),
        works(of, "without holders", "-r --remove-holders alone").loaded("alone"),
        pair(fails(of, "two holders, likewise", "-r --remove-holders lower").differs(
            Row::RemoveHolders,
            &[Claim::Exit(0)],
            &[Claim::Exit(1)],
        ))
        .loaded_on("side", &["lower"]),
        pair(fails(of, "the holder is in use", "-r --remove-holders lower")).users("middle", 1),
        pair(fails(of, "the kernel keeps the holder", "-r --remove-holders lower"))
            .keep("middle", Errno::EPERM),
        pair(fails(of, "it is in use itself", "-r --remove-holders lower")).users("lower", 1),
        fails(of, "the holder has a holder", "-r --remove-holders lower").chain().differs(
            Row::RemoveHolders,
            &WELL,
            &[
                Claim::Exit(1),
                Claim::Loaded("upper middle lower"),
                Claim::Reports("Module middle is in use."),
            ],
        ),
        fails(of, "unknown", "-r --remove-holders unheard-of"),
        fails(of, "unknown, without -r", "--remove-holders unheard-of").differs(
            Row::HoldersAlone,
            &[Claim::Exit(1), Claim::Reports("Module unheard-of not found.")],
            &[Claim::Exit(1), Claim::Reports("Module unheard-of not found in directory")],
        ),
        pair(combined(of, "without -r it removes", "--remove-holders alone").differs(
            Row::HoldersAlone,
            &[Claim::Exit(0), Claim::Loaded("middle lower")],
            &[Claim::Exit(0), Claim::Loaded("alone middle lower")],
        )),
        pair(combined(of, "without -r, loaded", "--remove-holders lower").differs(
            Row::HoldersAlone,
            &WELL,
            &[Claim::Exit(0), Claim::Loaded("middle lower")],
        )),
        pair(combined(of, "with -v", "-r --remove-holders -v lower").differs(
            Row::RemoveHolders,
            &[Claim::Exit(0), Claim::Silent, Claim::Loaded(""), Claim::Prints("rmmod middle\nrmmod lower\n")],
            &GONE,
        )),
        pair(combined(of, "with -n -v", "-r --remove-holders -nv lower").differs(
            Row::RemoveHolders,
            &[Claim::Exit(0), Claim::Prints("rmmod middle\nrmmod lower\n"), Claim::Loaded("middle lower")],
            &[Claim::Exit(1), Claim::Reports("Module lower is in use.")],
        )),
        pair(combined(of, "with -q, in use", "-rq --remove-holders lower")).users("middle", 1),
        combined(of, "with --first-time, not loaded", "-r --remove-holders --first-time lower"),
        combined(of, "not loaded", "-r --remove-holders lower"),
        combined(of, "of the middle", "-r --remove-holders middle").chain().differs(
            Row::RemoveHolders,
            &WELL,
            &[Claim::Exit(1), Claim::Reports("could not remove 'middle'"), Claim::Loaded("lower")],
        ),
        pair(combined(of, "with -w", "-r --remove-holders -w 1000 lower").differs(
            Row::RemoveHolders,
            &WELL,
            &GONE,
        ))
        .users("middle", 1)
        .users_after(100, "middle", 0),
        pair(combined(of, "the holder has a remove command", "-r --remove-holders lower").differs(
            Row::RemoveHolders,
            &WELL,
            &GONE,
        ))
        .config("remove middle /bin/echo middle; /sbin/modprobe -r -i middle\\n"),
        pair(combined(of, "it has a remove command", "-r --remove-holders lower"))
            .config("remove lower /bin/echo lower; /sbin/modprobe -r -i lower\\n"),
        pair(combined(of, "with a softdep", "-r --remove-holders lower").differs(
            Row::RemoveHolders,
            &WELL,
            &[Claim::Exit(1), Claim::Loaded("alone")],
        ))
        .loaded("alone")
        .config("softdep lower pre: alone\\n"),
        pair(combined(of, "two holders, of which one is in use", "-r --remove-holders lower"))
            .loaded_on("side", &["lower"])
            .users("middle", 1),
        pair(combined(of, "and what becomes unused", "-r --remove-holders middle")),
        works("modprobe --remove-dependencies", "what nobody uses", "-r --remove-dependencies alone")
            .loaded("alone"),
        pair(fails(
            "modprobe --remove-dependencies",
            "takes the holder first, then the module itself is gone",
            "-r --remove-dependencies lower",
        ))
        .differs(Row::RemoveHolders, &WELL, &GONE),
        fails("modprobe --remove-dependencies", "the holder has a holder", "-r --remove-dependencies lower")
            .chain()
            .differs(Row::RemoveHolders, &WELL, &[Claim::Exit(1), Claim::Loaded("upper middle lower")]),
        fails("modprobe --remove-dependencies", "unknown", "-r --remove-dependencies unheard-of"),
        combined("modprobe --remove-dependencies", "without -r", "--remove-dependencies lower")
            .chain()
            .differs(Row::HoldersAlone, &WELL, &[Claim::Exit(0), Claim::Loaded("upper middle lower")]),
        combined("modprobe --remove-dependencies", "with -q", "-q -r --remove-dependencies lower")
            .chain()
            .differs(Row::RemoveHolders, &WELL, &[Claim::Exit(1), Claim::Loaded("upper middle lower")]),
    ]
}

fn wait() -> Vec<Case> {
    vec![
        works("modprobe --wait", "until nobody uses it", "-r --wait 3000 alone")
            .loaded("alone")
            .users("alone", 1)
            .users_after(100, "alone", 0),
        works("modprobe --wait", "when nobody uses it", "-r -w 1000 alone").loaded("alone"),
        works("modprobe --wait", "no time", "-r -w 0 alone").loaded("alone"),
        fails("modprobe --wait", "too short", "-r --wait 100 alone")
            .loaded("alone")
            .users("alone", 1)
            .differs(
                Row::WaitTimeout,
                &[Claim::Exit(1), Claim::Reports("modprobe: ")],
                &[Claim::DoesNotFail],
            ),
        fails("modprobe --wait", "no time, in use", "-r -w 0 alone").loaded("alone").users("alone", 1),
        fails("modprobe --wait", "no number", "-r --wait soon alone").loaded("alone"),
        fails("modprobe --wait", "a number and more", "-r -w 10s alone").loaded("alone"),
        fails("modprobe --wait", "a negative number", "-r --wait=-1 alone").loaded("alone").quietly(),
        fails("modprobe --wait", "an empty number", "-r --wait= alone").loaded("alone"),
        fails("modprobe --wait", "without a value", "-r alone -w").loaded("alone"),
        fails("modprobe --wait", "what is not loaded", "-r -w 100 unheard-of"),
        fails("modprobe --wait", "too large a number", "-r -w 99999999999999999999999 alone")
            .loaded("alone")
            .differs(
                Row::WaitNumber,
                &[Claim::Exit(1), Claim::Reports("unexpected wait value"), Claim::Loaded("alone")],
                &[Claim::Exit(0), Claim::Loaded("")],
            ),
        combined("modprobe --wait", "without -r", "-w 1000 alone"),
        combined("modprobe --wait", "with a number in another base", "-r -w 0x10 alone").loaded("alone"),
        combined("modprobe --wait", "used by modules", "-r -w 100 lower")
            .chain()
            .compare(Compare::OursAlone)
            .differs(Row::WaitTimeout, &[Claim::Exit(1), Claim::Reports("modprobe: ")], &[]),
        combined("modprobe --wait", "and its dependencies", "-r -w 1000 upper").chain(),
        combined("modprobe --wait", "a dependency is used", "-r -w 300 upper").chain().users("lower", 1),
        combined("modprobe --wait", "a dependency is used for a while", "-r -w 1000 upper")
            .chain()
            .users("middle", 1)
            .users_after(100, "middle", 0),
        combined("modprobe --wait", "with -f", "-r -f -w 100 alone").loaded("alone").users("alone", 1),
        combined("modprobe --wait", "with -n -v", "-r -nv -w 100 alone").loaded("alone").users("alone", 1),
        combined("modprobe --wait", "with -q", "-rq -w 100 alone")
            .loaded("alone")
            .users("alone", 1)
            .compare(Compare::OursAlone)
            .differs(Row::WaitTimeout, &[Claim::Exit(1), Claim::Silent], &[]),
        combined("modprobe --wait", "with -v", "-rv -w 100 alone")
            .loaded("alone")
            .users("alone", 1)
            .compare(Compare::OursAlone)
            .differs(Row::WaitTimeout, &[Claim::Exit(1), Claim::Reports("modprobe: ")], &[]),
        combined("modprobe --wait", "the kernel refuses", "-r -w 100 alone")
            .loaded("alone")
            .keep("alone", Errno::EBUSY),
        combined("modprobe --wait", "twice, the last wins", "-r -w 5000 -w 0 alone")
            .loaded("alone")
            .users("alone", 1),
    ]
}
