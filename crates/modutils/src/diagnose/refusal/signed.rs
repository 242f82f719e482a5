//! The signature at the end of a module, as `module_sig_check` in the kernel's `kernel/module/signing.c` looks at it.
//!
//! Some signatures are refused whatever the kernel insists on: damaged ones (`mod_check_sig` in
//! `kernel/module_signature.c`). Those in a form that it does not verify count as missing. Whether a sound one is right
//! only the kernel, which has the keys, can verify: that is never claimed here.

use super::{
    cause::{Cause, Certainty, Enforcement, Gap, SignatureFault},
    examination::{Examination, Question},
    examined_module::{ExaminedModule, Signed},
    policy::SignaturePolicy,
    view::KernelView,
};
use crate::{Errno, diagnose::Finding, kernel::Force, module_file::SignatureDetails};

/// Examines it.
pub(super) fn check(
    subject: &ExaminedModule,
    view: &KernelView,
    question: &Question,
    result: &mut Examination,
) {
    if view.checks_signatures() == Some(false) {
        return lockdown_alone(view, result);
    }
    // The kernel looks for no signature in what it is asked to take without its checks.
    if question.force != Force::default() {
        let fault = |enforcement| match subject.signed {
            Signed::No => SignatureFault::Missing(enforcement),
            _ => SignatureFault::Ignored(enforcement),
        };
        return missing(view, fault, result);
    }
    match &subject.signed {
        Signed::No => missing(view, SignatureFault::Missing, result),
        Signed::Unsupported => missing(view, SignatureFault::Unsupported, result),
        Signed::Malformed(_) if view.checks_signatures() == Some(true) => {
            result.findings.push(Finding::verified(Cause::Signature(SignatureFault::Malformed)));
        }
        Signed::Malformed(_) | Signed::Unreadable => result.gaps.push(Gap::Signature),
        Signed::By(signature) if view.signature_policy() != SignaturePolicy::No => {
            result.gaps.push(Gap::Key(description(signature, view)));
        }
        Signed::By(_) => {}
    }
}

/// A kernel without support for signatures takes no module at all where it is locked down.
fn lockdown_alone(view: &KernelView, result: &mut Examination) {
    if let SignaturePolicy::By(level @ Enforcement::Lockdown(_)) = view.signature_policy() {
        let cause = Cause::Signature(SignatureFault::Missing(level));
        result.findings.push(Finding::verified(cause));
    }
}

/// What counts as no signature matters only where the kernel insists on one.
fn missing(view: &KernelView, fault: impl FnOnce(Enforcement) -> SignatureFault, result: &mut Examination) {
    match view.signature_policy() {
        SignaturePolicy::No => {}
        SignaturePolicy::By(enforcement) => {
            result.findings.push(Finding::verified(Cause::Signature(fault(enforcement))));
        }
        SignaturePolicy::Unknown => result.gaps.push(Gap::Enforcement),
    }
}

/// Who signed it, and whether a key of that name is among those that are shown. Such a key need not be the signer's, and
/// the name is that of the key's issuer: it proves nothing.
fn description(signature: &SignatureDetails, view: &KernelView) -> String {
    use crate::diagnose::words::printable;

    let signer = signature.signer.as_ref().filter(|signer| !signer.is_empty());
    let mut text = signer.map_or_else(|| "its signer's key".into(), printable);
    if let Some(algorithm) = signature.key_algorithm {
        text.push_str(&format!(" ({algorithm})"));
    }
    let keys = view.running.as_ref().and_then(|running| running.keys.as_ref());
    if let Some(keys) = keys {
        let has = keys.iter().any(|key| names(key, signature));
        text.push_str(if has {
            ", a key like that is in /proc/keys"
        } else {
            ", no such key is in /proc/keys"
        });
    }
    text
}

/// Whether the description of a key fits a signature: `x509_key_preparse` makes it of the key's owner and its
/// identifier, of which `asymmetric_key_describe` shows the last four bytes.
pub(super) fn names(key: &[u8], signature: &SignatureDetails) -> bool {
    use bstr::ByteSlice;

    match &signature.signer {
        Some(signer) => {
            // `OWNER: IDENTIFIER: X509.rsa LAST4 []`; the owner may be `ORGANISATION: NAME`.
            let owner = key.rsplitn_str(3, ": ").nth(2).unwrap_or(key);
            let name = owner.rsplit_once_str(": ").map_or(owner, |(_, name)| name);
            !signer.is_empty() && (owner == signer.as_bytes() || name == signer.as_bytes())
        }
        None => {
            let tail = signature.key_id.iter().rev().take(4).rev();
            let tail: String = tail.map(|byte| format!("{byte:02x}")).collect();
            !tail.is_empty() && key.contains_str(format!(" {tail} ["))
        }
    }
}

/// What a kernel found that looked at the signature and refused the module: by what it logged, or else what remains.
pub(super) fn refused(
    subject: &ExaminedModule,
    view: &KernelView,
    question: &Question,
    errno: Errno,
    logged: Option<&SignatureFault>,
) -> Vec<Finding> {
    if let Some(fault) = logged {
        return vec![Finding::confirmed(Cause::Signature(fault.clone()))];
    }
    let Signed::By(signature) = &subject.signed else {
        // The kernel returns that for a module without a signature only where it insists on one; else the module did.
        let missing = Cause::Signature(SignatureFault::Missing(Enforcement::SigEnforce));
        let is_unsigned = errno == Errno::EKEYREJECTED
            && subject.signed == Signed::No
            && view.signature_policy() != SignaturePolicy::No;
        return if is_unsigned { vec![Finding::verified(missing)] } else { Vec::new() };
    };
    if question.force != Force::default() {
        return Vec::new();
    }
    let (signer, key_id) = (signature.signer.clone().unwrap_or_default(), signature.key_id.clone());
    let certainty = match view.signature_policy() {
        // A key that it does not have would not have been an obstacle.
        SignaturePolicy::No if view.checks_signatures() == Some(true) => Certainty::Verified,
        _ => Certainty::Unverified("the kernel may also lack the signer's key".into()),
    };
    let cause = Cause::Signature(SignatureFault::Wrong { signer, key_id });
    vec![Finding { cause, certainty }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_fits_by_its_whole_name_or_by_its_identifier() {
        let signature = |signer: Option<&str>, key_id: &[u8]| SignatureDetails {
            signer: signer.map(Into::into),
            key_id: key_id.to_vec(),
            hash: "sha256",
            key_algorithm: None,
            bytes: vec![1],
        };
        let key = b"Build key: 6ccecebb419ea1: X509.rsa bb419ea1 []";
        assert!(names(key, &signature(Some("Build key"), &[1])));
        for other in ["key", "Build", "uild key", ""] {
            assert!(!names(key, &signature(Some(other), &[1])), "{other}");
        }
        assert!(names(key, &signature(None, &[9, 0x6c, 0xbb, 0x41, 0x9e, 0xa1])));
        assert!(!names(key, &signature(None, &[0xbb, 0x41, 0x9e, 0xa2])));
        assert!(!names(key, &signature(None, &[])));
    }
}
