//! The parameters as the kernel would read them: `parse_args` and the `param_set_*` functions of
//! `kernel/params.c`.

use bstr::{BStr, BString, ByteSlice};

use super::{
    examined_module::{ExaminedModule, ModuleParameter},
    setters::Setter,
};

/// Why the kernel does not take a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueFault {
    /// It is none of the type.
    NotA(BString),
    /// It is one, out of the type's range.
    OutOfRange(BString),
    /// The type needs a value.
    Missing(BString),
    /// The text is longer than the kernel keeps: so many bytes.
    TooLong(usize),
    /// There are more values between commas than the parameter has room for.
    TooMany(u32),
}

/// A word of the parameters that does not suit the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadParameter {
    /// The module has no such parameter: the kernel logs that, and loads the module.
    Unknown {
        /// The name as given.
        name: BString,
        /// The parameter of the nearest name.
        nearest: Option<BString>,
    },
    /// The kernel refuses the value.
    Value {
        /// The parameter's name.
        name: BString,
        /// The value as given.
        value: BString,
        /// What is wrong with it.
        fault: ValueFault,
    },
    /// The module itself reads the value: it may refuse it.
    Own {
        /// The parameter's name.
        name: BString,
        /// The value as given.
        value: BString,
    },
}

/// The longest text of a `charp` parameter.
const LONGEST_TEXT: usize = 1024;

/// Looks at each parameter given; `text` is what would be handed to the kernel.
pub fn check(subject: &ExaminedModule, text: &[u8]) -> Vec<BadParameter> {
    let mut bad = Vec::new();
    for word in words(text) {
        if word == "--" {
            // The rest is for init, which a module has none of.
            break;
        }
        let (name, value) = match word.split_once_str("=") {
            Some((name, value)) => (name, Some(unquoted(value))),
            None => (word.as_bytes(), None),
        };
        match subject.parameters.iter().find(|parameter| same_name(&parameter.name, name)) {
            Some(parameter) => {
                let (name, text) = (parameter.name.clone(), BString::from(value.unwrap_or_default()));
                match judge(parameter, value) {
                    Judgement::Taken => {}
                    Judgement::Refused(fault) => bad.push(BadParameter::Value { name, value: text, fault }),
                    Judgement::Own => bad.push(BadParameter::Own { name, value: text }),
                }
            }
            // The dynamic debugger's, which every module has.
            None if name == b"dyndbg" || name == b"async_probe" => {}
            None => bad.push(BadParameter::Unknown { name: name.into(), nearest: nearest(subject, name) }),
        }
    }
    bad
}

/// What becomes of a value.
enum Judgement {
    Taken,
    Refused(ValueFault),
    /// The module decides.
    Own,
}

/// Reads a value as the parameter's setter does, or as its description has it where that is all there is.
fn judge(parameter: &ModuleParameter, value: Option<&[u8]>) -> Judgement {
    let described = parameter.kind.as_ref().map(|kind| kind.as_bstr());
    let fault = match &parameter.setter {
        Setter::Own => return Judgement::Own,
        Setter::Kernel(kind) => check_value(kind.as_bstr(), value),
        Setter::Array(kind, most) => check_array(kind.as_bstr(), *most, value),
        Setter::Text(room) => check_text(b"charp".into(), *room as usize, value),
        Setter::Unknown => described.and_then(|kind| check_value(kind, value)),
    };
    fault.map_or(Judgement::Taken, Judgement::Refused)
}

/// Splits at blanks, except within double quotes, as `next_arg` in `lib/cmdline.c`.
fn words(text: &[u8]) -> impl Iterator<Item = &BStr> {
    let mut quoted = false;
    let split = text.split(move |&byte| {
        quoted ^= byte == b'"';
        !quoted && byte.is_ascii_whitespace()
    });
    split.filter(|word| !word.is_empty()).map(ByteSlice::as_bstr)
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").map_or(value, |inner| inner.strip_suffix(b"\"").unwrap_or(inner))
}

/// A dash in a parameter's name means an underscore, `parameq`.
fn same_name(one: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
    one.iter().map(plain).eq(other.iter().map(plain))
}

/// What is wrong with a value of a type; nothing for a type that only the module knows.
fn check_value(kind: &BStr, value: Option<&[u8]>) -> Option<ValueFault> {
    if let Some(kind) = kind.strip_prefix(b"array of ") {
        return check_array(kind.as_bstr(), u32::MAX, value);
    }
    match kind.as_bytes() {
        b"bool" | b"invbool" | b"bint" | b"bool_enable_only" => check_bool(kind, value),
        b"charp" => check_text(kind, LONGEST_TEXT + 1, value),
        b"byte" | b"u8" => check_number(kind, value, 0, i128::from(u8::MAX)),
        b"i8" => check_number(kind, value, i8::MIN.into(), i8::MAX.into()),
        b"short" | b"i16" => check_number(kind, value, i16::MIN.into(), i16::MAX.into()),
        b"ushort" | b"u16" => check_number(kind, value, 0, u16::MAX.into()),
        b"int" | b"i32" => check_number(kind, value, i32::MIN.into(), i32::MAX.into()),
        b"uint" | b"hexint" | b"u32" => check_number(kind, value, 0, u32::MAX.into()),
        // As wide as a word, which 64-bit values are never too narrow for.
        b"long" | b"i64" | b"isize" => check_number(kind, value, i64::MIN.into(), i64::MAX.into()),
        b"ulong" | b"ullong" | b"u64" | b"usize" => check_number(kind, value, 0, u64::MAX.into()),
        _ => None,
    }
}

/// `param_array`: each value between commas, in order, and not too many of them.
fn check_array(kind: &BStr, most: u32, value: Option<&[u8]>) -> Option<ValueFault> {
    let Some(value) = value else { return Some(ValueFault::Missing(kind.into())) };
    for (number, part) in (0..).zip(value.split(|&byte| byte == b',')) {
        if number == most {
            return Some(ValueFault::TooMany(most));
        }
        if let Some(fault) = check_value(kind, Some(part)) {
            return Some(fault);
        }
    }
    None
}

/// A text and its end must fit into so many bytes.
fn check_text(kind: &BStr, room: usize, value: Option<&[u8]>) -> Option<ValueFault> {
    match value {
        None => Some(ValueFault::Missing(kind.into())),
        Some(value) => (value.len() >= room).then(|| ValueFault::TooLong(room.saturating_sub(1))),
    }
}

/// `kstrtobool`. Later kernels know more words: what begins as those do is not judged.
fn check_bool(kind: &BStr, value: Option<&[u8]>) -> Option<ValueFault> {
    let known = match value {
        None => true,
        Some([b'y' | b'Y' | b't' | b'T' | b'1' | b'n' | b'N' | b'f' | b'F' | b'0', ..]) => true,
        Some([b'e' | b'E' | b'd' | b'D', ..]) => true,
        Some([b'o' | b'O', b'n' | b'N' | b'f' | b'F', ..]) => true,
        Some(_) => false,
    };
    (!known).then(|| ValueFault::NotA(kind.into()))
}

/// `kstrtoll` and its kin with base 0: a sign, `0x` or `0`, digits, perhaps a newline.
fn check_number(kind: &BStr, value: Option<&[u8]>, lowest: i128, highest: i128) -> Option<ValueFault> {
    let Some(value) = value else { return Some(ValueFault::Missing(kind.into())) };
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let (negative, digits) = match value {
        [b'-', digits @ ..] if lowest < 0 => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        [b'0', digits @ ..] if !digits.is_empty() => (8, digits),
        digits => (10, digits),
    };
    let all_digits = !digits.is_empty() && digits.iter().all(|&byte| char::from(byte).is_digit(base));
    if !all_digits {
        return Some(ValueFault::NotA(kind.into()));
    }
    // Only a number that is too large for the widest type can fail now.
    let number = digits.to_str().ok().and_then(|digits| i128::from_str_radix(digits, base).ok());
    let number = number.map(|number| if negative { -number } else { number });
    let fits = number.is_some_and(|number| (lowest..=highest).contains(&number));
    (!fits).then(|| ValueFault::OutOfRange(kind.into()))
}

/// The parameter whose name is the nearest, when it is near enough to be meant.
fn nearest(subject: &ExaminedModule, name: &[u8]) -> Option<BString> {
    let distance = |parameter: &ModuleParameter| distance(&parameter.name, name);
    let nearest = subject
        .parameters
        .iter()
        .map(|parameter| (distance(parameter), parameter))
        .min_by_key(|(distance, _)| *distance);
    let near_enough = 1 + name.len() / 4;
    nearest.filter(|(distance, _)| *distance <= near_enough).map(|(_, parameter)| parameter.name.clone())
}

/// The edits that make one name of another (Levenshtein). Names longer than any are far from all.
fn distance(one: &[u8], other: &[u8]) -> usize {
    const LONGEST: usize = 64;
    if one.len() > LONGEST || other.len() > LONGEST {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, byte) in (1..).zip(one) {
        let mut diagonal = number - 1;
        let mut left = number;
        let mut next = vec![number];
        for (above, letter) in row.iter().skip(1).zip(other) {
            let replaced = diagonal + usize::from(byte != letter);
            left = replaced.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: &str, value: &str) -> Option<ValueFault> {
        check_value(kind.into(), Some(value.as_bytes()))
    }

    #[test]
    fn numbers_are_read_as_the_kernel_reads_them() {
        for (kind, value) in [
            ("int", "-5"),
            ("int", "0x7f"),
            ("int", "017"),
            ("int", "+3"),
            ("uint", "4294967295"),
            ("byte", "255"),
            ("ulong", "18446744073709551615"),
            ("array of int", "1,2,-3"),
            ("bool", "on"),
            ("bool", "Y"),
            ("charp", ""),
            ("ours_alone", "anything"),
            ("int", "5\n"),
            ("long", "-9223372036854775808"),
        ] {
            assert_eq!(fault(kind, value), None, "{kind} {value}");
        }
        for (kind, value) in [
            ("int", "many"),
            ("int", ""),
            ("int", "1 "),
            ("uint", "-1"),
            ("int", "08"),
            ("int", "0x"),
            ("bool", "maybe"),
            ("bool", "o"),
            ("array of int", "1,,2"),
            ("int", "--1"),
        ] {
            assert!(matches!(fault(kind, value), Some(ValueFault::NotA(_))), "{kind} {value}");
        }
        for (kind, value) in [
            ("byte", "256"),
            ("int", "2147483648"),
            ("short", "-32769"),
            ("ulong", "99999999999999999999999999999999999999999"),
        ] {
            assert!(matches!(fault(kind, value), Some(ValueFault::OutOfRange(_))), "{kind} {value}");
        }
        assert_eq!(check_value("bool".into(), None), None);
        assert_eq!(check_value("int".into(), None), Some(ValueFault::Missing("int".into())));
        assert_eq!(fault("charp", &"x".repeat(1025)), Some(ValueFault::TooLong(1024)));
        assert_eq!(check_array("int".into(), 2, Some(b"1,2")), None);
        assert_eq!(check_array("int".into(), 2, Some(b"1,2,x")), Some(ValueFault::TooMany(2)));
        assert_eq!(check_text("charp".into(), 4, Some(b"abc")), None);
        assert_eq!(check_text("charp".into(), 4, Some(b"abcd")), Some(ValueFault::TooLong(3)));
    }

    #[test]
    fn words_end_at_blanks_outside_of_quotes() {
        let found: Vec<_> = words(b"a=1  b=\"x y\" c").collect();
        assert_eq!(found, ["a=1", "b=\"x y\"", "c"]);
    }

    #[test]
    fn names_are_compared_by_edits() {
        assert_eq!(distance(b"depth", b"depth"), 0);
        assert_eq!(distance(b"dept", b"depth"), 1);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
        assert!(same_name(b"a_b", b"a-b"));
    }
}
