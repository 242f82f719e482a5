//! Carrying out a plan: each step's condition is looked at when its turn comes.

mod hooks;
mod options;
mod parallel;
mod work;

use std::num::NonZeroUsize;

use super::Kernel;
use crate::plan::{OnError, Plan, Step};
use work::{Work, Worker};

pub use hooks::{Failure, Flow, Hooks, Outcome};
pub use options::{ExecuteOptions, Mode};

/// Carrying it out.
impl Plan {
    /// Carries the plan out, one step after the other, and reports to the hooks what happens as it
    /// happens. `&mut ()` is hooks that do nothing of their own.
    pub fn execute(&self, kernel: &Kernel, options: &ExecuteOptions, hooks: &mut dyn Hooks) -> Outcome {
        let worker = Worker::new(kernel, self, options);
        let outcome = match worker.obstacle() {
            Some((place, failure)) => {
                if let Some(step) = self.steps().get(place) {
                    hooks.failed(self, step, &failure);
                }
                Outcome::Failed
            }
            None => in_sequence(&worker, hooks),
        };
        hooks.ended(self, outcome);
        outcome
    }

    /// Carries out plans that load modules, up to `threads` steps at once; what became of each plan.
    ///
    /// A step waits for the steps of earlier plans about the same module, and a command runs alone in
    /// its place, so that modules and commands come to what they come to one plan after the other. Only a
    /// plan that fails may do more than it does alone: steps that do not need the one that failed may
    /// have begun by then.
    ///
    /// The hooks are called in the calling thread, in the order of the plans and their steps, whatever
    /// ended first. When [`Hooks::begin`] is called for a step without a command, the step may have
    /// ended.
    pub fn execute_all(
        plans: &[Plan],
        kernel: &Kernel,
        options: &ExecuteOptions,
        threads: NonZeroUsize,
        hooks: &mut dyn Hooks,
    ) -> Vec<Outcome> {
        match threads {
            NonZeroUsize::MIN => plans.iter().map(|plan| plan.execute(kernel, options, hooks)).collect(),
            threads => parallel::execute_all(plans, kernel, options, threads, hooks),
        }
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepResult {
    Done,
    Needless,
    Failed,
}

fn in_sequence(worker: &Worker, hooks: &mut dyn Hooks) -> Outcome {
    let mut results = Vec::with_capacity(worker.plan().steps().len());
    for (place, step) in worker.plan().steps().iter().enumerate() {
        let (result, flow) = turn(worker, place, step, &results, hooks);
        if flow == Flow::Abort || (result == StepResult::Failed && step.on_error == OnError::Stop) {
            return Outcome::Failed;
        }
        // The first step asks whether there is anything to do.
        if place == 0 && result == StepResult::Needless {
            return Outcome::Needless;
        }
        results.push(result);
    }
    Outcome::Done
}

/// What becomes of a step whose turn it is, after those before it have come to `results`.
fn turn<'a>(
    worker: &Worker<'a>,
    place: usize,
    step: &'a Step,
    results: &[StepResult],
    hooks: &mut dyn Hooks,
) -> (StepResult, Flow) {
    let is = |place: usize, result| results.get(place) == Some(&result);
    if step.needs.iter().any(|&place| is(place, StepResult::Failed)) {
        return (StepResult::Failed, Flow::Continue);
    }
    let given = step.given.is_none_or(|place| is(place, StepResult::Done));
    if !given || !worker.holds(step) {
        return (StepResult::Needless, Flow::Continue);
    }
    let work = worker.prepare(step);
    if work.as_ref().is_ok_and(Work::is_seen) && hooks.begin(worker.plan(), step) == Flow::Abort {
        return (StepResult::Failed, Flow::Abort);
    }
    match work.and_then(|work| worker.perform(place, step, work, hooks)) {
        Ok(()) => (StepResult::Done, Flow::Continue),
        Err(failure) => (StepResult::Failed, hooks.failed(worker.plan(), step, &failure)),
    }
}

#[cfg(test)]
mod tests;
