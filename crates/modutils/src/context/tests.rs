use std::{fs, path::PathBuf, thread, time::Duration};

use super::*;

const UNCHANGED: Changes = Changes { configuration: false, indexes: false };
const CONFIGURATION: Changes = Changes { configuration: true, indexes: false };
const INDEXES: Changes = Changes { configuration: false, indexes: true };

/// A root with a configuration file, and a module directory `m` with an index.
struct System(tempfile::TempDir);

impl System {
    fn new() -> Self {
        let system = Self(tempfile::tempdir().unwrap());
        system.write("etc/modprobe.d/a.conf", "options a b=1\n");
        system.write("m/modules.dep.bin", testkit::index([("a", "a.ko:")]));
        system
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn builder(&self) -> ContextBuilder {
        Context::builder().root(Root::default().with_system(self.0.path())).directory(self.path("m"))
    }

    fn context(&self) -> Context {
        self.builder().build().unwrap()
    }

    /// What a context with all indexes open finds after a change.
    fn after(&self, change: impl FnOnce()) -> Changes {
        let context = self.context();
        context.load_indexes().unwrap();
        assert_eq!(context.changed_on_disk(), UNCHANGED);
        // Beyond the tick of the file system's clock in which everything was made.
        thread::sleep(Duration::from_millis(20));
        change();
        context.changed_on_disk()
    }
}

#[test]
fn files_that_were_read_and_change_are_noticed() {
    let system = System::new();
    assert_eq!(system.after(|| ()), UNCHANGED);
    assert_eq!(system.after(|| system.write("etc/modprobe.d/a.conf", "options a b=22\n")), CONFIGURATION);
    let replaced = system.after(|| {
        system.write("m/new", testkit::index([("a", "b.ko:")]));
        fs::rename(system.path("m/new"), system.path("m/modules.dep.bin")).unwrap();
    });
    assert_eq!(replaced, INDEXES);
    assert_eq!(system.after(|| fs::remove_file(system.path("m/modules.dep.bin")).unwrap()), INDEXES);
    assert_eq!(
        system.after(|| fs::remove_file(system.path("etc/modprobe.d/a.conf")).unwrap()),
        CONFIGURATION
    );
}

#[test]
fn what_was_not_there_is_noticed_when_it_appears() {
    let system = System::new();
    assert_eq!(system.after(|| system.write("etc/modprobe.d/b.conf", "")), CONFIGURATION);
    assert_eq!(system.after(|| system.write("run/modprobe.d/c.conf", "")), CONFIGURATION);
    assert_eq!(system.after(|| system.write("usr/lib/modutils.d/d.conf", "")), CONFIGURATION);
    assert_eq!(system.after(|| system.write("m/modules.softdep", "")), CONFIGURATION);
    assert_eq!(system.after(|| system.write("m/modules.alias.bin", "")), INDEXES);
    assert_eq!(system.after(|| system.write("m/modules.builtin.modinfo", "")), INDEXES);
}

#[test]
fn what_was_not_read_is_no_change() {
    let system = System::new();
    system.write("lib/modprobe.d/a.conf", "# hidden by the one in etc\n");
    assert_eq!(system.after(|| system.write("lib/modprobe.d/a.conf", "blacklist a\n")), UNCHANGED);
    assert_eq!(system.after(|| system.write("m/modules.order", "a.ko\n")), UNCHANGED);
    assert_eq!(system.after(|| system.write("proc/cmdline", "a.b=3\n")), UNCHANGED);
    // An index that was not asked for yet will be read as it is then.
    let context = system.context();
    system.write("m/modules.dep.bin", testkit::index([("b", "b.ko:")]));
    assert_eq!(context.changed_on_disk(), UNCHANGED);
    assert_eq!(context.lookup(b"b").unwrap().len(), 1);
    // Without configuration none can change.
    let context = system.builder().without_configuration().build().unwrap();
    system.write("etc/modprobe.d/z.conf", "");
    assert_eq!(context.changed_on_disk(), UNCHANGED);
    // With another one, that of the system does not count.
    let context = system.builder().config_paths(vec![system.path("x.conf")]).build().unwrap();
    system.write("etc/modprobe.d/y.conf", "");
    assert_eq!(context.changed_on_disk(), UNCHANGED);
    system.write("x.conf", "");
    assert_eq!(context.changed_on_disk(), CONFIGURATION);
}

#[test]
fn loaded_indexes_answer_whatever_becomes_of_their_files() {
    let system = System::new();
    let (early, late) = (system.context(), system.context());
    early.load_indexes().unwrap();
    fs::remove_file(system.path("m/modules.dep.bin")).unwrap();
    assert_eq!((early.lookup(b"a").unwrap().len(), late.lookup(b"a").unwrap().len()), (1, 0));
    assert_eq!((early.changed_on_disk(), late.changed_on_disk()), (INDEXES, UNCHANGED));
}

#[test]
fn indexes_in_memory_answer_whatever_becomes_of_their_files() {
    let system = System::new();
    let context = system.context();
    context.read_indexes().unwrap();
    assert_eq!(context.changed_on_disk(), UNCHANGED);
    // Cut short where it is: one that is mapped, or read piece by piece, would be lost.
    fs::write(system.path("m/modules.dep.bin"), "").unwrap();
    assert_eq!(context.lookup(b"a").unwrap().len(), 1);
    assert_eq!(context.changed_on_disk(), INDEXES);
    let open: Vec<PathBuf> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    assert!(open.iter().all(|path| !path.starts_with(system.0.path())), "{open:?}");
    system.write("m/modules.alias.bin", "not an index");
    assert!(system.context().read_indexes().is_err());
}

#[test]
fn a_reopened_context_reads_indexes_again_and_keeps_the_configuration() {
    let system = System::new();
    let context = system.context();
    assert!(context.has_index(Index::Dependencies).unwrap() && !context.has_index(Index::Aliases).unwrap());
    system.write("m/modules.dep.bin", testkit::index([("b", "b.ko:")]));
    system.write("etc/modprobe.d/a.conf", "options a b=3\n");
    let again = context.reopened();
    assert_eq!((context.lookup(b"b").unwrap().len(), again.lookup(b"b").unwrap().len()), (0, 1));
    assert_eq!(again.module(crate::ModuleName::new("a")).options(), "b=1");
    assert_eq!(again.changed_on_disk(), CONFIGURATION);
}

#[test]
fn an_index_that_cannot_be_read_is_tried_again() {
    let system = System::new();
    let context = system.context();
    system.write("m/modules.dep.bin", "not an index");
    assert!(context.load_indexes().is_err() && context.lookup(b"a").is_err());
    assert!(context.dump(Index::Dependencies, |_, _| ()).is_err());
    system.write("m/modules.dep.bin", testkit::index([("a", "a.ko:")]));
    assert_eq!(context.lookup(b"a").unwrap().len(), 1);
}

#[test]
fn a_dump_gives_keys_behind_what_a_line_begins_with() {
    let system = System::new();
    system.write("m/modules.alias.bin", testkit::index([("x*", "b"), ("x*", "a"), ("w", "c")]));
    let context = system.context();
    let dumped = |start: &[u8], index| {
        let mut lines = Vec::new();
        let line = |key: &[u8], value: &[u8]| {
            lines.push(format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
        };
        context.dump_behind(start, index, line).unwrap();
        lines
    };
    assert_eq!(dumped(b"", Index::Aliases), ["w=c", "x*=b", "x*=a"]);
    assert_eq!(dumped(b"alias ", Index::Aliases), ["alias w=c", "alias x*=b", "alias x*=a"]);
    assert_eq!(dumped(b"", Index::Symbols), [""; 0]);
}

#[test]
fn threads_share_a_context_whose_indexes_are_not_open_yet() {
    let system = System::new();
    let lines: Vec<(String, String)> =
        (0..2000).map(|number| (format!("m{number}"), format!("k/m{number}.ko:"))).collect();
    system.write("m/modules.dep.bin", testkit::index(lines));
    let context = system.context();
    thread::scope(|scope| {
        for thread in 0..8 {
            let context = context.clone();
            scope.spawn(move || {
                for number in (0..2000).map(|number| (number + 250 * thread) % 2000) {
                    let found = context.lookup(format!("m{number}").as_bytes()).unwrap();
                    let expected = context.directory().join(format!("k/m{number}.ko"));
                    assert_eq!(found[0].path().unwrap(), Some(&*expected));
                }
            });
        }
    });
}

#[cfg(feature = "kernel")]
#[test]
fn notices_come_from_wherever_a_context_is_used() {
    use std::sync::{Arc, Mutex};

    let system = System::new();
    system.write("etc/modprobe.d/a.conf", "nonsense\n");
    system.write("proc/modules", "a 1 0 - Live 0x0\nnonsense\n");
    let notices = Arc::new(Mutex::new(Vec::new()));
    let sink = notices.clone();
    let context = system.builder().on_notice(move |notice| sink.lock().unwrap().push(notice));
    let context = context.build().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(context.loaded().unwrap().len(), 1));
    });
    let texts: Vec<String> =
        notices.lock().unwrap().iter().map(|notice| notice.message.to_string()).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[0].contains("a.conf line 1") && texts[1].contains("proc/modules: line 2"), "{texts:?}");
}
