//! After the kernel refused a module: which of the causes it was, by the error number and the kernel's
//! own words.
//!
//! A cause counts only where the kernel returns that number for it. Where none does, that is reported,
//! and nothing is guessed.

use crate::Errno;
use bstr::BString;

use super::{
    cause::{Cause, Certainty, Enforcement, Note, SignatureFault, SymbolFault},
    examination::{Examination, Question},
    examine::{enforcement, examine},
    examined_module::{ExaminedModule, Signed},
    explanation::{Conclusion, Explanation},
    exports::Owner,
    log::{self, Message},
    view::KernelView,
};
use crate::{ModuleName, diagnose::Finding, file::Compression, kernel::State};

/// What to explain.
#[derive(Clone, Debug)]
pub struct Refused<'a> {
    /// The kernel's answer.
    pub errno: Errno,
    /// What it logged meanwhile.
    pub log: &'a [BString],
    /// How the file is compressed.
    pub compression: Compression,
}

/// Explains a refusal of a module that could be read.
pub fn explain(
    subject: &ExaminedModule,
    view: &KernelView,
    question: &Question,
    refused: &Refused,
) -> Explanation {
    let quotes: Vec<BString> = log::about(refused.log, subject).into_iter().cloned().collect();
    let messages: Vec<Message> = quotes.iter().filter_map(|line| log::parse(line)).collect();
    let examination = examine(subject, view, question);
    let mut findings = by_number(subject, view, refused);
    let possible = |finding: &Finding| errors_of(&finding.cause).contains(&refused.errno);
    let Examination { findings: examined, notes, .. } = examination;
    findings.extend(examined.into_iter().filter(possible));
    for message in messages {
        confirm(subject, view, &message, &mut findings);
    }
    let is_unknown_parameter = |note: &Note| matches!(note, Note::UnknownParameter { .. });
    let notes = notes.into_iter().filter(is_unknown_parameter).collect();
    let conclusion = findings.is_empty().then(|| {
        if LOADERS.contains(&refused.errno) {
            Conclusion::NothingFound(refused.errno)
        } else {
            Conclusion::OwnError(refused.errno)
        }
    });
    Explanation { findings, notes, conclusion, quotes }
}

/// Explains a refusal of a file that could not be read as a module.
pub fn explain_damaged(fault: String, view: &KernelView, refused: &Refused) -> Explanation {
    let damaged = Finding::verified(Cause::Damaged(fault));
    let mut findings = match refused.errno {
        Errno::EPERM => system_state(view),
        _ => Vec::new(),
    };
    if findings.is_empty() && errors_of(&damaged.cause).contains(&refused.errno) {
        findings.push(damaged);
    }
    let conclusion = findings.is_empty().then_some(Conclusion::NothingFound(refused.errno));
    Explanation { findings, conclusion, ..Explanation::default() }
}

/// The numbers that `load_module` returns before the module runs.
const LOADERS: [Errno; 22] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::ENOEXEC,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EFAULT,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::EINVAL,
    Errno::ERANGE,
    Errno::ENOSPC,
    Errno::EFBIG,
    Errno::EBADMSG,
    Errno::ENODATA,
    Errno::ENOKEY,
    Errno::ENOPKG,
    Errno::EKEYREJECTED,
    Errno::EKEYEXPIRED,
    Errno::EKEYREVOKED,
    Errno::EOPNOTSUPP,
    Errno::EINTR,
];

/// The numbers by which the kernel refuses a module for a cause.
fn errors_of(cause: &Cause) -> &'static [Errno] {
    match cause {
        Cause::Damaged(_) => &[Errno::ENOEXEC, Errno::EINVAL, Errno::EBADMSG],
        Cause::NotRelocatable
        | Cause::Machine { .. }
        | Cause::NoVermagic
        | Cause::Vermagic { .. }
        | Cause::StructSize { .. }
        | Cause::Duplicate { .. } => &[Errno::ENOEXEC],
        Cause::Symbol { name, .. } if *name == "module_layout" => &[Errno::ENOEXEC],
        Cause::Symbol { fault, .. } => match fault {
            SymbolFault::Missing { .. } | SymbolFault::NotLoaded(_) | SymbolFault::GplOnly { .. } => {
                &[Errno::ENOENT]
            }
            _ => &[Errno::EINVAL],
        },
        Cause::Value { .. } => &[Errno::EINVAL, Errno::ERANGE, Errno::ENOSPC],
        Cause::Signature(SignatureFault::Unreadable) => {
            &[Errno::EBADMSG, Errno::ENOPKG, Errno::EKEYREJECTED, Errno::EINVAL, Errno::EPERM]
        }
        Cause::Signature(_) => &[Errno::EKEYREJECTED, Errno::EPERM, Errno::ENOKEY, Errno::ENODATA],
        Cause::ModulesDisabled | Cause::NotPermitted | Cause::Blacklisted => &[Errno::EPERM],
        Cause::Present(_) => &[Errno::EEXIST, Errno::EBUSY],
        Cause::BuiltIn => &[Errno::EEXIST],
        Cause::NoMemory => &[Errno::ENOMEM],
        Cause::Decompression | Cause::Dependency { .. } => &[],
    }
}

/// What the number itself means, with the kernel's state.
fn by_number(subject: &ExaminedModule, view: &KernelView, refused: &Refused) -> Vec<Finding> {
    let verified = |cause| vec![Finding::verified(cause)];
    let running = view.running.as_ref();
    let state = running.and_then(|running| running.loaded.get(&subject.name)).copied();
    match refused.errno {
        Errno::EEXIST if state.is_some() => verified(Cause::Present(state.unwrap_or(State::Live))),
        Errno::EEXIST if view.builtin.contains(&subject.name) => verified(Cause::BuiltIn),
        Errno::EBUSY => match state {
            Some(state @ (State::Coming | State::Going)) => verified(Cause::Present(state)),
            _ => Vec::new(),
        },
        Errno::ENOMEM => verified(Cause::NoMemory),
        Errno::EPERM => {
            // A file's causes are found by its examination.
            let permitted = running.and_then(|running| running.is_permitted);
            if permitted == Some(false) { verified(Cause::NotPermitted) } else { Vec::new() }
        }
        Errno::EKEYREJECTED | Errno::EBADMSG => wrong_signature(subject, view),
        Errno::EOPNOTSUPP if refused.compression != Compression::None => verified(Cause::Decompression),
        _ => Vec::new(),
    }
}

/// Why nothing can be loaded at all.
fn system_state(view: &KernelView) -> Vec<Finding> {
    let Some(running) = &view.running else { return Vec::new() };
    let mut findings = Vec::new();
    if running.is_permitted == Some(false) {
        findings.push(Finding::verified(Cause::NotPermitted));
    }
    if running.modules_disabled == Some(true) {
        findings.push(Finding::verified(Cause::ModulesDisabled));
    }
    findings
}

/// A signature that was tried: where the kernel does not insist on one, a missing signature or key would not
/// have been refused.
fn wrong_signature(subject: &ExaminedModule, view: &KernelView) -> Vec<Finding> {
    let Signed::By(signature) = &subject.signed else { return Vec::new() };
    let (signer, key_id) = (signature.signer.clone(), signature.key_id.clone());
    let cause = Cause::Signature(SignatureFault::Wrong { signer: signer.clone(), key_id });
    let Some(running) = &view.running else { return Vec::new() };
    let certainty = match (enforcement(view), &running.keys) {
        (None, _) if running.enforces_signatures.is_some() => Certainty::Verified,
        (Some(Enforcement::SigEnforce | Enforcement::Lockdown(_)), Some(keys))
            if !keys.iter().any(|key| super::examine::names(key, &signer)) =>
        {
            // The examination found that the key is unknown.
            return Vec::new();
        }
        _ => Certainty::Unverified("the kernel's keys cannot be compared with the signer's".into()),
    };
    vec![Finding { cause, certainty }]
}

/// Takes the kernel's words: they confirm what was found, or supply what could not be found out.
fn confirm(subject: &ExaminedModule, view: &KernelView, message: &Message, findings: &mut Vec<Finding>) {
    if matches!(message, Message::Vermagic { .. }) {
        // The kernel's own is better than that of its modules.
        findings.retain(|finding| !matches!(finding.cause, Cause::Vermagic { .. }));
    }
    let finding = in_causes(subject, view, message);
    match findings.iter_mut().find(|found| is_about_the_same(&found.cause, &finding.cause)) {
        Some(found) => found.certainty = Certainty::Confirmed,
        None => findings.push(finding),
    }
}

/// Whether two causes are about the same symbol or parameter.
fn is_about_the_same(one: &Cause, other: &Cause) -> bool {
    match (one, other) {
        (Cause::Symbol { name: one, .. }, Cause::Symbol { name: other, .. })
        | (Cause::Duplicate { name: one, .. }, Cause::Duplicate { name: other, .. })
        | (Cause::Value { name: one, .. }, Cause::Value { name: other, .. }) => one == other,
        _ => false,
    }
}

/// The cause that the kernel logged.
fn in_causes(subject: &ExaminedModule, view: &KernelView, message: &Message) -> Finding {
    let symbol = |name: &BString, fault| Cause::Symbol { name: name.clone(), fault };
    Finding::confirmed(match message {
        Message::Vermagic { module, kernel } => {
            Cause::Vermagic { module: module.clone(), kernel: kernel.clone(), whole: !subject.has_versions }
        }
        Message::UnknownSymbol(name) => return unknown(subject, view, name),
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
    })
}

/// Why a symbol is unknown to the kernel. One that other modules of its build have from it is kept from
/// this module alone, which then lacks the licence for it.
fn unknown(subject: &ExaminedModule, view: &KernelView, name: &BString) -> Finding {
    let others_have_it = view.agreement.others(name, None, false).is_some();
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
    Finding { cause: Cause::Symbol { name: name.clone(), fault }, certainty }
}
