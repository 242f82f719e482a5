//! Other programs read the modules that testkit writes: binutils' readelf, the compressors, openssl and the packaged
//! kmod. The writer and the readers of this project could share a mistake; these tests find it.

use std::path::PathBuf;
use std::sync::Arc as Shared;

use testkit::cache::{self, SkipExtent};
use testkit::surroundings::program;
use testkit::{
    Arch, Compression, Crc, Export, ExportTables, LoadedModule, ModuleBuilder, Section, Side, Signature,
    SigningKey, TestRoot, VersionTables,
};

/// A module with every kind of content.
fn rich(arch: Arch) -> ModuleBuilder {
    ModuleBuilder::new("rich")
        .arch(arch)
        .modinfo("license", "GPL")
        .modinfo("parmtype", "depth:int")
        .alias("pci:v00001AF4d*")
        .export("alpha", Crc::Section(0x0102_0304))
        .export_as(Export::new("beta").crc(Crc::Section(0xa1b2_c3d4)).gpl().namespace("SPACE"))
        .export("gamma", Crc::Absolute(0xdead_beef))
        .needs("_printk", 0x1234_5678)
        .needs_weak("perhaps", 0x9abc_def0)
        .needs("unversioned", None)
}

/// Runs readelf on a module and returns its output; warnings fail the test.
fn readelf(module: &[u8], args: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("module.ko");
    std::fs::write(&path, module).expect("a file");
    let output =
        program("readelf").args(args).arg("-W").arg(path).output().expect("readelf (package binutils)");
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The columns of a symbol in readelf's table: value, binding, section.
fn symbol(table: &str, name: &str) -> (u64, String, String) {
    let row = table.lines().find(|line| line.split_whitespace().nth(7) == Some(name));
    let row = row.unwrap_or_else(|| panic!("no symbol {name} in\n{table}"));
    let columns: Vec<&str> = row.split_whitespace().collect();
    let value = u64::from_str_radix(columns[1], 16).expect("a hexadecimal value");
    (value, columns[4].to_owned(), columns[6].to_owned())
}

/// The bytes of a section, from readelf's hex dump.
fn section(module: &[u8], name: &str) -> Vec<u8> {
    let dump = readelf(module, &["-x", name]);
    let mut bytes = Vec::new();
    for line in dump.lines().filter_map(|line| line.trim_start().strip_prefix("0x")) {
        // An address, four groups of eight digits with single blanks between them, then the text.
        for group in line[9..44].split(' ').filter(|group| !group.is_empty()) {
            let digits = group.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).expect("digits"));
            bytes.extend(digits.map(|two| u8::from_str_radix(two, 16).expect("two digits")));
        }
    }
    bytes
}

#[test]
fn readelf_sees_the_requested_architecture() {
    let expected = [
        (Arch::X86_64, "ELF64", "little", "X86-64"),
        (Arch::I386, "ELF32", "little", "Intel 80386"),
        (Arch::Aarch64, "ELF64", "little", "AArch64"),
        (Arch::Armhf, "ELF32", "little", "ARM"),
        (Arch::Riscv64, "ELF64", "little", "RISC-V"),
        (Arch::S390x, "ELF64", "big", "IBM S/390"),
        (Arch::Ppc64V1, "ELF64", "big", "PowerPC64"),
        (Arch::Ppc64V2, "ELF64", "little", "PowerPC64"),
        (Arch::Sparc32, "ELF32", "big", "Sparc"),
        (Arch::Sparc64, "ELF64", "big", "Sparc v9"),
        (Arch::Mips32Be, "ELF32", "big", "MIPS"),
    ];
    assert_eq!(expected.map(|row| row.0), Arch::ALL);
    for (arch, class, order, machine) in expected {
        let header = readelf(&rich(arch).build(), &["-h"]);
        for fact in [class, &format!("{order} endian"), machine, "REL (Relocatable file)"] {
            assert!(header.contains(fact), "{fact} is not in {header}");
        }
        let abi = match arch {
            Arch::Ppc64V1 => "abiv1",
            Arch::Ppc64V2 => "abiv2",
            _ => "",
        };
        assert!(header.contains(abi), "{header}");
    }
}

#[test]
fn readelf_sees_exports_and_imports_of_every_machine() {
    for arch in Arch::ALL {
        let module = rich(arch).build();
        let sections = readelf(&module, &["-S"]);
        let number = |name: &str| {
            let row = sections.lines().find(|line| line.contains(&format!("] {name} "))).expect(name);
            row.split(['[', ']']).nth(1).expect("a number in brackets").trim().to_owned()
        };
        let symbols = readelf(&module, &["-s"]);
        assert_eq!(symbol(&symbols, "__crc_alpha"), (0, "LOCAL".into(), number("__kcrctab")));
        assert_eq!(symbol(&symbols, "__crc_beta"), (0, "LOCAL".into(), number("__kcrctab_gpl")));
        assert_eq!(symbol(&symbols, "__crc_gamma"), (0xdead_beef, "GLOBAL".into(), "ABS".into()));
        assert_eq!(symbol(&symbols, "__ksymtab_alpha"), (0, "LOCAL".into(), number("__ksymtab")));
        assert_eq!(symbol(&symbols, "__ksymtab_gamma"), (12, "LOCAL".into(), number("__ksymtab")));
        assert_eq!(symbol(&symbols, "__ksymtab_beta"), (0, "LOCAL".into(), number("__ksymtab_gpl")));
        assert_eq!(symbol(&symbols, "__kstrtabns_beta"), (12, "LOCAL".into(), number("__ksymtab_strings")));
        assert_eq!(section(&module, "__ksymtab_strings"), b"alpha\0\0beta\0SPACE\0gamma\0\0");
        assert_eq!(section(&module, "__kcrctab"), arch.u32(0x0102_0304));
        assert_eq!(section(&module, "__kcrctab_gpl"), arch.u32(0xa1b2_c3d4));
        for (name, binding) in [("_printk", "GLOBAL"), ("unversioned", "GLOBAL"), ("perhaps", "WEAK")] {
            assert_eq!(symbol(&symbols, name), (0, binding.into(), "UND".into()));
        }
        let this_module = section(&module, ".gnu.linkonce.this_module");
        assert!(this_module[arch.name_offset()..].starts_with(b"rich\0"), "{}", this_module.escape_ascii());
        assert_eq!(section(&module, ".modinfo"), b"license=GPL\0parmtype=depth:int\0alias=pci:v00001AF4d*\0");
    }
}

#[test]
fn the_packaged_kmod_reads_every_machine() {
    let root = TestRoot::new();
    for arch in Arch::ALL {
        root.write("tmp/rich.ko", rich(arch).build());
        let modinfo = root.reference("modinfo", &["/tmp/rich.ko"]).succeeds();
        let lines =
            ["filename:       /tmp/rich.ko", "license:        GPL", "alias:          pci:v00001AF4d*"];
        assert_eq!(modinfo.lines()[..3], lines);
        assert_eq!(modinfo.lines()[3..], ["parm:           depth:int"]);
        let exports = root.reference("modprobe", &["--show-exports", "/tmp/rich.ko"]).succeeds();
        let mut exports = exports.lines();
        exports.sort();
        assert_eq!(exports, ["0x01020304\talpha", "0xa1b2c3d4\tbeta", "0xdeadbeef\tgamma"], "{arch:?}");
        let versions = root.reference("modprobe", &["--show-modversions", "/tmp/rich.ko"]).succeeds();
        assert_eq!(versions.lines(), ["0x12345678\t_printk", "0x9abcdef0\tperhaps"], "{arch:?}");
    }
}

#[test]
fn the_packaged_depmod_resolves_every_form_of_export() {
    let forms = [
        (Crc::None, ExportTables::StringsOnly),
        (Crc::None, ExportTables::ByLicence),
        (Crc::Absolute(7), ExportTables::ByLicence),
        (Crc::Section(7), ExportTables::ByLicence),
        (Crc::Absolute(7), ExportTables::Flags),
        (Crc::Section(7), ExportTables::Flags),
    ];
    for arch in Arch::ALL {
        let root = TestRoot::new();
        for (number, (crc, tables)) in forms.into_iter().enumerate() {
            let plain = format!("plain{number}");
            let gpl = format!("gpl{number}");
            let exporter = ModuleBuilder::new(format!("exporter{number}"))
                .arch(arch)
                .export(&plain, crc)
                .export_as(Export::new(&gpl).crc(crc).gpl())
                .export_tables(tables);
            let user =
                ModuleBuilder::new(format!("user{number}")).arch(arch).needs(&plain, None).needs(&gpl, None);
            root.add_module(&format!("kernel/exporter{number}.ko"), &exporter);
            root.add_module(&format!("kernel/user{number}.ko"), &user);
        }
        root.reference("depmod", &[]).succeeds();
        let text = |name: &str| String::from_utf8(root.read(&root.module_path(name))).expect("UTF-8");
        for (number, form) in forms.iter().enumerate() {
            let line = format!("kernel/user{number}.ko: kernel/exporter{number}.ko\n");
            assert!(text("modules.dep").contains(&line), "{arch:?} {form:?}\n{}", text("modules.dep"));
            for symbol in ["plain", "gpl"] {
                let line = format!("alias symbol:{symbol}{number} exporter{number}\n");
                assert!(text("modules.symbols").contains(&line), "{arch:?} {form:?}");
            }
        }
    }
}

#[test]
fn flags_of_kernel_7_mark_gpl_only_symbols() {
    let module = rich(Arch::X86_64).export_tables(ExportTables::Flags).build();
    let symbols = readelf(&module, &["-s"]);
    assert_eq!(section(&module, "__kflagstab"), [0, 1, 0]);
    assert_eq!(symbol(&symbols, "__flags_beta").0, 1);
    assert_eq!(section(&module, "__kcrctab").len(), 8);
    assert!(!readelf(&module, &["-S"]).contains("_gpl"));
}

#[test]
fn version_tables_have_the_layout_of_their_kernel() {
    let long = "_RNvXs_NtCs1234567890abc_6kernel5printNtB4_9RawFormatterNtNtCs1234567890ab_4core3fmt5Write9write_str";
    for arch in Arch::ALL {
        let builder =
            ModuleBuilder::new("versions").arch(arch).needs("short", 0x0a0b_0c0d).needs(long, 0x0102_0304);
        let module = builder.version_tables(VersionTables::Both).build();
        let classic = section(&module, "__versions");
        assert_eq!(classic.len(), 64);
        let (crc, name) = classic.split_at(64 - arch.name_len());
        assert_eq!(crc, arch.long(0x0a0b_0c0d));
        assert!(name.starts_with(b"short\0") && name[5..].iter().all(|byte| *byte == 0));
        let crcs = section(&module, "__version_ext_crcs");
        assert_eq!(crcs, [arch.u32(0x0a0b_0c0d), arch.u32(0x0102_0304)].concat());
        assert_eq!(section(&module, "__version_ext_names"), format!("short\0{long}\0\0").as_bytes());
    }
    let extended = rich(Arch::X86_64).version_tables(VersionTables::Extended).build();
    assert!(!readelf(&extended, &["-S"]).contains("__versions"));
}

#[test]
fn section_numbers_may_exceed_the_header_fields() {
    for arch in [Arch::X86_64, Arch::S390x, Arch::Armhf] {
        let module = rich(arch).empty_sections(65_500).build();
        let header = readelf(&module, &["-h"]);
        assert!(header.contains("Number of section headers:         0 (655"), "{header}");
        let symbols = readelf(&module, &["-s"]);
        let (value, _, number) = symbol(&symbols, "__crc_alpha");
        assert_eq!(value, 0);
        assert!(number.parse::<u32>().expect("a section number") > 65_500, "{number}");
        assert_eq!(section(&module, "__kcrctab"), arch.u32(0x0102_0304));
    }
}

#[test]
fn register_symbols_of_sparc_are_not_imports() {
    for (arch, kind) in [(Arch::Sparc32, "<processor specific>: 13"), (Arch::Sparc64, "REGISTER")] {
        let root = TestRoot::new();
        let exporter = ModuleBuilder::new("exporter").arch(arch).export("scratch", Crc::None);
        root.add_module("kernel/exporter.ko", &exporter);
        root.add_module("kernel/user.ko", &ModuleBuilder::new("user").arch(arch).register_symbol("scratch"));
        let table = readelf(&root.read(&root.module_path("kernel/user.ko")), &["-s"]);
        assert!(table.lines().any(|line| line.contains(kind) && line.ends_with("scratch")), "{table}");
        root.reference("depmod", &[]).succeeds();
        let dep = String::from_utf8(root.read(&root.module_path("modules.dep"))).expect("UTF-8");
        assert!(dep.lines().any(|line| line == "kernel/user.ko:"), "{arch:?}: {dep}");
    }
}

#[test]
fn any_section_can_be_added() {
    let module = ModuleBuilder::new("odd").section(Section::new(".note.odd", "odd bytes")).build();
    assert_eq!(section(&module, ".note.odd"), b"odd bytes");
    let without = ModuleBuilder::new("odd").this_module_size(0).build();
    assert!(!readelf(&without, &["-S"]).contains("this_module"));
    let short = ModuleBuilder::new("odd").this_module_size(25).build();
    assert_eq!(section(&short, ".gnu.linkonce.this_module").len(), 25);
}

#[test]
fn compressors_and_the_packaged_kmod_read_compressed_modules() {
    let root = TestRoot::new();
    let plain = rich(Arch::X86_64).build();
    for (compression, tool) in
        [(Compression::Gzip, "gzip"), (Compression::Xz, "xz"), (Compression::Zstd, "zstd")]
    {
        let path = format!("tmp/rich{}", compression.suffix());
        root.write(&path, rich(Arch::X86_64).compressed(compression).build());
        let outside = root.path().join(&path);
        let output =
            program(tool).arg("-dc").arg(&outside).output().unwrap_or_else(|_| panic!("needs {tool}"));
        assert!(output.status.success() && output.stdout == plain, "{tool}");
        // Debian builds kmod without zlib.
        if compression != Compression::Gzip {
            let modinfo = root.reference("modinfo", &["-F", "license", &format!("/{path}")]).succeeds();
            assert_eq!(modinfo.out(), "GPL\n");
        }
    }
    let list =
        program("xz").args(["--robot", "-lvv"]).arg(root.path().join("tmp/rich.ko.xz")).output().expect("xz");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("CRC32") && list.contains("--lzma2=dict=2MiB"), "{list}");
}

#[test]
fn openssl_and_the_packaged_modinfo_read_a_pkcs7_signature() {
    let key = Shared::new(SigningKey::new("Build time key of a test", "0x01ab23"));
    let unsigned = rich(Arch::X86_64).build();
    let signed = rich(Arch::X86_64).signed_by(&key, "sha512").build();
    assert!(signed.starts_with(&unsigned) && signed.ends_with(testkit::signature::MAGIC));

    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| -> PathBuf { dir.path().join(name) };
    std::fs::write(file("content"), &unsigned).expect("a file");
    std::fs::write(file("message"), &signed[unsigned.len()..signed.len() - 40]).expect("a file");
    let verify = program("openssl")
        .args(["cms", "-verify", "-binary", "-inform", "DER", "-noverify", "-in"])
        .arg(file("message"))
        .arg("-content")
        .arg(file("content"))
        .arg("-certfile")
        .arg(key.certificate())
        .args(["-out", "/dev/null"])
        .output()
        .expect("openssl");
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));

    let root = TestRoot::new();
    root.write("tmp/rich.ko", signed);
    let field = |name: &str| root.reference("modinfo", &["-F", name, "/tmp/rich.ko"]).succeeds().out();
    assert_eq!(field("sig_id"), "PKCS#7\n");
    assert_eq!(field("signer"), "Build time key of a test\n");
    assert_eq!(field("sig_key"), "01:AB:23\n");
    assert_eq!(field("sig_hashalgo"), "sha512\n");
}

#[test]
fn the_packaged_modinfo_reads_the_older_signatures() {
    let signature = Signature {
        algo: 1,
        hash: 4,
        id_type: 1,
        signer: b"Somebody".to_vec(),
        key_id: vec![0xab, 0xcd],
        signature: vec![0x55; 24],
        claimed_len: None,
    };
    let root = TestRoot::new();
    root.write("tmp/rich.ko", rich(Arch::X86_64).signature(signature).build());
    let field = |name: &str| root.reference("modinfo", &["-F", name, "/tmp/rich.ko"]).succeeds().out();
    assert_eq!(field("sig_id"), "X509\n");
    assert_eq!(field("signer"), "Somebody\n");
    assert_eq!(field("sig_key"), "AB:CD\n");
    assert_eq!(field("sig_hashalgo"), "sha256\n");
    assert!(field("signature").starts_with("55:55:55"));
}

#[test]
fn the_packaged_lsmod_lists_modules_of_the_fake_proc_and_sys() {
    let root = TestRoot::new();
    root.load(&LoadedModule {
        users: Some(2),
        holders: &["one", "two"],
        size: 4096,
        ..LoadedModule::new("base")
    });
    root.load(&LoadedModule::new("one"));
    let lsmod = root.reference("lsmod", &[]).succeeds();
    let lines = lsmod.lines();
    assert_eq!(lines[1], "one                    16384  0");
    assert!(lines[2].starts_with("base                    4096  2 "), "{lsmod:?}");
    if cache::require_or_skip("kmod30", SkipExtent::PartOfTest).is_ok() {
        assert_eq!(root.run(Side::Kmod30, "lsmod", &[]).out(), lsmod.out());
    }
}
