//! The kernel's own list of the symbols it exports, where one is installed: the `Module.symvers` of its
//! build, plain or compressed, the kernel's image, or a `System.map`, which has no CRCs.

use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};

use super::{
    exports::{KernelTable, KnownExport, Owner},
    image,
};
use crate::{
    Error, ErrorKind, ModuleName, Release, Result, Root,
    file::{Compression, TREE_FILE_LIMIT, decompress, read_bounded},
    formats::{extension, symvers, system_map},
};

/// The first list that is there and has something in it.
///
/// # Errors
/// When there is no memory for one: the next one may show less, and cannot be taken in its place.
pub fn find(root: &Root, release: &Release, is_running: bool) -> Result<Option<KernelTable>> {
    if let Some(table) = first(places(root, release), read_symvers)? {
        return Ok(Some(table));
    }
    if let Some(table) = first(images(root, release), image::read)? {
        return Ok(Some(table));
    }
    let maps = [root.modules(release).join("System.map"), root.boot("System.map", release)];
    let symbols = is_running.then(|| root.system("/proc/kallsyms"));
    first(maps.into_iter().chain(symbols), read_system_map)
}

/// The first of these files that can be read.
///
/// # Errors
/// When there is no memory for one.
pub fn first<T>(
    paths: impl IntoIterator<Item = PathBuf>,
    read: impl Fn(&Path) -> Result<Option<T>>,
) -> Result<Option<T>> {
    for path in paths {
        if let Some(found) = read(&path)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What was read; `None` where the file is not there, cannot be read, or is no such file.
///
/// # Errors
/// When there was no memory for it: that is not about the file.
pub fn if_readable<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(error),
        Err(_) => Ok(None),
    }
}

/// The bytes of a file, decompressed.
///
/// # Errors
/// As [`if_readable`].
pub fn decompressed(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(bytes) = if_readable(read_bounded(path, TREE_FILE_LIMIT).map_err(Error::io("read", path)))?
    else {
        return Ok(None);
    };
    if_readable(decompress(Compression::of(&bytes), bytes).map_err(|fault| fault.at(path)))
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
///
/// # Errors
/// When there is no memory for it.
pub fn read_symvers(path: &Path) -> Result<Option<KernelTable>> {
    let Some(bytes) = decompressed(path)? else { return Ok(None) };
    let mut table = KernelTable { source: path.to_owned(), has_crcs: true, ..KernelTable::default() };
    let lines = bytes.lines().filter_map(symvers::Line::parse);
    table.offers.extend(lines.filter_map(|line| Some((line.name.into(), offer(&line)?))));
    let has_kernels = table.offers.values().any(|offer| offer.owner == Owner::Kernel);
    Ok(has_kernels.then_some(table))
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
        by_proprietary: false,
    })
}

/// A `System.map`. Some distributions install a file that only names the real one's location. `/proc/kallsyms` has the
/// same lines, and after the symbols of modules their names in brackets.
///
/// # Errors
/// When there is no memory for it.
pub fn read_system_map(path: &Path) -> Result<Option<KernelTable>> {
    let bytes = read_bounded(path, TREE_FILE_LIMIT).map_err(Error::io("read", path));
    let Some(bytes) = if_readable(bytes)? else { return Ok(None) };
    let names = bytes
        .lines()
        .filter_map(|line| system_map::exported(system_map::name(line)?))
        .filter(|name| !name.contains(&b'['));
    let offer = |name: &[u8]| {
        let (owner, namespace) = (Owner::Kernel, None);
        (name.into(), KnownExport { owner, crc: None, gpl_only: false, namespace, by_proprietary: false })
    };
    let table = KernelTable { source: path.to_owned(), offers: names.map(offer).collect(), has_crcs: false };
    Ok((!table.offers.is_empty()).then_some(table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Malformed;

    #[test]
    fn a_line_of_symvers_is_an_offer_if_it_is_whole() {
        let offer = |line| offer(&symvers::Line::parse(line)?);
        let owner = Owner::Module(ModuleName::new("usb_storage"));
        assert_eq!(
            offer(b"0x0000001f\tusb_x\tdrivers/usb/usb-storage\tEXPORT_SYMBOL_GPL\tUSB"),
            Some(KnownExport {
                owner,
                crc: Some(0x1f),
                gpl_only: true,
                namespace: Some("USB".into()),
                by_proprietary: false
            })
        );
        assert_eq!(
            offer(b"0x00000000\tkfree\tvmlinux\tEXPORT_SYMBOL\t"),
            Some(KnownExport {
                owner: Owner::Kernel,
                crc: None,
                gpl_only: false,
                namespace: None,
                by_proprietary: false
            })
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
        assert!(find(&root, &release, false).unwrap().is_none());
        std::fs::write(base.path().join("boot/System.map-6.1"), "ff r __ksymtab_kfree\nff T kfree\n")
            .unwrap();
        let symbols = "0 r __ksymtab_kmalloc\n0 r __ksymtab_of_module\t[fat]\n0 T kmalloc\n";
        std::fs::create_dir_all(base.path().join("proc")).unwrap();
        std::fs::write(base.path().join("proc/kallsyms"), symbols).unwrap();
        let table = find(&root, &release, false).unwrap().unwrap();
        assert!(!table.has_crcs && table.offers.contains_key(b"kfree".as_bstr()) && table.offers.len() == 1);
        std::fs::remove_file(base.path().join("boot/System.map-6.1")).unwrap();
        assert!(find(&root, &release, false).unwrap().is_none());
        let table = find(&root, &release, true).unwrap().unwrap();
        assert!(table.offers.contains_key(b"kmalloc".as_bstr()) && table.offers.len() == 1);
        let text = b"0x5\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n";
        let packed = testkit::Compression::Xz.compress(text);
        std::fs::write(base.path().join("boot/symvers-6.1.xz"), packed).unwrap();
        assert_eq!(find(&root, &release, false).unwrap().unwrap().offers[b"kfree".as_bstr()].crc, Some(5));
        // An absolute link in a base leads into that base.
        std::fs::create_dir_all(base.path().join("lib/modules/6.1")).unwrap();
        std::fs::create_dir_all(base.path().join("usr/src/headers")).unwrap();
        std::os::unix::fs::symlink("/usr/src/headers", base.path().join("lib/modules/6.1/build")).unwrap();
        std::fs::write(
            base.path().join("usr/src/headers/Module.symvers"),
            "0x6\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n",
        )
        .unwrap();
        assert_eq!(find(&root, &release, false).unwrap().unwrap().offers[b"kfree".as_bstr()].crc, Some(6));
    }

    #[test]
    fn without_memory_for_a_list_no_other_is_taken() {
        let fault = Malformed::out_of_memory().at("vmlinuz".as_ref());
        assert_eq!(if_readable::<()>(Err(fault)).unwrap_err().kind(), ErrorKind::OutOfMemory);
        let other = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert!(if_readable::<()>(Err(Error::io("read", Path::new("vmlinuz"))(other))).unwrap().is_none());
        let read = |path: &Path| match path.as_os_str().as_encoded_bytes() {
            b"huge" => Err(Malformed::out_of_memory().at(path)),
            b"good" => Ok(Some(1)),
            _ => Ok(None),
        };
        assert_eq!(first(["none".into(), "good".into(), "huge".into()], read).unwrap(), Some(1));
        assert!(first(["none".into(), "huge".into(), "good".into()], read).is_err());
    }
}
