//! What the kernel logged about a module that it refused, as causes.

use bstr::{BString, ByteSlice};

use super::{
    cause::{Cause, Certainty, SymbolFault},
    examined_module::ExaminedModule,
    exports::{KernelTable, Owner},
    log::Message,
    numbers::errors_of,
    view::KernelView,
};
use crate::{Errno, ModuleName, diagnose::Finding};

/// Takes the kernel's words: they confirm what was found, or supply what could not be found out.
pub fn confirm(
    subject: &ExaminedModule,
    view: &KernelView,
    message: &Message,
    waited_for: Option<&ModuleName>,
    errno: Errno,
    findings: &mut Vec<Finding>,
) {
    if matches!(message, Message::Vermagic { .. }) {
        // The kernel's own is better than that of its modules.
        findings.retain(|finding| !matches!(finding.cause, Cause::Vermagic { .. }));
    }
    if is_struct_size(message) && !findings.is_empty() {
        // A module of another kernel has another size: the examination found what differs, which is more exact.
        let sizes = findings.iter_mut().find(|found| matches!(found.cause, Cause::StructSize { .. }));
        if let Some(found) = sizes {
            found.certainty = Certainty::Confirmed;
        }
        return;
    }
    let Some(finding) = in_causes(subject, view, message, waited_for) else { return };
    // The log may have lines about other modules, or about what did not matter in the end.
    let numbers = errors_of(&finding.cause);
    if matches!(message, Message::Btf | Message::Damaged(_) | Message::PerCpu | Message::Memory)
        && !numbers.contains(&errno)
    {
        return;
    }
    match findings.iter_mut().find(|found| is_about_the_same(&found.cause, &finding.cause)) {
        // That a symbol is unknown follows from what is wrong with it.
        Some(_) if matches!(message, Message::UnknownSymbol { errno: Some(errno), .. } if *errno != 2) => {}
        Some(found) => found.certainty = Certainty::Confirmed,
        None => findings.push(finding),
    }
}

/// Whether the kernel found that `struct module` has another size in the file (`kernel/module/main.c`).
fn is_struct_size(message: &Message) -> bool {
    matches!(message, Message::Damaged(line) if line.contains_str("this_module section size must match"))
}

/// Whether two causes are about the same symbol or parameter.
fn is_about_the_same(one: &Cause, other: &Cause) -> bool {
    match (one, other) {
        (Cause::Symbol { name: one, .. }, Cause::Symbol { name: other, .. })
        | (Cause::Duplicate { name: one, .. }, Cause::Duplicate { name: other, .. })
        | (Cause::Value { name: one, .. }, Cause::Value { name: other, .. }) => one == other,
        (Cause::Damaged(_), Cause::Damaged(_)) => true,
        (one, other) => one == other,
    }
}

/// The cause that the kernel logged; none where a message only follows from another.
fn in_causes(
    subject: &ExaminedModule,
    view: &KernelView,
    message: &Message,
    waited_for: Option<&ModuleName>,
) -> Option<Finding> {
    let symbol = |name: &BString, fault| Cause::Symbol { name: name.clone(), fault };
    Some(Finding::confirmed(match message {
        Message::Vermagic { module, kernel } => {
            Cause::Vermagic { module: module.clone(), kernel: kernel.clone(), whole: !subject.has_versions }
        }
        Message::UnknownSymbol { symbol: name, errno } => match (errno, waited_for) {
            (None | Some(2), _) => return unknown(subject, view, name),
            (Some(_), Some(module)) if *errno == Some(Errno::EBUSY.raw()) => {
                symbol(name, SymbolFault::NotReady(module.clone()))
            }
            _ => return None,
        },
        Message::GaveUp(_) => return None,
        Message::Proprietary { symbol: name, module } => {
            symbol(name, SymbolFault::Proprietary(ModuleName::new(module)))
        }
        Message::Disagrees(name) => {
            let need = subject.needs.iter().find(|need| need.name == *name);
            symbol(name, SymbolFault::Disagrees { module: need.and_then(|need| need.crc) })
        }
        Message::NoVersion(name) => symbol(name, SymbolFault::NoVersion { owner: Owner::Kernel }),
        Message::Namespace { symbol: name, namespace } => {
            symbol(name, SymbolFault::Namespace { namespace: namespace.clone(), owner: None })
        }
        Message::Duplicate { symbol: name, owner } => {
            let owner =
                if *owner == "kernel" { Owner::Kernel } else { Owner::Module(ModuleName::new(owner)) };
            Cause::Duplicate { name: name.clone(), owner }
        }
        Message::Value { value, parameter } => {
            let about = subject.about(parameter);
            Cause::Value { name: parameter.clone(), value: value.clone(), fault: None, about }
        }
        Message::Damaged(line) => Cause::Damaged(line.to_string()),
        Message::Btf => Cause::Btf,
        Message::Stripped => Cause::Stripped,
        Message::PerCpu => Cause::NoPerCpuMemory,
        Message::Memory => Cause::NoMemory,
        Message::Appraisal => Cause::Appraisal,
        // Taken into account with the error number.
        Message::Unsigned | Message::UnsupportedSignature | Message::UnavailableKey => return None,
    }))
}

/// Why a symbol is unknown to the kernel, as far as that is its own fault. One that other modules of its build have from it is kept from
/// this module alone, which then lacks the licence for it.
fn unknown(subject: &ExaminedModule, view: &KernelView, name: &BString) -> Option<Finding> {
    let has_it =
        |table: &KernelTable| table.offers.get(name).is_some_and(|offer| offer.owner == Owner::Kernel);
    // The kernel has it: then this follows from something else, as that the module has used a proprietary one before.
    if subject.is_gpl_compatible() && view.table.as_ref().is_some_and(has_it) {
        return None;
    }
    let others_have_it =
        view.agreement.others(name, None, false).is_some() || view.table.as_ref().is_some_and(has_it);
    let fault = if others_have_it && !subject.is_gpl_compatible() {
        SymbolFault::GplOnly { owner: Owner::Kernel, license: subject.license.clone() }
    } else {
        SymbolFault::Missing { listed: None }
    };
    let may_be_kept = matches!(fault, SymbolFault::Missing { .. }) && !subject.is_gpl_compatible();
    let certainty = if may_be_kept {
        let why = "it may be one that the kernel keeps for modules with a GPL-compatible licence";
        Certainty::Unverified(why.into())
    } else {
        Certainty::Confirmed
    };
    Some(Finding { cause: Cause::Symbol { name: name.clone(), fault }, certainty })
}
