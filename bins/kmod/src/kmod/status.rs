//! `kmod status`: whether modules are loaded, built in, available, blocked or absent, in one query.

use std::{collections::BTreeSet, path::Path, process::ExitCode};

use bstr::ByteSlice;
use modutils::{
    Context, Level, Module, ModuleName, Release,
    diagnose::blocked::{self, Block},
    kernel::{Kernel, State},
};
use serde::Serialize;

use super::{
    blocked::{BlockItem, block_item},
    shared_options,
};
use crate::{
    Invocation, cli,
    json::{Document, Text},
    report::Report,
};

/// What is known of a name. The order is that of severity: the exit code is that of the last one that any name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Loaded,
    BuiltIn,
    /// It can be loaded.
    Available,
    /// Something keeps it from being loaded.
    Blocked,
    /// It is not in the kernel, and no module of this kernel has this name or alias.
    Absent,
    Unknown,
}

impl Standing {
    fn code(self) -> u8 {
        match self {
            Self::Loaded | Self::BuiltIn => 0,
            Self::Absent => 1,
            Self::Unknown => 2,
            Self::Available => 3,
            Self::Blocked => 4,
        }
    }

    /// The name in documents.
    fn kind(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::BuiltIn => "built_in",
            Self::Available => "available",
            Self::Blocked => "blocked",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::BuiltIn => "built in",
            Self::Available => "can be loaded",
            Self::Blocked => "blocked",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

/// A module, and why it is not simply loaded or available.
pub(super) struct Found {
    module: ModuleName,
    standing: Standing,
    blocks: Vec<Block>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct StatusItem<'a> {
    query: Text<'a>,
    status: &'static str,
    modules: Vec<ModuleItem<'a>>,
}

#[derive(Serialize)]
pub(super) struct ModuleItem<'a> {
    name: Text<'a>,
    status: &'static str,
    blocks: Vec<BlockItem<'a>>,
    /// Why it is blocked, absent or unknown, where no line of the configuration is the reason.
    reason: Option<&'a str>,
}

/// Runs the command. A failure to find out is exit code 2, as exit code 1 has a meaning of its own.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    report.set_threshold(Level::Error);
    let undecided = || ExitCode::from(Standing::Unknown.code());
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(crate::status::Status::Success) => return report.finish(ExitCode::SUCCESS),
        Err(crate::status::Status::Failure) => return report.finish(undecided()),
    };
    let names = cli::values_of(&options, cli::ARGUMENTS);
    if names.is_empty() {
        report.error("missing module name. See -h.");
        return report.finish(undecided());
    }
    let Ok(context) = shared_options::context(&options, &mut report) else {
        return report.finish(undecided());
    };
    let release = cli::value_of(&options, "set-version").map(Release::new);
    let query = Query::new(&context, release.as_ref());
    let mut document =
        options.get_flag("json").then(|| Document::begin("status", "kmod", "names", &mut report));
    let mut worst = Standing::Loaded;
    for name in &names {
        let name = name.as_encoded_bytes();
        let found = query.answer(name);
        let standing = found.iter().map(|found| found.standing).max().unwrap_or(Standing::Unknown);
        worst = worst.max(standing);
        match &mut document {
            Some(document) => document.item(&item(name, standing, &found), &mut report),
            None if options.get_flag("quiet") => {}
            None => print(name, standing, &found, &mut report),
        }
    }
    if let Some(document) = document {
        document.end(&mut report);
    }
    report.finish(ExitCode::from(worst.code()))
}

pub(super) fn command() -> clap::Command {
    shared_options::add_to(
        cli::command("status", "Show whether modules are loaded, or can be")
            .arg(cli::arguments("NAME"))
            .arg(cli::flag('q', "quiet", "Print nothing, the exit code is the answer")),
    )
}

/// What is asked of, and the state of its kernel, read once.
pub(super) struct Query<'a> {
    context: &'a Context,
    /// The running kernel; `None` if the question is about another one.
    kernel: Option<Kernel>,
    /// What the running kernel lists; `None` if that cannot be read.
    loaded: Option<BTreeSet<ModuleName>>,
}

impl<'a> Query<'a> {
    /// A question about a kernel: the running one, unless another release is given.
    pub(super) fn new(context: &'a Context, release: Option<&Release>) -> Self {
        let is_running =
            release.is_none_or(|release| Release::running().is_ok_and(|running| running == *release));
        let kernel = is_running.then(|| context.kernel());
        let loaded = kernel.as_ref().and_then(|kernel| kernel.loaded_modules(&mut |_| ()).ok());
        let loaded = loaded.map(|modules| modules.into_iter().map(|module| module.name).collect());
        Self { context, kernel, loaded }
    }

    /// The modules that a name or alias means, at least one.
    fn answer(&self, name: &[u8]) -> Vec<Found> {
        let named = ModuleName::new(name);
        // The kernel's word needs no module directory.
        let state = self.in_kernel(&named);
        if let Some(standing @ (Standing::Loaded | Standing::BuiltIn)) = state {
            return vec![found(named, standing)];
        }
        let modules = match self.context.lookup(name) {
            Ok(modules) => modules,
            Err(error) => return vec![because(named, Standing::Unknown, error.to_string())],
        };
        if !modules.is_empty() {
            return modules.iter().map(|module| self.standing(module)).collect();
        }
        let index = self.context.directory().join("modules.dep.bin");
        vec![match (state, cli::is_file(&index, self.context.root())) {
            (_, false) => because(named, Standing::Unknown, format!("there is no {}", index.display())),
            (None, _) => because(named, Standing::Unknown, NOT_READABLE.into()),
            _ => found(named, Standing::Absent),
        }]
    }

    /// What the kernel has, or that it does not have it ([`Standing::Absent`]); `None` if that cannot be determined.
    fn in_kernel(&self, module: &ModuleName) -> Option<Standing> {
        let Some(kernel) = &self.kernel else { return Some(Standing::Absent) };
        // No module is called so, and a path is no directory of /sys/module.
        if module.as_bytes().is_empty() || module.as_bytes().contains(&b'/') {
            return Some(Standing::Absent);
        }
        let sysfs = self.context.root().system("/sys/module");
        let is_shown = sysfs.join(cli::os_str(module.as_bytes())).is_dir();
        match (&self.loaded, kernel.state(module)) {
            (Some(loaded), state) if loaded.contains(module) => match state {
                // It is being loaded or removed.
                State::Coming | State::Going => None,
                _ => Some(Standing::Loaded),
            },
            // The kernel shows built-in modules without listing them.
            (Some(_), _) if kernel.is_built_in(module) => Some(Standing::BuiltIn),
            (Some(_), State::Live | State::Going) => None,
            (Some(_), _) => Some(Standing::Absent),
            (None, State::Live) => Some(Standing::Loaded),
            (None, _) if is_shown || !sysfs.is_dir() => None,
            (None, _) => Some(Standing::Absent),
        }
    }

    /// What is known of a module of this kernel.
    pub(super) fn standing(&self, module: &Module) -> Found {
        let name = module.name().clone();
        match (module.is_builtin(), self.in_kernel(&name)) {
            (Ok(true), _) => return found(name, Standing::BuiltIn),
            (_, Some(standing @ (Standing::Loaded | Standing::BuiltIn))) => return found(name, standing),
            (Err(error), _) => return because(name, Standing::Unknown, error.to_string()),
            (_, None) => return because(name, Standing::Unknown, NOT_READABLE.into()),
            _ => {}
        }
        let answer = match self.blocks_of(module) {
            Ok(answer) => answer,
            Err(error) => return because(name, Standing::Unknown, error.to_string()),
        };
        match answer {
            Obstacle::None => found(name, Standing::Available),
            Obstacle::Blocks(blocks) => Found { blocks, ..found(name, Standing::Blocked) },
            Obstacle::Reason(standing, reason) => because(name, standing, reason),
        }
    }

    /// What keeps a module from being loaded, for the way in which it was named.
    fn blocks_of(&self, module: &Module) -> modutils::Result<Obstacle> {
        let root = self.context.root();
        let is_missing = |path: Option<&Path>| path.is_none_or(|path| root.metadata(path).is_err());
        if self.kernel.is_some() && blocked::everything_is_blocked(self.context) {
            return Ok(Obstacle::Reason(Standing::Blocked, "kernel.modules_disabled is 1".into()));
        }
        // What keeps out the modules that it needs counts only where they are not there already.
        let mut all = vec![module.name().clone()];
        let command = module.install_command();
        if command.is_none() && is_missing(module.path()?) {
            return Ok(Obstacle::Reason(Standing::Absent, "its file is not there".into()));
        }
        if command.is_none() {
            for needed in module.dependencies()? {
                let is_there =
                    matches!(self.in_kernel(needed.name()), Some(Standing::Loaded | Standing::BuiltIn));
                if is_there || needed.is_builtin()? {
                    continue;
                }
                all.push(needed.name().clone());
                if needed.install_command().is_none() && is_missing(needed.path()?) {
                    let reason = format!("the file of {}, which it needs, is not there", needed.name());
                    return Ok(Obstacle::Reason(Standing::Blocked, reason));
                }
            }
        }
        let blocks = self.lines(&all, module.alias().is_some())?;
        Ok(match command {
            _ if !blocks.is_empty() => Obstacle::Blocks(blocks),
            // What another command does is not known before it runs.
            Some(command) => Obstacle::Reason(
                Standing::Unknown,
                format!("a command decides: {}", command.trim().as_bstr()),
            ),
            None => Obstacle::None,
        })
    }

    /// The lines that keep the first of some modules from being loaded by its name, or by an alias; the others are those
    /// that it needs.
    fn lines(&self, modules: &[ModuleName], by_alias: bool) -> modutils::Result<Vec<Block>> {
        let mut blocks = blocked::blocks(self.context, modules.first())?;
        blocks.retain(|block| modules.iter().any(|module| block.concerns(module)));
        blocks.retain(|block| match block.kind() {
            "deny" => true,
            "kernel" => self.kernel.is_some(),
            "blacklist" => by_alias,
            "install" => block.detail().is_some_and(|command| does_nothing(command)),
            _ => false,
        });
        Ok(blocks)
    }
}

/// Why neither the kernel's list nor /sys gave an answer.
const NOT_READABLE: &str = "the kernel's modules cannot be read, or it is being loaded or removed";

enum Obstacle {
    None,
    Blocks(Vec<Block>),
    Reason(Standing, String),
}

/// Whether a command is only there to do nothing: true or false.
fn does_nothing(command: &[u8]) -> bool {
    let mut words = command.fields();
    let program = words.next().unwrap_or_default();
    let name = program.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let is_comment = words.next().is_none_or(|word| word.starts_with(b"#"));
    matches!(name, b"true" | b"false" | b":") && is_comment
}

fn found(module: ModuleName, standing: Standing) -> Found {
    Found { module, standing, blocks: Vec::new(), reason: None }
}

fn because(module: ModuleName, standing: Standing, reason: String) -> Found {
    Found { reason: Some(reason), ..found(module, standing) }
}

fn item<'a>(query: &'a [u8], standing: Standing, found: &'a [Found]) -> StatusItem<'a> {
    let modules = found.iter().map(module_item).collect();
    StatusItem { query: Text(query), status: standing.kind(), modules }
}

/// A module in a document.
pub(super) fn module_item(found: &Found) -> ModuleItem<'_> {
    ModuleItem {
        name: Text::from(&found.module),
        status: found.standing.kind(),
        blocks: found.blocks.iter().map(block_item).collect(),
        reason: found.reason.as_deref(),
    }
}

/// Prints a line for the name; below it its modules if it is an alias of them, and what blocks each.
fn print(name: &[u8], standing: Standing, found: &[Found], report: &mut Report) {
    report.print_own_line([name, b": ", standing.text().as_bytes()].concat());
    for one in found {
        if found.len() > 1 || one.module != ModuleName::new(name) {
            print_module(one, report);
        } else {
            print_reasons(one, report);
        }
    }
}

/// Prints an indented line for a module, and below it what blocks it.
pub(super) fn print_module(found: &Found, report: &mut Report) {
    report.print_own_line([b"  ", found.module.as_bytes(), b": ", found.standing.text().as_bytes()].concat());
    print_reasons(found, report);
}

fn print_reasons(found: &Found, report: &mut Report) {
    for block in &found.blocks {
        let line = report.styled_line().plain("  ").block(block.subject()).plain(" ").plain(block.text());
        report.print_styled_line(&line.aside(format!("  {}", block.origin())));
    }
    if let Some(reason) = &found.reason {
        report.print_own_line(format!("  {reason}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_most_severe_name() {
        let order = [
            Standing::Loaded,
            Standing::BuiltIn,
            Standing::Available,
            Standing::Blocked,
            Standing::Absent,
            Standing::Unknown,
        ];
        assert!(order.is_sorted());
        assert_eq!(order.map(Standing::code), [0, 0, 3, 4, 1, 2]);
    }

    #[test]
    fn only_a_command_that_cannot_load_anything_is_a_block() {
        for command in ["/bin/false", " /usr/bin/true # never", "false", ":"] {
            assert!(does_nothing(command.as_bytes()), "{command}");
        }
        for command in ["", "/sbin/insmod x", "true; insmod x", "false || modprobe -i x", "/bin/falsehood"] {
            assert!(!does_nothing(command.as_bytes()), "{command}");
        }
    }
}
