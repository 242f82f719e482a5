//! Values that are made when first asked for and kept, where making them can fail.

use std::sync::OnceLock;

/// The value in a cell, which is made unless it is there. A failure is not kept: the next who asks has it
/// tried again.
pub(crate) fn get_or_try_init<T, E>(
    cell: &OnceLock<T>,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<&T, E> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    // Another thread may have been faster; theirs is kept.
    Ok(cell.get_or_init(|| made))
}
