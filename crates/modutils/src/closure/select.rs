//! Which modules a pattern selects.

use std::os::unix::ffi::OsStrExt;

use crate::{Context, Module, ModuleName, Result, glob::fnmatch, index::Trie};

/// The modules of the tree that a shell pattern matches, by name. A pattern with a slash is matched against the path
/// below the module directory (`kernel/drivers/net/*`), any other against the name, in which a dash is an underscore.
/// As in modprobe.d(5), a `*` also matches slashes.
///
/// # Errors
/// When the index cannot be read.
pub fn matching(context: &Context, pattern: &[u8]) -> Result<Vec<Module>> {
    let by_path = pattern.contains(&b'/');
    let pattern: Vec<u8> = match by_path {
        true => pattern.to_owned(),
        false => pattern.iter().map(|&byte| if byte == b'-' { b'_' } else { byte }).collect(),
    };
    let entries = context.indexes().dep()?.map(Trie::entries).transpose()?.unwrap_or_default();
    let mut found = Vec::new();
    for (key, _) in entries {
        let module = context.module(ModuleName::new(&key));
        let matches = if by_path {
            let below = module.path()?.and_then(|path| path.strip_prefix(context.directory()).ok());
            below.is_some_and(|path| fnmatch(&pattern, path.as_os_str().as_bytes()))
        } else {
            fnmatch(&pattern, &key)
        };
        if matches {
            found.push(module);
        }
    }
    Ok(found)
}
