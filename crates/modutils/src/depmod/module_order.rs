//! `modules.order`: the order in which the kernel's build links its drivers.
//!
//! Of several modules for one device the first in this order is loaded first, as it would have been
//! probed first if built in.

use std::{collections::HashMap, path::Path};

use bstr::{BString, ByteSlice};
use foldhash::fast::RandomState;

use super::{TreeFile, omission::Omissions, same_place::Place, unread_list};
use crate::{
    Sink,
    file::{TREE_FILE_LIMIT, read_opened},
    formats::extension::without_compression,
};

/// Sorts modules by their place in `modules.order`; the others come after them, by path.
///
/// The file lists `kernel/.../NAME.ko`, whatever compression the modules were given since. Where it
/// cannot be read, that is an omission.
pub fn sort(
    modules: &mut [TreeFile],
    directory: &Path,
    place: Option<&Place>,
    omissions: &mut Omissions,
    sink: &mut Sink,
) {
    let bytes = read_opened(Place::open_file(place, &directory.join("modules.order")), TREE_FILE_LIMIT)
        .unwrap_or_else(|error| {
            omissions.report(unread_list("modules.order", directory, error), sink);
            Vec::new()
        });
    let mut places: HashMap<&[u8], usize, RandomState> = HashMap::default();
    for (place, line) in bytes.lines().enumerate() {
        places.entry(line).or_insert(place);
    }
    let place =
        |module: &TreeFile| places.get(without_compression(&module.listed)).copied().unwrap_or(usize::MAX);
    modules.sort_by_cached_key(|module| match place(module) {
        usize::MAX => (usize::MAX, module.listed.clone()),
        // No other one has the place.
        place => (place, BString::default()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModuleName;

    fn sorted(order: Option<&str>, listed: &[&str]) -> (Vec<String>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        if let Some(order) = order {
            std::fs::write(directory.path().join("modules.order"), order).unwrap();
        }
        let file = |listed: &&str| TreeFile {
            name: ModuleName::new(listed),
            path: listed.into(),
            listed: (*listed).into(),
        };
        let mut modules: Vec<_> = listed.iter().map(file).collect();
        let mut notices = Vec::new();
        sort(&mut modules, directory.path(), None, &mut Omissions::default(), &mut |notice| {
            notices.push(notice.message.to_string().replace(directory.path().to_str().unwrap(), "DIR"));
        });
        (modules.into_iter().map(|module| module.listed.to_string()).collect(), notices)
    }

    #[test]
    fn listed_modules_come_first_then_the_others_by_path() {
        let (modules, _) =
            sorted(Some("k/c.ko\nk/b.ko\nk/c.ko\n"), &["k/z.ko", "k/b.ko.xz", "a.ko", "k/c.ko"]);
        assert_eq!(modules, ["k/c.ko", "k/b.ko.xz", "a.ko", "k/z.ko"]);
    }

    #[test]
    fn a_pipe_in_the_place_of_the_list_is_told_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("modules.order");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut notices = Vec::new();
        let mut omissions = Omissions::default();
        let mut sink = |notice: crate::Notice| notices.push(notice.to_string());
        sort(&mut [], directory.path(), None, &mut omissions, &mut sink);
        assert!(!omissions.has_unread());
        assert!(notices.len() == 1 && notices[0].ends_with(": not a regular file"), "{notices:?}");
    }

    #[test]
    fn a_missing_list_is_told() {
        let (modules, notices) = sorted(None, &["b.ko", "a.ko"]);
        assert_eq!(modules, ["a.ko", "b.ko"]);
        assert_eq!(notices, ["could not open modules.order at DIR: No such file or directory"]);
    }
}
