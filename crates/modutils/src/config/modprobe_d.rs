//! modprobe.d(5): everything its files configure, and what that means for a module.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bstr::BString;

use super::{
    DenyLine, ExplainLine, Family, Files, Origin, Statement,
    by_name::LinesByName,
    cmdline::{self, Setting},
    entries::{AliasLine, BlacklistLine, CommandLine, OptionsLine, SoftdepLine, WeakdepLine},
    lines::{self, binary_kind, shown_start, words},
    modutils_d::{self, ModutilsLines},
    read,
};
use crate::shown::{shown, shown_path};
use crate::{Alias, Error, ModuleName, Notice, Root, Sink, stamp::Seen};

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct ConfigPaths {
    /// Files and directories in the place of the system's own (`modprobe --config`).
    pub paths: Option<Vec<PathBuf>>,
    /// The module directory: its `modules.softdep` and `modules.weakdep` count like configuration
    /// files of these names.
    pub modules: Option<PathBuf>,
}

/// The whole configuration, each kind in the order of its lines.
#[derive(Clone, Debug, Default)]
pub struct ModprobeConfig {
    /// `alias` lines.
    pub aliases: LinesByName<AliasLine>,
    /// `options` lines, and parameters on the kernel command line after them.
    pub options: LinesByName<OptionsLine>,
    /// `blacklist` lines, and `modprobe.blacklist=` on the kernel command line after them.
    pub blacklist: LinesByName<BlacklistLine>,
    /// `install` lines.
    pub installs: LinesByName<CommandLine>,
    /// `remove` lines.
    pub removes: LinesByName<CommandLine>,
    /// `softdep` lines.
    pub softdeps: LinesByName<SoftdepLine>,
    /// `weakdep` lines.
    pub weakdeps: LinesByName<WeakdepLine>,
    /// `deny` lines of modutils.d, and `modutils.deny=` on the kernel command line after them.
    pub denies: Vec<DenyLine>,
    /// `explain` lines of modutils.d.
    pub explains: Vec<ExplainLine>,
    /// The files and directories that all this comes from.
    seen: Seen,
}

impl ModprobeConfig {
    /// Reads the configuration: files first, then the kernel command line. A file or line that
    /// cannot be read is reported to the sink, and the rest is still read.
    pub fn load(root: &Root, sources: &ConfigPaths, sink: &mut Sink) -> Self {
        let mut files = Files::default();
        match &sources.paths {
            Some(paths) => files.add(paths, sink),
            None => files.add(&Family::Modprobe.directories(root), sink),
        }
        let lists: Vec<PathBuf> = sources
            .modules
            .iter()
            .flat_map(|modules| ["modules.softdep", "modules.weakdep"].map(|name| modules.join(name)))
            .collect();
        files.add(&lists, sink);
        let (ModutilsLines { denies, explains }, mut seen) = modutils_d::load(root, sink);
        seen.append(files.take_seen());
        let mut config = Self { denies, explains, seen, ..Self::default() };
        for path in files.into_paths() {
            let reading = if lists.contains(&path) { Statement::parse_of_depmod } else { Statement::parse };
            match read(&path) {
                Ok(bytes) => config.add_lines(&path.into(), &bytes, reading, sink),
                Err(error) => sink(Notice::error(Error::io("read", path)(error).to_string())),
            }
        }
        let Some(command_line) = root.command_line() else { return config };
        match read(&command_line) {
            Ok(bytes) => config.add_command_line(&command_line.into(), &bytes, sink),
            // A root without /proc is a usual place to resolve names in.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => sink(Notice::warning(Error::io("read", command_line)(error).to_string())),
        }
        config
    }

    /// Whether a file or directory that was read is another now, or one that was not there appeared. The
    /// kernel command line is what it was for as long as the kernel runs.
    pub(crate) fn has_changed(&self) -> bool {
        self.seen.has_changed()
    }

    /// Adds the lines of a file.
    #[cfg(any(test, feature = "internals"))]
    pub fn add_file(&mut self, file: &Arc<Path>, bytes: &[u8], sink: &mut Sink) {
        self.add_lines(file, bytes, Statement::parse, sink);
    }

    fn add_lines(
        &mut self,
        file: &Arc<Path>,
        bytes: &[u8],
        parse: fn(&[u8]) -> Result<Statement, String>,
        sink: &mut Sink,
    ) {
        if let Some(kind) = binary_kind(bytes) {
            return sink(Notice::error(format!("{} is {kind}, not configuration", shown_path(file))));
        }
        for line in lines::lines(bytes) {
            let origin = Origin { file: file.clone(), line: line.number };
            match parse(&line.text) {
                Ok(statement) => self.add(statement, origin),
                Err(fault) => {
                    let start = shown_start(&line.text);
                    sink(Notice::error(format!(
                        "{origin}: ignoring bad line starting with '{start}': {fault}"
                    )));
                }
            }
        }
    }

    /// Adds the lines of a file of modutils.d.
    #[cfg(any(test, feature = "internals"))]
    pub fn add_modutils_file(&mut self, file: &Arc<Path>, bytes: &[u8], sink: &mut Sink) {
        let mut lines = ModutilsLines::default();
        lines.add_file(file, bytes, sink);
        self.denies.extend(lines.denies);
        self.explains.extend(lines.explains);
    }

    /// Adds the settings of a kernel command line.
    pub fn add_command_line(&mut self, file: &Arc<Path>, bytes: &[u8], sink: &mut Sink) {
        let origin = Origin { file: file.clone(), line: 1 };
        let mut normal = |name: &BString| match Alias::new(name) {
            Ok(name) => Some(name),
            Err(fault) => {
                sink(Notice::error(format!("{origin}: ignoring module name '{}': {fault}", shown(name))));
                None
            }
        };
        for setting in cmdline::parse(bytes) {
            match setting {
                Setting::Blacklist(modules) => {
                    for module in modules.iter().filter_map(&mut normal) {
                        self.add(Statement::Blacklist(module), origin.clone());
                    }
                }
                Setting::Deny(modules) => {
                    let line =
                        |pattern| DenyLine { pattern, reason: BString::default(), origin: origin.clone() };
                    self.denies.extend(modules.iter().filter_map(&mut normal).map(line));
                }
                Setting::Parameter { module, parameter } => {
                    if let Some(name) = normal(&module) {
                        self.add(Statement::Options(name, parameter), origin.clone());
                    }
                }
            }
        }
    }

    /// The options for a module, which was asked for by an alias perhaps: those for its name and
    /// those for the alias, joined by blanks in the order of the lines.
    pub fn options(&self, module: &ModuleName, alias: Option<&[u8]>) -> BString {
        let by_alias = alias.filter(|alias| *alias != module.as_bytes());
        let mut lines: Vec<&OptionsLine> = self.options.named(module.as_bytes()).collect();
        lines.extend(by_alias.into_iter().flat_map(|alias| self.options.named(alias)));
        // They are all in one list: their addresses are in the order of the lines.
        lines.sort_unstable_by_key(|line| std::ptr::from_ref(*line));
        // `module.=1` on the kernel command line is a line without any.
        let options = lines.iter().map(|line| line.options.as_slice()).filter(|options| !options.is_empty());
        let options: Vec<&[u8]> = options.collect();
        options.join(&b" "[..]).into()
    }

    /// The line that blacklists a module.
    pub fn blacklisted(&self, module: &ModuleName) -> Option<&BlacklistLine> {
        self.blacklist.named(module.as_bytes()).next()
    }

    /// The line that denies a module: it is not to be loaded at all.
    pub fn denied(&self, module: &ModuleName) -> Option<&DenyLine> {
        self.denies.iter().find(|line| line.denies(module))
    }

    /// The command to run instead of loading a module: the first that matches.
    pub fn install(&self, module: &ModuleName) -> Option<&CommandLine> {
        self.installs.matching(module.as_bytes()).next()
    }

    /// The command to run instead of removing a module: the first that matches.
    pub fn remove(&self, module: &ModuleName) -> Option<&CommandLine> {
        self.removes.matching(module.as_bytes()).next()
    }

    /// The softdep lines that match a module, all of them, in order.
    pub fn softdeps<'a>(&'a self, module: &ModuleName) -> impl Iterator<Item = &'a SoftdepLine> {
        self.softdeps.matching(module.as_bytes())
    }

    /// The weakdep lines that match a module, all of them, in order.
    pub fn weakdeps<'a>(&'a self, module: &ModuleName) -> impl Iterator<Item = &'a WeakdepLine> {
        self.weakdeps.matching(module.as_bytes())
    }

    fn add(&mut self, statement: Statement, origin: Origin) {
        match statement {
            Statement::Alias(pattern, module) => self.aliases.push(AliasLine { pattern, module, origin }),
            Statement::Options(name, options) => self.options.push(OptionsLine { name, options, origin }),
            Statement::Blacklist(module) => self.blacklist.push(BlacklistLine { module, origin }),
            Statement::Install(pattern, command) => {
                self.installs.push(CommandLine { pattern, command, origin });
            }
            Statement::Remove(pattern, command) => {
                self.removes.push(CommandLine { pattern, command, origin });
            }
            Statement::Softdep(pattern, pre, post) => {
                self.softdeps.push(SoftdepLine { pattern, pre, post, origin });
            }
            Statement::Weakdep(pattern, text) => {
                let names = words(&text).map(BString::from).collect();
                self.weakdeps.push(WeakdepLine { pattern, names, text, origin });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(text: &str) -> (ModprobeConfig, Vec<String>) {
        let mut config = ModprobeConfig::default();
        let mut notices = Vec::new();
        config.add_file(&Path::new("/t.conf").into(), text.as_bytes(), &mut |notice| {
            notices.push(notice.message.to_string());
        });
        (config, notices)
    }

    #[test]
    fn names_are_normalised_and_the_rest_is_kept() {
        let (config, notices) =
            config("options \t x-z\t a=1  \tb\t\ninstall a-[1-2]*  echo \thi-ho \nalias k-* l-m\n");
        assert_eq!(notices, [""; 0]);
        assert_eq!(config.options[0].name.as_bytes(), b"x_z");
        assert_eq!(config.options[0].options, " a=1   b ");
        assert_eq!(config.installs[0].pattern.as_bytes(), b"a_[1-2]*");
        assert_eq!(config.installs[0].command, " echo \thi-ho ");
        assert_eq!(config.aliases[0].module.as_bytes(), b"l_m");
    }

    #[test]
    fn a_bad_line_is_named_and_spoils_nothing() {
        let bad = [
            "alias",
            "alias x",
            "alias a[b c",
            "blacklist",
            "install",
            "install foo",
            "install q[ x",
            "remove x",
            "options",
            "options x",
            "softdep x",
            "weakdep x",
            "include foo",
            "config foo",
            "frob 1 2",
            "  # not a comment",
        ];
        for line in bad {
            let (config, notices) = config(&format!("blacklist a\n{line}\nblacklist b\n"));
            assert_eq!(config.blacklist.len(), 2, "{line}");
            assert_eq!(notices.len(), 1, "{line}");
            assert!(
                notices[0].starts_with("/t.conf line 2: ignoring bad line starting with '"),
                "{}",
                notices[0]
            );
        }
    }

    #[test]
    fn an_alias_off_has_no_meaning_of_its_own() {
        let (config, notices) = config("alias net-pf-10 off\n");
        assert_eq!((config.aliases[0].module.as_bytes(), notices.len()), (&b"off"[..], 0));
    }

    #[test]
    fn a_softdep_takes_names_after_its_keywords_only() {
        let (config, _) = config("softdep x-y bla pre: a-b c post: d pre: e\nsoftdep z a pre:b\n");
        assert_eq!(config.softdeps[0].pre, ["a-b", "c", "e"]);
        assert_eq!(config.softdeps[0].post, ["d"]);
        assert!(config.softdeps[1].pre.is_empty() && config.softdeps[1].post.is_empty());
    }

    #[test]
    fn a_weakdep_keeps_one_blank_of_many() {
        let (config, _) = config("weakdep a  b-c \t d \nweakdep a\tb\nweakdep a  \n");
        let texts: Vec<&BString> = config.weakdeps.iter().map(|line| &line.text).collect();
        assert_eq!(texts, [" b-c d", "b", ""]);
        assert_eq!(config.weakdeps[0].names, ["b-c", "d"]);
        assert!(config.weakdeps[2].names.is_empty());
    }

    #[test]
    fn options_of_a_name_and_of_its_alias_stand_in_the_order_of_lines() {
        let (config, _) = config("options my-al d=1\noptions top a=1\noptions to* s=2\noptions top b=2\n");
        let top = ModuleName::new("top");
        assert_eq!(config.options(&top, Some(b"my_al")), "d=1 a=1 b=2");
        assert_eq!(config.options(&top, None), "a=1 b=2");
    }

    #[test]
    fn the_first_matching_command_counts_and_all_matching_softdeps() {
        let (config, _) =
            config("install b* one\ninstall base two\nsoftdep base pre: x\nsoftdep ba[a-t]e pre: y\n");
        let base = ModuleName::new("base");
        assert_eq!(config.install(&base).unwrap().command, "one");
        assert!(config.remove(&base).is_none());
        assert_eq!(config.softdeps(&base).flat_map(|line| &line.pre).collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn the_kernel_command_line_comes_last_and_its_blacklist_is_normalised() {
        let (mut config, _) = config("options m a=1\n");
        let mut notices = 0;
        let text = b"m. m.b=2 modprobe.blacklist=a-b i[.x=1 m.";
        config.add_command_line(&Path::new("/proc/cmdline").into(), text, &mut |_| notices += 1);
        assert_eq!(config.options(&ModuleName::new("m"), None), "a=1 b=2");
        assert!(config.blacklisted(&ModuleName::new("a-b")).is_some());
        assert_eq!(notices, 1);
    }

    /// A line end in a module's `softdep=` would otherwise begin a separate line, perhaps a command.
    #[test]
    fn files_of_the_module_directory_speak_of_dependencies_of_modules_only() {
        let sound = Statement::parse_of_depmod(b"softdep a-b pre: c").unwrap();
        assert!(matches!(sound, Statement::Softdep(name, ..) if name.as_bytes() == b"a_b"));
        assert!(Statement::parse_of_depmod(b"weakdep a b").is_ok());
        for line in ["install a cmd", "options a b=1", "alias a b", "softdep * pre: a", "weakdep [a] b", "x"]
        {
            assert!(Statement::parse_of_depmod(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn softdeps_of_the_module_directory_sort_among_the_files() {
        let system = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = system.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("m/modules.softdep", "softdep x pre: own\n");
        write("etc/modprobe.d/a.conf", "softdep x pre: a\n");
        write("etc/modprobe.d/zz.conf", "softdep x pre: z\n");
        write("proc/cmdline", "x.p=1\n");
        let sources = ConfigPaths { paths: None, modules: Some(system.path().join("m")) };
        let root = Root::default().with_system(system.path());
        let config = ModprobeConfig::load(&root, &sources, &mut |notice| panic!("{}", notice.message));
        let x = ModuleName::new("x");
        assert_eq!(config.softdeps(&x).flat_map(|line| &line.pre).collect::<Vec<_>>(), ["a", "own", "z"]);
        assert_eq!(config.options(&x, None), "p=1");
    }

    proptest! {
        #[test]
        fn every_line_is_taken_or_told(text in "((alias|options|install|softdep|blacklist|weakdep|frob)[ \t]?[a-z\\[\\] \t*:-]{0,20}\n?){0,8}") {
            let (config, notices) = config(&text);
            let taken = config.aliases.len() + config.options.len() + config.installs.len() + config.softdeps.len()
                + config.blacklist.len() + config.weakdeps.len();
            prop_assert_eq!(taken + notices.len(), lines::lines(text.as_bytes()).count());
        }
    }
}
