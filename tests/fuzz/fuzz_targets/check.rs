//! Would a kernel take a module that is damaged anywhere: there is a verdict, with a reason where it is no, in
//! printable words.
#![no_main]

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use modutils::diagnose::check::{Check, Prediction};
use modutils::{Release, Root};
use modutils_fuzz::files::{self, MemoryFile};
use modutils_fuzz::memory;
use modutils_fuzz::module::{DamagedModule, module};
use testkit::{Compression, Crc, ModuleBuilder, Section, Setter};

const RELEASE: &str = "6.12.0";
const SYMVERS: &str = "0x00000001\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n\
                       0x00000002\tkfree\tvmlinux\tEXPORT_SYMBOL_GPL\tMEMORY\n\
                       0x00000003\tparam_ops_int\tvmlinux\tEXPORT_SYMBOL\t\n\
                       0x0000000b\tbase_fn\tkernel/base\tEXPORT_SYMBOL\t\n";
const CONFIG: &str = "CONFIG_MODULES=y\nCONFIG_MODVERSIONS=y\nCONFIG_MODULE_SIG=y\nCONFIG_MODULE_DECOMPRESS=y\n\
                      # CONFIG_MODULE_SIG_FORCE is not set\n# CONFIG_MODULE_FORCE_LOAD is not set\n";

thread_local! {
    static SYSTEM: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

#[derive(Debug)]
struct Subject {
    module: DamagedModule,
    parameters: Vec<u8>,
}

impl<'a> Arbitrary<'a> for Subject {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut module = module(input)?;
        for _ in 0..input.int_in_range(0..=5)? {
            module = add(input, module)?;
        }
        let module = DamagedModule {
            plain: module.build(),
            compression: *input.choose(&Compression::ALL)?,
            inside: input.arbitrary()?,
            sections: input.arbitrary()?,
            outside: if input.ratio(1, 8)? { input.arbitrary()? } else { Vec::new() },
        };
        Ok(Self { module, parameters: input.arbitrary()? })
    }
}

/// Something that the diagnosis looks at.
fn add(input: &mut Unstructured<'_>, module: ModuleBuilder) -> arbitrary::Result<ModuleBuilder> {
    const SETTERS: [Setter; 7] = [
        Setter::Kernel("param_ops_int"),
        Setter::Kernel("param_ops_bool"),
        Setter::Kernel("param_ops_charp"),
        Setter::Array("param_ops_uint", 2),
        Setter::Text(4),
        Setter::Own,
        Setter::Shown("param_ops_int"),
    ];
    const SECTIONS: [&str; 7] =
        [".BTF", ".BTF.base", ".note.gnu.build-id", ".data..percpu", ".rodata", "__param", ".init.text"];
    Ok(match input.int_in_range(0..=5)? {
        0 => module.parameter(*input.choose(&["a", "b", "a_b"])?, *input.choose(&SETTERS)?),
        1 => module.modinfo("license", *input.choose(&["GPL", "Proprietary"])?),
        2 => module.modinfo("vermagic", *input.choose(&["6.12.0 SMP ", "6.12.0 SMP modversions ", "6.1 "])?),
        3 => module.needs(*input.choose(&["_printk", "kfree", "base_fn"])?, <Option<u32>>::arbitrary(input)?),
        4 => module.modinfo(
            *input.choose(&["parmtype", "import_ns", "name"])?,
            *input.choose(&["a:int", "MEMORY"])?,
        ),
        _ => module.section(Section::new(*input.choose(&SECTIONS)?, <&[u8]>::arbitrary(input)?)),
    })
}

fuzz_target!(|subject: Subject| {
    SYSTEM.with(|system| {
        let system = system.get_or_init(system_with_modules).path();
        let bytes = subject.module.bytes();
        let file = MemoryFile::new(&bytes);
        let size = bytes.len() + subject.module.plain.len() + subject.parameters.len();
        memory::within((32 << 20) + 256 * size, || judge(system, &file.path(), &subject.parameters));
    });
});

fn judge(system: &Path, file: &Path, parameters: &[u8]) {
    let root = Root::default().with_base(system).with_system(system);
    let check = Check::new(root, Release::new(RELEASE)).threads(1);
    let verdict = check.file(file, parameters).expect("a file that is there has a verdict");
    assert_eq!(verdict.outcome() == Prediction::WouldNotLoad, !verdict.findings().is_empty());
    if verdict.outcome() == Prediction::CannotTell {
        assert!(!verdict.unknowns().is_empty(), "not known, and nothing is missing");
    }
    for line in verdict.lines().iter().chain(verdict.parameters()) {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(!line.is_empty(), "{verdict:?}");
    }
}

/// A root with a kernel that is not the running one.
fn system_with_modules() -> tempfile::TempDir {
    let system = files::scratch();
    let write = |path: &str, bytes: &[u8]| {
        let path = system.path().join(path);
        fs::create_dir_all(path.parent().expect("it is in a directory")).expect("a scratch directory");
        fs::write(path, bytes).expect("a scratch file");
    };
    let modules = format!("lib/modules/{RELEASE}");
    let base =
        ModuleBuilder::new("base").modinfo("license", "GPL").modinfo("vermagic", "6.12.0 SMP modversions ");
    write(&format!("{modules}/kernel/base.ko"), &base.export("base_fn", Crc::Section(0x0b)).build());
    write(&format!("{modules}/build/Module.symvers"), SYMVERS.as_bytes());
    write(&format!("boot/config-{RELEASE}"), CONFIG.as_bytes());
    system
}
