//! The facts of one module as bytes: five rows of strings, and what goes with the symbols.

use super::{push_string, take_string};
use crate::depmod::facts::{Facts, Need, Strings};

/// A CRC is there.
const CRC: u8 = 1;
/// It does not fit into 32 bits.
const WIDE: u8 = 2;
/// The symbol may be missing.
const WEAK: u8 = 4;

/// So many bytes a module's facts take at most, unless CRCs are wide.
pub(super) fn most_bytes(facts: &Facts) -> usize {
    let strings = [&facts.aliases, &facts.softdeps, &facts.weakdeps, &facts.exports, &facts.needs];
    let needs = facts.export_crcs.len().saturating_add(facts.needs_how.len()).saturating_mul(5);
    strings.iter().fold(needs, |sum, strings| sum.saturating_add(strings.as_bytes().len()).saturating_add(4))
}

/// Appends a module's facts.
pub(super) fn encode(facts: &Facts, out: &mut Vec<u8>) {
    for strings in [&facts.aliases, &facts.softdeps, &facts.weakdeps, &facts.exports, &facts.needs] {
        push_string(out, strings.as_bytes());
    }
    for &crc in &facts.export_crcs {
        push_need(out, Need { crc, weak: false });
    }
    // Where the one ends and the other begins, the number of strings tells.
    for &need in &facts.needs_how {
        push_need(out, need);
    }
}

/// The facts; `None` where the bytes are not what [`encode`] makes.
pub(super) fn decode(bytes: &[u8]) -> Option<Facts> {
    let mut rest = bytes;
    let mut strings = || Strings::from_bytes(take_string(&mut rest)?.to_vec());
    let (aliases, softdeps, weakdeps) = (strings()?, strings()?, strings()?);
    let (exports, needs) = (strings()?, strings()?);
    let export_crcs = exports.iter().map(|_| Some(take_need(&mut rest)?.crc)).collect::<Option<_>>()?;
    let needs_how = needs.iter().map(|_| take_need(&mut rest)).collect::<Option<_>>()?;
    let facts = Facts { aliases, softdeps, weakdeps, exports, export_crcs, needs, needs_how };
    rest.is_empty().then_some(facts)
}

fn push_need(out: &mut Vec<u8>, need: Need) {
    let weak = if need.weak { WEAK } else { 0 };
    match need.crc.map(|crc| (crc, u32::try_from(crc))) {
        None => out.push(weak),
        Some((_, Ok(crc))) => {
            out.push(weak | CRC);
            out.extend_from_slice(&crc.to_le_bytes());
        }
        Some((crc, Err(_))) => {
            out.push(weak | CRC | WIDE);
            out.extend_from_slice(&crc.to_le_bytes());
        }
    }
}

fn take_need(rest: &mut &[u8]) -> Option<Need> {
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
    Some(Need { crc, weak: flags & WEAK != 0 })
}
