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
        root.ours("kmod", &["blocked", "helper"]).succeeds().out(),
        "helper\n  helper is not loaded by its aliases (blacklist)  /etc/modprobe.d/test.conf line 1\n  \
         It is loaded all the same\n    by name: modprobe helper\n    with what needs it: top\n"
    );
    let denied = root.ours("kmod", &["blocked", "my-dash"]).succeeds().out();
    assert!(denied.contains("Nothing loads it but insmod"), "{denied}");
    root.ours("kmod", &["blocked", "nothing"]).fails();
}
