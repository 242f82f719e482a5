//! Facts of modules that the testkit writes: for every machine, and for damaged files.

use std::{path::Path, sync::LazyLock};

use proptest::prelude::*;
use testkit::{
    Arch, Crc, Export, ExportTables, ModuleBuilder, Signature as NewSignature, SigningKey, VersionTables,
};

use super::*;

fn module(builder: &ModuleBuilder) -> ModuleFile {
    from_bytes(builder.build()).unwrap()
}

fn from_bytes(bytes: Vec<u8>) -> Result<ModuleFile> {
    ModuleFile::from_bytes(Path::new("/m/a-b.ko.xz"), bytes)
}

fn needed(module: &ModuleFile) -> Vec<(String, Option<u64>, Binding)> {
    let needed = module.needed_symbols().unwrap();
    needed.iter().map(|symbol| (symbol.name.to_string(), symbol.crc, symbol.binding)).collect()
}

fn exported(module: &ModuleFile) -> Vec<(String, Option<u64>)> {
    module.exported_symbols().unwrap().iter().map(|symbol| (symbol.name.to_string(), symbol.crc)).collect()
}

#[test]
fn a_module_is_named_after_its_file_and_says_its_own_name() {
    for arch in Arch::ALL {
        let module = module(&ModuleBuilder::new("inner").arch(arch));
        assert_eq!(module.name().to_string(), "a_b");
        assert_eq!(module.this_module().unwrap().unwrap().name, "inner");
    }
    let without = module(&ModuleBuilder::new("m").this_module_size(0));
    assert_eq!(without.this_module().unwrap(), None);
}

#[test]
fn a_file_without_modinfo_is_no_module() {
    let error = module(&ModuleBuilder::new("m")).modinfo().unwrap_err();
    assert_eq!(error.to_string(), "/m/a-b.ko.xz: no section .modinfo: not a module");
    assert_eq!(error.errno(), Errno::ENODATA);
}

#[test]
fn needed_symbols_come_in_table_order_and_then_those_of_the_version_table() {
    for arch in Arch::ALL {
        for tables in [VersionTables::Classic, VersionTables::Extended, VersionTables::Both] {
            let builder = ModuleBuilder::new("m").arch(arch).version_tables(tables);
            let builder = builder.needs("b", 2).needs_weak("a", 1).needs("c", None).version("z", 9);
            let expected = [
                ("b".to_owned(), Some(2), Binding::Global),
                ("a".to_owned(), Some(1), Binding::Weak),
                ("c".to_owned(), None, Binding::Global),
                ("z".to_owned(), Some(9), Binding::Undefined),
            ];
            assert_eq!(needed(&module(&builder)), expected, "{arch:?} {tables:?}");
        }
    }
}

// As libkmod: the two tables are compared as they stand; only the list of versions drops the dot.
#[test]
fn dots_are_dropped_from_versions_and_kept_in_needed_symbols() {
    let module = module(&ModuleBuilder::new("m").arch(Arch::Ppc64V1).needs(".dotted", 3));
    assert_eq!(needed(&module), [(".dotted".to_owned(), Some(3), Binding::Global)]);
    assert_eq!(module.versions().unwrap(), [SymbolVersion { name: "dotted".into(), crc: 3 }]);
}

#[test]
fn register_symbols_of_sparc_are_not_needed() {
    for arch in [Arch::Sparc32, Arch::Sparc64] {
        let builder = ModuleBuilder::new("m").arch(arch).register_symbol("g2").needs("x", None);
        assert_eq!(needed(&module(&builder)), [("x".to_owned(), None, Binding::Global)]);
    }
}

#[test]
fn exports_have_their_crcs_wherever_these_stand() {
    for arch in Arch::ALL {
        for (crc, expected) in
            [(Crc::Absolute(0x1234), Some(0x1234)), (Crc::Section(0x5678), Some(0x5678)), (Crc::None, None)]
        {
            let builder = ModuleBuilder::new("m").arch(arch).export("a", crc).export("b", crc);
            let expected = [("a".to_owned(), expected), ("b".to_owned(), expected)];
            assert_eq!(exported(&module(&builder)), expected, "{arch:?} {crc:?}");
        }
    }
}

#[test]
fn licence_and_namespace_of_an_export_are_told_by_any_kernels_tables() {
    for tables in [ExportTables::ByLicence, ExportTables::Flags] {
        let builder = ModuleBuilder::new("m")
            .export_tables(tables)
            .export_as(Export::new("gpl").gpl().crc(Crc::Section(1)))
            .export_as(Export::new("ns").namespace("NS").crc(Crc::Section(2)));
        let module = module(&builder);
        let symbols = module.exported_symbols().unwrap();
        assert_eq!((symbols[0].gpl_only, symbols[0].namespace), (true, None), "{tables:?}");
        assert_eq!((symbols[1].gpl_only, symbols[1].namespace), (false, Some("NS".into())), "{tables:?}");
    }
}

#[test]
fn a_namespace_is_no_export_although_it_stands_among_their_names() {
    for tables in [ExportTables::ByLicence, ExportTables::Flags] {
        let builder = ModuleBuilder::new("m").export_tables(tables);
        let module = module(&builder.export_as(Export::new("fn").namespace("NS")));
        let symbols = module.exported_symbols().unwrap();
        let found: Vec<_> = symbols.iter().map(|one| (one.name.to_string(), one.has_entry)).collect();
        // The same as kmod lists, where there are no CRCs.
        assert_eq!(found, [("fn".to_owned(), true), ("NS".to_owned(), false)], "{tables:?}");
    }
}

#[test]
fn a_crc_outside_its_section_agrees_with_nothing() {
    let section = testkit::Section::new(".crcs", vec![1, 0, 0, 0]);
    let place = testkit::Place::Section(b".crcs".to_vec());
    let symbol = |name: &str, value| testkit::Symbol::global(name, place.clone(), value);
    let builder =
        ModuleBuilder::new("m").section(section).symbol(symbol("__crc_a", 0)).symbol(symbol("__crc_b", 1));
    assert_eq!(exported(&module(&builder)), [("a".to_owned(), Some(1)), ("b".to_owned(), Some(u64::MAX))]);
}

#[test]
#[cfg(feature = "signature")]
fn a_pkcs7_signature_names_issuer_and_serial_number() {
    let key = std::sync::Arc::new(SigningKey::new("Some key", "0xFF00AA"));
    let signed = module(&ModuleBuilder::new("m").signed_by(&key, "sha512"));
    let signature = signed.signature().unwrap().unwrap();
    assert_eq!(signature.id_type, IdType::Pkcs7);
    let details = signature.details.unwrap();
    assert_eq!(details.signer.unwrap(), "Some key");
    assert_eq!(details.key_id, [0xff, 0, 0xaa]);
    assert_eq!(details.hash, "sha512");
    assert!(details.bytes.len() > 100);
}

#[test]
fn the_fields_of_older_signatures_are_plain() {
    let new = NewSignature {
        id_type: 1,
        hash: 4,
        signer: b"Signer".to_vec(),
        key_id: vec![1, 2],
        signature: vec![9; 30],
        ..NewSignature::default()
    };
    let signature = module(&ModuleBuilder::new("m").signature(new)).signature().unwrap().unwrap();
    let details = signature.details.unwrap();
    assert_eq!((signature.id_type, details.hash), (IdType::X509, "sha256"));
    assert_eq!(details.signer.unwrap(), "Signer");
    assert_eq!((details.key_id, details.bytes), (vec![1, 2], vec![9; 30]));
}

#[test]
fn a_malformed_signature_is_none() {
    let sound = NewSignature { id_type: 1, hash: 4, signature: vec![9; 30], ..NewSignature::default() };
    let odd = [
        NewSignature { id_type: 3, ..sound.clone() },
        NewSignature { hash: 9, ..sound.clone() },
        NewSignature { algo: 2, ..sound.clone() },
        NewSignature { claimed_len: Some(0), ..sound.clone() },
        NewSignature { claimed_len: Some(u32::MAX), ..sound.clone() },
    ];
    for signature in odd {
        assert_eq!(module(&ModuleBuilder::new("m").signature(signature)).signature().unwrap(), None);
    }
}

#[test]
#[cfg(feature = "signature")]
fn a_malformed_pkcs7_message_is_a_signature_without_details() {
    let unreadable = module(&ModuleBuilder::new("m").signature(NewSignature::pkcs7(vec![1; 60])));
    assert_eq!(unreadable.signature().unwrap().unwrap().details, None);
}

#[test]
#[cfg(not(feature = "signature"))]
fn a_pkcs7_signature_that_this_build_does_not_read_is_not_called_missing() {
    use crate::ErrorKind;

    let signed = module(&ModuleBuilder::new("m").signature(NewSignature::pkcs7(vec![1; 60])));
    let error = signed.signature().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Unsupported, Some(signed.path())));
    assert_eq!(module(&ModuleBuilder::new("m")).signature().unwrap(), None);
}

/// Asks a file for everything.
fn all_facts(bytes: Vec<u8>) {
    let Ok(module) = from_bytes(bytes) else { return };
    if let Ok(info) = module.modinfo() {
        let _ = (info.parameters(), info.malformed_parameters().count());
    }
    let _ = module.versions();
    let _ = module.exported_symbols();
    let _ = module.needed_symbols();
    let _ = module.this_module();
    let _ = module.signature();
}

fn full_module(arch: Arch) -> Vec<u8> {
    ModuleBuilder::new("m")
        .arch(arch)
        .modinfo("license", "GPL")
        .modinfo("parm", "a:b")
        .version_tables(VersionTables::Both)
        .export_as(Export::new("e").gpl().namespace("N").crc(Crc::Section(1)))
        .needs("n", 2)
        .signature(NewSignature::pkcs7(vec![0x30; 40]))
        .build()
}

proptest! {
    #[test]
    fn damaged_modules_never_panic(
        arch in prop::sample::select(Arch::ALL.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        end in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let mut bytes = full_module(arch);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(end.index(bytes.len()) + 1);
        }
        all_facts(bytes);
    }

    // The tables at the end of the file hold most offsets and sizes: damage goes there.
    #[test]
    fn damaged_section_tables_never_panic(
        arch in prop::sample::select(Arch::ALL.to_vec()),
        words in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..6),
    ) {
        let mut bytes = full_module(arch);
        let table = from_bytes(bytes.clone()).unwrap().elf().header().e_shoff as usize;
        for (place, word) in words {
            let place = table + place.index(bytes.len() - table - 4);
            bytes[place..place + 4].copy_from_slice(&word.to_le_bytes());
        }
        all_facts(bytes);
    }

    #[test]
    fn any_bytes_before_a_signature_mark_are_read_or_refused(mut bytes: Vec<u8>) {
        bytes.extend_from_slice(b"~Module signature appended~\n");
        let _ = Signature::parse(&bytes);
    }

    #[test]
    fn damaged_pkcs7_messages_never_panic(place in any::<prop::sample::Index>(), byte: u8, len in 0..600_usize) {
        static MESSAGE: LazyLock<Vec<u8>> =
            LazyLock::new(|| SigningKey::new("Some key", "0x5").pkcs7(b"module", "sha256"));
        let mut message = MESSAGE.clone();
        let place = place.index(message.len());
        message[place] = byte;
        message.truncate(len);
        let _ = Signature::parse(&NewSignature::pkcs7(message).to_bytes());
    }
}
