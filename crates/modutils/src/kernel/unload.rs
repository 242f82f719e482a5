//! Taking a module away: delete_module(2).

use std::{
    ffi::CString,
    thread,
    time::{Duration, Instant},
};

use nix::kmod::DeleteModuleFlags;

use super::Kernel;
use crate::{Errno, ModuleName};

/// The first pause between two looks at a module in use; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// No pause is longer: a module that became free is noticed within this time.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Kernel<'_> {
    /// Has the kernel drop a module now, without waiting for its users; by force even when it is in
    /// use, where the kernel allows that.
    ///
    /// # Errors
    /// The kernel's error number.
    pub fn delete(&self, module: &ModuleName, force: bool) -> Result<(), Errno> {
        let name = CString::new(module.as_bytes()).map_err(|_| Errno::ENOENT)?;
        let mut flags = DeleteModuleFlags::O_NONBLOCK;
        flags.set(DeleteModuleFlags::O_TRUNC, force);
        self.calls.delete_module(&name, flags)
    }

    /// Has the kernel drop a module, trying again while it is in use and the time is not over.
    ///
    /// # Errors
    /// The kernel's error number; `EAGAIN` where the module was in use to the end.
    pub fn delete_waiting(&self, module: &ModuleName, force: bool, longest: Duration) -> Result<(), Errno> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.delete(module, force) {
                Err(Errno::EAGAIN) if start.elapsed() < longest => {}
                other => return other,
            }
            thread::sleep(pause.min(longest.saturating_sub(start.elapsed())));
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Root, kernel::calls::fake::Fake};

    #[test]
    fn a_module_is_dropped_without_waiting_and_by_force_when_asked() {
        let (root, fake) = (Root::default(), Fake::default());
        let kernel = Kernel::with_calls(&root, &fake);
        kernel.delete(&ModuleName::new("a-b"), false).unwrap();
        kernel.delete(&ModuleName::new("c"), true).unwrap();
        assert_eq!(*fake.log.lock().unwrap(), ["delete_module \"a_b\" ", "delete_module \"c\" force"]);
    }

    #[test]
    fn waiting_ends_with_the_time_and_says_so() {
        let root = Root::default();
        let fake = Fake { answers: [("delete_module", Errno::EAGAIN)].into(), ..Fake::default() };
        let kernel = Kernel::with_calls(&root, &fake);
        let result = kernel.delete_waiting(&ModuleName::new("a"), false, Duration::from_millis(20));
        assert_eq!(result, Err(Errno::EAGAIN));
        let tries = fake.log.lock().unwrap().len();
        assert!((2..=6).contains(&tries), "{tries}");
    }
}
