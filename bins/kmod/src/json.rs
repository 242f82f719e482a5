//! Machine-readable output: the documents that `man/modutils-json.7` describes and
//! `man/modutils.schema.json` defines.
//!
//! A document is an object with its schema, its kind and the tool that wrote it, and a list as its last member.
//! Items are printed one by one, each on its own line, so a document about a whole tree takes no more memory than
//! one about a module.

use modutils::{Level, ModuleName};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::report::{Message, Report};

/// The schema of all documents. The number changes only when a reader of this version would break: a member
/// is removed, or its meaning changes.
const SCHEMA: &str = "modutils/1";

/// A document that is being written. It must be ended even after a failure: it then contains the items
/// that could be determined.
#[must_use = "a document must be ended"]
pub struct Document {
    is_empty: bool,
}

impl Document {
    /// Begins a document of a kind (`modinfo`, `plan` …) with the items in `list`.
    pub fn begin(kind: &str, tool: &str, list: &str, report: &mut Report) -> Self {
        Self::begin_about(kind, tool, &[], list, report)
    }

    /// The same, with members that concern all items.
    pub fn begin_about(
        kind: &str,
        tool: &str,
        about: &[(&str, Text)],
        list: &str,
        report: &mut Report,
    ) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        report.print(format!(
            "{{\"schema\":\"{SCHEMA}\",\"kind\":\"{kind}\",\"tool\":\"{tool}\",\"version\":\"{version}\""
        ));
        for (name, value) in about {
            report.print(format!(",\"{name}\":"));
            print(value, report);
        }
        report.print(format!(",\"{list}\":["));
        report.collect();
        Self { is_empty: true }
    }

    /// Adds an item.
    pub fn item(&mut self, item: &impl Serialize, report: &mut Report) {
        report.print(if self.is_empty { "\n" } else { ",\n" });
        self.is_empty = false;
        print(item, report);
    }

    /// Ends the document, with the messages that were reported since it began, if there are any.
    pub fn end(self, report: &mut Report) {
        report.print(if self.is_empty { "]" } else { "\n]" });
        let messages = report.take_collected();
        if !messages.is_empty() {
            report.print(",\"messages\":");
            let items: Vec<MessageItem> = messages.iter().map(MessageItem::from).collect();
            print(&items, report);
        }
        report.print("}\n");
    }
}

/// A message.
#[derive(Serialize)]
struct MessageItem<'a> {
    level: &'static str,
    text: Text<'a>,
    /// Lines that give the cause.
    cause: &'a [String],
}

impl<'a> From<&'a Message> for MessageItem<'a> {
    fn from(Message { level, text, cause }: &'a Message) -> Self {
        let level = match level {
            Level::Fatal => "fatal",
            Level::Error => "error",
            _ => "warning",
        };
        Self { level, text: Text::from(text), cause }
    }
}

fn print(value: &impl Serialize, report: &mut Report) {
    match serde_json::to_vec(value) {
        Ok(text) => report.print(text),
        // serde_json fails only for map keys that are not strings; ours are strings.
        Err(error) => report.error(format!("could not write JSON: {error}")),
    }
}

/// Bytes as JSON: a string where they are UTF-8, and otherwise an object that holds them in
/// hexadecimal digits, so that nothing is lost: `{"hex":"fffe"}`.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(pub &'a [u8]);

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Text<'a> {
    fn from(bytes: &'a T) -> Self {
        Self(bytes.as_ref())
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(self.0) {
            return serializer.serialize_str(text);
        }
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry("hex", &hex(self.0))?;
        object.end()
    }
}

/// The names of modules, each as [`Text`].
pub fn names<'a>(names: impl IntoIterator<Item = &'a ModuleName>) -> Vec<Text<'a>> {
    names.into_iter().map(Text::from).collect()
}

/// Bytes as lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_kept_as_digits() {
        let written = |bytes: &[u8]| serde_json::to_string(&Text(bytes)).unwrap();
        assert_eq!(written("é\"\n\0".as_bytes()), "\"é\\\"\\n\\u0000\"");
        assert_eq!(written(b"a\xff"), "{\"hex\":\"61ff\"}");
    }
}
