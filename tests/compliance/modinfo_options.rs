//! What modinfo prints of files, names, aliases and built-in modules, with each of its options.

use std::sync::Arc;

use modutils_tests::{little_kernel, module, same_run};
use testkit::compare::same;
use testkit::{Arch, Compression, ModuleBuilder, Side, Signature, SigningKey, TestRoot};

/// The little kernel, indexed by the packaged depmod.
fn indexed() -> TestRoot {
    let root = little_kernel();
    root.reference("depmod", &[]).succeeds();
    root
}

#[test]
fn everything_about_a_file() {
    let root = indexed();
    let top = format!("/{}", root.module_path("kernel/drivers/top.ko"));
    let run = same_run(&root, "modinfo", &[&top]).succeeds();
    assert!(run.out().contains("parm:           depth:how deep (int)\n"), "{run:?}");
}

#[test]
fn names_aliases_and_builtins_are_looked_up() {
    let root = indexed();
    for name in
        ["top", "my-dash", "my_dash", "fs-top", "fs_top", "inside", "deep-inside", "deep_inside", "fs-inside"]
    {
        let run = same_run(&root, "modinfo", &[name]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    let run = same_run(&root, "modinfo", &["pci:v00008086d0000100Esv0sd0bc02sc00i00"]).succeeds();
    assert_eq!(run.out().matches("filename:").count(), 2, "{run:?}");
    for name in
        ["nothing", "top.ko", "kernel/drivers/top.ko", "of:NxTb-x", "symbol:base_fn", "my-dash.ko", ""]
    {
        same_run(&root, "modinfo", &[name]);
    }
}

#[test]
fn one_field_of_files_and_names() {
    let root = indexed();
    let top = format!("/{}", root.module_path("kernel/drivers/top.ko"));
    for argument in [top.as_str(), "top", "inside", "deep_inside"] {
        for field in [
            "license", "author", "alias", "parm", "parmtype", "filename", "name", "softdep", "nothing", "",
            "sig_id",
        ] {
            same_run(&root, "modinfo", &["-F", field, argument]);
            same_run(&root, "modinfo", &["-0", "--field", field, argument]);
        }
        for option in [
            "-a",
            "-d",
            "-l",
            "-p",
            "-n",
            "--author",
            "--description",
            "--license",
            "--parameters",
            "--filename",
        ] {
            same_run(&root, "modinfo", &[option, argument]);
        }
    }
}

#[test]
fn the_last_of_several_fields_counts() {
    let root = indexed();
    let run = same_run(&root, "modinfo", &["-a", "-F", "alias", "-l", "top"]);
    assert_eq!(run.out(), "Dual MIT/GPL\n");
    same_run(&root, "modinfo", &["-l", "-p", "top"]);
    same_run(&root, "modinfo", &["-pn", "top"]);
}

/// docs/differences.md: "modinfo -F License": ours follows the manual.
#[test]
fn field_names_have_no_case_with_ours() {
    let root = indexed();
    assert_eq!(root.reference("modinfo", &["-F", "License", "top"]).succeeds().out(), "");
    assert_eq!(root.ours("modinfo", &["-F", "License", "top"]).succeeds().out(), "Dual MIT/GPL\n");
}

#[test]
fn null_separates_instead_of_newlines() {
    let root = indexed();
    for name in ["top", "inside", "base"] {
        let run = same_run(&root, "modinfo", &["-0", name]).succeeds();
        assert!(run.stdout.contains(&0));
        same_run(&root, "modinfo", &["--null", "-p", name]);
    }
}

#[test]
fn modname_takes_no_alias_and_no_file() {
    let root = indexed();
    for name in ["top", "my-dash", "inside", "fs-top", "fs-inside", "nothing"] {
        same_run(&root, "modinfo", &["-m", name]);
        same_run(&root, "modinfo", &["--modname", "-F", "license", name]);
    }
    root.write("top.ko", ModuleBuilder::new("other").modinfo("license", "here").build());
    same_run(&root, "modinfo", &["top.ko"]);
    same_run(&root, "modinfo", &["-m", "top.ko"]);
    for name in ["top.x.y", "inside.ko", "fs_inside", "fs-inside.ko", ".top", ""] {
        same_run(&root, "modinfo", &["-m", name]);
    }
    for base in ["/", ""] {
        same_run(&root, "modinfo", &["-b", base, "top"]);
    }
}

#[test]
fn other_kernels_and_roots() {
    let root = indexed();
    root.write(
        "base/lib/modules/9.8.7/kernel/one.ko",
        ModuleBuilder::new("one").modinfo("license", "GPL").build(),
    );
    root.reference("depmod", &["-b", "/base", "9.8.7"]).succeeds();
    for basedir in ["/base", "/base/", "base", "./base"] {
        same_run(&root, "modinfo", &["-b", basedir, "-k", "9.8.7", "one"]).succeeds();
    }
    same_run(&root, "modinfo", &["--basedir=/base", "--set-version=9.8.7", "one", "two"]).fails();
    same_run(&root, "modinfo", &["-k", "9.8.7", "one"]).fails();
    same_run(&root, "modinfo", &["-b", "/nowhere", "top"]).fails();
}

#[test]
fn a_relative_path_shows_the_current_directory() {
    let root = TestRoot::new();
    root.write("tmp/a.ko", ModuleBuilder::new("a").modinfo("license", "GPL").build());
    root.create_dir("tmp/sub");
    for argument in
        ["a.ko", "./a.ko", "../tmp/a.ko", "sub/../a.ko", "/tmp/a.ko", "//tmp//a.ko", "sub", "missing.ko"]
    {
        let ask = |side: Side| root.invoke(side, "modinfo").dir("/tmp").args([argument]).run();
        same(&ask(Side::Ours), &ask(Side::Kmod34));
    }
}

#[test]
fn what_a_file_is_called_decides_whether_it_is_one() {
    let root = TestRoot::new();
    for compression in [Compression::Plain, Compression::Xz, Compression::Zstd] {
        let bytes = ModuleBuilder::new("a").modinfo("license", "GPL").compressed(compression).build();
        root.write(&format!("tmp/a{}", compression.suffix()), &bytes);
        root.write(&format!("tmp/other{}", compression.suffix().replace(".ko", ".mod")), &bytes);
        same_run(&root, "modinfo", &[&format!("/tmp/a{}", compression.suffix())]).succeeds();
        // docs/differences.md: "a word with a slash that is a file".
        let other = format!("other{}", compression.suffix().replace(".ko", ".mod"));
        root.ours("modinfo", &[&format!("/tmp/{other}")]).succeeds();
        root.reference("modinfo", &[&format!("/tmp/{other}")]).fails();
        same_run(&root, "modinfo", &[&other]).fails();
    }
    // The content decides how it is compressed, not the name.
    root.write(
        "tmp/xz.ko",
        ModuleBuilder::new("a").modinfo("license", "xz").compressed(Compression::Xz).build(),
    );
    same_run(&root, "modinfo", &["/tmp/xz.ko"]);
}

/// docs/differences.md: "gzip": Debian's kmod is built without zlib.
#[test]
fn gzip_is_read_by_ours() {
    let root = TestRoot::new();
    let module = ModuleBuilder::new("a").modinfo("license", "GPL").compressed(Compression::Gzip);
    root.write("tmp/a.ko.gz", module.build());
    root.reference("modinfo", &["-l", "/tmp/a.ko.gz"]).fails();
    assert_eq!(root.ours("modinfo", &["-l", "/tmp/a.ko.gz"]).succeeds().out(), "GPL\n");
}

#[test]
fn every_machine_is_read() {
    let root = TestRoot::new();
    for arch in Arch::ALL {
        let module =
            ModuleBuilder::new("a").arch(arch).modinfo("license", "GPL").modinfo("vermagic", "6.1 SMP");
        root.write("tmp/a.ko", module.build());
        let run = same_run(&root, "modinfo", &["/tmp/a.ko"]).succeeds();
        assert_eq!(run.lines().len(), 3, "{run:?}");
    }
}

#[test]
fn odd_entries_of_modinfo() {
    let root = TestRoot::new();
    let module = ModuleBuilder::new("odd")
        .modinfo("a_key_of_sixteen", "long")
        .modinfo("a_key_of_fifteen", "x")
        .modinfo("fifteen_letters", "y")
        .modinfo("fourteen_chars", "z")
        .modinfo("empty", "")
        .modinfo_raw("\0\0\0")
        .modinfo_raw("no equals sign\0")
        .modinfo_raw("=no key\0")
        .modinfo("two=equals", "a=b")
        .modinfo("utf", b"\xff\xfe bytes".as_slice())
        .modinfo("tab\tkey", "a\nb")
        .modinfo("description", "two\nlines")
        .modinfo("parm", "no_type:described")
        .modinfo("parmtype", "no_text:int")
        .modinfo("parm", "both:text: with colons")
        .modinfo("parmtype", "both:array of int")
        .modinfo("parm", "twice:one")
        .modinfo("parm", "twice:two")
        .modinfo("parmtype", "twice:uint")
        .modinfo_raw("last=without a NUL");
    root.write("tmp/odd.ko", module.build());
    same_run(&root, "modinfo", &["/tmp/odd.ko"]);
    same_run(&root, "modinfo", &["-0", "/tmp/odd.ko"]);
    for field in ["parm", "parmtype", "empty", "utf", "two", "last", "no equals sign"] {
        same_run(&root, "modinfo", &["-F", field, "/tmp/odd.ko"]);
    }
    same_run(&root, "modinfo", &["-p", "/tmp/odd.ko"]);
}

#[test]
fn a_parameter_without_a_colon_is_an_error() {
    let root = TestRoot::new();
    for key in ["parm", "parmtype"] {
        let module = ModuleBuilder::new("bad")
            .modinfo("license", "GPL")
            .modinfo(key, "no colon")
            .modinfo("author", "x");
        root.write("tmp/bad.ko", module.build());
        for args in [
            vec!["/tmp/bad.ko"],
            vec!["-p", "/tmp/bad.ko"],
            vec!["-F", "parm", "/tmp/bad.ko"],
            vec!["-l", "/tmp/bad.ko"],
            vec!["-F", "parmtype", "/tmp/bad.ko"],
        ] {
            same_run(&root, "modinfo", &args);
        }
    }
}

#[test]
fn files_that_are_not_modules() {
    let root = TestRoot::new();
    let whole = ModuleBuilder::new("whole").modinfo("license", "GPL").build();
    root.write("tmp/empty.ko", "");
    root.write("tmp/text.ko", "this is no module");
    root.write("tmp/short.ko", &whole[..40]);
    root.write("tmp/cut.ko", &whole[..whole.len() - 100]);
    root.write("tmp/bare.ko", ModuleBuilder::new("bare").build());
    root.write("tmp/good.ko", &whole);
    root.create_dir("tmp/dir.ko");
    for name in ["empty", "text", "short", "cut", "dir", "bare"] {
        let path = format!("/tmp/{name}.ko");
        let args = [path.as_str(), "/tmp/good.ko"];
        let (ours, theirs) = (root.ours("modinfo", &args), root.reference("modinfo", &args));
        same(&ours, &theirs);
        assert!(ours.out().ends_with("license:        GPL\n"), "{ours:?}");
    }
}

#[test]
fn pkcs7_signatures() {
    let root = TestRoot::new();
    for (name, serial, hash) in
        [("Build key", "0x01ab23", "sha256"), ("Ключ", "0x7f", "sha512"), ("k", "0x80", "sha1")]
    {
        let key = Arc::new(SigningKey::new(name, serial));
        let module = ModuleBuilder::new("signed").modinfo("license", "GPL").signed_by(&key, hash);
        root.write("tmp/signed.ko", module.build());
        let run = same_run(&root, "modinfo", &["/tmp/signed.ko"]).succeeds();
        assert!(run.out().contains("sig_id:         PKCS#7\n"), "{run:?}");
        for field in ["sig_id", "signer", "sig_key", "sig_hashalgo", "signature"] {
            same_run(&root, "modinfo", &["-F", field, "/tmp/signed.ko"]);
        }
        same_run(&root, "modinfo", &["-0", "/tmp/signed.ko"]);
    }
}

/// A difference: a signature that names the key by its identifier, without issuer and serial number.
#[test]
fn a_signature_by_key_identifier_is_shown_by_ours() {
    let root = TestRoot::new();
    let key = Arc::new(SigningKey::new("Nobody's name", "0x5"));
    let module = ModuleBuilder::new("signed").modinfo("license", "GPL").build();
    let signature = Signature::pkcs7(key.pkcs7_by_key_id(&module, "sha256"));
    root.write("tmp/signed.ko", [module, signature.to_bytes()].concat());
    let theirs = root.reference("modinfo", &["/tmp/signed.ko"]).succeeds();
    assert!(!theirs.out().contains("sig_id"), "{theirs:?}");
    let ours = root.ours("modinfo", &["/tmp/signed.ko"]).succeeds();
    assert!(ours.out().contains("sig_id:         PKCS#7\nsigner:         \nsig_key:        "), "{ours:?}");
    assert!(ours.out().contains("sig_hashalgo:   sha256\n"), "{ours:?}");
    let document = root.ours("modinfo", &["--json", "/tmp/signed.ko"]).succeeds().out();
    assert!(
        document.contains(r#""key_algorithm":"RSA""#) && document.contains(r#""signer":null"#),
        "{document}"
    );
}

#[test]
fn older_and_broken_signatures() {
    let good = Signature {
        algo: 1,
        hash: 4,
        id_type: 1,
        signer: b"Some Body".to_vec(),
        key_id: vec![0x12, 0xab],
        signature: (0..45).collect(),
        claimed_len: None,
    };
    let root = TestRoot::new();
    for signature in [
        good.clone(),
        Signature { id_type: 0, ..good.clone() },
        Signature { algo: 0, hash: 0, ..good.clone() },
        Signature { hash: 7, ..good.clone() },
        Signature { hash: 200, ..good.clone() },
        Signature { algo: 9, ..good.clone() },
        Signature { id_type: 3, ..good.clone() },
        Signature { claimed_len: Some(0), ..good.clone() },
        Signature { claimed_len: Some(0x7fff_ffff), ..good.clone() },
        Signature { claimed_len: Some(u32::MAX), ..good.clone() },
        Signature { signer: Vec::new(), key_id: Vec::new(), ..good.clone() },
        Signature::pkcs7(b"no message".to_vec()),
        Signature::pkcs7(vec![0x30, 0x80, 0, 0]),
    ] {
        let module = ModuleBuilder::new("signed").modinfo("license", "GPL").signature(signature.clone());
        root.write("tmp/signed.ko", module.build());
        let theirs = root.reference("modinfo", &["/tmp/signed.ko"]);
        let ours = root.ours("modinfo", &["/tmp/signed.ko"]);
        assert_eq!((ours.out(), ours.code), (theirs.out(), theirs.code), "{signature:?}");
    }
}

#[test]
fn builtins_without_the_file_of_their_facts() {
    let root = indexed();
    root.remove(&root.module_path("modules.builtin.modinfo"));
    same_run(&root, "modinfo", &["inside"]);
    same_run(&root, "modinfo", &["-F", "license", "inside"]);
}

#[test]
fn no_indexes_at_all() {
    let root = TestRoot::new();
    same_run(&root, "modinfo", &["anything"]).fails();
    same_run(&root, "modinfo", &["-m", "anything"]).fails();
}

#[test]
fn configuration_does_not_count() {
    let root = indexed();
    root.write("etc/modprobe.d/a.conf", "alias nickname top\n");
    same_run(&root, "modinfo", &["nickname"]).fails();
}

#[test]
fn wrong_and_missing_arguments() {
    let root = indexed();
    for args in [vec![], vec!["-F"], vec!["--nonsense", "top"], vec!["-Z"], vec!["-F", "license"]] {
        same_run(&root, "modinfo", &args).fails();
    }
    same_run(&root, "modinfo", &["top", "-l"]).succeeds();
    same_run(&root, "modinfo", &["--lic", "top"]).succeeds();
    same_run(&root, "modinfo", &["-l", "--", "top"]).succeeds();
    same_run(&root, "modinfo", &["nothing", "top", "nothing else"]).fails();
}

/// docs/differences.md: "xz with a dictionary of more than 256 MiB".
#[test]
fn a_dictionary_that_takes_more_memory_than_any_module_needs_is_refused() {
    let root = TestRoot::new();
    let module = module("large").modinfo("license", "GPL").build();
    for (bits, ours_reads) in [(30, true), (34, false)] {
        root.write("tmp/large.ko.xz", testkit::compress::xz_with_dictionary(&module, bits));
        let args = ["-F", "license", "/tmp/large.ko.xz"];
        assert_eq!(root.reference("modinfo", &args).succeeds().out(), "GPL\n");
        let run = root.explained("modinfo", &args);
        match ours_reads {
            true => assert_eq!(run.succeeds().out(), "GPL\n"),
            false => assert!(run.fails().err().contains("takes more than 256 MiB of memory to decompress")),
        }
    }
}
