//! Why the kernel refused to load a module, and what it would ignore.

use std::path::Path;

use modutils::{
    Context, Errno, Level, ModuleName, Release, Root,
    diagnose::{
        Remark,
        check::Check,
        refusal::{self, Attempt, LogWatch},
    },
    kernel::Force,
};

use super::Cause;
use crate::report::Report;

/// Which of the parameters a module does not have. Empty where all are its own, or its file cannot be read.
pub fn unknown_parameters(root: &Root, file: &Path, parameters: &[u8]) -> Cause {
    // Which kernel it is for does not matter to the names of parameters.
    let Ok(release) = Release::running() else { return Cause::default() };
    let check = Check::new(root.clone(), release);
    let Ok(verdict) = check.file(file, parameters) else { return Cause::default() };
    let notes = verdict.notes();
    let unknown = notes.iter().filter(|note| note.kind() == "unknown_parameter");
    unknown.flat_map(Remark::text).cloned().collect::<Vec<_>>().into()
}

/// Watches the kernel's log while modules are loaded, so that a refusal can be diagnosed from it.
pub struct LoadWatch<'a> {
    root: &'a Root,
    /// Where parameters may be configured.
    context: Option<&'a Context>,
    log: Option<LogWatch>,
}

impl<'a> LoadWatch<'a> {
    /// Starts to watch, unless nothing will be loaded.
    pub fn begin(root: &'a Root, loads: bool) -> Self {
        Self { root, context: None, log: loads.then(|| LogWatch::begin(root)) }
    }

    /// For modules that are given what the configuration sets for them.
    pub fn configured(self, context: &'a Context) -> Self {
        Self { context: Some(context), ..self }
    }

    /// Why the kernel refused a file with this error number, for a message of this level.
    pub fn cause(
        &mut self,
        path: &Path,
        parameters: &[u8],
        force: Force,
        errno: Errno,
        level: Level,
        report: &Report,
    ) -> Cause {
        if !report.explains(level) {
            return Cause::default();
        }
        let Ok(release) = Release::running() else { return Cause::default() };
        let log = self.log.as_mut().map(LogWatch::lines).unwrap_or_default();
        let attempt = Attempt::new(path, errno).parameters(parameters).force(force).log(log);
        let mut explanation = refusal::explain(self.root, &release, &attempt);
        if let (Some(context), Some(module)) = (self.context, ModuleName::from_path(path)) {
            explanation = explanation.with_origins(context, &module);
        }
        Cause::from(explanation.lines_without_quotes()).with_kernel_log(explanation.quote_lines())
    }
}
