//! Module parameters from the command line.

use std::ffi::OsString;

use bstr::BString;
use modutils::{Module, module_file::ModInfo};

/// Joins parameters with blanks, without empty ones at the start. A value that contains blanks is quoted unless
/// it begins with a quote, because the kernel splits parameters at blanks outside of quotes. Where a later word of
/// an argument is `NAME=` of a parameter that the module has, it begins another parameter: `"a=1 b=2"` is two,
/// as it was up to kmod 33. `names` returns the module's parameters and is called only if that matters.
pub fn join(words: &[OsString], names: impl FnOnce() -> Vec<Vec<u8>>) -> BString {
    let mut names = Names { read: Some(names), known: Vec::new() };
    let words = words.iter().map(|word| quoted(word.as_encoded_bytes(), &mut names));
    let words: Vec<Vec<u8>> = words.skip_while(Vec::is_empty).collect();
    words.join(&b' ').into()
}

/// The names of a module's parameters; none if they cannot be read.
pub fn names_of(module: Option<&Module>) -> Vec<Vec<u8>> {
    module.and_then(|module| module.modinfo().ok()).map(|info| names_in(&info)).unwrap_or_default()
}

/// The names of the parameters in a module's `.modinfo`.
pub fn names_in(info: &ModInfo) -> Vec<Vec<u8>> {
    info.parameters().iter().map(|parameter| underscored(parameter.name)).collect()
}

/// The names, read when first needed.
struct Names<F> {
    read: Option<F>,
    known: Vec<Vec<u8>>,
}

impl<F: FnOnce() -> Vec<Vec<u8>>> Names<F> {
    /// Whether a word assigns a value to a parameter that the module has.
    fn assigned_by(&mut self, word: &[u8]) -> bool {
        let Some(end) = word.iter().position(|&byte| byte == b'=').filter(|&end| end > 0) else {
            return false;
        };
        if let Some(read) = self.read.take() {
            self.known = read();
        }
        let name = underscored(word.get(..end).unwrap_or_default());
        self.known.contains(&name)
    }
}

/// The kernel takes a dash in a parameter's name for an underscore (`parameq` in `kernel/params.c`).
fn underscored(name: &[u8]) -> Vec<u8> {
    name.iter().map(|&byte| if byte == b'-' { b'_' } else { byte }).collect()
}

fn quoted<F: FnOnce() -> Vec<Vec<u8>>>(word: &[u8], names: &mut Names<F>) -> Vec<u8> {
    let mut parts = word.splitn(2, |&byte| byte == b'=');
    match (parts.next(), parts.next()) {
        (Some(name), Some(value))
            if value.contains(&b' ') && !value.starts_with(b"\"") && !value.starts_with(b"'") =>
        {
            let mut parameters: Vec<Vec<u8>> = Vec::new();
            let mut current: Vec<&[u8]> = Vec::new();
            for piece in value.split(|&byte| byte == b' ') {
                if !current.is_empty() && names.assigned_by(piece) {
                    parameters.push(current.join(&b' '));
                    current.clear();
                }
                current.push(piece);
            }
            parameters.push(current.join(&b' '));
            if let Some(first) = parameters.first_mut() {
                *first = [name, b"=", first].concat();
            }
            // The blanks between two parameters belong to neither.
            let several = parameters.len() > 1;
            let trimmed = |parameter: &Vec<u8>| {
                if several { parameter.trim_ascii_end().to_vec() } else { parameter.clone() }
            };
            let parameters: Vec<Vec<u8>> =
                parameters.iter().map(trimmed).map(|one| with_quotes(&one)).collect();
            parameters.join(&b' ')
        }
        _ => word.to_vec(),
    }
}

/// One parameter, whose value is quoted if it contains blanks.
fn with_quotes(parameter: &[u8]) -> Vec<u8> {
    let mut parts = parameter.splitn(2, |&byte| byte == b'=');
    match (parts.next(), parts.next()) {
        (Some(name), Some(value))
            if value.contains(&b' ') && !value.starts_with(b"\"") && !value.starts_with(b"'") =>
        {
            [name, b"=\"", value, b"\""].concat()
        }
        _ => parameter.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(words: &[&str], names: &[&str]) -> String {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        join(&words, || names.iter().map(|name| name.as_bytes().to_vec()).collect()).to_string()
    }

    #[test]
    fn values_with_blanks_are_quoted_unless_they_are() {
        let joined = |words: &[&str]| joined(words, &[]);
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
    fn several_parameters_of_the_module_in_one_word_are_several() {
        let joined = |words: &[&str]| joined(words, &["a", "b_c", "text"]);
        assert_eq!(joined(&["a=1 b_c=2"]), "a=1 b_c=2");
        assert_eq!(joined(&["a=1 b-c=2", "text=x"]), "a=1 b-c=2 text=x");
        assert_eq!(joined(&["text=x y  a=1"]), "text=\"x y\" a=1");
        assert_eq!(joined(&["a=1 text=x y"]), "a=1 text=\"x y\"");
        // No parameter of the module, or no assignment.
        assert_eq!(joined(&["text=x y=2"]), "text=\"x y=2\"");
        assert_eq!(joined(&["text=see a"]), "text=\"see a\"");
        assert_eq!(joined(&["text=\"a=1 b_c=2\""]), "text=\"a=1 b_c=2\"");
        assert_eq!(joined(&["a= b_c=2"]), "a= b_c=2");
    }

    #[test]
    fn the_module_is_read_only_where_it_matters() {
        let words: Vec<OsString> = ["a=1", "text=two words", "b=2"].iter().map(OsString::from).collect();
        assert_eq!(join(&words, || panic!("read")), "a=1 text=\"two words\" b=2");
    }
}
