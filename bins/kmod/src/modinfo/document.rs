//! The same facts as in [`render`](super::render), as items of a JSON document.

use modutils::module_file::Signature;
use serde::Serialize;

use super::render::{Location, ModuleFacts, Rendering};
use crate::json::{Text, hex};

/// A module.
#[derive(Serialize)]
pub(super) struct ModinfoItem<'a> {
    /// `None` where the module is built in and has no file.
    filename: Option<Text<'a>>,
    name: Text<'a>,
    builtin: bool,
    fields: Vec<FieldItem<'a>>,
    parameters: Vec<ParameterItem<'a>>,
    signature: Option<SignatureItem<'a>>,
    /// In hexadecimal digits; `None` also where it was not requested.
    build_id: Option<String>,
}

/// An entry of `.modinfo`, unchanged.
#[derive(Serialize)]
struct FieldItem<'a> {
    key: Text<'a>,
    value: Text<'a>,
}

#[derive(Serialize)]
struct ParameterItem<'a> {
    name: Text<'a>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
    description: Option<Text<'a>>,
}

#[derive(Serialize)]
struct SignatureItem<'a> {
    id_type: &'static str,
    /// `None` where the signature cannot be parsed; so are the members below.
    signer: Option<Text<'a>>,
    key_id: Option<String>,
    hash: Option<&'a str>,
    signature: Option<String>,
    /// The algorithm of the signer's key.
    key_algorithm: Option<Text<'a>>,
}

impl<'a> ModinfoItem<'a> {
    /// The requested facts (`--field`) of a module. Without `facts` only its location is known, or was
    /// requested.
    pub(super) fn new(
        name: &'a [u8],
        location: &Location<'a>,
        facts: Option<&ModuleFacts<'a>>,
        rendering: &Rendering,
    ) -> Self {
        let Some(ModuleFacts { info, parameters, signature, build_id }) = facts else {
            return Self::of_location(name, location);
        };
        let fields = info.fields().iter().filter(|field| rendering.shows(field.key));
        let fields = fields.map(|field| FieldItem { key: Text(field.key), value: Text(field.value) });
        let parameters = parameters.iter().filter(|_| rendering.shows_parameters());
        let parameters = parameters.map(|parameter| ParameterItem {
            name: Text(parameter.name),
            kind: parameter.kind.map(|kind| Text(kind)),
            description: parameter.description.map(|description| Text(description)),
        });
        Self {
            fields: fields.collect(),
            parameters: parameters.collect(),
            signature: signature.filter(|_| rendering.shows_signature()).map(SignatureItem::from),
            build_id: build_id.map(hex),
            ..Self::of_location(name, location)
        }
    }

    fn of_location(name: &'a [u8], location: &Location<'a>) -> Self {
        let (filename, builtin) = match location {
            Location::File(path) => (Some(Text(path)), false),
            Location::Builtin(_) => (None, true),
        };
        let (fields, parameters) = (Vec::new(), Vec::new());
        Self { filename, name: Text(name), builtin, fields, parameters, signature: None, build_id: None }
    }
}

impl<'a> From<&'a Signature> for SignatureItem<'a> {
    fn from(signature: &'a Signature) -> Self {
        let details = signature.details.as_ref();
        Self {
            id_type: signature.id_type.name(),
            signer: details.and_then(|details| details.signer.as_ref()).map(Text::from),
            key_id: details.map(|details| hex(&details.key_id)),
            hash: details.map(|details| details.hash),
            signature: details.map(|details| hex(&details.bytes)),
            key_algorithm: details
                .and_then(|details| details.key_algorithm)
                .map(|name| Text(name.as_bytes())),
        }
    }
}
