//! `kmod blocked`: what keeps modules from being loaded, and what would load one all the same.

use std::process::ExitCode;

use bstr::ByteSlice;
use modutils::{
    Context, ModuleName,
    config::{Origin, read},
    diagnose::blocked::{self, Block, Entry, Ways},
};
use serde::Serialize;

use super::place;
use crate::{
    Invocation, cli, explain,
    json::{self, Document, Text},
    report::Report,
};

/// How many of a kind are shown.
const MOST: usize = 8;

#[derive(Serialize)]
struct Item<'a> {
    /// `None` where everything is shown.
    module: Option<Text<'a>>,
    blocks: Vec<BlockItem<'a>>,
    /// What would load the module, where one was asked for.
    ways: Option<WaysItem<'a>>,
}

#[derive(Serialize)]
struct BlockItem<'a> {
    kind: &'static str,
    subject: Text<'a>,
    text: Option<Text<'a>>,
    file: Text<'a>,
    line: u32,
    matches: bool,
}

#[derive(Serialize)]
struct WaysItem<'a> {
    by_name: bool,
    aliases: Vec<Text<'a>>,
    dependents: Vec<Text<'a>>,
    softdeps: Vec<PlaceItem<'a>>,
    commands: Vec<PlaceItem<'a>>,
}

#[derive(Serialize)]
struct PlaceItem<'a> {
    subject: Text<'a>,
    file: Text<'a>,
    line: u32,
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(done) => return report.finish(done),
    };
    let Some(context) = place::context(&options, &mut report) else { return report.finish(false) };
    let mut document =
        options.get_flag("json").then(|| Document::begin("blocked", "kmod", "modules", &mut report));
    if document.is_none() {
        all_modules(&context, &mut report);
    }
    let arguments = cli::values_of(&options, cli::ARGUMENTS);
    let mut done = true;
    if arguments.is_empty() {
        done = everything(&context, &mut document, &mut report);
    }
    for argument in &arguments {
        done &= named(&context, argument.as_encoded_bytes(), &mut document, &mut report);
    }
    if let Some(document) = document {
        document.end(&mut report);
    }
    report.finish(done)
}

pub(super) fn command() -> clap::Command {
    place::options(
        cli::command("blocked", "Show what keeps modules from being loaded").arg(cli::arguments("MODULE")),
    )
}

/// That the kernel takes no modules at all any more.
fn all_modules(context: &Context, report: &mut Report) {
    let switch = read(&context.root().system("/proc/sys/kernel/modules_disabled"));
    if switch.is_ok_and(|switch| switch.trim() == b"1") {
        let style = report.output_style();
        let line = "Every module: kernel.modules_disabled is 1, until the next boot.";
        report.print_line(style.block(line.as_bytes()));
    }
}

fn everything(context: &Context, document: &mut Option<Document>, report: &mut Report) -> bool {
    match blocked::blocks(context, None) {
        Ok(entries) => {
            match document {
                Some(document) => document.item(&item(None, &entries, None), report),
                None => entries.iter().for_each(|entry| block(entry, report)),
            }
            true
        }
        Err(error) => {
            report.error(error.to_string());
            false
        }
    }
}

/// All about the modules that a name or an alias means.
fn named(context: &Context, name: &[u8], document: &mut Option<Document>, report: &mut Report) -> bool {
    // A name that has a block is one also where it is no module of this kernel.
    let named = ModuleName::new(name);
    let mut found = context.lookup_name(name).unwrap_or_default();
    if found.is_empty() {
        found = context.lookup(name).unwrap_or_default();
    }
    let mut modules: Vec<ModuleName> = found.iter().map(|module| module.name().clone()).collect();
    if modules.is_empty() && blocked::blocks(context, Some(&named)).is_ok_and(|entries| !entries.is_empty()) {
        modules.push(named);
    }
    if modules.is_empty() {
        let why = explain::not_found(context, name, None, report);
        report.error([b"Module ", name, b" not found.", why.as_bytes()].concat());
        return false;
    }
    let mut done = true;
    for module in &modules {
        let found = blocked::blocks(context, Some(module));
        match found.and_then(|entries| Ok((entries, blocked::ways(context, module)?))) {
            Ok((entries, ways)) => match document {
                Some(document) => document.item(&item(Some(module), &entries, Some(&ways)), report),
                None => text(module, &entries, &ways, report),
            },
            Err(error) => {
                report.error(error.to_string());
                done = false;
            }
        }
    }
    done
}

fn text(module: &ModuleName, entries: &[Entry], ways: &Ways, report: &mut Report) {
    let style = report.output_style();
    report.print_line(style.heading(module.as_bytes()));
    if entries.is_empty() {
        report.print_line("  Nothing blocks it.");
    }
    for entry in entries {
        report.print("  ");
        block(entry, report);
    }
    if !ways.by_name {
        report.print_line("  Nothing loads it but insmod, where the kernel itself does not refuse it.");
        return;
    }
    report.print_line(if entries.is_empty() { "  It is loaded" } else { "  It is loaded all the same" });
    report.print_line([b"    by name: modprobe ", module.as_bytes()].concat());
    let aliases: Vec<&[u8]> = ways.by_alias.iter().map(|alias| alias.as_slice()).collect();
    list(b"by an alias: ", &aliases, report);
    let dependents: Vec<&[u8]> = ways.dependents.iter().map(ModuleName::as_bytes).collect();
    list(b"with what needs it: ", &dependents, report);
    for line in &ways.softdeps {
        report.print_line(format!(
            "    with {}, a soft dependency: {}",
            line.pattern.as_bytes().as_bstr(),
            line.origin
        ));
    }
    for line in &ways.commands {
        report.print_line(format!(
            "    by the command of {}: {}",
            line.pattern.as_bytes().as_bstr(),
            line.origin
        ));
    }
}

fn list(title: &[u8], names: &[&[u8]], report: &mut Report) {
    if names.is_empty() {
        return;
    }
    let shown = names.get(..MOST).unwrap_or(names);
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    report.print_line([b"    ", title, shown.join(&b", "[..]).as_slice(), more.as_bytes()].concat());
}

/// A line about a block, in words.
fn block(entry: &Entry, report: &mut Report) {
    let style = report.output_style();
    let Entry { block, matches } = entry;
    let text = block.text().unwrap_or_default();
    let what = match block {
        Block::Deny(_) if text.is_empty() => "is refused by modprobe, whoever asks".into(),
        Block::Deny(_) => [b"is refused by modprobe, whoever asks: ", text.as_bytes()].concat(),
        Block::Kernel { .. } => b"is refused by the kernel (module_blacklist=)".to_vec(),
        Block::Blacklist(_) => b"is not loaded by its aliases (blacklist)".to_vec(),
        Block::Install(_) => [b"is not loaded, a command is run: ", text.trim()].concat(),
        Block::Alias(_) => [b"is an alias of ", text.as_bytes(), b", which is not there"].concat(),
    };
    let subject = style.block(block.subject());
    let origin = style.aside(format!("  {}", block.origin()).as_bytes());
    let unknown: &[u8] = if *matches { b"" } else { b"; no module of this kernel is called so" };
    report.print_line([subject.as_slice(), b" ", &what, unknown, &origin].concat());
}

fn item<'a>(module: Option<&'a ModuleName>, entries: &'a [Entry], ways: Option<&'a Ways<'a>>) -> Item<'a> {
    let block = |entry: &'a Entry| BlockItem {
        kind: entry.block.kind(),
        subject: Text(entry.block.subject()),
        text: entry.block.text().map(|text| Text(text)),
        file: file(entry.block.origin()),
        line: entry.block.origin().line,
        matches: entry.matches,
    };
    Item {
        module: module.map(Text::from),
        blocks: entries.iter().map(block).collect(),
        ways: ways.map(|ways| WaysItem {
            by_name: ways.by_name,
            aliases: ways.by_alias.iter().map(Text::from).collect(),
            dependents: json::names(&ways.dependents),
            softdeps: ways.softdeps.iter().map(|line| place(line.pattern.as_bytes(), &line.origin)).collect(),
            commands: ways.commands.iter().map(|line| place(line.pattern.as_bytes(), &line.origin)).collect(),
        }),
    }
}

fn place<'a>(subject: &'a [u8], origin: &'a Origin) -> PlaceItem<'a> {
    PlaceItem { subject: Text(subject), file: file(origin), line: origin.line }
}

fn file(origin: &Origin) -> Text<'_> {
    Text(origin.file.as_os_str().as_encoded_bytes())
}
