//! `kmod check` of a name: what modprobe would do, by the plan that it follows, and whether the kernel would let it.

use std::{collections::HashMap, io::ErrorKind};

use bstr::{BString, ByteSlice};

use super::{
    Check, Verdict,
    command::{Effect, effect},
    one::Asked,
};
use crate::{
    Context, Error, ModuleName, Result,
    diagnose::{
        Finding,
        refusal::{
            cause::{Cause, Gap, Note},
            origin,
        },
        words::printable,
    },
    kernel::{Kernel, State},
    lookup::{Candidate, lookup},
    plan::{self, Action, LoadOptions, OnError, Plan},
};

/// The verdict; `None` where the name means no module.
pub(super) fn verdict(
    check: &Check,
    context: &Context,
    name: &[u8],
    parameters: &[u8],
) -> Result<Option<Verdict>> {
    let candidates = lookup(context, name)?;
    let Some(target) = candidates.first() else { return Ok(None) };
    let known = plan::inputs::gather(context, &candidates)?;
    let options = LoadOptions::default().parameters(parameters);
    let plan = plan::load(context.modprobe_config(), &known, target, &options);
    let Some(step) = plan.steps().get(plan.target()) else { return Ok(None) };
    let mut verdict = match &step.action {
        Action::Load { file, options } => {
            // What is loaded already is not loaded again, whatever its file has become.
            if is_live(check, &target.module) {
                return Ok(Some(Verdict::present(target.module.clone(), file)));
            }
            let asked = Asked { parameters: options, alone: false, options: options_of(&plan) };
            let mut verdict = check.opened(file, &asked)?;
            add_origins(context, target, &mut verdict);
            verdict
        }
        Action::Builtin => return Ok(Some(Verdict::built_in(ModuleName::new(name)))),
        Action::RunInstall { .. } | Action::Denied { .. } => Verdict::empty(target.module.clone()),
        _ => return Ok(None),
    };
    for step in
        plan.steps().iter().filter(|step| step.on_error == OnError::Stop || step.module == target.module)
    {
        if !is_live(check, &step.module) {
            add_gone(context, &step.module, &step.action, &mut verdict);
            add_configured(context, &target.module, &step.module, &step.action, &mut verdict);
        }
    }
    Ok(Some(verdict))
}

/// A module that the indexes list and whose file is not there: why its symbols are missing.
fn add_gone(context: &Context, module: &ModuleName, action: &Action, verdict: &mut Verdict) {
    let Action::Load { file, .. } = action else { return };
    let Err(error) = crate::files::symlink_metadata(file) else { return };
    if error.kind() != ErrorKind::NotFound {
        return;
    }
    let gone = Error::io("open", file)(error);
    verdict.add_dependency(module, &Verdict::unread(module.clone(), file, &gone));
    let Some(symbols) = context.indexes().symbols().ok().flatten() else { return };
    verdict.forget_missing(|name| {
        let owner = symbols.get(&[b"symbol:", name.as_bytes()].concat()).ok().flatten();
        owner.is_some_and(|owner| ModuleName::new(owner) == *module)
    });
}

/// What the configuration does to a module that is to be loaded.
fn add_configured(
    context: &Context,
    target: &ModuleName,
    module: &ModuleName,
    action: &Action,
    verdict: &mut Verdict,
) {
    match action {
        Action::Denied { origin, reason } => {
            let denied = Cause::Denied { origin: origin.clone(), reason: reason.clone() };
            verdict.add_finding(of_target(denied, target, module));
        }
        Action::RunInstall { command, .. } => {
            let Some(line) = context.modprobe_config().install(module) else { return };
            let origin = line.origin.clone();
            let Some(effect) = effect(&line.command) else {
                let (name, command) = (printable(module), printable(command.trim()));
                verdict.add_gap(Gap::Command(format!("{name}: {command} ({origin})")));
                return;
            };
            let command = line.command.trim().into();
            let fails = effect == Effect::Fails;
            verdict.add_finding(of_target(Cause::Command { command, origin, fails }, target, module));
        }
        _ => {}
    }
}

/// What keeps out a module: the target itself, or one that it needs.
fn of_target(cause: Cause, target: &ModuleName, module: &ModuleName) -> Finding {
    if module == target {
        return Finding::verified(cause);
    }
    let why = Finding::verified(cause).text();
    Finding::verified(Cause::Dependency { module: module.clone(), why })
}

fn is_live(check: &Check, module: &ModuleName) -> bool {
    check.is_running && Kernel::running(&check.root).state(module) == State::Live
}

/// The parameters that each module of a plan is given.
fn options_of(plan: &Plan) -> HashMap<ModuleName, BString> {
    let given = plan.steps().iter().filter_map(|step| match &step.action {
        Action::Load { options, .. } => Some((step.module.clone(), options.clone())),
        _ => None,
    });
    given.collect()
}

/// Reports where each refused parameter was configured.
fn add_origins(context: &Context, target: &Candidate, verdict: &mut Verdict) {
    let refused: Vec<(BString, BString)> = verdict.refused_parameters().collect();
    for (name, value) in refused {
        if let Some(origin) = origin::of_parameter(
            context,
            &target.module,
            target.alias.as_ref().map(|alias| alias.as_slice()),
            &name,
            &value,
        ) {
            verdict.add_note(Note::ParameterFrom { name, origin });
        }
    }
}
