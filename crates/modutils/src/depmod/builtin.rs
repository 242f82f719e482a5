//! The modules built into the kernel: `modules.builtin` and `modules.builtin.modinfo`.

use std::path::Path;

use bstr::ByteSlice;

use super::{
    few_notices::few, index_entry::insert_alias, omission::Omissions, same_place::Place, unread_list,
};
use crate::{
    Malformed, ModuleName, Notice, Sink,
    file::{TREE_FILE_LIMIT, read_opened},
    index::TrieBuilder,
};

/// The bytes of `modules.builtin.bin`: the names in `modules.builtin`, a line for each module with
/// the path it would have. Empty, without the header even, where that file is missing.
///
/// # Errors
/// Where the index would be too large for its format.
pub fn names_index(
    directory: &Path,
    place: Option<&Place>,
    omissions: &mut Omissions,
    sink: &mut Sink,
) -> Result<Vec<u8>, Malformed> {
    let Some(bytes) = read("modules.builtin", directory, place, omissions, sink) else {
        return Ok(Vec::new());
    };
    let mut trie = TrieBuilder::new();
    few(b"modules.builtin", sink, |sink| {
        for line in bytes.lines_with_terminator() {
            let name = name_of_line(line).filter(|name| trie.insert(name.as_bytes(), b"", 0).is_ok());
            if name.is_none() {
                sink(Notice::error([b"Invalid modules.builtin line: ", line].concat()));
            }
        }
    });
    trie.to_bytes()
}

/// The bytes of `modules.builtin.alias.bin`: the aliases in `modules.builtin.modinfo`, which is a row
/// of NUL-terminated strings `NAME.key=value`. Empty, without the header even, where that file is
/// missing.
///
/// # Errors
/// Where the index would be too large for its format.
pub fn aliases_index(
    directory: &Path,
    place: Option<&Place>,
    omissions: &mut Omissions,
    sink: &mut Sink,
) -> Result<Vec<u8>, Malformed> {
    let Some(bytes) = read("modules.builtin.modinfo", directory, place, omissions, sink) else {
        return Ok(Vec::new());
    };
    let mut trie = TrieBuilder::new();
    few(b"modules.builtin.modinfo", sink, |sink| {
        for string in bytes.split_inclusive(|&byte| byte == 0) {
            // A string without its end was cut short.
            let entry = string.strip_suffix(b"\0").and_then(|string| string.split_once_str("."));
            let Some((name, field)) = entry else { continue };
            let Some(alias) = field.strip_prefix(b"alias=") else { continue };
            if !name.is_empty() && !alias.is_empty() {
                insert_alias(&mut trie, alias, name, 0, sink);
            }
        }
    });
    trie.to_bytes()
}

/// The name of the module that a line of `modules.builtin` is about. Paths begin with a letter.
fn name_of_line(line: &[u8]) -> Option<ModuleName> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.first().filter(|first| first.is_ascii_alphabetic())?;
    let file = line.rsplit_once_str("/").map_or(line, |(_, file)| file);
    let name = file.split_once_str(".").map_or(file, |(name, _)| name);
    (!name.is_empty()).then(|| ModuleName::new(name))
}

fn read(
    file: &str,
    directory: &Path,
    place: Option<&Place>,
    omissions: &mut Omissions,
    sink: &mut Sink,
) -> Option<Vec<u8>> {
    let bytes = read_opened(Place::open_file(place, &directory.join(file)), TREE_FILE_LIMIT);
    bytes.map_err(|error| omissions.report(unread_list(file, directory, error), sink)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Trie;

    type Index = fn(&Path, Option<&Place>, &mut Omissions, &mut Sink) -> Result<Vec<u8>, Malformed>;

    fn entries(index: Index, file: &str, text: &[u8]) -> (Vec<(String, String)>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(file), text).unwrap();
        let mut notices = Vec::new();
        let mut sink = |notice: Notice| notices.push(notice.to_string());
        let bytes = index(directory.path(), None, &mut Omissions::default(), &mut sink);
        let trie = Trie::from_bytes(Path::new("test.bin"), bytes.unwrap()).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let entries = trie.entries().unwrap().into_iter().map(|(key, value)| (text(key), text(value)));
        (entries.collect(), notices)
    }

    #[test]
    fn names_are_those_of_the_files_normalised() {
        let text = b"kernel/a-b.ko\nnoslash.ko\nkernel/noext\nkernel/f.g.ko\n\n kernel/h.ko\nkernel/last.ko";
        let (entries, notices) = entries(names_index, "modules.builtin", text);
        let names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a_b", "f", "last", "noext", "noslash"]);
        let expected = ["Invalid modules.builtin line: \n", "Invalid modules.builtin line:  kernel/h.ko\n"];
        assert_eq!(notices, expected);
    }

    #[test]
    fn aliases_are_normalised_and_their_modules_are_not() {
        let text = b"a-b.license=GPL\0a-b.alias=foo-bar\0\0c.alias=x[\0c.alias=y[a-z]-*\0nodot\0q.x.alias=n\0a.alias=cut";
        let (entries, notices) = entries(aliases_index, "modules.builtin.modinfo", text);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(entries, [pair("foo_bar", "a-b"), pair("y[a-z]_*", "c")]);
        assert_eq!(notices, ["Unmatched bracket in x["]);
    }

    #[test]
    fn a_missing_file_is_reported_and_leaves_an_empty_index() {
        let directory = tempfile::tempdir().unwrap();
        let (mut omissions, mut notices) = (Omissions::default(), 0);
        let mut sink = |_| notices += 1;
        assert_eq!(names_index(directory.path(), None, &mut omissions, &mut sink), Ok(Vec::new()));
        assert_eq!(aliases_index(directory.path(), None, &mut omissions, &mut sink), Ok(Vec::new()));
        assert_eq!((notices, omissions.as_slice().len(), omissions.has_unread()), (2, 2, false));
    }
}
