//! The kernel's configuration, where it is available: `/proc/config.gz` of the running kernel, and the files that
//! distributions install with one.

use std::path::PathBuf;

use super::table;
use crate::{Release, Result, Root, formats::kernel_config::KernelConfig};

/// The first configuration that is there and can be read.
///
/// # Errors
/// When there is no memory for one.
pub fn find(root: &Root, release: &Release, is_running: bool) -> Result<Option<KernelConfig>> {
    let running = is_running.then(|| root.system("/proc/config.gz"));
    table::first(running.into_iter().chain(places(root, release)), |path| {
        Ok(table::decompressed(path)?.and_then(|text| KernelConfig::parse(&text)))
    })
}

fn places(root: &Root, release: &Release) -> [PathBuf; 3] {
    let modules = root.modules(release);
    let build = root.behind_link(&modules.join("build")).join(".config");
    [root.boot("config", release), modules.join("config"), build]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_has_a_configuration_counts() {
        let base = tempfile::tempdir().unwrap();
        let release = Release::new("7.2");
        let root = Root::default().with_base(base.path()).with_system(base.path());
        let signs = |is_running| find(&root, &release, is_running).unwrap()?.is_on("MODULE_SIG");
        let write = |path: &str, bytes: &[u8]| {
            let path = base.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        assert_eq!(signs(true), None);
        write("lib/modules/7.2/build/.config", b"CONFIG_MODULES=y\nCONFIG_MODULE_SIG=y\n");
        assert_eq!(signs(true), Some(true));
        write("lib/modules/7.2/config", b"CONFIG_MODULES=y\n# CONFIG_MODULE_SIG is not set\n");
        assert_eq!(signs(true), Some(false));
        write("boot/config-7.2", b"the real one is elsewhere\n");
        assert_eq!(signs(true), Some(false));
        let text = b"CONFIG_MODULES=y\nCONFIG_MODULE_SIG=y\n";
        #[cfg(feature = "gzip")]
        write("proc/config.gz", &testkit::Compression::Gzip.compress(text));
        #[cfg(not(feature = "gzip"))]
        write("proc/config.gz", text);
        assert_eq!((signs(true), signs(false)), (Some(true), Some(false)));
    }
}
