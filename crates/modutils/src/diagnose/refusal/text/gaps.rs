//! What would have to be known.

use super::MOST;
use crate::diagnose::{refusal::cause::Gap, words::printable};

/// What would have to be known, one kind after the other, and where it could be found.
pub fn gaps(gaps: &[Gap]) -> Vec<String> {
    let is_of_symbol =
        |gap: &&Gap| matches!(gap, Gap::Symbol(_) | Gap::Version(_) | Gap::GplOnly(_) | Gap::Namespace(..));
    let mut sorted: Vec<&Gap> = gaps.iter().collect();
    sorted.sort();
    let (of_symbols, others): (Vec<&Gap>, Vec<&Gap>) = sorted.into_iter().partition(is_of_symbol);
    let mut lines = groups(&of_symbols);
    if !of_symbols.is_empty() {
        lines.push(
            "  The kernel's Module.symvers (of its headers package) or its image in /boot has it.".into(),
        );
    }
    lines.extend(groups(&others));
    lines
}

/// Each heading once, with what is listed below it.
fn groups(gaps: &[&Gap]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for gap in gaps {
        let (heading, line) = in_words(gap);
        match groups.last_mut() {
            Some((other, listed)) if *other == heading => listed.extend(line),
            _ => groups.push((heading, line.into_iter().collect())),
        }
    }
    let mut lines = Vec::new();
    for (heading, listed) in groups {
        lines.push(heading.to_owned());
        lines.extend(listed.iter().take(MOST).map(|line| format!("  {line}")));
        if listed.len() > MOST {
            lines.push(format!("  … and {} more", listed.len() - MOST));
        }
    }
    lines
}

/// The heading of its kind, and a separate line below that.
fn in_words(gap: &Gap) -> (&'static str, Option<String>) {
    match gap {
        Gap::Symbol(name) => ("Whether anything exports these symbols is not known:", Some(printable(name))),
        Gap::Version(name) => {
            ("The kernel's versions of these symbols are not known:", Some(printable(name)))
        }
        Gap::GplOnly(name) => {
            ("Whether these symbols are for GPL modules only is not known:", Some(printable(name)))
        }
        Gap::Namespace(name, namespace) => (
            "These symbols may be in a namespace that it does not import:",
            Some(format!("{}: {}", printable(name), printable(namespace))),
        ),
        Gap::Vermagic => ("The kernel's vermagic is not known: no module of it was read.", None),
        Gap::Machine => ("The kernel's machine is not known: no module of it was read.", None),
        Gap::Key(signer) => {
            ("Whether the kernel can verify its signature is not known:", Some(signer.clone()))
        }
        Gap::Dependency(module) => {
            ("It needs modules of which it is unknown whether they would load:", Some(printable(module)))
        }
        Gap::Enforcement => {
            ("It is not signed, and whether the kernel insists on signatures cannot be seen.", None)
        }
        Gap::Signature => ("Its signature cannot be read here; the kernel may refuse it.", None),
        Gap::ForceLoad => (
            "It does not record what it was built for. Whether the kernel takes such modules (CONFIG_MODULE_FORCE_LOAD) is not known.",
            None,
        ),
        Gap::Btf => (
            "Whether the kernel takes it with its type information (BTF) is not known: that may not fit the kernel's, and not every kernel looks at it (CONFIG_DEBUG_INFO_BTF_MODULES).",
            None,
        ),
        Gap::Appraisal => {
            ("The system's integrity policy (IMA) may refuse the file: that cannot be verified here.", None)
        }
        Gap::Filter => (
            "A filter of system calls (seccomp) is on this process: whether it may load modules cannot be seen.",
            None,
        ),
        Gap::Kernel(why) => ("What would be known of the kernel could not be read:", Some(printable(why))),
        Gap::Permission => {
            ("Whether this process may load modules is not known: /proc/self does not show it.", None)
        }
        Gap::CommandLine => (
            "The kernel's command line cannot be read (/proc/cmdline): its module_blacklist= may forbid it.",
            None,
        ),
        Gap::Loaded => ("Which modules the kernel has is not known: /proc/modules cannot be read.", None),
        Gap::Moving(module) => (
            "These modules are being loaded or unloaded at this moment, or are stuck since an error of the kernel:",
            Some(printable(module)),
        ),
        Gap::PerCpu(bytes) => (
            "Whether the kernel has so much memory left of the kind that each processor has its own of is not known:",
            Some(format!("{bytes} bytes, where a kernel reserves some thousands for all modules together")),
        ),
        Gap::Proprietary(name, module) => (
            "It may use symbols for GPL modules, and then these of proprietary modules are refused:",
            Some(format!("{} of {}", printable(name), printable(module))),
        ),
        Gap::Value(name, value) => (
            "The module itself reads the value of a parameter; whether it takes this one is not known:",
            Some(format!("{}={}", printable(name), printable(value))),
        ),
        Gap::Command(command) => {
            ("A command is run in the place of loading; what it does is not known:", Some(command.clone()))
        }
        Gap::Contents(why) => ("The file cannot be read:", Some(printable(why))),
    }
}
