//! Rows of strings and of symbols, each in one piece of memory. A tree has hundreds of thousands.
//!
//! What the cache keeps of a module is laid out the same way, so that the rows of a module that it
//! knows are the cache's own bytes.

use std::borrow::Cow;

use bstr::ByteSlice;

/// A row of strings, each ended by a NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings<'a>(Cow<'a, [u8]>);

impl<'a> Strings<'a> {
    /// Adds a string: up to its first NUL, should it have one.
    pub fn push(&mut self, string: &[u8]) {
        let end = string.find_byte(0).unwrap_or(string.len());
        let row = self.0.to_mut();
        row.extend_from_slice(string.get(..end).unwrap_or_default());
        row.push(0);
    }

    /// The strings as they are in memory.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Strings from their bytes; `None` where the last one has no end.
    pub(super) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        bytes.last().is_none_or(|&last| last == 0).then_some(Self(Cow::Borrowed(bytes)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().filter(|&&byte| byte == 0).count()
    }

    #[cfg(any(test, feature = "internals"))]
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.as_bytes();
        std::iter::from_fn(move || {
            let (string, after) = rest.split_at_checked(rest.find_byte(0)?)?;
            rest = after.get(1..)?;
            Some(string)
        })
    }
}

/// How a symbol is needed or exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolUse {
    /// The CRC that the module was built against, or that it exports.
    pub crc: Option<u64>,
    /// Whether the module loads without the symbol.
    pub weak: bool,
}

/// A row of symbols: their names, and how each is needed or exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolRows<'a> {
    names: Strings<'a>,
    /// For each name a byte of flags, and the CRC where they mark one.
    needs: Cow<'a, [u8]>,
}

/// A CRC is there.
const CRC: u8 = 1;
/// It does not fit into 32 bits.
const WIDE: u8 = 2;
/// The symbol may be missing.
const WEAK: u8 = 4;

impl<'a> SymbolRows<'a> {
    /// Adds a symbol.
    pub fn push(&mut self, name: &[u8], need: SymbolUse) {
        self.names.push(name);
        let row = self.needs.to_mut();
        let weak = if need.weak { WEAK } else { 0 };
        match need.crc.map(|crc| (crc, u32::try_from(crc))) {
            None => row.push(weak),
            Some((_, Ok(crc))) => {
                row.push(weak | CRC);
                row.extend_from_slice(&crc.to_le_bytes());
            }
            Some((crc, Err(_))) => {
                row.push(weak | CRC | WIDE);
                row.extend_from_slice(&crc.to_le_bytes());
            }
        }
    }

    /// The names.
    pub(super) fn names(&self) -> &Strings<'a> {
        &self.names
    }

    /// The two rows as they are in memory: names and needs.
    pub(super) fn as_bytes(&self) -> [&[u8]; 2] {
        [self.names.as_bytes(), &self.needs]
    }

    /// SymbolRows from these; `None` where there is not one need for each name.
    pub(super) fn from_bytes([names, needs]: [&'a [u8]; 2]) -> Option<Self> {
        let names = Strings::from_bytes(names)?;
        let mut rest = needs;
        for _ in 0..names.len() {
            take_need(&mut rest)?;
        }
        rest.is_empty().then_some(Self { names, needs: Cow::Borrowed(needs) })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    #[cfg(any(test, feature = "internals"))]
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The symbols in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], SymbolUse)> {
        let mut rest = &*self.needs;
        self.names.iter().zip(std::iter::from_fn(move || take_need(&mut rest)))
    }
}

/// Takes a need from the front.
fn take_need(rest: &mut &[u8]) -> Option<SymbolUse> {
    let (&flags, mut after) = rest.split_first()?;
    let crc = if flags & CRC == 0 {
        None
    } else if flags & WIDE == 0 {
        let (crc, left) = after.split_first_chunk()?;
        after = left;
        Some(u32::from_le_bytes(*crc).into())
    } else {
        let (crc, left) = after.split_first_chunk()?;
        after = left;
        Some(u64::from_le_bytes(*crc))
    };
    *rest = after;
    Some(SymbolUse { crc, weak: flags & WEAK != 0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_string_ends_at_its_first_nul() {
        let mut strings = Strings::default();
        for string in [&b"one"[..], b"", b"two\0three"] {
            strings.push(string);
        }
        assert_eq!(strings.iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"two"]);
        assert_eq!((strings.len(), strings.is_empty()), (3, false));
        assert_eq!(Strings::from_bytes(b"no end"), None);
    }

    proptest! {
        #[test]
        fn symbols_are_what_was_pushed_also_from_their_bytes(
            pushed in proptest::collection::vec(("[a-z]{0,9}", any::<Option<u64>>(), any::<bool>()), 0..20),
            narrow: bool,
        ) {
            let mut symbols = SymbolRows::default();
            let pushed: Vec<_> = pushed
                .into_iter()
                .map(|(name, crc, weak)| (name, SymbolUse { crc: crc.map(|crc| if narrow { crc >> 32 } else { crc }), weak }))
                .collect();
            for (name, need) in &pushed {
                symbols.push(name.as_bytes(), *need);
            }
            let expected: Vec<_> = pushed.iter().map(|(name, need)| (name.as_bytes(), *need)).collect();
            prop_assert_eq!(symbols.iter().collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(symbols.len(), expected.len());
            let [names, needs] = symbols.as_bytes();
            let read = SymbolRows::from_bytes([names, needs]).unwrap();
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), expected);
            prop_assert!(SymbolRows::from_bytes([names, &[needs, &[0]].concat()]).is_none());
            prop_assert!(SymbolRows::from_bytes([&[names, &[0]].concat(), needs]).is_none());
        }
    }
}
