//! What is in a module's file, as lists.

use std::ffi::CString;

use bstr::BStr;
use modutils::{
    Errno, Error, Result,
    module_file::{Binding, ModuleFile, Signature},
};

use crate::{
    list::{Symbol, Value},
    module::KmodModule,
    text::c_string,
};

/// What a list is made of, or why there is none: an error to be logged, or only a number.
pub(crate) type Facts = std::result::Result<Vec<Value>, NoFacts>;

/// Why there is no list.
pub(crate) enum NoFacts {
    /// Something could not be read.
    Failed(Error),
    /// There is nothing of what was asked for.
    Nothing(Errno),
}

impl From<Error> for NoFacts {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The entries of `.modinfo`, and those of the signature.
///
/// # Errors
/// When nothing is known of the module, or its file cannot be read.
pub(crate) fn info(module: &KmodModule) -> Facts {
    let module = module.now();
    let info = module.modinfo()?;
    if module.path()?.is_none() && info.fields().is_empty() {
        return Err(NoFacts::Nothing(Errno::ENOENT));
    }
    let field = |key: &BStr, value: &[u8]| Value::Field { key: c_string(key), value: c_string(value) };
    let mut values: Vec<Value> = info.fields().iter().map(|entry| field(entry.key, entry.value)).collect();
    if let Some(signature) = module.signature()? {
        values.extend(signature_fields(&signature).into_iter().map(|(key, value)| field(key.into(), &value)));
    }
    Ok(values)
}

/// The entries that modinfo(8) shows of a signature; none if it could not be parsed.
fn signature_fields(signature: &Signature) -> Vec<(&'static str, Vec<u8>)> {
    let Some(details) = &signature.details else { return Vec::new() };
    vec![
        ("sig_id", signature.id_type.name().into()),
        ("signer", details.signer.clone().unwrap_or_default().into()),
        ("sig_key", hexadecimal(&details.key_id, usize::MAX)),
        ("sig_hashalgo", details.hash.into()),
        ("signature", hexadecimal(&details.bytes, 20)),
    ]
}

/// Bytes as `59:29:…`, so many on a line; a line after the first one is indented.
fn hexadecimal(bytes: &[u8], per_line: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() * 3);
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 {
            text.push(b':');
            if place % per_line == 0 {
                text.extend_from_slice(b"\n\t\t");
            }
        }
        text.extend_from_slice(format!("{byte:02X}").as_bytes());
    }
    text
}

/// The CRCs that the module was built against.
///
/// # Errors
/// When its file is not known or cannot be read, or has none.
pub(crate) fn versions(module: &KmodModule) -> Facts {
    let module = module.now();
    need_file(&module)?;
    let symbol = |name: &BStr, crc| Value::Symbol(Symbol { name: c_string(name), crc, bind: 0 });
    some(module.versions()?.iter().map(|version| symbol(version.name, version.crc)).collect())
}

/// The symbols that the module offers.
///
/// # Errors
/// As [`versions`].
pub(crate) fn exports(module: &KmodModule) -> Facts {
    let module = module.now();
    need_file(&module)?;
    let symbol = |name: &BStr, crc| Value::Symbol(Symbol { name: c_string(name), crc, bind: 0 });
    some(module.exports()?.iter().map(|export| symbol(export.name, export.crc.unwrap_or_default())).collect())
}

/// The symbols that the module needs, which may be none.
///
/// # Errors
/// When its file is not known or cannot be read, or has neither a symbol table nor versions.
pub(crate) fn needs(module: &KmodModule) -> Facts {
    let module = module.now();
    need_file(&module)?;
    if !module.file()?.is_some_and(ModuleFile::has_symbols) && module.versions()?.is_empty() {
        return Err(NoFacts::Nothing(Errno::ENODATA));
    }
    let values = module.needs()?.into_iter().map(|needed| {
        let bind = match needed.binding {
            Binding::Weak => b'W',
            _ => b'U',
        };
        Value::Symbol(Symbol { name: c_string(needed.name), crc: needed.crc.unwrap_or_default(), bind })
    });
    Ok(values.collect())
}

/// The sections of a loaded module.
///
/// # Errors
/// When the kernel's list cannot be read.
pub(crate) fn sections(module: &KmodModule) -> Result<Vec<Value>> {
    let sections = module.running().sections()?;
    let value = |name: CString, address| Value::Section { name, address };
    Ok(sections
        .into_iter()
        .map(|section| value(c_string(&section.name), section.address.unwrap_or_default()))
        .collect())
}

fn need_file(module: &modutils::Module) -> std::result::Result<(), NoFacts> {
    if module.path()?.is_some() { Ok(()) } else { Err(NoFacts::Nothing(Errno::ENOENT)) }
}

fn some(values: Vec<Value>) -> Facts {
    if values.is_empty() { Err(NoFacts::Nothing(Errno::ENODATA)) } else { Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_signature_has_several_lines() {
        assert_eq!(hexadecimal(&[0x59, 0x0a], 20), b"59:0A");
        assert_eq!(hexadecimal(&[1; 3], 2), b"01:01:\n\t\t01");
        assert_eq!(hexadecimal(&[], 2), b"");
    }
}
