//! depmod.d(5): which copy of a module counts, and where else modules are.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use regex_lite::RegexBuilder;

use super::{
    Files,
    lines::{Line, binary_kind, lines, shown, word, words},
    read,
};
use crate::shown::shown_path;
use crate::{Error, Level, Notice, Release, Sink};

/// The lines of depmod.d that apply to one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepmodConfig {
    /// Where to prefer copies of a module from, the best place first.
    pub search: Vec<Place>,
    /// Copies that are preferred to any other.
    pub overrides: Vec<Override>,
    /// Directories outside the module directory that hold modules, too.
    pub externals: Vec<PathBuf>,
    /// Names of files and directories that are skipped wherever they are.
    pub excludes: Vec<BString>,
}

/// An `override` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The path of the copy in the module directory, without `.ko`.
    pub path: BString,
    /// The file and line.
    pub place: String,
}

/// A word of a `search` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `built-in`: the module directory, as far as no other word names a part of it.
    BuiltIn,
    /// `external`: the external directories.
    External,
    /// A directory in the module directory.
    Directory(BString),
}

/// A line, with all its parts.
enum Directive<'a> {
    Search(Vec<Place>),
    Override {
        module: &'a [u8],
        kernel: &'a [u8],
        directory: &'a [u8],
    },
    External {
        kernel: &'a [u8],
        directory: &'a [u8],
    },
    Exclude(Vec<BString>),
    /// A directive of old that does nothing.
    Ignored(&'a [u8]),
}

impl Default for DepmodConfig {
    /// What counts without a `search` line: `updates`, then the rest of the module directory.
    fn default() -> Self {
        let search = vec![Place::Directory("updates".into()), Place::BuiltIn];
        Self { search, overrides: Vec::new(), externals: Vec::new(), excludes: Vec::new() }
    }
}

impl DepmodConfig {
    /// Reads the configuration for a kernel from files and directories: those of
    /// [`Family::Depmod`](super::Family), or those the caller names. What cannot be read or
    /// understood goes to the sink and counts for nothing. With the configuration comes why paths
    /// could not be read.
    pub fn load(paths: &[PathBuf], release: &Release, sink: &mut Sink) -> (Self, Vec<Error>) {
        let mut files = Files::default();
        files.add(paths, sink);
        let mut errors = files.take_errors();
        let mut config = Self { search: Vec::new(), ..Self::default() };
        for file in files.into_paths() {
            match read(&file) {
                Ok(bytes) => config.add(&file, &bytes, release, sink),
                Err(error) => {
                    let error = Error::io("read", file)(error);
                    sink(Notice::of(Level::Error, &error));
                    errors.push(error);
                }
            }
        }
        if config.search.is_empty() {
            config.search = Self::default().search;
        }
        (config, errors)
    }

    /// Adds the lines of one file.
    fn add(&mut self, file: &Path, bytes: &[u8], release: &Release, sink: &mut Sink) {
        if let Some(kind) = binary_kind(bytes) {
            return sink(Notice::error(format!("{} is {kind}, not configuration", shown_path(file))));
        }
        for line in lines(bytes) {
            let mut notice = |level, what: &[u8]| {
                let place = format!("{}:{}: ", shown_path(file), line.number);
                sink(Notice::new(level, [place.as_bytes(), what].concat()));
            };
            match Directive::parse(&line) {
                Ok(Directive::Search(places)) => self.search.extend(places),
                Ok(Directive::Exclude(names)) => self.excludes.extend(names),
                Ok(Directive::Override { module, kernel, directory }) => match applies(kernel, release) {
                    Ok(true) => {
                        let place = format!("{}:{}", shown_path(file), line.number);
                        let path = [directory, b"/", module].concat().into();
                        self.overrides.push(Override { path, place });
                    }
                    Ok(false) => notice(Level::Info, &[b"override kernel did not match ", kernel].concat()),
                    Err(why) => notice(Level::Warning, why.as_bytes()),
                },
                Ok(Directive::External { kernel, directory }) => match applies(kernel, release) {
                    Ok(true) => self.externals.push(PathBuf::from(OsStr::from_bytes(directory))),
                    Ok(false) => {
                        notice(Level::Info, &[b"external directory did not match ", kernel].concat());
                    }
                    Err(why) => notice(Level::Warning, why.as_bytes()),
                },
                Ok(Directive::Ignored(name)) => {
                    notice(Level::Info, &[b"command ", name, b" not implemented yet"].concat());
                }
                Err(BadLine(name)) => {
                    let name = shown(name);
                    notice(Level::Error, format!("ignoring bad line starting with '{name}'").as_bytes());
                }
            }
        }
    }
}

/// A line that is none of the directives: its first word.
struct BadLine<'a>(&'a [u8]);

impl<'a> Directive<'a> {
    fn parse(line: &'a Line) -> Result<Self, BadLine<'a>> {
        let (name, rest) = word(&line.text).unwrap_or_default();
        let mut arguments = words(rest);
        match name {
            // A name with such a byte is no file's that anybody meant.
            _ if line.text.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') => Err(BadLine(name)),
            b"search" => Ok(Self::Search(arguments.map(place).collect())),
            b"exclude" => Ok(Self::Exclude(arguments.map(BString::from).collect())),
            b"include" | b"make_map_files" => Ok(Self::Ignored(name)),
            b"override" => match (arguments.next(), arguments.next(), arguments.next()) {
                (Some(module), Some(kernel), Some(directory)) => {
                    Ok(Self::Override { module, kernel, directory })
                }
                _ => Err(BadLine(name)),
            },
            b"external" => match (arguments.next(), arguments.next()) {
                (Some(kernel), Some(directory)) => Ok(Self::External { kernel, directory }),
                _ => Err(BadLine(name)),
            },
            _ => Err(BadLine(name)),
        }
    }
}

fn place(word: &[u8]) -> Place {
    match word {
        b"built-in" => Place::BuiltIn,
        b"external" => Place::External,
        directory => Place::Directory(directory.into()),
    }
}

/// Whether a line for `kernel`, an extended regular expression or `*`, applies to a release. An
/// expression that is none applies to no kernel, which is an error in words.
fn applies(kernel: &[u8], release: &Release) -> Result<bool, String> {
    if kernel == b"*" {
        return Ok(true);
    }
    let bad = || format!("ignoring the line: '{}' is no regular expression", shown(kernel));
    let pattern = kernel.to_str().map_err(|_| bad())?;
    let regex = RegexBuilder::new(pattern).size_limit(1 << 20).build();
    Ok(regex.map_err(|_| bad())?.is_match(&release.as_os_str().to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> (DepmodConfig, Vec<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut notices = Vec::new();
        let release = Release::new("6.12.1-amd64");
        let (config, _) = DepmodConfig::load(&[file.path().to_owned()], &release, &mut |notice: Notice| {
            let message = notice.message.to_string().replace(file.path().to_str().unwrap(), "FILE");
            notices.push(format!("{:?} {message}", notice.level));
        });
        (config, notices)
    }

    #[test]
    fn without_a_search_line_updates_come_before_the_rest() {
        let (config, notices) = load("search\n");
        assert_eq!(config, DepmodConfig::default());
        assert!(notices.is_empty());
    }

    #[test]
    fn search_lines_add_up() {
        let (config, _) = load("search extra \\\n external\nsearch built-in\n");
        let directory = Place::Directory("extra".into());
        assert_eq!(config.search, [directory, Place::External, Place::BuiltIn]);
    }

    #[test]
    fn lines_for_other_kernels_do_not_count() {
        let (config, notices) = load(
            "override a * extra\noverride b 6\\.1[0-9]\\. weak/updates\noverride c ^5 extra\n\
             external amd64$ /opt/modules\nexternal [ /x\n\
             override d ^[[:digit:]]+([.][0-9]{1,2}){2}-(amd64|arm64)$ extra\n",
        );
        let overrides: Vec<_> = config.overrides.iter().map(|line| line.path.to_string()).collect();
        assert_eq!(overrides, ["extra/a", "weak/updates/b", "extra/d"]);
        assert!(config.overrides[1].place.ends_with(":2"));
        assert_eq!(config.externals, [Path::new("/opt/modules")]);
        let expected = [
            "Info FILE:3: override kernel did not match ^5",
            "Warning FILE:5: ignoring the line: '[' is no regular expression",
        ];
        assert_eq!(notices, expected);
    }

    #[test]
    fn bad_lines_are_named() {
        let (config, notices) = load("bogus\noverride a\nexternal *\ninclude x\nexclude a b\n");
        assert_eq!(config.excludes, ["a", "b"]);
        let expected = [
            "Error FILE:1: ignoring bad line starting with 'bogus'",
            "Error FILE:2: ignoring bad line starting with 'override'",
            "Error FILE:3: ignoring bad line starting with 'external'",
            "Info FILE:4: command include not implemented yet",
        ];
        assert_eq!(notices, expected);
    }
}
