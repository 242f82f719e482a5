//! Shell patterns as `fnmatch(3)` without flags reads them, over bytes.
//!
//! Aliases of modules (`pci:v00008086d*sv*`) and the names in modprobe.d are such patterns, and they
//! come from module files: a hostile one must not take exponential time. Of several stars only the
//! last one seen is ever moved, and of brackets that are never closed none is searched to the end of
//! the pattern twice, so a match takes at most pattern length times text length steps.
//! Where POSIX leaves a case open (a bracket that is never closed, an unknown class), the answer is
//! that of the GNU C library, which the packaged tools use.

/// Whether `pattern` matches all of `text`.
///
/// `*` stands for any bytes, `?` for one, `[...]` for one of a set with ranges, classes
/// (`[:digit:]`) and negation (`!` or `^`); a backslash takes the next byte as it is. Neither `/`
/// nor a leading dot is special.
pub(crate) fn fnmatch(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut seen = Seen::default();
    // Where to go on when the bytes after the last star do not match: one byte further in the text.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(after) = pattern.strip_prefix(b"*") {
            if after.is_empty() {
                return true;
            }
            retry = Some((after, text));
            pattern = after;
            continue;
        }
        let rest = match (pattern.is_empty(), text.split_first()) {
            (true, None) => return true,
            (false, Some((&byte, text))) => {
                match_one(pattern, byte, &mut seen).map(|pattern| (pattern, text))
            }
            // The text ends before the pattern: no later start can help.
            (false, None) => return false,
            (true, Some(_)) => None,
        };
        (pattern, text) = match (rest, &mut retry) {
            (Some(rest), _) => rest,
            (None, None) => return false,
            (None, Some((after, start))) => {
                let Some((_, later)) = start.split_first() else { return false };
                *start = later;
                (*after, later)
            }
        };
    }
}

/// Whether `byte` is special in a pattern.
pub(crate) fn is_wildcard(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[')
}

/// Whether a pattern with this byte may match anything but itself.
pub(crate) fn is_special(byte: u8) -> bool {
    is_wildcard(byte) || byte == b'\\'
}

/// What one match has found out about the ends of its pattern, which are identified by their length.
#[derive(Default)]
struct Seen {
    /// From the members of a set that begin here, no `]` is reached, but this.
    unclosed: Vec<Option<End>>,
    /// In what is not longer than this, there is no `=]`.
    without_equals: usize,
}

impl Seen {
    fn end(&self, rest: &[u8]) -> Option<End> {
        self.unclosed.get(rest.len()).copied().flatten()
    }

    fn set_end(&mut self, rest: &[u8], end: End) {
        if self.unclosed.len() <= rest.len() {
            self.unclosed.resize(rest.len().saturating_add(1), None);
        }
        if let Some(unclosed) = self.unclosed.get_mut(rest.len()) {
            *unclosed = Some(end);
        }
    }
}

/// What the end of the pattern makes of a bracket that is not closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// An ordinary byte.
    Ordinary,
    /// Nothing that matches: the pattern ends within a range. The C library looks for that only until it has found the
    /// byte it asks for, which for an ordinary `[` is that one.
    InRange,
}

/// Matches one byte with the first element of a pattern, which is not a star.
/// The result is the rest of the pattern.
fn match_one<'a>(pattern: &'a [u8], byte: u8, seen: &mut Seen) -> Option<&'a [u8]> {
    let (&first, rest) = pattern.split_first()?;
    match first {
        b'?' => Some(rest),
        b'\\' => {
            let (&escaped, rest) = rest.split_first()?;
            (escaped == byte).then_some(rest)
        }
        b'[' => match Bracket::parse(rest, byte, seen) {
            Bracket::Closed { matches, rest } => matches.then_some(rest),
            Bracket::Open(End::Ordinary) => (byte == b'[').then_some(rest),
            Bracket::Open(End::InRange) => None,
            Bracket::Invalid => None,
        },
        _ => (first == byte).then_some(rest),
    }
}

/// The content after a `[`.
enum Bracket<'a> {
    /// A set, whether the byte asked for is in it, and the pattern behind it.
    Closed { matches: bool, rest: &'a [u8] },
    /// No `]` follows.
    Open(End),
    /// A class or collating element that does not exist: nothing matches.
    Invalid,
}

impl<'a> Bracket<'a> {
    fn parse(pattern: &'a [u8], byte: u8, seen: &mut Seen) -> Self {
        let negated = matches!(pattern.first(), Some(b'!' | b'^'));
        let members = if negated { pattern.get(1..).unwrap_or_default() } else { pattern };
        let mut rest = members;
        let mut found = false;
        // Where the last member begins that has a `[`, as the length of the pattern from there on.
        let mut with_bracket = None;
        let mut first = true;
        let end = loop {
            if !first {
                if let Some(rest) = rest.strip_prefix(b"]") {
                    return Self::Closed { matches: found != negated, rest };
                }
                if let Some(end) = seen.end(rest) {
                    break end;
                }
            }
            first = false;
            let start = rest.len();
            let Some((member, after)) = Member::parse(rest, seen) else { break End::Ordinary };
            let contains = |byte| match member {
                Member::Class(class) => class_contains(class, byte),
                Member::Range(low, high) => Some((low..=high).contains(&byte)),
                Member::Endless(low) => Some(low == byte),
                Member::Invalid => None,
            };
            let (Some(contains), Some(has_bracket)) = (contains(byte), contains(b'[')) else {
                return Self::Invalid;
            };
            if has_bracket {
                with_bracket = Some(start);
            }
            if matches!(member, Member::Endless(_)) {
                break End::InRange;
            }
            found |= contains;
            rest = after;
        };
        let end_from = |place: usize| match with_bracket {
            Some(start) if start <= place => End::Ordinary,
            _ => end,
        };
        let (last, own) = (rest.len(), end_from(members.len()));
        rest = members;
        while let Some((_, after)) = Member::parse(rest, seen).filter(|_| rest.len() > last) {
            seen.set_end(after, end_from(after.len()));
            rest = after;
        }
        Self::Open(own)
    }
}

/// A member of a set.
enum Member<'a> {
    /// The bytes from the one to the other, most often a single byte, however written.
    Range(u8, u8),
    /// The name in `[:name:]`.
    Class(&'a [u8]),
    /// A byte and a dash, with which the pattern ends.
    Endless(u8),
    /// A collating element of no or several bytes, a range up to something that is no byte, or a
    /// backslash at the pattern's end.
    Invalid,
}

impl<'a> Member<'a> {
    /// Reads the next member and returns the rest; `None` where the pattern ends.
    fn parse(pattern: &'a [u8], seen: &mut Seen) -> Option<(Self, &'a [u8])> {
        let (member, rest) = Self::parse_one(pattern, seen)?;
        let Self::Range(low, _) = member else { return Some((member, rest)) };
        // A dash that is not the set's last byte.
        let Some(high) = rest.strip_prefix(b"-").filter(|high| high.first() != Some(&b']')) else {
            return Some((member, rest));
        };
        Some(match Self::parse_one(high, seen) {
            Some((Self::Range(high, _), rest)) => (Self::Range(low, high), rest),
            Some((_, rest)) => (Self::Invalid, rest),
            None => (Self::Endless(low), high),
        })
    }

    /// Reads a member that is no range.
    fn parse_one(pattern: &'a [u8], seen: &mut Seen) -> Option<(Self, &'a [u8])> {
        let byte = |byte| Self::Range(byte, byte);
        let (&first, rest) = pattern.split_first()?;
        match (first, rest.first()) {
            (b'\\', _) => Some(match rest.split_first() {
                Some((&escaped, rest)) => (byte(escaped), rest),
                None => (Self::Invalid, rest),
            }),
            (b'[', Some(b':')) => Some(match class(rest) {
                Some((name, rest)) => (Self::Class(name), rest),
                None => (byte(b'['), rest),
            }),
            (b'[', Some(b'=')) if rest.len() <= seen.without_equals => Some((byte(b'['), rest)),
            (b'[', Some(&delimiter @ (b'.' | b'='))) => Some(match delimited(rest, delimiter) {
                Some(([one], rest)) => (byte(*one), rest),
                None if delimiter == b'=' => {
                    seen.without_equals = rest.len();
                    (byte(b'['), rest)
                }
                Some(_) | None => (Self::Invalid, rest),
            }),
            _ => Some((byte(first), rest)),
        }
    }
}

/// Splits `:name:]...` into the name and what follows, where the name could be that of a class.
fn class(pattern: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = pattern.get(1..)?;
    let length = inner.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let (name, rest) = inner.split_at_checked(length)?;
    Some((name, rest.strip_prefix(b":]")?))
}

/// Splits `=name=]...` into the name and what follows.
fn delimited(pattern: &[u8], delimiter: u8) -> Option<(&[u8], &[u8])> {
    let inner = pattern.get(1..)?;
    let end = inner.windows(2).position(|pair| pair == [delimiter, b']'])?;
    Some((inner.get(..end)?, inner.get(end.checked_add(2)?..)?))
}

/// Whether a POSIX character class contains a byte, in the C locale; `None` for an unknown class.
fn class_contains(class: &[u8], byte: u8) -> Option<bool> {
    Some(match class {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::fnmatch;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(fnmatch(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} against {text}");
    }

    #[test]
    fn wildcards_match_as_in_a_shell() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("a", "", false),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("?", "/", true),
            ("?", "", false),
            ("*a*b*", "xaxbx", true),
            ("*a*b", "xaxbx", false),
            ("a*a", "a", false),
            ("pci:v0000*d*sv*", "pci:v00008086d00001234sv00000000", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", false),
            ("*.?", ".a", true),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn brackets_match_as_in_the_gnu_c_library() {
        for (pattern, text, expected) in [
            ("[a-c]x", "bx", true),
            ("[!a]", "b", true),
            ("[^a]", "a", false),
            ("[]a]", "]", true),
            ("[!]a]", "b", true),
            ("[-a]", "-", true),
            ("[a-]", "-", true),
            ("[a-c-e]", "d", false),
            ("[z-a]", "b", false),
            ("[\\]]", "]", true),
            ("[a-\\c]", "b", true),
            ("[[:alpha:]]", "1", false),
            ("[[:alpha:]-z]", "-", true),
            ("[[:foo:]]", "f", false),
            ("[[:alpha]", ":", true),
            ("[[.-.]]", "-", true),
            ("[[.a.]-c]", "b", true),
            ("[[.ab.]]", "a", false),
            ("[[=]", "=", true),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn a_bracket_never_closed_is_a_bracket() {
        for (pattern, text, expected) in [
            ("[", "[", true),
            ("*[a", "x[a", true),
            ("[]", "[]", true),
            ("[a", "a", false),
            ("[!]", "!", false),
        ] {
            check(pattern, text, expected);
        }
    }

    /// Each of these took the cube of its length, or more.
    #[test]
    fn brackets_never_closed_are_not_searched_again_and_again() {
        const COUNT: usize = 20_000;
        for (part, text) in [("[\\]", "[]"), ("[[:", "["), ("[[=", "["), ("[[", "["), ("[]", "[")] {
            for start in ["", "*"] {
                let pattern = start.to_owned() + &part.repeat(COUNT);
                let text = text.repeat(COUNT / 10) + "x";
                check(&pattern, &text, false);
            }
        }
        let closed = "*[".to_owned() + &"[:".repeat(COUNT) + ":]]";
        check(&closed, &"x".repeat(1000), false);
    }

    /// Found by fuzzing, beside fnmatch(3) of the GNU C library.
    #[test]
    fn a_range_or_an_escape_that_the_pattern_ends_in_matches_nothing() {
        for (pattern, text) in
            [("[a-", "[a-"), ("*[--", "[--"), ("[a-\\", "[a-\\"), ("[\\", "["), ("[\\", "[\\"), ("[a\\", "a")]
        {
            check(pattern, text, false);
        }
        check("[-", "[-", true);
        check("[a-b", "[a-b", true);
        check("[x[-", "[x[-", true);
        check("*[*[-", "*[[*[*[-", true);
    }

    /// Found by fuzzing, too: a bracket of which the C library has found the byte by then is an ordinary byte.
    #[test]
    fn the_end_of_a_range_is_looked_for_until_the_byte_is_found() {
        for (pattern, text, expected) in [
            ("*a[[!-", "aaay*a[[!-", true),
            ("[z[!-", "[z[!-", true),
            ("[\\[-", "[[-", true),
            ("[--a-", "[--a-", true),
            ("[[a!-", "[[a!-", false),
            ("[[:punct:]a-", "[a-", false),
            ("[[:punct:]a-", "[[:punct:]a-", false),
            ("[a-[!-", "[a-[!-", false),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let pattern = "*a".repeat(2000) + "b";
        assert!(!fnmatch(pattern.as_bytes(), "a".repeat(4000).as_bytes()));
    }
}
