//! After the kernel refused a module: which of the causes it was, by the error number and the kernel's
//! own words.
//!
//! A cause counts only where the kernel returns that number for it. Where none does, that is reported,
//! and nothing is guessed.

use bstr::BString;

use super::{
    cause::{Cause, Certainty, Enforcement, Gap, Note, SignatureFault},
    confirm::confirm,
    examination::{Examination, Question},
    examine::examine,
    examined_module::{ExaminedModule, Signed},
    explanation::{Conclusion, Explanation},
    log::{self, Message},
    numbers::{LOADERS, errors_of},
    policy::SignaturePolicy,
    signed,
    view::KernelView,
};
use crate::{Errno, ModuleName, diagnose::Finding, file::Compression, kernel::State};

/// What to explain.
#[derive(Clone, Debug)]
pub struct Refused<'a> {
    /// The kernel's answer.
    pub errno: Errno,
    /// What it logged meanwhile.
    pub log: &'a [BString],
    /// How the file is compressed.
    pub compression: Compression,
    /// A process that has the file open for writing, where that was asked.
    pub writer: Option<(u32, BString)>,
}

/// Explains a refusal of a module that could be read.
pub fn explain(
    subject: &ExaminedModule,
    view: &KernelView,
    question: &Question,
    refused: &Refused,
) -> Explanation {
    let messages: Vec<Message> = refused.log.iter().filter_map(|line| log::parse(line)).collect();
    let examination = examine(subject, view, question);
    let mut findings = by_number(subject, view, question, refused, &messages);
    let possible = |finding: &Finding| errors_of(&finding.cause).contains(&refused.errno);
    let Examination { findings: examined, notes, gaps, .. } = examination;
    let is_known = |findings: &[Finding], cause: &Cause| findings.iter().any(|one| one.cause == *cause);
    for finding in examined.into_iter().filter(possible) {
        if !is_known(&findings, &finding.cause) && !is_second_signature(&findings, &finding.cause) {
            findings.push(finding);
        }
    }
    let mut waited_for = None;
    for message in messages {
        match message {
            Message::GaveUp(module) => waited_for = Some(ModuleName::new(&module)),
            message => confirm(subject, view, &message, waited_for.as_ref(), refused.errno, &mut findings),
        }
    }
    // What another cause follows from in the kernel is the one.
    if findings.iter().any(|finding| matches!(finding.certainty, Certainty::Confirmed)) {
        let is_guess = |finding: &Finding| {
            matches!(finding.certainty, Certainty::Unverified(_))
                && !matches!(finding.cause, Cause::Symbol { .. })
        };
        findings.retain(|finding| !is_guess(finding));
    }
    if findings.is_empty() && refused.errno == Errno::ENOEXEC && gaps.contains(&Gap::ForceLoad) {
        let cause = if subject.vermagic.is_none() { Cause::NoVermagic } else { Cause::NoVersions };
        let why = "whether this kernel takes such modules (CONFIG_MODULE_FORCE_LOAD) is not known";
        findings.push(Finding { cause, certainty: Certainty::Unverified(why.into()) });
    }
    let quotes = log::quotes(refused.log, Some(subject), !findings.is_empty());
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

/// Explains a refusal of a file that could not be read as a module, by its fault where it is damaged.
pub fn explain_unread(fault: Option<String>, view: &KernelView, refused: &Refused) -> Explanation {
    let damaged = fault.map(|fault| Finding::verified(Cause::Damaged(fault)));
    let mut findings = match refused.errno {
        Errno::EPERM => system_state(view),
        _ => Vec::new(),
    };
    if findings.is_empty() {
        findings.extend(damaged.filter(|damaged| errors_of(&damaged.cause).contains(&refused.errno)));
    }
    let conclusion = findings.is_empty().then_some(Conclusion::NothingFound(refused.errno));
    let quotes = log::quotes(refused.log, None, !findings.is_empty());
    Explanation { findings, conclusion, quotes, ..Explanation::default() }
}

/// Whether a cause is a signature's while another of these is known already: the kernel has one.
fn is_second_signature(findings: &[Finding], cause: &Cause) -> bool {
    let is_signature = |cause: &Cause| matches!(cause, Cause::Signature(_));
    is_signature(cause) && findings.iter().any(|finding| is_signature(&finding.cause))
}

/// What the number itself means, with the kernel's state and what it logged.
fn by_number(
    subject: &ExaminedModule,
    view: &KernelView,
    question: &Question,
    refused: &Refused,
    messages: &[Message],
) -> Vec<Finding> {
    let verified = |cause| vec![Finding::verified(cause)];
    let running = view.running.as_ref();
    let state = running.map_or(State::Unknown, |running| running.state(&subject.name));
    match refused.errno {
        Errno::EEXIST if !matches!(state, State::Absent | State::Unknown) => verified(Cause::Present(state)),
        Errno::EEXIST if view.builtin.contains(&subject.name) => verified(Cause::BuiltIn),
        Errno::EEXIST if state == State::Unknown => {
            let why = "which modules the kernel has could not be read (/proc/modules)";
            let certainty = Certainty::Unverified(why.into());
            vec![Finding { cause: Cause::Present(State::Live), certainty }]
        }
        Errno::EBUSY => match state {
            State::Coming | State::Going => verified(Cause::Present(state)),
            _ => Vec::new(),
        },
        Errno::EPERM if running.is_some_and(|running| running.is_permitted != Some(false)) => {
            match logged_signature(subject, view, messages) {
                Some(fault) => signed::refused(subject, view, question, refused.errno, Some(&fault)),
                None => filtered(view),
            }
        }
        Errno::EKEYREJECTED | Errno::EBADMSG => {
            let logged = logged_signature(subject, view, messages);
            signed::refused(subject, view, question, refused.errno, logged.as_ref())
        }
        Errno::ETXTBSY => {
            let cause = Cause::OpenForWriting { by: refused.writer.clone() };
            match refused.writer {
                Some(_) => verified(cause),
                None => vec![Finding {
                    cause,
                    certainty: Certainty::Unverified(
                        "no process has it open any more that can be seen; the module's own initialisation may have answered so as well".into(),
                    ),
                }],
            }
        }
        Errno::ENOSYS => filtered(view),
        // The kernel's line about it comes from a thread of its own, perhaps too late.
        Errno::EACCES if running.is_some_and(|running| running.appraises == Some(true)) => {
            let why = "another policy or the module's own initialisation may have answered so as well";
            vec![Finding { cause: Cause::Appraisal, certainty: Certainty::Unverified(why.into()) }]
        }
        // The kernel answers so to a compressed file where it was built without decompression.
        Errno::EOPNOTSUPP
            if refused.compression != Compression::None && view.decompresses() == Some(false) =>
        {
            verified(Cause::Decompression)
        }
        _ => Vec::new(),
    }
}

/// A filter of system calls may answer in the kernel's place; which calls it forbids cannot be read.
fn filtered(view: &KernelView) -> Vec<Finding> {
    if view.running.as_ref().is_none_or(|running| running.is_filtered != Some(true)) {
        return Vec::new();
    }
    let why = "the kernel or the module itself may have answered so as well";
    vec![Finding { cause: Cause::Filtered, certainty: Certainty::Unverified(why.into()) }]
}

/// What the kernel logs about a signature that it does not take, with the reason why it wants one.
fn logged_signature(
    subject: &ExaminedModule,
    view: &KernelView,
    messages: &[Message],
) -> Option<SignatureFault> {
    let enforcement = match view.signature_policy() {
        SignaturePolicy::By(enforcement) => enforcement,
        _ => Enforcement::SigEnforce,
    };
    let by = match &subject.signed {
        Signed::By(signature) => {
            Some((signature.signer.clone().unwrap_or_default(), signature.key_id.clone()))
        }
        _ => None,
    };
    let has = |wanted: &Message| messages.contains(wanted);
    if has(&Message::UnavailableKey) {
        let (signer, key_id) = by.unwrap_or_default();
        return Some(SignatureFault::UnknownKey { signer, key_id, enforcement });
    }
    if has(&Message::UnsupportedSignature) {
        return Some(SignatureFault::Unsupported(enforcement));
    }
    // A locked-down kernel also logs this about a signature that it cannot verify, or ignores.
    match (has(&Message::Unsigned), &subject.signed) {
        (true, Signed::No) => Some(SignatureFault::Missing(enforcement)),
        _ => None,
    }
}

/// Why nothing can be loaded at all.
fn system_state(view: &KernelView) -> Vec<Finding> {
    let Some(running) = &view.running else { return Vec::new() };
    let mut findings = Vec::new();
    if running.is_permitted == Some(false) {
        let in_user_namespace = running.in_user_namespace == Some(true);
        findings.push(Finding::verified(Cause::NotPermitted { in_user_namespace }));
    }
    if running.modules_disabled == Some(true) {
        findings.push(Finding::verified(Cause::ModulesDisabled));
    }
    if findings.is_empty() { filtered(view) } else { findings }
}

#[cfg(test)]
mod tests {
    use testkit::ModuleBuilder;

    use super::*;
    use crate::{
        diagnose::refusal::{
            numbers::{ENOTSUPP, UNNAMED},
            view::Running,
        },
        elf::Elf,
        file::Contents,
        module_file::ModuleFile,
    };

    /// The kinds of what is found, each with whether it is verified, and of the notes.
    struct Case<'a> {
        module: ModuleBuilder,
        running: Running,
        errno: Errno,
        log: &'a [&'a str],
        compression: Compression,
        writer: Option<(u32, BString)>,
    }

    fn case(errno: Errno) -> Case<'static> {
        let module = ModuleBuilder::new("m").modinfo("license", "GPL").modinfo("vermagic", "1 SMP ");
        let running = Running { has_sys: true, is_permitted: Some(true), ..Running::default() };
        Case { module, running, errno, log: &[], compression: Compression::None, writer: None }
    }

    impl Case<'_> {
        fn explained(&self) -> Explanation {
            let contents = Contents::from_bytes("m.ko".as_ref(), self.module.build()).unwrap();
            let module = ModuleFile::from_elf(Elf::parse(contents).unwrap()).unwrap();
            let subject = ExaminedModule::of(&module).unwrap();
            let view = KernelView { running: Some(self.running.clone()), ..KernelView::default() };
            let log: Vec<BString> = self.log.iter().map(|line| BString::from(*line)).collect();
            let (compression, writer) = (self.compression, self.writer.clone());
            let refused = Refused { errno: self.errno, log: &log, compression, writer };
            explain(&subject, &view, &Question { alone: true, ..Question::default() }, &refused)
        }

        fn words(&self) -> String {
            let explanation = self.explained();
            let doubt = |finding: &Finding| if finding.is_verified() { "" } else { "?" };
            let findings = explanation.findings().iter();
            let words = findings.map(|finding| format!("{}{}", finding.kind(), doubt(finding)));
            let notes = explanation.notes();
            words.chain(notes.iter().map(|note| note.kind().to_owned())).collect::<Vec<_>>().join(" ")
        }
    }

    /// The kernel's message of a module that was built for another one.
    #[test]
    fn another_size_of_struct_module_is_damage_only_where_nothing_else_differs() {
        let size = "module m: .gnu.linkonce.this_module section size must match the kernel's built struct module size";
        let alone = Case { log: &[size], ..case(Errno::ENOEXEC) };
        assert_eq!(alone.words(), "damaged");
        let other = Case {
            log: &["m: disagrees about version of symbol module_layout", size],
            ..case(Errno::ENOEXEC)
        };
        assert_eq!(other.words(), "symbol_version");
    }

    #[test]
    fn a_number_that_the_module_may_have_returned_is_no_cause_by_itself() {
        let compressed = Case { compression: Compression::Xz, ..case(Errno::EOPNOTSUPP) };
        assert_eq!(compressed.words(), "decompression");
        let mut decompresses = Case { compression: Compression::Xz, ..case(Errno::EOPNOTSUPP) };
        decompresses.running.decompresses = true;
        assert_eq!(decompresses.words(), "own_error");
        assert_eq!(case(Errno::EOPNOTSUPP).words(), "own_error");
        assert_eq!(case(Errno::ENOMEM).words(), "nothing_found");
        // A kernel that takes modules without a signature does not reject one for that.
        let mut free = case(Errno::EKEYREJECTED);
        free.running.enforces_signatures = Some(false);
        free.running.lockdown = Some("none".into());
        assert_eq!(free.words(), "nothing_found");
        free.running.enforces_signatures = Some(true);
        assert_eq!(free.words(), "not_signed");
        let log = &["m: Could not allocate 65536 bytes percpu data"];
        assert_eq!(Case { log, ..case(Errno::ENOMEM) }.words(), "no_percpu_memory");
        assert_eq!(Case { log, ..case(Errno::EINVAL) }.words(), "nothing_found");
        let log = &["insmod: vmalloc error: size 12288, failed to allocate pages"];
        assert_eq!(Case { log, ..case(Errno::ENOMEM) }.words(), "no_memory");
    }

    #[test]
    fn what_stands_between_the_process_and_the_kernel_is_named() {
        assert_eq!(case(Errno::ETXTBSY).words(), "open_for_writing?");
        let writer = Some((7, "vi".into()));
        let written = Case { writer, ..case(Errno::ETXTBSY) };
        assert_eq!(written.words(), "open_for_writing");
        assert!(written.explained().lines()[1].contains("by the process 7 (vi)"));
        assert_eq!(case(Errno::ENOSYS).words(), "own_error");
        let lines = case(Errno::ETXTBSY).explained().lines();
        assert!(lines[0].contains("may have had") && lines[1].contains("the module's own initialisation"));
        for errno in [Errno::ENOSYS, Errno::EPERM] {
            let mut filtered = case(errno);
            filtered.running.is_filtered = Some(true);
            assert_eq!(filtered.words(), "filtered?");
        }
        let mut appraised = case(Errno::EACCES);
        assert_eq!(appraised.words(), "nothing_found");
        appraised.running.appraises = Some(true);
        assert_eq!(appraised.words(), "appraisal?");
        appraised.log =
            &["audit: type=1800 op=appraise_data cause=IMA-signature-required name=\"/m.ko\" res=0"];
        assert_eq!(appraised.words(), "appraisal");
        let mut inside = case(Errno::EPERM);
        inside.running.is_permitted = Some(false);
        inside.running.in_user_namespace = Some(true);
        assert_eq!(inside.words(), "not_permitted");
        assert!(inside.explained().lines()[0].contains("user namespace"));
    }

    #[test]
    fn an_unknown_symbol_has_the_cause_that_the_kernel_gives() {
        let with = |errno, log| Case { module: case(errno).module.needs("fn", None), log, ..case(errno) };
        let log = &["m: Unknown symbol fn (err -2)"];
        assert_eq!(with(Errno::ENOENT, log).words(), "missing_symbol");
        let log = &["m: gave up waiting for init of module slow.", "m: Unknown symbol fn (err -16)"];
        let waited = with(Errno::EBUSY, log);
        assert_eq!(waited.words(), "symbol_not_ready");
        assert_eq!(waited.explained().findings()[0].provider(), Some("slow".into()));
        let log = &[
            "m: module using GPL-only symbols uses symbols fn from proprietary module closed.",
            "m: Unknown symbol fn (err -2)",
        ];
        assert_eq!(with(Errno::ENOENT, log).words(), "proprietary");
        let log = &[
            "m: module uses symbol fn from namespace module:a,b, but does not import it.",
            "m: Unknown symbol fn (err -22)",
        ];
        let reserved = with(Errno::EINVAL, log);
        assert_eq!(reserved.words(), "namespace");
        let lines = reserved.explained().lines();
        assert!(
            lines[0].ends_with("only these modules may use: a,b")
                && !lines.join("").contains("MODULE_IMPORT_NS")
        );
    }

    #[test]
    fn a_module_that_is_there_is_said_to_be_there() {
        let mut present = case(Errno::EEXIST);
        present.running.loaded = Some([(ModuleName::new("m"), State::Live)].into());
        assert_eq!(present.words(), "present");
        assert!(present.explained().lines()[0].contains("has a module of this name already"));
    }

    #[test]
    fn the_loaders_words_are_the_cause_where_they_fit_the_number() {
        for (errno, line, expected) in [
            (Errno::EINVAL, "failed to validate module [m] BTF: -22", "btf"),
            (UNNAMED, "failed to validate module [m] BTF: -524", "btf"),
            (ENOTSUPP, "failed to validate module [m] BTF: -524", "btf"),
            (Errno::ENOEXEC, "Exactly one .gnu.linkonce.this_module section must exist.", "damaged"),
            (Errno::ENOEXEC, "x86/modules: Invalid relocation target, existing value is nonzero", "damaged"),
            (Errno::EKEYREJECTED, "Loading of module with unavailable key is rejected", "signature_key"),
            (
                Errno::EKEYREJECTED,
                "Loading of module with unsupported crypto is rejected",
                "signature_unsupported",
            ),
            (Errno::EPERM, "Lockdown: insmod: unsigned module loading is restricted", "not_signed"),
        ] {
            let log = &[line];
            let refused = Case { log, ..case(errno) };
            assert_eq!(refused.words(), expected, "{line}");
            assert!(refused.explained().quotes().iter().any(|quote| *quote == line), "{line}");
        }
        // A driver's own complaint is quoted where nothing else is known.
        let log = &["bonding: Invalid bonding mode \"x\"", "m: loading out-of-tree module taints kernel."];
        let complaint = Case { log, ..case(Errno::EINVAL) }.explained();
        assert_eq!(complaint.quotes(), ["bonding: Invalid bonding mode \"x\""]);
    }
}
