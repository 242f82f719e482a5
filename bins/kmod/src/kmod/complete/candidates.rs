//! Candidates for a word: options, modules, parameters, kernel releases, fields.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use bstr::ByteSlice;
use clap::Command;
use modutils::{Context, Index, ModuleName, Release, Root, kernel::Kernel, module_file::ModuleFile};

use super::command_line::CommandLine;
use crate::{cli, kmod, modinfo, report::Report};

/// A completion of the word.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// The whole word.
    pub(super) text: String,
    description: String,
}

impl Candidate {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), description: String::new() }
    }

    /// Makes the shell complete files.
    fn files() -> Self {
        Self::new(":files")
    }

    /// Makes the shell complete module files, and the directories on the way to them.
    fn module_files() -> Self {
        Self::new(":modules")
    }

    /// Makes the shell complete directories.
    fn directories() -> Self {
        Self::new(":directories")
    }

    /// Prints the candidate. A shell inserts the text unquoted, and names in indexes and modules are untrusted, so
    /// a text that would be more than one word is not printed.
    pub(super) fn print(&self, report: &mut Report) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.,:=+@/%".contains(&byte);
        if !self.text.bytes().all(is_plain) {
            return;
        }
        let description: String = self.description.chars().filter(|char| !char.is_control()).collect();
        if description.is_empty() {
            report.print_own_line(&self.text);
        } else {
            report.print_own_line(format!("{}\t{description}", self.text));
        }
    }
}

/// The options that begin with the word.
pub(super) fn options(command: &Command, line: &CommandLine) -> Vec<Candidate> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
    let both = shown.flat_map(|arg| {
        let short = arg.get_short().map(|letter| format!("-{letter}"));
        let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
        let longs = longs.into_iter().map(|long| format!("--{long}"));
        let description = arg.get_help().map(ToString::to_string).unwrap_or_default();
        short.into_iter().chain(longs).map(move |text| Candidate { text, description: description.clone() })
    });
    both.filter(|candidate| candidate.text.starts_with(line.current)).collect()
}

/// The values of an option that begin with the typed text.
pub(super) fn values(tool: &str, line: &CommandLine, option: &str, typed: &str) -> Vec<Candidate> {
    let words: Vec<String> = match option {
        "set-version" => releases(&root(line)),
        "field" => modinfo::FIELDS.map(str::to_owned).into(),
        "format" if tool == "graph" => ["dot", "tree"].map(str::to_owned).into(),
        "compress" => ["gz", "none", "xz", "zst"].map(str::to_owned).into(),
        "format" => kmod::FORMATS.map(str::to_owned).into(),
        "basedir" | "cache" | "copy" | "dirname" | "firmware" | "moduledir" | "outdir" | "root" => {
            return vec![Candidate::directories()];
        }
        "config" | "filesyms" | "kernel-cmdline" | "output" | "symvers" => return vec![Candidate::files()],
        _ => return Vec::new(),
    };
    // A value in the same word keeps its `--option=`.
    let front = line.current.strip_suffix(typed).unwrap_or_default();
    let words = words.into_iter().filter(|word| word.starts_with(typed));
    words.map(|word| Candidate::new(format!("{front}{word}"))).collect()
}

/// The arguments of a tool that begin with the word.
pub(super) fn arguments(tool: &str, line: &CommandLine) -> Vec<Candidate> {
    let first = line.arguments.first();
    match (tool, first) {
        ("kmod", None) => commands(line),
        ("depmod", None) => {
            let begins = |release: &String| release.starts_with(line.current);
            let mut found: Vec<_> =
                releases(&root(line)).into_iter().filter(begins).map(Candidate::new).collect();
            if line.current.starts_with('/') {
                found.push(Candidate::module_files());
            }
            found
        }
        ("depmod", _) | ("insmod", None) => vec![Candidate::module_files()],
        ("insmod", Some(file)) => parameters_of(Path::new(file), line),
        ("rmmod", _) => loaded_modules(line),
        ("modprobe", _) if line.has("remove") => loaded_modules(line),
        ("modprobe", Some(module)) if !line.has("all") => parameters(module, line),
        ("modprobe", _) => modules(line, false),
        ("blocked" | "graph" | "status", _) => modules(line, true),
        ("check", Some(module)) if !line.has("all") => parameters(module, line),
        ("check" | "closure" | "modinfo" | "params", _) => {
            let mut found = modules(line, true);
            found.push(Candidate::module_files());
            found
        }
        _ => Vec::new(),
    }
}

fn commands(line: &CommandLine) -> Vec<Candidate> {
    let named = |known: &kmod::KnownCommand| Candidate {
        text: known.name.to_owned(),
        description: known.about.to_owned(),
    };
    let found = kmod::COMMANDS.iter().filter(|known| known.name.starts_with(line.current)).map(named);
    found.collect()
}

/// The modules in the indexes, with or without the built-in ones.
fn modules(line: &CommandLine, with_builtin: bool) -> Vec<Candidate> {
    if cli::is_path(line.current.as_bytes(), &root(line)) {
        return vec![Candidate::module_files()];
    }
    let Some(context) = context(line) else { return Vec::new() };
    let indexes = [Some(Index::Dependencies), with_builtin.then_some(Index::Builtin)];
    let offered = |index: Index| {
        let mut found = Vec::new();
        // A missing or damaged index has no candidates; running the tool will report why.
        let dumped = context.dump(index, |name, _| found.extend(spelled_like(line.current, name)));
        dumped.map(|()| found).unwrap_or_default()
    };
    indexes.into_iter().flatten().flat_map(offered).collect()
}

/// The loaded modules.
fn loaded_modules(line: &CommandLine) -> Vec<Candidate> {
    let root = Root::default();
    let modules = Kernel::running(&root).loaded_modules(&mut |_| ()).unwrap_or_default();
    modules.iter().filter_map(|module| spelled_like(line.current, module.name.as_bytes())).collect()
}

/// A module's name if it begins with the typed text, with `-` or `_` as typed.
fn spelled_like(typed: &str, name: &[u8]) -> Option<Candidate> {
    let name = name.to_str().ok()?;
    let rest = name.strip_prefix(ModuleName::new(typed).as_bytes().to_str().ok()?)?;
    Some(Candidate::new(format!("{typed}{rest}")))
}

/// The parameters of a module, by name or path.
fn parameters(module: &OsStr, line: &CommandLine) -> Vec<Candidate> {
    let root = root(line);
    if cli::is_path(module.as_encoded_bytes(), &root) {
        return parameters_of(&root.locate(module), line);
    }
    let file = context(line).and_then(|context| file_of(&context, module.as_encoded_bytes()));
    file.map(|file| parameters_of(&file, line)).unwrap_or_default()
}

fn file_of(context: &Context, name: &[u8]) -> Option<PathBuf> {
    Some(context.lookup(name).ok()?.first()?.path().ok()??.to_owned())
}

fn parameters_of(file: &Path, line: &CommandLine) -> Vec<Candidate> {
    let Ok(module) = ModuleFile::open(file) else { return Vec::new() };
    let Ok(info) = module.modinfo() else { return Vec::new() };
    let parameters = info.parameters();
    let candidates = parameters.iter().filter_map(|parameter| {
        let text = format!("{}=", parameter.name.to_str().ok()?);
        let kind = parameter.kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
        let description = parameter.description.map(ToString::to_string).unwrap_or_default();
        Some(Candidate { text, description: format!("{description}{kind}").trim().to_owned() })
    });
    candidates.filter(|candidate| candidate.text.starts_with(line.current)).collect()
}

/// The kernels that have a module directory.
fn releases(root: &Root) -> Vec<String> {
    let releases = root.releases().unwrap_or_default();
    releases.iter().filter_map(|release| release.as_os_str().to_str().map(str::to_owned)).collect()
}

fn root(line: &CommandLine) -> Root {
    let base = line.value(&["basedir", "dirname"]);
    // Of a root that is not there nothing is offered; running the tool will report it.
    cli::root(line.value(&["root"]), base).unwrap_or_else(|_| Root::default().with_base("/nonexistent"))
}

fn context(line: &CommandLine) -> Option<Context> {
    let release = match line.value(&["set-version"]) {
        Some(release) => Release::new(release),
        None => Release::running().ok()?,
    };
    Context::builder().root(root(line)).release(release).without_configuration().build().ok()
}

#[cfg(test)]
mod tests {
    use super::{super::command_line::takes_value, *};

    #[test]
    fn a_module_is_offered_in_the_spelling_that_was_begun() {
        let offered =
            |typed, name: &str| spelled_like(typed, name.as_bytes()).map(|candidate| candidate.text);
        assert_eq!(offered("snd-h", "snd_hda_intel").as_deref(), Some("snd-hda_intel"));
        assert_eq!(offered("", "ext4").as_deref(), Some("ext4"));
        assert_eq!(offered("ext5", "ext4"), None);
    }

    #[test]
    fn every_option_with_a_value_is_known_here_or_takes_a_free_text() {
        let free = ["jobs", "symbol-prefix", "wait"];
        for mut command in [crate::depmod::command(), crate::modinfo::command(), crate::modprobe::command()] {
            command.build();
            let with_value = |arg: &&clap::Arg| takes_value(arg) && !arg.is_positional();
            for arg in command.get_arguments().filter(with_value) {
                let line = CommandLine::read(&command, &[], OsStr::new(""));
                let id = arg.get_id().as_str();
                let known = free.contains(&id)
                    || id == "set-version"
                    || !values(command.get_name(), &line, id, "").is_empty();
                assert!(known, "{id}");
            }
        }
    }
}
