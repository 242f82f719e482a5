//! One situation: what is asked, and what is then done for real.

use std::fmt::Write;

/// Who runs the tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Root,
    Nobody,
    /// The root of a user namespace.
    Namespace,
    /// Root in a container whose filter of system calls knows none for modules.
    Filtered,
}

/// What the guest is to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Whether the verdict of the check comes true.
    Verdict,
    /// Whether what is reported of a removal that the kernel refuses is so: it succeeds once that has ended.
    Removal,
    /// What a command reports.
    Report,
}

/// A module, or a file, in some state of the system.
#[derive(Clone, Debug)]
pub(super) struct Situation {
    /// What it is, unique and without blanks.
    pub(super) name: String,
    /// The arguments of `kmod check`.
    target: String,
    /// The command that loads, removes or reports.
    load: String,
    pub(super) aim: Aim,
    who: Who,
    before: String,
    after: String,
    /// What ends all that keeps the module.
    end: String,
    /// The parameters of the kernel that it wants.
    pub(super) boot: &'static str,
    /// Kinds of findings, one of which must be among the reasons where check expects a refusal.
    pub(super) cause: Option<&'static str>,
    /// What the message of a command that fails must contain, with its cause.
    pub(super) shows: Vec<String>,
    /// What it must not contain.
    pub(super) never: Option<&'static str>,
    /// What the check must print.
    pub(super) checks: Option<&'static str>,
    /// Whether something that decides is hidden from the check on purpose: it need not know.
    pub(super) hides: bool,
    /// Whether its own initialisation is made to fail, which a kernel without trace events does not show.
    pub(super) answers_itself: bool,
    /// Whether its signature is wrong, which only the kernel can see: it has the keys. Check takes it for signed.
    pub(super) has_wrong_signature: bool,
    /// Whether the kernel would crash of it: it is not loaded.
    pub(super) only_checked: bool,
}

impl Situation {
    fn new(name: String, target: String, load: String) -> Self {
        Self {
            name,
            target,
            load,
            aim: Aim::Verdict,
            who: Who::Root,
            before: String::new(),
            after: String::new(),
            end: String::new(),
            boot: "",
            cause: None,
            shows: Vec::new(),
            never: None,
            checks: None,
            hides: false,
            answers_itself: false,
            has_wrong_signature: false,
            only_checked: false,
        }
    }

    /// A file, given to insmod.
    pub(super) fn file(name: impl Into<String>, path: &str, parameters: &str) -> Self {
        let arguments = format!("{path} {parameters}");
        Self::new(name.into(), arguments.clone(), format!("/sbin/insmod {arguments}"))
    }

    /// A name, given to modprobe.
    pub(super) fn name(name: impl Into<String>, module: &str, parameters: &str) -> Self {
        let arguments = format!("{module} {parameters}");
        Self::new(name.into(), arguments.clone(), format!("/sbin/modprobe {arguments}"))
    }

    /// The removal of a module, which the kernel refuses.
    pub(super) fn removal(name: impl Into<String>, module: &str) -> Self {
        let situation = Self::new(name.into(), String::new(), format!("/sbin/rmmod {module}"));
        Self { aim: Aim::Removal, ..situation }
    }

    /// A command that reports something.
    pub(super) fn report(name: impl Into<String>, command: &str) -> Self {
        Self { aim: Aim::Report, ..Self::new(name.into(), String::new(), format!("{command} >&2")) }
    }

    /// With this command in the place of the one that loads, or removes.
    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.load = command.into();
        self
    }

    /// What is done first; it may also set variables and open files.
    pub(super) fn before(mut self, script: impl Into<String>) -> Self {
        self.before = script.into();
        self
    }

    /// What is done at the end, before all that was loaded is unloaded.
    pub(super) fn after(mut self, script: impl Into<String>) -> Self {
        self.after = script.into();
        self
    }

    /// After the removal was refused, this ends all that was reported: then it succeeds.
    pub(super) fn end(mut self, script: impl Into<String>) -> Self {
        self.end = script.into();
        self
    }

    /// In a kernel with these parameters.
    pub(super) fn boot(mut self, parameters: &'static str) -> Self {
        self.boot = parameters;
        self
    }

    /// Run by somebody else.
    pub(super) fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// Refused for this.
    pub(super) fn cause(mut self, kind: &'static str) -> Self {
        self.cause = Some(kind);
        self
    }

    /// The command, where it fails, prints this.
    pub(super) fn shows(mut self, text: impl Into<String>) -> Self {
        self.shows.push(text.into());
        self
    }

    /// The check prints this.
    pub(super) fn checks(mut self, text: &'static str) -> Self {
        self.checks = Some(text);
        self
    }

    /// It does not print this.
    pub(super) fn never(mut self, text: &'static str) -> Self {
        self.never = Some(text);
        self
    }

    /// The kernel is not asked, for it would crash: the check must refuse it for this.
    pub(super) fn only_checked(mut self, kind: &'static str) -> Self {
        self.only_checked = true;
        self.load = String::new();
        self.cause(kind)
    }

    /// Its signature does not fit its contents.
    pub(super) fn with_wrong_signature(mut self) -> Self {
        self.has_wrong_signature = true;
        self
    }

    /// Its own initialisation is made to fail.
    pub(super) fn answers_itself(mut self) -> Self {
        self.answers_itself = true;
        self
    }

    /// What decides is hidden.
    pub(super) fn hides(mut self) -> Self {
        self.hides = true;
        self
    }

    /// The assignments that the guest's script reads.
    pub(super) fn script(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let who = match self.who {
            Who::Root => "root",
            Who::Nobody => "nobody",
            Who::Namespace => "namespace",
            Who::Filtered => "filtered",
        };
        let mut script = String::new();
        for (variable, text) in [
            ("TARGET", self.target.as_str()),
            ("LOAD", &self.load),
            ("WHO", who),
            ("BEFORE", &self.before),
            ("AFTER", &self.after),
            ("END", &self.end),
        ] {
            let _ = writeln!(script, "{variable}={}", quoted(text));
        }
        script
    }
}
