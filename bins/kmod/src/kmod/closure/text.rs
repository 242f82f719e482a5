//! The lines of `kmod closure`.

use std::{borrow::Cow, collections::BTreeSet, os::unix::ffi::OsStrExt, path::Path};

use modutils::{
    ModuleName,
    closure::{Closure, Firmware, Member, Presence},
    relations::Relation,
};

use crate::{report::Report, status::Status, visible::one_line};

/// How the lines are printed.
pub(super) struct Format {
    /// Only the paths of files.
    pub only_paths: bool,
    /// With the reasons.
    pub with_reasons: bool,
    /// The byte that ends a line.
    pub end: u8,
}

/// Prints a line for each module and for each firmware file, in the order of names. A failure where the path of a file
/// would be taken for two lines.
pub(super) fn print(
    closure: &Closure,
    firmware: &[Firmware],
    format: &Format,
    report: &mut Report,
) -> Status {
    let mut status = Status::Success;
    for member in closure.members() {
        let (kind, place): (&[u8], &[u8]) = match &member.presence {
            Presence::File { path, .. } => (b"module", bytes(path)),
            Presence::BuiltIn => (b"builtin", member.module.name().as_bytes()),
            _ if member.is_missing() => (b"missing module", member.module.name().as_bytes()),
            // A soft or weak dependency that this tree does not have.
            _ => continue,
        };
        status = status.and(line(kind, place, || reasons(member), format, report));
    }
    // Several names may lead to one file.
    let mut printed = BTreeSet::new();
    for firmware in firmware {
        let needed_by = || joined(firmware.needed_by.iter().map(ModuleName::to_string));
        for file in firmware.files.iter().filter(|file| printed.insert(*file)) {
            status = status.and(line(b"firmware", bytes(file), needed_by, format, report));
        }
        if firmware.files.is_empty() {
            status = status.and(line(b"missing firmware", &firmware.name, needed_by, format, report));
        }
    }
    status
}

/// Reports each missing module.
pub(super) fn print_missing(closure: &Closure, report: &mut Report) {
    for member in closure.members().filter(|member| member.is_missing()) {
        let by = reasons(member);
        report.error(
            [b"Module ", member.module.name().as_bytes(), b" is missing: needed by ", by.as_bytes()].concat(),
        );
    }
}

fn line(
    kind: &[u8],
    place: &[u8],
    reasons: impl Fn() -> String,
    format: &Format,
    report: &mut Report,
) -> Status {
    let is_file = matches!(kind, b"module" | b"firmware");
    // A name that is no path is shown. A path must be what it is, or nothing.
    let place = if is_file || format.end == 0 { Cow::Borrowed(place) } else { one_line(place) };
    if is_file && place.contains(&format.end) {
        return report.fail([&place, &b": the path has an end of line in it, use --null"[..]].concat());
    }
    let mut line = match format.only_paths {
        true if !is_file => return Status::Success,
        true => place.to_vec(),
        false => [kind, b" ", &place].concat(),
    };
    if format.with_reasons {
        line.push(b'\t');
        line.extend_from_slice(&one_line(reasons().as_bytes()));
    }
    line.push(format.end);
    report.print(line);
    Status::Success
}

fn reasons(member: &Member) -> String {
    let requested = member.requested.then(|| "requested".to_owned());
    let others = member.reasons.iter().map(|(module, relation)| match relation {
        Relation::Before => format!("{module} (softdep pre)"),
        Relation::After => format!("{module} (softdep post)"),
        Relation::Weak => format!("{module} (weakdep)"),
        _ => module.to_string(),
    });
    joined(requested.into_iter().chain(others))
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
