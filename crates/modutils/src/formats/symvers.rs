//! `Module.symvers`: the symbols that a kernel's build exports, with their CRCs, as `write_dump` of
//! `scripts/mod/modpost.c` writes it and Documentation/kbuild/modules.rst describes it:
//! `CRC<TAB>NAME<TAB>OWNER<TAB>EXPORT_SYMBOL…<TAB>NAMESPACE`, the last one empty for most symbols and not
//! there before Linux 5.4. Without CONFIG_MODVERSIONS all CRCs are zero.

use std::str;

use bstr::ByteSlice;

/// A line: an exported symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The CRC as it is written; [`Line::crc`] parses it.
    pub crc_text: &'a [u8],
    /// The symbol's name.
    pub name: &'a [u8],
    /// `vmlinux`, or the path of the module that exports it, without an extension.
    pub owner: &'a [u8],
    /// `EXPORT_SYMBOL` or `EXPORT_SYMBOL_GPL`, where the line goes on so far.
    pub export: Option<&'a [u8]>,
    /// The namespace that a user of the symbol must import.
    pub namespace: Option<&'a [u8]>,
}

impl<'a> Line<'a> {
    /// Parses a line; `None` where it has no owner.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        // Whatever blanks there are: lists are also made by hand.
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let (crc_text, name, owner) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { crc_text, name, owner, export: fields.next(), namespace: fields.next() })
    }

    /// The CRC; `None` where it is no hexadecimal number.
    pub fn crc(&self) -> Option<u64> {
        let digits = self.crc_text.strip_prefix(b"0x").unwrap_or(self.crc_text);
        u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    }

    /// Whether the kernel itself exports the symbol, and no module.
    pub fn is_kernels(&self) -> bool {
        self.owner == b"vmlinux"
    }

    /// Whether only modules with a GPL-compatible licence may use the symbol: `EXPORT_SYMBOL_GPL`, or the
    /// `EXPORT_UNUSED_SYMBOL_GPL` and `EXPORT_SYMBOL_GPL_FUTURE` that there were until Linux 5.11.
    pub fn is_gpl_only(&self) -> bool {
        self.export.is_some_and(|export| export.contains_str("GPL"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_crc_name_owner_licence_and_namespace() {
        let line = b"0x0000001f\tusb_x\tdrivers/usb/usb-storage\tEXPORT_SYMBOL_GPL\tUSB\n";
        let line = Line::parse(line).unwrap();
        assert_eq!(
            (line.crc(), line.name, line.owner),
            (Some(0x1f), &b"usb_x"[..], &b"drivers/usb/usb-storage"[..])
        );
        assert_eq!((line.is_kernels(), line.is_gpl_only(), line.namespace), (false, true, Some(&b"USB"[..])));
        let line = Line::parse(b"0x00000000\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n").unwrap();
        assert_eq!((line.crc(), line.is_kernels(), line.is_gpl_only()), (Some(0), true, false));
        assert_eq!(line.namespace, None);
    }

    #[test]
    fn a_line_may_end_after_the_owner_and_have_any_blanks() {
        let line = Line::parse(b" 5 kfree  vmlinux\r\n").unwrap();
        assert_eq!((line.crc(), line.is_kernels(), line.export), (Some(5), true, None));
        for short in [&b""[..], b"\n", b"0x5\tkfree", b"0x5\tkfree\t\n"] {
            assert_eq!(Line::parse(short), None);
        }
    }

    #[test]
    fn a_crc_is_a_hexadecimal_number_of_up_to_64_bits() {
        let crc = |crc: &str| Line::parse(format!("{crc}\ta\tvmlinux").as_bytes()).unwrap().crc();
        assert_eq!(crc("0xffffffffffffffff"), Some(u64::MAX));
        for wrong in ["0xzz", "0x", "0x10000000000000000", "-1"] {
            assert_eq!(crc(wrong), None, "{wrong}");
        }
        assert_eq!(Line::parse(b"0x\xff\ta\tvmlinux").unwrap().crc(), None);
    }
}
