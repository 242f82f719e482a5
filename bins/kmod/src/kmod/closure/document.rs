//! The items of `kmod closure --json`.

use std::collections::HashMap;

use modutils::{
    ModuleName,
    closure::{Closure, Firmware, Member, Presence},
    relations::Relation,
};
use serde::Serialize;

use crate::{
    json::{Document, Text},
    report::Report,
};

/// A module of the closure.
#[derive(Serialize)]
struct MemberItem<'a> {
    name: Text<'a>,
    presence: &'static str,
    /// `None` where it is in no file.
    filename: Option<Text<'a>>,
    /// In bytes.
    size: Option<u64>,
    requested: bool,
    missing: bool,
    needed_by: Vec<ReasonItem<'a>>,
    firmware: Vec<FirmwareItem<'a>>,
}

#[derive(Serialize)]
struct ReasonItem<'a> {
    name: Text<'a>,
    relation: &'static str,
}

#[derive(Serialize)]
struct FirmwareItem<'a> {
    name: Text<'a>,
    /// None where it is missing.
    files: Vec<Text<'a>>,
}

/// Writes an item for each module.
pub(super) fn write(closure: &Closure, firmware: &[Firmware], document: &mut Document, report: &mut Report) {
    let mut by_module: HashMap<&ModuleName, Vec<&Firmware>> = HashMap::new();
    for firmware in firmware {
        for module in &firmware.needed_by {
            by_module.entry(module).or_default().push(firmware);
        }
    }
    for member in closure.members() {
        let firmware = by_module.get(member.module.name()).map(Vec::as_slice).unwrap_or_default();
        document.item(&MemberItem::new(member, firmware), report);
    }
}

impl<'a> MemberItem<'a> {
    fn new(member: &'a Member, firmware: &[&'a Firmware]) -> Self {
        let (presence, path, size) = match &member.presence {
            Presence::File { path, size } => ("file", Some(path), Some(*size)),
            Presence::BuiltIn => ("builtin", None, None),
            Presence::Gone(path) => ("gone", Some(path), None),
            _ => ("absent", None, None),
        };
        let reason = |(module, relation): &'a (_, Relation)| ReasonItem {
            name: Text::from(module),
            relation: relation_name(*relation),
        };
        Self {
            name: Text::from(member.module.name()),
            presence,
            filename: path.map(|path| Text::from(path.as_os_str().as_encoded_bytes())),
            size,
            requested: member.requested,
            missing: member.is_missing(),
            needed_by: member.reasons.iter().map(reason).collect(),
            firmware: firmware.iter().copied().map(FirmwareItem::from).collect(),
        }
    }
}

impl<'a> From<&'a Firmware> for FirmwareItem<'a> {
    fn from(firmware: &'a Firmware) -> Self {
        let path = |path: &'a std::path::PathBuf| Text::from(path.as_os_str().as_encoded_bytes());
        Self { name: Text::from(&firmware.name), files: firmware.files.iter().map(path).collect() }
    }
}

fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Before => "pre",
        Relation::After => "post",
        Relation::Weak => "weak",
        _ => "needs",
    }
}
