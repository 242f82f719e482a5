//! What the indexes say, module by module, as items of a JSON document (`depmod -n --json`).

use std::collections::HashMap;

use bstr::ByteSlice;
use modutils::{
    config::lines::words,
    depmod::{Analysis, TreeFile, facts::Facts, output::OutputFile},
};
use serde::Serialize;

use crate::{
    json::{Document, Text},
    report::Report,
};

#[derive(Serialize)]
struct Item<'a> {
    name: Text<'a>,
    /// As the indexes name it: relative to the module directory, or absolute.
    path: Text<'a>,
    /// The files of all modules that it needs, in the order of `modules.dep`.
    dependencies: Vec<Text<'a>>,
    aliases: Vec<Text<'a>>,
    softdeps: Vec<Text<'a>>,
    weakdeps: Vec<Text<'a>>,
    symbols: Vec<Text<'a>>,
    device: Option<DeviceItem<'a>>,
}

/// The device node by which the module is loaded.
#[derive(Clone, Copy, Serialize)]
struct DeviceItem<'a> {
    /// Below /dev.
    node: Text<'a>,
    /// `c` or `b`, major and minor number, as in `modules.devname`.
    number: Text<'a>,
}

/// Prints what stands in the text files as a document.
pub(super) fn print(analysis: &Analysis<'_>, texts: &[OutputFile], report: &mut Report) {
    let devices = devices(texts);
    let mut document = Document::begin("indexes", "depmod", "modules", report);
    let modules = analysis.files.iter().zip(analysis.facts).zip(&analysis.dependencies);
    for ((file, facts), dependencies) in modules {
        document.item(&item(analysis, file, facts, dependencies, &devices), report);
    }
    document.end(report);
}

fn item<'a>(
    analysis: &Analysis<'a>,
    file: &'a TreeFile,
    facts: &'a Facts,
    dependencies: &[u32],
    devices: &HashMap<&[u8], DeviceItem<'a>>,
) -> Item<'a> {
    let listed = |place: &u32| analysis.files.get(*place as usize).map(|file| Text(&file.listed));
    Item {
        name: Text::from(&file.name),
        path: Text(&file.listed),
        dependencies: dependencies.iter().filter_map(listed).collect(),
        aliases: facts.aliases.iter().map(Text).collect(),
        softdeps: facts.softdeps.iter().map(Text).collect(),
        weakdeps: facts.weakdeps.iter().map(Text).collect(),
        symbols: facts.exports.iter().map(|(name, _)| Text(name)).collect(),
        device: devices.get(file.name.as_bytes()).copied(),
    }
}

/// The lines of `modules.devname`, by module.
fn devices(texts: &[OutputFile]) -> HashMap<&[u8], DeviceItem<'_>> {
    let lines =
        texts.iter().filter(|text| text.name == "modules.devname").flat_map(|text| text.bytes.lines());
    let device = |line| {
        let mut words = words(line);
        Some((words.next()?, DeviceItem { node: Text(words.next()?), number: Text(words.next()?) }))
    };
    lines.filter(|line| !line.starts_with(b"#")).filter_map(device).collect()
}
