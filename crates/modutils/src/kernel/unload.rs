//! Taking a module away: delete_module(2).

use std::{
    ffi::CString,
    thread,
    time::{Duration, Instant},
};

use nix::kmod::DeleteModuleFlags;

use super::Kernel;
use crate::{Errno, Error, ModuleName, Result};

/// The first pause between two looks at a module in use; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// No pause is longer: a module that became free is noticed within this time.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Kernel {
    /// Has the kernel drop a module now, without waiting for its users; by force even when it is in
    /// use, where the kernel allows that.
    ///
    /// # Errors
    /// [`Error::NotRemoved`] with the kernel's error number.
    pub fn delete(&self, module: &ModuleName, force: bool) -> Result<()> {
        let refused = |errno| Error::NotRemoved { module: module.clone(), errno };
        let name = CString::new(Vec::from(self.own_name(module))).map_err(|_| refused(Errno::ENOENT))?;
        let mut flags = DeleteModuleFlags::O_NONBLOCK;
        flags.set(DeleteModuleFlags::O_TRUNC, force);
        self.calls().delete_module(&name, flags).map_err(refused)
    }

    /// Has the kernel drop a module, trying again while it is in use and the time is not over.
    ///
    /// # Errors
    /// [`Error::NotRemoved`] with the kernel's error number: `EAGAIN` where the module was in use to the
    /// end.
    pub fn delete_waiting(&self, module: &ModuleName, force: bool, longest: Duration) -> Result<()> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.delete(module, force) {
                Err(error) if error.errno() == Errno::EAGAIN && start.elapsed() < longest => {}
                other => return other,
            }
            thread::sleep(pause.min(longest.saturating_sub(start.elapsed())));
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{ErrorKind, Root, kernel::calls::fake::Fake};

    #[test]
    fn a_module_is_dropped_without_waiting_and_by_force_when_asked() {
        let fake = Arc::new(Fake::default());
        let kernel = Kernel::faked(&Root::default(), &fake);
        kernel.delete(&ModuleName::new("a-b"), false).unwrap();
        kernel.delete(&ModuleName::new("c"), true).unwrap();
        assert_eq!(*fake.log.lock().unwrap(), ["delete_module \"a_b\" ", "delete_module \"c\" force"]);
    }

    #[test]
    fn a_module_is_dropped_by_the_name_that_the_kernel_has() {
        let fake = Arc::new(Fake::default());
        let system = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(system.path().join("sys/module/made-dash")).unwrap();
        let kernel = Kernel::faked(&Root::default().with_system(system.path()), &fake);
        kernel.delete(&ModuleName::new("made_dash"), false).unwrap();
        assert_eq!(*fake.log.lock().unwrap(), ["delete_module \"made-dash\" "]);
    }

    #[test]
    fn waiting_ends_with_the_time_and_says_so() {
        let fake = Fake { answers: [("delete_module", Errno::EAGAIN)].into(), ..Fake::default() };
        let fake = Arc::new(fake);
        let kernel = Kernel::faked(&Root::default(), &fake);
        let result = kernel.delete_waiting(&ModuleName::new("a"), false, Duration::from_millis(20));
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Refused, Errno::EAGAIN));
        let tries = fake.log.lock().unwrap().len();
        assert!((2..=6).contains(&tries), "{tries}");
    }
}
