//! `cargo xtask install`: installs the binary, a link for each tool, pages, completions, configuration directories, the
//! data for pkg-config, and the C library with its header: below /usr/local, or, with other directories, at the paths
//! where a distribution has kmod's.
//!
//! In the running system it overwrites only what an earlier installation wrote: what a package has installed belongs to
//! the package manager.

mod record;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::{binary, libkmod, man, reference, workspace};

/// The options of `cargo xtask install`.
#[derive(Args)]
pub(crate) struct Options {
    /// Install below this directory, as packages are made
    #[arg(long, default_value = "/")]
    destdir: PathBuf,
    #[command(flatten)]
    places: Places,
    /// Overwrite files that are not from an earlier installation, as kmod's of a package
    #[arg(long)]
    overwrite: bool,
    /// Remove what an earlier installation with the same directories wrote
    #[arg(long)]
    uninstall: bool,
    /// Install the static binary, or the one that uses the C library
    #[arg(long, value_enum, default_value_t = Linkage::Static)]
    kind: Linkage,
    /// Install this binary instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Install this libkmod.so.2 instead of building one
    #[arg(long)]
    libkmod: Option<PathBuf>,
    /// Install the tools only
    #[arg(long, conflicts_with = "libkmod")]
    without_libkmod: bool,
}

/// The installation directories, as the installed system sees them.
#[derive(Args, Clone)]
pub(crate) struct Places {
    /// The directory of bin, share and lib
    #[arg(long, default_value = "/usr/local")]
    pub(crate) prefix: PathBuf,
    /// The directory of the tools (default: PREFIX/sbin)
    #[arg(long)]
    pub(crate) sbindir: Option<PathBuf>,
    /// The directory of the machine's configuration
    #[arg(long, default_value = "/etc")]
    pub(crate) sysconfdir: PathBuf,
    /// The directory of libraries (default: PREFIX/lib)
    #[arg(long)]
    pub(crate) libdir: Option<PathBuf>,
}

impl Places {
    fn documents(&self) -> PathBuf {
        self.prefix.join("share/doc/modutils")
    }
}

impl Default for Places {
    fn default() -> Self {
        Self { prefix: "/usr".into(), sbindir: None, sysconfdir: "/etc".into(), libdir: None }
    }
}

/// How the binary is linked.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Linkage {
    /// Needs no library
    Static,
    /// Uses the C library
    Dynamic,
}

/// Builds and installs.
///
/// # Errors
/// When the build fails or a file cannot be written.
pub(crate) fn run(options: &Options) -> Result<()> {
    let documents = options.places.documents();
    let recorded = place(&options.destdir, &documents.join(record::NAME));
    if options.uninstall {
        return uninstall(&options.destdir, &recorded, &documents);
    }
    let binary = match (&options.binary, options.kind) {
        (Some(binary), _) => binary.clone(),
        (None, Linkage::Static) => binary::build_static()?,
        (None, Linkage::Dynamic) => binary::build_dynamic()?,
    };
    let library = match &options.libkmod {
        _ if options.without_libkmod => None,
        Some(library) => Some(library.clone()),
        None => Some(libkmod::build()?),
    };
    // First into a directory of ours, which shows what would be written.
    let trial = tempfile::tempdir()?;
    install(trial.path(), &options.places, &binary)?;
    if let Some(library) = &library {
        install_library(trial.path(), &options.places, library)?;
    }
    let paths = files_below(trial.path(), Path::new("/"))?;
    let mut record = record::read(&recorded)?;
    let foreign = record::foreign(&options.destdir, &paths, &record)?;
    if !foreign.is_empty() && !options.overwrite {
        let list: Vec<String> = foreign.iter().map(|path| path.display().to_string()).collect();
        bail!(
            "these are not from an earlier installation, so they stay as they are: {}\nInstall below another --prefix, \
             as a package (cargo xtask deb), or with --overwrite",
            list.join(" ")
        );
    }
    let mut written = install(&options.destdir, &options.places, &binary)?;
    if let Some(library) = library {
        written += install_library(&options.destdir, &options.places, &library)?;
    }
    // A package has no use for it.
    if options.destdir == Path::new("/") {
        for path in paths {
            if let Some(content) = record::content(&path)? {
                record.insert(path, content);
            }
        }
        record::write(&recorded, &record)?;
    }
    println!("{written} files, links and directories below {}", options.destdir.display());
    Ok(())
}

/// Removes what the record accounts for, and the record.
fn uninstall(destdir: &Path, recorded: &Path, documents: &Path) -> Result<()> {
    if !recorded.exists() {
        bail!("there is no {}: nothing was installed with these directories", recorded.display());
    }
    let (removed, kept) = record::remove(destdir, &record::read(recorded)?)?;
    for path in &kept {
        println!("kept, as it is another file now: {}", path.display());
    }
    fs::remove_file(recorded)?;
    // Another's document may be in it.
    let _ = fs::remove_dir(place(destdir, documents));
    println!("{removed} files and links removed");
    Ok(())
}

/// The files and links below a directory, as paths that begin with `prefix`.
fn files_below(directory: &Path, prefix: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = prefix.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => found.extend(files_below(&entry.path(), &path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// A path of the installed system in the directory that is filled as if it were the root.
fn place(destdir: &Path, path: &Path) -> PathBuf {
    destdir.join(path.strip_prefix("/").unwrap_or(path))
}

/// Installs a binary with its links, pages, completions and documents, and returns the number of files, links and
/// directories.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn install(destdir: &Path, places: &Places, binary: &Path) -> Result<usize> {
    let workspace = workspace::root();
    let mut into = Destination { destdir, count: 0 };
    let (prefix, share) = (&places.prefix, places.prefix.join("share"));
    let sbin = places.sbindir.clone().unwrap_or_else(|| prefix.join("sbin"));
    let kmod = prefix.join("bin/kmod");
    into.file(&kmod, 0o755, &fs::read(binary).with_context(|| binary.display().to_string())?)?;
    for tool in reference::TOOLS {
        into.link(&sbin.join(tool), &relative(&kmod, &sbin)?)?;
    }
    // Everybody may list the loaded modules, and many users have no sbin on their PATH.
    into.link(&prefix.join("bin/lsmod"), Path::new("kmod"))?;
    for page in man::pages(&workspace)? {
        let section = man::section(&page).context("a page has a section")?;
        let name = page.file_name().context("a page has a name")?;
        into.file(&share.join(format!("man/man{section}")).join(name), 0o644, &fs::read(&page)?)?;
    }
    install_completions(&mut into, &workspace, &share)?;
    for family in ["modprobe.d", "depmod.d", "modutils.d"] {
        into.directory(&places.sysconfdir.join(family))?;
        into.directory(&prefix.join("lib").join(family))?;
    }
    into.file(&share.join("pkgconfig/kmod.pc"), 0o644, pkg_config(places).as_bytes())?;
    for document in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "man/modutils.schema.json"]
    {
        let bytes = fs::read(workspace.join(document)).context(document)?;
        let name = Path::new(document).file_name().context("a document has a name")?;
        into.file(&places.documents().join(name), 0o644, &bytes)?;
    }
    Ok(into.count)
}

/// Installs the C library with its header and its data for pkg-config, and returns how many files and links that were.
///
/// # Errors
/// When something can't be read or written.
pub(crate) fn install_library(destdir: &Path, places: &Places, library: &Path) -> Result<usize> {
    let mut into = Destination { destdir, count: 0 };
    let libraries = places.libdir.clone().unwrap_or_else(|| places.prefix.join("lib"));
    let bytes = fs::read(library).with_context(|| library.display().to_string())?;
    into.file(&libraries.join(libkmod::FILE), 0o644, &bytes)?;
    into.link(&libraries.join(libkmod::SONAME), Path::new(libkmod::FILE))?;
    into.link(&libraries.join(libkmod::LINK), Path::new(libkmod::SONAME))?;
    into.file(&places.prefix.join("include/libkmod.h"), 0o644, &libkmod::header()?)?;
    let data = format!(
        "prefix={prefix}\n\
         includedir=${{prefix}}/include\n\
         libdir={libraries}\n\
         \n\
         Name: libkmod\n\
         Description: Library to deal with kernel modules\n\
         Version: {COMPATIBLE}\n\
         Libs: -L${{libdir}} -lkmod\n\
         Cflags: -I${{includedir}}\n",
        prefix = places.prefix.display(),
        libraries = libraries.display(),
    );
    into.file(&libraries.join("pkgconfig/libkmod.pc"), 0o644, data.as_bytes())?;
    Ok(into.count)
}

/// bash and fish look for a file by the name of the command that is completed.
fn install_completions(into: &mut Destination, workspace: &Path, share: &Path) -> Result<()> {
    let completions = workspace.join("bins/kmod/completions");
    let read = |name: &str| fs::read(completions.join(name)).with_context(|| name.to_owned());
    into.file(&share.join("zsh/site-functions/_modutils"), 0o644, &read("_modutils")?)?;
    for (directory, file, ending) in [
        ("bash-completion/completions", "modutils.bash", ""),
        ("fish/vendor_completions.d", "modutils.fish", ".fish"),
    ] {
        let directory = share.join(directory);
        into.file(&directory.join(format!("kmod{ending}")), 0o644, &read(file)?)?;
        for tool in reference::TOOLS {
            let target = format!("kmod{ending}");
            into.link(&directory.join(format!("{tool}{ending}")), Path::new(&target))?;
        }
    }
    Ok(())
}

/// What `pkg-config kmod` reports to other packages: where modules and configuration are, and what can be read, in the
/// words of kmod's own build options.
fn pkg_config(places: &Places) -> String {
    format!(
        "prefix={prefix}\n\
         sysconfdir={sysconfdir}\n\
         distconfdir=${{prefix}}/lib\n\
         module_directory=/lib/modules\n\
         module_signatures=PKCS7 legacy\n\
         module_compressions=zstd xz zlib\n\
         \n\
         Name: kmod\n\
         Description: Tools to deal with kernel modules\n\
         Version: {compatible}\n",
        prefix = places.prefix.display(),
        sysconfdir = places.sysconfdir.display(),
        compatible = COMPATIBLE,
    )
}

/// The version of kmod whose behaviour these tools have, which `kmod --version` prints too.
const COMPATIBLE: &str = "34.2";

/// The directory that is filled as if it were the root.
struct Destination<'a> {
    destdir: &'a Path,
    count: usize,
}

impl Destination<'_> {
    fn directory(&mut self, path: &Path) -> Result<()> {
        let path = self.place(path);
        self.count += 1;
        fs::create_dir_all(&path).with_context(|| path.display().to_string())
    }

    /// Writes a new file and renames it over the old one, which may be running.
    fn file(&mut self, path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
        let path = self.ready(path)?;
        let mut new = path.clone().into_os_string();
        new.push(".new");
        let write = || {
            fs::write(&new, bytes)?;
            fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
            fs::rename(&new, &path)
        };
        write().with_context(|| path.display().to_string())
    }

    fn link(&mut self, path: &Path, target: &Path) -> Result<()> {
        let path = self.ready(path)?;
        if path.symlink_metadata().is_ok_and(|there| !there.is_dir()) {
            fs::remove_file(&path)?;
        }
        symlink(target, &path).with_context(|| path.display().to_string())
    }

    /// The path in the destination, whose directory is created.
    fn ready(&mut self, path: &Path) -> Result<PathBuf> {
        let path = self.place(path);
        let parent = path.parent().context("a path in a directory")?;
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        self.count += 1;
        Ok(path)
    }

    fn place(&self, path: &Path) -> PathBuf {
        place(self.destdir, path)
    }
}

/// The relative path to `target` from a directory; both are absolute in the installed system.
fn relative(target: &Path, from: &Path) -> Result<PathBuf> {
    if !target.is_absolute() || !from.is_absolute() {
        bail!("{} and {} must be absolute", target.display(), from.display());
    }
    let shared = target.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| "..");
    Ok(up
        .map(PathBuf::from)
        .chain(target.components().skip(shared).map(|part| part.as_os_str().into()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_point_to_the_binary_for_any_directory_of_the_tools() {
        let path = |target: &str, from: &str| relative(Path::new(target), Path::new(from)).unwrap();
        assert_eq!(path("/usr/bin/kmod", "/usr/sbin"), Path::new("../bin/kmod"));
        assert_eq!(path("/usr/bin/kmod", "/usr/bin"), Path::new("kmod"));
        assert_eq!(path("/opt/m/bin/kmod", "/sbin"), Path::new("../opt/m/bin/kmod"));
        assert!(relative(Path::new("usr"), Path::new("/sbin")).is_err());
    }

    #[test]
    fn an_installation_has_each_tool_page_and_completion_and_can_be_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("built");
        fs::write(&binary, "binary").unwrap();
        let root = directory.path().join("root");
        let places = Places { sbindir: Some("/sbin".into()), ..Places::default() };
        let first = install(&root, &places, &binary).unwrap();
        assert_eq!(install(&root, &places, &binary).unwrap(), first);
        for tool in reference::TOOLS {
            assert_eq!(fs::read_link(root.join("sbin").join(tool)).unwrap(), Path::new("../usr/bin/kmod"));
            assert!(root.join(format!("usr/share/man/man8/{tool}.8")).is_file(), "{tool}");
            let bash = root.join("usr/share/bash-completion/completions").join(tool);
            assert!(fs::read_to_string(bash).unwrap().contains(tool));
            assert!(root.join(format!("usr/share/fish/vendor_completions.d/{tool}.fish")).is_file());
        }
        let mode = fs::metadata(root.join("usr/bin/kmod")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        let data = fs::read_to_string(root.join("usr/share/pkgconfig/kmod.pc")).unwrap();
        for variable in [
            "sysconfdir=/etc",
            "distconfdir=",
            "module_directory=",
            "module_compressions=",
            "module_signatures=",
        ] {
            assert!(data.contains(&format!("\n{variable}")), "{variable}");
        }
        assert!(root.join("etc/modprobe.d").is_dir() && root.join("usr/lib/depmod.d").is_dir());
        assert!(root.join("usr/share/doc/modutils/modutils.schema.json").is_file());
    }

    #[test]
    fn what_others_installed_is_neither_overwritten_nor_removed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let write = |path: &str, text: &str| {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        };
        let paths = ["/usr/bin/kmod", "/usr/sbin/modprobe", "/usr/share/x"].map(PathBuf::from);
        write("usr/bin/kmod", "a package's");
        fs::create_dir_all(root.join("usr/sbin")).unwrap();
        symlink("../bin/kmod", root.join("usr/sbin/modprobe")).unwrap();
        let none = record::Record::new();
        assert_eq!(record::foreign(root, &paths, &none).unwrap(), paths[..2]);

        let mut ours = record::Record::new();
        for path in &paths[..2] {
            ours.insert(path.clone(), record::content(&place(root, path)).unwrap().unwrap());
        }
        let file = root.join("record");
        record::write(&file, &ours).unwrap();
        assert_eq!(record::read(&file).unwrap(), ours);
        assert!(record::foreign(root, &paths, &ours).unwrap().is_empty());

        write("usr/bin/kmod", "another's");
        assert_eq!(record::foreign(root, &paths, &ours).unwrap(), paths[..1]);
        assert_eq!(record::remove(root, &ours).unwrap(), (1, vec![paths[0].clone()]));
        assert!(root.join("usr/bin/kmod").exists() && !root.join("usr/sbin/modprobe").is_symlink());
    }

    /// The packager's recipe writes the same as we do.
    #[test]
    fn the_makefile_installs_and_removes_the_same_files() {
        let directory = tempfile::tempdir().unwrap();
        let [built, ours, theirs] = ["built", "ours", "theirs"].map(|name| directory.path().join(name));
        for (path, text) in [("release/kmod", "binary"), ("libkmod/shared/libkmod.so.2.5.1", "library")] {
            fs::create_dir_all(built.join(path).parent().unwrap()).unwrap();
            fs::write(built.join(path), text).unwrap();
        }
        let places = Places { libdir: Some("/usr/lib/there".into()), ..Places::default() };
        install(&ours, &places, &built.join("release/kmod")).unwrap();
        install_library(&ours, &places, &built.join("libkmod/shared/libkmod.so.2.5.1")).unwrap();
        let make = |target: &str| {
            let mut make = std::process::Command::new("make");
            make.arg("-f").arg(workspace::root().join("integration/packages/Makefile")).arg(target);
            make.args(["prefix=/usr", "libdir=/usr/lib/there"]).arg(format!("DESTDIR={}", theirs.display()));
            crate::process::output(make.env("CARGO_TARGET_DIR", &built)).unwrap();
        };
        make("install");
        let files = files_below(&ours, Path::new("/")).unwrap();
        assert_eq!(files, files_below(&theirs, Path::new("/")).unwrap());
        for path in &files {
            let [here, there] = [&ours, &theirs].map(|root| place(root, path));
            assert_eq!(
                record::content(&here).unwrap(),
                record::content(&there).unwrap(),
                "{}",
                path.display()
            );
            let mode = |path: &Path| path.symlink_metadata().unwrap().permissions().mode();
            assert_eq!(mode(&here), mode(&there), "{}", path.display());
        }
        make("uninstall");
        assert_eq!(files_below(&theirs, Path::new("/")).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn the_library_has_its_links_and_what_compilers_need() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("built");
        fs::write(&library, "library").unwrap();
        let root = directory.path().join("root");
        let places = Places { libdir: Some("/usr/lib/x86_64-linux-gnu".into()), ..Places::default() };
        assert_eq!(install_library(&root, &places, &library).unwrap(), 5);
        let libraries = root.join("usr/lib/x86_64-linux-gnu");
        assert_eq!(fs::read(libraries.join("libkmod.so.2")).unwrap(), b"library");
        assert_eq!(fs::read(libraries.join("libkmod.so")).unwrap(), b"library");
        let data = fs::read_to_string(libraries.join("pkgconfig/libkmod.pc")).unwrap();
        assert!(data.contains("\nlibdir=/usr/lib/x86_64-linux-gnu\n") && data.contains("-lkmod\n"));
        assert!(root.join("usr/include/libkmod.h").is_file());
    }
}
