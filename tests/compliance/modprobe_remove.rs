//! modprobe: removal, holders and waiting.

use testkit::Errno;

use crate::matrix::{Case, Claim, Compare, Row, combined, fails, works};

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
        fails("modprobe --remove", "the kernel says EBUSY", "-r alone")
            .loaded("alone")
            .keep("alone", Errno::EBUSY),
        fails("modprobe --remove", "the kernel says EPERM", "-r alone")
            .loaded("alone")
            .keep("alone", Errno::EPERM),
        fails("modprobe --remove", "the kernel says EAGAIN", "-r alone")
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

fn holders() -> Vec<Case> {
    vec![
        works("modprobe --remove-holders", "takes the holders first", "--remove-holders lower").chain(),
        works("modprobe --remove-holders", "without holders", "--remove-holders alone").loaded("alone"),
        fails("modprobe --remove-holders", "a holder is in use", "--remove-holders lower")
            .chain()
            .users("upper", 1)
            .quietly(),
        fails("modprobe --remove-holders", "a holder stays", "--remove-holders lower")
            .chain()
            .keep("upper", Errno::EPERM)
            .quietly(),
        fails("modprobe --remove-holders", "it is in use itself", "--remove-holders lower")
            .chain()
            .users("lower", 1)
            .quietly(),
        fails("modprobe --remove-holders", "unknown", "--remove-holders unheard-of"),
        combined("modprobe --remove-holders", "with -r", "-r --remove-holders lower").chain(),
        combined("modprobe --remove-holders", "with -v", "--remove-holders -v lower").chain(),
        combined("modprobe --remove-holders", "with -n -v", "--remove-holders -nv lower").chain(),
        combined("modprobe --remove-holders", "with --first-time", "--remove-holders --first-time lower"),
        combined("modprobe --remove-holders", "not loaded", "--remove-holders lower"),
        combined("modprobe --remove-holders", "of the middle", "--remove-holders middle").chain(),
        combined("modprobe --remove-holders", "with -w", "--remove-holders -w 500 lower")
            .chain()
            .users("upper", 1)
            .users_after(100, "upper", 0),
        combined("modprobe --remove-holders", "a holder has a remove command", "--remove-holders lower")
            .loaded("lower")
            .loaded_on("middle", &["lower"])
            .config("remove middle /bin/echo middle; /sbin/modprobe -r -i middle\\n"),
        combined(
            "modprobe --remove-holders",
            "two holders, of which one is in use",
            "--remove-holders lower",
        )
        .loaded("lower")
        .loaded_on("middle", &["lower"])
        .users("middle", 1),
        works("modprobe --remove-dependencies", "is --remove-holders", "-r --remove-dependencies lower")
            .chain(),
        works("modprobe --remove-dependencies", "what nobody uses", "-r --remove-dependencies alone")
            .loaded("alone"),
        fails("modprobe --remove-dependencies", "a holder is in use", "-r --remove-dependencies lower")
            .chain()
            .users("upper", 1),
        combined("modprobe --remove-dependencies", "without -r", "--remove-dependencies lower").chain(),
        combined("modprobe --remove-dependencies", "with -q", "-q -r --remove-dependencies lower").chain(),
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
                &[Claim::Exit(1), Claim::Says("Module alone is in use")],
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
            .quietly(),
        combined("modprobe --wait", "without -r", "-w 1000 alone"),
        combined("modprobe --wait", "with a number in another base", "-r -w 0x10 alone").loaded("alone"),
        combined("modprobe --wait", "used by modules", "-r -w 100 lower")
            .chain()
            .compare(Compare::OursAlone)
            .differs(Row::WaitTimeout, &[Claim::Exit(1), Claim::Says("Module lower is in use")], &[]),
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
            .differs(Row::WaitTimeout, &[Claim::Exit(1), Claim::Says("Module alone is in use")], &[]),
        combined("modprobe --wait", "the kernel says no", "-r -w 100 alone")
            .loaded("alone")
            .keep("alone", Errno::EBUSY),
        combined("modprobe --wait", "twice, the last wins", "-r -w 5000 -w 0 alone")
            .loaded("alone")
            .users("alone", 1),
    ]
}
