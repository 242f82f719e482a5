//! All cases of the matrix. `tests/libkmod` takes their roots for the C library.

pub(crate) mod case;
mod insmod;
mod kmod;
mod lsmod;
mod modprobe_config;
mod modprobe_environment;
mod modprobe_indexes;
mod modprobe_load;
mod modprobe_manners;
mod modprobe_remove;
mod modprobe_show;
mod modprobe_sources;
pub(crate) mod release;
mod rmmod;
pub(crate) mod root;
pub(crate) mod rows;

pub(crate) use case::{Case, Claim, Compare, Step, combined, fails, works};
pub(crate) use rows::Row;

/// The cases of all tools.
pub(crate) fn cases() -> Vec<Case> {
    [
        insmod::cases(),
        rmmod::cases(),
        lsmod::cases(),
        kmod::cases(),
        modprobe_load::cases(),
        modprobe_remove::cases(),
        modprobe_show::cases(),
        modprobe_config::cases(),
        modprobe_sources::cases(),
        modprobe_environment::cases(),
        modprobe_indexes::cases(),
        modprobe_manners::cases(),
    ]
    .concat()
}
