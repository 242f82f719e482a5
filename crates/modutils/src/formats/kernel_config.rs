//! The configuration that a kernel was built with, `.config`: lines of `CONFIG_NAME=VALUE` and
//! `# CONFIG_NAME is not set`.
//!
//! An option that depends on another is in neither form where that one is off. So an option that the text does not name
//! is off only where the text shows that for an option it depends on: otherwise it is unknown to this kernel, or the text
//! is not whole.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

/// The options that are on or off, by name without `CONFIG_`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelConfig {
    options: HashMap<BString, bool>,
}

/// What some options depend on, in the kernel's Kconfig files.
const PARENTS: [(&str, &str); 14] = [
    ("MODULE_SIG_FORCE", "MODULE_SIG"),
    ("MODULE_FORCE_UNLOAD", "MODULE_UNLOAD"),
    ("DEBUG_INFO_BTF_MODULES", "DEBUG_INFO_BTF"),
    ("MODULE_ALLOW_BTF_MISMATCH", "DEBUG_INFO_BTF_MODULES"),
    ("SECURITY_LOCKDOWN_LSM", "SECURITY"),
    ("LOCK_DOWN_KERNEL_FORCE_INTEGRITY", "SECURITY_LOCKDOWN_LSM"),
    ("LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY", "SECURITY_LOCKDOWN_LSM"),
    ("INTEGRITY", "SECURITY"),
    ("IMA", "INTEGRITY"),
    // It selects that one.
    ("IMA", "SECURITYFS"),
    ("IMA_APPRAISE", "IMA"),
    ("IMA_READ_POLICY", "IMA"),
    ("IMA_WRITE_POLICY", "IMA"),
    ("IMA_APPRAISE_BOOTPARAM", "IMA_APPRAISE"),
];

impl KernelConfig {
    /// Reads the text; `None` where it has nothing about modules, and so is no kernel's configuration.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let options: HashMap<BString, bool> = text.lines().filter_map(option).collect();
        options.contains_key(b"MODULES".as_bstr()).then_some(Self { options })
    }

    /// Whether an option is on, built in or as a module; `None` where that is not known.
    pub fn is_on(&self, name: &str) -> Option<bool> {
        if let Some(is_on) = self.options.get(name.as_bytes().as_bstr()) {
            return Some(*is_on);
        }
        let mut parents = PARENTS.iter().filter(|(option, _)| *option == name);
        parents.any(|(_, parent)| self.is_on(parent) == Some(false)).then_some(false)
    }
}

/// A line's option; of others nothing. Texts and numbers count as on: only whether they are there is asked.
fn option(line: &[u8]) -> Option<(BString, bool)> {
    if let Some(rest) = line.strip_prefix(b"# CONFIG_") {
        return Some((rest.strip_suffix(b" is not set")?.into(), false));
    }
    let (name, value) = line.strip_prefix(b"CONFIG_")?.split_once_str("=")?;
    Some((name.into(), value != b"n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn options_are_on_off_or_unknown() {
        let text = b"#\n# Automatically generated file\nCONFIG_MODULES=y\n# CONFIG_MODULE_SIG is not set\n\
            CONFIG_BTRFS_FS=m\nCONFIG_MODULE_SIG_HASH=\"sha256\"\nCONFIG_EXPLICIT=n\n";
        let config = KernelConfig::parse(text).unwrap();
        for (name, expected) in [
            ("MODULES", Some(true)),
            ("BTRFS_FS", Some(true)),
            ("MODULE_SIG", Some(false)),
            // It depends on one that is off.
            ("MODULE_SIG_FORCE", Some(false)),
            ("EXPLICIT", Some(false)),
            ("MODULE_FORCE_LOAD", None),
            ("LOCK_DOWN_KERNEL_FORCE_INTEGRITY", None),
        ] {
            assert_eq!(config.is_on(name), expected, "{name}");
        }
        let on = KernelConfig::parse(b"CONFIG_MODULES=y\nCONFIG_MODULE_SIG=y\n").unwrap();
        assert_eq!(on.is_on("MODULE_SIG_FORCE"), None);
        let off = KernelConfig::parse(b"CONFIG_MODULES=y\n# CONFIG_SECURITY is not set\n").unwrap();
        assert_eq!(off.is_on("LOCK_DOWN_KERNEL_FORCE_INTEGRITY"), Some(false));
    }

    #[test]
    fn what_does_not_name_modules_is_no_configuration() {
        for text in [&b""[..], b"CONFIG_MODULES\n", b"MODULES=y\n", b"\xff\0"] {
            assert_eq!(KernelConfig::parse(text), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(text: Vec<u8>) {
            let _ = KernelConfig::parse(&[b"CONFIG_MODULES=y\n", &text[..]].concat());
        }
    }
}
