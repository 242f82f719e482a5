//! The contents of the indexes by module, as items of a JSON document (`depmod -n --json`).

use bstr::BStr;
use modutils::depmod::{IndexedModule, Preview};
use serde::Serialize;

use crate::{
    json::{Document, Text},
    report::Report,
};

#[derive(Serialize)]
struct IndexedItem<'a> {
    name: Text<'a>,
    /// As the indexes name it: relative to the module directory, or absolute.
    path: Text<'a>,
    /// The files of all modules it depends on, in the order of `modules.dep`.
    dependencies: Vec<Text<'a>>,
    aliases: Vec<Text<'a>>,
    softdeps: Vec<Text<'a>>,
    weakdeps: Vec<Text<'a>>,
    symbols: Vec<Text<'a>>,
    device: Option<DeviceItem<'a>>,
}

/// The device node that loads the module when opened.
#[derive(Serialize)]
struct DeviceItem<'a> {
    /// Its path below /dev.
    node: Text<'a>,
    /// `c` or `b`, major and minor number, as in `modules.devname`.
    number: String,
}

/// Prints the contents of the text files as a document.
pub(super) fn print(preview: &Preview, report: &mut Report) {
    let mut document = Document::begin("indexes", "depmod", "modules", report);
    for module in preview.modules() {
        document.item(&item(module), report);
    }
    document.end(report);
}

fn item(module: IndexedModule<'_>) -> IndexedItem<'_> {
    IndexedItem {
        name: Text::from(module.name()),
        path: Text(module.path()),
        dependencies: texts(module.dependencies()),
        aliases: texts(module.aliases()),
        softdeps: texts(module.soft_dependencies()),
        weakdeps: texts(module.weak_dependencies()),
        symbols: texts(module.symbols()),
        device: module
            .device_node()
            .map(|node| DeviceItem { node: Text(node.name), number: node.device.to_string() }),
    }
}

fn texts<'a>(values: impl Iterator<Item = &'a BStr>) -> Vec<Text<'a>> {
    values.map(|value| Text(value)).collect()
}
