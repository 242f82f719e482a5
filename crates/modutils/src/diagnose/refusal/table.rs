//! The kernel's own list of the symbols it exports, where one is installed: the `Module.symvers` of its
//! build, plain or compressed, the kernel's image, or a `System.map`, which has no CRCs.

use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};

use super::{
    exports::{KernelTable, KnownExport, Owner},
    image,
};
use crate::{
    ModuleName, Release, Root,
    file::{Compression, TREE_FILE_LIMIT, decompress, read_bounded},
    formats::{extension, symvers, system_map},
};

/// The first list that is there and has something in it.
pub fn find(root: &Root, release: &Release, is_running: bool) -> Option<KernelTable> {
    let symvers = places(root, release).into_iter().find_map(|path| read_symvers(&path));
    let image = || images(root, release).iter().find_map(|path| image::read(path));
    symvers.or_else(image).or_else(|| {
        let maps = [root.modules(release).join("System.map"), root.boot("System.map", release)];
        let symbols = is_running.then(|| root.system("/proc/kallsyms"));
        maps.into_iter().chain(symbols).find_map(|path| read_system_map(&path))
    })
}

/// Where the kernel's image may be: Debian has it with the modules since Linux 7.2.
pub fn images(root: &Root, release: &Release) -> [PathBuf; 2] {
    [root.boot("vmlinuz", release), root.modules(release).join("vmlinuz")]
}

/// Where distributions put it.
fn places(root: &Root, release: &Release) -> Vec<PathBuf> {
    let modules = root.modules(release);
    let mut places = vec![root.behind_link(&modules.join("build")).join("Module.symvers")];
    for compression in extension::COMPRESSIONS {
        places.push(modules.join(format!("symvers{compression}")));
        places.push(modules.join(format!("Module.symvers{compression}")));
        let mut boot = root.boot("symvers", release).into_os_string();
        boot.push(compression);
        places.push(boot.into());
    }
    places
}

/// A `Module.symvers`; `None` where it cannot be read or lists nothing of the kernel's own.
pub fn read_symvers(path: &Path) -> Option<KernelTable> {
    let bytes = read_bounded(path, TREE_FILE_LIMIT).ok()?;
    let bytes = decompress(Compression::of(&bytes), bytes).ok()?;
    let mut table = KernelTable { source: path.to_owned(), has_crcs: true, ..KernelTable::default() };
    let lines = bytes.lines().filter_map(symvers::Line::parse);
    table.offers.extend(lines.filter_map(|line| Some((line.name.into(), offer(&line)?))));
    let has_kernels = table.offers.values().any(|offer| offer.owner == Owner::Kernel);
    has_kernels.then_some(table)
}

/// What a line offers; `None` where it is damaged or has no exporter.
fn offer(line: &symvers::Line) -> Option<KnownExport> {
    let crc = u32::try_from(line.crc()?).ok()?;
    line.export?;
    let name = || line.owner.rsplit_once_str("/").map_or(line.owner, |(_, name)| name);
    Some(KnownExport {
        owner: if line.is_kernels() { Owner::Kernel } else { Owner::Module(ModuleName::new(name())) },
        // Without CONFIG_MODVERSIONS.
        crc: Some(crc).filter(|crc| *crc != 0),
        gpl_only: line.is_gpl_only(),
        namespace: line.namespace.map(BString::from),
    })
}

/// A `System.map`. Some distributions install a file that only names the real one's location. `/proc/kallsyms` has the
/// same lines, and after the symbols of modules their names in brackets.
pub fn read_system_map(path: &Path) -> Option<KernelTable> {
    let bytes = read_bounded(path, TREE_FILE_LIMIT).ok()?;
    let names = bytes
        .lines()
        .filter_map(|line| system_map::exported(system_map::name(line)?))
        .filter(|name| !name.contains(&b'['));
    let offer = |name: &[u8]| {
        (name.into(), KnownExport { owner: Owner::Kernel, crc: None, gpl_only: false, namespace: None })
    };
    let table = KernelTable { source: path.to_owned(), offers: names.map(offer).collect(), has_crcs: false };
    (!table.offers.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_symvers_is_an_offer_if_it_is_whole() {
        let offer = |line| offer(&symvers::Line::parse(line)?);
        let owner = Owner::Module(ModuleName::new("usb_storage"));
        assert_eq!(
            offer(b"0x0000001f\tusb_x\tdrivers/usb/usb-storage\tEXPORT_SYMBOL_GPL\tUSB"),
            Some(KnownExport { owner, crc: Some(0x1f), gpl_only: true, namespace: Some("USB".into()) })
        );
        assert_eq!(
            offer(b"0x00000000\tkfree\tvmlinux\tEXPORT_SYMBOL\t"),
            Some(KnownExport { owner: Owner::Kernel, crc: None, gpl_only: false, namespace: None })
        );
        for damaged in [&b"junk"[..], b"zz\ta\tvmlinux\tEXPORT_SYMBOL", b"0x123456789\ta\tvmlinux\tE"] {
            assert_eq!(offer(damaged), None);
        }
        assert_eq!(offer(b"0x5\ta\tvmlinux"), None);
    }

    #[test]
    #[cfg(feature = "xz")]
    fn lists_are_found_where_distributions_put_them_also_compressed() {
        let base = tempfile::tempdir().unwrap();
        let release = Release::new("6.1");
        let root = Root::default().with_base(base.path()).with_system(base.path());
        std::fs::create_dir_all(base.path().join("boot")).unwrap();
        std::fs::write(base.path().join("boot/System.map-6.1"), "ffffffff B the-real-one-is-elsewhere\n")
            .unwrap();
        assert!(find(&root, &release, false).is_none());
        std::fs::write(base.path().join("boot/System.map-6.1"), "ff r __ksymtab_kfree\nff T kfree\n")
            .unwrap();
        let symbols = "0 r __ksymtab_kmalloc\n0 r __ksymtab_of_module\t[fat]\n0 T kmalloc\n";
        std::fs::create_dir_all(base.path().join("proc")).unwrap();
        std::fs::write(base.path().join("proc/kallsyms"), symbols).unwrap();
        let table = find(&root, &release, false).unwrap();
        assert!(!table.has_crcs && table.offers.contains_key(b"kfree".as_bstr()) && table.offers.len() == 1);
        std::fs::remove_file(base.path().join("boot/System.map-6.1")).unwrap();
        assert!(find(&root, &release, false).is_none());
        let table = find(&root, &release, true).unwrap();
        assert!(table.offers.contains_key(b"kmalloc".as_bstr()) && table.offers.len() == 1);
        let text = b"0x5\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n";
        let packed = testkit::Compression::Xz.compress(text);
        std::fs::write(base.path().join("boot/symvers-6.1.xz"), packed).unwrap();
        assert_eq!(find(&root, &release, false).unwrap().offers[b"kfree".as_bstr()].crc, Some(5));
        // An absolute link in a base leads into that base.
        std::fs::create_dir_all(base.path().join("lib/modules/6.1")).unwrap();
        std::fs::create_dir_all(base.path().join("usr/src/headers")).unwrap();
        std::os::unix::fs::symlink("/usr/src/headers", base.path().join("lib/modules/6.1/build")).unwrap();
        std::fs::write(
            base.path().join("usr/src/headers/Module.symvers"),
            "0x6\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n",
        )
        .unwrap();
        assert_eq!(find(&root, &release, false).unwrap().offers[b"kfree".as_bstr()].crc, Some(6));
    }
}
