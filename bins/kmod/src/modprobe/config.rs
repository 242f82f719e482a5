//! The configuration and the indexes, printed as lines that modprobe.d would take.

use std::thread;

use modutils::{
    config::Origin,
    index::{Indexes, Trie},
};

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
    let directory = tool.context.indexes.directory().to_owned();
    // The symbols are read by another processor meanwhile.
    let symbols = thread::Builder::new().spawn(move || {
        let mut lines = Vec::with_capacity(16 * CHUNK);
        let dumped = dump(Indexes::new(directory).symbols(), |chunk| lines.append(chunk));
        (lines, dumped)
    });
    let aliases = dump(tool.context.indexes.alias(), |chunk| report.print(&*chunk));
    let mut done = told(aliases, report);
    done &= match symbols.map(thread::JoinHandle::join) {
        Ok(Ok((lines, dumped))) => {
            report.print(lines);
            told(dumped, report)
        }
        // Without a thread it is done here.
        _ => told(dump(tool.context.indexes.symbols(), |chunk| report.print(&*chunk)), report),
    };
    done
}

fn told(dumped: modutils::Result<()>, report: &mut Report) -> bool {
    dumped.map_err(|error| report.error(error.to_string())).is_ok()
}

fn configuration(tool: &Tool, report: &mut Report) {
    let config = &tool.context.config;
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

/// How many bytes of lines are printed at once.
const CHUNK: usize = 64 << 10;

/// Makes lines of an index and gives them away in chunks, which are empty again after that.
fn dump(index: modutils::Result<Option<&Trie>>, mut give: impl FnMut(&mut Vec<u8>)) -> modutils::Result<()> {
    let Some(index) = index? else { return Ok(()) };
    let mut lines = Vec::with_capacity(2 * CHUNK);
    let mut chunk = |lines: &mut Vec<u8>| {
        give(lines);
        lines.clear();
    };
    let dumped = index.for_each(&mut |key, value| {
        lines.extend_from_slice(b"alias ");
        lines.extend_from_slice(key);
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
