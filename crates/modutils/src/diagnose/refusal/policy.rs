//! What a kernel insists on: by its state where it is the running one, by its command line and by the configuration it
//! was built with. Each answer can be that it is not known, which is never taken for no.

use super::{
    cause::Enforcement,
    view::{KernelView, Running},
};

/// Whether a kernel insists on signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignaturePolicy {
    /// It does not, or not yet: an option at boot can make it.
    No,
    /// It does, for this reason.
    By(Enforcement),
    /// That cannot be read.
    Unknown,
}

impl KernelView {
    fn option(&self, name: &str) -> Option<bool> {
        self.config.as_ref()?.is_on(name)
    }

    /// Whether it looks at signatures at all, CONFIG_MODULE_SIG: a signature that is wrong is then refused, whether
    /// it insists on one or not.
    pub fn checks_signatures(&self) -> Option<bool> {
        let running = self.running.as_ref();
        match running.and_then(|running| running.enforces_signatures) {
            Some(_) => Some(true),
            None if running.is_some_and(|running| running.has_sys) => Some(false),
            None => self.option("MODULE_SIG").or(self.signs.then_some(true)),
        }
    }

    /// Whether it takes modules without a signature that it can verify.
    pub fn signature_policy(&self) -> SignaturePolicy {
        let running = self.running.as_ref();
        let enforces = running.and_then(|running| running.enforces_signatures);
        let by_boot = running.and_then(|running| running.sig_enforce_at_boot);
        if enforces == Some(true) || by_boot == Some(true) || self.option("MODULE_SIG_FORCE") == Some(true) {
            return SignaturePolicy::By(Enforcement::SigEnforce);
        }
        let forced = [
            ("LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY", "confidentiality"),
            ("LOCK_DOWN_KERNEL_FORCE_INTEGRITY", "integrity"),
        ];
        let forced = || forced.iter().find(|(option, _)| self.option(option) == Some(true));
        let level = match running.map(|running| &running.lockdown) {
            Some(Some(level)) => Some(level.clone()),
            _ => forced().map(|(_, level)| (*level).into()),
        };
        match (level, running) {
            (Some(level), _) if level != "none" => SignaturePolicy::By(Enforcement::Lockdown(level)),
            // What can only be set at boot is not set for a kernel that was not booted.
            (_, None) => SignaturePolicy::No,
            (None, Some(running)) if running.may_be_locked_down => SignaturePolicy::Unknown,
            (_, Some(running)) => match running.enforces_signatures {
                Some(_) => SignaturePolicy::No,
                // Where /proc is not the kernel's either, as in a root that is being made, nothing can be hidden.
                // Nothing but the command line makes a kernel insist that was not built to.
                None if running.has_sys
                    || self.option("MODULE_SIG") == Some(false)
                    || (self.option("MODULE_SIG_FORCE") == Some(false) && by_boot == Some(false)) =>
                {
                    SignaturePolicy::No
                }
                None => SignaturePolicy::Unknown,
            },
        }
    }

    /// Whether it takes a module without vermagic or versions, as if forced, and is tainted:
    /// CONFIG_MODULE_FORCE_LOAD.
    pub fn forces(&self) -> Option<bool> {
        self.option("MODULE_FORCE_LOAD")
    }

    /// Whether it compares the CRCs of symbols: CONFIG_MODVERSIONS, which its vermagic reveals.
    pub fn compares_versions(&self) -> Option<bool> {
        let by_vermagic = || {
            let vermagic = self.vermagic.as_ref()?;
            Some(bstr::ByteSlice::fields(vermagic.value.as_slice()).any(|word| word == b"modversions"))
        };
        self.option("MODVERSIONS").or_else(by_vermagic)
    }

    /// Whether it lets modules use symbols of namespaces that they do not import, with a warning:
    /// CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS.
    pub fn allows_missing_imports(&self) -> bool {
        self.option("MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS") == Some(true)
    }

    /// Whether it undoes the compression of module files itself.
    pub fn decompresses(&self) -> Option<bool> {
        let running = self.running.as_ref();
        match running {
            Some(running) if running.decompresses => Some(true),
            Some(running) if running.has_sys => Some(false),
            _ => self.option("MODULE_DECOMPRESS"),
        }
    }

    /// Whether it refuses a module whose BTF does not fit its own; without BTF it does not look.
    pub fn validates_btf(&self) -> Option<bool> {
        let has_none = |running: &Running| running.shows_kernel && !running.has_btf;
        if self.running.as_ref().is_some_and(has_none) {
            return Some(false);
        }
        match self.option("DEBUG_INFO_BTF_MODULES")? {
            false => Some(false),
            true => self.option("MODULE_ALLOW_BTF_MISMATCH").map(|allows| !allows),
        }
    }
}
