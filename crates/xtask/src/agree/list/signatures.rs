//! Signatures, in kernels that insist on them and in others.

use testkit::{Signature, patch};

use super::{Kernel, List, path};

impl List {
    /// Signatures, in a kernel that insists on them and in one that does not.
    pub(super) fn signatures(&mut self, kernel: &Kernel, dummy: &[u8]) {
        let unsigned = patch::unsigned(dummy.to_vec());
        let made = |signature: Signature| {
            let module =
                kernel.bare("made_z").modinfo("license", "GPL").modinfo("vermagic", &kernel.vermagic);
            module.signature(signature).build()
        };
        let key = std::sync::Arc::new(testkit::SigningKey::new("A foreign key", "0x77"));
        let foreign = kernel.bare("made_y").modinfo("license", "GPL").modinfo("vermagic", &kernel.vermagic);
        let by_key_id = Signature::pkcs7(key.pkcs7_by_key_id(&foreign.clone().build(), "sha256"));
        let pkcs7 = |bytes: &[u8]| Signature::pkcs7(bytes.to_vec());
        let files = [
            ("unsigned", unsigned.clone()),
            ("own", dummy.to_vec()),
            ("foreign", foreign.clone().signed_by(&key, "sha256").build()),
            ("foreign-key-id", foreign.clone().signature(by_key_id).build()),
            ("foreign-sha512", foreign.signed_by(&key, "sha512").build()),
            ("bare-magic", [unsigned.as_slice(), b"~Module signature appended~\n"].concat()),
            ("id-type-3", made(Signature { id_type: 3, signature: vec![1; 40], ..Signature::default() })),
            (
                "id-type-1",
                made(Signature {
                    id_type: 1,
                    hash: 4,
                    signer: b"S".to_vec(),
                    signature: vec![1; 40],
                    ..Signature::default()
                }),
            ),
            ("odd-fields", made(Signature { hash: 4, ..pkcs7(&[0x30; 40]) })),
            ("too-long", made(Signature { claimed_len: Some(u32::MAX), ..pkcs7(&[1; 40]) })),
        ];
        for (boot, name) in
            [("", "free"), ("module.sig_enforce=1", "enforced"), ("lockdown=integrity", "locked")]
        {
            for (file, bytes) in &files {
                let mut situation =
                    self.file(&format!("signature-{name}-{file}"), bytes.clone(), "").boot(boot);
                // Only the kernel has the keys.
                situation.hides = !boot.is_empty()
                    && matches!(*file, "own" | "foreign" | "foreign-key-id" | "foreign-sha512");
                self.add(situation);
            }
        }
        // Forcing makes the kernel ignore a signature that is right.
        let forced = self.file("signature-enforced-forced", dummy.to_vec(), "").boot("module.sig_enforce=1");
        let forced = forced.command(format!("/sbin/insmod -f {} ", path("signature-enforced-forced.ko")));
        self.add(forced.hides().shows("force"));
        for (boot, name) in [("lockdown=integrity", "locked"), ("lockdown=confidentiality", "confidential")] {
            let situation = self.file(&format!("signature-{name}-hidden"), unsigned.clone(), "").boot(boot);
            let hidden = situation.before("umount /sys/kernel/security");
            self.add(hidden.after("mount -t securityfs securityfs /sys/kernel/security").cause("not_signed"));
        }
    }
}
