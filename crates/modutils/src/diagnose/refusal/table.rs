//! The kernel's own list of the symbols it exports, where one is installed: the `Module.symvers` of its
//! build (`scripts/mod/modpost.c`, Documentation/kbuild/modules.rst), plain or compressed, the kernel's
//! image, or a `System.map`, which has no CRCs.

use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};

use super::{
    image,
    view::{KernelTable, Offer, Owner},
};
use crate::{
    ModuleName, Release, Root,
    file::{Compression, TREE_FILE_LIMIT, decompress, read_bounded},
};

/// The first list that is there and has something in it.
pub fn find(root: &Root, release: &Release) -> Option<KernelTable> {
    let symvers = places(root, release).into_iter().find_map(|path| symvers(&path));
    let image = || image::read(&root.boot("vmlinuz", release));
    symvers.or_else(image).or_else(|| {
        let maps = [root.modules(release).join("System.map"), root.boot("System.map", release)];
        maps.iter().find_map(|path| system_map(path))
    })
}

/// Where distributions put it.
fn places(root: &Root, release: &Release) -> Vec<PathBuf> {
    let modules = root.modules(release);
    let mut places = vec![root.behind_link(&modules.join("build")).join("Module.symvers")];
    for suffix in ["", ".zst", ".xz", ".gz"] {
        places.push(modules.join(format!("symvers{suffix}")));
        places.push(modules.join(format!("Module.symvers{suffix}")));
        let mut boot = root.boot("symvers", release).into_os_string();
        boot.push(suffix);
        places.push(boot.into());
    }
    places
}

fn symvers(path: &Path) -> Option<KernelTable> {
    let bytes = read_bounded(path, TREE_FILE_LIMIT).ok()?;
    let bytes = decompress(Compression::of(&bytes), bytes).ok()?;
    let mut table = KernelTable { source: path.to_owned(), has_crcs: true, ..KernelTable::default() };
    for line in bytes.lines() {
        if let Some((name, offer)) = symvers_line(line) {
            table.offers.insert(name, offer);
        }
    }
    let has_kernels = table.offers.values().any(|offer| offer.owner == Owner::Kernel);
    has_kernels.then_some(table)
}

/// `CRC<TAB>NAME<TAB>vmlinux or module's path<TAB>EXPORT_SYMBOL…<TAB>NAMESPACE`. Without
/// CONFIG_MODVERSIONS all CRCs are zero.
fn symvers_line(line: &[u8]) -> Option<(BString, Offer)> {
    let mut fields = line.split(|&byte| byte == b'\t');
    let (crc, name, owner, kind) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let crc = u32::from_str_radix(crc.strip_prefix(b"0x")?.to_str().ok()?, 16).ok()?;
    let owner = match owner {
        b"vmlinux" => Owner::Kernel,
        path => Owner::Module(ModuleName::new(path.rsplit_once_str("/").map_or(path, |(_, name)| name))),
    };
    let namespace = fields.next().map(<[u8]>::trim_ascii).filter(|namespace| !namespace.is_empty());
    let offer = Offer {
        owner,
        crc: Some(crc).filter(|crc| *crc != 0),
        gpl_only: kind.contains_str("GPL"),
        namespace: namespace.map(BString::from),
    };
    Some((name.into(), offer))
}

/// A `__ksymtab_NAME` says that NAME is exported. Some distributions install a file that only says where
/// the real one is.
fn system_map(path: &Path) -> Option<KernelTable> {
    let bytes = read_bounded(path, TREE_FILE_LIMIT).ok()?;
    let names = bytes.lines().filter_map(|line| line.fields().nth(2)?.strip_prefix(b"__ksymtab_"));
    let offer = |name: &[u8]| {
        // The sections that told GPL symbols from others are merged in it.
        (name.into(), Offer { owner: Owner::Kernel, crc: None, gpl_only: false, namespace: None })
    };
    let table = KernelTable { source: path.to_owned(), offers: names.map(offer).collect(), has_crcs: false };
    (!table.offers.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_symvers_tells_owner_licence_and_namespace() {
        let (name, offer) =
            symvers_line(b"0x0000001f\tusb_x\tdrivers/usb/usb-storage\tEXPORT_SYMBOL_GPL\tUSB\n").unwrap();
        assert_eq!(name, "usb_x");
        let owner = Owner::Module(ModuleName::new("usb_storage"));
        assert_eq!(offer, Offer { owner, crc: Some(0x1f), gpl_only: true, namespace: Some("USB".into()) });
        let (_, offer) = symvers_line(b"0x00000000\tkfree\tvmlinux\tEXPORT_SYMBOL\t").unwrap();
        assert_eq!(offer, Offer { owner: Owner::Kernel, crc: None, gpl_only: false, namespace: None });
        assert_eq!(symvers_line(b"junk"), None);
        assert_eq!(symvers_line(b"zz\ta\tvmlinux\tEXPORT_SYMBOL"), None);
    }

    #[test]
    fn lists_are_found_where_distributions_put_them_also_compressed() {
        let base = tempfile::tempdir().unwrap();
        let release = Release::new("6.1");
        let root = Root::default().with_base(base.path());
        std::fs::create_dir_all(base.path().join("boot")).unwrap();
        std::fs::write(base.path().join("boot/System.map-6.1"), "ffffffff B the-real-one-is-elsewhere\n")
            .unwrap();
        assert!(find(&root, &release).is_none());
        std::fs::write(base.path().join("boot/System.map-6.1"), "ff r __ksymtab_kfree\nff T kfree\n")
            .unwrap();
        let table = find(&root, &release).unwrap();
        assert!(!table.has_crcs && table.offers.contains_key(b"kfree".as_bstr()) && table.offers.len() == 1);
        let text = b"0x5\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n";
        let packed = testkit::Compression::Xz.compress(text);
        std::fs::write(base.path().join("boot/symvers-6.1.xz"), packed).unwrap();
        assert_eq!(find(&root, &release).unwrap().offers[b"kfree".as_bstr()].crc, Some(5));
        // An absolute link in a base leads into that base.
        std::fs::create_dir_all(base.path().join("lib/modules/6.1")).unwrap();
        std::fs::create_dir_all(base.path().join("usr/src/headers")).unwrap();
        std::os::unix::fs::symlink("/usr/src/headers", base.path().join("lib/modules/6.1/build")).unwrap();
        std::fs::write(
            base.path().join("usr/src/headers/Module.symvers"),
            "0x6\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n",
        )
        .unwrap();
        assert_eq!(find(&root, &release).unwrap().offers[b"kfree".as_bstr()].crc, Some(6));
    }
}
