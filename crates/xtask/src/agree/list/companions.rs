//! The companion modules, written in Rust: as they are installed, in all their variants, with their parameters, damaged.

use std::path::Path;

use anyhow::{Context, Result};

use super::{List, path};
use crate::agree::situation::Situation;
use crate::trees;

/// Parameters of hello: what the kernel or the module takes, and what one of them refuses. `io` is read by the module
/// itself, which takes 0 to 5.
const VALUES: [&str; 16] = [
    "",
    "msg=moon",
    "msg=\"two words\"",
    "msg=",
    "msg",
    "ret=0",
    "ret=-19",
    "ret=x",
    "ret=",
    "ret=2147483648",
    "io=5",
    "io=6",
    "io=-1",
    "io=many",
    "mgs=moon",
    "msg=moon io=0x3 ret=0",
];

impl List {
    /// Adds them; `directory` has the variants, as `crates/xtask/src/kernel/companions.rs` describes them.
    pub(super) fn companions(&mut self, directory: &Path) -> Result<()> {
        let read = |file: &str| std::fs::read(directory.join(file)).with_context(|| file.to_owned());
        for file in trees::files_below(directory, "")? {
            let part = file.strip_prefix(directory)?.to_string_lossy().into_owned();
            let Some((stem, suffix)) = part.split_once(".ko") else { continue };
            let bytes = read(&part)?;
            // One of them stays loaded for good: last of its boot.
            let order = if stem.ends_with("permanent") { "zz-" } else { "" };
            let name = format!("{order}companion-{}", stem.replace('/', "-"));
            // The name alone says how it is compressed.
            let name = format!("{name}{}", suffix.replace('.', "-"));
            let file = format!("{name}.ko{suffix}");
            self.files.insert(file.clone(), bytes);
            let situation = |name: String| {
                let situation = Situation::file(name, &path(&file), "");
                if stem.starts_with("corrupted/") { situation.with_wrong_signature() } else { situation }
            };
            let given = match stem.rsplit('/').next() {
                // They need a module that is loaded first.
                Some("test_square" | "test_verbose") => {
                    let needed = stem.rsplit('_').next().unwrap_or_default();
                    self.files.insert(format!("{needed}.ko"), read(&format!("{needed}.ko"))?);
                    self.add(situation(format!("{name}-alone")));
                    // The kernel does not show where it has that from, nor the versions of its symbols.
                    let loaded = format!("/sbin/insmod {} ", path(&format!("{needed}.ko")));
                    situation(name).before(loaded).hides()
                }
                _ => situation(name),
            };
            self.add(given);
        }
        let hello = read("hello.ko")?;
        for (number, values) in (1..).zip(VALUES) {
            let situation = self.file(&format!("companion-value-{number}"), hello.clone(), values);
            // What its own function makes of a value is known to it alone.
            self.add(if values.contains("io=") { situation.hides() } else { situation });
        }
        let present = self.file("companion-present", hello.clone(), "");
        self.add(present.before(format!("/sbin/insmod {} ", path("companion-present.ko"))).cause("present"));
        let nobody = self.file("companion-nobody", hello.clone(), "");
        self.add(nobody.by(crate::agree::situation::Who::Nobody).cause("not_permitted"));
        self.damaged("rust", &hello);
        Ok(())
    }
}
