//! The text output of the `kmod` commands that the packaged kmod does not have.

use modutils_tests::{little_kernel, module};
use testkit::{Crc, LoadedModule, Run, Side, TestRoot};

fn configured(config: &str) -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root.write("etc/modprobe.d/test.conf", config);
    root
}

fn graph(root: &TestRoot, locale: &str, args: &[&str]) -> Run {
    let args = [&["graph"][..], args].concat();
    root.invoke(Side::Ours, "kmod").args(&args).env("LC_ALL", locale).run().succeeds()
}

#[test]
fn a_tree_marks_soft_dependencies_builtins_and_repeated_modules() {
    let root = configured("softdep helper post: inside absent\nsoftdep base pre: top\n");
    let expected = "top\n├── helper\n│   ├── base\n│   │   └── top (softdep pre) (*)\n│   ├── absent (softdep post) (not there)\n\
                    │   └── inside (softdep post) (built in)\n├── extra (softdep pre)\n└── my_dash (weakdep)\n";
    assert_eq!(graph(&root, "C.UTF-8", &["top"]).out(), expected);
    let expected = expected.replace("├──", "|--").replace("└──", "`--").replace('│', "|");
    assert_eq!(graph(&root, "C", &["top"]).out(), expected);
}

#[test]
fn dependents_are_shown_the_other_way_round() {
    let root = configured("");
    assert_eq!(graph(&root, "C", &["--reverse", "base"]).out(), "base\n`-- helper\n    `-- top\n");
    assert_eq!(graph(&root, "C", &["fs-top"]).out(), graph(&root, "C", &["top"]).out());
    root.ours("kmod", &["graph", "nothing"]).fails();
}

#[test]
fn all_modules_are_in_the_whole_graph() {
    let root = configured("");
    let all = graph(&root, "C", &[]).out();
    for name in ["top", "base", "helper", "extra", "my_dash", "inside"] {
        assert!(all.contains(name), "{all}");
    }
}

#[test]
fn graphviz_gets_its_form() {
    let root = configured("");
    let dot = graph(&root, "C", &["--format", "dot", "top"]).out();
    assert!(dot.starts_with("digraph modules {\n") && dot.ends_with("}\n"), "{dot}");
    for line in ["\t\"top\" -> \"helper\";\n", "\t\"top\" -> \"extra\" [style=dashed,label=\"pre\"];\n"] {
        assert!(dot.contains(line), "{dot}");
    }
    let run = root.ours("kmod", &["graph", "--format", "svg"]).fails();
    assert!(run.err().contains("unknown format 'svg'"), "{run:?}");
}

#[test]
fn loaded_modules_match_the_kernels_list() {
    let root = configured("");
    root.load(&LoadedModule { holders: &["own"], ..LoadedModule::new("base") })
        .load(&LoadedModule::new("own"));
    assert_eq!(graph(&root, "C", &["--loaded"]).out(), "own\n`-- base\n");
}

#[test]
fn a_chain_longer_than_a_stack_is_deep_is_walked() {
    let root = TestRoot::new();
    let names: Vec<String> = (0..300).map(|number| format!("m{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let module = module(name).export(format!("f{number}"), Crc::None);
        let module = if number > 0 { module.needs(format!("f{}", number - 1), 0) } else { module };
        root.add_module(&format!("kernel/{name}.ko"), &module);
    }
    root.ours("depmod", &[]).succeeds();
    assert_eq!(graph(&root, "C", &["m299"]).lines().len(), 300);
}

#[test]
fn parameters_are_shown_with_type_description_value_and_permissions() {
    let root = configured("");
    let shown = || root.ours("kmod", &["params", "top"]).succeeds().out();
    assert_eq!(shown(), "top (not loaded)\n  depth (int)\n      how deep\n  bare (charp)\n");
    root.load(&LoadedModule::new("top"));
    root.write("sys/module/top/parameters/depth", "7\n");
    assert_eq!(shown(), "top (loaded)\n  depth (int) = 7, 0644\n      how deep\n  bare (charp)\n");
    assert_eq!(
        root.ours("kmod", &["params", "base"]).succeeds().out(),
        "base (not loaded)\n  no parameters\n"
    );
}

#[test]
fn blocks_are_listed_with_file_and_line() {
    let root =
        configured("blacklist helper\nblacklist gone\ninstall extra /bin/false\nalias net-pf-10 off\n");
    root.write("etc/modutils.d/local.conf", "deny my-* for a test\n");
    root.write("proc/cmdline", "module_blacklist=base\n");
    let text = root.ours("kmod", &["blocked"]).succeeds().out();
    for line in [
        "my_* is refused by modprobe, whoever asks: for a test  /etc/modutils.d/local.conf line 1",
        "base is refused by the kernel (module_blacklist=)  /proc/cmdline line 1",
        "helper is not loaded by its aliases (blacklist)  /etc/modprobe.d/test.conf line 1",
        "gone is not loaded by its aliases (blacklist); no module of this kernel is called so  /etc/modprobe.d/test.conf line 2",
        "extra is not loaded, a command is run: /bin/false  /etc/modprobe.d/test.conf line 3",
        "net_pf_10 is an alias of off, which is not there  /etc/modprobe.d/test.conf line 4",
    ] {
        assert!(text.lines().any(|one| one == line), "no \"{line}\" in:\n{text}");
    }
    assert_eq!(
        root.ours("kmod", &["blocked", "helper"]).exits(4).out(),
        "helper\n  base is refused by the kernel (module_blacklist=)  /proc/cmdline line 1\n  \
         helper is not loaded by its aliases (blacklist)  /etc/modprobe.d/test.conf line 1\n  \
         Nothing loads it but insmod, where the kernel itself does not refuse it.\n"
    );
    root.write("proc/cmdline", "module_blacklist=some-dash\n");
    assert_eq!(
        root.ours("kmod", &["blocked", "helper"]).exits(4).out(),
        "helper\n  helper is not loaded by its aliases (blacklist)  /etc/modprobe.d/test.conf line 1\n  \
         It is loaded all the same\n    by name: modprobe helper\n    with what needs it: top\n"
    );
    let denied = root.ours("kmod", &["blocked", "my-dash"]).exits(4).out();
    assert!(denied.contains("Nothing loads it but insmod"), "{denied}");
    root.ours("kmod", &["blocked", "top"]).succeeds();
    root.ours("kmod", &["blocked", "nothing"]).fails();
    // What an install line does, and that it blocks nothing where there is no such module.
    assert_eq!(
        root.ours("kmod", &["blocked", "extra"]).exits(4).out(),
        "extra\n  extra is not loaded, a command is run: /bin/false  /etc/modprobe.d/test.conf line 3\n  \
         Instead of loading it this command is run: /bin/false\n    but not by: modprobe -i extra\n  \
         The command is run\n    by name: modprobe extra\n    by an alias: char_major_10_200, devname:extra/node\n    \
         with top, a soft dependency: /lib/modules/VERSION/modules.softdep line 2\n"
            .replace("VERSION", root.version())
    );
    let gone = root.ours("kmod", &["blocked", "gone"]).exits(4).out();
    assert!(gone.ends_with("There is nothing to load: this kernel has no module of that name.\n"), "{gone}");
}

/// The exit code and standard output of `kmod status`.
fn status(root: &TestRoot, args: &[&str]) -> (Option<i32>, String) {
    let run = root.ours("kmod", &[&["status"][..], args].concat());
    (run.code, run.out())
}

#[test]
fn the_status_of_a_module_is_a_word_and_an_exit_code() {
    let root = configured("alias chain top\nalias gone nothing\nblacklist extra\nalias more extra\n");
    root.load(&LoadedModule::new("base"));
    for (name, code, expected) in [
        ("base", 0, "base: loaded\n"),
        ("inside", 0, "inside: built in\n"),
        ("helper", 3, "helper: can be loaded\n"),
        ("my-dash", 3, "my-dash: can be loaded\n"),
        ("chain", 3, "chain: can be loaded\n  top: can be loaded\n"),
        ("extra", 3, "extra: can be loaded\n"),
        ("nothing", 1, "nothing: absent\n"),
    ] {
        assert_eq!(status(&root, &[name]), (Some(code), expected.to_owned()), "{name}");
    }
    let (code, out) = status(&root, &["more"]);
    assert_eq!(code, Some(4), "{out}");
    assert!(
        out.contains("extra is not loaded by its aliases (blacklist)  /etc/modprobe.d/test.conf line 3"),
        "{out}"
    );
    assert_eq!(status(&root, &["-q", "helper"]), (Some(3), String::new()));
    // No module is called so, whatever is at that path.
    for name in ["", "/tmp", "base/holders"] {
        assert_eq!(status(&root, &[name]).0, Some(1), "{name:?}");
    }
}

#[test]
fn the_most_severe_status_of_several_names_is_the_exit_code() {
    let root = configured("install extra /bin/false\ninstall my_dash /bin/echo hello\n");
    root.load(&LoadedModule::new("base"));
    let code = |names: &[&str]| status(&root, names).0;
    assert_eq!(code(&["base", "inside"]), Some(0));
    assert_eq!(code(&["base", "helper"]), Some(3));
    assert_eq!(code(&["helper", "extra", "base"]), Some(4));
    assert_eq!(code(&["nothing", "extra"]), Some(1));
    // What a command does is not known.
    assert_eq!(code(&["my_dash", "nothing"]), Some(2));
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["--nonsense"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
}

#[test]
fn a_module_is_blocked_by_what_it_needs_too() {
    let root = configured("");
    root.write("etc/modutils.d/local.conf", "deny base not here\n");
    let (code, out) = status(&root, &["top"]);
    assert_eq!(code, Some(4), "{out}");
    assert!(out.contains("base is refused by modprobe, whoever asks: not here"), "{out}");
    // What is loaded already is not loaded again.
    root.load(&LoadedModule::new("base"));
    assert_eq!(status(&root, &["top"]).0, Some(3));
    root.remove(&root.module_path("kernel/lib/helper.ko"));
    assert_eq!(status(&root, &["helper"]), (Some(1), "helper: absent\n  its file is not there\n".to_owned()));
    assert_eq!(status(&root, &["top"]).0, Some(4));
    root.write("proc/sys/kernel/modules_disabled", "1\n");
    let expected = "extra: blocked\n  kernel.modules_disabled is 1\n";
    assert_eq!(status(&root, &["extra"]), (Some(4), expected.to_owned()));
}

#[test]
fn without_a_module_directory_the_kernel_alone_has_the_answer() {
    let root = TestRoot::new();
    std::fs::remove_dir(root.path().join(root.module_path(""))).expect("an empty directory");
    root.load(&LoadedModule::new("base"));
    assert_eq!(status(&root, &["base"]), (Some(0), "base: loaded\n".to_owned()));
    let (code, out) = status(&root, &["helper"]);
    assert!(code == Some(2) && out.starts_with("helper: unknown\n  there is no "), "{out}");
    // The kernel shows what it has built in, without listing it.
    root.create_dir("sys/module/inside/parameters");
    assert_eq!(status(&root, &["inside"]), (Some(0), "inside: built in\n".to_owned()));
}

#[test]
fn without_proc_and_sys_nothing_is_called_absent() {
    let root = configured("");
    for path in ["proc/modules", "sys/module"] {
        let path = root.path().join(path);
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
    }
    for name in ["top", "nothing"] {
        assert_eq!(status(&root, &[name]).0, Some(2), "{name}");
    }
    // About another kernel the running one is not asked.
    let release = root.version().to_owned();
    let (code, out) = status(&root, &["-S", "1.2.3", "top"]);
    assert!(
        code == Some(2) && out.contains("there is no /lib/modules/1.2.3/modules.dep.bin"),
        "{release}: {out}"
    );
}

#[test]
fn a_tool_runs_without_its_link() {
    let root = configured("");
    for args in [&["modprobe", "-D", "top"][..], &["modinfo", "-F", "license", "top"], &["lsmod"]] {
        let (by_kmod, by_link) =
            (root.ours("kmod", args).succeeds(), root.ours(args[0], &args[1..]).succeeds());
        assert_eq!(by_kmod.out(), by_link.out(), "{args:?}");
    }
    let run = root.ours("kmod", &["modprobe", "nothing"]).fails();
    assert!(run.err().starts_with("modprobe: FATAL: Module nothing not found"), "{run:?}");
}

#[test]
fn a_misspelt_command_or_option_gets_a_suggestion() {
    let root = configured("");
    let run = root.explained("kmod", &["lst"]).fails();
    assert_eq!(run.err(), "invalid command 'lst'\n  Did you mean list?\n");
    let run = root.explained("modprobe", &["--dryrun", "top"]).fails();
    assert!(run.err().ends_with("unrecognized option '--dryrun'\n  Did you mean --dry-run?\n"), "{run:?}");
    let run = root.ours("modprobe", &["--dryrun", "top"]).fails();
    assert!(run.err().ends_with("unrecognized option '--dryrun'\n"), "{run:?}");
    assert!(root.explained("modprobe", &["VFAT"]).fails().err().contains("has this name"));
    assert!(root.explained("modprobe", &["TOP"]).fails().err().ends_with("  Did you mean top?\n"));
}

#[test]
fn help_has_the_whole_command_two_examples_and_the_page() {
    let root = TestRoot::new();
    for (tool, args, usage, page) in [
        ("kmod", &["check", "--help"][..], "Usage: kmod check [OPTIONS]", "kmod-check(8)"),
        ("kmod", &["list", "--help"], "Usage: kmod list [OPTIONS]\n", "lsmod(8)"),
        ("kmod", &["--help"], "Usage: kmod [OPTIONS] COMMAND\n", "kmod(8)"),
        ("kmod", &["help"], "Usage: kmod [OPTIONS] COMMAND\n", "kmod(8)"),
        ("kmod", &["modprobe", "-h"], "Usage: kmod modprobe [OPTIONS]", "modprobe(8)"),
        ("modprobe", &["--help"], "Usage: modprobe [OPTIONS]", "modprobe(8)"),
        ("depmod", &["-h"], "Usage: depmod [OPTIONS] [VERSION [FILE]...]", "depmod(8)"),
    ] {
        let help = root.ours(tool, args).succeeds().out();
        assert!(help.contains(usage) && help.ends_with(&format!("The manual page is {page}.\n")), "{help}");
        assert!(help.contains("\nExamples:\n  ") && !help.contains("Arguments:"), "{help}");
    }
}

#[test]
fn a_missing_list_of_modules_is_explained() {
    let root = TestRoot::new();
    std::fs::remove_dir_all(root.path().join("proc")).expect("a directory");
    let last = |root: &TestRoot| root.explained("lsmod", &[]).fails().err().lines().last().map(str::to_owned);
    assert_eq!(last(&root).as_deref(), Some("  /proc is not mounted."));
    root.create_dir("proc/self");
    assert_eq!(last(&root).as_deref(), Some("  This kernel has no module support."));
}

#[test]
fn a_graph_for_graphviz_has_the_firmware_that_modules_may_load() {
    let root = TestRoot::new();
    let upper = module("upper").modinfo("firmware", "a/one.bin").modinfo("firmware", "b\"\n\\.bin");
    let upper = upper.modinfo("softdep", "pre: lower");
    root.add_module("kernel/upper.ko", &upper)
        .add_module("kernel/lower.ko", &module("lower").modinfo("firmware", "a/one.bin"));
    root.ours("depmod", &[]).succeeds();
    let graph = |more: &[&str]| {
        let arguments = [&["graph", "--format", "dot", "upper"], more].concat();
        root.ours("kmod", &arguments).succeeds().out()
    };
    let with = graph(&["--firmware"]);
    let wanted = [
        "\t\"upper\" -> \"firmware/a/one.bin\" [color=gray];\n",
        "\t\"upper\" -> \"firmware/b\\\"?\\\\.bin\" [color=gray];\n",
        "\t\"lower\" -> \"firmware/a/one.bin\" [color=gray];\n",
        "\t\"firmware/a/one.bin\" [shape=note,color=gray];\n",
    ];
    assert!(wanted.iter().all(|line| with.contains(line)), "{with}");
    assert_eq!(with.matches("shape=note").count(), 2, "{with}");
    assert!(!graph(&[]).contains("firmware"));
}
