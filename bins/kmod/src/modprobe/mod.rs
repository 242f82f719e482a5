//! `modprobe`: load or remove modules and their dependencies.

mod config;
mod deny;
mod document;
mod environment;
mod insert;
mod options;
mod remove;
mod show;
mod split;

use std::{ffi::OsString, process::ExitCode};

use modutils::{
    Context, Level, Notice, Release, Root,
    kernel::{Command, CommandFailure, ExecuteOptions, Kernel, Mode},
    plan::Step,
};

use crate::{Invocation, cause::Cause, cli, report::Report, startup::KeyboardIgnored, status::Status};
use options::{Options, Task};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"modprobe", Level::Warning);
    let invocation = environment::with_options_of_environment(invocation);
    let options = match Options::read(&invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    if options.syslog {
        report.use_syslog();
    }
    // Reported even with --quiet.
    if options.arguments.is_empty() && options.task != Task::ShowConfig {
        let status = report.fail("missing parameters. See -h.");
        return report.finish(status);
    }
    match options.threshold() {
        Some(level) => report.set_threshold(level),
        None => report.silence(),
    }
    if matches!(options.task, Task::Insert | Task::Remove) {
        // A closed pipe must not leave half of the modules loaded.
        report.ignore_closed_pipe();
    }
    let status = act(&options, &mut report);
    report.finish(status)
}

/// Does what the options ask for.
fn act(options: &Options, report: &mut Report) -> Status {
    let release = match options.release() {
        Ok(release) => release,
        Err(error) => {
            report.fatal(error.to_string());
            return Status::Failure;
        }
    };
    let root = match options.root() {
        Ok(root) => root,
        Err(error) => {
            report.fatal(error.to_string());
            return Status::Failure;
        }
    };
    report.use_root(&root);
    let builder = Context::builder().release(release);
    let builder = match &options.config {
        Some(paths) => builder.config_paths(paths.iter().map(|path| root.locate(path)).collect()),
        None => builder,
    };
    let context = match report.open(builder.root(root)) {
        Ok(context) => context,
        Err(error) => {
            report.fatal(error.to_string());
            return Status::Failure;
        }
    };
    let document = document::OptionalDocument::begin(options, report);
    let tool = Tool { options, context: &context, kernel: context.kernel(), document };
    let status = match options.task {
        Task::ShowConfig => config::show(&tool, report),
        Task::ShowModversions => show::modversions(&tool, report),
        Task::ShowExports => show::exports(&tool, report),
        Task::Remove => remove::all(&tool, report),
        Task::Insert | Task::ResolveAlias => insert::all(&tool, report),
    };
    tool.document.end(report);
    status
}

/// What every part of the tool works with.
struct Tool<'a> {
    options: &'a Options,
    context: &'a Context,
    kernel: Kernel,
    /// Replaces the text, with `--json`.
    document: document::OptionalDocument,
}

impl Tool<'_> {
    /// How far plans are executed.
    fn mode(&self) -> Mode {
        match (self.options.show_depends, self.options.dry_run) {
            (true, _) => Mode::Show,
            (false, true) => Mode::DryRun,
            (false, false) => Mode::Run,
        }
    }

    /// How plans are executed. It contains the environment of commands, so it is made once for all plans.
    fn execution(&self) -> ExecuteOptions {
        let options = self.options;
        ExecuteOptions::default()
            .mode(self.mode())
            .first_time(options.first_time)
            .force(options.force)
            .force_removal(options.force.modversions && options.force.vermagic)
            .wait(options.wait)
            .environment(environment::for_commands(options))
            // A dry run changes nothing: the state of each module is read only once.
            .look_once(options.dry_run)
    }

    /// Prints a step: a line of text, or an item of the document.
    fn show(&self, step: &Step, line: &[u8], report: &mut Report) {
        match self.document.is_open() {
            true => document::step_item(step).iter().for_each(|step| self.document.item(step, report)),
            false => report.print_line(line),
        }
    }

    /// Whether steps are printed.
    fn shows_steps(&self) -> bool {
        let options = self.options;
        options.show_depends
            || (!options.quiet && (options.dry_run || options.verbose > 0))
            || self.document.is_open()
    }
}

/// Runs a command of the configuration. A keyboard interrupt during it is for the command only.
fn run_command(command: &Command) -> Result<(), CommandFailure> {
    let _keyboard = KeyboardIgnored::begin();
    command.run()
}

/// Reports that an argument failed. With `--all` the next one follows, and this is a warning.
fn argument_failed(options: &Options, report: &mut Report, message: impl Into<bstr::BString>, cause: Cause) {
    let level = if options.all { Level::Warning } else { Level::Fatal };
    report.notice_because(&Notice::new(level, message), cause);
}

/// The arguments as bytes.
fn bytes(word: &OsString) -> &[u8] {
    word.as_encoded_bytes()
}

impl Options {
    /// Whether a failed argument ends the tool. With `--quiet`, kmod goes on, too.
    fn ends_at_failure(&self) -> bool {
        !self.all && !self.quiet
    }

    fn release(&self) -> modutils::Result<Release> {
        self.release.clone().map_or_else(Release::running, |release| Ok(Release::new(release)))
    }

    /// Where things are. Modules of another root that are loaded into the running kernel follow its command line.
    fn root(&self) -> modutils::Result<Root> {
        let root = cli::root(self.root.as_deref(), self.dirname.as_deref())?;
        let changes_kernel = match self.task {
            Task::Insert => !self.show_depends,
            Task::Remove => true,
            _ => false,
        };
        match &self.kernel_cmdline {
            Some(file) => root.with_command_line(file),
            // Without /proc there is none.
            None if root.is_confined() && changes_kernel => {
                Ok(root.clone().with_command_line("/proc/cmdline").unwrap_or(root))
            }
            None => Ok(root),
        }
    }

    /// The least severe level that is printed; `None` prints nothing.
    fn threshold(&self) -> Option<Level> {
        if self.quiet {
            return None;
        }
        Some(match self.verbose {
            0 => Level::Warning,
            1 => Level::Notice,
            2 => Level::Info,
            _ => Level::Debug,
        })
    }
}

/// The values of `-C` as paths; `None` without any.
fn paths(words: Vec<OsString>) -> Option<Vec<std::path::PathBuf>> {
    (!words.is_empty()).then(|| words.into_iter().map(Into::into).collect())
}

/// The command line's description, for the tests and the completions.
pub fn command() -> clap::Command {
    options::command(cli::OptionsInUse::ALL)
}
