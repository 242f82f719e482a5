//! The machines a test module can be written for.
//!
//! A module file does not record the layout of its tables: the class and the byte order of the ELF header decide. The
//! list has each combination that the tools must read, and the architectures that need a special case.

use object::Endianness;
use object::elf;

/// A machine: its ELF header fields and the size of its kernel's `struct module`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit, little-endian.
    X86_64,
    /// 32-bit, little-endian.
    I386,
    /// 64-bit, little-endian.
    Aarch64,
    /// 32-bit, little-endian.
    Armhf,
    /// 64-bit, little-endian.
    Riscv64,
    /// 64-bit, big-endian.
    S390x,
    /// 64-bit, big-endian, ABI version 1: function symbols may start with a dot.
    Ppc64V1,
    /// 64-bit, little-endian, ABI version 2: `.TOC.` is an undefined symbol of every module.
    Ppc64V2,
    /// 32-bit, big-endian, with register symbols (`STT_REGISTER`) that are no imports.
    Sparc32,
    /// 64-bit, big-endian, with register symbols.
    Sparc64,
    /// 32-bit, big-endian.
    Mips32Be,
}

impl Arch {
    /// Every machine, so that a test can go through all of them.
    pub const ALL: [Arch; 11] = [
        Arch::X86_64,
        Arch::I386,
        Arch::Aarch64,
        Arch::Armhf,
        Arch::Riscv64,
        Arch::S390x,
        Arch::Ppc64V1,
        Arch::Ppc64V2,
        Arch::Sparc32,
        Arch::Sparc64,
        Arch::Mips32Be,
    ];

    /// Whether addresses take eight bytes.
    pub fn is_64(self) -> bool {
        !matches!(self, Arch::I386 | Arch::Armhf | Arch::Sparc32 | Arch::Mips32Be)
    }

    /// The byte order of everything in the file.
    pub fn endianness(self) -> Endianness {
        match self {
            Arch::S390x | Arch::Ppc64V1 | Arch::Sparc32 | Arch::Sparc64 | Arch::Mips32Be => Endianness::Big,
            _ => Endianness::Little,
        }
    }

    /// A number in this machine's byte order.
    pub fn u32(self, value: u32) -> [u8; 4] {
        match self.endianness() {
            Endianness::Big => value.to_be_bytes(),
            Endianness::Little => value.to_le_bytes(),
        }
    }

    /// A kernel `unsigned long`: four or eight bytes in this machine's byte order.
    pub fn long(self, value: u64) -> Vec<u8> {
        match (self.is_64(), self.endianness()) {
            (true, Endianness::Big) => value.to_be_bytes().to_vec(),
            (true, Endianness::Little) => value.to_le_bytes().to_vec(),
            (false, _) => self.u32(value as u32).to_vec(),
        }
    }

    /// The machine's ELF number.
    pub(crate) fn machine(self) -> elf::Machine {
        match self {
            Arch::X86_64 => elf::EM_X86_64,
            Arch::I386 => elf::EM_386,
            Arch::Aarch64 => elf::EM_AARCH64,
            Arch::Armhf => elf::EM_ARM,
            Arch::Riscv64 => elf::EM_RISCV,
            Arch::S390x => elf::EM_S390,
            Arch::Ppc64V1 | Arch::Ppc64V2 => elf::EM_PPC64,
            Arch::Sparc32 => elf::EM_SPARC,
            Arch::Sparc64 => elf::EM_SPARCV9,
            Arch::Mips32Be => elf::EM_MIPS,
        }
    }

    /// The header's `e_flags`: the low two bits are the ABI version on PowerPC; ARM's are EABI 5.
    pub(crate) fn flags(self) -> u32 {
        match self {
            Arch::Ppc64V1 => 1,
            Arch::Ppc64V2 => 2,
            Arch::Armhf => 0x0500_0000,
            _ => 0,
        }
    }

    /// Whether its relocations have addends of their own.
    pub(crate) fn has_addends(self) -> bool {
        !matches!(self, Arch::I386 | Arch::Armhf | Arch::Mips32Be)
    }

    /// The relocation that is an address as wide as a word.
    pub(crate) fn address_relocation(self) -> elf::RelocationType {
        match self {
            Arch::X86_64 => elf::R_X86_64_64,
            Arch::I386 => elf::R_386_32,
            Arch::Aarch64 => elf::R_AARCH64_ABS64,
            Arch::Armhf => elf::R_ARM_ABS32,
            Arch::Riscv64 => elf::R_RISCV_64,
            Arch::S390x => elf::R_390_64,
            Arch::Ppc64V1 | Arch::Ppc64V2 => elf::R_PPC64_ADDR64,
            Arch::Sparc32 => elf::R_SPARC_32,
            Arch::Sparc64 => elf::R_SPARC_64,
            Arch::Mips32Be => elf::R_MIPS_32,
        }
    }

    /// The offset of `name` in `struct module`: after `enum module_state` and a `struct list_head`.
    pub fn name_offset(self) -> usize {
        if self.is_64() { 24 } else { 12 }
    }

    /// `MODULE_NAME_LEN`, the room for a name in `struct module` and in a version record.
    pub fn name_len(self) -> usize {
        if self.is_64() { 56 } else { 60 }
    }

    /// The size of `struct module` in Debian 13's kernels, or one like it.
    pub(crate) fn this_module_size(self) -> usize {
        match self {
            Arch::S390x => 0x600,
            _ if self.is_64() => 0x500,
            _ => 0x300,
        }
    }
}
