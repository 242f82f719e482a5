//! Splits a string of options into words. The fuzz targets include this file, too.

/// Splits at blanks outside of single or double quotes, and removes the quotes.
pub fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    for &byte in text {
        match (byte, quote) {
            (b' ', None) => words.extend(word.take()),
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (_, Some(open)) if open == byte => quote = None,
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text.as_bytes()).into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn quotes_of_either_kind_keep_blanks() {
        assert_eq!(words("-q  -C '/a b' -D\"v\" ''"), ["-q", "-C", "/a b", "-Dv", ""]);
        assert_eq!(words("-C '/a b"), ["-C", "/a b"]);
        assert_eq!(words("-a\t-D \"it's\""), ["-a\t-D", "it's"]);
        assert!(words("").is_empty());
    }
}
