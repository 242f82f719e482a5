//! One situation: what is asked, and what is then done for real.

use std::fmt::Write;

/// Who runs the tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Root,
    Nobody,
    /// The root of a user namespace.
    Namespace,
}

/// A module, or a file, in some state of the system.
#[derive(Clone, Debug)]
pub(super) struct Situation {
    /// What it is, unique and without blanks.
    pub(super) name: String,
    /// The arguments of `kmod check`.
    target: String,
    /// The command that loads.
    load: String,
    who: Who,
    before: String,
    after: String,
    /// The parameters of the kernel that it wants.
    pub(super) boot: &'static str,
    /// Kinds of findings, one of which must be among the reasons where check expects a refusal.
    pub(super) cause: Option<&'static str>,
    /// What the message of the load must contain, with its cause.
    pub(super) shows: Option<&'static str>,
    /// What it must not contain.
    pub(super) never: Option<&'static str>,
    /// Whether something that decides is hidden from the check on purpose: it need not know.
    pub(super) hides: bool,
    /// Whether its signature is wrong, which only the kernel can see: it has the keys. Check takes it for signed.
    pub(super) has_wrong_signature: bool,
    /// Whether the kernel would crash of it: it is not loaded.
    pub(super) only_checked: bool,
}

impl Situation {
    fn new(name: String, target: String, load: String) -> Self {
        let (before, after) = (String::new(), String::new());
        let (boot, cause, who) = ("", None, Who::Root);
        let (shows, never) = (None, None);
        let (hides, has_wrong_signature, only_checked) = (false, false, false);
        Self {
            name,
            target,
            load,
            who,
            before,
            after,
            boot,
            cause,
            shows,
            never,
            hides,
            has_wrong_signature,
            only_checked,
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

    /// Loading it without success prints this.
    pub(super) fn shows(mut self, text: &'static str) -> Self {
        self.shows = Some(text);
        self
    }

    /// Loading it without success does not print this.
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
        };
        let mut script = String::new();
        for (variable, text) in [
            ("TARGET", self.target.as_str()),
            ("LOAD", &self.load),
            ("WHO", who),
            ("BEFORE", &self.before),
            ("AFTER", &self.after),
        ] {
            let _ = writeln!(script, "{variable}={}", quoted(text));
        }
        script
    }
}
