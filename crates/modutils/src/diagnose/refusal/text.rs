//! The words for it: each cause, what it means, and what to do, in one place.
//!
//! What comes from files is shown with control characters escaped and cut to a sane length: a
//! module's strings must not write to the terminal what they like.

mod gaps;
mod symbols;

pub use gaps::gaps;

use bstr::{BStr, BString, ByteSlice};

use super::{
    cause::{Cause, Certainty, Enforcement, Note, SignatureFault},
    examined_module::ExaminedModule,
    exports::Owner,
    value::ValueFault,
    vermagic,
};
use crate::{
    diagnose::{Finding, words::printable},
    kernel::State,
};

/// How many of a kind are listed.
const MOST: usize = 10;

/// The causes; symbols of one kind together.
pub fn findings(findings: &[Finding]) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in findings {
        if !matches!(finding.cause, Cause::Symbol { .. } | Cause::Duplicate { .. }) {
            cause(&finding.cause, &mut lines);
            unverified(&finding.certainty, &mut lines);
        }
    }
    symbols::symbols(findings, &mut lines);
    lines
}

fn unverified(certainty: &Certainty, lines: &mut Vec<String>) {
    if let Certainty::Unverified(why) = certainty {
        lines.push(format!("  This could not be verified: {why}."));
    }
}

fn cause(cause: &Cause, lines: &mut Vec<String>) {
    let mut add = |line: String| lines.push(line);
    match cause {
        Cause::Damaged(fault) => add(format!("The file is damaged or no module: {}.", printable(fault))),
        Cause::NotRelocatable => add("It is a program or a library, not a module.".into()),
        Cause::Gone(path) => {
            add(format!("Its file is not there: {}.", printable(path.as_os_str().as_encoded_bytes())));
            add("  If it was removed on purpose, run depmod; else install the kernel's modules again.".into());
        }
        Cause::Machine { module, kernel } => {
            add("It is compiled for another machine.".into());
            add(format!("  module: {module}"));
            add(format!("  kernel: {kernel}"));
        }
        Cause::NoVermagic => {
            add("It does not record which kernel it was built for: it has no vermagic.".into());
        }
        Cause::Stripped => {
            add("It has no symbol table: it was stripped too far.".into());
            add("  Modules may be stripped with --strip-debug only.".into());
        }
        Cause::NoVersions => {
            add("It does not record which versions of symbols it was built against, and this kernel takes no module without.".into());
        }
        Cause::NotForced => {
            add("This kernel does not load modules by force (CONFIG_MODULE_FORCE_LOAD is not set).".into());
        }
        Cause::Btf => {
            add("Its type information (BTF) is malformed, or of another build of this kernel.".into());
            add("  Build it again for this kernel, or remove it: objcopy --remove-section=.BTF".into());
        }
        Cause::Vermagic { module, kernel, whole } => {
            vermagic_differs(module, kernel, *whole, &mut add);
        }
        Cause::StructSize { module, kernel } => {
            add(format!(
                "It was built for a kernel with another configuration: its struct module has {module} bytes, this kernel's has {kernel}."
            ));
            add("  Build it against the headers of this very kernel.".into());
        }
        // Under headings of their own: see `symbols`.
        Cause::Symbol { .. } | Cause::Duplicate { .. } => {}
        Cause::Value { name, value, fault, about } => {
            value_refused(name, value, fault.as_ref(), about.as_ref(), &mut add);
        }
        Cause::Signature(fault) => signature(fault, &mut add),
        Cause::ModulesDisabled => {
            add("Loading modules is switched off (kernel.modules_disabled is 1).".into());
            add("  Only a reboot switches it on again.".into());
        }
        Cause::NotPermitted { in_user_namespace: false } => {
            add("Only root, with CAP_SYS_MODULE, may load modules.".into());
        }
        Cause::NotPermitted { in_user_namespace: true } => {
            add("This process lives in a user namespace: nobody there may load modules.".into());
        }
        Cause::Filtered => {
            add("A filter of system calls (seccomp) on this process does not let it load modules.".into());
        }
        Cause::OpenForWriting { by: Some((id, name)) } => {
            add("The file is open for writing: the kernel does not read it as long as it is.".into());
            add(format!("  by the process {id} ({})", printable(name)));
        }
        Cause::OpenForWriting { by: None } => {
            add("A process may have had the file open for writing: the kernel reads none that is.".into());
        }
        Cause::Appraisal => {
            add("The system's integrity policy (IMA) refuses the file: it has no signature that the policy wants.".into());
        }
        Cause::Command { command, origin, fails } => {
            let (command, line) = (printable(command), printable(origin.to_string()));
            let effect = if *fails { "fails" } else { "does nothing" };
            add(format!(
                "In the place of loading it modprobe runs a command that {effect}: {command} ({line})."
            ));
        }
        Cause::Denied { origin, reason } => {
            let line = printable(origin.to_string());
            add(match reason.is_empty() {
                true => format!("The configuration denies it: {line}."),
                false => format!("The configuration denies it: {line}: {}", printable(reason)),
            });
        }
        Cause::Blacklisted => {
            add("The kernel command line forbids it: module_blacklist= names it (see /proc/cmdline).".into());
        }
        Cause::Present(state) => add(present(*state).into()),
        Cause::BuiltIn => add("It is built into this kernel: there is nothing to load.".into()),
        Cause::Decompression => {
            add("The kernel does not decompress module files of this kind.".into());
            add("  Decompress the file and load it plain.".into());
        }
        Cause::NoMemory => add("The kernel has not enough memory for it.".into()),
        Cause::NoPerCpuMemory => {
            add("The kernel has not enough memory left of the kind that each processor has its own of (percpu).".into());
            add("  Unload modules that use much of it.".into());
        }
        Cause::Dependency { module, why } => {
            add(format!("It needs {}, which would not load:", printable(module)));
            why.iter().for_each(|line| add(format!("  {line}")));
        }
    }
}

fn vermagic_differs(module: &BString, kernel: &BString, whole: bool, add: &mut dyn FnMut(String)) {
    let (mut only_module, mut only_kernel) = vermagic::differing(module, kernel);
    if !whole {
        let release = |text: &BString| text.fields().next().map(<[u8]>::to_vec);
        let (of_module, of_kernel) = (release(module), release(kernel));
        only_module.retain(|word| Some(word.as_bytes().to_vec()) != of_module);
        only_kernel.retain(|word| Some(word.as_bytes().to_vec()) != of_kernel);
    }
    let list = |words: &[&BStr]| {
        words.iter().map(|word| format!("\"{}\"", printable(word))).collect::<Vec<_>>().join(" ")
    };
    let (of_module, of_kernel) = (list(&only_module), list(&only_kernel));
    add(match (only_module.as_slice(), only_kernel.as_slice()) {
        ([], []) => "It was built for another kernel: its vermagic has other blanks or another order.".into(),
        ([], _) => format!("It was built for another kernel: its vermagic lacks {of_kernel}."),
        (_, []) => {
            format!("It was built for another kernel: its vermagic has {of_module}, this kernel's has not.")
        }
        _ => format!(
            "It was built for another kernel: its vermagic has {of_module}, this kernel's {of_kernel}."
        ),
    });
    add(format!("  module: {}", printable(module)));
    add(format!("  kernel: {}", printable(kernel)));
    add("  Install the module that was built for this kernel, or build it against this kernel's headers."
        .into());
}

fn value_refused(
    name: &BString,
    value: &BString,
    fault: Option<&ValueFault>,
    about: Option<&BString>,
    add: &mut dyn FnMut(String),
) {
    let assigned = format!("{}={}", printable(name), printable(value));
    add(match fault {
        Some(ValueFault::NotA(kind)) => {
            format!("The parameter {assigned} is refused: it takes {}.", kind_in_words(kind))
        }
        Some(ValueFault::OutOfRange(kind)) => {
            format!("The parameter {assigned} is refused: that is no {}, out of its range.", printable(kind))
        }
        Some(ValueFault::Missing(kind)) => {
            format!(
                "The parameter {} is refused: it takes a value, {}.",
                printable(name),
                kind_in_words(kind)
            )
        }
        Some(ValueFault::TooLong(most)) => {
            format!("The parameter {} is refused: its value is longer than {most} bytes.", printable(name))
        }
        Some(ValueFault::TooMany(most)) => {
            format!("The parameter {assigned} is refused: it takes at most {most} values.")
        }
        None => format!("The module itself refuses the parameter {assigned}."),
    });
    if let Some(about) = about {
        add(format!("  {}: {}", printable(name), printable(about)));
    }
}

fn kind_in_words(kind: &BString) -> String {
    match kind.as_slice() {
        b"bool" | b"invbool" | b"bint" | b"bool_enable_only" => "y or n (bool)".into(),
        b"charp" => "a text".into(),
        _ => format!("a number ({})", printable(kind)),
    }
}

fn signature(fault: &SignatureFault, add: &mut dyn FnMut(String)) {
    let why = |enforcement: &Enforcement| match enforcement {
        Enforcement::SigEnforce => "this kernel insists on signatures (module.sig_enforce)".to_owned(),
        Enforcement::Lockdown(level) => format!("this kernel is locked down ({})", printable(level)),
    };
    match fault {
        SignatureFault::Missing(enforcement) => {
            add(format!("It is not signed, and {}.", why(enforcement)));
            add("  Sign it with a key that the kernel has (scripts/sign-file), or enrol one (mokutil --import).".into());
        }
        SignatureFault::Malformed => add("Its signature is malformed.".into()),
        SignatureFault::Unsupported(enforcement) => {
            add(format!(
                "Its signature is of a kind that this kernel does not verify, and {}.",
                why(enforcement)
            ));
        }
        SignatureFault::Ignored(enforcement) => {
            add(format!("By force the kernel ignores its signature, and {}.", why(enforcement)));
            add("  Load it without force.".into());
        }
        SignatureFault::UnknownKey { signer, key_id, enforcement } => {
            add(format!("It is signed with a key that this kernel does not have, and {}.", why(enforcement)));
            signed_by(signer, key_id, add);
            add("  Sign it with a key that the kernel has (see /proc/keys), or enrol this one (mokutil --import).".into());
        }
        SignatureFault::Wrong { signer, key_id } => {
            add("Its signature is not right: the file was changed after it was signed, or was not signed with the key it names.".into());
            signed_by(signer, key_id, add);
            add("  Reinstall the module, or sign it again.".into());
        }
    }
}

fn signed_by(signer: &BString, key_id: &[u8], add: &mut dyn FnMut(String)) {
    match (signer.is_empty(), key_id) {
        (true, []) => {}
        (true, key_id) => add(format!("  key {}", hex(key_id))),
        (false, key_id) => add(format!("  signer: {}, key {}", printable(signer), hex(key_id))),
    }
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().take(32).map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn present(state: State) -> &'static str {
    match state {
        State::Live => "The kernel has a module of this name already.",
        State::Coming => "A module of this name is being loaded at this moment.",
        State::Going => "A module of this name is being unloaded at this moment.",
        // Not shown in /sys, and there all the same.
        State::Absent => "The kernel has a module of this name already.",
        State::Unknown => "Whether the kernel has a module of this name is not known.",
    }
}

fn owned_by(owner: &Owner) -> String {
    match owner {
        Owner::Kernel => "the kernel".into(),
        Owner::Module(module) => format!("the module {}", printable(module)),
    }
}

/// What is reported although it prevents nothing.
pub fn note(note: &Note) -> String {
    match note {
        Note::UnknownParameter { name, nearest } => {
            let meant = nearest.as_ref().map(|nearest| format!(" (is {} meant?)", printable(nearest)));
            format!(
                "It has no parameter {}{}: the kernel ignores that.",
                printable(name),
                meant.unwrap_or_default()
            )
        }
        Note::Present(state) => present(*state).into(),
        Note::BuiltIn => "It is built into this kernel: there is nothing to load.".into(),
        Note::Packing { compression, obstacle } => {
            let name = compression.name();
            format!(
                "The kernel's own decoder does not read this {name} file ({obstacle}): insmod and modprobe decompress it."
            )
        }
        Note::ParameterFrom { name, origin } => {
            format!("The parameter {} comes from {}.", printable(name), printable(origin.to_string()))
        }
        Note::AsIfForced => {
            "It does not record what it was built for: the kernel takes it as if forced, and is tainted."
                .into()
        }
    }
}

/// The parameters of a module, as `kmod check` lists them where one is unknown or refused.
pub fn parameters(subject: &ExaminedModule) -> Vec<String> {
    let line = |parameter: &super::examined_module::ModuleParameter| {
        let kind = parameter.kind.as_ref().map_or(String::new(), |kind| format!(" ({})", printable(kind)));
        let about =
            parameter.description.as_ref().map_or(String::new(), |text| format!(": {}", printable(text)));
        format!("{}{kind}{about}", printable(&parameter.name))
    };
    let named = subject.parameters.iter().filter(|parameter| !parameter.name.is_empty());
    named.take(64).map(line).collect()
}
