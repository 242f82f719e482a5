//! `kmod blocked`: what keeps modules from being loaded, and what would still load one.

use std::process::ExitCode;

use modutils::{
    Context, ModuleName,
    config::Origin,
    diagnose::blocked::{self, Block, Mention, Ways},
};
use serde::Serialize;

use super::shared_options;
use crate::{
    Invocation,
    cause::failed_request,
    cli,
    json::{self, Document, Text},
    report::Report,
    status::Status,
};

/// The exit code if something blocks a module that was named.
const BLOCKED: u8 = 4;

/// How many names of a list are printed.
const MAX_SHOWN: usize = 8;

#[derive(Serialize)]
struct BlockedItem<'a> {
    /// `None` for the blocks of all modules.
    module: Option<Text<'a>>,
    blocks: Vec<BlockItem<'a>>,
    /// What would load the module, if one was requested.
    ways: Option<WaysItem<'a>>,
}

#[derive(Serialize)]
pub(super) struct BlockItem<'a> {
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
    command: Option<Text<'a>>,
    aliases: Vec<Text<'a>>,
    dependents: Vec<Text<'a>>,
    softdeps: Vec<MentionItem<'a>>,
    commands: Vec<MentionItem<'a>>,
}

#[derive(Serialize)]
struct MentionItem<'a> {
    subject: Text<'a>,
    file: Text<'a>,
    line: u32,
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    let context = match shared_options::context(&options, &mut report) {
        Ok(context) => context,
        Err(status) => return report.finish(status),
    };
    let mut document =
        options.get_flag("json").then(|| Document::begin("blocked", "kmod", "modules", &mut report));
    if document.is_none() {
        print_modules_disabled(&context, &mut report);
    }
    let arguments = cli::values_of(&options, cli::ARGUMENTS);
    let mut status = Status::Success;
    if arguments.is_empty() {
        status = show_all_blocks(&context, &mut document, &mut report);
    }
    let mut is_blocked = false;
    for argument in &arguments {
        let name = argument.as_encoded_bytes();
        status = status.and(show_module(&context, name, &mut is_blocked, &mut document, &mut report));
    }
    if let Some(document) = document {
        document.end(&mut report);
    }
    match status {
        Status::Success if is_blocked => report.finish(ExitCode::from(BLOCKED)),
        status => report.finish(status),
    }
}

pub(super) fn command() -> clap::Command {
    shared_options::add_to(
        cli::command("blocked", "Show what keeps modules from being loaded").arg(cli::arguments("MODULE")),
    )
}

/// Prints a line if the kernel refuses every module.
fn print_modules_disabled(context: &Context, report: &mut Report) {
    if blocked::everything_is_blocked(context) {
        let line = "Every module: kernel.modules_disabled is 1, until the next boot.";
        report.print_styled_line(&report.styled_line().block(line));
    }
}

fn show_all_blocks(context: &Context, document: &mut Option<Document>, report: &mut Report) -> Status {
    match blocked::blocks(context, None) {
        Ok(blocks) => {
            match document {
                Some(document) => document.item(&blocked_item(None, &blocks, None), report),
                None => blocks.iter().for_each(|block| print_block("", block, report)),
            }
            Status::Success
        }
        Err(error) => report.fail(error.to_string()),
    }
}

/// Shows the modules that a name or alias resolves to.
fn show_module(
    context: &Context,
    name: &[u8],
    is_blocked: &mut bool,
    document: &mut Option<Document>,
    report: &mut Report,
) -> Status {
    // A name with a block is shown even if this kernel has no such module.
    let named = ModuleName::new(name);
    let by_name = context.lookup_name(name);
    let found = match by_name {
        Ok(found) if found.is_empty() => context.lookup(name),
        by_name => by_name,
    };
    let (found, error) = match found {
        Ok(found) => (found, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut modules: Vec<ModuleName> = found.iter().map(|module| module.name().clone()).collect();
    if modules.is_empty() && blocked::blocks(context, Some(&named)).is_ok_and(|blocks| !blocks.is_empty()) {
        modules.push(named);
    }
    if modules.is_empty() {
        let why = failed_request::not_found(context, name, error.as_ref(), report);
        return report.fail_because([b"Module ", name, b" not found."].concat(), why);
    }
    let mut status = Status::Success;
    for module in &modules {
        let found = blocked::blocks(context, Some(module));
        match found.and_then(|blocks| Ok((blocks, blocked::ways(context, module)?))) {
            Ok((blocks, ways)) => {
                *is_blocked |= !blocks.is_empty();
                match document {
                    Some(document) => {
                        document.item(&blocked_item(Some(module), &blocks, Some(&ways)), report);
                    }
                    None => print_module(module, &blocks, &ways, report),
                }
            }
            Err(error) => status = report.fail(error.to_string()),
        }
    }
    status
}

fn print_module(module: &ModuleName, blocks: &[Block], ways: &Ways, report: &mut Report) {
    report.print_styled_line(&report.styled_line().heading(module));
    if blocks.is_empty() {
        report.print_own_line("  Nothing blocks it.");
    }
    for block in blocks {
        print_block("  ", block, report);
    }
    if !ways.is_there() && blocks.iter().all(|block| !matches!(block.kind(), "deny" | "kernel")) {
        report.print_own_line("  There is nothing to load: this kernel has no module of that name.");
        return;
    }
    match ways.command() {
        Some(command) => {
            report.print_own_line(
                [b"  Instead of loading it this command is run: ", command.trim_ascii()].concat(),
            );
            report.print_own_line([b"    but not by: modprobe -i ", module.as_bytes()].concat());
            report.print_own_line("  The command is run");
        }
        None if !ways.by_name() => {
            report
                .print_own_line("  Nothing loads it but insmod, where the kernel itself does not refuse it.");
            return;
        }
        None => report.print_own_line(if blocks.is_empty() {
            "  It is loaded"
        } else {
            "  It is loaded all the same"
        }),
    }
    report.print_own_line([b"    by name: modprobe ", module.as_bytes()].concat());
    let aliases: Vec<&[u8]> = ways.aliases().iter().map(|alias| alias.as_slice()).collect();
    print_names(b"by an alias: ", &aliases, report);
    let dependents: Vec<&[u8]> = ways.dependents().iter().map(ModuleName::as_bytes).collect();
    print_names(b"with what needs it: ", &dependents, report);
    for line in ways.softdeps() {
        report.print_own_line(format!("    with {}, a soft dependency: {}", line.subject(), line.origin()));
    }
    for line in ways.commands() {
        report.print_own_line(format!("    by the command of {}: {}", line.subject(), line.origin()));
    }
}

fn print_names(title: &[u8], names: &[&[u8]], report: &mut Report) {
    if names.is_empty() {
        return;
    }
    let shown = names.get(..MAX_SHOWN).unwrap_or(names);
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    report.print_own_line([b"    ", title, shown.join(&b", "[..]).as_slice(), more.as_bytes()].concat());
}

/// Prints a block on a line.
fn print_block(indent: &str, block: &Block, report: &mut Report) {
    let unknown = if block.matches() { "" } else { "; no module of this kernel is called so" };
    let line = report.styled_line().plain(indent).block(block.subject()).plain(" ").plain(block.text());
    report.print_styled_line(&line.plain(unknown).aside(format!("  {}", block.origin())));
}

fn blocked_item<'a>(
    module: Option<&'a ModuleName>,
    blocks: &'a [Block],
    ways: Option<&'a Ways>,
) -> BlockedItem<'a> {
    BlockedItem {
        module: module.map(Text::from),
        blocks: blocks.iter().map(block_item).collect(),
        ways: ways.map(|ways| WaysItem {
            by_name: ways.by_name(),
            command: ways.command().map(|command| Text(command)),
            aliases: ways.aliases().iter().map(Text::from).collect(),
            dependents: json::names(ways.dependents()),
            softdeps: ways.softdeps().iter().map(mention_item).collect(),
            commands: ways.commands().iter().map(mention_item).collect(),
        }),
    }
}

pub(super) fn block_item(block: &Block) -> BlockItem<'_> {
    BlockItem {
        kind: block.kind(),
        subject: Text(block.subject()),
        text: block.detail().map(|detail| Text(detail)),
        file: file(block.origin()),
        line: block.origin().line,
        matches: block.matches(),
    }
}

fn mention_item(mention: &Mention) -> MentionItem<'_> {
    let origin = mention.origin();
    MentionItem { subject: Text(mention.subject()), file: file(origin), line: origin.line }
}

fn file(origin: &Origin) -> Text<'_> {
    Text(origin.file.as_os_str().as_encoded_bytes())
}
