//! Loading a module with all it needs, and the caller's functions for that.
#![expect(unsafe_code, reason = "a symbol of the C interface, and calls of functions of the host")]

use std::{
    ffi::{CStr, c_char, c_int, c_uint},
    sync::Arc,
};

use super::{
    NO_OBJECT, log, number,
    pointer::{Borrowed, Data, Text},
};
use crate::{
    module::KmodModule,
    probe::{Caller, probe},
};

type RunInstall = unsafe extern "C" fn(*const KmodModule, *const c_char, Data) -> c_int;
type PrintAction = unsafe extern "C" fn(*const KmodModule, bool, *const c_char);

/// The functions of the host.
struct Functions {
    run_install: Option<RunInstall>,
    data: Data,
    print_action: Option<PrintAction>,
}

impl Caller for Functions {
    fn announce(&mut self, module: &Arc<KmodModule>, is_command: bool, options: &CStr) {
        if let Some(print_action) = self.print_action {
            // SAFETY: the host passed the function for such calls; module and string are there during this one.
            unsafe { print_action(Arc::as_ptr(module), is_command, options.as_ptr()) };
        }
    }

    fn install(&mut self, module: &Arc<KmodModule>, command: &CStr) -> Option<c_int> {
        // SAFETY: as above, with the data that the host passed for the function.
        self.run_install
            .map(|run_install| unsafe { run_install(Arc::as_ptr(module), command.as_ptr(), self.data) })
    }
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_probe_insert_module(
    module: Borrowed<KmodModule>,
    flags: c_uint,
    extra_options: Text,
    run_install: Option<RunInstall>,
    data: Data,
    print_action: Option<PrintAction>,
) -> c_int {
    number(|| {
        let module = module.share().ok_or(NO_OBJECT)?;
        let mut functions = Functions { run_install, data, print_action };
        let options = extra_options.bytes().unwrap_or_default();
        probe(&module, flags, options, &mut functions, log::environment())
    })
}
