//! Many module files, read ahead of who takes what is in them.

use std::path::Path;

use super::ModuleFile;
use crate::{
    Result,
    file::{OneLarge, Scratch},
    threads::Pool,
};

/// How many files may be in work or wait for those before them: more than the others of a tree are done
/// with while one thread is at its largest module.
const WINDOW: usize = 1024;

/// When facts that wait for those before them come to more than so many bytes, no file is begun.
const BUDGET: usize = 16 << 20;

/// What is wanted of each of many module files.
pub trait Wanted: Sync {
    /// What stands for a file.
    type File: Send;
    /// What is wanted of it.
    type Facts: Send;

    /// The path of the file; `None` where there is nothing to read.
    fn path<'a>(&self, file: &'a Self::File) -> Option<&'a Path>;

    /// Takes the facts out of a module. They are all that is kept of it. Called by any thread.
    ///
    /// # Errors
    /// Where the facts are unavailable; reading goes on.
    fn take(&self, module: &ModuleFile) -> Result<Self::Facts>;

    /// About how many bytes the facts take on the heap.
    fn size(&self, facts: &Self::Facts) -> usize;
}

/// Reads module files by as many threads as there are processors, and gives each with its facts to `each`,
/// here and in the order of the files. Whatever was not taken out of a file is forgotten at once, what was
/// taken waits for a bounded number of files and bytes. Of files that hold more than 32 MiB one at a time is read.
///
/// The facts are `None` where the file has no path, and an error where it could not be read.
pub fn read_in_order<W: Wanted>(
    wanted: &W,
    files: impl IntoIterator<Item = W::File>,
    mut each: impl FnMut(W::File, Option<Result<W::Facts>>),
) {
    let large = OneLarge::default();
    let read = |scratch: &mut Scratch, file: &W::File| {
        let path = wanted.path(file)?;
        Some(large.read(scratch, |scratch| read(wanted, path, scratch)))
    };
    let size = |facts: &Option<Result<W::Facts>>| {
        let on_heap = facts.as_ref().and_then(|facts| facts.as_ref().ok()).map(|facts| wanted.size(facts));
        on_heap.unwrap_or_default().saturating_add(size_of_val(facts))
    };
    let pool = Pool::for_processors().with_window(WINDOW).with_budget(BUDGET);
    pool.in_order(&mut files.into_iter(), &OneLarge::scratch, &read, &size, &mut each);
}

fn read<W: Wanted>(wanted: &W, path: &Path, scratch: &mut Scratch) -> Result<W::Facts> {
    let module = ModuleFile::open_with(path, scratch)?;
    let facts = wanted.take(&module)?;
    scratch.recycle(module.into_contents());
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use testkit::ModuleBuilder;

    use super::*;

    struct Licence;

    impl Wanted for Licence {
        type File = Option<std::path::PathBuf>;
        type Facts = Vec<u8>;

        fn path<'a>(&self, file: &'a Self::File) -> Option<&'a Path> {
            file.as_deref()
        }

        fn take(&self, module: &ModuleFile) -> Result<Vec<u8>> {
            Ok(module.modinfo()?.value("license").map(|licence| licence.to_vec()).unwrap_or_default())
        }

        fn size(&self, facts: &Vec<u8>) -> usize {
            facts.len()
        }
    }

    #[test]
    fn each_file_comes_with_what_is_in_it_or_why_that_is_not_known() {
        let (directory, forms) = (tempfile::tempdir().unwrap(), crate::file::readable());
        let files: Vec<_> = (0..200_usize)
            .map(|number| {
                let path = directory.path().join(format!("m{number}.ko"));
                let compression = forms[number % forms.len()];
                let module = ModuleBuilder::new("m").modinfo("license", format!("L{number}"));
                match number % 10 {
                    7 => return None,
                    8 => {}
                    9 => std::fs::write(&path, "not a module").unwrap(),
                    _ => std::fs::write(&path, module.compressed(compression).build()).unwrap(),
                }
                Some(path)
            })
            .collect();
        let mut numbers = 0..;
        read_in_order(&Licence, files.clone(), |file, facts| {
            let number = numbers.next().unwrap();
            assert_eq!(file, files[number]);
            match (number % 10, facts) {
                (7, None) => {}
                (8, Some(Err(error))) => assert!(error.is_not_found(), "{error}"),
                (9, Some(Err(error))) => assert!(error.to_string().ends_with("not an ELF file"), "{error}"),
                (_, Some(Ok(licence))) => assert_eq!(licence, format!("L{number}").into_bytes()),
                (_, facts) => panic!("{number}: {facts:?}"),
            }
        });
        assert_eq!(numbers.next(), Some(files.len()));
    }
}
