//! Symbols that are unavailable, or that two would have: those of one kind together, under a heading for the fault.

use bstr::BString;

use super::{MOST, owned_by, unverified};
use crate::{
    ModuleName,
    diagnose::{
        Finding,
        refusal::cause::{Cause, Certainty, SymbolFault},
        words::printable,
    },
};

/// A symbol with what is wrong with it, in one line each, under one heading for each kind.
pub(super) fn symbols(findings: &[Finding], lines: &mut Vec<String>) {
    let mut groups: Vec<(String, Vec<String>, Option<String>, &Certainty)> = Vec::new();
    for finding in findings {
        let (heading, line, advice) = match &finding.cause {
            Cause::Symbol { name, fault } => symbol(name, fault),
            Cause::Duplicate { name, owner } => (
                format!("It exports symbols that {} exports already:", owned_by(owner)),
                printable(name),
                None,
            ),
            _ => continue,
        };
        match groups.iter_mut().find(|(other, ..)| *other == heading) {
            Some((_, listed, ..)) => listed.push(line),
            None => groups.push((heading, vec![line], advice, &finding.certainty)),
        }
    }
    // Several modules to be loaded first are one advice.
    let absent: Vec<&ModuleName> =
        findings.iter().filter_map(not_loaded).fold(Vec::new(), |mut seen, module| {
            if !seen.contains(&module) {
                seen.push(module);
            }
            seen
        });
    if absent.len() > 1 {
        let is_load = |advice: &String| advice.starts_with(LOAD_FIRST);
        groups.iter_mut().for_each(|(_, _, advice, _)| *advice = advice.take().filter(|one| !is_load(one)));
    }
    for (heading, listed, advice, certainty) in groups {
        lines.push(heading);
        lines.extend(listed.iter().take(MOST).map(|line| format!("  {line}")));
        if listed.len() > MOST {
            lines.push(format!("  … and {} more", listed.len() - MOST));
        }
        lines.extend(advice.map(|advice| format!("  {advice}")));
        unverified(certainty, lines);
    }
    if absent.len() > 1 {
        let names: Vec<String> = absent.iter().take(MOST).map(printable).collect();
        lines.push(format!("  Load these first: modprobe -a {}", names.join(" ")));
    }
}

/// How the advice begins to load a module that exports what another needs.
const LOAD_FIRST: &str = "Load that first: ";

fn not_loaded(finding: &Finding) -> Option<&ModuleName> {
    match &finding.cause {
        Cause::Symbol { fault: SymbolFault::NotLoaded(module), .. } => Some(module),
        _ => None,
    }
}

fn symbol(name: &BString, fault: &SymbolFault) -> (String, String, Option<String>) {
    let plain = printable(name);
    let rebuild = "Build the module against this very kernel, or install the one that belongs to it.";
    match fault {
        SymbolFault::Missing { listed: None } => (
            "It needs symbols that neither this kernel nor any module known here exports:".into(),
            plain,
            Some("It was built for another kernel, or for one with other modules.".into()),
        ),
        SymbolFault::Missing { listed: Some(module) } => (
            format!("It needs symbols of the module {}, which is not installed:", printable(module)),
            plain,
            Some("Install the package that has that module.".into()),
        ),
        SymbolFault::NotLoaded(module) => (
            format!("It needs symbols of the module {}, which is not loaded:", printable(module)),
            plain,
            Some(format!("{LOAD_FIRST}modprobe {}", printable(module))),
        ),
        SymbolFault::NotReady(module) => (
            format!(
                "It needs symbols of the module {}, which is still being initialised; the kernel gave up waiting:",
                printable(module)
            ),
            plain,
            None,
        ),
        SymbolFault::Proprietary(module) => (
            format!(
                "It uses symbols for GPL modules, so the kernel does not let it use those of the proprietary module {}:",
                printable(module)
            ),
            plain,
            None,
        ),
        SymbolFault::Version { module, kernel, owner, witnesses } => (
            format!("It was built against other versions of symbols of {} than this one's:", owned_by(owner)),
            {
                let by = witnesses.map_or(String::new(), |number| match number {
                    1 => " (as 1 other module needs it)".into(),
                    number => format!(" (as {number} other modules need it)"),
                });
                format!("{plain}: CRC {module:#010x}, not {kernel:#010x}{by}")
            },
            Some(rebuild.into()),
        ),
        SymbolFault::Disagrees { module } => (
            "It was built against other versions of symbols than this kernel's:".into(),
            match module {
                Some(module) => format!("{plain}: CRC {module:#010x}; the kernel's is not known here"),
                None => plain,
            },
            Some(rebuild.into()),
        ),
        SymbolFault::NoVersion { owner } => (
            format!(
                "It does not record which versions of symbols of {} it was built against:",
                owned_by(owner)
            ),
            plain,
            Some(rebuild.into()),
        ),
        SymbolFault::GplOnly { owner, license } => (
            format!(
                "Its licence, {}, does not let it use symbols that {} exports for GPL modules only:",
                license.as_ref().map_or("none".into(), |license| format!("\"{}\"", printable(license))),
                owned_by(owner)
            ),
            plain,
            None,
        ),
        SymbolFault::Namespace { namespace, .. } if namespace.starts_with(b"module:") => (
            format!(
                "It uses symbols that only these modules may use: {}",
                printable(namespace.strip_prefix(b"module:").unwrap_or_default())
            ),
            plain,
            None,
        ),
        SymbolFault::Namespace { namespace, .. } => (
            format!("It uses symbols of the namespace {} without importing it:", printable(namespace)),
            plain,
            Some(format!("Its source needs MODULE_IMPORT_NS(\"{}\").", printable(namespace))),
        ),
    }
}
