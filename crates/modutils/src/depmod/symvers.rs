//! The kernel's own symbols, from its build: `Module.symvers` (`-E`) or `System.map` (`-F`).

use std::path::Path;

use bstr::ByteSlice;

use crate::{
    Error, Notice, Result, Sink,
    file::{TREE_FILE_LIMIT, read_named},
};

/// Which file tells the kernel's symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `Module.symvers`: a line for each exported symbol with its CRC, its name, and who exports it
    /// (`scripts/mod/modpost.c`).
    Symvers,
    /// `System.map`: a line for each symbol with its address, type and name, as nm(1) prints them.
    SystemMap,
}

/// Reads the names and CRCs of the symbols that the kernel itself exports; from a `System.map`
/// without CRCs, then zero. Lines that are damaged go to the sink and do not count.
///
/// `prefix` is a byte that stands before the names in a `System.map`.
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

/// What is told of a damaged line.
struct BadLine {
    separator: &'static str,
    what: Vec<u8>,
}

type Symbol<'a> = Option<(&'a [u8], u64)>;

fn parse_symvers(line: &[u8]) -> Result<Symbol<'_>, BadLine> {
    let mut fields = line.trim_end_with(|c| c == '\n').fields();
    let (Some(crc), Some(name), Some(b"vmlinux")) = (fields.next(), fields.next(), fields.next()) else {
        return Ok(None);
    };
    let digits = crc.strip_prefix(b"0x").unwrap_or(crc).to_str().ok();
    match digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        Some(crc) => Ok(Some((name, crc))),
        None => {
            let what = [b"Invalid symbol version ", crc, b": Invalid argument"].concat();
            Err(BadLine { separator: "", what })
        }
    }
}

/// A `__ksymtab_NAME` says that NAME is exported; the other symbols do not count.
fn parse_system_map(line: &[u8], prefix: Option<u8>) -> Result<Symbol<'_>, BadLine> {
    let Some(name) = line.splitn_str(3, " ").nth(2) else {
        return Err(BadLine { separator: ":", what: [b"invalid line: ", line].concat() });
    };
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    let name = prefix.and_then(|prefix| name.strip_prefix(&[prefix])).unwrap_or(name);
    Ok(name.strip_prefix(b"__ksymtab_").map(|name| (name, 0)))
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
