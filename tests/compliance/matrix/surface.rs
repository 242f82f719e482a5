//! The options, directives and variables that the matrix must cover, and how options may be spelled.

/// One row of the matrix.
pub(crate) struct ToolOption {
    pub(crate) tool: &'static str,
    /// The long option, or a directive, a variable or another behaviour.
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) takes_value: bool,
}

/// Every row.
pub(crate) fn surface() -> Vec<ToolOption> {
    let mut rows = Vec::new();
    for (tool, list) in TOOLS {
        for word in list.split_whitespace() {
            let (word, takes_value) = word.strip_suffix('=').map_or((word, false), |word| (word, true));
            let (name, short) =
                word.split_once('/').map_or((word, None), |(name, short)| (name, short.chars().next()));
            rows.push(ToolOption { tool, name, short, takes_value });
        }
    }
    rows
}

/// `--LONG/SHORT`, with `=` for one that takes a value; then the rows that are not options.
const TOOLS: [(&str, &str); 5] = [
    ("insmod", "--force/f --syslog/s --verbose/v --version/V --help/h file parameters kernel getopt"),
    ("rmmod", "--force/f --syslog/s --verbose/v --version/V --help/h name kernel getopt"),
    ("lsmod", "--syslog/s --verbose/v --version/V --help/h listing getopt"),
    ("kmod", "--version/V --help/h help list static-nodes --output/o= --format/f= command getopt"),
    (
        "modprobe",
        "--all/a --remove/r --remove-dependencies --remove-holders --wait/w= --resolve-alias/R --show-alias --first-time \
         --ignore-install/i --ignore-remove --use-blacklist/b --force/f --force-modversion --force-vermagic \
         --show-depends/D --showconfig --show-config/c --show-modversions --dump-modversions --show-exports \
         --dry-run/n --show --config/C= --dirname/d= --set-version/S= --syslog/s --quiet/q --verbose/v --version/V \
         --help/h \
         alias options install remove blacklist softdep weakdep include config-lines config-directories \
         modules.softdep modules.weakdep modules.dep modules.alias modules.symbols modules.builtin \
         $MODPROBE_OPTIONS $MODPROBE_MODULE $CMDLINE_OPTS cmdline-parameters cmdline-blacklist \
         name path parameters usermode-helper syslog sigpipe bytes kernel compression getopt",
    ),
];

/// The other spellings of a command line with the long option: short, with `=`, abbreviated.
pub(crate) fn spellings(row: &ToolOption, all: &[ToolOption], argv: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    if !row.name.starts_with("--") {
        return Vec::new();
    }
    let Some(at) = argv.iter().position(|argument| argument == row.name.as_bytes()) else {
        return Vec::new();
    };
    let with = |words: Vec<Vec<u8>>| {
        let taken = if row.takes_value { 2 } else { 1 };
        let (before, after) = (argv[..at].to_vec(), argv[at + taken..].to_vec());
        [before, words, after].concat()
    };
    let value = row.takes_value.then(|| argv[at + 1].clone());
    let mut spelled = Vec::new();
    let short_name = abbreviation(row, all).into_bytes();
    match (value, row.short) {
        (None, short) => {
            spelled.push(with(vec![short_name]));
            spelled.extend(short.map(|short| with(vec![format!("-{short}").into_bytes()])));
        }
        (Some(value), short) => {
            let joined = |name: &[u8]| [name, b"=", &value].concat();
            spelled.push(with(vec![joined(row.name.as_bytes())]));
            spelled.push(with(vec![short_name.clone(), value.clone()]));
            spelled.push(with(vec![joined(&short_name)]));
            if let Some(short) = short {
                let short = format!("-{short}").into_bytes();
                spelled.push(with(vec![short.clone(), value.clone()]));
                spelled.push(with(vec![[short, value].concat()]));
            }
        }
    }
    spelled
}

/// The shortest prefix of a long option that no other one of the tool has; the whole name where others start with it.
fn abbreviation(row: &ToolOption, all: &[ToolOption]) -> String {
    let others = || all.iter().filter(|other| other.tool == row.tool && other.name != row.name);
    let unique = |length: &usize| !others().any(|other| other.name.starts_with(&row.name[..*length]));
    let length = (3..row.name.len()).find(unique).unwrap_or(row.name.len());
    row.name[..length].to_owned()
}
