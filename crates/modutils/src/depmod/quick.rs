//! Whether anything has changed since the indexes were made (`depmod -A`).

use std::{collections::HashSet, path::Path, time::SystemTime};

use bstr::ByteSlice;

use super::TreeFile;
use crate::{
    file::{TREE_FILE_LIMIT, read_bounded},
    files,
};

/// Whether `modules.dep` lists exactly these modules, and none of their files is newer than it. What
/// cannot be read counts as changed.
pub fn is_current(files: &[TreeFile], output: &Path) -> bool {
    let path = output.join("modules.dep");
    let Some(made) = modified(&path) else { return false };
    let Ok(text) = read_bounded(&path, TREE_FILE_LIMIT) else { return false };
    let lines = text.lines().filter_map(|line| line.split_once_str(":"));
    let listed: HashSet<&[u8]> = lines.map(|(path, _)| path).collect();
    listed.len() == files.len()
        && files.iter().all(|file| {
            listed.contains(file.listed.as_bytes())
                && modified(&file.path).is_some_and(|modified| modified <= made)
        })
}

fn modified(path: &Path) -> Option<SystemTime> {
    files::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::ModuleName;

    fn tree() -> (tempfile::TempDir, Vec<TreeFile>) {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = directory.path().join(name);
            fs::write(&path, "").unwrap();
            TreeFile { name: ModuleName::new(name), path, listed: name.into() }
        };
        let files = vec![file("a.ko"), file("b.ko")];
        fs::write(directory.path().join("modules.dep"), "a.ko: b.ko\nb.ko:\n").unwrap();
        (directory, files)
    }

    #[test]
    fn an_unchanged_tree_is_current() {
        let (directory, files) = tree();
        assert!(is_current(&files, directory.path()));
    }

    #[test]
    fn a_module_added_removed_or_newer_is_noticed() {
        let (directory, files) = tree();
        assert!(!is_current(&files[..1], directory.path()), "removed");
        let mut more = files.clone();
        more.push(TreeFile { listed: "c.ko".into(), ..files[0].clone() });
        assert!(!is_current(&more, directory.path()), "added");
        let later = SystemTime::now() + Duration::from_secs(10);
        fs::File::options().write(true).open(&files[0].path).unwrap().set_modified(later).unwrap();
        assert!(!is_current(&files, directory.path()), "newer");
    }

    #[test]
    fn without_modules_dep_nothing_is_current() {
        let (directory, files) = tree();
        fs::remove_file(directory.path().join("modules.dep")).unwrap();
        assert!(!is_current(&files, directory.path()));
    }
}
