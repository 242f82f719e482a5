//! `modinfo`: show information about modules, modinfo(8).

mod document;
mod render;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use bstr::ByteSlice;
use clap::{ArgMatches, Command};
use document::ModinfoItem;
use modutils::{
    Alias, Context, Error, Level, Module, ModuleName, Notice, Release, Root,
    module_file::{ModInfo, ModuleFile, Signature, Wanted, has_module_extension, read_in_order},
};
use render::{BuildId, Location, ModuleFacts, Rendering};

pub use render::FIELDS;

use crate::{
    Invocation,
    cause::{Cause, failed_request},
    cli,
    json::Document,
    report::Report,
    status::Status,
    visible::visible_line,
};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"modinfo", Level::Warning);
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => Options::resolve(&options),
        Err(status) => return report.finish(status),
    };
    if options.arguments.is_empty() {
        let status = report.fail("missing module or filename.");
        return report.finish(status);
    }
    let status = show_all(&options, &mut report);
    report.finish(status)
}

/// The command line's description, for the tests and the completions.
pub fn command() -> Command {
    let command = cli::command("modinfo", "Show information about kernel modules")
        .arg(cli::arguments("MODULE|FILE"))
        .arg(cli::flag('a', "author", "Show the authors only"))
        .arg(cli::flag('d', "description", "Show the description only"))
        .arg(cli::flag('l', "license", "Show the licence only"))
        .arg(cli::flag('p', "parameters", "Show the parameters only"))
        .arg(cli::flag('n', "filename", "Show the file's path only"))
        .arg(cli::value('F', "field", "FIELD", "Show the values of one field only"))
        .arg(cli::flag('0', "null", "End each line with NUL instead of a newline"))
        .arg(cli::json())
        .arg(cli::flag('m', "modname", "Treat arguments as module names, not as files or aliases"))
        .arg(cli::value('k', "set-version", "RELEASE", "Use the modules of this kernel release"))
        .arg(cli::value('b', "basedir", "DIR", "Use the module directories below this directory"))
        .arg(cli::root_option());
    cli::common(command)
}

/// What the command line asks for.
struct Options {
    rendering: Rendering,
    json: bool,
    names_only: bool,
    release: Option<OsString>,
    base: Option<OsString>,
    root: Option<OsString>,
    arguments: Vec<OsString>,
}

impl Options {
    fn resolve(options: &ArgMatches) -> Self {
        Self {
            rendering: Rendering {
                field: chosen_field(options),
                null: options.get_flag("null"),
                as_document: options.get_flag("json"),
            },
            json: options.get_flag("json"),
            names_only: options.get_flag("modname"),
            release: cli::place_of(options, "set-version"),
            base: cli::place_of(options, "basedir"),
            root: cli::place_of(options, "root"),
            arguments: cli::values_of(options, cli::ARGUMENTS),
        }
    }

    /// The context in which names are looked up.
    fn context(&self) -> Result<Context, Error> {
        let root = cli::root(self.root.as_deref(), self.base.as_deref())?;
        let builder = Context::builder().root(root).without_configuration();
        match &self.release {
            Some(release) => builder.release(Release::new(release)).build(),
            None => builder.build(),
        }
    }
}

/// The field requested last, by `--field` or by one of its short forms.
fn chosen_field(options: &ArgMatches) -> Option<Vec<u8>> {
    let position = |id| options.indices_of(id).and_then(Iterator::max);
    let flags = [
        ("author", "author"),
        ("description", "description"),
        ("license", "license"),
        ("parameters", "parm"),
        ("filename", "filename"),
    ];
    let flags = flags.into_iter().filter(|(id, _)| options.get_flag(id));
    let flags = flags.map(|(id, field)| (position(id), field.into()));
    let field = cli::value_of(options, "field").map(|field| (position("field"), cli::bytes(field)));
    flags.chain(field).max_by_key(|(position, _)| *position).map(|(_, field)| field)
}

/// Shows the modules of every argument.
fn show_all(options: &Options, report: &mut Report) -> Status {
    let context = match options.context() {
        Ok(context) => context,
        Err(error) => return report.fail(error.to_string()),
    };
    report.use_root(context.root());
    let document = options.json.then(|| Document::begin("modinfo", "modinfo", "modules", report));
    let mut output = Output { rendering: &options.rendering, document, has_printed: false };
    let mut status = Status::Success;
    let resolved = options.arguments.iter().flat_map(|argument| resolve(&context, argument, options));
    read_in_order(&options.rendering, resolved, |resolved, facts| {
        status = status.and(output.show(&context, &resolved, facts, report));
    });
    match (output.document, &options.rendering.field) {
        (Some(document), _) => document.end(report),
        (None, Some(field)) if !output.has_printed && status == Status::Success => {
            misspelled_field(field, report);
        }
        _ => {}
    }
    status
}

/// Warns a person that no module had a field whose name is similar to one that modules have. Scripts ask for fields
/// that a module may lack.
fn misspelled_field(field: &[u8], report: &mut Report) {
    if !report.explains(Level::Warning)
        || FIELDS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(field))
    {
        return;
    }
    let why = failed_request::misspelled("", field, FIELDS);
    if why == Cause::default() {
        return;
    }
    let message = format!("no field '{}'", visible_line(field).as_bstr());
    report.notice_because(&Notice::new(Level::Warning, message), why);
}

/// What an argument resolves to. An alias may resolve to several of these.
enum Resolved {
    /// A file, by its path or by the name of its module.
    File(PathBuf),
    /// A module that is part of the kernel.
    Builtin(Module),
    /// A module whose entry in `modules.dep` cannot be read.
    Unreadable(Module, Error),
    /// No module.
    NotFound { message: Vec<u8>, name: Vec<u8>, error: Option<Error> },
}

/// The facts that are read from a module's file.
struct FileFacts {
    /// The part of its `.modinfo` section that is printed.
    modinfo: Vec<u8>,
    signature: Option<Signature>,
    build_id: Option<Vec<u8>>,
}

impl Wanted for Rendering {
    type File = Resolved;
    type Facts = FileFacts;

    /// No file is read when only its path was requested.
    fn path<'a>(&self, resolved: &'a Resolved) -> Option<&'a Path> {
        let Resolved::File(path) = resolved else { return None };
        let only_location = self.needs_only_location(&Location::File(path.as_os_str().as_bytes()));
        (!only_location).then_some(path)
    }

    fn take(&self, module: &ModuleFile) -> Result<FileFacts, Error> {
        let modinfo = self.part(module.modinfo_section()?);
        let signature = if self.shows_signature() { module.signature()? } else { None };
        let build_id = match self.build_id() {
            BuildId::Omitted => None,
            // Only who asks for it learns that it is damaged.
            BuildId::BesideOthers => module.build_id().ok().flatten(),
            BuildId::Requested => module.build_id()?,
        };
        let build_id = build_id.map(<[u8]>::to_vec);
        Ok(FileFacts { modinfo, signature, build_id })
    }

    fn size(&self, facts: &FileFacts) -> usize {
        facts.modinfo.len()
    }
}

/// Whether an argument is a file and not a name: it exists, and has a slash or ends as module files do.
fn is_module_file(argument: &OsStr, root: &Root) -> bool {
    let name = argument.as_bytes();
    cli::names_file(name, root) || (has_module_extension(name) && cli::is_file(&root.locate(argument), root))
}

/// Resolves an argument: to a file, or to all modules with this name or alias.
fn resolve(context: &Context, argument: &OsStr, options: &Options) -> Vec<Resolved> {
    if is_module_file(argument, context.root()) && !options.names_only {
        return vec![Resolved::File(cli::from_current_directory(
            context.root().locate(argument).as_os_str(),
        ))];
    }
    let name = argument.as_bytes();
    let found = if options.names_only { context.lookup_name(name) } else { context.lookup(name) };
    let what: &[u8] = match () {
        () if options.names_only => b"name ",
        () if Alias::new(name).is_err() => b"alias ",
        () => b"",
    };
    let message = [b"Module ", what, name, b" not found."].concat();
    match found {
        Ok(modules) if modules.is_empty() => {
            vec![Resolved::NotFound { message, name: name.to_owned(), error: None }]
        }
        Ok(modules) => modules.into_iter().map(resolved_module).collect(),
        Err(error) => vec![Resolved::NotFound { message, name: name.to_owned(), error: Some(error) }],
    }
}

fn resolved_module(module: Module) -> Resolved {
    match module.path() {
        Ok(Some(path)) => Resolved::File(path.to_owned()),
        Ok(None) => Resolved::Builtin(module),
        Err(error) => Resolved::Unreadable(module, error),
    }
}

/// Prints facts, as text or as a document.
struct Output<'a> {
    rendering: &'a Rendering,
    /// `None` for text.
    document: Option<Document>,
    /// Whether any text was printed.
    has_printed: bool,
}

impl Output<'_> {
    /// Shows one module of an argument.
    fn show(
        &mut self,
        context: &Context,
        resolved: &Resolved,
        facts: Option<Result<FileFacts, Error>>,
        report: &mut Report,
    ) -> Status {
        match resolved {
            Resolved::File(path) => self.show_file(path, facts, report),
            Resolved::Builtin(module) => self.show_builtin(module, report),
            Resolved::Unreadable(module, error) => no_modinfo(module.name(), error, report),
            Resolved::NotFound { message, name, error } => {
                let why = failed_request::not_found(context, name, error.as_ref(), report);
                report.fail_because(message.as_slice(), why)
            }
        }
    }

    fn print(&mut self, text: Vec<u8>, report: &mut Report) {
        self.has_printed |= !text.is_empty();
        report.print(text);
    }

    fn show_file(
        &mut self,
        path: &Path,
        facts: Option<Result<FileFacts, Error>>,
        report: &mut Report,
    ) -> Status {
        let name = ModuleName::from_path(path).unwrap_or_else(|| ModuleName::new(""));
        let location = Location::File(path.as_os_str().as_bytes());
        self.show_location(&name, &location, report);
        match facts {
            // Only the path was requested.
            None => Status::Success,
            Some(Ok(facts)) => {
                self.show_facts(&name, &location, &ModInfo::parse(&facts.modinfo), Some(&facts), report);
                Status::Success
            }
            Some(Err(error)) => no_modinfo(&name, &error, report),
        }
    }

    fn show_builtin(&mut self, module: &Module, report: &mut Report) -> Status {
        let name = module.name();
        let location = Location::Builtin(name.as_bytes());
        self.show_location(name, &location, report);
        if self.rendering.needs_only_location(&location) {
            return Status::Success;
        }
        match module.modinfo() {
            Ok(info) => {
                self.show_facts(name, &location, &info, None, report);
                Status::Success
            }
            Err(error) => no_modinfo(name, &error, report),
        }
    }

    /// Prints where a module is. A document gets an item here only if nothing else was requested.
    fn show_location(&mut self, name: &ModuleName, location: &Location, report: &mut Report) {
        match &mut self.document {
            None => self.print(self.rendering.location(location), report),
            Some(document) if self.rendering.needs_only_location(location) => {
                document.item(&ModinfoItem::new(name.as_bytes(), location, None, self.rendering), report);
            }
            Some(_) => {}
        }
    }

    fn show_facts(
        &mut self,
        name: &ModuleName,
        location: &Location,
        info: &ModInfo,
        file: Option<&FileFacts>,
        report: &mut Report,
    ) {
        for field in info.malformed_parameters().filter(|_| self.rendering.shows_parameters()) {
            let text: [&[u8]; 5] = [b"Found invalid \"", field.key, b"=", field.value, b"\": missing ':'"];
            report.error(text.concat());
        }
        let facts = ModuleFacts {
            info,
            parameters: &info.parameters(),
            signature: file.and_then(|file| file.signature.as_ref()),
            build_id: file.and_then(|file| file.build_id.as_deref()),
        };
        match &mut self.document {
            None => self.print(self.rendering.facts(&facts), report),
            Some(document) => {
                document
                    .item(&ModinfoItem::new(name.as_bytes(), location, Some(&facts), self.rendering), report);
            }
        }
    }
}

fn no_modinfo(name: &ModuleName, error: &Error, report: &mut Report) -> Status {
    let message = format!("could not get modinfo from '{name}': {}", error.errno());
    report.fail_because(message, Cause::line(error))
}
