//! The modules are read where they were found: once more if their directory was moved meanwhile.

use std::{
    io::{self, ErrorKind},
    num::NonZeroUsize,
    thread,
    time::Duration,
};

use super::{Modules, Run};
use crate::{
    Error,
    depmod::{
        Failure, Observer,
        cache::CachedFacts,
        omission::{Omissions, Omitted},
        same_place::Place,
        tree::Configuration,
        withheld::Withheld,
        write::OutputDirectory,
    },
    threads::beside,
};

/// What was found in a module directory.
pub(super) enum Found<'k> {
    /// Modules that the indexes list; with what could not be looked at.
    Current(Omissions),
    /// Modules, which were read.
    Read {
        /// What was known of them before.
        known: CachedFacts<'k>,
        modules: Box<Modules<'k>>,
    },
}

impl Found<'_> {
    /// Whether a module was found that is not there.
    fn have_vanished(&self) -> bool {
        let Self::Read { modules, .. } = self else { return false };
        let mut omitted =
            modules.omissions.as_slice().iter().filter(|omission| omission.what() == Omitted::Module);
        omitted.any(|omission| omission.error().is_not_found())
    }
}

/// How often the modules are read where their directory is moved meanwhile.
const ATTEMPTS: u32 = 5;

/// How long the second attempt waits for whoever moves the directory; each further one waits twice as long.
const PAUSE: Duration = Duration::from_millis(20);

impl Run {
    /// Finds the modules and reads them: once more where their directory was moved meanwhile, for they are found by path.
    /// Also returns where they are.
    pub(super) fn read_in_place<'k>(
        &self,
        output: &OutputDirectory,
        configuration: Configuration,
        known: &(dyn Fn(NonZeroUsize) -> CachedFacts<'k> + Sync),
        observer: &dyn Observer,
    ) -> Result<(Found<'k>, Option<Place>), Failure> {
        let mut place = self.open_place(output)?;
        let mut configuration = Some(configuration);
        let mut attempt: u32 = 0;
        loop {
            attempt = attempt.saturating_add(1);
            let withheld = Withheld::from(observer);
            // What is wrong with it was reported when it was read first.
            let configuration = configuration.take().unwrap_or_else(|| self.read_configuration(&()));
            let found = self.attempt(place.as_ref(), configuration, known, &withheld);
            let stayed =
                place.as_mut().map_or(Ok(true), Place::was_here).map_err(self.failed("open directory"));
            let have_vanished = found.as_ref().is_ok_and(Found::have_vanished);
            let is_in_vain = have_vanished || matches!(stayed, Ok(false));
            if found.is_err() || !is_in_vain || attempt >= ATTEMPTS {
                withheld.release();
                let useless = |why| Err(self.failed("read")(io::Error::other(why)));
                let is_here = || place.as_ref().is_none_or(|place| place.is_here().unwrap_or(false));
                return match (found?, stayed?) {
                    _ if have_vanished => useless("its modules vanish while they are read"),
                    (_, false) if is_here() => useless("it is moved while its modules are read"),
                    (_, false) => useless("another directory has taken its place"),
                    (found, true) => Ok((found, place)),
                };
            }
            thread::sleep(PAUSE.saturating_mul(1 << attempt.saturating_sub(1)));
            if output.as_place(&self.directory).is_none() {
                place = self.open_place(output)?;
            }
        }
    }

    /// Opens the module directory: the one that is locked, where it is the one that is read. `None` where there is none,
    /// only files that were named.
    fn open_place(&self, output: &OutputDirectory) -> Result<Option<Place>, Failure> {
        match output.as_place(&self.directory).unwrap_or_else(|| Place::open(&self.directory)) {
            Ok(place) => Ok(Some(place)),
            Err(error) if self.files.is_some() && error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("open directory")(error)),
        }
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> Failure {
        let failed = Error::io(action, &self.directory);
        move |error| Failure::Search(failed(error))
    }

    fn attempt<'k>(
        &self,
        place: Option<&Place>,
        configuration: Configuration,
        known: &(dyn Fn(NonZeroUsize) -> CachedFacts<'k> + Sync),
        observer: &dyn Observer,
    ) -> Result<Found<'k>, Failure> {
        let find = |_| self.find(place, configuration, observer);
        let (known, tree) = beside(self.thread_count(), known, find);
        let tree = tree?;
        if self.is_current(&tree, &known) {
            let (_, omissions) = tree.into_parts();
            return Ok(Found::Current(omissions));
        }
        let modules = Box::new(self.read(tree, place, &known, observer)?);
        Ok(Found::Read { known, modules })
    }
}

#[cfg(test)]
mod tests;
