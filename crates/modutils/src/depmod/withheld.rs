//! Notices of an attempt that may have to be repeated.

use std::sync::{Mutex, PoisonError};

use super::Observer;
use crate::Notice;

/// Watches an attempt for an observer, who gets its notices only if the attempt counts.
pub(super) struct Withheld<'a> {
    observer: &'a dyn Observer,
    notices: Mutex<Vec<Notice>>,
}

impl<'a> Withheld<'a> {
    pub(super) fn from(observer: &'a dyn Observer) -> Self {
        Self { observer, notices: Mutex::default() }
    }

    /// The attempt counts.
    pub(super) fn release(self) {
        let notices = self.notices.into_inner().unwrap_or_else(PoisonError::into_inner);
        notices.into_iter().for_each(|notice| self.observer.notice(notice));
    }
}

impl Observer for Withheld<'_> {
    fn notice(&self, notice: Notice) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
    }

    fn reading(&self, modules: usize) {
        self.observer.reading(modules);
    }

    fn module_read(&self) {
        self.observer.module_read();
    }

    fn all_read(&self) {
        self.observer.all_read();
    }

    fn is_interrupted(&self) -> bool {
        self.observer.is_interrupted()
    }
}
