//! `--json`: every document conforms to `man/modutils.schema.json`, and has the content of the text output.

use std::path::Path;

use modutils_tests::{little_kernel, module};
use serde_json::{Value, json};
use testkit::surroundings::program;
use testkit::{LoadedModule, Run, TestRoot};

/// The published schema, except that it allows no unknown member: a reader must skip such a member, but we may not print
/// one that is not documented.
fn strict_schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man/modutils.schema.json");
    let mut schema = serde_json::from_slice(&std::fs::read(path).expect("the schema")).expect("JSON");
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("type") == Some(&json!("object")) {
                members.insert("additionalProperties".into(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// The document in a run's output, validated against the schema by another program.
#[track_caller]
pub fn document(run: &Run) -> Value {
    let scratch = tempfile::tempdir().expect("a directory");
    let (schema, instance) = (scratch.path().join("schema.json"), scratch.path().join("document.json"));
    std::fs::write(&schema, strict_schema().to_string()).expect("written");
    std::fs::write(&instance, &run.stdout).expect("written");
    let judged = program("jsonschema").arg("-i").arg(&instance).arg(&schema).output();
    let judged = judged.expect("jsonschema, of the Debian package python3-jsonschema");
    assert!(judged.status.success(), "{run:?}\n{}", String::from_utf8_lossy(&judged.stderr));
    serde_json::from_slice(&run.stdout).expect("JSON")
}

/// A root with the little kernel, indexed.
fn indexed() -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root
}

#[test]
fn every_document_has_its_format_its_tool_and_the_version() {
    let root = indexed();
    let document = document(&root.ours("modinfo", &["--json", "base"]).succeeds());
    assert_eq!(document["schema"], "modutils/1");
    assert_eq!(document["tool"], "modinfo");
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn modinfo_has_fields_and_parameters() {
    let root = indexed();
    let document = document(&root.ours("modinfo", &["--json", "top", "inside"]).succeeds());
    let [top, inside] = document["modules"].as_array().expect("a list").as_slice() else {
        panic!("{document}")
    };
    assert_eq!(top["name"], "top");
    assert_eq!(top["fields"][1], json!({ "key": "license", "value": "Dual MIT/GPL" }));
    assert_eq!(
        top["parameters"],
        json!([
            { "name": "depth", "type": "int", "description": "how deep" },
            { "name": "bare", "type": "charp", "description": null },
        ])
    );
    assert_eq!((&inside["filename"], &inside["builtin"]), (&Value::Null, &json!(true)));
}

#[test]
fn a_selected_field_omits_the_others() {
    let root = indexed();
    let of = |argument: &str| {
        document(&root.ours("modinfo", &["--json", argument, "top"]).succeeds())["modules"][0].clone()
    };
    let authors = of("--author");
    assert_eq!(authors["fields"].as_array().map(Vec::len), Some(2));
    assert_eq!(authors["parameters"], json!([]));
    assert_eq!(of("--parameters")["fields"], json!([]));
    assert_eq!(of("--parameters")["parameters"].as_array().map(Vec::len), Some(2));
    assert_eq!(of("--filename")["fields"], json!([]));
}

#[test]
fn bytes_that_are_not_text_are_preserved() {
    let root = TestRoot::new();
    let module = module("odd").modinfo("description", b"caf\xe9 \xff");
    root.write("tmp/odd.ko", module.build());
    let document = document(&root.ours("modinfo", &["--json", "/tmp/odd.ko"]).succeeds());
    let fields = document["modules"][0]["fields"].as_array().expect("a list").clone();
    assert!(
        fields.contains(&json!({ "key": "description", "value": { "hex": "636166e920ff" } })),
        "{document}"
    );
}

#[test]
fn a_failure_gives_a_complete_document_and_the_exit_code() {
    let root = indexed();
    let run = root.ours("modinfo", &["--json", "nothing", "base"]).fails();
    assert_eq!(document(&run)["modules"].as_array().map(Vec::len), Some(1));
    assert_eq!(run.err(), "modinfo: ERROR: Module nothing not found.\n");
}

#[test]
fn lsmod_shows_numbers_as_numbers() {
    let root = TestRoot::new();
    root.load(&LoadedModule::new("base")).load(&LoadedModule::new("helper"));
    let modules = document(&root.ours("lsmod", &["--json"]).succeeds())["modules"].clone();
    assert_eq!((&modules[0]["name"], &modules[0]["state"]), (&json!("helper"), &json!("live")));
    assert!(modules[0]["size"].is_i64() && modules[0]["references"].is_i64(), "{modules}");
}

#[test]
fn a_plan_has_its_steps_in_order() {
    let root = indexed();
    root.write(
        "etc/modprobe.d/test.conf",
        "options top depth=3\ninstall extra /bin/echo no\nsoftdep top pre: inside\n",
    );
    let steps =
        document(&root.ours("modprobe", &["-D", "--json", "top", "bare=x"]).succeeds())["steps"].clone();
    let of = |key: &str| {
        steps.as_array().expect("a list").iter().map(|step| step[key].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("module"), ["base", "helper", "extra", "inside", "top"]);
    assert_eq!(of("action"), ["insmod", "insmod", "install", "builtin", "insmod"]);
    assert_eq!(
        (&steps[2]["command"], &steps[4]["options"]),
        (&json!("/bin/echo no"), &json!("depth=3 bare=x"))
    );
    let text = root.ours("modprobe", &["-D", "top"]).succeeds().out();
    assert!(text.contains(steps[4]["file"].as_str().expect("a path")), "{text}");
    assert_eq!(document(&root.ours("modprobe", &["-n", "--json", "-a", "base"]).succeeds())["kind"], "plan");
}

#[test]
fn a_resolved_name_has_the_matching_alias() {
    let root = indexed();
    let modules = document(&root.ours("modprobe", &["-R", "--json", "fs-top"]).succeeds())["modules"].clone();
    assert_eq!(modules, json!([{ "query": "fs-top", "module": "top", "alias": "fs_top" }]));
}

#[test]
fn symbols_have_their_crcs() {
    let root = indexed();
    let symbols = document(&root.ours("modprobe", &["--show-exports", "--json", "helper"]).succeeds());
    assert_eq!(symbols["symbols"], json!([{ "name": "helper_fn", "crc": 14 }]));
}

#[test]
fn the_configuration_has_file_and_line_of_each_entry() {
    let root = indexed();
    root.write(
        "etc/modprobe.d/test.conf",
        "alias a-* top\nblacklist base\noptions top depth=3\nremove top true\nweakdep top base extra\n",
    );
    root.write("etc/modutils.d/test.conf", "deny helper for a test\n");
    let lines = document(&root.ours("modprobe", &["-c", "--json"]).succeeds())["lines"].clone();
    let lines = lines.as_array().expect("a list");
    let file = "/etc/modprobe.d/test.conf";
    for expected in [
        json!({ "directive": "alias", "subject": "a_*", "module": "top", "file": file, "line": 1 }),
        json!({ "directive": "blacklist", "subject": "base", "file": file, "line": 2 }),
        json!({ "directive": "options", "subject": "top", "text": "depth=3", "file": file, "line": 3 }),
        json!({ "directive": "remove", "subject": "top", "text": "true", "file": file, "line": 4 }),
        json!({ "directive": "weakdep", "subject": "top", "names": ["base", "extra"], "file": file, "line": 5 }),
        json!({ "directive": "deny", "subject": "helper", "text": "for a test", "file": "/etc/modutils.d/test.conf", "line": 1 }),
    ] {
        assert!(lines.contains(&expected), "no {expected} in {lines:?}");
    }
    let text = root.ours("modprobe", &["-c"]).succeeds();
    let aliases = |index: &str| {
        lines.iter().filter(|line| line["file"].as_str().is_some_and(|file| file.ends_with(index))).count()
    };
    let dumped = text
        .lines()
        .iter()
        .skip_while(|line| !line.starts_with("# End"))
        .filter(|line| line.starts_with("alias "))
        .count();
    assert_eq!(aliases("modules.alias.bin") + aliases("modules.symbols.bin"), dumped);
}

#[test]
fn the_indexes_of_a_tree_are_listed_by_module() {
    let root = indexed();
    let modules = document(&root.ours("depmod", &["-n", "--json"]).succeeds())["modules"].clone();
    let top = modules
        .as_array()
        .expect("a list")
        .iter()
        .find(|module| module["name"] == "top")
        .expect("top")
        .clone();
    assert_eq!(top["path"], "kernel/drivers/top.ko");
    assert_eq!(top["dependencies"], json!(["kernel/lib/helper.ko", "kernel/lib/base.ko"]));
    assert_eq!((&top["softdeps"], &top["weakdeps"]), (&json!(["pre: extra"]), &json!(["my_dash"])));
    let extra = modules
        .as_array()
        .expect("a list")
        .iter()
        .find(|module| module["name"] == "extra")
        .expect("extra")
        .clone();
    assert_eq!(extra["device"], json!({ "node": "extra/node", "number": "c10:200" }));
}

#[test]
fn what_blocks_and_what_loads_a_module_is_listed() {
    let root = indexed();
    root.write(
        "etc/modprobe.d/test.conf",
        "blacklist helper\nblacklist gone\nsoftdep extra post: helper\nalias net-pf-10 off\n",
    );
    root.write("proc/cmdline", "module_blacklist=base\n");
    let all = document(&root.ours("kmod", &["blocked", "--json"]).succeeds())["modules"][0].clone();
    let of = |subject: &str| {
        all["blocks"].as_array().expect("a list").iter().find(|block| block["subject"] == subject).cloned()
    };
    assert_eq!(of("gone").expect("a block")["matches"], false);
    assert_eq!(of("base").expect("a block")["kind"], "kernel");
    assert_eq!(of("net_pf_10").expect("a block")["text"], "off");
    let helper =
        document(&root.ours("kmod", &["blocked", "--json", "helper"]).exits(4))["modules"][0].clone();
    // It needs the one that the kernel refuses.
    assert_eq!(helper["blocks"].as_array().map(Vec::len), Some(2));
    assert_eq!(helper["ways"]["by_name"], false);
    root.write("proc/cmdline", "module_blacklist=some-dash\n");
    let helper =
        document(&root.ours("kmod", &["blocked", "--json", "helper"]).exits(4))["modules"][0].clone();
    assert_eq!(helper["blocks"].as_array().map(Vec::len), Some(1));
    assert_eq!(helper["ways"]["dependents"], json!(["top"]));
    assert_eq!(helper["ways"]["softdeps"][0]["subject"], "extra");
    root.write("proc/cmdline", "module_blacklist=base\n");
    let base = document(&root.ours("kmod", &["blocked", "--json", "base"]).exits(4))["modules"][0].clone();
    assert_eq!(base["ways"]["by_name"], false);
}

#[test]
fn the_graph_has_only_direct_dependencies() {
    let root = indexed();
    let modules = document(&root.ours("kmod", &["graph", "--json", "top"]).succeeds())["modules"].clone();
    let top = modules
        .as_array()
        .expect("a list")
        .iter()
        .find(|module| module["name"] == "top")
        .expect("top")
        .clone();
    assert_eq!(
        top,
        json!({ "name": "top", "builtin": false, "found": true, "needs": ["helper"], "pre": ["extra"], "post": [], "weak": ["my_dash"] })
    );
    let users = document(&root.ours("kmod", &["graph", "--json", "--reverse", "helper"]).succeeds());
    assert_eq!(users["modules"].as_array().map(Vec::len), Some(2));
}

#[test]
fn parameters_have_the_value_of_a_loaded_module() {
    let root = indexed();
    root.load(&LoadedModule::new("top"));
    root.write("sys/module/top/parameters/depth", "7\n");
    let modules = document(
        &root.ours("kmod", &["params", "--json", "top", "inside", "deep-inside"]).succeeds(),
    )["modules"]
        .clone();
    assert_eq!(
        modules[0]["parameters"],
        json!([
            { "name": "depth", "type": "int", "description": "how deep", "value": "7", "mode": "0644" },
            { "name": "bare", "type": "charp", "description": null, "value": null, "mode": null },
        ])
    );
    assert_eq!((&modules[1]["parameters"], &modules[1]["filename"]), (&json!([]), &Value::Null));
    assert_eq!(modules[2]["parameters"][0]["name"], "x");
}

#[test]
fn check_findings_have_both_values() {
    let root = indexed();
    let odd = module("odd")
        .modinfo("vermagic", "6.1.0 SMP")
        .modinfo("parm", "depth:how deep")
        .modinfo("parmtype", "depth:int")
        .needs("helper_fn", 0x0f)
        .needs("nowhere_fn", 0x01);
    root.write("tmp/odd.ko", odd.build());
    let run = root.ours("kmod", &["check", "--json", "/tmp/odd.ko", "depth=much", "dept=1"]).fails();
    let document = document(&run);
    assert_eq!((&document["kind"], &document["release"]), (&json!("check"), &json!(root.version())));
    let odd = &document["modules"][0];
    assert_eq!(
        (&odd["name"], &odd["filename"], &odd["outcome"]),
        (&json!("odd"), &json!("/tmp/odd.ko"), &json!("would_not_load"))
    );
    let of = |list: &str, kind: &str| {
        let items = odd[list].as_array().expect("a list");
        items.iter().find(|item| item["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {odd}")).clone()
    };
    let version = of("reasons", "symbol_version");
    assert_eq!((&version["subject"], &version["provider"]), (&json!("helper_fn"), &json!("helper")));
    assert_eq!((&version["has"], &version["wanted"]), (&json!(0x0f), &json!(0x0e)));
    let parameter = of("reasons", "parameter");
    assert_eq!(
        (&parameter["subject"], &parameter["has"], &parameter["wanted"]),
        (&json!("depth"), &json!("much"), &json!("int"))
    );
    assert_eq!(of("notes", "unknown_parameter")["subject"], "dept");
    assert_eq!(of("unknowns", "symbol")["subject"], "nowhere_fn");
    // The texts are those of the text output.
    let text = root.ours("kmod", &["check", "/tmp/odd.ko", "depth=much", "dept=1"]).fails().out();
    for reason in odd["reasons"].as_array().expect("a list") {
        let line = reason["text"][0].as_str().expect("words");
        assert!(text.contains(line), "no {line:?} in {text}");
    }
}

#[test]
fn a_check_of_all_has_every_module_and_the_exit_code() {
    let root = indexed();
    root.write_module_file("kernel/lib/base.ko", "no module");
    let run = root.ours("kmod", &["check", "--all", "--json"]);
    let modules = document(&run)["modules"].clone();
    let outcome = |name: &str| {
        let modules = modules.as_array().expect("a list");
        modules.iter().find(|module| module["name"] == name).expect("it is there")["outcome"].clone()
    };
    assert_eq!(modules.as_array().map(Vec::len), Some(5));
    assert_eq!((outcome("base"), run.code), (json!("would_not_load"), Some(1)));
    // Without a vermagic nothing loads; built-in modules are listed.
    let inside = document(&root.ours("kmod", &["check", "--json", "inside"]).succeeds());
    assert_eq!(
        (&inside["modules"][0]["outcome"], &inside["modules"][0]["filename"]),
        (&json!("would_load"), &Value::Null)
    );
    let nothing = root.ours("kmod", &["check", "--json", "nothing"]).fails();
    assert_eq!(document(&nothing)["modules"], json!([]));
}
