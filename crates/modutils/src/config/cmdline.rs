//! The settings for modules on the kernel command line: `module.parameter=value`,
//! `modprobe.blacklist=a,b` and `modutils.deny=a,b`; and `module_blacklist=a,b`, which the kernel
//! itself honours.
//!
//! The grammar is that of the kernel's own reader (Documentation/admin-guide/kernel-parameters.rst):
//! words end at white space, double quotes keep white space in a word.

use bstr::BString;

/// A word of the command line that concerns modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `modprobe.blacklist=`: these modules, as written.
    Blacklist(Vec<BString>),
    /// `modutils.deny=`: these modules, as written.
    Deny(Vec<BString>),
    /// `module.parameter=value`.
    Parameter {
        /// The module, as written.
        module: BString,
        /// `parameter=value`, or the parameter alone.
        parameter: BString,
    },
}

/// Picks the settings out of a command line, in their order. Words of another form mean something
/// to others: they are skipped.
pub fn parse(command_line: &[u8]) -> Vec<Setting> {
    words(command_line).into_iter().filter_map(setting).collect()
}

/// The modules that the kernel itself refuses: those in `module_blacklist=`. The last such word counts
/// (`kernel/module/main.c`).
pub fn refused_by_kernel(command_line: &[u8]) -> Vec<BString> {
    let mut values = words(command_line)
        .into_iter()
        .filter_map(|word| without_quotes(word).strip_prefix(b"module_blacklist="));
    values.next_back().map(|value| names(without_quotes(value))).unwrap_or_default()
}

/// The words; one whose quote is never closed is none.
fn words(command_line: &[u8]) -> Vec<&[u8]> {
    let mut quoted = false;
    let mut words: Vec<&[u8]> = command_line
        .split(|&byte| {
            if byte == b'"' {
                quoted = !quoted;
            }
            !quoted && byte.is_ascii_whitespace()
        })
        .filter(|word| !word.is_empty())
        .collect();
    if quoted {
        words.pop();
    }
    words
}

fn setting(word: &[u8]) -> Option<Setting> {
    // A boot loader may put the quotes around the whole word: they belong around the value.
    let (body, requote) = match word.strip_prefix(b"\"") {
        Some(inner) => (inner.strip_suffix(b"\"")?, true),
        None => (word, false),
    };
    let (module, parameter) = body.split_at_checked(body.iter().position(|&byte| byte == b'.')?)?;
    let parameter = parameter.get(1..)?;
    let name_end = parameter.iter().position(|&byte| byte == b'=');
    let (name, value) = parameter.split_at_checked(name_end.unwrap_or(parameter.len()))?;
    let value = value.get(1..);
    let odd = |byte: &u8| matches!(byte, b'=' | b'"') || byte.is_ascii_whitespace();
    if module.iter().any(odd) || name.iter().any(|byte| odd(byte) || *byte == b'.') {
        return None;
    }
    let value = match (value, requote) {
        // Inner quotes would end the outer ones.
        (Some(value), true) if !value.contains(&b'"') => Some([b"\"", value, b"\""].concat()),
        (_, true) => return None,
        (value, false) => value.map(<[u8]>::to_vec),
    };
    Some(match value {
        Some(modules) if (module, name) == (b"modprobe", b"blacklist") => {
            Setting::Blacklist(names(without_quotes(&modules)))
        }
        Some(modules) if (module, name) == (b"modutils", b"deny") => {
            Setting::Deny(names(without_quotes(&modules)))
        }
        Some(value) => parameter_of(module, [name, b"=", &value].concat()),
        None => parameter_of(module, name.to_vec()),
    })
}

/// A word or value without the quotes around it, which `next_arg` in the kernel's `lib/cmdline.c` removes.
fn without_quotes(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").map_or(text, |inner| inner.strip_suffix(b"\"").unwrap_or(inner))
}

fn names(list: &[u8]) -> Vec<BString> {
    list.split(|&byte| byte == b',').map(BString::from).collect()
}

fn parameter_of(module: &[u8], parameter: Vec<u8>) -> Setting {
    Setting::Parameter { module: module.into(), parameter: parameter.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(command_line: &str) -> Vec<String> {
        let show = |setting| match setting {
            Setting::Blacklist(modules) => format!("blacklist {modules:?}"),
            Setting::Deny(modules) => format!("deny {modules:?}"),
            Setting::Parameter { module, parameter } => format!("{module} {parameter}"),
        };
        parse(command_line.as_bytes()).into_iter().map(show).collect()
    }

    #[test]
    fn quotes_around_lists_are_no_part_of_the_names() {
        for line in ["modprobe.blacklist=\"a,b\"", "\"modprobe.blacklist=a,b\"", "modprobe.blacklist=a,b"] {
            assert_eq!(shown(line), ["blacklist [\"a\", \"b\"]"], "{line}");
        }
        assert_eq!(
            shown("modutils.deny=\"a,b\" \"modutils.deny=c d\""),
            ["deny [\"a\", \"b\"]", "deny [\"c d\"]"]
        );
        for line in ["module_blacklist=\"a,b\"", "\"module_blacklist=a,b\"", "module_blacklist=a,b"] {
            assert_eq!(refused_by_kernel(line.as_bytes()), ["a", "b"], "{line}");
        }
        // The kernel gets the options of a module with their quotes.
        assert_eq!(shown("\"m.p=x y\" m.q=\"x y\""), ["m p=\"x y\"", "m q=\"x y\""]);
    }

    #[test]
    fn parameters_with_and_without_value_are_taken() {
        assert_eq!(
            shown("root=/dev/sda quiet mod.p=1 a-b.c-d=2\te.flag x.y=c=d z.q=\n"),
            ["mod p=1", "a-b c-d=2", "e flag", "x y=c=d", "z q="]
        );
    }

    #[test]
    fn quotes_keep_blanks_and_move_to_the_value() {
        assert_eq!(
            shown("x.y=\"q r\" \"x.z=a b\" u.v=w\"x y\"z"),
            ["x y=\"q r\"", "x z=\"a b\"", "u v=w\"x y\"z"]
        );
    }

    #[test]
    fn other_words_are_passed_over() {
        for word in ["a.b.c=1", "a=b.c=d", "\"z w.x=1\"", "\"q.r\"", "s.\"t\"=1", "10.0.0.1:x", "--"] {
            assert_eq!(shown(&format!("{word} b.c")), ["b c"], "{word}");
        }
        assert_eq!(shown("b.c a.b=\"unterminated x.y=1"), ["b c"]);
    }

    #[test]
    fn a_blacklist_is_split_at_commas() {
        assert_eq!(
            shown("modprobe.blacklist=a-b,c modprobe.blacklist modprobe.blacklist=d modprobe.f=1"),
            ["blacklist [\"a-b\", \"c\"]", "modprobe blacklist", "blacklist [\"d\"]", "modprobe f=1"]
        );
    }

    #[test]
    fn what_is_denied_by_us_and_what_by_the_kernel_are_two_lists() {
        let line = "module_blacklist=x modutils.deny=a,b-c module_blacklist=d,e\n";
        assert_eq!(shown(line), ["deny [\"a\", \"b-c\"]"]);
        assert_eq!(refused_by_kernel(line.as_bytes()), ["d", "e"]);
        assert!(refused_by_kernel(b"quiet").is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'.'), Just(b'='), Just(b' '), any::<u8>()], 0..200)) {
            for setting in parse(&bytes) {
                if let Setting::Parameter { module, .. } = setting {
                    prop_assert!(!module.contains(&b'.') && !module.contains(&b'='));
                }
            }
        }
    }
}
