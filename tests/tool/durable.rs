//! The files that depmod leaves when the environment, a link or another process interferes, and what readers see
//! meanwhile.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use modutils_tests::{add_ordered, little_kernel, module};
use testkit::surroundings::program;
use testkit::{Side, TestRoot};

fn with_umask(root: &TestRoot, umask: &str, arguments: &str) {
    let command = format!("umask {umask}; exec /ours/depmod {arguments}");
    let _ = root.invoke(Side::Ours, "depmod");
    let run =
        program("chroot").arg(root.path()).args(["/bin/sh", "-c", &command]).output().expect("chroot(8)");
    assert!(run.status.success(), "{run:?}");
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    for umask in ["077", "000"] {
        let root = little_kernel();
        with_umask(&root, umask, "-o /tmp/out");
        let out = root.path().join("tmp/out/lib/modules").join(root.version());
        let mode = |path: &std::path::Path| fs::metadata(path).expect("made").permissions().mode() & 0o7777;
        for directory in out.ancestors().take(4) {
            assert_eq!(mode(directory), 0o755, "{} with umask {umask}", directory.display());
        }
        for entry in fs::read_dir(&out).expect("the output") {
            let path = entry.expect("an entry").path();
            assert_eq!(mode(&path), 0o644, "{} with umask {umask}", path.display());
        }
    }
}

#[test]
fn planted_links_are_replaced_and_their_targets_stay() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let indexes = root.take_indexes();
    let directory = root.path().join(root.module_path(""));
    root.write("tmp/victim", "untouched");
    let victim = root.path().join("tmp/victim");
    for (number, name) in indexes.keys().enumerate() {
        for planted in [name.clone(), format!("{name}.tmp"), format!("{name}.old.tmp")] {
            match number % 2 {
                0 => symlink("/tmp/victim", directory.join(planted)).expect("a symbolic link"),
                _ => fs::hard_link(&victim, directory.join(planted)).expect("a hard link"),
            }
        }
    }
    root.ours("depmod", &[]).succeeds();
    assert_eq!(root.read("tmp/victim"), b"untouched");
    assert_eq!(fs::metadata(&victim).expect("the victim").nlink(), 1);
    assert_eq!(root.indexes(), indexes);
    assert!(
        indexes.keys().all(|name| directory.join(name).symlink_metadata().is_ok_and(|file| file.is_file()))
    );
}

/// A message that nobody reads ends it, as it ends every program, and like any other signal.
#[test]
fn a_run_whose_messages_nobody_reads_leaves_nothing() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let indexes = root.indexes();
    add_ordered(&root, "kernel/odd.ko", &module("odd").alias("not-a-pattern["));
    let _ = root.invoke(Side::Ours, "depmod");
    // The end that is read from is gone with the program.
    let mut reader = program("true").stdin(Stdio::piped()).spawn().expect("true (coreutils)");
    let pipe = reader.stdin.take().expect("a pipe");
    reader.wait().expect("a child");
    let mut depmod = program("chroot");
    let status = depmod.arg(root.path()).arg("/ours/depmod").stderr(pipe).status().expect("chroot(8)");
    assert_eq!(status.signal(), Some(13), "{status:?}");
    assert_eq!(root.indexes(), indexes);
    let names = fs::read_dir(root.path().join(root.module_path(""))).expect("the directory");
    let left = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let left: Vec<_> = left.filter(|name| name.starts_with('.') || name.ends_with(".tmp")).collect();
    assert_eq!(left, [""; 0]);
}

/// The link is the caller's own choice: /lib/modules/VERSION may well be one.
#[test]
fn a_link_as_the_output_directory_is_followed() {
    let root = little_kernel();
    let directory = root.module_path("").trim_end_matches('/').to_owned();
    root.create_dir("tmp/elsewhere");
    fs::remove_dir(root.path().join("tmp/elsewhere")).expect("an empty directory");
    fs::rename(root.path().join(&directory), root.path().join("tmp/elsewhere")).expect("a rename");
    root.symlink("/tmp/elsewhere", &directory);
    root.ours("depmod", &[]).succeeds();
    assert!(root.exists("tmp/elsewhere/modules.dep"));
}

/// What the caller named was no link.
#[test]
fn a_link_that_takes_the_directorys_place_during_the_wait_for_the_lock_is_not_followed() {
    let root = little_kernel();
    let path = root.path().join(root.module_path("").trim_end_matches('/'));
    let (held, elsewhere) = (path.join(".depmod.lock"), root.path().join("tmp/elsewhere"));
    fs::create_dir(&elsewhere).expect("a directory");
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&held).expect("a file");
    // It holds the lock until its input ends.
    let mut holder = program("flock");
    holder
        .arg(&held)
        .args(["sh", "-c", "echo locked; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut holder = holder.spawn().expect("flock (util-linux)");
    let mut locked = [0];
    holder.stdout.as_mut().expect("a pipe").read_exact(&mut locked).expect("the lock");
    let mut depmod = root.invoke(Side::Ours, "depmod").start();
    let files = format!("/proc/{}/fd", depmod.id());
    let has_opened = || {
        let open = fs::read_dir(&files).into_iter().flatten().flatten();
        open.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == path))
    };
    while !has_opened() {
        assert!(depmod.try_wait().expect("a child").is_none(), "it does not wait for the lock");
        thread::sleep(std::time::Duration::from_millis(5));
    }
    fs::rename(&path, root.path().join("tmp/before")).expect("a rename");
    symlink("/tmp/elsewhere", &path).expect("a link");
    drop(holder.stdin.take());
    holder.wait().expect("a child");
    assert_eq!(depmod.wait().expect("a child").code(), Some(1));
    assert_eq!(fs::read_dir(&elsewhere).expect("the directory").count(), 0);
}

/// kmod 34.2 follows it.
#[test]
fn an_index_entry_outside_the_module_directory_is_refused_by_name() {
    let root = little_kernel();
    add_ordered(&root, "kernel/ab/stray.ko", &module("stray"));
    root.ours("depmod", &[]).succeeds();
    root.write_module_file("stray.ko", module("stray").build());
    let index = root.module_path("modules.dep.bin");
    let mut bytes = root.read(&index);
    let place = bytes.windows(9).position(|part| part == b"kernel/ab").expect("the entry");
    bytes[place + 7..place + 9].copy_from_slice(b"..");
    root.write(&index, bytes);
    assert!(root.reference("modprobe", &["-D", "stray"]).succeeds().out().contains("kernel/../stray.ko"));
    let run = root.ours("modprobe", &["-D", "stray"]).fails();
    assert!(run.err().contains("modules.dep.bin") && run.err().contains("kernel/../stray.ko"), "{run:?}");
}

/// Reader threads query while depmod alternates between two trees.
#[test]
fn every_answer_while_indexes_are_replaced_is_the_old_one_or_the_new_one() {
    let root = little_kernel();
    let trees = [("one", "two"), ("two", "one")].map(|(with, without)| {
        add_ordered(
            &root,
            &format!("kernel/{with}.ko"),
            &module(with).needs("base_fn", 0x0b).alias("moving-*"),
        );
        add_ordered(&root, &format!("kernel/{without}.ko"), &module(without));
        root.ours("depmod", &[]).succeeds();
        let answers = QUESTIONS.map(|question| root.ours("modprobe", question).succeeds().out());
        (with, without, answers)
    });
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let reader = || {
            while !over.load(Ordering::Relaxed) {
                for (place, question) in QUESTIONS.iter().enumerate() {
                    let answer = root.ours("modprobe", question).succeeds().out();
                    let known = trees.iter().any(|(.., answers)| answers[place] == answer);
                    assert!(known, "{question:?}: {answer}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        for (with, without, _) in trees.iter().cycle().take(20) {
            let moved = module(with).needs("base_fn", 0x0b).alias("moving-*");
            root.add_module(&format!("kernel/{with}.ko"), &moved);
            root.add_module(&format!("kernel/{without}.ko"), &module(without));
            root.ours("depmod", &[]).succeeds();
        }
        over.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().expect("every answer is known"));
    });
    assert!(asked.load(Ordering::Relaxed) >= 2 * QUESTIONS.len());
}

const QUESTIONS: [&[&str]; 3] = [&["-R", "moving-x"], &["-D", "one"], &["-D", "two"]];
