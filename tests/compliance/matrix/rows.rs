//! Where we deliberately differ from kmod: the rows of docs/differences.md, that concern the loading tools, and
//! behind them rows that the matrix found.

/// A row there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// `modprobe.blacklist=a-b` on the kernel command line.
    CmdlineBlacklistDash,
    /// An install command killed by a signal.
    KilledCommand,
    /// A dependency listed in modules.dep is missing on disk.
    MissingDependency,
    /// An alias with several targets, one fails.
    SeveralTargets,
    /// Several `softdep` lines for one module.
    SeveralSoftdeps,
    /// Any softdep disables the module's install command.
    SoftdepAndInstall,
    /// `-D` listing a module twice.
    ListedTwice,
    /// `-n` without `-v`.
    DryRunPrints,
    /// `--show-exports NAME`, likewise `--show-modversions`.
    ShowByName,
    /// What failed is reported in kmod's words, then why, indented.
    Cause,
    /// `__version_ext_names` and `__version_ext_crcs`.
    LongVersions,
    /// gz modules.
    Gzip,
    /// `--wait` that ends while the module is still used.
    WaitTimeout,
    /// `-c` prints `softdep a pre: bpost: c`.
    SoftdepBlank,
    /// Options of later kmods, which 34.2 does not have.
    MasterOptions,
    /// A kernel command line of more than 4,095 bytes is cut.
    LongCommandLine,
    /// Blanks at an end of `$MODPROBE_OPTIONS` make an empty argument.
    BlankOptions,
    /// A file that is damaged or missing is named, with the cause.
    BrokenFile,
    /// Configuration that cannot be read is named.
    UnreadableConfig,
    /// `-q` silences complaints about configuration, too.
    QuietConfig,
    /// `kmod` under a name that is not a tool's.
    OtherName,
    /// `kmod TOOL` runs the tool.
    ToolCommand,
    /// Control characters are escaped in messages.
    ControlCharacters,
    /// An option with an empty value is as if it were not given.
    EmptyValue,
    /// With standard error closed every tool logs; kmod's modprobe does, from when it has read its configuration.
    ClosedStderr,
    /// `modules.softdep` and `modules.weakdep` can only have dependencies of their module.
    DepmodLists,
    /// Quotes around a list on the kernel command line.
    CmdlineQuotes,
    /// CR LF and byte order marks.
    OtherLineEnds,
    /// A binary file as configuration.
    BinaryConfig,
    /// A word with a slash that is a file.
    SlashIsFile,
    /// What /sys does not have of a module, /proc/modules has.
    ListOfModules,
    /// A loaded module whose own name has a dash.
    OwnDash,
    /// A `--wait` that is no number of milliseconds.
    WaitNumber,
    /// `--remove-holders` implies `-r`.
    HoldersAlone,
    /// `--remove-holders` also removes holders of holders, and accepts that the module was removed with the last holder.
    RemoveHolders,
}

impl Row {
    pub(crate) const ALL: [Row; 35] = [
        Row::CmdlineBlacklistDash,
        Row::KilledCommand,
        Row::MissingDependency,
        Row::SeveralTargets,
        Row::SeveralSoftdeps,
        Row::SoftdepAndInstall,
        Row::ListedTwice,
        Row::DryRunPrints,
        Row::ShowByName,
        Row::Cause,
        Row::LongVersions,
        Row::Gzip,
        Row::WaitTimeout,
        Row::SoftdepBlank,
        Row::MasterOptions,
        Row::LongCommandLine,
        Row::BlankOptions,
        Row::BrokenFile,
        Row::UnreadableConfig,
        Row::QuietConfig,
        Row::OtherName,
        Row::ToolCommand,
        Row::ControlCharacters,
        Row::EmptyValue,
        Row::ClosedStderr,
        Row::DepmodLists,
        Row::CmdlineQuotes,
        Row::OtherLineEnds,
        Row::BinaryConfig,
        Row::SlashIsFile,
        Row::ListOfModules,
        Row::OwnDash,
        Row::WaitNumber,
        Row::HoldersAlone,
        Row::RemoveHolders,
    ];
}
