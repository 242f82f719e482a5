//! The reasoning: a module's facts and what is known of a kernel give the causes for which that kernel
//! would refuse it. No input, no output.
//!
//! The checks and their order are those of `load_module` in the kernel's `kernel/module/main.c`.

use bstr::ByteSlice;

use super::{
    cause::{Cause, Gap, Note},
    examination::{Examination, Question},
    examined_module::ExaminedModule,
    exports::Owner,
    signed, structure, symbols,
    value::{self, BadParameter},
    vermagic,
    view::{KernelView, Running},
};
use crate::{ModuleName, diagnose::Finding, kernel::State};

/// The most that any kernel gives in one piece: `PCPU_MIN_UNIT_SIZE` of `include/linux/percpu.h` with the largest pages.
const PERCPU_MOST: u64 = 64 << 10;
/// The memory that x86 and others reserve on each processor for the data of all modules (`PERCPU_MODULE_RESERVE` of
/// `include/linux/percpu.h`).
const PERCPU_RESERVE: u64 = 8 << 10;

/// Examines a module.
pub fn examine(subject: &ExaminedModule, view: &KernelView, question: &Question) -> Examination {
    let mut result = Examination::default();
    result.gaps.extend(view.unread.clone().map(Gap::Kernel));
    presence(subject, view, question, &mut result);
    packing(subject, view, &mut result);
    if !question.of_tree {
        state(view, &mut result);
    }
    kind(subject, view, question, &mut result);
    signed::check(subject, view, question, &mut result);
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
    let decodes = view.running.as_ref().is_none_or(|running| running.decoder == Some(subject.compression));
    if decodes {
        result.notes.push(Note::Packing { compression: subject.compression, obstacle });
    }
}

/// What keeps any module out of the running kernel, or this process from loading one.
pub fn state(view: &KernelView, result: &mut Examination) {
    let Some(running) = &view.running else { return };
    match running.is_permitted {
        Some(false) => {
            let in_user_namespace = running.in_user_namespace == Some(true);
            result.findings.push(Finding::verified(Cause::NotPermitted { in_user_namespace }));
        }
        _ if running.is_filtered == Some(true) => result.gaps.push(Gap::Filter),
        Some(true) if running.is_filtered.is_some() => {}
        _ => result.gaps.push(Gap::Permission),
    }
    if running.modules_disabled == Some(true) {
        result.findings.push(Finding::verified(Cause::ModulesDisabled));
    }
}

fn presence(subject: &ExaminedModule, view: &KernelView, question: &Question, result: &mut Examination) {
    if view.builtin.contains(&subject.name) {
        result.notes.push(Note::BuiltIn);
    }
    let Some(running) = &view.running else { return };
    match running.state(&subject.name) {
        State::Absent => {}
        // Modprobe, too, would find it there; of a tree nobody asks.
        State::Unknown if question.of_tree => {}
        State::Unknown => result.gaps.push(Gap::Loaded),
        State::Live if question.alone => {
            result.findings.push(Finding::verified(Cause::Present(State::Live)));
        }
        state => {
            result.notes.push(Note::Present(state));
            if state != State::Live {
                result.gaps.push(Gap::Moving(subject.name.clone()));
            }
        }
    }
    if running.appraises != Some(false) {
        result.gaps.push(Gap::Appraisal);
    }
    match &running.blacklist {
        None => result.gaps.push(Gap::CommandLine),
        Some(list) if list.contains(&subject.raw_name) => {
            result.findings.push(Finding::verified(Cause::Blacklisted));
        }
        Some(_) => {}
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
    if subject.is_stripped {
        refuse(Cause::Stripped);
    }
    let counts = |fault: &&str| *fault != structure::TWICE || checks_struct_size(&view.release);
    if let Some(fault) = subject.fault.filter(counts) {
        refuse(Cause::Damaged(fault.into()));
    }
    let compares = view.compares_versions();
    if question.force.vermagic {
        if view.forces() == Some(false) {
            refuse(Cause::NotForced);
        }
    } else {
        match (&subject.vermagic, &view.vermagic) {
            (None, _) => as_if_forced(Cause::NoVermagic, view, result),
            (Some(module), Some(kernel)) => {
                let has_versions =
                    subject.has_versions && !question.force.modversions && compares != Some(false);
                if !vermagic::same(module, &kernel.value, has_versions) {
                    let (module, kernel) = (module.clone(), kernel.value.clone());
                    refuse(Cause::Vermagic { module, kernel, whole: !has_versions });
                }
            }
            (Some(_), None) => result.gaps.push(Gap::Vermagic),
        }
    }
    // The kernel asks for a version of `module_layout` first, whatever else the module needs.
    if compares == Some(true) {
        if question.force.modversions {
            if view.forces() == Some(false) {
                result.findings.push(Finding::verified(Cause::NotForced));
            }
        } else if !subject.has_versions && subject.vermagic.is_some() {
            as_if_forced(Cause::NoVersions, view, result);
        }
    }
    percpu(subject, view, question, result);
    let misfit = has_misfit_btf(subject, view);
    match (view.validates_btf(), misfit) {
        (Some(false), _) | (_, Some(false)) => {}
        (Some(true), Some(true)) => result.findings.push(Finding::verified(Cause::Btf)),
        // A module of the kernel's build was made with it.
        (_, None) if question.is_of_build => {}
        _ => result.gaps.push(Gap::Btf),
    }
    let (Some(module), Some(kernel)) = (subject.struct_size, &view.struct_size) else { return };
    if module != kernel.value && checks_struct_size(&view.release) {
        result.findings.push(Finding::verified(Cause::StructSize { module, kernel: kernel.value }));
    }
}

/// Whether the type information of a module is malformed, or leads to names or types that neither it nor the kernel has.
/// What it was built against, where it has that with it, the kernel searches by name: whether it finds all is unknown.
fn has_misfit_btf(subject: &ExaminedModule, view: &KernelView) -> Option<bool> {
    match &subject.btf {
        _ if subject.has_odd_btf => Some(true),
        None => Some(false),
        Some((own, Some(base))) if !own.fits(base) => Some(true),
        Some((_, Some(_))) => None,
        Some((own, None)) => Some(!own.fits(view.btf.as_ref()?)),
    }
}

/// What lets a module in only where the kernel takes modules by force (`try_to_force_load`).
fn as_if_forced(cause: Cause, view: &KernelView, result: &mut Examination) {
    match view.forces() {
        Some(true) if result.notes.contains(&Note::AsIfForced) => {}
        Some(true) => result.notes.push(Note::AsIfForced),
        Some(false) => result.findings.push(Finding::verified(cause)),
        None => result.gaps.push(Gap::ForceLoad),
    }
}

/// Whether a kernel compares the size itself: since Linux 6.4. Earlier ones rely on the CRC of
/// `module_layout`.
fn checks_struct_size(release: &[u8]) -> bool {
    let mut numbers = release.split(|byte| !byte.is_ascii_digit());
    let mut number = || bstr::ByteSlice::to_str(numbers.next()?).ok()?.parse::<u32>().ok();
    (number(), number()) >= (Some(6), Some(4))
}

/// A symbol must have one owner: the kernel, or one of the modules that are loaded by then.
fn duplicates(subject: &ExaminedModule, view: &KernelView, result: &mut Examination) {
    let is_loaded = |module: &ModuleName| {
        let is_listed = |running: &Running| !matches!(running.state(module), State::Absent | State::Unknown);
        view.running.as_ref().is_some_and(is_listed) || result.dependencies.contains(module)
    };
    let mut found = Vec::new();
    for export in subject.exports.iter().filter(|export| export.is_certain) {
        let listed = view.table.as_ref().and_then(|table| table.offers.get(&export.name));
        let kernel = listed.filter(|offer| offer.owner == Owner::Kernel);
        let others = view.exports_of_others(&export.name, subject).find(|offer| match &offer.owner {
            Owner::Module(module) => is_loaded(module),
            Owner::Kernel => true,
        });
        let unlisted = view.unlisted.owner(&export.name).filter(|owner| **owner != subject.name);
        let owner = kernel.or(others).map(|offer| offer.owner.clone());
        if let Some(owner) = owner.or_else(|| unlisted.cloned().map(Owner::Module)) {
            let name = export.name.clone();
            found.push(Finding::verified(Cause::Duplicate { name, owner }));
        }
    }
    result.findings.append(&mut found);
}

/// The data that each processor has its own of. A kernel for one processor takes it for any other data.
fn percpu(subject: &ExaminedModule, view: &KernelView, question: &Question, result: &mut Examination) {
    let has_processors = view.vermagic.as_ref().is_some_and(|kernel| kernel.value.contains_str(" SMP "));
    if view.vermagic.is_some() && !has_processors {
        return;
    }
    if subject.percpu > PERCPU_MOST && has_processors {
        result.findings.push(Finding::verified(Cause::NoPerCpuMemory));
    } else if subject.percpu > PERCPU_RESERVE && !question.is_of_build {
        result.gaps.push(Gap::PerCpu(subject.percpu));
    }
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
            BadParameter::Own { name, value } => result.gaps.push(Gap::Value(name, value)),
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
