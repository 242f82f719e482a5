//! Writing the table of parameters that the kernel reads: `__param`, an array of `struct kernel_param`
//! (`include/linux/moduleparam.h`).

use object::elf::{SHF_ALLOC, SHF_WRITE};

use crate::arch::Arch;
use crate::elf::{Place, Section, Symbol};

/// What reads the value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setter {
    /// Operations that the kernel exports: `param_ops_int`.
    Kernel(&'static str),
    /// An array of at most so many values, each read by these operations.
    Array(&'static str, u32),
    /// A text that is copied into so many bytes.
    Text(u32),
    /// The module's own operations.
    Own,
    /// As [`Setter::Kernel`], and `/sys/module` has a file to which root may write.
    Shown(&'static str),
}

/// The section with the names and the structures that the table leads to.
const DATA: &str = ".rodata";
/// The section with the values that may change.
const VALUES: &str = ".data";
/// The permission bits of a file that root may write.
const MODE: u16 = 0o644;

/// Adds the table, what its pointers lead to, and the symbols for both.
pub(crate) fn add(
    arch: Arch,
    parameters: &[(Vec<u8>, Setter)],
    sections: &mut Vec<Section>,
    symbols: &mut Vec<Symbol>,
) {
    if parameters.is_empty() {
        return;
    }
    let word = arch.long(0).len();
    let mut data = Vec::new();
    let mut data_pointers = Vec::new();
    let mut table = Section::new("__param", vec![0; 5 * word * parameters.len()]).aligned(8);
    let local = |name: &str, value: usize| Symbol::local(name, Place::Section(DATA.into()), value as u64);
    let mut values: Vec<u8> = Vec::new();
    for (number, (name, setter)) in parameters.iter().enumerate() {
        let field = |field: usize| ((5 * number + field) * word) as u64;
        let symbol = format!("__param_str_{number}");
        symbols.push(local(&symbol, data.len()));
        data.extend([name.as_slice(), b"\0"].concat());
        data.resize(data.len().next_multiple_of(8), 0);
        table = table.pointer(field(0), symbol);
        let argument = format!("__param_arg_{number}");
        symbols.push(match setter {
            Setter::Shown(_) => Symbol::local(&argument, Place::Section(VALUES.into()), values.len() as u64),
            _ => local(&argument, data.len()),
        });
        table = table.pointer(field(4), argument);
        let mut import = |name: &str| {
            if symbols.iter().all(|symbol| symbol.name != name.as_bytes()) {
                symbols.push(Symbol::global(name, Place::Undefined, 0));
            }
        };
        let ops = match setter {
            Setter::Kernel(ops) => {
                import(ops);
                (*ops).to_owned()
            }
            Setter::Array(element, most) => {
                import("param_array_ops");
                import(element);
                data_pointers.push((data.len() + 8 + word, *element));
                data.extend(arch.u32(*most));
                "param_array_ops".to_owned()
            }
            Setter::Text(room) => {
                import("param_ops_string");
                data.extend(arch.u32(*room));
                "param_ops_string".to_owned()
            }
            Setter::Shown(ops) => {
                import(ops);
                values.extend([0; 8]);
                let mode = field(3) as usize;
                let bytes = arch.u32(u32::from(MODE) << 16 | u32::from(MODE));
                table.data[mode..mode + 2].copy_from_slice(&bytes[..2]);
                (*ops).to_owned()
            }
            Setter::Own => {
                let own = format!("own_ops_{number}");
                symbols.push(local(&own, data.len()));
                own
            }
        };
        table = table.pointer(field(2), ops);
        data.resize((data.len() + 8 + 3 * word).next_multiple_of(8), 0);
    }
    let mut data = Section::new(DATA, data).aligned(8);
    for (offset, ops) in data_pointers {
        data = data.pointer(offset as u64, ops);
    }
    sections.extend([data, table]);
    if !values.is_empty() {
        let flags = SHF_ALLOC.0 | SHF_WRITE.0;
        sections.push(Section::new(VALUES, values).flags(flags).aligned(8));
    }
}
