//! Plans carried out at once: a step begins when all that it waits for have ended.
//!
//! The steps of all plans make up one graph. Beside the edges of each plan, a step waits for the
//! steps of earlier plans that are about the same module: it then finds the module loaded, or tries
//! again what failed, as it would if the plans were carried out one after the other. A command may do
//! anything at all; it runs alone, after all steps before it and before all steps after it.
//!
//! What happens is reported in the order of the plans and their steps, whatever ended first, by the
//! thread that called; that one runs the commands, too. Only a plan that fails may do more than it does
//! alone: steps that do not need the one that failed may have begun by then.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    num::NonZeroUsize,
    ops::Range,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    ExecuteOptions, Failure, Flow, Hooks, Kernel, Outcome, StepResult,
    work::{Work, Worker},
};
use crate::{
    ModuleName,
    plan::{Action, OnError, Plan, Step},
};

/// Carries out plans with so many threads beside this one, which calls the hooks and runs commands.
pub(super) fn execute_all(
    plans: &[Plan],
    kernel: &Kernel,
    options: &ExecuteOptions,
    threads: NonZeroUsize,
    hooks: &mut dyn Hooks,
) -> Vec<Outcome> {
    let workers: Vec<Worker> = plans.iter().map(|plan| Worker::new(kernel, plan, options)).collect();
    let graph = Graph::new(&workers);
    let state = Mutex::new(State::new(&graph, plans.len()));
    let run = Run { graph, state, changed: Condvar::new() };
    thread::scope(|scope| {
        let _dismissal = Dismissal(&run);
        let threads = threads.get().min(run.graph.tasks.len());
        let started = (0..threads)
            .filter(|_| thread::Builder::new().spawn_scoped(scope, || run.work()).is_ok())
            .count();
        let mut start = 0_usize;
        let mut follow = |plan: &Plan| {
            let end = start.saturating_add(plan.steps().len());
            let outcome = run.follow(start..end, started == 0, hooks);
            start = end;
            hooks.ended(plan, outcome);
            outcome
        };
        plans.iter().map(&mut follow).collect()
    })
}

/// Whether a step's failure ends its plan. The first one, which looks whether there is anything to do,
/// fails when files are missing.
fn ends_plan(place: usize, step: &Step) -> bool {
    place == 0 || step.on_error == OnError::Stop
}

/// The steps of all plans, one after the other, and what waits for what: always a later one for an
/// earlier one, so that there is no cycle.
struct Graph<'a> {
    tasks: Vec<Task<'a>>,
}

struct Task<'a> {
    worker: &'a Worker<'a>,
    plan_place: usize,
    /// The place of the plan's first step among all tasks.
    start: usize,
    step: &'a Step,
    is_command: bool,
    /// How many others it waits for.
    waits: usize,
    /// The tasks that wait for it.
    awaited_by: Vec<usize>,
}

impl Task<'_> {
    /// The place in its plan of the step whose place among all tasks this is.
    fn place(&self, task: usize) -> usize {
        task.saturating_sub(self.start)
    }
}

impl<'a> Graph<'a> {
    fn new(workers: &'a [Worker<'a>]) -> Self {
        let mut graph = Self { tasks: Vec::new() };
        let mut latest: HashMap<&ModuleName, usize> = HashMap::new();
        // The last command, and the tasks after it.
        let mut command = None;
        let mut since_command = Vec::new();
        for (plan_place, worker) in workers.iter().enumerate() {
            let start = graph.tasks.len();
            for step in worker.plan().steps() {
                let task = graph.tasks.len();
                let own = step.given.iter().chain(&step.needs).chain(&step.follows);
                let own = own.map(|place| start.saturating_add(*place));
                let mut others: Vec<usize> =
                    own.chain(latest.insert(&step.module, task)).chain(command).collect();
                let is_command = matches!(step.action, Action::RunInstall { .. } | Action::RunRemove { .. });
                if is_command {
                    others.append(&mut since_command);
                    command = Some(task);
                } else {
                    since_command.push(task);
                }
                others.sort_unstable();
                others.dedup();
                let (waits, awaited_by) = (0, Vec::new());
                graph.add(Task { worker, plan_place, start, step, is_command, waits, awaited_by }, &others);
            }
        }
        graph
    }

    fn add(&mut self, mut task: Task<'a>, others: &[usize]) {
        let place = self.tasks.len();
        for &other in others {
            if let Some(other) = self.tasks.get_mut(other) {
                other.awaited_by.push(place);
                task.waits = task.waits.saturating_add(1);
            }
        }
        self.tasks.push(task);
    }
}

/// What became of a step.
#[derive(Debug)]
struct Ended {
    result: StepResult,
    /// Whether it was done, and not found needless or without hope.
    began: bool,
    /// Whether the caller did not let it begin.
    aborted: bool,
    /// Why it failed, and the place in the plan of the step that is to blame.
    failure: Option<(usize, Failure)>,
}

impl Ended {
    fn silently(result: StepResult) -> Self {
        Self { result, began: false, aborted: false, failure: None }
    }
}

struct State {
    /// How many tasks each one still waits for.
    waits: Vec<usize>,
    /// The tasks that wait for nothing, in order, without commands.
    ready: BinaryHeap<Reverse<usize>>,
    results: Vec<Option<StepResult>>,
    /// What is still to be reported of each.
    ended: Vec<Option<Ended>>,
    /// By plan, whether a step's failure or the caller has ended it.
    stopped: Vec<bool>,
    /// How many tasks have not ended.
    left: usize,
}

impl State {
    fn new(graph: &Graph, plans: usize) -> Self {
        let tasks = &graph.tasks;
        let free = tasks.iter().enumerate().filter(|(_, task)| task.waits == 0 && !task.is_command);
        Self {
            waits: tasks.iter().map(|task| task.waits).collect(),
            ready: free.map(|(place, _)| Reverse(place)).collect(),
            results: vec![None; tasks.len()],
            ended: tasks.iter().map(|_| None).collect(),
            stopped: vec![false; plans],
            left: tasks.len(),
        }
    }

    /// What becomes of a task whose turn it is, where that is settled by what others came to.
    fn settled(&self, task: &Task) -> Option<Ended> {
        let result = |place: &usize| self.results.get(task.start.saturating_add(*place)).copied().flatten();
        if self.stopped.get(task.plan_place) == Some(&true) {
            return Some(Ended::silently(StepResult::Needless));
        }
        if task.step.needs.iter().any(|place| result(place) == Some(StepResult::Failed)) {
            return Some(Ended::silently(StepResult::Failed));
        }
        let given = task.step.given.is_none_or(|place| result(&place) == Some(StepResult::Done));
        (!given).then(|| Ended::silently(StepResult::Needless))
    }

    fn stop(&mut self, plan_place: usize) {
        if let Some(stopped) = self.stopped.get_mut(plan_place) {
            *stopped = true;
        }
    }

    fn end(&mut self, graph: &Graph, place: usize, result: StepResult) {
        let Some(task) = graph.tasks.get(place) else { return };
        if result == StepResult::Failed && ends_plan(task.place(place), task.step) {
            self.stop(task.plan_place);
        }
        if let Some(slot) = self.results.get_mut(place) {
            *slot = Some(result);
        }
        for &other in &task.awaited_by {
            let Some(waits) = self.waits.get_mut(other) else { continue };
            *waits = waits.saturating_sub(1);
            if *waits == 0 && graph.tasks.get(other).is_some_and(|task| !task.is_command) {
                self.ready.push(Reverse(other));
            }
        }
        self.left = self.left.saturating_sub(1);
    }
}

/// Plans that are being carried out, and what the threads share.
struct Run<'a> {
    graph: Graph<'a>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Run<'_> {
    /// Does tasks until none is left, but no commands.
    fn work(&self) {
        let mut state = self.lock();
        while state.left > 0 {
            let next =
                state.ready.pop().and_then(|Reverse(place)| Some((place, self.graph.tasks.get(place)?)));
            let Some((place, task)) = next else {
                state = self.wait(state);
                continue;
            };
            drop(state);
            let ended = self.act(place, task, &mut ());
            state = self.lock();
            state.end(&self.graph, place, ended.result);
            if let Some(slot) = state.ended.get_mut(place) {
                *slot = Some(ended);
            }
            self.changed.notify_all();
        }
    }

    /// Reports what becomes of a plan's tasks, as if they were done one after the other. Commands, and
    /// without other threads all tasks, are done here: those before them have ended by then.
    fn follow(&self, tasks: Range<usize>, alone: bool, hooks: &mut dyn Hooks) -> Outcome {
        let mut outcome = Outcome::Done;
        for (place, task) in tasks.clone().zip(self.graph.tasks.get(tasks).unwrap_or_default()) {
            let here = alone || task.is_command;
            let ended = if here { self.act(place, task, hooks) } else { self.wait_for(place) };
            let mut aborted = ended.aborted;
            if ended.began && !here {
                aborted = hooks.begin(task.worker.plan(), task.step) == Flow::Abort;
            }
            // Of several failures that end the plan, the first is reported.
            if outcome != Outcome::Failed {
                aborted |= reported_failure(task, &ended, hooks) == Flow::Abort;
                if aborted {
                    self.lock().stop(task.plan_place);
                }
                if aborted || (ended.result == StepResult::Failed && ends_plan(task.place(place), task.step))
                {
                    outcome = Outcome::Failed;
                } else if place == task.start && ended.result == StepResult::Needless {
                    outcome = Outcome::Needless;
                }
            }
            if here {
                self.lock().end(&self.graph, place, ended.result);
                self.changed.notify_all();
            }
        }
        outcome
    }

    /// Does a task, of which the hooks know when their thread does it.
    fn act(&self, place: usize, task: &Task, hooks: &mut dyn Hooks) -> Ended {
        if let Some(ended) = self.lock().settled(task) {
            return ended;
        }
        let Task { worker, step, start, .. } = *task;
        if !worker.holds(step) {
            return Ended::silently(StepResult::Needless);
        }
        let obstacle = if place == start { worker.obstacle() } else { None };
        if let Some(failure) = obstacle {
            return Ended { failure: Some(failure), ..Ended::silently(StepResult::Failed) };
        }
        let work = worker.prepare(step);
        let began = work.as_ref().is_ok_and(Work::is_seen);
        if began && hooks.begin(worker.plan(), step) == Flow::Abort {
            return Ended { aborted: true, ..Ended::silently(StepResult::Failed) };
        }
        match work.and_then(|work| worker.perform(task.place(place), step, work, hooks)) {
            Ok(()) => Ended { began, ..Ended::silently(StepResult::Done) },
            Err(failure) => {
                let failure = Some((task.place(place), failure));
                Ended { began, failure, ..Ended::silently(StepResult::Failed) }
            }
        }
    }

    /// Waits until a task has ended, and takes what became of it.
    fn wait_for(&self, place: usize) -> Ended {
        let mut state = self.lock();
        loop {
            match state.ended.get_mut(place).and_then(Option::take) {
                Some(ended) => return ended,
                None => state = self.wait(state),
            }
        }
    }

    /// The state is whole between any two changes, so that a thread that panicked leaves it usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

fn reported_failure(task: &Task, ended: &Ended, hooks: &mut dyn Hooks) -> Flow {
    let Some((blamed, failure)) = &ended.failure else { return Flow::Continue };
    let plan = task.worker.plan();
    hooks.failed(plan, plan.steps().get(*blamed).unwrap_or(task.step), failure)
}

/// Sends the threads home when the one that follows them has ended, also by a panic of a hook: they
/// would wait for its commands.
struct Dismissal<'a>(&'a Run<'a>);

impl Drop for Dismissal<'_> {
    fn drop(&mut self) {
        self.0.lock().left = 0;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
