//! The configuration as a list of lines: for who shows it, or wants the location of an entry.

use std::fmt;

use bstr::{BStr, BString, ByteSlice};

use super::{
    DenyLine, Explain, ExplainLine, ModprobeConfig, Origin,
    entries::{AliasLine, BlacklistLine, CommandLine, OptionsLine, SoftdepLine, WeakdepLine},
};

/// What is configured: modprobe.d(5), modutils.d(5), and the settings for modules on the kernel command line.
/// What it means for a module is asked of the [`Module`](crate::Module).
#[derive(Clone, Copy)]
pub struct Config<'a>(&'a ModprobeConfig);

/// A line of the configuration.
///
/// ```
/// use modutils::{Context, config::Directive};
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("local.conf");
/// std::fs::write(&path, "# for the lab\nblacklist pcspkr\ninstall usb-storage /bin/false\n")?;
///
/// let context = Context::builder().config_paths(vec![path]).directory(directory.path()).build()?;
/// // The system's own modutils.d and kernel command line count as well.
/// let ours = context.config().lines().filter(|line| line.origin.file.ends_with("local.conf"));
/// for line in ours {
///     println!("{}: {}", line.origin, line.directive.text());
///     match line.directive {
///         Directive::Blacklist { module } => assert_eq!((module, line.origin.line), ("pcspkr".into(), 2)),
///         Directive::Install { pattern, .. } => assert_eq!(pattern, "usb_storage"),
///         other => panic!("{other:?}"),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line<'a> {
    /// Its content.
    pub directive: Directive<'a>,
    /// The file that it was read from, and where in it.
    pub origin: &'a Origin,
}

/// The content of a line. Names and patterns are normalised: a dash is an underscore, except for one between
/// brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Directive<'a> {
    /// `deny PATTERN REASON...` of modutils.d, or a module of `modutils.deny=` on the kernel command
    /// line.
    Deny {
        /// What is matched against a module's name.
        pattern: &'a BStr,
        /// Why, in words for people; empty where nobody wrote it.
        reason: &'a BStr,
    },
    /// `explain WHEN` of modutils.d.
    Explain {
        /// When a tool prints the cause of a failure.
        when: Explain,
    },
    /// `blacklist MODULE`, or a module of `modprobe.blacklist=` on the kernel command line.
    Blacklist {
        /// The module.
        module: &'a BStr,
    },
    /// `install PATTERN COMMAND`.
    Install {
        /// What is matched against a module's name.
        pattern: &'a BStr,
        /// The command for the shell, with the blanks around it.
        command: &'a BStr,
    },
    /// `remove PATTERN COMMAND`.
    Remove {
        /// What is matched against a module's name.
        pattern: &'a BStr,
        /// The command for the shell, with the blanks around it.
        command: &'a BStr,
    },
    /// `alias PATTERN MODULE`.
    Alias {
        /// What is matched against a name that is looked up.
        pattern: &'a BStr,
        /// The module that is meant.
        module: &'a BStr,
    },
    /// `options MODULE OPTION...`, or a parameter on the kernel command line.
    Options {
        /// The module, or an alias by which it is asked for.
        module: &'a BStr,
        /// The parameters, with the blanks around them.
        options: &'a BStr,
    },
    /// `softdep PATTERN pre: NAME... post: NAME...`.
    Softdep {
        /// What is matched against a module's name.
        pattern: &'a BStr,
        /// Names of modules, or aliases, to load before it.
        pre: &'a [BString],
        /// Names of modules, or aliases, to load after it.
        post: &'a [BString],
    },
    /// `weakdep PATTERN NAME...`.
    Weakdep {
        /// What is matched against a module's name.
        pattern: &'a BStr,
        /// Names of modules, or aliases, that it may want.
        names: &'a [BString],
        /// The same as one text, as `modprobe -c` shows it.
        text: &'a BStr,
    },
}

impl<'a> Directive<'a> {
    /// The word that the line begins with.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Deny { .. } => "deny",
            Self::Explain { .. } => "explain",
            Self::Blacklist { .. } => "blacklist",
            Self::Install { .. } => "install",
            Self::Remove { .. } => "remove",
            Self::Alias { .. } => "alias",
            Self::Options { .. } => "options",
            Self::Softdep { .. } => "softdep",
            Self::Weakdep { .. } => "weakdep",
        }
    }

    /// The module, alias, pattern or setting that the line is about: the word after the keyword.
    pub fn subject(&self) -> &'a BStr {
        match *self {
            Self::Deny { pattern, .. }
            | Self::Install { pattern, .. }
            | Self::Remove { pattern, .. }
            | Self::Alias { pattern, .. }
            | Self::Softdep { pattern, .. }
            | Self::Weakdep { pattern, .. } => pattern,
            Self::Explain { when } => when.name().into(),
            Self::Blacklist { module } | Self::Options { module, .. } => module,
        }
    }

    /// The line as modprobe.d(5) or modutils.d(5) takes it, and as `modprobe -c` prints it.
    pub fn text(&self) -> BString {
        let words;
        let rest: &[u8] = match *self {
            Self::Blacklist { .. } | Self::Explain { .. } => return self.joined(&[]),
            Self::Deny { reason, .. } if reason.is_empty() => return self.joined(&[]),
            Self::Deny { reason, .. } => reason,
            Self::Install { command, .. } | Self::Remove { command, .. } => command,
            Self::Alias { module, .. } => module,
            Self::Options { options, .. } => options,
            Self::Softdep { pre, post, .. } => {
                words = soft_names(pre, post);
                &words
            }
            Self::Weakdep { text, .. } => text,
        };
        self.joined(&[rest])
    }

    fn joined(&self, rest: &[&[u8]]) -> BString {
        let start = [self.keyword().as_bytes(), self.subject().as_bytes()];
        start.iter().chain(rest).copied().collect::<Vec<&[u8]>>().join(&b' ').into()
    }
}

fn soft_names(pre: &[BString], post: &[BString]) -> Vec<u8> {
    let mut words: Vec<&[u8]> = Vec::new();
    for (keyword, names) in [(&b"pre:"[..], pre), (b"post:", post)] {
        if !names.is_empty() {
            words.push(keyword);
            words.extend(names.iter().map(|name| name.as_slice()));
        }
    }
    words.join(&b' ')
}

impl<'a> Config<'a> {
    pub(crate) fn new(config: &'a ModprobeConfig) -> Self {
        Self(config)
    }

    /// All lines, directive by directive as `modprobe -c` prints them, those of each in the order in
    /// which they count. Those of modutils.d, which `modprobe -c` does not print, come first.
    pub fn lines(self) -> impl Iterator<Item = Line<'a>> {
        let config = self.0;
        let denies = config.denies.iter().map(Line::from);
        let explains = config.explains.iter().map(Line::from);
        let blacklist = config.blacklist.iter().map(Line::from);
        let installs = config.installs.iter().map(Line::of_install);
        let removes = config.removes.iter().map(Line::of_remove);
        let aliases = config.aliases.iter().map(Line::from);
        let options = config.options.iter().map(Line::from);
        let softdeps = config.softdeps.iter().map(Line::from);
        let weakdeps = config.weakdeps.iter().map(Line::from);
        let commands = installs.chain(removes);
        let ours = denies.chain(explains);
        ours.chain(blacklist).chain(commands).chain(aliases).chain(options).chain(softdeps).chain(weakdeps)
    }
}

impl fmt::Debug for Config<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

impl<'a> Line<'a> {
    /// An `install` line.
    pub(crate) fn of_install(CommandLine { pattern, command, origin }: &'a CommandLine) -> Self {
        let (pattern, command) = (pattern.as_bstr(), command.as_bstr());
        Self { directive: Directive::Install { pattern, command }, origin }
    }

    /// A `remove` line.
    pub(crate) fn of_remove(CommandLine { pattern, command, origin }: &'a CommandLine) -> Self {
        let (pattern, command) = (pattern.as_bstr(), command.as_bstr());
        Self { directive: Directive::Remove { pattern, command }, origin }
    }
}

impl<'a> From<&'a DenyLine> for Line<'a> {
    fn from(DenyLine { pattern, reason, origin }: &'a DenyLine) -> Self {
        let (pattern, reason) = (pattern.as_bstr(), reason.as_bstr());
        Self { directive: Directive::Deny { pattern, reason }, origin }
    }
}

impl<'a> From<&'a ExplainLine> for Line<'a> {
    fn from(ExplainLine { when, origin }: &'a ExplainLine) -> Self {
        Self { directive: Directive::Explain { when: *when }, origin }
    }
}

impl<'a> From<&'a BlacklistLine> for Line<'a> {
    fn from(BlacklistLine { module, origin }: &'a BlacklistLine) -> Self {
        Self { directive: Directive::Blacklist { module: module.as_bstr() }, origin }
    }
}

impl<'a> From<&'a AliasLine> for Line<'a> {
    fn from(AliasLine { pattern, module, origin }: &'a AliasLine) -> Self {
        let (pattern, module) = (pattern.as_bstr(), module.as_bstr());
        Self { directive: Directive::Alias { pattern, module }, origin }
    }
}

impl<'a> From<&'a OptionsLine> for Line<'a> {
    fn from(OptionsLine { name, options, origin }: &'a OptionsLine) -> Self {
        let (module, options) = (name.as_bstr(), options.as_bstr());
        Self { directive: Directive::Options { module, options }, origin }
    }
}

impl<'a> From<&'a SoftdepLine> for Line<'a> {
    fn from(SoftdepLine { pattern, pre, post, origin }: &'a SoftdepLine) -> Self {
        Self { directive: Directive::Softdep { pattern: pattern.as_bstr(), pre, post }, origin }
    }
}

impl<'a> From<&'a WeakdepLine> for Line<'a> {
    fn from(WeakdepLine { pattern, names, text, origin }: &'a WeakdepLine) -> Self {
        let (pattern, text) = (pattern.as_bstr(), text.as_bstr());
        Self { directive: Directive::Weakdep { pattern, names, text }, origin }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn lines_come_directive_by_directive_as_modprobe_takes_them() {
        let text = "weakdep w  x y\nsoftdep s post: b pre: a\nsoftdep n x\noptions o-p  a=1\nalias a-* b-c\n\
                    remove r cmd\ninstall i  cmd 1\nblacklist b-l\n";
        let mut config = ModprobeConfig::default();
        config.add_file(&Path::new("/t.conf").into(), text.as_bytes(), &mut |_| ());
        let ours = b"deny d no such thing\nexplain  never\ndeny e\n";
        config.add_modutils_file(&Path::new("/d.conf").into(), ours, &mut |_| ());
        let lines: Vec<String> = Config::new(&config)
            .lines()
            .map(|line| format!("{}:{}", line.origin.line, line.directive.text()))
            .collect();
        let expected = [
            "1:deny d no such thing",
            "3:deny e",
            "2:explain never",
            "8:blacklist b_l",
            "7:install i  cmd 1",
            "6:remove r cmd",
            "5:alias a_* b_c",
            "4:options o_p  a=1",
            "2:softdep s pre: a post: b",
            "3:softdep n ",
            "1:weakdep w  x y",
        ];
        assert_eq!(lines, expected);
    }
}
