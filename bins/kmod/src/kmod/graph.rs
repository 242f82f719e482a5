//! `kmod graph`: which module needs which, as a tree, in Graphviz's format or as JSON.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsString,
    process::ExitCode,
};

use modutils::{
    Context, Module, ModuleName,
    relations::{Node, Relation, Relations},
};
use serde::Serialize;

use super::shared_options;
use crate::{
    Invocation,
    cause::failed_request,
    cli,
    json::{Document, Text},
    report::Report,
    status::Status,
};

/// The format of the graph.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GraphFormat {
    Tree,
    Dot,
    Json,
}

/// A module as `--json` shows it. Its edges always lead to the modules it needs.
#[derive(Serialize)]
struct GraphItem<'a> {
    name: Text<'a>,
    builtin: bool,
    found: bool,
    needs: Vec<Text<'a>>,
    pre: Vec<Text<'a>>,
    post: Vec<Text<'a>>,
    weak: Vec<Text<'a>>,
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    let word = cli::value_of(&options, "format").unwrap_or_else(|| "tree".into());
    let format = match word.as_encoded_bytes() {
        _ if options.get_flag("json") => GraphFormat::Json,
        b"tree" => GraphFormat::Tree,
        b"dot" => GraphFormat::Dot,
        other => {
            let status = report.fail([b"unknown format '", other, b"': tree or dot"].concat());
            return report.finish(status);
        }
    };
    let context = match shared_options::context(&options, &mut report) {
        Ok(context) => context,
        Err(status) => return report.finish(status),
    };
    let relations = match options.get_flag("loaded") {
        true => Relations::of_loaded(&context),
        false => Relations::of_tree(&context),
    };
    let relations = match relations {
        Ok(relations) => relations,
        Err(error) => {
            let status = report.fail(error.to_string());
            return report.finish(status);
        }
    };
    let arguments = cli::values_of(&options, cli::ARGUMENTS);
    let (from, status) = start_modules(&context, &relations, &arguments, &mut report);
    let from = if arguments.is_empty() { None } else { Some(from) };
    let firmware = options.get_flag("firmware").then_some(&context);
    let shown = show(&relations, from, options.get_flag("reverse"), (format, firmware), &mut report);
    let status = status.and(shown.unwrap_or_else(|error| report.fail(error.to_string())));
    report.finish(status)
}

pub(super) fn command() -> clap::Command {
    let command = cli::command("graph", "Show which module needs which")
        .arg(cli::arguments("MODULE"))
        .arg(cli::flag('r', "reverse", "Show which modules need each module"))
        .arg(cli::flag('l', "loaded", "Show the loaded modules only, as the kernel has them"))
        .arg(cli::long_flag("firmware", "With --format dot, add the firmware that modules may load"))
        .arg(cli::value('f', "format", "FORMAT", "tree (the default) or dot, for Graphviz"));
    shared_options::add_to(command)
}

/// The modules that the arguments resolve to; a failure if one resolves to none.
fn start_modules(
    context: &Context,
    relations: &Relations,
    arguments: &[OsString],
    report: &mut Report,
) -> (Vec<ModuleName>, Status) {
    let (mut from, mut status) = (Vec::new(), Status::Success);
    for argument in arguments {
        let argument = argument.as_encoded_bytes();
        let named = ModuleName::new(argument);
        let (modules, error) = match relations.node(&named) {
            Some(_) => (vec![named], None),
            None => match context.lookup(argument) {
                Ok(found) => {
                    let modules = found.iter().map(Module::name);
                    (modules.filter(|module| relations.node(module).is_some()).cloned().collect(), None)
                }
                Err(error) => (Vec::new(), Some(error)),
            },
        };
        if modules.is_empty() {
            let why = failed_request::not_found(context, argument, error.as_ref(), report);
            status = report.fail_because([b"Module ", argument, b" not found."].concat(), why);
        }
        from.extend(modules);
    }
    (from, status)
}

/// Prints the part of the graph that is reachable from some modules, or all of it. Firmware is read in a context.
fn show(
    relations: &Relations,
    from: Option<Vec<ModuleName>>,
    reverse: bool,
    (format, firmware): (GraphFormat, Option<&Context>),
    report: &mut Report,
) -> modutils::Result<Status> {
    let reversed = reverse.then(|| relations.reversed());
    let direction = reversed.as_ref().unwrap_or(relations);
    if format == GraphFormat::Tree {
        let from = from.unwrap_or_else(|| direction.roots());
        Tree::new(direction, report).all(&from);
        return Ok(Status::Success);
    }
    let chosen: Option<BTreeSet<ModuleName>> = from.map(|from| direction.reached(&from));
    let is_chosen = |name: &ModuleName| chosen.as_ref().is_none_or(|chosen| chosen.contains(name));
    let nodes = relations.nodes().filter(|(name, _)| is_chosen(name));
    if format == GraphFormat::Dot {
        return dot(nodes, is_chosen, firmware, report);
    }
    document(nodes, is_chosen, report);
    Ok(Status::Success)
}

fn dot<'a>(
    nodes: impl Iterator<Item = (&'a ModuleName, &'a Node)>,
    is_chosen: impl Fn(&ModuleName) -> bool,
    firmware: Option<&Context>,
    report: &mut Report,
) -> modutils::Result<Status> {
    let quoted = |name: &ModuleName| quoted(name.as_bytes());
    let mut files: BTreeSet<Vec<u8>> = BTreeSet::new();
    report.print("digraph modules {\n\tnode [shape=box];\n");
    for (name, node) in nodes {
        let style: &[u8] = match (node.found, node.builtin) {
            (false, _) => b" [style=dotted]",
            (true, true) => b" [style=filled]",
            (true, false) => b"",
        };
        report.print([b"\t", quoted(name).as_slice(), style, b";\n"].concat());
        for (relation, to) in node.to.iter().filter(|(_, to)| is_chosen(to)) {
            let style: &[u8] = match relation {
                Relation::Before => b" [style=dashed,label=\"pre\"]",
                Relation::After => b" [style=dashed,label=\"post\"]",
                Relation::Weak => b" [style=dotted,label=\"weak\"]",
                _ => b"",
            };
            report.print([b"\t", quoted(name).as_slice(), b" -> ", &quoted(to), style, b";\n"].concat());
        }
        if let Some(context) = firmware.filter(|_| node.found) {
            for file in context.module(name.clone()).firmware()? {
                let file = firmware_node(file);
                report.print([b"\t", quoted(name).as_slice(), b" -> ", &file, b" [color=gray];\n"].concat());
                files.insert(file);
            }
        }
    }
    for file in files {
        report.print([b"\t", file.as_slice(), b" [shape=note,color=gray];\n"].concat());
    }
    report.print("}\n");
    Ok(Status::Success)
}

/// A text as Graphviz reads it.
fn quoted(text: &[u8]) -> Vec<u8> {
    let escaped = bstr::ByteSlice::replace(text, "\\", "\\\\");
    let escaped = bstr::ByteSlice::replace(escaped.as_slice(), "\"", "\\\"");
    [b"\"", escaped.as_slice(), b"\""].concat()
}

/// The node of a firmware file: its path, which no module has as a name. A line break would end the line.
fn firmware_node(name: &[u8]) -> Vec<u8> {
    let visible: Vec<u8> =
        name.iter().map(|byte| if byte.is_ascii_control() { b'?' } else { *byte }).collect();
    quoted(&[b"firmware/", visible.as_slice()].concat())
}

fn document<'a>(
    nodes: impl Iterator<Item = (&'a ModuleName, &'a Node)>,
    is_chosen: impl Fn(&ModuleName) -> bool,
    report: &mut Report,
) {
    let mut document = Document::begin("graph", "kmod", "modules", report);
    for (name, node) in nodes {
        let of = |relation: Relation| {
            let is_wanted = |(kind, to): &&(Relation, ModuleName)| *kind == relation && is_chosen(to);
            node.to.iter().filter(is_wanted).map(|(_, to)| Text::from(to)).collect()
        };
        let item = GraphItem {
            name: Text::from(name),
            builtin: node.builtin,
            found: node.found,
            needs: of(Relation::Needs),
            pre: of(Relation::Before),
            post: of(Relation::After),
            weak: of(Relation::Weak),
        };
        document.item(&item, report);
    }
    document.end(report);
}

/// The lines in front of a module, in characters that the terminal can show.
struct TreeLines {
    branch: &'static str,
    last: &'static str,
    passing: &'static str,
    none: &'static str,
}

const UNICODE: TreeLines =
    TreeLines { branch: "├── ", last: "└── ", passing: "│   ", none: "    " };
const ASCII: TreeLines = TreeLines { branch: "|-- ", last: "`-- ", passing: "|   ", none: "    " };

impl TreeLines {
    /// The lines for the locale's character set.
    fn of_locale() -> &'static Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_ascii_uppercase();
        if locale.contains("UTF-8") || locale.contains("UTF8") { &UNICODE } else { &ASCII }
    }
}

/// Prints trees. A subtree that was printed before is not repeated.
struct Tree<'a> {
    relations: &'a Relations,
    report: &'a mut Report,
    lines: &'static TreeLines,
    shown: HashSet<&'a ModuleName>,
}

impl<'a> Tree<'a> {
    fn new(relations: &'a Relations, report: &'a mut Report) -> Self {
        Self { relations, report, lines: TreeLines::of_locale(), shown: HashSet::new() }
    }

    fn all(&mut self, roots: &'a [ModuleName]) {
        for root in roots {
            self.one(root);
        }
    }

    /// Prints a tree. It is walked with an explicit stack, because a chain of modules may be long.
    fn one(&mut self, root: &'a ModuleName) {
        let mut waiting = vec![(String::new(), String::new(), None, root)];
        while let Some((line, below, relation, name)) = waiting.pop() {
            let node = self.relations.node(name);
            let children: Vec<&(Relation, ModuleName)> = node.into_iter().flat_map(|node| &node.to).collect();
            let repeated = !self.shown.insert(name) && !children.is_empty();
            self.line(&line, relation, name, node, repeated);
            if repeated {
                continue;
            }
            let last = children.len().saturating_sub(1);
            for (index, (relation, child)) in children.into_iter().enumerate().rev() {
                let (here, further) = match index == last {
                    true => (self.lines.last, self.lines.none),
                    false => (self.lines.branch, self.lines.passing),
                };
                waiting.push((format!("{below}{here}"), format!("{below}{further}"), Some(*relation), child));
            }
        }
    }

    fn line(
        &mut self,
        before: &str,
        relation: Option<Relation>,
        name: &ModuleName,
        node: Option<&Node>,
        repeated: bool,
    ) {
        let mark = match relation {
            Some(Relation::Before) => " (softdep pre)",
            Some(Relation::After) => " (softdep post)",
            Some(Relation::Weak) => " (weakdep)",
            _ => "",
        };
        let kind = match node {
            Some(node) if node.builtin => " (built in)",
            Some(node) if node.found => "",
            _ => " (not there)",
        };
        let again = if repeated { " (*)" } else { "" };
        let line = self.report.styled_line().aside(before).plain(name);
        self.report.print_styled_line(&line.aside(format!("{mark}{kind}{again}")));
    }
}
