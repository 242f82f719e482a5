//! LZ4 as kernels are compressed with it (`CONFIG_KERNEL_LZ4`): the form that the program lz4 calls legacy, a magic
//! number and blocks that follow their lengths, each of 8 MiB but for the last (`lib/decompress_unlz4.c`).

use crate::Malformed;

/// `ARCHIVE_MAGICNUMBER`.
pub const MAGIC: &[u8] = b"\x02\x21\x4c\x18";
/// `LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE`.
const BLOCK: usize = 8 << 20;

/// Decompresses what begins with the magic number, whatever follows it; `None` where that is no such stream, or has more
/// than `limit` bytes.
///
/// # Errors
/// When there is no memory for it.
pub fn decompress(stream: &[u8], limit: u64) -> Result<Option<Vec<u8>>, Malformed> {
    let Some(mut rest) = stream.strip_prefix(MAGIC) else { return Ok(None) };
    let mut plain: Vec<u8> = Vec::new();
    while let Some((len, tail)) = rest.split_first_chunk::<4>() {
        let Ok(len) = usize::try_from(u32::from_le_bytes(*len)) else { break };
        let Some((block, tail)) = tail.split_at_checked(len) else { break };
        let start = plain.len();
        plain.try_reserve(BLOCK).map_err(|_| Malformed::out_of_memory())?;
        plain.resize(start + BLOCK, 0);
        let room = plain.get_mut(start..).unwrap_or_default();
        let read = lz4_flex::block::decompress_into(block, room).unwrap_or(0);
        plain.truncate(start + read);
        if plain.len() as u64 > limit {
            return Ok(None);
        }
        if read < BLOCK {
            break;
        }
        rest = tail;
    }
    Ok(Some(plain).filter(|plain| !plain.is_empty()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(blocks: &[&[u8]]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for block in blocks {
            // One run of literals, its length in the first byte and those after it.
            let mut packed = vec![(block.len().min(15) as u8) << 4];
            if let Some(mut more) = block.len().checked_sub(15) {
                while more >= 255 {
                    packed.push(255);
                    more -= 255;
                }
                packed.push(more as u8);
            }
            packed.extend_from_slice(block);
            bytes.extend((packed.len() as u32).to_le_bytes());
            bytes.extend(packed);
        }
        bytes
    }

    #[test]
    fn blocks_are_read_until_one_is_not_full() {
        let full = vec![7; BLOCK];
        let bytes = [stream(&[&full, b"the end"]), b"and more".to_vec()].concat();
        let plain = decompress(&bytes, 1 << 30).unwrap().unwrap();
        assert!(plain.len() == BLOCK + 7 && plain.ends_with(b"\x07the end"));
        assert_eq!(decompress(&bytes, BLOCK as u64).unwrap(), None);
        assert_eq!(decompress(b"\x02\x21\x4c\x19", 9).unwrap(), None);
        assert_eq!(decompress(&stream(&[]), 9).unwrap(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decompress(&[MAGIC, &bytes].concat(), 1 << 24);
        }
    }
}
