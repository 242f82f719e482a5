//! A root directory in which our tools and the packaged ones run.
//!
//! The tools run by chroot(2), so that both see the same paths, configuration, /proc and /sys, which are plain files.
//! The root is not merged: /bin, /lib and /usr are separate directories, so that each directory of configuration files
//! is distinct. The packaged programs and the C library are hard links to the cache's.
//!
//! ```text
//! ours/, kmod34/, kmod30/   kmod and its links modprobe, depmod, …
//! bin/, usr/lib/, lib64/    dash, a few commands and the libraries
//! lib/modules/VERSION/      the module directory
//! etc/, proc/, sys/, tmp/   the files that a test writes
//! ```

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::cache;
use crate::module::ModuleBuilder;
use crate::run::{Invocation, Run, Side};
use crate::surroundings;
use crate::under_test;

/// A temporary directory that is a root. It is removed with this value.
#[derive(Debug)]
pub struct TestRoot {
    dir: tempfile::TempDir,
    version: String,
}

/// A loaded module as /proc and /sys list it.
#[derive(Debug, Clone)]
pub struct LoadedModule<'a> {
    /// Its name, with underscores.
    pub name: &'a str,
    /// `live`, `coming` or `going`; `None` omits `initstate`, which built-in modules lack.
    pub state: Option<&'a str>,
    /// Its size.
    pub size: u64,
    /// How many use it; `None` omits `refcnt`, as kernels that cannot unload do.
    pub users: Option<u32>,
    /// The modules that use it.
    pub holders: &'a [&'a str],
}

impl<'a> LoadedModule<'a> {
    /// A live module that nobody uses.
    pub fn new(name: &'a str) -> LoadedModule<'a> {
        LoadedModule { name, state: Some("live"), size: 16384, users: Some(0), holders: &[] }
    }
}

impl TestRoot {
    /// A root whose kernel has the version of the machine the test runs on, so that tools need no `-S`.
    pub fn new() -> TestRoot {
        TestRoot::with_version(&TestRoot::running_version())
    }

    fn running_version() -> String {
        let release =
            fs::read_to_string("/proc/sys/kernel/osrelease").expect("the release of the running kernel");
        release.trim_end().to_owned()
    }

    /// A root whose module directory is of another kernel version.
    pub fn with_version(version: &str) -> TestRoot {
        TestRoot::in_directory(version, under_test::scratch())
    }

    /// A root in memory, if the machine has such a file system that allows executing programs: for tests whose thousands
    /// of runs would wait for the disk. As with [`TestRoot::new`], tools need no `-S`.
    pub fn in_memory() -> TestRoot {
        let memory = Path::new("/dev/shm");
        let runs = nix::sys::statvfs::statvfs(memory)
            .is_ok_and(|memory| !memory.flags().contains(nix::sys::statvfs::FsFlags::ST_NOEXEC));
        let directory = if runs { memory.to_owned() } else { under_test::scratch() };
        TestRoot::in_directory(&TestRoot::running_version(), directory)
    }

    fn in_directory(version: &str, directory: PathBuf) -> TestRoot {
        surroundings::settle();
        remove_orphans(&directory);
        let dir = tempfile::Builder::new()
            .prefix(&format!("modutils-root-{}-", std::process::id()))
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in(directory)
            .expect("a temporary directory");
        let root = TestRoot { dir, version: version.to_owned() };
        for dir in ["etc/modprobe.d", "etc/depmod.d", "proc", "sys/module", "dev", "tmp", "bin", "usr/lib"] {
            root.create_dir(dir);
        }
        root.create_dir(&root.module_path(""));
        root.write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet\n");
        root.write("proc/modules", "");
        // Root's, without a filter of system calls, on a kernel without an integrity policy.
        root.write("proc/self/status", "CapEff:\t000001ffffffffff\nSeccomp:\t0\n");
        root.write("sys/kernel/security/lsm", "capability");
        root.install_system();
        root
    }

    /// The directory itself, as seen from outside.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The kernel version of the module directory.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `lib/modules/VERSION/RELATIVE`: a path for the other methods, or for the tools with a slash before it.
    pub fn module_path(&self, relative: &str) -> String {
        format!("lib/modules/{}/{relative}", self.version)
    }

    /// Writes a file, creating its directories. An existing hard link is replaced, not written through.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.outside(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory"))
            .expect("a directory in the test root");
        let _ = fs::remove_file(&path);
        fs::write(&path, content).expect("a file in the test root");
        self
    }

    /// Writes a file of the module directory: `modules.order`, `modules.builtin`, …
    pub fn write_module_file(&self, relative: &str, content: impl AsRef<[u8]>) -> &Self {
        self.write(&self.module_path(relative), content)
    }

    /// Writes a module, at a path in the module directory (`kernel/fs/hello.ko`).
    pub fn add_module(&self, relative: &str, module: &ModuleBuilder) -> &Self {
        self.write(&self.module_path(relative), module.build())
    }

    /// Creates a directory and those above it.
    pub fn create_dir(&self, path: &str) -> &Self {
        fs::create_dir_all(self.outside(path)).expect("a directory in the test root");
        self
    }

    /// Creates a symbolic link at `path`.
    pub fn symlink(&self, target: &str, path: &str) -> &Self {
        let path = self.outside(path);
        fs::create_dir_all(path.parent().expect("a link is in a directory"))
            .expect("a directory in the test root");
        symlink(target, path).expect("a symbolic link in the test root");
        self
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) -> &Self {
        fs::remove_file(self.outside(path)).unwrap_or_else(|error| panic!("cannot remove {path}: {error}"));
        self
    }

    /// Whether something is at `path`.
    pub fn exists(&self, path: &str) -> bool {
        self.outside(path).symlink_metadata().is_ok()
    }

    /// The content of a file.
    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.outside(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
    }

    /// The files that depmod writes into the module directory: `modules.*` except its inputs.
    pub fn indexes(&self) -> Indexes {
        self.indexes_in(&self.module_path(""))
    }

    /// The same of another directory, for depmod's `-o` and `-b`.
    pub fn indexes_in(&self, dir: &str) -> Indexes {
        let mut files = Indexes::new();
        for entry in
            fs::read_dir(self.outside(dir)).unwrap_or_else(|error| panic!("cannot read {dir}: {error}"))
        {
            let name = entry.expect("a readable entry").file_name().to_string_lossy().into_owned();
            if name.starts_with("modules.") && !DEPMOD_INPUTS.contains(&name.as_str()) {
                let content = self.read(&format!("{dir}/{name}"));
                files.insert(name, content);
            }
        }
        files
    }

    /// Removes the files of [`TestRoot::indexes`] and returns them.
    pub fn take_indexes(&self) -> Indexes {
        let files = self.indexes();
        for name in files.keys() {
            self.remove(&self.module_path(name));
        }
        files
    }

    /// Adds a loaded module to /proc and /sys. As in the kernel, /proc/modules lists the newest first.
    pub fn load(&self, module: &LoadedModule) -> &Self {
        let sys = format!("sys/module/{}", module.name);
        self.write(&format!("{sys}/coresize"), format!("{}\n", module.size))
            .create_dir(&format!("{sys}/holders"));
        if let Some(state) = module.state {
            self.write(&format!("{sys}/initstate"), format!("{state}\n"));
        }
        if let Some(users) = module.users {
            self.write(&format!("{sys}/refcnt"), format!("{users}\n"));
        }
        for holder in module.holders {
            self.symlink(&format!("../../{holder}"), &format!("{sys}/holders/{holder}"));
        }
        let holders: String = module.holders.iter().map(|holder| format!("{holder},")).collect();
        let line = format!(
            "{} {} {} {} Live 0x0000000000000000\n",
            module.name,
            module.size,
            // A kernel that cannot unload modules does not count their users.
            module.users.map_or_else(|| "-".to_owned(), |users| users.to_string()),
            if holders.is_empty() { "-" } else { &holders },
        );
        let others = self.read("proc/modules");
        self.write("proc/modules", [line.as_bytes(), &others].concat())
    }

    /// Adds the files of a tree that `chosen` selects by their path in the module directory. They are hard links, or
    /// copies if the cache is on another file system. Existing files are kept.
    pub fn add_tree(&self, tree: &cache::ModuleTree, chosen: &dyn Fn(&Path) -> bool) -> &Self {
        link_tree(&tree.modules, Path::new(""), &self.outside(&self.module_path("")), chosen);
        self
    }

    /// Adds the files of another root's module directory, as hard links: they are to be replaced, not written to. Existing
    /// files are kept.
    pub fn add_modules_of(&self, other: &TestRoot) -> &Self {
        let from = other.outside(&other.module_path(""));
        link_tree(&from, Path::new(""), &self.outside(&self.module_path("")), &|_| true);
        self
    }

    /// Runs one of our tools.
    pub fn ours(&self, tool: &str, args: &[&str]) -> Run {
        self.run(Side::Ours, tool, args)
    }

    /// Runs one of our tools, which explains its errors although nobody but this test reads them.
    pub fn explained(&self, tool: &str, args: &[&str]) -> Run {
        self.invoke(Side::Ours, tool).args(args).env("MODUTILS_EXPLAIN", "always").run()
    }

    /// Runs a tool of the packaged kmod 34.2.
    pub fn reference(&self, tool: &str, args: &[&str]) -> Run {
        self.run(Side::Kmod34, tool, args)
    }

    /// Runs a tool of any side.
    pub fn run(&self, side: Side, tool: &str, args: &[&str]) -> Run {
        self.invoke(side, tool).args(args).run()
    }

    /// Prepares to run a tool: environment, standard input and working directory can be set.
    pub fn invoke(&self, side: Side, tool: &str) -> Invocation {
        self.install(side);
        Invocation::new(self.path(), side, tool)
    }

    /// Runs a shell script in the root, which makes many runs of the tools of these sides cheap. The tools are
    /// `/SIDE/TOOL`, and the environment has only PATH.
    pub fn shell(&self, sides: &[Side], script: &str) -> Run {
        sides.iter().for_each(|side| self.install(*side));
        Invocation::of_program(self.path(), "/bin/sh", "/bin").stdin(script).run()
    }

    fn outside(&self, path: &str) -> PathBuf {
        self.path().join(path.trim_start_matches('/'))
    }

    /// The C library, the shell and a few commands, from the packages of the reference.
    fn install_system(&self) {
        let reference = cache::reference("kmod34");
        for entry in entries(&reference.join("usr/lib")) {
            let name = entry.file_name();
            if name.to_string_lossy().contains("-linux-gnu") {
                let to = self.path().join("usr/lib").join(name);
                fs::create_dir(&to).expect("a directory in the test root");
                for library in entries(&entry.path()) {
                    let name = library.file_name();
                    if LIBRARIES.iter().any(|used| name.to_string_lossy().starts_with(used)) {
                        link_entry(&library, &to.join(name));
                    }
                }
            }
        }
        link_tree(&reference.join("usr/lib64"), Path::new(""), &self.path().join("usr/lib64"), &|_| true);
        self.symlink("usr/lib64", "lib64");
        for command in ["dash", "cat", "echo", "env", "false", "sleep", "touch", "true"] {
            link(&reference.join("usr/bin").join(command), &self.path().join("bin").join(command));
        }
        self.symlink("dash", "bin/sh");
        // Only root can make devices, and not every file system (such as /dev/shm of most machines) lets them be opened:
        // then an empty file replaces it.
        let null = self.path().join("dev/null");
        let made = mknod(&null, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 3));
        if made.is_err() || fs::OpenOptions::new().write(true).open(&null).is_err() {
            self.write("dev/null", "");
        }
        fs::set_permissions(null, fs::Permissions::from_mode(0o666)).expect("a file of our own");
    }

    /// Installs a side's `kmod` and its links, on first use.
    fn install(&self, side: Side) {
        let dir = self.path().join(side.dir());
        if dir.join("kmod").exists() {
            return;
        }
        let program = match side {
            Side::Ours => under_test::kmod().to_owned(),
            Side::Kmod34 | Side::Kmod30 => cache::reference(side.dir()).join("usr/bin/kmod"),
        };
        // Tests may share a root: the first one to rename wins, and no test uses an incomplete directory.
        let draft = tempfile::tempdir_in(self.path()).expect("a directory in the test root");
        fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o755)).expect("a directory of our own");
        let kmod = draft.path().join("kmod");
        if surroundings::is_for_everyone(&program) {
            link(&program, &kmod);
        } else {
            // A link shares the mode of the file, which must not change.
            copy_program(&program, &kmod);
            fs::set_permissions(&kmod, fs::Permissions::from_mode(0o755)).expect("a file of our own");
        }
        for tool in ["depmod", "insmod", "lsmod", "modinfo", "modprobe", "rmmod"] {
            symlink("kmod", draft.path().join(tool)).expect("a symbolic link in the test root");
        }
        if fs::rename(draft.path(), &dir).is_ok() {
            let _ = draft.keep();
        }
    }
}

impl Default for TestRoot {
    fn default() -> TestRoot {
        TestRoot::new()
    }
}

/// File names and contents.
pub type Indexes = std::collections::BTreeMap<String, Vec<u8>>;

/// What the names of the libraries begin with that the packaged kmod, programs that use its library, the commands, and a
/// dynamic binary of ours load. The packages have 300 more, for encodings among others; a root is made for each run of the
/// larger tests.
const LIBRARIES: [&str; 8] = [
    "ld-linux",
    "libc.so",
    "libcrypto.so",
    "libgcc_s.so",
    "libkmod.so",
    "liblzma.so",
    "libz.so",
    "libzstd.so",
];

/// The files called `modules.*` that depmod reads.
const DEPMOD_INPUTS: [&str; 4] =
    ["modules.order", "modules.builtin", "modules.builtin.modinfo", "modules.builtin.ranges"];

/// Removes the roots that test programs left behind because they were killed or shared a root among their tests. Done
/// once for each directory.
fn remove_orphans(directory: &Path) {
    static CLEANED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut cleaned = CLEANED.lock().expect("no panic");
    if cleaned.iter().any(|one| one == directory) {
        return;
    }
    cleaned.push(directory.to_owned());
    for entry in fs::read_dir(directory).expect("a directory for roots").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("modutils-root-").and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn link_tree(from: &Path, relative: &Path, to: &Path, chosen: &dyn Fn(&Path) -> bool) {
    for entry in entries(&from.join(relative)) {
        let relative = relative.join(entry.file_name());
        if entry.file_type().expect("an entry has a type").is_dir() {
            link_tree(from, &relative, to, chosen);
        } else if chosen(&relative) {
            let target = to.join(&relative);
            fs::create_dir_all(target.parent().expect("a file is in a directory")).expect("a directory");
            link_entry(&entry, &target);
        }
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = fs::DirEntry> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("a readable entry"))
}

/// The same symbolic link, or a link to the same file.
fn link_entry(entry: &fs::DirEntry, target: &Path) {
    if entry.file_type().expect("an entry has a type").is_symlink() {
        let destination = fs::read_link(entry.path()).expect("a symbolic link");
        symlink(destination, target).expect("a symbolic link in the test root");
    } else {
        link(&entry.path(), target);
    }
}

/// A hard link, or a copy on another file system. An existing file is kept: copying onto a link to the same file would
/// empty it.
fn link(from: &Path, to: &Path) {
    match fs::hard_link(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(_) if from.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 == 0) => {
            fs::copy(from, to).unwrap_or_else(|error| panic!("cannot copy {}: {error}", from.display()));
        }
        Err(_) => copy_program(from, to),
    }
}

/// Copies in another process: a program that this process had open for writing could not be executed while another test
/// starts a process.
fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--no-dereference").arg(from).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "cannot copy {}", from.display());
}
