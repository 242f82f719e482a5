//! Damage to a text: the configuration, and the lists that a kernel's build or depmod leaves.

use fastrand::Rng;

use super::bytes;
use super::random::random_offset;
use super::record::Damage;

/// Bytes that mean something to a reader of such texts.
const MEANT: &[u8] = b"\0\n\\\"'#:=.-_*?[]/ \t\xff%$(){}+";

pub(super) fn damage(file: &mut Vec<u8>, rng: &mut Rng) -> Damage {
    match rng.u8(..10) {
        0 => Damage::new("text bits", bytes::flip(file, usize::MAX, rng)),
        1 => Damage::new("text cut", bytes::cut(file, rng)),
        2 => Damage::new("text garbled", bytes::garble(file, rng)),
        3 => {
            for byte in file.iter_mut().filter(|byte| matches!(byte, b'\n' | 0)) {
                if rng.bool() {
                    *byte = b' ';
                }
            }
            Damage::new("text lines joined", "")
        }
        4 => {
            for byte in file.iter_mut().filter(|byte| matches!(byte, b' ' | b'=' | b':' | b'.')) {
                if rng.u8(..4) == 0 {
                    *byte = b'\n';
                }
            }
            Damage::new("text lines broken", "")
        }
        5 => {
            let at = random_offset(file.len(), rng);
            let byte = MEANT[rng.usize(..MEANT.len())];
            let length = 1 << rng.u32(..18);
            file.splice(at..at, std::iter::repeat_n(byte, length));
            Damage::new("text long run", format!("{length} x {byte:#04x} at {at:#x}"))
        }
        6 => {
            let mut lines: Vec<Vec<u8>> = file.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            rng.shuffle(&mut lines);
            *file = lines.join(&b'\n');
            Damage::new("text lines shuffled", "")
        }
        _ => {
            let count = 1 + rng.usize(..8);
            let mut detail = String::new();
            for _ in 0..count {
                let at = random_offset(file.len(), rng);
                let byte = MEANT[rng.usize(..MEANT.len())];
                match file.get_mut(at).filter(|_| rng.bool()) {
                    Some(place) => *place = byte,
                    None => file.insert(at, byte),
                }
                detail.push_str(&format!("{byte:#04x} at {at:#x} "));
            }
            Damage::new("text bytes", detail)
        }
    }
}
