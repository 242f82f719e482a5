//! What the guest reports of each situation, and what becomes of it: whether verdict and outcome agree.

use std::collections::BTreeSet;

use serde_json::Value;

use super::situation::{Aim, Situation};
use crate::qemu::SerialAction;

/// Answers of a kernel without trace events that only a module's own initialisation gives.
const OWN_ERRORS: [&str; 5] = [
    "No such device",
    "No such device or address",
    "Operation not supported",
    "Input/output error",
    "Address already in use",
];

/// The verdict of `kmod check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    WouldLoad,
    CannotTell,
    WouldNotLoad,
}

/// The texts of the errors that a kernel refuses a module with for a reason; `None` where that is another module's.
fn answers(kind: &str) -> Option<&'static [&'static str]> {
    const FORMAT: &[&str] = &["Exec format error", "Invalid module format"];
    const INVALID: &[&str] = &["Invalid argument", "Invalid parameters"];
    Some(match kind {
        "damaged" => &[
            "Exec format error",
            "Invalid module format",
            "Invalid argument",
            "Invalid parameters",
            "Bad message",
        ],
        "not_a_module" | "machine" | "stripped" | "no_vermagic" | "no_versions" | "not_forced"
        | "vermagic" | "struct_size" | "duplicate_symbol" => FORMAT,
        "missing_symbol" | "symbol_not_loaded" | "gpl_only" | "proprietary" => {
            &["No such file or directory", "Unknown symbol"]
        }
        "symbol_version" | "symbol_without_version" => {
            &["Invalid argument", "Invalid parameters", "Exec format error", "Invalid module format"]
        }
        "namespace" => INVALID,
        // ENOTSUPP has no name outside of the kernel.
        "btf" => &["Invalid argument", "Invalid parameters", "Unknown error 524", "Unknown errno"],
        "parameter" => {
            &["Invalid argument", "Invalid parameters", "Numerical result out of range", "No space left"]
        }
        "not_signed"
        | "signature_unsupported"
        | "signature_ignored"
        | "signature_key"
        | "signature_wrong" => &[
            "Key was rejected by service",
            "Operation not permitted",
            "Required key not available",
            "No data available",
        ],
        "not_permitted" | "modules_disabled" | "blacklisted" => &["Operation not permitted"],
        "present" => &["File exists", "already in kernel", "Device or resource busy"],
        "open_for_writing" => &["Text file busy"],
        _ => return None,
    })
}

/// What the guest saw in one situation.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) name: String,
    checked: Option<i32>,
    loaded: Option<i32>,
    /// Whether the module that was not removed at first is gone at the end.
    is_gone: Option<bool>,
    pub(super) check: Vec<String>,
    pub(super) error: Vec<String>,
    pub(super) log: Vec<String>,
    events: Option<BTreeSet<String>>,
    live: BTreeSet<String>,
}

/// Reads the lines of the serial port.
#[derive(Default)]
pub(super) struct Report {
    pub(super) seen: Vec<Seen>,
    pub(super) noise: Vec<String>,
}

impl Report {
    pub(super) fn line(&mut self, line: &str) -> SerialAction {
        let Some(rest) = line.strip_prefix("@@ ") else {
            self.noise.push(line.to_owned());
            return SerialAction::Read;
        };
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let names = || rest.split_whitespace().map(str::to_owned).collect();
        match (word, self.seen.last_mut()) {
            ("end", _) => return SerialAction::PowerOff,
            ("begin", _) => self.seen.push(Seen { name: rest.to_owned(), ..Seen::default() }),
            ("checked", Some(seen)) => seen.checked = rest.parse().ok(),
            ("loaded", Some(seen)) => seen.loaded = rest.parse().ok(),
            ("ended", Some(seen)) => seen.is_gone = Some(rest != "0"),
            ("check", Some(seen)) => seen.check.push(rest.to_owned()),
            ("error", Some(seen)) => seen.error.push(rest.to_owned()),
            ("log", Some(seen)) => seen.log.push(rest.to_owned()),
            ("events", Some(seen)) => seen.events = Some(names()),
            ("live", Some(seen)) => seen.live = names(),
            _ => self.noise.push(line.to_owned()),
        }
        SerialAction::Read
    }
}

impl Seen {
    /// The verdict, by the exit code; none where the check failed otherwise.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self.checked? {
            0 => Some(Verdict::WouldLoad),
            1 => Some(Verdict::WouldNotLoad),
            2 => Some(Verdict::CannotTell),
            _ => None,
        }
    }

    /// Whether the kernel took the module: what its own initialisation then returns is another matter. None where the
    /// guest did not come that far.
    pub(super) fn was_taken(&self, situation: &Situation) -> Option<bool> {
        let failed_alone = match &self.events {
            // It was announced, and is gone again.
            Some(events) => events.iter().any(|module| !self.live.contains(module)),
            None => {
                let ends_so = |line: &String| OWN_ERRORS.iter().any(|text| line.ends_with(text));
                self.error.iter().any(ends_so)
            }
        };
        Some(self.loaded? == 0 || failed_alone || situation.answers_itself)
    }

    /// The kinds of the reasons.
    pub(super) fn kinds(&self) -> BTreeSet<String> {
        self.kinds_of("reasons")
    }

    fn kinds_of(&self, member: &str) -> BTreeSet<String> {
        let document: Value = serde_json::from_str(&self.check.join("\n")).unwrap_or_default();
        let modules = document["modules"].as_array().cloned().unwrap_or_default();
        let reasons =
            modules.iter().flat_map(|module| module[member].as_array().cloned().unwrap_or_default());
        reasons.filter_map(|reason| reason["kind"].as_str().map(str::to_owned)).collect()
    }

    /// Whether the message of a removal names no user.
    pub(super) fn is_user_hidden(&self) -> bool {
        self.error.iter().any(|line| line.contains("by whom cannot be seen"))
    }

    /// What is wrong with the answer, if anything is.
    pub(super) fn fault(&self, situation: &Situation) -> Option<String> {
        match situation.aim {
            Aim::Verdict => {}
            Aim::Removal => return self.fault_of_removal(situation),
            Aim::Report => return self.fault_of_message(situation),
        }
        let Some(verdict) = self.verdict() else { return Some("the check itself failed".into()) };
        let check = self.check.join("\n");
        if let Some(text) = situation.checks.filter(|text| !check.contains(*text)) {
            return Some(format!("the check does not print \"{text}\""));
        }
        if situation.only_checked {
            // What would hang is not known to be refused.
            let kinds = &self.kinds() | &self.kinds_of("unknowns");
            let has_cause = situation.cause.is_some_and(|cause| kinds.contains(cause));
            let is_right = verdict != Verdict::WouldLoad && has_cause;
            return (!is_right)
                .then(|| format!("{verdict:?} of what the kernel does not survive: {kinds:?}"));
        }
        let Some(taken) = self.was_taken(situation) else {
            return Some("the guest did not come that far".into());
        };
        if situation.has_wrong_signature {
            let is_rejected = self.error.iter().any(|line| line.contains("Key was rejected by service"));
            return (taken || !is_rejected).then(|| "its wrong signature was not rejected".into());
        }
        match (verdict, taken) {
            (Verdict::WouldLoad, false) => return Some("it was refused".into()),
            (Verdict::WouldNotLoad, true) => return Some("it was taken".into()),
            _ => {}
        }
        // What succeeds reports nothing.
        let of_message = || if self.loaded == Some(0) { None } else { self.fault_of_message(situation) };
        self.fault_of_cause(situation, verdict).or_else(of_message)
    }

    /// A reason must be the expected one, and one of them must fit the kernel's answer.
    fn fault_of_cause(&self, situation: &Situation, verdict: Verdict) -> Option<String> {
        if verdict != Verdict::WouldNotLoad {
            return None;
        }
        let kinds = self.kinds();
        if let Some(cause) = situation.cause.filter(|cause| !kinds.contains(*cause)) {
            return Some(format!("the cause is {cause}, not {kinds:?}"));
        }
        let message = self.error.iter().find(|line| line.contains("ERROR") || line.contains("could not"))?;
        let fits =
            |kind: &String| answers(kind).is_none_or(|texts| texts.iter().any(|text| message.contains(text)));
        (!kinds.is_empty() && !kinds.iter().any(fits))
            .then(|| format!("{kinds:?} do not fit the kernel's answer"))
    }

    fn fault_of_message(&self, situation: &Situation) -> Option<String> {
        let message = self.error.join("\n");
        if let Some(text) = situation.shows.iter().find(|text| !message.contains(text.as_str())) {
            return Some(format!("the message does not have \"{text}\""));
        }
        let text = situation.never.filter(|text| message.contains(*text))?;
        Some(format!("the message has \"{text}\""))
    }

    /// A removal must be refused, with a message that is true: once what it names has ended, it succeeds.
    fn fault_of_removal(&self, situation: &Situation) -> Option<String> {
        match (self.loaded, self.is_gone) {
            (None, _) => Some("the guest did not come that far".into()),
            (Some(0), _) => Some("it was removed".into()),
            (_, Some(false)) => Some("what the message names has ended, and it is not removed".into()),
            _ => self.fault_of_message(situation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[&str]) -> Seen {
        let mut report = Report::default();
        for line in lines {
            assert!(report.line(line) == SerialAction::Read);
        }
        report.seen.pop().unwrap()
    }

    #[test]
    fn an_error_of_the_module_itself_counts_as_taken() {
        let own = seen(&["@@ begin a", "@@ checked 0", "@@ loaded 1", "@@ events a", "@@ live b c"]);
        let situation = Situation::file("a", "/a.ko", "");
        assert_eq!((own.verdict(), own.was_taken(&situation)), (Some(Verdict::WouldLoad), Some(true)));
        let refused = seen(&["@@ begin a", "@@ checked 0", "@@ loaded 1", "@@ events dep", "@@ live dep"]);
        assert_eq!(refused.fault(&situation), Some("it was refused".into()));
        assert_eq!(own.fault(&situation), None);
        let without = seen(&["@@ begin a", "@@ checked 0", "@@ loaded 1", "@@ error a.ko: No such device"]);
        assert_eq!(without.was_taken(&situation), Some(true));
    }

    #[test]
    fn a_removal_must_be_refused_and_succeed_in_the_end() {
        let removal = Situation::removal("a", "dummy").shows("open");
        let lines = ["@@ begin a", "@@ loaded 1", "@@ ended 1", "@@ error It has it open."];
        assert_eq!(seen(&lines).fault(&removal), None);
        for (number, line) in [(1, "@@ loaded 0"), (2, "@@ ended 0"), (3, "@@ error In use.")] {
            let mut other = lines;
            other[number] = line;
            assert!(seen(&other).fault(&removal).is_some(), "{line}");
        }
    }

    #[test]
    fn a_cause_must_be_among_the_reasons() {
        let json = r#"@@ check {"modules":[{"reasons":[{"kind":"vermagic"}]}]}"#;
        let refused = seen(&["@@ begin a", "@@ checked 1", "@@ loaded 1", json, "@@ events", "@@ live"]);
        assert_eq!(refused.fault(&Situation::file("a", "/a.ko", "").cause("vermagic")), None);
        assert!(refused.fault(&Situation::file("a", "/a.ko", "").cause("machine")).is_some());
    }
}
