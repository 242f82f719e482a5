//! The kernel's own symbols, from its build: `Module.symvers` (`-E`) or `System.map` (`-F`).

use std::path::Path;

use bstr::ByteSlice;

use super::few_notices::few;
use crate::{
    Error, Notice, Result, Sink,
    config::lines::binary_kind,
    file::{TREE_FILE_LIMIT, read_named},
    formats::{symvers, system_map},
    shown::{shown, shown_path},
};

/// The names of symbols with their CRCs.
pub type KernelSymbols = Vec<(Vec<u8>, u64)>;

/// Which file lists the kernel's symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `Module.symvers`, which has the CRCs.
    Symvers,
    /// `System.map`, which has none.
    SystemMap,
}

/// Reads the names and CRCs of the symbols that the kernel itself exports; from a `System.map`
/// without CRCs, then zero. Lines that are damaged go to the sink and do not count.
///
/// `prefix` is a byte before the names in a `System.map`.
///
/// # Errors
/// Where the file cannot be read.
pub fn read(
    source: Source,
    path: &Path,
    prefix: Option<u8>,
    sink: &mut Sink,
) -> Result<Option<KernelSymbols>> {
    let bytes = read_named(path, TREE_FILE_LIMIT).map_err(Error::io("read", path))?;
    let (mut symbols, mut notices) = (Vec::new(), Vec::new());
    let shown = path.as_os_str().as_encoded_bytes();
    few(shown, &mut |notice| notices.push(notice), |sink| {
        for (number, line) in (1_u32..).zip(bytes.lines_with_terminator()) {
            let symbol = match source {
                Source::Symvers => parse_symvers(line),
                Source::SystemMap => parse_system_map(line, prefix),
            };
            match symbol {
                Ok(Some((name, crc))) => symbols.push((name.to_vec(), crc)),
                Ok(None) => {}
                Err(BadLine { separator, what }) => {
                    let place = format!("{}:{number}{separator} ", shown_path(path));
                    sink(Notice::error([place.as_bytes(), &what].concat()));
                }
            }
        }
    });
    if symbols.is_empty() {
        // Then all its lines are of some other form, and every symbol of every module would be unknown.
        let (what, list) = match source {
            Source::Symvers => ("Module.symvers", "no line of the kernel's (vmlinux)"),
            Source::SystemMap => ("System.map", "no exported symbol (__ksymtab_)"),
        };
        let kind =
            binary_kind(&bytes).map_or_else(|| format!("it has {list}"), |kind| format!("it is {kind}"));
        sink(Notice::warning(format!(
            "{} is no {what} of a kernel: {kind}. Symbols are not checked",
            shown_path(path)
        )));
        return Ok(None);
    }
    notices.into_iter().for_each(sink);
    Ok(Some(symbols))
}

/// What is reported about a damaged line.
struct BadLine {
    separator: &'static str,
    what: Vec<u8>,
}

type Symbol<'a> = Option<(&'a [u8], u64)>;

fn parse_symvers(line: &[u8]) -> Result<Symbol<'_>, BadLine> {
    let Some(line) = symvers::Line::parse(line).filter(symvers::Line::is_kernels) else { return Ok(None) };
    match line.crc() {
        Some(crc) => Ok(Some((line.name, crc))),
        None => {
            let what = format!("Invalid symbol version {}: Invalid argument", shown(line.crc_text));
            Err(BadLine { separator: "", what: what.into_bytes() })
        }
    }
}

/// As kmod has it, with the end of the line.
fn invalid_line(line: &[u8]) -> Vec<u8> {
    let (text, end) = line.strip_suffix(b"\n").map_or((line, ""), |text| (text, "\n"));
    format!("invalid line: {}{end}", shown(text)).into_bytes()
}

fn parse_system_map(line: &[u8], prefix: Option<u8>) -> Result<Symbol<'_>, BadLine> {
    let Some(name) = system_map::name(line) else {
        return Err(BadLine { separator: ":", what: invalid_line(line) });
    };
    let name = prefix.and_then(|prefix| name.strip_prefix(&[prefix])).unwrap_or(name);
    Ok(system_map::exported(name).map(|name| (name, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(source: Source, text: &str, prefix: Option<u8>) -> (Vec<(String, u64)>, Vec<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut notices = Vec::new();
        let symbols = read(source, file.path(), prefix, &mut |notice| {
            notices.push(notice.message.to_string().replace(file.path().to_str().unwrap(), "FILE"));
        });
        let symbols = symbols
            .unwrap()
            .unwrap_or_default()
            .into_iter()
            .map(|(name, crc)| (String::from_utf8(name).unwrap(), crc));
        (symbols.collect(), notices)
    }

    #[test]
    fn only_the_kernels_own_lines_of_symvers_count() {
        let text = "0x00000005\tkern\tvmlinux\tEXPORT_SYMBOL\n0x7\tother\tdrivers/x\tEXPORT_SYMBOL\nbad\n\
                    0xzz\tbroken\tvmlinux\tEXPORT_SYMBOL\n";
        let (symbols, notices) = read_text(Source::Symvers, text, None);
        assert_eq!(symbols, [("kern".to_owned(), 5)]);
        assert_eq!(notices, ["FILE:4 Invalid symbol version 0xzz: Invalid argument"]);
    }

    #[test]
    fn a_file_of_another_kind_gets_one_message() {
        for (source, text, kind) in [
            (Source::SystemMap, "\x7fELF\x02\n\x1b\nraw\n", "System.map of a kernel: it is an ELF file"),
            (Source::Symvers, "\x7fELF\x02\n", "Module.symvers of a kernel: it is an ELF file"),
            (
                Source::SystemMap,
                "ff B The real System.map is elsewhere\n",
                "System.map of a kernel: it has no exported symbol (__ksymtab_)",
            ),
            (
                Source::Symvers,
                "0x7\tother\tdrivers/x\tEXPORT_SYMBOL\n",
                "Module.symvers of a kernel: it has no line of the kernel's (vmlinux)",
            ),
        ] {
            let (symbols, notices) = read_text(source, text, None);
            assert_eq!(
                (symbols.len(), notices),
                (0, vec![format!("FILE is no {kind}. Symbols are not checked")])
            );
        }
    }

    #[test]
    fn only_the_ksymtab_lines_of_a_system_map_count() {
        let text = "ff T kern\nff r __ksymtab_kern\n0 ?\nff r ___ksymtab_under\n";
        let (symbols, notices) = read_text(Source::SystemMap, text, None);
        assert_eq!(symbols, [("kern".to_owned(), 0)]);
        assert_eq!(notices, ["FILE:3: invalid line: 0 ?\n"]);
        let (symbols, _) = read_text(Source::SystemMap, text, Some(b'_'));
        assert_eq!(symbols, [("under".to_owned(), 0)]);
    }
}
