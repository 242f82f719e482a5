//! Facts as modinfo(8) prints them, byte for byte as kmod does. Pure: facts in, bytes out.

use bstr::ByteSlice;
use modutils::module_file::{ModInfo, Parameter, Signature};

/// The column where values start.
const VALUE_COLUMN: usize = 16;
/// How many bytes of a signature are printed on a line.
const SIGNATURE_LINE: usize = 20;

/// The parts of a signature.
const SIGNATURE_FIELDS: [&str; 5] = ["sig_id", "signer", "sig_key", "sig_hashalgo", "signature"];

/// The fields that modules have, as they are printed.
pub const FIELDS: [&str; 19] = [
    "alias",
    "author",
    "build-id",
    "depends",
    "description",
    "filename",
    "firmware",
    "import_ns",
    "intree",
    "license",
    "name",
    "parm",
    "parmtype",
    "signer",
    "softdep",
    "srcversion",
    "vermagic",
    "version",
    "weakdep",
];

/// What is to be printed, and how.
pub(super) struct Rendering {
    /// The values of this field only.
    pub field: Option<Vec<u8>>,
    /// NUL instead of a newline after each line.
    pub null: bool,
    /// Items of a document instead of lines.
    pub as_document: bool,
}

/// Whether the identifier of a build is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuildId {
    /// It is not: kmod 34 does not have it among its lines.
    Omitted,
    /// As a part of a document.
    BesideOthers,
    /// It was requested by its name.
    Requested,
}

/// Where a module is.
pub enum Location<'a> {
    /// In the file of that path.
    File(&'a [u8]),
    /// Built into the kernel, with this name.
    Builtin(&'a [u8]),
}

/// The facts of a module.
pub struct ModuleFacts<'a> {
    /// The entries of its `.modinfo` section.
    pub info: &'a ModInfo<'a>,
    /// The parameters, collected from these entries.
    pub parameters: &'a [Parameter<'a>],
    /// The signature of its file.
    pub signature: Option<&'a Signature>,
    /// The identifier of the build, where it is shown.
    pub build_id: Option<&'a [u8]>,
}

impl Rendering {
    /// Whether [`Rendering::location`] prints everything that was requested.
    pub fn needs_only_location(&self, location: &Location<'_>) -> bool {
        self.wants(b"filename") || (self.wants(b"name") && matches!(location, Location::Builtin(_)))
    }

    /// Whether parameters were requested.
    pub fn shows_parameters(&self) -> bool {
        self.field.is_none() || self.wants(b"parm")
    }

    /// Whether entries with this key were requested. The entries that describe parameters are shown only when
    /// their key itself was requested.
    pub fn shows(&self, key: &[u8]) -> bool {
        match key {
            b"parm" => false,
            b"parmtype" => self.wants(b"parmtype"),
            _ => self.field.is_none() || self.wants(key),
        }
    }

    /// The part of a `.modinfo` section that is printed.
    pub fn part(&self, section: &[u8]) -> Vec<u8> {
        if self.field.is_none() {
            return section.to_owned();
        }
        let mut part = Vec::new();
        for string in section.split_str(b"\0") {
            let key = string.split_once_str("=").map_or(string, |(key, _)| key);
            if self.shows(key) || (self.shows_parameters() && key.starts_with(b"parm")) {
                part.extend([string, b"\0"].concat());
            }
        }
        part
    }

    /// Whether the signature, or a part of it, was requested.
    pub fn shows_signature(&self) -> bool {
        self.field.is_none() || SIGNATURE_FIELDS.iter().any(|key| self.wants(key.as_bytes()))
    }

    /// Whether the identifier of the build is shown.
    pub(super) fn build_id(&self) -> BuildId {
        match &self.field {
            Some(_) if self.wants(b"build-id") => BuildId::Requested,
            None if self.as_document => BuildId::BesideOthers,
            _ => BuildId::Omitted,
        }
    }

    /// The first lines: where the module is.
    pub fn location(&self, location: &Location<'_>) -> Vec<u8> {
        let lines = match location {
            Location::File(path) => vec![(&b"filename"[..], *path)],
            Location::Builtin(name) => vec![(&b"name"[..], *name), (&b"filename"[..], &b"(builtin)"[..])],
        };
        let mut output = Vec::new();
        for (key, value) in lines {
            if self.field.is_none() {
                self.push_line(&mut output, &[&padded(key), value]);
            } else if self.wants(key) {
                self.push_line(&mut output, &[value]);
            }
        }
        output
    }

    /// The entries, the signature, and the parameters in reverse order.
    pub fn facts(&self, facts: &ModuleFacts<'_>) -> Vec<u8> {
        let mut output = Vec::new();
        for field in facts.info.fields().iter().filter(|field| self.shows(field.key)) {
            self.push_field(&mut output, field.key, field.value);
        }
        for (key, value) in facts.signature.map(signature_fields).unwrap_or_default() {
            self.push_field(&mut output, key.as_bytes(), &value);
        }
        if let Some(build_id) = facts.build_id {
            self.push_line(&mut output, &[crate::json::hex(build_id).as_bytes()]);
        }
        for parameter in facts.parameters.iter().rev() {
            self.push_parameter(&mut output, parameter);
        }
        output
    }

    fn wants(&self, key: &[u8]) -> bool {
        self.field.as_ref().is_some_and(|field| field.eq_ignore_ascii_case(key))
    }

    fn push_field(&self, output: &mut Vec<u8>, key: &[u8], value: &[u8]) {
        if self.wants(key) {
            self.push_line(output, &[value]);
        } else if self.field.is_none() && self.null {
            self.push_line(output, &[key, b"=", value]);
        } else if self.field.is_none() {
            self.push_line(output, &[&padded(key), value]);
        }
    }

    /// Without a description it is `name: (type)` if only parameters were requested, and `name:type` among
    /// other fields.
    fn push_parameter(&self, output: &mut Vec<u8>, parameter: &Parameter<'_>) {
        let name: &[u8] = parameter.name;
        let description: &[u8] = parameter.description.map_or(b"", |description| description);
        let alone = self.wants(b"parm");
        if !alone && self.field.is_some() {
            return;
        }
        let prefix = if alone { Vec::new() } else { padded(b"parm") };
        match parameter.kind {
            Some(kind) if !alone && parameter.description.is_none() => {
                self.push_line(output, &[&prefix, name, b":", kind]);
            }
            Some(kind) => self.push_line(output, &[&prefix, name, b":", description, b" (", kind, b")"]),
            None => self.push_line(output, &[&prefix, name, b":", description]),
        }
    }

    fn push_line(&self, output: &mut Vec<u8>, parts: &[&[u8]]) {
        parts.iter().for_each(|part| output.extend_from_slice(part));
        output.push(if self.null { 0 } else { b'\n' });
    }
}

/// A key with its colon, padded to the column of values.
fn padded(key: &[u8]) -> Vec<u8> {
    let mut padded = [key, b":"].concat();
    padded.resize(padded.len().max(VALUE_COLUMN), b' ');
    padded
}

/// A signature as fields; none if it could not be parsed.
fn signature_fields(signature: &Signature) -> Vec<(&'static str, Vec<u8>)> {
    let Some(details) = &signature.details else { return Vec::new() };
    let lines: Vec<String> = details.bytes.chunks(SIGNATURE_LINE).map(hex).collect();
    let values = [
        signature.id_type.name().into(),
        details.signer.clone().unwrap_or_default().into(),
        hex(&details.key_id).into_bytes(),
        details.hash.into(),
        lines.join(":\n\t\t").into_bytes(),
    ];
    SIGNATURE_FIELDS.into_iter().zip(values).collect()
}

/// Bytes as hexadecimal digits with colons.
fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default().to_ascii_uppercase();
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        if !text.is_empty() {
            text.push(':');
        }
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;

    /// A signature from these parts; the last is a `struct module_signature`.
    fn signature(parts: &[&[u8]]) -> Signature {
        let bytes = [&parts.concat()[..], b"~Module signature appended~\n"].concat();
        Signature::parse(&bytes).unwrap().unwrap()
    }

    fn rendered(section: &[u8], field: Option<&str>, null: bool) -> String {
        let info = ModInfo::parse(section);
        let rendering = Rendering { field: field.map(Into::into), null, as_document: false };
        let facts =
            ModuleFacts { info: &info, parameters: &info.parameters(), signature: None, build_id: None };
        rendering.facts(&facts).to_str().unwrap().to_owned()
    }

    #[test]
    fn values_start_at_a_column_unless_the_key_is_too_long() {
        let text = rendered(b"license=GPL\0exactlyfifteen_=x\0sixteencharacter=y\0", None, false);
        assert_eq!(text, "license:        GPL\nexactlyfifteen_:x\nsixteencharacter:y\n");
    }

    #[test]
    fn parameters_come_last_and_in_reverse() {
        let section =
            b"parm=a:of a\0parmtype=a:int\0parmtype=b:bool\0parm=c:no type\0version=9\0parmtype=a:uint\0";
        let text = rendered(section, None, false);
        assert_eq!(
            text,
            "version:        9\nparm:           c:no type\nparm:           b:bool\nparm:           a:of a (uint)\n"
        );
        assert_eq!(rendered(section, Some("parm"), false), "c:no type\nb: (bool)\na:of a (uint)\n");
        assert_eq!(rendered(section, Some("parmtype"), false), "a:int\nb:bool\na:uint\n");
    }

    #[test]
    fn nul_ends_each_entry_when_asked_for() {
        let section = b"license=GPL\0parmtype=b:bool\0";
        assert_eq!(rendered(section, None, true), "license=GPL\0parm:           b:bool\0");
        assert_eq!(rendered(section, Some("license"), true), "GPL\0");
    }

    // kmod ignores case, although its manual page states the opposite.
    #[test]
    fn a_field_is_found_in_any_case() {
        assert_eq!(rendered(b"license=GPL\0License=cap\0", Some("LICENSE"), false), "GPL\ncap\n");
    }

    #[test]
    fn a_builtin_module_has_a_name_and_no_file() {
        let all = Rendering { field: None, null: false, as_document: false };
        let location = Location::Builtin(b"unix");
        assert_eq!(all.location(&location), b"name:           unix\nfilename:       (builtin)\n");
        let name = Rendering { field: Some(b"name".to_vec()), null: false, as_document: false };
        assert_eq!(name.location(&location), b"unix\n");
        assert!(name.needs_only_location(&location) && !name.needs_only_location(&Location::File(b"/a.ko")));
    }

    #[test]
    fn a_signature_is_broken_into_lines_of_twenty_bytes() {
        // RSA, SHA-256, an X.509 certificate; the lengths of signer, key identifier and signature.
        let header = [1, 4, 1, 1, 2, 0, 0, 0, 0, 0, 0, 21];
        let x509 = signature(&[b"S", &[1, 0xfe], &(0..21).collect::<Vec<u8>>(), &header]);
        let fields = signature_fields(&x509);
        let (_, key) = &fields[2];
        assert_eq!(key, b"01:FE");
        let (_, lines) = &fields[4];
        let expected = "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:\n\t\t14";
        assert_eq!(lines.as_bstr(), expected);
        let pkcs7 = [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert!(signature_fields(&signature(&[b"?", &pkcs7])).is_empty());
    }
}
