//! `--json`: every document is what `man/modutils.schema.json` says, and says what the text says.

use std::path::Path;
use std::process::Command;

use modutils_tests::{little_kernel, module};
use serde_json::{Value, json};
use testkit::{Loaded, Run, TestRoot};

/// The schema that people get, except that it takes no member that it does not name: a reader must pass over such a
/// member, but we may not print one that is not documented.
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

/// The document in a run's output, which an outside program has found to be as the schema says.
#[track_caller]
pub fn document(run: &Run) -> Value {
    let scratch = tempfile::tempdir().expect("a directory");
    let (schema, instance) = (scratch.path().join("schema.json"), scratch.path().join("document.json"));
    std::fs::write(&schema, strict_schema().to_string()).expect("written");
    std::fs::write(&instance, &run.stdout).expect("written");
    let judged = Command::new("jsonschema").arg("-i").arg(&instance).arg(&schema).output();
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
fn every_document_says_its_form_its_tool_and_the_version() {
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
fn a_field_alone_leaves_the_others_out() {
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
fn bytes_that_are_no_text_come_back_whole() {
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
fn what_fails_leaves_a_whole_document_and_the_exit_code() {
    let root = indexed();
    let run = root.ours("modinfo", &["--json", "nothing", "base"]).fails();
    assert_eq!(document(&run)["modules"].as_array().map(Vec::len), Some(1));
    assert!(run.err().starts_with("modinfo: ERROR: Module nothing not found."), "{run:?}");
}

#[test]
fn lsmod_shows_numbers_as_numbers() {
    let root = TestRoot::new();
    root.load(&Loaded::new("base")).load(&Loaded::new("helper"));
    let modules = document(&root.ours("lsmod", &["--json"]).succeeds())["modules"].clone();
    assert_eq!((&modules[0]["name"], &modules[0]["state"]), (&json!("helper"), &json!("live")));
    assert!(modules[0]["size"].is_i64() && modules[0]["references"].is_i64(), "{modules}");
}
