//! modprobe's output as items of a JSON document.

use std::cell::RefCell;

use bstr::{BStr, BString};
use modutils::{
    Index, ModuleName,
    config::Directive,
    plan::{Action, Step},
};
use serde::Serialize;

use super::{Tool, options};
use crate::{
    json::{Document, Text},
    report::Report,
};

/// The document of a run, with `--json`.
pub(super) struct OptionalDocument(RefCell<Option<Document>>);

impl OptionalDocument {
    /// Begins a document if `--json` is given. The task decides its kind.
    pub(super) fn begin(options: &options::Options, report: &mut Report) -> Self {
        let (kind, list) = match options.task {
            options::Task::ShowConfig => ("configuration", "lines"),
            options::Task::ResolveAlias => ("resolved", "modules"),
            options::Task::ShowExports | options::Task::ShowModversions => ("symbols", "symbols"),
            _ => ("plan", "steps"),
        };
        Self(RefCell::new(options.json.then(|| Document::begin(kind, "modprobe", list, report))))
    }

    /// Whether there is one.
    pub(super) fn is_open(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Adds an item if there is a document.
    pub(super) fn item(&self, item: &impl Serialize, report: &mut Report) {
        if let Some(document) = &mut *self.0.borrow_mut() {
            document.item(item, report);
        }
    }

    /// Ends the document.
    pub(super) fn end(self, report: &mut Report) {
        if let Some(document) = self.0.into_inner() {
            document.end(report);
        }
    }
}

/// A step of a plan.
#[derive(Serialize)]
struct StepItem<'a> {
    /// `insmod`, `install`, `builtin`, `rmmod` or `remove`.
    action: &'static str,
    module: Text<'a>,
    /// The file that is loaded.
    file: Option<Text<'a>>,
    /// The parameters that are passed to the kernel or to the command.
    options: Option<Text<'a>>,
    /// The command that is run.
    command: Option<Text<'a>>,
}

/// The item of a step; `None` for a step that does nothing.
pub(super) fn step_item(step: &Step) -> Option<impl Serialize> {
    let (action, file, options, command) = match &step.action {
        Action::Load { file, options } => ("insmod", Some(file), Some(options), None),
        Action::RunInstall { command, options } => ("install", None, Some(options), Some(command)),
        Action::Builtin => ("builtin", None, None, None),
        Action::Unload { .. } => ("rmmod", None, None, None),
        Action::RunRemove { command } => ("remove", None, None, Some(command)),
        _ => return None,
    };
    Some(StepItem {
        action,
        module: Text::from(&step.module),
        file: file.map(|file| Text(file.as_os_str().as_encoded_bytes())),
        options: options.map(|options| Text(options.trim_ascii())),
        command: command.map(|command| Text(command.trim_ascii())),
    })
}

/// A module that a name or alias resolves to.
#[derive(Serialize)]
struct CandidateItem<'a> {
    query: Text<'a>,
    module: Text<'a>,
    /// The alias that matched.
    alias: Option<Text<'a>>,
}

/// The item of a module that a name or alias resolves to.
pub(super) fn candidate_item<'a>(
    query: &'a [u8],
    module: &'a ModuleName,
    alias: Option<&'a BStr>,
) -> impl Serialize {
    CandidateItem { query: Text(query), module: Text::from(module), alias: alias.map(|alias| Text(alias)) }
}

/// A symbol that a module exports or needs.
#[derive(Serialize)]
struct SymbolItem<'a> {
    name: Text<'a>,
    crc: u64,
}

/// The item of such a symbol.
pub(super) fn symbol_item(name: &[u8], crc: u64) -> impl Serialize {
    SymbolItem { name: Text(name), crc }
}

/// A line of the configuration, or of an index.
#[derive(Default, Serialize)]
struct LineItem<'a> {
    directive: &'static str,
    /// The module, pattern or alias at the start of the line.
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
    /// The file, and the line number unless the file is an index.
    file: Option<Text<'a>>,
    line: Option<u32>,
}

/// Adds the configuration, then the entries of the indexes.
///
/// # Errors
/// When an index cannot be read.
pub(super) fn print_configuration(tool: &Tool, report: &mut Report) -> modutils::Result<()> {
    for line in tool.context.config().lines() {
        let directive = line.directive;
        let mut item = LineItem {
            directive: directive.keyword(),
            subject: Some(Text(directive.subject())),
            file: Some(Text(line.origin.file.as_os_str().as_encoded_bytes())),
            line: Some(line.origin.line),
            ..LineItem::default()
        };
        match directive {
            Directive::Deny { reason, .. } => item.text = Some(Text(reason)).filter(|_| !reason.is_empty()),
            Directive::Install { command, .. } | Directive::Remove { command, .. } => {
                item.text = Some(Text(command.trim_ascii()));
            }
            Directive::Alias { module, .. } => item.module = Some(Text(module)),
            Directive::Options { options, .. } => item.text = Some(Text(options.trim_ascii())),
            Directive::Softdep { pre, post, .. } => {
                item.pre = Some(texts(pre));
                item.post = Some(texts(post));
            }
            Directive::Weakdep { names, .. } => item.names = Some(texts(names)),
            _ => {}
        }
        tool.document.item(&item, report);
    }
    print_index(tool, Index::Aliases, report)?;
    print_index(tool, Index::Symbols, report)
}

fn texts(names: &[BString]) -> Vec<Text<'_>> {
    names.iter().map(Text::from).collect()
}

fn print_index(tool: &Tool, index: Index, report: &mut Report) -> modutils::Result<()> {
    let path = tool.context.directory().join(index.file_name());
    // Nothing of a damaged index is printed.
    let mut entries = Vec::new();
    tool.context.dump(index, |key, value| entries.push((key.to_owned(), value.to_owned())))?;
    for (key, value) in entries {
        let line = LineItem {
            directive: "alias",
            subject: Some(Text(&key)),
            module: Some(Text(&value)),
            file: Some(Text(path.as_os_str().as_encoded_bytes())),
            ..LineItem::default()
        };
        tool.document.item(&line, report);
    }
    Ok(())
}
