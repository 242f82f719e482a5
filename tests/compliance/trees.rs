//! Module trees of real kernels: the indexes that both sides write, and their answers from these.
//!
//! Debian 13's amd64 kernel, zstd-compressed, is used completely and the others in samples; `MODUTILS_FULL=1` uses all
//! completely. The packaged kmod cannot read gzip, so that tree is compared with its plain twin.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use modutils_tests::same_dry_run;
use testkit::cache::{self, SkipExtent};
use testkit::compare::{same, same_indexes, same_text, without_repeats};
use testkit::surroundings::program;
use testkit::{Run, Side};

use crate::bench::{IndexedTree, SampleSize, spread};

/// The tests of one tree, in a separate module.
///
/// Tests of an unavailable tree are skipped.
macro_rules! tests_of {
    ($module:ident, $tree:literal, $take:ident) => {
        mod $module {
            use super::*;

            pub(super) fn bench() -> &'static IndexedTree {
                static BENCH: OnceLock<IndexedTree> = OnceLock::new();
                BENCH.get_or_init(|| IndexedTree::new($tree, SampleSize::$take))
            }

            tests_of!(@ $tree depmod_writes_the_same_indexes);
            tests_of!(@ $tree depmod_writes_the_same_with_any_number_of_threads);
            tests_of!(@ $tree depmod_dry_run_prints_the_same);
            tests_of!(@ $tree modinfo_prints_the_same_for_every_file);
            tests_of!(@ $tree modinfo_json_has_the_facts_of_the_text);
            tests_of!(@ $tree modinfo_prints_the_same_for_every_name_and_builtin);
            tests_of!(@ $tree modinfo_options_choose_the_same);
            tests_of!(@ $tree modprobe_shows_the_same_dependencies_of_all_names_in_one_call);
            tests_of!(@ $tree modprobe_shows_the_same_dependencies_in_a_process_each);
            tests_of!(@ $tree modprobe_resolves_modaliases_to_the_same);
            tests_of!(@ $tree modprobe_shows_the_same_configuration);
            tests_of!(@ $tree either_side_answers_from_the_others_indexes_as_from_its_own);
            tests_of!(@ $tree kmod_30_answers_from_our_indexes_as_from_its_own);
        }
    };
    (@ $tree:literal $test:ident) => {
        #[test]
        fn $test() {
            if cache::require_or_skip($tree, SkipExtent::WholeTest).is_ok() {
                super::$test(bench());
            }
        }
    };
}

tests_of!(debian_12_cloud, "bookworm-cloud", Sample);
tests_of!(debian_13_amd64_xz, "trixie-amd64", Sample);
tests_of!(debian_13_amd64_plain, "trixie-amd64-plain", Sample);
tests_of!(debian_13_amd64_zst, "trixie-amd64-zst", Whole);
tests_of!(debian_13_s390x, "trixie-s390x", Sample);
tests_of!(debian_13_armhf, "trixie-armhf", Sample);

fn depmod_writes_the_same_indexes(bench: &IndexedTree) {
    same(&bench.ours.run, &bench.theirs.run);
    assert_eq!(bench.theirs.run.code, Some(0));
    assert!(bench.theirs.files["modules.dep"].split(|byte| *byte == b'\n').count() > bench.modules.len());
    same_indexes(&bench.ours.files, &bench.theirs.files);
}

fn depmod_writes_the_same_with_any_number_of_threads(bench: &IndexedTree) {
    for threads in ["1", "2", "16"] {
        let place = format!("/threads/{threads}");
        bench.root.ours("depmod", &["-j", threads, "-o", &place, bench.root.version()]).succeeds();
        for (name, content) in &bench.ours.files {
            let other = bench.root.read(&format!("{place}/{}", bench.root.module_path(name)));
            assert!(other == *content, "{name} with {threads} threads");
        }
    }
}

fn depmod_dry_run_prints_the_same(bench: &IndexedTree) {
    same_dry_run(&bench.ours.dry_run, &bench.theirs.dry_run);
    assert!(bench.theirs.dry_run.lines().len() > bench.modules.len());
}

fn modinfo_prints_the_same_for_every_file(bench: &IndexedTree) {
    let paths = bench.paths();
    let ours = both(bench, "modinfo", &refs(&paths));
    assert_eq!(ours.lines().iter().filter(|line| line.starts_with("filename:")).count(), paths.len());
}

/// Compares the packaged modinfo's output with our JSON, both read by another program.
fn modinfo_json_has_the_facts_of_the_text(bench: &IndexedTree) {
    let scratch = tempfile::tempdir().expect("a directory");
    let (document, text) = (scratch.path().join("json"), scratch.path().join("text"));
    let paths = bench.paths();
    let json = bench.root.ours("modinfo", &with(&["--json"], &paths)).succeeds();
    // It does not read gzip.
    let readable = !paths.iter().any(|path| path.ends_with(".gz"));
    let shown =
        bench.root.run(if readable { Side::Kmod34 } else { Side::Ours }, "modinfo", &with(&["-0"], &paths));
    std::fs::write(&document, &json.stdout).expect("written");
    std::fs::write(&text, &shown.succeeds().stdout).expect("written");
    let compared = program("python3").args(["-c", include_str!("facts.py")]).args([document, text]).output();
    let compared = compared.expect("python3");
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
    assert_eq!(String::from_utf8_lossy(&compared.stdout).trim(), paths.len().to_string());
}

fn modinfo_prints_the_same_for_every_name_and_builtin(bench: &IndexedTree) {
    let names = bench.names();
    both(bench, "modinfo", &with(&["-k", bench.root.version()], &names));
    let builtins = bench.builtins(5);
    assert!(builtins.len() >= 4, "{builtins:?}");
    let ours = both(bench, "modinfo", &with(&["-k", bench.root.version()], &builtins));
    assert_eq!(ours.out().matches("(builtin)").count(), builtins.len());
}

fn modinfo_options_choose_the_same(bench: &IndexedTree) {
    let version = bench.root.version();
    let paths = spread(&bench.paths(), 40);
    for field in
        ["license", "depends", "vermagic", "alias", "parm", "parmtype", "signer", "nonsense", "filename"]
    {
        both(bench, "modinfo", &with(&["-F", field], &paths));
    }
    for option in ["-0", "-p", "-n", "-a", "-d", "-l", "-0p"] {
        both(bench, "modinfo", &with(&[option], &paths));
    }
    let names = spread(&bench.names(), 40);
    both(bench, "modinfo", &with(&["-b", "/with/kmod34", "-k", version], &names));
    both(bench, "modinfo", &with(&["-m", "-k", version], &names));
    both(bench, "modinfo", &with(&["-n", "-k", version], &spread(&bench.modaliases(30), 30)));
    both(bench, "modinfo", &with(&["-m", "-k", version], &bench.modaliases(5)));
}

fn modprobe_shows_the_same_dependencies_of_all_names_in_one_call(bench: &IndexedTree) {
    let names = bench.names();
    let args = with(&["-S", bench.root.version(), "-D", "-a"], &names);
    let (ours, theirs) = (bench.root.ours("modprobe", &args), bench.root.reference("modprobe", &args));
    same_without_repeats(&ours, &theirs);
    assert!(ours.lines().len() >= names.len());
}

fn modprobe_shows_the_same_dependencies_in_a_process_each(bench: &IndexedTree) {
    for name in spread(&bench.names(), 100) {
        let args = ["-S", bench.root.version(), "-D", &name];
        same_without_repeats(&bench.root.ours("modprobe", &args), &bench.root.reference("modprobe", &args));
    }
}

fn modprobe_resolves_modaliases_to_the_same(bench: &IndexedTree) {
    let aliases = bench.modaliases(1000);
    let args = with(&["-S", bench.root.version(), "-R", "-a"], &aliases);
    let (ours, theirs) = (bench.root.ours("modprobe", &args), bench.root.reference("modprobe", &args));
    same(&ours, &theirs);
    assert!(ours.lines().len() >= aliases.len() * 9 / 10, "{ours:?}");
}

fn modprobe_shows_the_same_configuration(bench: &IndexedTree) {
    let ours = both(bench, "modprobe", &["-d", "/with/kmod34", "-S", bench.root.version(), "-c"]);
    assert!(ours.lines().len() > bench.modules.len());
}

fn either_side_answers_from_the_others_indexes_as_from_its_own(bench: &IndexedTree) {
    for side in [Side::Ours, Side::Kmod34] {
        same_answers(bench, side, Side::Ours, Side::Kmod34);
    }
}

fn kmod_30_answers_from_our_indexes_as_from_its_own(bench: &IndexedTree) {
    if cache::require_or_skip("kmod30", SkipExtent::WholeTest).is_err() {
        return;
    }
    bench.index_with_kmod30();
    same_answers(bench, Side::Kmod30, Side::Ours, Side::Kmod30);
    // And ours from its indexes, whose nodes are in another order.
    same_answers(bench, Side::Ours, Side::Kmod30, Side::Kmod34);
}

/// The `System.map` has one export that nothing needs, so each symbol of the kernel itself is unknown: the longest
/// possible list.
#[test]
fn depmod_reports_the_same_unknown_symbols_and_duplicates_of_a_whole_tree() {
    let root = &debian_13_amd64_zst::bench().root;
    let version = root.version();
    root.write("tmp/System.map", "ffffffff81000000 r __ksymtab_nothing_needs_it\n");
    let messages = |side: Side| {
        let output = format!("/checked/{}", side.dir());
        let args = ["-e", "-F", "/tmp/System.map", "-w", "-o", &output, version];
        let run = root.run(side, "depmod", &args).succeeds();
        run.own_messages().lines().map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let (ours, theirs) = (messages(Side::Ours), messages(Side::Kmod34));
    let only: Vec<_> = ours.symmetric_difference(&theirs).take(5).collect();
    assert!(only.is_empty(), "only one side reports: {only:#?}");
    assert!(theirs.iter().filter(|line| line.contains("unknown symbol")).count() > 1000, "{}", theirs.len());
}

/// The gzip tree: our answers against kmod's about the plain twin, each `.ko.gz` called `.ko`.
mod debian_13_amd64_gz {
    use super::*;

    fn benches() -> &'static (IndexedTree, IndexedTree) {
        static BENCHES: OnceLock<(IndexedTree, IndexedTree)> = OnceLock::new();
        BENCHES.get_or_init(|| {
            (
                IndexedTree::new("trixie-amd64-gz", SampleSize::Sample),
                IndexedTree::new("trixie-amd64-plain", SampleSize::Sample),
            )
        })
    }

    fn plain(text: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(text).replace(".ko.gz", ".ko").into_bytes()
    }

    #[test]
    fn depmod_writes_the_indexes_of_the_plain_twin() {
        let (gz, twin) = benches();
        assert_eq!(gz.names(), twin.names());
        let mut ours = gz.ours.files.clone();
        let mut theirs = twin.theirs.files.clone();
        // Its keys are the same, its values hold file names: modules.dep is compared instead.
        ours.remove("modules.dep.bin");
        theirs.remove("modules.dep.bin");
        let dep = plain(&ours["modules.dep"]);
        ours.insert("modules.dep".to_owned(), dep);
        same_indexes(&ours, &theirs);
    }

    #[test]
    fn modinfo_prints_the_same_as_for_the_plain_twin() {
        let (gz, twin) = benches();
        let ours = gz.root.ours("modinfo", &refs(&gz.paths())).succeeds();
        let theirs = twin.root.reference("modinfo", &refs(&twin.paths())).succeeds();
        same_text("modinfo", &plain(&ours.stdout), &theirs.stdout);
    }

    #[test]
    fn modprobe_shows_the_dependencies_of_the_plain_twin() {
        let (gz, twin) = benches();
        let (names, version) = (gz.names(), gz.root.version());
        gz.keep_first_softdeps(Side::Ours);
        twin.keep_first_softdeps(Side::Kmod34);
        let args = with(&["-d", "/with/ours", "-S", version, "-D", "-a"], &names);
        let ours = gz.root.ours("modprobe", &args);
        let args = with(&["-d", "/with/kmod34", "-S", version, "-D", "-a"], &names);
        let theirs = twin.root.reference("modprobe", &args);
        let ours = Run { stdout: plain(&ours.stdout), ..ours };
        same_without_repeats(&renamed(&ours), &renamed(&theirs));
    }
}

/// Runs both sides and compares everything.
fn both(bench: &IndexedTree, tool: &str, args: &[&str]) -> Run {
    let ours = bench.root.ours(tool, args);
    same(&ours, &bench.root.reference(tool, args));
    ours
}

/// Whether `side` gives the same answers from the indexes of `one` and of `other`.
fn same_answers(bench: &IndexedTree, side: Side, one: Side, other: Side) {
    let names = bench.names();
    let aliases = bench.modaliases(300);
    for (option, of_what) in [("-D", &names), ("-R", &aliases), ("-qR", &bench.builtins(5))] {
        let ask = |whose: Side| {
            let dir = format!("/with/{}", whose.dir());
            bench.root.run(
                side,
                "modprobe",
                &with(&["-d", &dir, "-S", bench.root.version(), "-a", option], of_what),
            )
        };
        let (from_one, from_other) = (ask(one), ask(other));
        assert!(!from_one.stdout.is_empty() || option == "-qR", "{from_one:?}");
        same(&renamed(&from_one), &renamed(&from_other));
    }
}

/// A run in whose output all sides' directories have one name.
fn renamed(run: &Run) -> Run {
    let rename = |text: &[u8]| {
        let mut text = String::from_utf8_lossy(text).into_owned();
        for side in [Side::Ours, Side::Kmod34, Side::Kmod30] {
            text = text.replace(&format!("/with/{}/", side.dir()), "/with/");
        }
        text.into_bytes()
    };
    Run { stdout: rename(&run.stdout), stderr: rename(&run.stderr), ..run.clone() }
}

/// kmod lists some modules more than once (docs/differences.md: "-D and a module that is needed twice").
fn same_without_repeats(ours: &Run, theirs: &Run) {
    let once = |run: &Run| Run { stdout: without_repeats(&run.stdout), ..run.clone() };
    same(&once(ours), &once(theirs));
}

fn refs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

fn with<'a>(options: &[&'a str], args: &'a [String]) -> Vec<&'a str> {
    options.iter().copied().chain(args.iter().map(String::as_str)).collect()
}
