//! The configuration and the indexes, printed as lines that modprobe.d would take.

use modutils::{config::Origin, index::Trie};

use super::Tool;
use crate::report::Report;

/// Prints everything; with `--verbose`, each line of the configuration with its origin before it.
pub(super) fn show(tool: &Tool, report: &mut Report) -> bool {
    if tool.shown.is_wanted() {
        let dumped = super::document::configuration(tool, report);
        return dumped.map_err(|error| report.error(error.to_string())).is_ok();
    }
    configuration(tool, report);
    report.print("\n# End of configuration files. Dumping indexes now:\n\n");
    let indexes = tool.context.indexes();
    let aliases = dump(indexes.alias(), report);
    let aliases = told(aliases, report);
    let symbols = dump(indexes.symbols(), report);
    told(symbols, report) && aliases
}

fn told(dumped: modutils::Result<()>, report: &mut Report) -> bool {
    dumped.map_err(|error| report.error(error.to_string())).is_ok()
}

fn configuration(tool: &Tool, report: &mut Report) {
    let config = tool.context.config();
    let mut line = |origin: &Origin, parts: &[&[u8]]| {
        if tool.options.verbose > 0 {
            report.print_line(format!("# {origin}"));
        }
        report.print_line(parts.join(&b' '));
    };
    for entry in &config.blacklist {
        line(&entry.origin, &[b"blacklist", entry.module.as_bytes()]);
    }
    for entry in &config.installs {
        line(&entry.origin, &[b"install", entry.pattern.as_bytes(), &entry.command]);
    }
    for entry in &config.removes {
        line(&entry.origin, &[b"remove", entry.pattern.as_bytes(), &entry.command]);
    }
    for entry in &config.aliases {
        line(&entry.origin, &[b"alias", entry.pattern.as_bytes(), entry.module.as_bytes()]);
    }
    for entry in &config.options {
        line(&entry.origin, &[b"options", entry.name.as_bytes(), &entry.options]);
    }
    for entry in &config.softdeps {
        let mut words: Vec<&[u8]> = Vec::new();
        for (keyword, names) in [(&b"pre:"[..], &entry.pre), (b"post:", &entry.post)] {
            if !names.is_empty() {
                words.push(keyword);
                words.extend(names.iter().map(|name| name.as_slice()));
            }
        }
        line(&entry.origin, &[b"softdep", entry.pattern.as_bytes(), &words.join(&b' ')]);
    }
    for entry in &config.weakdeps {
        line(&entry.origin, &[b"weakdep", entry.pattern.as_bytes(), &entry.text]);
    }
}

/// How many bytes of lines are printed at once, and some more that a line may have.
const CHUNK: usize = 32 << 10;

/// Prints the keys of an index as lines.
fn dump(index: modutils::Result<Option<&Trie>>, report: &mut Report) -> modutils::Result<()> {
    let Some(index) = index? else { return Ok(()) };
    let mut lines = Vec::with_capacity(CHUNK + 4096);
    let mut chunk = |lines: &mut Vec<u8>| {
        report.print(&*lines);
        lines.clear();
    };
    let dumped = index.for_each_behind(b"alias ", &mut |start, value| {
        lines.reserve(start.len() + value.len() + 2);
        lines.extend_from_slice(start);
        lines.push(b' ');
        lines.extend_from_slice(value);
        lines.push(b'\n');
        if lines.len() >= CHUNK {
            chunk(&mut lines);
        }
    });
    chunk(&mut lines);
    dumped
}
