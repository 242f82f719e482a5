//! What people and scripts run into, on both sides: where the packaged kmod does something else than what was asked for.

use std::ffi::OsStr;

use modutils_tests::{little_kernel, module};
use testkit::{Call, Compression, FakeKernel, LoadedModule, Outcome, Packing, Run, Side, Start, TestRoot};

const SIDES: [Side; 2] = [Side::Ours, Side::Kmod34];

fn indexed() -> TestRoot {
    let root = little_kernel();
    root.reference("depmod", &[]).succeeds();
    root
}

/// Runs a tool of each side with a fake kernel that `prepare` sets up.
fn both(root: &TestRoot, tool: &str, args: &[&str], prepare: impl Fn(&FakeKernel)) -> [Outcome; 2] {
    SIDES.map(|side| {
        // Brings the side's tools in.
        let _ = root.invoke(side, "kmod");
        let kernel = FakeKernel::new(root.path(), root.version());
        prepare(&kernel);
        kernel.run(&Start::new(format!("/{}/{tool}", side.dir())).args(args))
    })
}

fn code(outcome: &Outcome) -> Option<i32> {
    outcome.status.code()
}

fn err(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

/// The names of the modules that were removed.
fn removed(outcome: &Outcome) -> Vec<&OsStr> {
    let name = |call| match call {
        &Call::Delete { ref name, result: Ok(()), .. } => Some(name.as_os_str()),
        _ => None,
    };
    outcome.calls.iter().filter_map(name).collect()
}

/// The parameters that the kernel got.
fn parameters(outcome: &Outcome) -> Vec<String> {
    let of = |call: &Call| match call {
        Call::Finit { parameters, .. } | Call::Init { parameters, .. } => {
            Some(parameters.to_string_lossy().into_owned())
        }
        Call::Delete { .. } => None,
    };
    outcome.calls.iter().filter_map(of).collect()
}

fn ours_and_theirs(root: &TestRoot, tool: &str, args: &[&str]) -> [Run; 2] {
    SIDES.map(|side| root.run(side, tool, args))
}

#[test]
fn a_file_that_the_kernel_cannot_decompress_is_loaded_all_the_same() {
    let root = indexed();
    let bytes = module("packed").build();
    root.write("tmp/packed.ko.xz", Packing::XZ_CRC64.pack(&bytes));
    let [ours, _] = both(&root, "insmod", &["/tmp/packed.ko.xz", "a=1"], |kernel| {
        kernel.decompresses(Compression::Xz);
    });
    assert_eq!(code(&ours), Some(0), "{ours:?}");
    assert!(matches!(&ours.calls[..], [Call::Init { image, .. }] if *image == bytes), "{:?}", ours.calls);
}

#[test]
fn without_sys_the_list_of_modules_counts() {
    let root = indexed();
    root.load(&LoadedModule {
        users: Some(1),
        holders: &["helper"],
        size: 4096,
        ..LoadedModule::new("base")
    });
    root.load(&LoadedModule { users: Some(0), size: 8192, ..LoadedModule::new("helper") });
    std::fs::remove_dir_all(root.path().join("sys/module")).expect("a directory");
    let [ours, theirs] = ours_and_theirs(&root, "lsmod", &[]);
    assert_eq!(
        ours.out(),
        "Module                  Size  Used by\nhelper                  8192  0\nbase                    4096  1 helper\n"
    );
    assert_eq!((ours.err().as_str(), theirs.out().contains("-2  -2")), ("", true), "{theirs:?}");
    let [ours, theirs] = ours_and_theirs(&root, "rmmod", &["base"]);
    assert!(ours.clone().fails().err().contains("is in use by: helper"), "{ours:?}");
    assert!(theirs.clone().fails().err().contains("not currently loaded"), "{theirs:?}");
    // No kernel of this machine takes it away: what matters is that it was asked.
    let [ours, theirs] = ours_and_theirs(&root, "modprobe", &["-r", "helper"]);
    assert!(ours.clone().fails().err().contains("could not remove 'helper'"), "{ours:?}");
    theirs.succeeds();
}

#[test]
fn the_name_in_a_file_is_the_modules() {
    let root = indexed();
    let order = root.module_path("modules.order");
    root.add_module("kernel/renamed.ko", &module("inner").needs("base_fn", 0x0b));
    root.write(&order, [&root.read(&order)[..], b"kernel/renamed.ko\n"].concat());
    root.reference("depmod", &[]).succeeds();
    let path = format!("/{}", root.module_path("kernel/renamed.ko"));
    let loaded = |kernel: &FakeKernel| {
        kernel.loaded("base", &[]).loaded("inner", &["base"]);
    };
    let [ours, theirs] = both(&root, "rmmod", &[&path], loaded);
    assert_eq!((code(&ours), removed(&ours)), (Some(0), vec![OsStr::new("inner")]));
    assert_eq!((code(&theirs), removed(&theirs)), (Some(1), vec![]));
    let [ours, theirs] = both(&root, "modprobe", &["-r", "renamed"], loaded);
    assert_eq!((code(&ours), removed(&ours)), (Some(0), vec![OsStr::new("inner"), OsStr::new("base")]));
    assert_eq!((code(&theirs), removed(&theirs)), (Some(0), vec![]));
}

#[test]
fn what_the_running_kernel_has_built_in_is_not_removed() {
    let root = indexed();
    root.create_dir("sys/module/base/parameters");
    let [ours, theirs] = both(&root, "modprobe", &["-r", "base"], |_| ());
    assert_eq!((code(&ours), err(&ours).as_str()), (Some(1), "modprobe: FATAL: Module base is builtin.\n"));
    assert!(err(&theirs).contains("could not remove 'base': No such file or directory"), "{theirs:?}");
    let [ours, theirs] = both(&root, "rmmod", &["base"], |_| ());
    assert_eq!((code(&ours), err(&ours).as_str()), (Some(1), "rmmod: ERROR: Module base is builtin.\n"));
    assert!(err(&theirs).contains("Module unloading is not supported"), "{theirs:?}");
}

#[test]
fn a_dry_run_fails_where_the_real_run_does() {
    let root = indexed();
    root.write("etc/modprobe.d/a.conf", "alias dangling nosuch\n");
    root.remove(&root.module_path("kernel/drivers/extra.ko"));
    for name in ["dangling", "extra"] {
        let [ours, theirs] = ours_and_theirs(&root, "modprobe", &["-n", name]);
        let real = root.ours("modprobe", &[name]).fails();
        assert_eq!(ours.fails().err(), real.err());
        theirs.succeeds();
        // A listing of what would be loaded is no run.
        for listing in ours_and_theirs(&root, "modprobe", &["-D", name]) {
            listing.succeeds();
        }
    }
    root.load(&LoadedModule { users: Some(0), ..LoadedModule::new("base") });
    root.write("proc/modules", "base 4096 1 [permanent], Live 0x0000000000000000\n");
    let [ours, theirs] = ours_and_theirs(&root, "modprobe", &["-n", "-r", "base"]);
    assert!(
        ours.fails().err().starts_with("modprobe: ERROR: could not remove 'base': Device or resource busy")
    );
    theirs.succeeds();
    // Loading and removing are switched off.
    root.write("proc/sys/kernel/modules_disabled", "1\n");
    root.write("proc/modules", "base 4096 0 - Live 0x0000000000000000\n");
    for (arguments, message) in [
        (vec!["-n", "-r", "base"], "modprobe: ERROR: could not remove 'base': Operation not permitted"),
        (vec!["-n", "top"], "modprobe: ERROR: could not insert 'top': Operation not permitted"),
    ] {
        let [ours, theirs] = ours_and_theirs(&root, "modprobe", &arguments);
        assert_eq!(ours.fails().err().lines().next(), Some(message));
        theirs.succeeds();
    }
}

#[test]
fn several_parameters_in_one_argument_are_several() {
    let path = format!("/{}", indexed().module_path("kernel/drivers/top.ko"));
    let prepare = |kernel: &FakeKernel| {
        kernel.loaded("base", &[]).loaded("helper", &["base"]);
    };
    let given = |side: Side, tool: &str, arguments: &[&str]| {
        // A root for each run: the module stays loaded there.
        let root = indexed();
        let _ = root.invoke(side, "kmod");
        let kernel = FakeKernel::new(root.path(), root.version());
        prepare(&kernel);
        let outcome = kernel.run(&Start::new(format!("/{}/{tool}", side.dir())).args(arguments));
        parameters(&outcome).pop().unwrap_or_else(|| panic!("nothing loaded: {}", err(&outcome)))
    };
    for (tool, module) in [("insmod", path.as_str()), ("modprobe", "top"), ("modprobe", path.as_str())] {
        let both = |word: &str| SIDES.map(|side| given(side, tool, &[module, word]));
        assert_eq!(both("depth=1 bare=x"), ["depth=1 bare=x", "depth=\"1 bare=x\""], "{tool} {module}");
        // A text with blanks stays one.
        assert_eq!(both("bare=see depth"), ["bare=\"see depth\""; 2], "{tool} {module}");
    }
}

#[test]
fn quotes_on_the_kernel_command_line_are_no_part_of_a_list() {
    let root = indexed();
    for line in ["quiet modprobe.blacklist=\"top,extra\"\n", "quiet \"modprobe.blacklist=top,extra\"\n"] {
        root.write("proc/cmdline", line);
        let [ours, theirs] = ours_and_theirs(&root, "modprobe", &["-c"]);
        assert!(ours.succeeds().out().starts_with("blacklist top\nblacklist extra\n"));
        assert!(!theirs.succeeds().out().starts_with("blacklist top\nblacklist extra\n"));
    }
}

#[test]
fn a_word_with_a_slash_that_is_a_file_is_one() {
    let root = indexed();
    let bytes = root.read(&root.module_path("kernel/lib/base.ko"));
    for name in ["x.elf", "x.KO", "x.ko.debug", "x"] {
        root.write(&format!("tmp/{name}"), &bytes);
        let path = format!("tmp/{name}");
        let [ours, theirs] = ours_and_theirs(&root, "modinfo", &["-F", "license", &path]);
        assert_eq!(ours.succeeds().out(), "GPL\n");
        theirs.fails();
        let [ours, theirs] = ours_and_theirs(&root, "modprobe", &["-n", "-v", &path]);
        assert_eq!(ours.succeeds().out(), format!("insmod //{path} \n"));
        theirs.fails();
        let [ours, theirs] = ours_and_theirs(&root, "modprobe", &["--show-exports", &path]);
        assert_eq!(ours.succeeds().out(), "0x0000000b\tbase_fn\n");
        drop(theirs);
    }
    // Without a slash it is a name.
    root.invoke(Side::Ours, "modinfo").dir("/tmp").args(["x.elf"]).run().fails();
}

#[test]
fn a_path_that_the_list_cannot_have_is_reported_and_omitted() {
    let root = little_kernel();
    root.add_module("updates/New Driver/spare.ko", &module("spare"));
    let [ours, theirs] = ours_and_theirs(&root, "depmod", &["-n"]);
    assert!(ours.err().contains("the indexes cannot list a path with a blank"), "{ours:?}");
    assert!(!ours.succeeds().out().contains("spare"));
    assert!(theirs.succeeds().out().contains("updates/New Driver/spare.ko:"));
}

#[test]
fn depmod_takes_the_name_of_any_module_directory() {
    let root = indexed();
    root.create_dir("lib/modules/linux-custom");
    let [ours, theirs] = ours_and_theirs(&root, "depmod", &["-n", "linux-custom"]);
    ours.succeeds();
    theirs.fails();
    for word in ["x.ko", "extra/x.ko", "name", "", "..", "/lib/modules/linux-custom"] {
        let [ours, theirs] = ours_and_theirs(&root, "depmod", &["-n", word]);
        let first = |run: Run| run.fails().err().lines().next().map(str::to_owned);
        assert_eq!(first(ours), first(theirs), "{word}");
    }
}

#[test]
fn a_file_that_is_no_list_of_symbols_or_configuration_gets_one_message() {
    let root = indexed();
    let own = format!("/{}", root.module_path("kernel/drivers/top.ko"));
    root.write("tmp/System.map", "ffffffffffffffff B The real System.map is in another package\n");
    for (option, file, what) in [
        ("-F", own.as_str(), "is no System.map of a kernel: it is an ELF file. Symbols are not checked"),
        ("-F", "/tmp/System.map", "is no System.map of a kernel: it has no exported symbol"),
        ("-E", own.as_str(), "is no Module.symvers of a kernel: it is an ELF file"),
        ("-C", own.as_str(), "is an ELF file, not configuration"),
    ] {
        let args = if option == "-C" { vec!["-n", option, file] } else { vec!["-n", "-e", option, file] };
        let [ours, theirs] = ours_and_theirs(&root, "depmod", &args);
        let messages = ours.succeeds().err();
        assert_eq!((messages.lines().count(), messages.contains(what)), (1, true), "{messages}");
        theirs.succeeds();
    }
}

#[test]
fn an_empty_value_counts_as_not_given() {
    let root = indexed();
    for (tool, args) in [
        ("depmod", &["-n", "-b", ""][..]),
        ("depmod", &["-n", "-m", ""]),
        ("depmod", &["-n", "-o", ""]),
        ("depmod", &["-n", "-C", ""]),
        ("modprobe", &["-D", "-d", "", "top"]),
        ("modprobe", &["-D", "-S", "", "top"]),
        ("modprobe", &["-D", "-C", "", "top"]),
        ("modinfo", &["-b", "", "top"]),
        ("modinfo", &["-k", "", "top"]),
    ] {
        let without: Vec<&str> = args
            .iter()
            .copied()
            .filter(|arg| !arg.is_empty() && !matches!(*arg, "-b" | "-m" | "-o" | "-C" | "-d" | "-S" | "-k"))
            .collect();
        let run = root.ours(tool, args).succeeds();
        assert_eq!(run.out(), root.ours(tool, &without).out(), "{tool} {args:?}");
    }
    let in_tmp = |side| root.invoke(side, "depmod").dir("/tmp").args(["-n", "-b", ""]).run();
    in_tmp(Side::Ours).succeeds();
    in_tmp(Side::Kmod34).fails();
    root.reference("depmod", &["-n", "-m", ""]).fails();
    root.reference("modprobe", &["-D", "-S", "", "top"]).fails();
}

#[test]
fn ends_of_lines_and_marks_of_other_systems_are_no_part_of_a_name() {
    let root = indexed();
    root.write("etc/modprobe.d/a.conf", "\u{feff}blacklist top\r\nalias foo base\r\n");
    let [ours, theirs] = ours_and_theirs(&root, "modprobe", &["-c"]);
    assert!(ours.succeeds().out().starts_with("blacklist top\nalias foo base\n"));
    assert!(theirs.succeeds().out().starts_with("alias foo base\r\n"));
    assert!(root.ours("modprobe", &["-D", "foo"]).succeeds().out().contains("base.ko"));
    root.write("etc/modprobe.d/a.conf", "blacklist to\u{1}p\n");
    let [ours, theirs] = ours_and_theirs(&root, "modprobe", &["-c"]);
    assert!(ours.succeeds().err().contains("'to\\x01p': a control character in a name"));
    assert_eq!(theirs.succeeds().own_messages(), "");
    root.write("etc/depmod.d/a.conf", "search extra built-in\r\n");
    root.add_module("extra/base.ko", &module("base"));
    let [ours, theirs] = ours_and_theirs(&root, "depmod", &["-n"]);
    assert!(ours.succeeds().out().contains("extra/base.ko:"));
    drop(theirs);
}

#[test]
fn to_remove_holders_is_to_remove() {
    let root = indexed();
    let prepare = |kernel: &FakeKernel| {
        kernel.loaded("base", &[]);
    };
    let [ours, theirs] = both(&root, "modprobe", &["--remove-holders", "base"], prepare);
    assert_eq!((code(&ours), removed(&ours)), (Some(0), vec![OsStr::new("base")]));
    assert!(removed(&theirs).is_empty());
}

#[test]
fn a_wait_that_is_no_number_of_milliseconds_is_refused() {
    let root = indexed();
    let [ours, theirs] =
        ours_and_theirs(&root, "modprobe", &["-n", "-r", "-w", "99999999999999999999", "base"]);
    assert_eq!(ours.fails().err(), "modprobe: ERROR: unexpected wait value '99999999999999999999'.\n");
    theirs.succeeds();
}

#[test]
fn what_has_no_effect_in_a_tree_is_reported() {
    let root = indexed();
    let bytes = root.read(&root.module_path("kernel/lib/base.ko"));
    root.write_module_file("kernel/lib/base.ko.xz", Compression::Xz.compress(&bytes));
    root.write(
        "etc/depmod.d/a.conf",
        "override base ( extra\noverride base * nowhere\noverride Base * extra\n",
    );
    let [ours, theirs] = ours_and_theirs(&root, "depmod", &["-n"]);
    let messages = ours.succeeds().err();
    for line in [
        "a.conf:1: ignoring the line: '(' is no regular expression",
        "a.conf:2: override has no effect: there is no nowhere/base.ko",
        "a.conf:3: override has no effect: there is no extra/Base.ko",
        "kernel/lib/base.ko.xz is not listed: kernel/lib/base.ko is the same module in the same directory",
    ] {
        assert!(messages.contains(line), "no {line} in {messages}");
    }
    assert_eq!(theirs.succeeds().own_messages(), "");
}
