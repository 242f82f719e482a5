//! Machine code for x86-64: what a module does when it is loaded and when it is unloaded.

use crate::elf::Section;

/// What a function of a module does. Where it refers to symbols, the module must have or import them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It returns this number.
    Returns(i32),
    /// It sleeps (`msleep`) until the parameter with this number is not zero, and returns 0.
    WaitsFor(usize),
    /// It runs into an instruction that is undefined, at which the kernel ends the process.
    Crashes,
}

impl Code {
    /// The section with the function. `endbr64` lets it be called indirectly.
    pub(crate) fn section(self, name: &str) -> Section {
        const BEGIN: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
        let (code, pointers) = match self {
            Self::Returns(answer) => {
                // mov $answer, %eax; ret
                ([&[0xb8][..], &answer.to_le_bytes(), &[0xc3]].concat(), Vec::new())
            }
            Self::WaitsFor(parameter) => {
                let code = [
                    &[0x53][..],                           // 0: push %rbx
                    &[0x48, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0], // 1: movabs $parameter, %rbx
                    &[0x83, 0x3b, 0],                      // 11: cmpl $0, (%rbx)
                    &[0x75, 0x13],                         // 14: jne 35
                    &[0xbf, 20, 0, 0, 0],                  // 16: mov $20, %edi
                    &[0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0], // 21: movabs $msleep, %rax
                    &[0xff, 0xd0],                         // 31: call *%rax
                    &[0xeb, 0xe8],                         // 33: jmp 11
                    &[0x31, 0xc0],                         // 35: xor %eax, %eax
                    &[0x5b, 0xc3],                         // 37: pop %rbx; ret
                ];
                (code.concat(), vec![(3, format!("__param_arg_{parameter}")), (23, "msleep".to_owned())])
            }
            // ud2
            Self::Crashes => (vec![0x0f, 0x0b], Vec::new()),
        };
        let section = Section::new(name, [&BEGIN, code.as_slice()].concat());
        let executable = object::elf::SHF_ALLOC.0 | object::elf::SHF_EXECINSTR.0;
        pointers.into_iter().fold(section.flags(executable).aligned(16), |section, (offset, symbol)| {
            section.pointer(BEGIN.len() as u64 + offset, symbol)
        })
    }
}
