//! What modprobe shows, as items of a JSON document.

use std::cell::RefCell;

use modutils::{
    config::Origin,
    index::Trie,
    lookup::Candidate,
    plan::{Action, Step},
};
use serde::Serialize;

use super::{Tool, options};
use crate::{
    json::{Document, Text},
    report::Report,
};

/// The document of a run, if one was asked for.
pub(super) struct Shown(RefCell<Option<Document>>);

impl Shown {
    /// Begins a document where `--json` is given, of the kind that the other options ask for.
    pub(super) fn begin(options: &options::Options, report: &mut Report) -> Self {
        let (kind, list) = match options.action {
            options::Action::ShowConfig => ("configuration", "lines"),
            options::Action::ResolveAlias => ("resolved", "modules"),
            options::Action::ShowExports | options::Action::ShowModversions => ("symbols", "symbols"),
            _ => ("plan", "steps"),
        };
        Self(RefCell::new(options.json.then(|| Document::begin(kind, "modprobe", list, report))))
    }

    /// Whether there is one.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Adds an item, where there is a document.
    pub(super) fn item(&self, item: &impl Serialize, report: &mut Report) {
        if let Some(document) = &mut *self.0.borrow_mut() {
            document.item(item, report);
        }
    }

    /// Ends it.
    pub(super) fn end(self, report: &mut Report) {
        if let Some(document) = self.0.into_inner() {
            document.end(report);
        }
    }
}

/// A step of a plan.
#[derive(Serialize)]
struct StepItem<'a> {
    /// What is done: insmod, install, builtin, rmmod or remove.
    action: &'static str,
    module: Text<'a>,
    /// The file that is loaded.
    file: Option<Text<'a>>,
    /// The parameters that it is loaded with, or that the command gets.
    options: Option<Text<'a>>,
    /// The command that is run.
    command: Option<Text<'a>>,
}

/// A step of a plan; none for what nothing is done for.
pub(super) fn step(step: &Step) -> Option<impl Serialize> {
    let (action, file, options, command) = match &step.action {
        Action::Load { file, options } => ("insmod", Some(file), Some(options), None),
        Action::RunInstall { command, options } => ("install", None, Some(options), Some(command)),
        Action::Builtin => ("builtin", None, None, None),
        Action::Unload { .. } => ("rmmod", None, None, None),
        Action::RunRemove { command } => ("remove", None, None, Some(command)),
        Action::Check | Action::NoFile | Action::Denied(_) => return None,
    };
    Some(StepItem {
        action,
        module: Text::from(&step.module),
        file: file.map(|file| Text(file.as_os_str().as_encoded_bytes())),
        options: options.map(|options| Text(options.trim_ascii())),
        command: command.map(|command| Text(command.trim_ascii())),
    })
}

/// A module that a name means.
#[derive(Serialize)]
struct CandidateItem<'a> {
    query: Text<'a>,
    module: Text<'a>,
    /// The alias that led to it.
    alias: Option<Text<'a>>,
}

/// A module that a name means.
pub(super) fn candidate<'a>(query: &'a [u8], candidate: &'a Candidate) -> impl Serialize {
    CandidateItem {
        query: Text(query),
        module: Text::from(&candidate.module),
        alias: candidate.alias.as_ref().map(Text::from),
    }
}

/// A symbol that a module exports or needs.
#[derive(Serialize)]
struct SymbolItem<'a> {
    name: Text<'a>,
    crc: u64,
}

/// A symbol that a module exports or needs, with its CRC.
pub(super) fn symbol(name: &[u8], crc: u64) -> impl Serialize {
    SymbolItem { name: Text(name), crc }
}

/// A line of the configuration, or of an index.
#[derive(Default, Serialize)]
struct Line<'a> {
    directive: &'static str,
    /// The module, or the pattern or alias, that the line begins with.
    subject: Option<Text<'a>>,
    /// An alias's module.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<Text<'a>>,
    /// Options, a command, or a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pre: Option<Vec<Text<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<Vec<Text<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Vec<Text<'a>>>,
    /// Where it stands: a file, and the line in it but for an index.
    file: Option<Text<'a>>,
    line: Option<u32>,
}

/// The configuration, then what the indexes have.
///
/// # Errors
/// When an index cannot be read.
pub(super) fn configuration(tool: &Tool, report: &mut Report) -> modutils::Result<()> {
    let config = tool.context.config();
    let mut put = |subject: &[u8], origin: &Origin, line: Line| {
        let file = Some(Text(origin.file.as_os_str().as_encoded_bytes()));
        let line = Line { subject: Some(Text(subject)), file, line: Some(origin.line), ..line };
        tool.shown.item(&line, report);
    };
    for entry in &config.denies {
        let text = Some(Text(&entry.reason)).filter(|reason| !reason.0.is_empty());
        put(entry.pattern.as_bytes(), &entry.origin, Line { directive: "deny", text, ..Line::default() });
    }
    for entry in &config.blacklist {
        put(entry.module.as_bytes(), &entry.origin, Line { directive: "blacklist", ..Line::default() });
    }
    for (directive, entries) in [("install", &config.installs), ("remove", &config.removes)] {
        for entry in entries {
            let text = Some(Text(entry.command.trim_ascii()));
            put(entry.pattern.as_bytes(), &entry.origin, Line { directive, text, ..Line::default() });
        }
    }
    for entry in &config.aliases {
        let module = Some(Text(entry.module.as_bytes()));
        put(entry.pattern.as_bytes(), &entry.origin, Line { directive: "alias", module, ..Line::default() });
    }
    for entry in &config.options {
        let text = Some(Text(entry.options.trim_ascii()));
        put(entry.name.as_bytes(), &entry.origin, Line { directive: "options", text, ..Line::default() });
    }
    for entry in &config.softdeps {
        let pre = Some(entry.pre.iter().map(Text::from).collect());
        let post = Some(entry.post.iter().map(Text::from).collect());
        put(
            entry.pattern.as_bytes(),
            &entry.origin,
            Line { directive: "softdep", pre, post, ..Line::default() },
        );
    }
    for entry in &config.weakdeps {
        let names = Some(entry.names.iter().map(Text::from).collect());
        put(entry.pattern.as_bytes(), &entry.origin, Line { directive: "weakdep", names, ..Line::default() });
    }
    let indexes = tool.context.indexes();
    index(tool, indexes.alias()?, "modules.alias.bin", report)?;
    index(tool, indexes.symbols()?, "modules.symbols.bin", report)
}

fn index(tool: &Tool, index: Option<&Trie>, name: &str, report: &mut Report) -> modutils::Result<()> {
    let path = tool.context.indexes().directory().join(name);
    for (key, value) in index.map(Trie::entries).transpose()?.unwrap_or_default() {
        let line = Line {
            directive: "alias",
            subject: Some(Text(&key)),
            module: Some(Text(&value)),
            file: Some(Text(path.as_os_str().as_encoded_bytes())),
            ..Line::default()
        };
        tool.shown.item(&line, report);
    }
    Ok(())
}
