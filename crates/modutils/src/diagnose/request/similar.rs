//! Names that differ from one asked for by a slip of the finger.

use bstr::{BString, ByteSlice};

/// How many are reported.
const MOST: usize = 5;
/// Too many shorter names are similar.
const SHORTEST: usize = 3;

/// The names among `candidates` that are one letter away from `name`: one more, one less, another one,
/// or two changed over; or that differ in upper and lower case alone. Sorted, each once, and only the first few.
pub fn similar<'a>(name: &[u8], candidates: impl IntoIterator<Item = &'a [u8]>) -> Vec<BString> {
    if name.len() < SHORTEST {
        return Vec::new();
    }
    let mut found: Vec<BString> =
        candidates.into_iter().filter(|candidate| is_one_away(name, candidate)).map(BString::from).collect();
    found.sort();
    found.dedup();
    found.truncate(MOST);
    found
}

fn is_one_away(a: &[u8], b: &[u8]) -> bool {
    if a.len().abs_diff(b.len()) > 1 || a == b {
        return false;
    }
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    // What both begin and end with is no difference.
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(same..).unwrap_or_default(), b.get(same..).unwrap_or_default());
    let same = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let rest =
        |bytes: &[u8]| bytes.get(..bytes.len().saturating_sub(same)).unwrap_or_default().as_bstr().to_owned();
    match (rest(a).as_slice(), rest(b).as_slice()) {
        ([], [_]) | ([_], []) | ([_], [_]) => true,
        ([a1, a2], [b1, b2]) => a1 == b2 && a2 == b1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_found_and_no_more() {
        let names = ["vfat", "fat", "cfat", "vfatt", "vafat", "fvat", "vfta", "ext4", "vfat2x"];
        let found = similar(b"vfat", names.map(str::as_bytes));
        assert_eq!(found, ["cfat", "fat", "fvat", "vafat", "vfatt"]);
        assert_eq!(similar(b"btrsf", ["btrfs".as_bytes(), b"btrs"]), ["btrfs", "btrs"]);
        assert!(similar(b"ab", ["abc".as_bytes()]).is_empty());
        assert_eq!(similar(b"VFat", ["vfat".as_bytes(), b"VFat", b"vfats"]), ["vfat"]);
        assert!(similar(b"aaa", ["aab".as_bytes(), b"bbb", b"aaa"]) == ["aab"]);
    }
}
