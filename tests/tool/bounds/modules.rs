//! Module files that contain more than they should, or claim to.

use modutils_tests::{add_ordered, module};
use testkit::{Arch, Compression, Crc, Section, TestRoot};

use super::bounded;

/// A file of this form that comes to 65 times 16 MiB: a stream may be followed by others.
fn bomb(compression: Compression) -> Vec<u8> {
    let mut image = module("bomb").build();
    image.resize(16 << 20, 0);
    compression.compress(&image).repeat(65)
}

fn has_bombs(root: &TestRoot) -> [String; 3] {
    [Compression::Gzip, Compression::Xz, Compression::Zstd].map(|compression| {
        let path = root.module_path(&format!("kernel/bomb-{compression:?}{}", compression.suffix()));
        let bytes = bomb(compression);
        assert!(bytes.len() < 4 << 20, "{}", bytes.len());
        root.write(&path, bytes);
        format!("/{path}")
    })
}

#[test]
fn decompression_bombs_are_stopped_and_named() {
    let root = TestRoot::new();
    for path in has_bombs(&root) {
        for (tool, args) in [("modinfo", &[][..]), ("modprobe", &["--show-exports"]), ("insmod", &[])] {
            let run = bounded(&root, 2600, tool, &[args, &[&path]].concat()).fails();
            assert!(run.err().contains(&path) && run.err().contains("holds more than"), "{run:?}");
        }
    }
}

#[test]
fn a_decompression_bomb_in_a_tree_is_named_and_the_others_are_indexed() {
    let root = TestRoot::new();
    let paths = has_bombs(&root);
    add_ordered(&root, "kernel/sound.ko", &module("sound").alias("sound-*"));
    let run = bounded(&root, 2600, "depmod", &["-n"]).succeeds();
    assert!(run.out().contains("alias sound-* sound\n"), "{run:?}");
    assert!(paths.iter().all(|path| run.err().contains(path)), "{run:?}");
}

/// 65,280 is the first number that the header cannot hold, and the null section, the symbol table and two string tables
/// are always added.
#[test]
fn modules_may_have_as_many_sections_as_they_like() {
    let root = TestRoot::new();
    for count in [65_270, 65_279, 65_280, 65_531, 65_535, 65_536, 200_000] {
        for arch in [Arch::X86_64, Arch::Armhf] {
            let module = module("many").arch(arch).empty_sections(count).export("f", Crc::Section(7));
            root.write("tmp/many.ko", module.build());
            assert_eq!(
                bounded(&root, 300, "modinfo", &["-F", "name", "/tmp/many.ko"]).succeeds().out(),
                "many\n"
            );
            let exports = bounded(&root, 300, "modprobe", &["--show-exports", "/tmp/many.ko"]).succeeds();
            assert_eq!(exports.out(), "0x00000007\tf\n", "{count} {arch:?}");
        }
    }
}

#[test]
fn a_number_of_sections_beyond_the_file_is_an_error() {
    let root = TestRoot::new();
    for count in [1_u64 << 20, 1 << 40, u64::MAX / 64, u64::MAX] {
        let mut bytes = module("many").empty_sections(65_300).build();
        let table = u64::from_le_bytes(bytes[40..48].try_into().expect("eight bytes")) as usize;
        bytes[table + 32..table + 40].copy_from_slice(&count.to_le_bytes());
        root.write("tmp/many.ko", bytes);
        let run = bounded(&root, 100, "modinfo", &["/tmp/many.ko"]).fails();
        assert!(
            run.err().contains("/tmp/many.ko: the section table runs past the end of the file"),
            "{run:?}"
        );
    }
}

/// The offset of a section's content in a 64-bit little-endian module.
fn content(bytes: &[u8], name: &[u8]) -> std::ops::Range<usize> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")) as usize;
    let short = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let header = |index: usize| number(40) + index * 64;
    let names = number(header(short(62)) + 24);
    let is_named = |index: &usize| {
        let start =
            names + u32::from_le_bytes(bytes[header(*index)..][..4].try_into().expect("four")) as usize;
        bytes[start..].starts_with(name) && bytes[start + name.len()] == 0
    };
    let index = (0..short(60)).find(is_named).expect("a section of that name");
    let start = number(header(index) + 24);
    start..start + number(header(index) + 32)
}

#[test]
fn string_tables_without_an_end_are_errors_that_name_file_and_section() {
    let root = TestRoot::new();
    let sound = module("open").export("f", Crc::Absolute(1)).needs("g", 2).build();
    for (section, named) in [
        (&b".strtab"[..], ".symtab"),
        (b".shstrtab", "section name"),
        (b"__ksymtab_strings", "__ksymtab_strings"),
        (b"__versions", "__versions"),
    ] {
        let mut bytes = sound.clone();
        let place = content(&bytes, section);
        bytes[place].iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b'x');
        root.write_module_file("kernel/open.ko", bytes);
        let run = bounded(&root, 100, "depmod", &["-n"]).succeeds();
        let path = format!("/{}", root.module_path("kernel/open.ko"));
        // If the symbol table has the exports and their CRCs, the strings are not read.
        let nobody_asks = section == b"__ksymtab_strings";
        assert!(nobody_asks || (run.err().contains(&path) && run.err().contains(named)), "{named}: {run:?}");
        bounded(&root, 100, "modinfo", &[&path]);
    }
}

#[test]
fn a_modinfo_section_without_an_end_is_read_to_its_end() {
    let root = TestRoot::new();
    let module = module("open").modinfo("license", "GPL").modinfo_raw("description=no end");
    root.write("tmp/open.ko", module.build());
    assert_eq!(bounded(&root, 100, "modinfo", &["-d", "/tmp/open.ko"]).succeeds().out(), "no end\n");
}

/// Every section is the whole file, and each symbol's CRC is in another one.
#[test]
fn sections_that_overlap_do_not_fill_the_memory() {
    const COUNT: u32 = 2000;
    let root = TestRoot::new();
    let mut builder = module("over").section(Section::new(".filler", vec![0; 8 << 20]));
    for number in 0..COUNT {
        builder = builder.section(Section::new(format!(".s{number}"), vec![0; 4]));
        let place = testkit::Place::Section(format!(".s{number}").into());
        builder = builder.symbol(testkit::Symbol::global(format!("__crc_f{number}"), place, 0));
    }
    let mut bytes = builder.build();
    let (table, length) =
        (u64::from_le_bytes(bytes[40..48].try_into().expect("eight bytes")), bytes.len() as u64);
    let size = 4_u64.to_le_bytes();
    for header in bytes[table as usize..].chunks_exact_mut(64) {
        if header[32..40] == size {
            header[24..32].fill(0);
            header[32..40].copy_from_slice(&length.to_le_bytes());
        }
    }
    root.write_module_file("kernel/over.ko", bytes);
    let run = bounded(&root, 150, "depmod", &["-n"]).succeeds();
    assert!(run.err().contains("kernel/over.ko: sections overlap"), "{run:?}");
}

/// Six kilobytes of zstd made depmod take gigabytes, and print a hundred megabytes of warnings.
#[test]
fn modules_with_more_facts_than_any_module_has_are_named_and_the_others_indexed() {
    let root = TestRoot::new();
    let entries =
        |entry: &[u8], count: usize| module("many").modinfo_raw([entry, b"\0"].concat().repeat(count));
    let section = |name: &str, bytes: Vec<u8>| {
        module("many").modinfo("license", "GPL").section(Section::new(name, bytes))
    };
    for (many, fault) in [
        (
            section("__ksymtab_strings", b"e\0".repeat(32 << 20)),
            "section __ksymtab_strings: it has more than",
        ),
        (section("__versions", vec![0; 64 << 19]), "section __versions: it has more than"),
        (entries(b"=", 16 << 20), "section .modinfo: it is larger than"),
        (entries(b"=", 200_000), "section .modinfo: it has more than"),
        (entries(b"alias=a", 8 << 20), "section .modinfo: it is larger than"),
        (
            entries(&[b"alias=", &b"a".repeat(64 << 20)[..]].concat(), 1),
            "section .modinfo: it is larger than",
        ),
        (entries(b"alias=[", 60_000), "59000 more messages are omitted"),
        (entries(b"alias=\xff", 60_000), "59000 more messages are omitted"),
    ] {
        let packed = Compression::Zstd.compress(&many.build());
        assert!(packed.len() < 20_000, "{}", packed.len());
        root.write(&root.module_path("kernel/many.ko.zst"), packed);
        add_ordered(&root, "kernel/sound.ko", &module("sound").alias("sound-*"));
        let run = bounded(&root, 200, "depmod", &["--no-cache"]).succeeds();
        let text = |name: &str| String::from_utf8_lossy(&root.read(&root.module_path(name))).into_owned();
        assert!(text("modules.alias").contains("alias sound-* sound\n"));
        assert!(text("modules.dep").contains("kernel/many.ko.zst:\n"));
        assert!(run.err().contains("kernel/many.ko.zst") && run.err().contains(fault), "{fault}: {run:?}");
        assert!(run.stderr.len() < 200_000, "{}", run.stderr.len());
        for (tool, args) in [("modinfo", &[][..]), ("modprobe", &["--show-exports"])] {
            let path = format!("/{}", root.module_path("kernel/many.ko.zst"));
            bounded(&root, 200, tool, &[args, &[&path]].concat());
        }
    }
}
