//! Why a request could not be met: [`not_found`], [`in_use`], [`not_removed`].

pub mod in_use;
pub mod not_found;
pub mod not_removed;
pub mod similar;
