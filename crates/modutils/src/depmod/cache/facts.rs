//! The facts of one module as bytes: seven rows, see `rows.rs`.

use super::{push_string, take_string};
use crate::depmod::{
    facts::Facts,
    rows::{Strings, SymbolRows},
};

/// The rows in their order.
fn rows<'a>(facts: &'a Facts<'_>) -> [&'a [u8]; 7] {
    let ([exports, export_crcs], [needs, needs_how]) = (facts.exports.as_bytes(), facts.needs.as_bytes());
    let [aliases, softdeps, weakdeps] =
        [&facts.aliases, &facts.softdeps, &facts.weakdeps].map(Strings::as_bytes);
    [aliases, softdeps, weakdeps, exports, export_crcs, needs, needs_how]
}

/// How many bytes a module's facts take.
pub(super) fn len(facts: &Facts<'_>) -> usize {
    rows(facts).iter().fold(0, |sum: usize, row| sum.saturating_add(row.len()).saturating_add(4))
}

/// Appends a module's facts.
pub(super) fn encode(facts: &Facts<'_>, out: &mut Vec<u8>) {
    rows(facts).iter().for_each(|row| push_string(out, row));
}

/// The facts; `None` where the bytes are not what [`encode`] makes.
pub(super) fn decode(bytes: &[u8]) -> Option<Facts<'_>> {
    let mut rest = bytes;
    let mut row = || take_string(&mut rest);
    let mut strings = || Strings::from_bytes(row()?);
    let (aliases, softdeps, weakdeps) = (strings()?, strings()?, strings()?);
    let mut symbols = || SymbolRows::from_bytes([row()?, row()?]);
    let (exports, needs) = (symbols()?, symbols()?);
    rest.is_empty().then_some(Facts { aliases, softdeps, weakdeps, exports, needs })
}
