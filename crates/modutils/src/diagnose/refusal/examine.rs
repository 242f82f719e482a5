//! The reasoning: a module's facts and what is known of a kernel give the causes for which that kernel
//! would refuse it. No input, no output.
//!
//! The checks and their order are those of `load_module` in the kernel's `kernel/module/main.c`.

use bstr::BString;

use super::{
    cause::{Cause, Certainty, Enforcement, Gap, Note, SignatureFault},
    examination::{Examination, Question},
    examined_module::{ExaminedModule, Signed},
    exports::Owner,
    symbols,
    value::{self, BadParameter},
    vermagic,
    view::KernelView,
};
use crate::{
    ModuleName,
    diagnose::Finding,
    kernel::{Force, State},
};

/// Examines a module.
pub fn examine(subject: &ExaminedModule, view: &KernelView, question: &Question) -> Examination {
    let mut result = Examination::default();
    presence(subject, view, &mut result);
    packing(subject, view, &mut result);
    kind(subject, view, question, &mut result);
    signature(subject, view, question, &mut result);
    symbols::check(subject, view, question, &mut result);
    duplicates(subject, view, &mut result);
    parameters(subject, question, &mut result);
    result
}

/// Nothing is refused for its packing: the tools decompress what the kernel does not read. Others, kmod among
/// them, may not.
fn packing(subject: &ExaminedModule, view: &KernelView, result: &mut Examination) {
    let Some(obstacle) = subject.obstacle.filter(|obstacle| obstacle.is_final()) else { return };
    // A kernel that leaves this compression to the tools anyway has no decoder that matters.
    let decodes =
        view.running.as_ref().is_none_or(|running| running.decompresses == Some(subject.compression));
    if decodes {
        result.notes.push(Note::Packing { compression: subject.compression, obstacle });
    }
}

fn presence(subject: &ExaminedModule, view: &KernelView, result: &mut Examination) {
    if view.builtin.contains(&subject.name) {
        result.notes.push(Note::BuiltIn);
    }
    let Some(running) = &view.running else { return };
    match running.loaded.get(&subject.name) {
        Some(State::Absent | State::Unknown) | None => {}
        Some(state) => result.notes.push(Note::Present(*state)),
    }
    if running.modules_disabled == Some(true) {
        result.findings.push(Finding::verified(Cause::ModulesDisabled));
    }
    if running.blacklist.contains(&subject.name) {
        result.findings.push(Finding::verified(Cause::Blacklisted));
    }
}

/// Whether it is a module at all, for this machine and this kernel.
fn kind(subject: &ExaminedModule, view: &KernelView, question: &Question, result: &mut Examination) {
    let mut refuse = |cause| result.findings.push(Finding::verified(cause));
    if !subject.is_relocatable {
        refuse(Cause::NotRelocatable);
    }
    match view.machine {
        Some(kernel) if kernel != subject.machine => {
            // All else follows from that.
            return refuse(Cause::Machine { module: subject.machine, kernel });
        }
        Some(_) => {}
        None => result.gaps.push(Gap::Machine),
    }
    let mut refuse = |cause| result.findings.push(Finding::verified(cause));
    if !question.force.vermagic {
        match (&subject.vermagic, &view.vermagic) {
            (None, _) => refuse(Cause::NoVermagic),
            (Some(module), Some(kernel)) => {
                let has_versions = subject.has_versions && !question.force.modversions;
                if !vermagic::same(module, &kernel.value, has_versions) {
                    let (module, kernel) = (module.clone(), kernel.value.clone());
                    refuse(Cause::Vermagic { module, kernel, whole: !has_versions });
                }
            }
            (Some(_), None) => result.gaps.push(Gap::Vermagic),
        }
    }
    if let (Some(module), Some(kernel)) = (subject.struct_size, &view.struct_size)
        && module != kernel.value
        && checks_struct_size(&view.release)
    {
        result.findings.push(Finding::verified(Cause::StructSize { module, kernel: kernel.value }));
    }
}

/// Whether a kernel compares the size itself: since Linux 6.4. Earlier ones rely on the CRC of
/// `module_layout`.
fn checks_struct_size(release: &[u8]) -> bool {
    let mut numbers = release.split(|byte| !byte.is_ascii_digit());
    let mut number = || bstr::ByteSlice::to_str(numbers.next()?).ok()?.parse::<u32>().ok();
    (number(), number()) >= (Some(6), Some(4))
}

/// `module_sig_check`: a signature that is missing or of an unknown key matters only where the kernel
/// insists on one.
fn signature(subject: &ExaminedModule, view: &KernelView, question: &Question, result: &mut Examination) {
    let running = view.running.as_ref();
    let enforcement = enforcement(view);
    // Force changes what was signed, as the kernel takes it.
    let forced = question.force != Force::default();
    match &subject.signed {
        Signed::Unreadable => {
            let checks = running.is_some_and(|running| running.enforces_signatures.is_some());
            let certainty = if checks {
                Certainty::Verified
            } else {
                Certainty::Unverified("whether this kernel checks signatures is not known".into())
            };
            let cause = Cause::Signature(SignatureFault::Unreadable);
            result.findings.push(Finding { cause, certainty });
        }
        Signed::By(signature) if !forced => {
            let signer = signature.signer.clone();
            let keys = running.and_then(|running| running.keys.as_ref());
            let known = keys.map(|keys| keys.iter().any(|key| names(key, &signer)));
            match (known, enforcement) {
                (Some(false), Some(enforcement)) => {
                    let key_id = signature.key_id.clone();
                    let fault = SignatureFault::UnknownKey { signer, key_id, enforcement };
                    result.findings.push(Finding::verified(Cause::Signature(fault)));
                }
                (None, Some(_)) => result.gaps.push(Gap::Key(signer)),
                _ => {}
            }
        }
        _ => {
            if let Some(enforcement) = enforcement {
                let cause = Cause::Signature(SignatureFault::Missing(enforcement));
                result.findings.push(Finding::verified(cause));
            }
        }
    }
}

/// Why the kernel insists on signatures, if it does.
pub(super) fn enforcement(view: &KernelView) -> Option<Enforcement> {
    let running = view.running.as_ref()?;
    if running.enforces_signatures == Some(true) {
        return Some(Enforcement::SigEnforce);
    }
    let level = running.lockdown.as_ref().filter(|level| *level != "none")?;
    Some(Enforcement::Lockdown(level.clone()))
}

/// Whether a key's description begins with this name, as `x509_key_preparse` makes it.
pub(super) fn names(key: &[u8], signer: &BString) -> bool {
    !signer.is_empty() && bstr::ByteSlice::contains_str(key, signer)
}

/// A symbol must have one owner: the kernel, or one of the modules that are loaded by then.
fn duplicates(subject: &ExaminedModule, view: &KernelView, result: &mut Examination) {
    let is_loaded = |module: &ModuleName| {
        let loaded = view.running.as_ref().map(|running| &running.loaded);
        loaded.is_some_and(|loaded| loaded.contains_key(module)) || result.dependencies.contains(module)
    };
    let mut found = Vec::new();
    for export in subject.exports.iter().filter(|export| export.is_certain) {
        let listed = view.table.as_ref().and_then(|table| table.offers.get(&export.name));
        let kernel = listed.filter(|offer| offer.owner == Owner::Kernel);
        let others = view.exports_of_others(&export.name, subject).find(|offer| match &offer.owner {
            Owner::Module(module) => is_loaded(module),
            Owner::Kernel => true,
        });
        if let Some(offer) = kernel.or(others) {
            let (name, owner) = (export.name.clone(), offer.owner.clone());
            found.push(Finding::verified(Cause::Duplicate { name, owner }));
        }
    }
    result.findings.append(&mut found);
}

fn parameters(subject: &ExaminedModule, question: &Question, result: &mut Examination) {
    for bad in value::check(subject, question.parameters) {
        match bad {
            BadParameter::Unknown { name, nearest } => {
                result.notes.push(Note::UnknownParameter { name, nearest });
            }
            BadParameter::Value { name, value, fault } => {
                let about = subject.about(&name);
                let cause = Cause::Value { name, value, fault: Some(fault), about };
                result.findings.push(Finding::verified(cause));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_compare_the_structs_size_since_6_4() {
        let checks = |release: &str| checks_struct_size(release.as_bytes());
        assert!(checks("6.4.0") && checks("6.12.107+deb13-amd64") && checks("7.2.12-x"));
        assert!(!checks("6.1.0-50-cloud-amd64") && !checks("5.10.0") && !checks("strange"));
    }
}
