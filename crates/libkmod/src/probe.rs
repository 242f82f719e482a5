//! Loading a module with all it needs: `kmod_module_probe_insert_module`.

use std::{
    ffi::{CStr, CString, c_int, c_uint},
    sync::Arc,
};

use bstr::ByteSlice;
use modutils::{
    Errno,
    kernel::{Command, CommandFailure, Environment, ExecuteOptions, Failure, Flow, Hooks, Mode, Outcome},
    plan::{Action, LoadOptions, OnError, Plan, Planner, Step},
};

use crate::{
    log::{ERROR, WARNING},
    module::{KmodModule, force},
    text::c_string,
};

/// `enum kmod_probe`.
mod flag {
    use std::ffi::c_uint;

    pub(super) const IGNORE_COMMAND: c_uint = 0x4;
    pub(super) const IGNORE_LOADED: c_uint = 0x8;
    pub(super) const DRY_RUN: c_uint = 0x10;
    pub(super) const FAIL_ON_LOADED: c_uint = 0x20;
    pub(super) const APPLY_BLACKLIST_ALL: c_uint = 0x1_0000;
    pub(super) const APPLY_BLACKLIST: c_uint = 0x2_0000;
    pub(super) const APPLY_BLACKLIST_ALIAS_ONLY: c_uint = 0x4_0000;
}

/// The function that errors are logged as from.
const FUNCTION: &CStr = c"kmod_module_probe_insert_module";

/// What a caller does itself.
pub(crate) trait Caller {
    /// Called for a step: the module, whether a command is run for it, and its options.
    fn announce(&mut self, module: &Arc<KmodModule>, is_command: bool, options: &CStr);

    /// Runs an install command, and returns what became of it; `None` where the caller has no function for
    /// that.
    fn install(&mut self, module: &Arc<KmodModule>, command: &CStr) -> Option<c_int>;
}

/// Loads a module with all it needs, as far as the flags want it. Returns 0, the flag of the blacklist that it
/// is on, or what the caller's function returned for its install command.
///
/// # Errors
/// When it could not be loaded, or is loaded and should not be.
pub(crate) fn probe(
    module: &Arc<KmodModule>,
    flags: c_uint,
    parameters: &[u8],
    caller: &mut dyn Caller,
    environment: Environment,
) -> Result<c_int, Errno> {
    let has = |flag| flags & flag != 0;
    let already = if has(flag::FAIL_ON_LOADED) { Err(Errno::EEXIST) } else { Ok(0) };
    if !has(flag::IGNORE_LOADED) && module.is_there(FUNCTION) {
        return already;
    }
    if let Some(flag) = blacklisted(module, flags) {
        return Ok(flag);
    }
    let context = module.context().indexes();
    let options = LoadOptions::default()
        .parameters(parameters)
        .ignore_commands(has(flag::IGNORE_COMMAND))
        .omit_blacklisted(has(flag::APPLY_BLACKLIST_ALL));
    let plan = Planner::new(&context).load(&module.within(&context), &options);
    let plan = plan.map_err(|error| module.context().log().failed(FUNCTION, &error))?;
    // A dry run is a listing: that of modprobe(8) fails where a file is missing, this one shows the step all the same.
    let mode = if has(flag::DRY_RUN) { Mode::Show } else { Mode::Run };
    let options = ExecuteOptions::default()
        .mode(mode)
        .ignore_loaded(has(flag::IGNORE_LOADED))
        .first_time(has(flag::FAIL_ON_LOADED))
        .force(force(flags))
        .environment(environment);
    let mut probing = Probing {
        module,
        caller,
        parameters,
        omits_loaded: has(flag::DRY_RUN) && !has(flag::IGNORE_LOADED),
        result: 0,
        failure: None,
    };
    match plan.execute(&context.kernel(), &options, &mut probing) {
        Outcome::Done => Ok(probing.result),
        Outcome::Needless => already,
        _ => Err(probing.failure.unwrap_or(Errno::EINVAL)),
    }
}

/// The flag of a blacklist that stops the module, if one does.
fn blacklisted(module: &KmodModule, flags: c_uint) -> Option<c_int> {
    let stops = |flag| match flag {
        flag::APPLY_BLACKLIST_ALIAS_ONLY => module.has_alias(),
        _ => true,
    };
    let kinds = [flag::APPLY_BLACKLIST_ALL, flag::APPLY_BLACKLIST, flag::APPLY_BLACKLIST_ALIAS_ONLY];
    let mut asked = kinds.into_iter().filter(|&flag| flags & flag != 0 && stops(flag)).peekable();
    asked.peek()?;
    module.is_blacklisted().then(|| asked.next()?.try_into().ok()).flatten()
}

/// A plan that is being carried out.
struct Probing<'a> {
    module: &'a Arc<KmodModule>,
    caller: &'a mut dyn Caller,
    parameters: &'a [u8],
    /// Whether what is there already is not announced: the steps of a listing are all of them.
    omits_loaded: bool,
    /// What the caller's function returned for the module itself.
    result: c_int,
    /// Why the plan failed.
    failure: Option<Errno>,
}

impl Probing<'_> {
    /// The object for a step's module.
    fn object(&self, step: &Step) -> Arc<KmodModule> {
        if step.module == *self.module.module_name() {
            return self.module.clone();
        }
        self.module.context().module_named(step.module.as_bytes())
    }

    /// A step's options, without the blank at the end of the configured ones where no others follow.
    fn options(&self, plan: &Plan, step: &Step) -> CString {
        let parameters = if step.module == *plan.module() { self.parameters } else { b"" };
        let (Action::Load { options, .. } | Action::RunInstall { options, .. }) = &step.action else {
            let object = self.object(step);
            let configured = object.options().map(CStr::to_bytes).unwrap_or_default();
            let both = [configured, parameters].into_iter().filter(|part| !part.is_empty());
            return c_string(&both.collect::<Vec<&[u8]>>().join(&b' '));
        };
        match options.strip_suffix(b" ") {
            Some(shorter) if parameters.is_empty() => c_string(shorter),
            _ => c_string(options),
        }
    }
}

impl Hooks for Probing<'_> {
    fn begin(&mut self, plan: &Plan, step: &Step) -> Flow {
        let object = self.object(step);
        if self.omits_loaded && object.is_there(FUNCTION) {
            return Flow::Continue;
        }
        let is_command = matches!(step.action, Action::RunInstall { .. });
        self.caller.announce(&object, is_command, &self.options(plan, step));
        Flow::Continue
    }

    fn command(&mut self, plan: &Plan, command: &Command<'_>) -> Result<(), CommandFailure> {
        let step = command.step();
        let Some(result) = self.caller.install(&self.object(step), &c_string(command.text())) else {
            return command.run();
        };
        if result < 0 {
            if step.on_error == OnError::Stop {
                self.failure.get_or_insert(Errno::from_raw(result.saturating_neg()));
            }
            return Err(CommandFailure::Exit(result));
        }
        if step.module == *plan.module() {
            self.result = result;
        }
        Ok(())
    }

    fn failed(&mut self, plan: &Plan, step: &Step, failure: &Failure) -> Flow {
        // It fails before its turn; the caller is to see what was tried.
        if matches!(failure, Failure::NoFile) {
            self.caller.announce(&self.object(step), false, &self.options(plan, step));
        }
        let is_fatal = step.on_error == OnError::Stop;
        let is_the_kernels =
            matches!(failure, Failure::NotLoaded(error) if error.kind() == modutils::ErrorKind::Refused);
        let is_the_callers = self.failure.is_some();
        if is_fatal {
            self.failure.get_or_insert(failure.errno());
        }
        if !is_the_kernels && !is_the_callers {
            let module = step.module.as_bstr();
            let text = match failure {
                Failure::NoFile => format!("could not find module by name='{module}'"),
                _ => format!("could not insert '{module}': {failure}"),
            };
            self.module.context().log().message(
                if is_fatal { ERROR } else { WARNING },
                FUNCTION,
                text.as_bytes().as_bstr(),
            );
        }
        Flow::Continue
    }
}
