//! What the tools that load modules share: parameters from the command line, and error texts.

use std::{ffi::OsString, io};

use bstr::{BString, ByteSlice};
use nix::errno::Errno;

/// Joins parameters by blanks; empty ones at the beginning say nothing. A value with blanks in it is
/// put in quotes, unless it begins with a quote: the kernel splits parameters at blanks outside of
/// quotes.
pub fn join(words: &[OsString]) -> BString {
    let words = words.iter().map(|word| quoted(word.as_encoded_bytes()));
    let words: Vec<Vec<u8>> = words.skip_while(Vec::is_empty).collect();
    words.join(&b' ').into()
}

fn quoted(word: &[u8]) -> Vec<u8> {
    match word.split_once_str("=") {
        Some((name, value))
            if value.contains(&b' ') && !value.starts_with(b"\"") && !value.starts_with(b"'") =>
        {
            [name, b"=\"", value, b"\""].concat()
        }
        _ => word.to_vec(),
    }
}

/// The system's text for an error, without the number that [`io::Error`] adds.
pub fn errno_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => modutils::errno_text(Errno::from_raw(errno)).to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_blanks_are_quoted_unless_they_are() {
        let joined = |words: &[&str]| join(&words.iter().map(OsString::from).collect::<Vec<_>>()).to_string();
        assert_eq!(joined(&["a=1", "d=e f"]), "a=1 d=\"e f\"");
        assert_eq!(
            joined(&["y=\"a b\"", "z='a b'", "a b=c", "no value", "t=a\tb"]),
            "y=\"a b\" z='a b' a b=c no value t=a\tb"
        );
        assert_eq!(joined(&["a=1", ""]), "a=1 ");
        assert_eq!(joined(&["", "", "a=1", "", "b=2"]), "a=1  b=2");
        assert_eq!(joined(&["", ""]), "");
        assert_eq!(joined(&[]), "");
    }

    #[test]
    fn an_error_has_the_text_of_the_c_library() {
        assert_eq!(errno_text(&io::Error::from_raw_os_error(1)), "Operation not permitted");
    }
}
