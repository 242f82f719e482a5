//! Type information of any bytes: how far it leads is known only of what is sound, and stays within it.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use modutils::internals::refusal::btf::{Endian, extent, is_sound};
use modutils_fuzz::memory;

/// A section: with a header that fits, or as it is.
#[derive(Arbitrary, Debug)]
enum Section<'a> {
    Headed { types: Vec<Type>, more: &'a [u8], names: &'a [u8], header: [i8; 5] },
    Bytes(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
struct Type {
    name: u8,
    kind: u8,
    count: u8,
    other: u32,
    rest: Vec<u32>,
}

fuzz_target!(|sections: [(Section<'_>, bool); 2]| {
    let extents = sections.map(|(section, is_big)| {
        let endian = if is_big { Endian::Big } else { Endian::Little };
        let bytes = section.bytes(is_big);
        memory::within(1 << 16, || {
            let extent = extent(&bytes, endian);
            if let Some(extent) = extent {
                assert!(is_sound(&bytes, endian), "types without a sound header");
                assert!(
                    u64::from(extent.types) * 12 <= bytes.len() as u64,
                    "more types than there is room for"
                );
                assert!(u64::from(extent.names) <= bytes.len() as u64, "more names than there is room for");
            }
            extent
        })
    });
    if let [Some(module), Some(base)] = extents {
        // What fits a kernel fits one with more.
        let mut larger = base;
        larger.types = larger.types.saturating_add(1);
        larger.names = larger.names.saturating_add(1);
        assert!(!module.fits(&base) || module.fits(&larger));
    }
});

impl Section<'_> {
    fn bytes(&self, is_big: bool) -> Vec<u8> {
        let word = |word: u32| if is_big { word.to_be_bytes() } else { word.to_le_bytes() };
        let Self::Headed { types, more, names, header } = self else {
            let Self::Bytes(bytes) = self else { unreachable!("one of the two") };
            return bytes.to_vec();
        };
        let mut data = Vec::new();
        for Type { name, kind, count, other, rest } in types {
            let info = u32::from(*kind) << 24 | u32::from(*count);
            data.extend(
                [u32::from(*name), info, *other].into_iter().chain(rest.iter().copied()).flat_map(word),
            );
        }
        data.extend(*more);
        let (types_len, names_len) = (data.len() as u32, names.len() as u32);
        let words = [24, 0, types_len, types_len, names_len];
        let words = words.iter().zip(header).map(|(word, off)| word.wrapping_add_signed((*off).into()));
        let magic = if is_big { 0xeb9f_u16.to_be_bytes() } else { 0xeb9f_u16.to_le_bytes() };
        let mut bytes = [&magic[..], &[1, 0]].concat();
        bytes.extend(words.flat_map(word));
        bytes.extend(data);
        bytes.extend(*names);
        bytes
    }
}
