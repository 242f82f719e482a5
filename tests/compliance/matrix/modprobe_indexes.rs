//! modprobe: what it does with the files of the module directory, and without them.

use super::{Case, Claim, Row, combined, fails, works};

const DIRECTORY: &str = "lib/modules/6.12.0-fake";

pub(crate) fn cases() -> Vec<Case> {
    let file = |name: &str| format!("{DIRECTORY}/{name}");
    let without = |case: Case, name: &str| case.delete(&file(name));
    vec![
        works("modprobe modules.dep", "is not read as text", "upper")
            .file(&file("modules.dep"), "nonsense\\n"),
        without(works("modprobe modules.dep", "the text may be missing", "upper"), "modules.dep"),
        without(fails("modprobe modules.dep", "the index is missing", "upper"), "modules.dep.bin"),
        fails("modprobe modules.dep", "the index is empty", "upper").file(&file("modules.dep.bin"), ""),
        fails("modprobe modules.dep", "the index is a text", "upper")
            .file(&file("modules.dep.bin"), "this is no index at all\\n")
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("not found in directory")],
                &[Claim::Exit(1), Claim::Reports("check fail")],
            ),
        fails("modprobe modules.dep", "the index is of another version", "upper")
            .bytes(&file("modules.dep.bin"), *b"\xb0\x07\xf4\x57\x00\x03\x00\x01\x00\x00\x00\x0c\0\0\0\0")
            .differs(
                Row::BrokenFile,
                &[Claim::Exit(1), Claim::Reports("not found in directory")],
                &[Claim::Exit(1), Claim::Reports("check fail")],
            ),
        without(
            combined("modprobe modules.dep", "a path without the index", "@/alone.ko"),
            "modules.dep.bin",
        ),
        without(combined("modprobe modules.dep", "without the index, -n", "-n upper"), "modules.dep.bin"),
        without(combined("modprobe modules.dep", "without the index, -q", "-q upper"), "modules.dep.bin"),
        without(combined("modprobe modules.dep", "without the index, -D", "-D upper"), "modules.dep.bin"),
        explained(combined(
            "modprobe modules.dep",
            "without the module directory, the cause",
            "-S 1.2.3 alone",
        )),
        explained(without(
            combined("modprobe modules.dep", "without the index, the cause", "alone"),
            "modules.dep.bin",
        )),
        explained(
            combined("modprobe modules.dep", "with a damaged index, the cause", "alone")
                .bytes(&file("modules.dep.bin"), *b"\xb0\x07\xf4\x57\x00\x02\x00\x01\x20\x00\x00\x0c\x61"),
        ),
        works("modprobe modules.alias", "is not read as text", "alone-alias")
            .file(&file("modules.alias"), "nonsense\\n"),
        without(fails("modprobe modules.alias", "the index is missing", "alone-alias"), "modules.alias.bin"),
        fails("modprobe modules.alias", "the index is empty", "alone-alias")
            .file(&file("modules.alias.bin"), ""),
        without(combined("modprobe modules.alias", "is missing, by name", "alone"), "modules.alias.bin"),
        combined("modprobe modules.alias", "names what modules.dep does not have", "ghostly")
            .config("alias ghostly ghost\\n"),
        works("modprobe modules.symbols", "finds the exporter", "symbol:mid"),
        without(
            fails("modprobe modules.symbols", "the index is missing", "symbol:mid"),
            "modules.symbols.bin",
        ),
        combined("modprobe modules.symbols", "with -R", "-R symbol:low"),
        combined("modprobe modules.symbols", "unknown", "symbol:unheard_of"),
        works("modprobe modules.builtin", "is known", "inside"),
        without(fails("modprobe modules.builtin", "the index is missing", "inside"), "modules.builtin.bin"),
        fails("modprobe modules.builtin", "removing", "-r inside"),
        without(
            combined("modprobe modules.builtin", "the aliases are missing", "inside-alias"),
            "modules.builtin.alias.bin",
        ),
        combined("modprobe modules.builtin", "with -D", "-D inside"),
        combined("modprobe modules.builtin", "with parameters", "inside x=1"),
        combined("modprobe modules.builtin", "with -v", "-v inside"),
        combined("modprobe modules.builtin", "with an install command", "inside")
            .config("install inside echo installing\\n"),
        combined("modprobe modules.builtin", "with -a", "-a inside alone"),
        combined("modprobe modules.builtin", "with --first-time and an alias", "--first-time inside-alias"),
    ]
}

/// Not found, for a reason that ours reports in the next line.
fn explained(case: Case) -> Case {
    let case = case.explained();
    let reported =
        [Claim::Exit(1), Claim::Reports("FATAL: Module alone not found in directory /lib/modules/")];
    case.differs(Row::Cause, &[reported[0], reported[1], Claim::Explains], &reported)
}
