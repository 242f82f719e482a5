//! What a run publishes and what it does not, and that no message decides it.

use std::{
    fs,
    os::unix::net::UnixListener,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bstr::BStr;
use testkit::{Crc, ModuleBuilder};

use super::*;
use crate::depmod::{Omission, Omitted, RunOutcome};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// A module directory of two modules, the one needing the other, with all lists of the kernel's build.
fn tree() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let module = |name: &str| ModuleBuilder::new(name).modinfo("license", "GPL");
    let provider = module("provider").export("service", Crc::None);
    let user = module("user").needs("service", None).alias("pci:v1*").alias("devname:user");
    write(&directory, "provider.ko", &provider.build());
    write(&directory, "user.ko", &user.alias("char-major-10-200").build());
    for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        write(&directory, list, b"");
    }
    directory
}

fn write(directory: &tempfile::TempDir, name: &str, bytes: &[u8]) {
    fs::write(directory.path().join(name), bytes).unwrap();
}

/// Something that is there and that nobody can open, not even root: a socket.
fn put_unreadable(path: &Path) {
    let _ = fs::remove_file(path);
    drop(UnixListener::bind(path).unwrap());
}

fn run(directory: &tempfile::TempDir) -> Run {
    Run::new(directory.path()).without_configuration().threads(ONE)
}

fn dep(directory: &tempfile::TempDir) -> String {
    fs::read_to_string(directory.path().join("modules.dep")).unwrap()
}

fn names(directory: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Each omission as its kind, the file's name, and whether it is unread.
fn shown(omissions: &[Omission]) -> Vec<(Omitted, String, bool)> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    omissions.iter().map(|omission| (omission.what(), name(omission.path()), omission.is_unread())).collect()
}

#[test]
fn a_sound_tree_is_written_whole() {
    let directory = tree();
    let report = run(&directory).execute(&()).unwrap();
    assert_eq!((report.outcome(), report.is_complete()), (RunOutcome::Written, true));
    assert!(report.omissions().is_empty());
    let mut written: Vec<_> = report.written().to_vec();
    assert_eq!(written.len(), 11);
    assert_eq!(written.last().unwrap(), &directory.path().join("modules.dep"));
    written.retain(|path| path.exists());
    assert_eq!(written.len(), 11);
    assert_eq!(dep(&directory), "provider.ko:\nuser.ko: provider.ko\n");
}

/// The one promise that matters most: nobody has to listen for it to hold.
#[test]
fn what_cannot_be_read_is_published_by_no_run_whoever_ignores_its_messages() {
    let configuration = tempfile::tempdir().unwrap();
    let unread_configuration = configuration.path().join("unread.conf");
    put_unreadable(&unread_configuration);
    let outside = tempfile::tempdir().unwrap();
    let (module, sound) = (outside.path().join("module.ko"), outside.path().join("sound.ko"));
    put_unreadable(&module);
    fs::write(&sound, ModuleBuilder::new("sound").modinfo("license", "GPL").build()).unwrap();

    type Change<'a> = &'a dyn Fn(&tempfile::TempDir, Run) -> Run;
    let list = |name: &'static str| {
        move |directory: &tempfile::TempDir, run: Run| {
            put_unreadable(&directory.path().join(name));
            run
        }
    };
    let [order, builtin, modinfo] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"].map(list);
    let cases: [(Omitted, &str, Change<'_>); 5] = [
        (Omitted::BuildList, "modules.order", &order),
        (Omitted::BuildList, "modules.builtin", &builtin),
        (Omitted::BuildList, "modules.builtin.modinfo", &modinfo),
        (Omitted::Configuration, "unread.conf", &|_, run| run.config_paths([&unread_configuration])),
        (Omitted::Module, "module.ko", &|_, run| run.files([&module, &sound])),
    ];
    for (what, name, change) in cases {
        for threads in [1, 2] {
            let directory = tree();
            run(&directory).execute(&()).unwrap();
            write(&directory, "new.ko", &ModuleBuilder::new("new").modinfo("license", "GPL").build());
            let run = change(&directory, run(&directory)).threads(NonZeroUsize::new(threads).unwrap());
            let before = (names(&directory), dep(&directory));

            let failure = run.execute(&()).unwrap_err();
            let Failure::Incomplete(incomplete) = &failure else { panic!("{failure:?}") };
            assert_eq!(shown(incomplete.omissions()), [(what, name.to_owned(), true)]);
            assert_eq!(failure.to_string(), "not everything could be read: nothing is written");
            assert_eq!((names(&directory), dep(&directory)), before, "{name}");

            let preview = run.preview(&()).unwrap().unwrap();
            // The lists of built-in modules are no part of what a preview shows.
            assert_eq!(preview.is_complete(), name.starts_with("modules.builtin"), "{name}");
        }
    }
}

#[test]
fn damaged_modules_and_lists_that_are_not_there_are_reported_and_stop_nothing() {
    let directory = tree();
    fs::remove_file(directory.path().join("modules.order")).unwrap();
    write(&directory, "damaged.ko", b"not a module");
    write(&directory, ".ko.ko", b"");
    std::os::unix::fs::symlink("nowhere", directory.path().join("gone.ko")).unwrap();
    let report = run(&directory).execute(&()).unwrap();
    assert!(report.is_complete());
    let expected = [
        (Omitted::Entry, "gone.ko", false),
        (Omitted::Name, ".ko.ko", false),
        (Omitted::BuildList, "modules.order", false),
        (Omitted::Module, "damaged.ko", false),
    ];
    assert_eq!(
        shown(report.omissions()),
        expected.map(|(what, name, unread)| (what, name.to_owned(), unread))
    );
    assert!(report.omissions().last().unwrap().error().place().is_some());
    assert_eq!(dep(&directory), "damaged.ko:\nprovider.ko:\nuser.ko: provider.ko\n");
}

#[test]
fn each_omission_is_reported_once_as_the_message_that_it_has() {
    #[derive(Default)]
    struct Notices(Mutex<Vec<Notice>>);
    impl Observer for Notices {
        fn notice(&self, notice: Notice) {
            self.0.lock().unwrap().push(notice);
        }
    }
    let directory = tree();
    write(&directory, "damaged.ko", b"not a module");
    fs::remove_file(directory.path().join("modules.builtin")).unwrap();
    let notices = Notices::default();
    let report = run(&directory).execute(&notices).unwrap();
    let of_omissions: Vec<_> = report.omissions().iter().map(|omission| omission.notice().clone()).collect();
    assert_eq!((of_omissions.len(), notices.0.into_inner().unwrap()), (2, of_omissions));
}

#[test]
fn cycles_are_named_and_nothing_is_written() {
    let directory = tree();
    let module = |name: &str, mine: &str, theirs: &str| {
        ModuleBuilder::new(name).modinfo("license", "GPL").export(mine, Crc::None).needs(theirs, None).build()
    };
    write(&directory, "one.ko", &module("one", "a", "b"));
    write(&directory, "two.ko", &module("two", "b", "a"));
    let before = names(&directory);
    for failure in [run(&directory).execute(&()).unwrap_err(), run(&directory).preview(&()).unwrap_err()] {
        let Failure::Cycles { cycles, modules } = failure else { panic!("{failure}") };
        assert_eq!((cycles.len(), modules), (1, 2));
    }
    assert_eq!(names(&directory), before);
}

#[test]
fn without_a_module_directory_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let failure = Run::new(directory.path().join("1.0")).without_configuration().execute(&()).unwrap_err();
    let Failure::Search(error) = &failure else { panic!("{failure}") };
    assert!(error.is_not_found());
    assert!(names(&directory).is_empty());
    assert_eq!(failure.notices().len(), 2);
}

#[test]
fn a_quick_run_leaves_what_is_current() {
    let directory = tree();
    let quick = run(&directory).quick(true);
    assert_eq!(quick.execute(&()).unwrap().outcome(), RunOutcome::Written);
    let report = quick.execute(&()).unwrap();
    assert_eq!((report.outcome(), report.written().len()), (RunOutcome::Current, 0));
    assert!(quick.preview(&()).unwrap().is_none());
    fs::remove_file(directory.path().join("user.ko")).unwrap();
    assert_eq!(quick.execute(&()).unwrap().outcome(), RunOutcome::Written);
}

#[test]
fn a_preview_shows_what_a_run_writes_and_writes_nothing() {
    let directory = tree();
    let before = names(&directory);
    let preview = run(&directory).preview(&()).unwrap().unwrap();
    assert_eq!(names(&directory), before);
    let user = preview.modules().nth(1).unwrap();
    assert_eq!((user.name().as_bytes(), user.path()), (&b"user"[..], BStr::new("user.ko")));
    assert_eq!(user.dependencies().collect::<Vec<_>>(), ["provider.ko"]);
    assert_eq!(user.aliases().count(), 3);
    assert_eq!((user.soft_dependencies().count(), user.weak_dependencies().count()), (0, 0));
    let node = user.device_node().unwrap();
    assert_eq!((node.name, node.device.to_string().as_str()), (BStr::new("user"), "c10:200"));
    let provider = preview.modules().next().unwrap();
    assert_eq!(
        (provider.symbols().collect::<Vec<_>>(), provider.device_node()),
        (vec![BStr::new("service")], None)
    );

    run(&directory).execute(&()).unwrap();
    assert_eq!(preview.texts().count(), 6);
    for (name, text) in preview.texts() {
        assert_eq!(fs::read(directory.path().join(name)).unwrap(), text, "{name}");
    }
}

/// An observer that records events, and interrupts a run at the nth question.
#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<String>>,
    read: AtomicUsize,
    interrupt_at: Option<usize>,
    asked: AtomicUsize,
}

impl Recorder {
    fn add(&self, event: impl Into<String>) {
        self.events.lock().unwrap().push(event.into());
    }
}

impl Observer for Recorder {
    fn reading(&self, modules: usize) {
        self.add(format!("reading {modules}"));
    }
    fn module_read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }
    fn all_read(&self) {
        self.add(format!("read {}", self.read.load(Ordering::Relaxed)));
    }
    fn symbol_needed(&self, user: &Path, symbol: &BStr, owner: &Path) {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        self.add(format!("{} needs {symbol} of {}", name(user), name(owner)));
    }
    fn before_publication(&self) {
        self.add("before");
    }
    fn is_interrupted(&self) -> bool {
        self.interrupt_at == Some(self.asked.fetch_add(1, Ordering::Relaxed))
    }
    fn after_publication(&self) {
        self.add("after");
    }
}

#[test]
fn an_observer_sees_the_stages_in_their_order() {
    let directory = tree();
    let recorder = Recorder::default();
    run(&directory).report_needs(true).execute(&recorder).unwrap();
    let expected = ["before", "reading 2", "read 2", "user.ko needs service of provider.ko", "after"];
    assert_eq!(recorder.events.into_inner().unwrap(), expected);
}

#[test]
fn a_run_that_is_interrupted_leaves_the_old_files() {
    let directory = tree();
    run(&directory).execute(&()).unwrap();
    write(&directory, "new.ko", &ModuleBuilder::new("new").modinfo("license", "GPL").build());
    let before = (names(&directory), dep(&directory));
    // While it waits for the lock, reads modules and writes.
    for interrupt_at in [0, 1, 3, 4, 11, 22, 26] {
        let recorder = Recorder { interrupt_at: Some(interrupt_at), ..Recorder::default() };
        let failure = run(&directory).execute(&recorder).unwrap_err();
        assert!(matches!(failure, Failure::Output(_)), "{failure}");
        assert_eq!((names(&directory), dep(&directory)), before);
        assert_eq!(recorder.events.into_inner().unwrap().last().unwrap(), "after");
    }
}

#[test]
fn the_output_may_be_elsewhere_and_is_made() {
    let (directory, elsewhere) = (tree(), tempfile::tempdir().unwrap());
    let output = elsewhere.path().join("lib/modules/1.0");
    let before = names(&directory);
    let report = run(&directory).output(&output).execute(&()).unwrap();
    assert!(report.written().iter().all(|path| path.starts_with(&output) && path.exists()));
    assert_eq!(names(&directory), before);
}

#[test]
fn needed_symbols_are_checked_against_the_kernels_file() {
    let directory = tree();
    let list = tempfile::NamedTempFile::new().unwrap();
    fs::write(list.path(), "0x1\tother\tvmlinux\tEXPORT_SYMBOL\n").unwrap();
    write(
        &directory,
        "odd.ko",
        &ModuleBuilder::new("odd").modinfo("license", "GPL").needs("lost", 1).build(),
    );
    #[derive(Default)]
    struct Messages(Mutex<Vec<String>>);
    impl Observer for Messages {
        fn notice(&self, notice: Notice) {
            self.0.lock().unwrap().push(notice.to_string());
        }
    }
    for (run, expected) in [
        (run(&directory).module_symvers(list.path()).check_symbols(true), 1),
        (run(&directory).module_symvers(list.path()), 0),
        (run(&directory).check_symbols(true), 0),
    ] {
        let messages = Messages::default();
        run.execute(&messages).unwrap();
        let notices = messages.0.into_inner().unwrap();
        let unknown = notices.iter().filter(|notice| notice.ends_with("odd.ko needs unknown symbol lost"));
        assert_eq!(unknown.count(), expected, "{notices:?}");
    }
    let failure = run(&directory).system_map("/nowhere").execute(&()).unwrap_err();
    assert_eq!(failure.to_string(), "could not load /nowhere: No such file or directory");
}
