//! The kernel's own symbols, from its build: `Module.symvers` (`-E`) or `System.map` (`-F`).

use std::path::Path;

use bstr::ByteSlice;

use crate::{
    Error, Notice, Result, Sink,
    file::{TREE_FILE_LIMIT, read_named},
    formats::{symvers, system_map},
};

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
pub fn read(source: Source, path: &Path, prefix: Option<u8>, sink: &mut Sink) -> Result<Vec<(Vec<u8>, u64)>> {
    let bytes = read_named(path, TREE_FILE_LIMIT).map_err(Error::io("read", path))?;
    let mut symbols = Vec::new();
    for (number, line) in (1_u32..).zip(bytes.lines_with_terminator()) {
        let symbol = match source {
            Source::Symvers => parse_symvers(line),
            Source::SystemMap => parse_system_map(line, prefix),
        };
        match symbol {
            Ok(Some((name, crc))) => symbols.push((name.to_vec(), crc)),
            Ok(None) => {}
            Err(BadLine { separator, what }) => {
                let place = format!("{}:{number}{separator} ", path.display());
                sink(Notice::error([place.as_bytes(), &what].concat()));
            }
        }
    }
    Ok(symbols)
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
            let what = [b"Invalid symbol version ", line.crc_text, b": Invalid argument"].concat();
            Err(BadLine { separator: "", what })
        }
    }
}

fn parse_system_map(line: &[u8], prefix: Option<u8>) -> Result<Symbol<'_>, BadLine> {
    let Some(name) = system_map::name(line) else {
        return Err(BadLine { separator: ":", what: [b"invalid line: ", line].concat() });
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
        let symbols = symbols.unwrap().into_iter().map(|(name, crc)| (String::from_utf8(name).unwrap(), crc));
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
    fn only_the_ksymtab_lines_of_a_system_map_count() {
        let text = "ff T kern\nff r __ksymtab_kern\n0 ?\nff r ___ksymtab_under\n";
        let (symbols, notices) = read_text(Source::SystemMap, text, None);
        assert_eq!(symbols, [("kern".to_owned(), 0)]);
        assert_eq!(notices, ["FILE:3: invalid line: 0 ?\n"]);
        let (symbols, _) = read_text(Source::SystemMap, text, Some(b'_'));
        assert_eq!(symbols, [("under".to_owned(), 0)]);
    }
}
