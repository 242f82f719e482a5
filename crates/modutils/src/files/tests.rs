use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nix::{errno::Errno, fcntl::OFlag};

use super::*;

/// A directory with a root in it, and files outside of that which no path may reach.
struct Setup {
    directory: tempfile::TempDir,
}

impl Setup {
    fn new() -> Self {
        let setup = Self { directory: tempfile::tempdir().unwrap() };
        let root = setup.root();
        fs::create_dir_all(root.join("usr/lib/deep")).unwrap();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir(setup.outside()).unwrap();
        fs::write(setup.outside().join("file"), "outside").unwrap();
        fs::write(root.join("usr/lib/file"), "inside").unwrap();
        fs::write(root.join("file"), "top").unwrap();
        symlink("/usr/lib", root.join("lib")).unwrap();
        symlink("/etc/../lib/./file", root.join("usr/lib/deep/round")).unwrap();
        symlink("../../../../../../file", root.join("usr/lib/deep/up")).unwrap();
        symlink(setup.outside(), root.join("escape")).unwrap();
        symlink("../outside/file", root.join("sideways")).unwrap();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        symlink("/new", root.join("dangling")).unwrap();
        setup
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    /// The root with and without `openat2(2)`.
    fn both(&self) -> [InRoot; 2] {
        [false, true].map(|by_hand| {
            let root = InRoot::open_root(self.root()).unwrap();
            root.lack_openat2(by_hand);
            root
        })
    }
}

/// The bytes of a file, or the error's number.
fn content(root: &InRoot, path: &str) -> Result<String, Option<i32>> {
    let file = root.open(Path::new(path), OFlag::O_RDONLY, 0).map_err(|error| error.raw_os_error())?;
    io::read_to_string(file).map_err(|error| error.raw_os_error())
}

#[test]
fn links_lead_to_what_they_mean_once_the_directory_is_the_root() {
    let setup = Setup::new();
    let failure = |errno: Errno| Err(Some(errno as i32));
    let expected: [(&str, Result<String, Option<i32>>); 15] = [
        ("lib/file", Ok("inside".to_owned())),
        // Of what the link leads to, as for the kernel.
        ("lib/../file", failure(Errno::ENOENT)),
        ("lib/deep/round", Ok("inside".into())),
        ("usr/lib/deep/up", Ok("top".into())),
        ("../../file", Ok("top".into())),
        ("escape/file", failure(Errno::ENOENT)),
        ("sideways", failure(Errno::ENOENT)),
        ("a", failure(Errno::ELOOP)),
        ("a/file", failure(Errno::ELOOP)),
        ("dangling", failure(Errno::ENOENT)),
        ("file/x", failure(Errno::ENOTDIR)),
        ("gone/x", failure(Errno::ENOENT)),
        ("lib", failure(Errno::EISDIR)),
        ("", failure(Errno::EISDIR)),
        ("..", failure(Errno::EISDIR)),
    ];
    for root in setup.both() {
        for (path, content_there) in &expected {
            assert_eq!(content(&root, path), *content_there, "{path}");
        }
        let longer = vec!["x"; 4096].join("/");
        assert_eq!(content(&root, &longer), failure(Errno::ENAMETOOLONG));
    }
}

#[test]
fn a_link_is_looked_at_and_made_through_as_by_the_system() {
    for at in [0, 1] {
        let setup = Setup::new();
        let root = &setup.both()[at];
        let new = OFlag::O_WRONLY | OFlag::O_CREAT;
        let exclusive = root.open(Path::new("dangling"), new | OFlag::O_EXCL, 0o600).unwrap_err();
        assert_eq!(exclusive.raw_os_error(), Some(Errno::EEXIST as i32));
        let not_followed = root.open(Path::new("lib/deep/up"), OFlag::O_NOFOLLOW, 0).unwrap_err();
        assert_eq!(not_followed.raw_os_error(), Some(Errno::ELOOP as i32));
        let own = root.open(Path::new("dangling"), OFlag::O_PATH | OFlag::O_NOFOLLOW, 0).unwrap();
        assert!(own.metadata().unwrap().is_symlink());
        assert_eq!(root.read_link(Path::new("lib")).unwrap(), Path::new("/usr/lib"));
        assert!(root.read_link(Path::new("file")).is_err());
        root.open(Path::new("dangling"), new, 0o600).unwrap();
        assert!(setup.root().join("new").is_file());
        root.create_dir(Path::new("lib/made"), 0o755).unwrap();
        assert!(setup.root().join("usr/lib/made").is_dir());
        #[cfg(feature = "diagnose")]
        {
            let real = |path: &str| root.canonicalize(Path::new(path)).unwrap();
            assert_eq!(real("lib/deep/round"), setup.root().join("usr/lib/file"));
            assert_eq!(real("lib/.."), setup.root().join("usr"));
            assert!(root.canonicalize(Path::new("sideways")).is_err());
        }
    }
}

#[test]
fn paths_below_an_open_root_are_resolved_inside_of_it_until_it_is_dropped() {
    let setup = Setup::new();
    let path = setup.root().join("escape/file");
    assert!(is_file(&path));
    let root = crate::Root::inside(setup.root()).unwrap();
    let again = root.clone();
    assert!(!is_file(&path));
    assert!(is_file(&setup.root().join("lib/deep/up")));
    drop(root);
    assert!(!is_file(&path));
    drop(again);
    assert!(is_file(&path));
}

#[test]
fn the_innermost_root_counts() {
    let setup = Setup::new();
    let _outer = crate::Root::inside(setup.directory.path()).unwrap();
    let inner = crate::Root::inside(setup.root()).unwrap();
    assert!(!is_file(&setup.root().join("sideways")));
    drop(inner);
    assert!(is_file(&setup.root().join("sideways")));
}

#[test]
#[cfg(feature = "depmod")]
fn a_walk_in_a_root_gives_what_one_outside_gives() {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    for path in ["a/x.ko", "b/deep/y.ko", "c.ko", "skipped/z.ko"] {
        fs::create_dir_all(tree.join(path).parent().unwrap()).unwrap();
        fs::write(tree.join(path), "").unwrap();
    }
    symlink("../b", tree.join("a/link")).unwrap();
    symlink("..", tree.join("b/back")).unwrap();
    symlink("nowhere", tree.join("broken")).unwrap();
    let walked = || {
        let mut walk = Walk::new(&tree);
        let mut lines = Vec::new();
        while let Some(entry) = walk.next() {
            lines.push(match entry {
                Ok(entry) => {
                    if entry.file_name() == "skipped" {
                        walk.skip_current_dir();
                    }
                    let kind = (entry.is_dir(), entry.is_file(), entry.path_is_symlink());
                    let size = entry.metadata().map(|metadata| metadata.len()).ok();
                    format!("{} {kind:?} {size:?} {}", entry.depth(), entry.into_path().display())
                }
                Err(error) => {
                    let cause = error.io_error().and_then(io::Error::raw_os_error);
                    format!("{} {} {cause:?} {:?}", error.depth(), error.is_loop(), error.path())
                }
            });
        }
        lines
    };
    let outside = walked();
    let _root = crate::Root::inside(directory.path()).unwrap();
    assert!(place(&tree).is_some());
    assert_eq!(walked(), outside);
    assert!(outside.iter().any(|line| line.contains("true None")), "{outside:#?}");
}
