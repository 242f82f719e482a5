//! Prints the configuration and the indexes as lines of modprobe.d.

use modutils::{Index, config::Directive};

use super::Tool;
use crate::{report::Report, status::Status};

/// Prints everything. With `--verbose`, the origin precedes each line of the configuration.
pub(super) fn show(tool: &Tool, report: &mut Report) -> Status {
    if tool.document.is_open() {
        let dumped = super::document::print_configuration(tool, report);
        return status_of(dumped, report);
    }
    print_configuration(tool, report);
    report.print("\n# End of configuration files. Dumping indexes now:\n\n");
    let aliases = dump(tool, Index::Aliases, report);
    let symbols = dump(tool, Index::Symbols, report);
    aliases.and(symbols)
}

fn status_of(dumped: modutils::Result<()>, report: &mut Report) -> Status {
    dumped.map_or_else(|error| report.fail(error.to_string()), |()| Status::Success)
}

fn print_configuration(tool: &Tool, report: &mut Report) {
    // The directives of modutils.d are not valid in modprobe.d.
    let is_shown =
        |directive: &Directive| !matches!(directive, Directive::Deny { .. } | Directive::Explain { .. });
    for line in tool.context.config().lines().filter(|line| is_shown(&line.directive)) {
        if tool.options.verbose > 0 {
            report.print_line(format!("# {}", line.origin));
        }
        report.print_line(line.directive.text());
    }
}

/// How many bytes are collected before they are printed.
const CHUNK: usize = 32 << 10;

/// Prints the keys of an index as lines.
fn dump(tool: &Tool, index: Index, report: &mut Report) -> Status {
    let mut lines = Vec::with_capacity(CHUNK + 4096);
    let mut chunk = |lines: &mut Vec<u8>| {
        report.print(&*lines);
        lines.clear();
    };
    let dumped = tool.context.dump_behind(b"alias ", index, |start, value| {
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
    status_of(dumped, report)
}
