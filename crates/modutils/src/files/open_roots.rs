//! The confined roots that are open.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::InRoot;

static OPEN: RwLock<Vec<Weak<InRoot>>> = RwLock::new(Vec::new());

/// How many there are: a process without any asks for nothing more.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Adds a root, which counts until the last handle of it is dropped.
pub(crate) fn add(root: InRoot) -> Arc<InRoot> {
    let root = Arc::new(root);
    let mut open = OPEN.write().unwrap_or_else(PoisonError::into_inner);
    open.retain(|other| other.strong_count() > 0);
    open.push(Arc::downgrade(&root));
    COUNT.store(open.len(), Ordering::Release);
    root
}

/// The root that a path is below, the innermost one, and the rest of the path.
pub(super) fn of(path: &Path) -> Option<(Arc<InRoot>, PathBuf)> {
    if COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let open = OPEN.read().unwrap_or_else(PoisonError::into_inner);
    let roots = open.iter().filter_map(Weak::upgrade);
    let holding = roots.filter_map(|root| {
        let rest = path.strip_prefix(root.path()).ok()?.to_owned();
        Some((root, rest))
    });
    holding.max_by_key(|(root, _)| root.path().as_os_str().len())
}
