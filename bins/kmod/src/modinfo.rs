//! `modinfo`: show what modules say of themselves, modinfo(8).

mod render;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::ExitCode,
};

use clap::{ArgMatches, Command};
use modutils::{
    Alias, Error, Level, ModuleName, Release, Root,
    lookup::{self, Candidate, Context},
    module::{ModInfo, Module, Signature, builtin::BuiltinInfo, parameters},
};
use render::{Place, Rendering, Subject};

use crate::{Invocation, cli, report::Report};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"modinfo", Level::Warning);
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => Options::resolve(&options),
        Err(done) => return report.finish(done),
    };
    if options.arguments.is_empty() {
        report.error("missing module or filename.");
        return report.finish(false);
    }
    let done = show_all(&options, &mut report);
    report.finish(done)
}

/// The command line's description, for the tests and the completions.
pub fn command() -> Command {
    let command = cli::command("modinfo", "Show what kernel modules say of themselves")
        .arg(cli::arguments("MODULE|FILE"))
        .arg(cli::flag('a', "author", "Show the authors only"))
        .arg(cli::flag('d', "description", "Show the description only"))
        .arg(cli::flag('l', "license", "Show the licence only"))
        .arg(cli::flag('p', "parameters", "Show the parameters only"))
        .arg(cli::flag('n', "filename", "Show the file's path only"))
        .arg(cli::value('F', "field", "FIELD", "Show the values of one field only"))
        .arg(cli::flag('0', "null", "End each line with NUL instead of a newline"))
        .arg(cli::flag('m', "modname", "Take arguments for module names, not for files or aliases"))
        .arg(cli::value('k', "set-version", "RELEASE", "Look for modules of this kernel"))
        .arg(cli::value('b', "basedir", "DIR", "Look for modules below this directory"));
    cli::common(command)
}

/// What the command line asks for.
struct Options {
    rendering: Rendering,
    names_only: bool,
    release: Option<OsString>,
    base: Option<OsString>,
    arguments: Vec<OsString>,
}

impl Options {
    fn resolve(options: &ArgMatches) -> Self {
        Self {
            rendering: Rendering { field: chosen_field(options), null: options.get_flag("null") },
            names_only: options.get_flag("modname"),
            release: cli::value_of(options, "set-version"),
            base: cli::value_of(options, "basedir"),
            arguments: cli::values_of(options, cli::ARGUMENTS),
        }
    }

    /// The module directory to look into for names.
    fn context(&self) -> Result<Context, Error> {
        let root = match &self.base {
            Some(base) if !base.is_empty() => Root::default().with_base(cli::from_current_directory(base)),
            _ => Root::default(),
        };
        let release =
            self.release.clone().map_or_else(Release::running, |release| Ok(Release::new(release)))?;
        Ok(Context::without_configuration(root, &release))
    }
}

/// The field asked for last, by `--field` or by one of the options that stand for a field.
fn chosen_field(options: &ArgMatches) -> Option<Vec<u8>> {
    let place = |id| options.indices_of(id).and_then(Iterator::max);
    let flags = [
        ("author", "author"),
        ("description", "description"),
        ("license", "license"),
        ("parameters", "parm"),
        ("filename", "filename"),
    ];
    let flags = flags.into_iter().filter(|(id, _)| options.get_flag(id));
    let flags = flags.map(|(id, field)| (place(id), field.into()));
    let field = cli::value_of(options, "field").map(|field| (place("field"), cli::bytes(field)));
    flags.chain(field).max_by_key(|(place, _)| *place).map(|(_, field)| field)
}

/// Shows what every argument means; whether that could be done for all.
fn show_all(options: &Options, report: &mut Report) -> bool {
    let context = match options.context() {
        Ok(context) => context,
        Err(error) => {
            report.error(error.to_string());
            return false;
        }
    };
    let mut done = true;
    for argument in &options.arguments {
        done &= if is_module_file(argument) && !options.names_only {
            show_file(&cli::from_current_directory(argument), &options.rendering, report)
        } else {
            show_named(&context, argument.as_bytes(), options, report)
        };
    }
    done
}

/// Whether an argument means a file, and not a name: it is one, and called as module files are.
fn is_module_file(argument: &OsStr) -> bool {
    let extensions: [&[u8]; 4] = [b".ko", b".ko.gz", b".ko.xz", b".ko.zst"];
    extensions.iter().any(|extension| argument.as_bytes().ends_with(extension))
        && Path::new(argument).is_file()
}

/// Shows every module that a name or an alias means.
fn show_named(context: &Context, name: &[u8], options: &Options, report: &mut Report) -> bool {
    let found =
        if options.names_only { lookup::lookup_name(context, name) } else { lookup::lookup(context, name) };
    let what: &[u8] = match () {
        () if options.names_only => b"name ",
        () if Alias::new(name).is_err() => b"alias ",
        () => b"",
    };
    let not_found = [b"Module ", what, name, b" not found."].concat();
    match found {
        Ok(candidates) if candidates.is_empty() => {
            report.error(not_found);
            false
        }
        Ok(candidates) => {
            let shown =
                candidates.iter().map(|candidate| show_candidate(context, candidate, options, report));
            // Every one is shown, also after one that could not be.
            shown.filter(|done| !done).count() == 0
        }
        Err(error) => {
            report.error([&not_found, cause(&error).as_bytes()].concat());
            false
        }
    }
}

fn show_candidate(context: &Context, candidate: &Candidate, options: &Options, report: &mut Report) -> bool {
    let name = &candidate.module;
    match context.indexes.dependency_line(name) {
        Ok(Some(line)) => show_file(&line.path, &options.rendering, report),
        Ok(None) => show_builtin(context, name, &options.rendering, report),
        Err(error) => no_modinfo(name, &error, report),
    }
}

fn show_file(path: &Path, rendering: &Rendering, report: &mut Report) -> bool {
    let place = Place::File(path.as_os_str().as_bytes());
    report.print(rendering.place(&place));
    if rendering.is_place_enough(&place) {
        return true;
    }
    match show_module(path, rendering, report) {
        Ok(()) => true,
        Err(error) => {
            let name = ModuleName::from_path(path).unwrap_or_else(|| ModuleName::new(""));
            no_modinfo(&name, &error, report)
        }
    }
}

fn show_module(path: &Path, rendering: &Rendering, report: &mut Report) -> Result<(), Error> {
    let module = Module::open(path)?;
    let info = module.modinfo()?;
    let signature = module.signature()?;
    show_facts(&info, signature.as_ref(), rendering, report);
    Ok(())
}

fn show_builtin(context: &Context, name: &ModuleName, rendering: &Rendering, report: &mut Report) -> bool {
    let place = Place::Builtin(name.as_bytes());
    report.print(rendering.place(&place));
    if rendering.is_place_enough(&place) {
        return true;
    }
    match BuiltinInfo::open(context.indexes.directory()) {
        Ok(builtin) => {
            show_facts(&builtin.modinfo(name), None, rendering, report);
            true
        }
        Err(error) => no_modinfo(name, &error, report),
    }
}

fn show_facts(info: &ModInfo<'_>, signature: Option<&Signature>, rendering: &Rendering, report: &mut Report) {
    let (parameters, faulty) = parameters::parse(info);
    for field in faulty.into_iter().filter(|_| rendering.shows_parameters()) {
        let text: [&[u8]; 5] = [b"Found invalid \"", field.key, b"=", field.value, b"\": missing ':'"];
        report.error(text.concat());
    }
    report.print(rendering.facts(&Subject { info, parameters: &parameters, signature }));
}

fn no_modinfo(name: &ModuleName, error: &Error, report: &mut Report) -> bool {
    let errno = modutils::errno_text(error.errno());
    report.error(format!("could not get modinfo from '{name}': {errno}{}", cause(error)));
    false
}

/// The cause below the line that kmod prints.
fn cause(error: &Error) -> String {
    format!("\n  {error}")
}
