//! The output of a run: messages, a progress bar while modules are read, and which module needs which.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bstr::{BStr, ByteSlice};
use modutils::{Notice, depmod::Observer};

use crate::{cause::Cause, progress::Progress, report::Report, startup::HeldSignals};

/// Prints what a run reports, and holds signals back while files are published.
pub(super) struct RunObserver<'a> {
    report: Mutex<&'a mut Report>,
    progress: Mutex<Option<Progress>>,
    held: Mutex<Option<HeldSignals>>,
}

impl<'a> RunObserver<'a> {
    pub(super) fn new(report: &'a mut Report) -> Self {
        Self { report: Mutex::new(report), progress: Mutex::default(), held: Mutex::default() }
    }
}

impl Observer for RunObserver<'_> {
    fn notice(&self, notice: Notice) {
        lock(&self.report).notice_in_lines(&notice, &lines(&notice.message), Cause::default());
    }

    fn reading(&self, modules: usize) {
        *lock(&self.progress) = Some(Progress::new("modules read", modules));
    }

    fn module_read(&self) {
        if let Some(progress) = &*lock(&self.progress) {
            progress.step();
        }
    }

    fn all_read(&self) {
        drop(lock(&self.progress).take());
    }

    fn symbol_needed(&self, user: &Path, symbol: &BStr, owner: &Path) {
        let (user, owner) = (user.as_os_str().as_encoded_bytes(), owner.as_os_str().as_encoded_bytes());
        lock(&self.report).print([user, b" needs \"", symbol, b"\": ", owner, b"\n"].concat());
    }

    fn before_publication(&self) {
        *lock(&self.held) = Some(HeldSignals::hold());
    }

    fn is_interrupted(&self) -> bool {
        lock(&self.held).as_ref().is_some_and(HeldSignals::is_pending)
    }

    fn after_publication(&self) {
        if let Some(held) = lock(&self.held).take() {
            held.release();
        }
    }
}

/// The lines of a message. kmod has two where an alias of a module is there twice, and where it shows a damaged line
/// with the line's own end. In any other message, a newline belongs to a name.
fn lines(message: &[u8]) -> Vec<&[u8]> {
    let is_damaged = |first: &[u8]| {
        first.starts_with(b"Invalid modules.builtin line: ") || first.contains_str(" invalid line: ")
    };
    match message.split_once_str("\n") {
        Some((first, second))
            if first == b"duplicate module alias:" || (second.is_empty() && is_damaged(first)) =>
        {
            vec![first, second]
        }
        _ => vec![message],
    }
}

/// Locks a mutex. A poisoned one is no problem: its value is never left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
