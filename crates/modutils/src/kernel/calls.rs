//! The system calls, with the kernel's names: init_module(2), finit_module(2), delete_module(2).

use std::{ffi::CStr, fs::File};

use nix::kmod::{DeleteModuleFlags, ModuleInitFlags};

use crate::Errno;

type Result<T> = std::result::Result<T, Errno>;

/// The three calls that modules come and go by; several threads may make them at once.
pub(super) trait Calls: Send + Sync {
    /// init_module(2).
    ///
    /// # Errors
    /// The kernel's error number.
    fn init_module(&self, image: &[u8], parameters: &CStr) -> Result<()>;

    /// finit_module(2).
    ///
    /// # Errors
    /// The kernel's error number.
    fn finit_module(&self, file: &File, parameters: &CStr, flags: ModuleInitFlags) -> Result<()>;

    /// delete_module(2).
    ///
    /// # Errors
    /// The kernel's error number.
    fn delete_module(&self, name: &CStr, flags: DeleteModuleFlags) -> Result<()>;
}

/// The kernel that this process runs on.
pub(super) struct Linux;

impl Calls for Linux {
    fn init_module(&self, image: &[u8], parameters: &CStr) -> Result<()> {
        nix::kmod::init_module(image, parameters).map_err(Errno::of)
    }

    fn finit_module(&self, file: &File, parameters: &CStr, flags: ModuleInitFlags) -> Result<()> {
        nix::kmod::finit_module(file, parameters, flags).map_err(Errno::of)
    }

    fn delete_module(&self, name: &CStr, flags: DeleteModuleFlags) -> Result<()> {
        nix::kmod::delete_module(name, flags).map_err(Errno::of)
    }
}

#[cfg(test)]
pub(super) mod fake {
    //! A kernel that records its calls and gives prepared answers.

    use std::{
        collections::HashMap,
        fs,
        path::PathBuf,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::{Root, kernel::Kernel};

    #[derive(Default)]
    pub(crate) struct Fake {
        pub(crate) log: Mutex<Vec<String>>,
        /// By the first word of a log line.
        pub(crate) answers: HashMap<&'static str, Errno>,
        pub(crate) images: Mutex<Vec<Vec<u8>>>,
        /// A file that takes the place of another while the kernel looks at that one.
        pub(crate) replaces: Option<(PathBuf, PathBuf)>,
    }

    impl Kernel {
        pub(crate) fn faked(root: &Root, fake: &Arc<Fake>) -> Self {
            Self::with_calls(root, Box::new(Arc::clone(fake)))
        }
    }

    impl Fake {
        fn answer(&self, call: &str, rest: String) -> Result<()> {
            self.log.lock().unwrap().push(format!("{call} {rest}"));
            self.answers.get(call).map_or(Ok(()), |&errno| Err(errno))
        }
    }

    impl Calls for Arc<Fake> {
        fn init_module(&self, image: &[u8], parameters: &CStr) -> Result<()> {
            self.images.lock().unwrap().push(image.to_vec());
            self.answer("init_module", format!("{parameters:?}"))
        }

        fn finit_module(&self, _: &File, parameters: &CStr, flags: ModuleInitFlags) -> Result<()> {
            if let Some((from, to)) = &self.replaces {
                fs::rename(from, to).unwrap();
            }
            self.answer("finit_module", format!("{parameters:?} {}", flags.bits()))
        }

        fn delete_module(&self, name: &CStr, flags: DeleteModuleFlags) -> Result<()> {
            let flags = if flags.contains(DeleteModuleFlags::O_TRUNC) { "force" } else { "" };
            self.answer("delete_module", format!("{name:?} {flags}"))
        }
    }
}
