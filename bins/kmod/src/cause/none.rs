//! The build without the feature `diagnose`: nothing is asked, and no failure has a known cause.

pub mod failed_request {
    use modutils::{Context, Errno, Error, ModuleName, Root, plan::Action};

    use crate::{cause::Cause, report::Report};

    pub fn misspelled<'a>(_: &str, _: &[u8], _: impl IntoIterator<Item = &'a str>) -> Cause {
        Cause::default()
    }

    pub fn not_found(_: &Context, _: &[u8], _: Option<&Error>, _: &Report) -> Cause {
        Cause::default()
    }

    pub fn not_found_to_remove(_: &Context, _: &[u8], _: Option<&Error>, _: &Report) -> Cause {
        Cause::default()
    }

    pub fn dangling_alias(_: &Context, _: &ModuleName, _: &Report) -> Cause {
        Cause::default()
    }

    pub fn file_missing(_: &Context, _: &Action, _: &Report) -> Cause {
        Cause::default()
    }

    pub fn install_line(_: &Context, _: &ModuleName, _: &Report) -> Cause {
        Cause::default()
    }

    pub fn in_use(_: &Root, _: &ModuleName, _: bool, _: &Report) -> Cause {
        Cause::default()
    }

    pub fn not_removed(_: &Root, _: &ModuleName, _: Errno, _: &Report) -> Cause {
        Cause::default()
    }

    pub fn not_loaded(_: &Root, _: &ModuleName, _: &Report) -> Cause {
        Cause::default()
    }
}

pub mod refused_load {
    use std::{marker::PhantomData, path::Path};

    use modutils::{Context, Errno, Level, Root, kernel::Force};

    use crate::{cause::Cause, report::Report};

    pub fn unknown_parameters(_: &Root, _: &Path, _: &[u8]) -> Cause {
        Cause::default()
    }

    /// Watches nothing.
    pub struct LoadWatch<'a>(PhantomData<&'a Root>);

    impl<'a> LoadWatch<'a> {
        pub fn begin(_: &'a Root, _: bool) -> Self {
            Self(PhantomData)
        }

        pub fn configured(self, _: &'a Context) -> Self {
            self
        }

        pub fn cause(&mut self, _: &Path, _: &[u8], _: Force, _: Errno, _: Level, _: &Report) -> Cause {
            Cause::default()
        }
    }
}
