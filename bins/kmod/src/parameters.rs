//! Module parameters from the command line.

use std::ffi::OsString;

use bstr::BString;

/// Joins parameters with blanks, without empty ones at the start. A value that contains blanks is quoted unless
/// it begins with a quote, because the kernel splits parameters at blanks outside of quotes.
pub fn join(words: &[OsString]) -> BString {
    let words = words.iter().map(|word| quoted(word.as_encoded_bytes()));
    let words: Vec<Vec<u8>> = words.skip_while(Vec::is_empty).collect();
    words.join(&b' ').into()
}

fn quoted(word: &[u8]) -> Vec<u8> {
    let mut parts = word.splitn(2, |&byte| byte == b'=');
    match (parts.next(), parts.next()) {
        (Some(name), Some(value))
            if value.contains(&b' ') && !value.starts_with(b"\"") && !value.starts_with(b"'") =>
        {
            [name, b"=\"", value, b"\""].concat()
        }
        _ => word.to_vec(),
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
}
