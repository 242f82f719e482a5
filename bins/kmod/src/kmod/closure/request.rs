//! What the arguments of `kmod closure` request: names, aliases, files, patterns, and lists of them.

use std::{ffi::OsString, os::unix::ffi::OsStrExt, path::Path};

use bstr::ByteSlice;
use modutils::{Context, Module, closure::matching};

use crate::{cause::failed_request, cli, report::Report, status::Status};

/// The modules that the arguments request; a failure where one requests none.
pub(super) fn modules(
    context: &Context,
    arguments: &[OsString],
    report: &mut Report,
) -> (Vec<Module>, Status) {
    let (mut found, mut status) = (Vec::new(), Status::Success);
    for argument in arguments {
        let argument = argument.as_bytes();
        let Some(list) = argument.strip_prefix(b"@") else {
            status = status.and(add(context, argument, &mut found, report));
            continue;
        };
        match read_list(list) {
            Ok(text) => {
                for word in words(&text) {
                    status = status.and(add(context, word, &mut found, report));
                }
            }
            Err(error) => status = report.fail([list, b": ", error.to_string().as_bytes()].concat()),
        }
    }
    (found, status)
}

/// A list: one argument on a line; `#` begins a comment.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let content = text.lines().map(|line| line.split(|&byte| byte == b'#').next().unwrap_or_default());
    content.map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

/// Lists are files of the caller, not of a root that the modules are in.
fn read_list(path: &[u8]) -> std::io::Result<Vec<u8>> {
    match path {
        b"-" => std::io::read_to_string(std::io::stdin()).map(String::into_bytes),
        _ => std::fs::read(Path::new(cli::os_str(path))),
    }
}

fn add(context: &Context, word: &[u8], found: &mut Vec<Module>, report: &mut Report) -> Status {
    let root = context.root();
    let result = if cli::names_file(word, root) {
        context.module_in_file(&root.locate(cli::os_str(word))).map(|module| vec![module])
    } else {
        context.lookup(word).and_then(|modules| match modules.is_empty() && is_pattern(word) {
            true => matching(context, word),
            false => Ok(modules),
        })
    };
    let error = match result {
        Ok(modules) if !modules.is_empty() => {
            found.extend(modules);
            return Status::Success;
        }
        Ok(_) => None,
        Err(error) => Some(error),
    };
    let why = failed_request::not_found(context, word, error.as_ref(), report);
    report.fail_because([b"Module ", word, b" not found."].concat(), why)
}

fn is_pattern(word: &[u8]) -> bool {
    word.iter().any(|byte| b"*?[".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_an_argument_on_each_line() {
        let text = b"ext4\n\n# drivers\n  virtio-net  # the network\r\npci:*\n";
        assert_eq!(words(text).collect::<Vec<_>>(), [&b"ext4"[..], b"virtio-net", b"pci:*"]);
    }
}
