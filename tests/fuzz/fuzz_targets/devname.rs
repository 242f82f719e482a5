//! `modules.devname`: every line is a comment, a node or a fault that names it, and a node reads back.
#![no_main]

use bstr::ByteSlice;
use libfuzzer_sys::fuzz_target;
use modutils::Place;
use modutils::internals::depmod::devname::{Device, parse};
use modutils_fuzz::memory;

fuzz_target!(|text: &[u8]| {
    memory::within((1 << 20) + 256 * text.len(), || {
        let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').map(without_end).collect();
        let mut numbers = (1..).zip(&lines).filter(|(_, line)| line.first() != Some(&b'#'));
        for node in parse(text) {
            let (number, line) = numbers.next().expect("a line for each node and fault");
            let expected = reading(line);
            match node {
                Ok(node) => {
                    let read = (node.module.as_bytes(), node.name.as_bytes(), node.device);
                    assert_eq!(Some(read), expected, "line {number}");
                    let mut written = Vec::new();
                    node.write(&mut written);
                    // A module called `#` is written as a comment; depmod knows none, and neither does the kernel.
                    if !node.module.starts_with(b"#") {
                        assert_eq!(parse(&written).collect::<Vec<_>>(), [Ok(node)]);
                    }
                }
                Err(bad) => {
                    assert_eq!(expected, None, "line {number}");
                    assert_eq!(bad.text, line.as_bstr());
                    assert!(matches!(bad.fault.place, Place::Line(place) if place == number));
                }
            }
        }
        assert_eq!(numbers.next(), None, "a line was skipped");
    });
});

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The content of a line, parsed byte by byte.
fn reading(line: &[u8]) -> Option<(&[u8], &[u8], Device)> {
    let mut words = line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
    let (module, name, device) = (words.next()?, words.next()?, words.next()?);
    let block = match device.first()? {
        b'b' => true,
        b'c' => false,
        _ => return None,
    };
    let colon = device.iter().position(|&byte| byte == b':')?;
    let (major, minor) = (number(&device[1..colon])?, number(&device[colon + 1..])?);
    let parts = || name.split(|&byte| byte == b'/');
    if parts().any(|part| matches!(part, b"" | b"." | b".."))
        || name.len() > 255
        || name.iter().any(|byte| b"%\"'\\$*?[]".contains(byte) || byte.is_ascii_control())
        || std::str::from_utf8(name)
            .is_ok_and(|name| !name.chars().all(|letter| letter.is_ascii() || letter.is_alphanumeric()))
    {
        return None;
    }
    Some((module, name, Device { block, major, minor }))
}

fn number(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, digit| {
        Some(10 * value + u64::from(digit - b'0')).filter(|&value| value <= u64::from(u32::MAX))
    });
    value.and_then(|value| u32::try_from(value).ok())
}
