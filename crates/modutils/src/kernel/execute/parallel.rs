//! Plans carried out at once: a step begins when all that it waits for have ended.
//!
//! The steps of all plans make up one graph. Beside the edges of each plan, a step waits for the
//! steps of earlier plans that are about the same module: it then finds the module loaded, or tries
//! again what failed, as it would if the plans were carried out one after the other. A command may do
//! anything at all; it runs alone, after all steps before it and before all steps after it.
//!
//! What happens is told in the order of the plans and their steps, whatever ended first. Only a plan
//! that fails may do more than it does alone: steps that do not need the one that failed may have
//! begun by then.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    num::NonZeroUsize,
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

use super::{Event, Execution, Failure, Flow, Kernel, Outcome, Run, StepResult};
use crate::{
    ModuleName,
    plan::{Action, OnError, Plan, Step},
};

/// What happens while plans are carried out.
#[derive(Debug)]
pub enum Told<'a> {
    /// Something about a step of a plan.
    Event(Event<'a>),
    /// The plan has ended.
    Ended(Outcome),
}

/// Carries out plans that load modules, up to `jobs` steps at once, and tells what happens with the
/// plan's place among `plans`.
pub fn execute_all(
    kernel: &Kernel,
    plans: &[Plan],
    execution: &Execution,
    jobs: NonZeroUsize,
    tell: &mut dyn FnMut(usize, Told),
) {
    let graph = Graph::new(plans);
    let state = Mutex::new(State::new(&graph, plans.len()));
    let crew = Crew { kernel, execution, graph: &graph, state, changed: Condvar::new() };
    thread::scope(|scope| {
        let threads = jobs.get().min(graph.tasks.len());
        let started = (0..threads)
            .filter(|_| thread::Builder::new().spawn_scoped(scope, || crew.work()).is_ok())
            .count();
        // Without threads the work is done here.
        if started == 0 {
            crew.work();
        }
        let mut ended = (0..graph.tasks.len()).map(|task| crew.wait_for(task));
        for (place, plan) in plans.iter().enumerate() {
            let outcome = tell_plan(plan, &mut ended, &mut |event| tell(place, Told::Event(event)));
            tell(place, Told::Ended(outcome));
        }
    });
}

/// Tells what became of a plan's steps, as if they had been done one after the other.
fn tell_plan(plan: &Plan, ended: &mut dyn Iterator<Item = Ended>, tell: &mut dyn FnMut(Event)) -> Outcome {
    let mut outcome = Outcome::Done;
    for (place, (step, ended)) in plan.steps.iter().zip(ended).enumerate() {
        if ended.began {
            tell(Event::Begin(step));
        }
        // Of several failures that end the plan, the first is told.
        if outcome == Outcome::Failed {
            continue;
        }
        if let Some((failed, failure)) = &ended.failure {
            tell(Event::Failed(plan.steps.get(*failed).unwrap_or(step), failure));
        }
        if ended.result == StepResult::Failed && ends_plan(place, step) {
            outcome = Outcome::Failed;
        }
        if place == 0 && ended.result == StepResult::Needless {
            outcome = Outcome::Needless;
        }
    }
    outcome
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
    plan: &'a Plan,
    plan_place: usize,
    /// The place of the plan's first step among all tasks.
    start: usize,
    step: &'a Step,
    /// How many others it waits for.
    waits: usize,
    /// Those that wait for it.
    awaited_by: Vec<usize>,
}

impl<'a> Graph<'a> {
    fn new(plans: &'a [Plan]) -> Self {
        let mut graph = Self { tasks: Vec::new() };
        let mut latest: HashMap<&ModuleName, usize> = HashMap::new();
        // The last command, and the tasks after it.
        let mut command = None;
        let mut since_command = Vec::new();
        for (plan_place, plan) in plans.iter().enumerate() {
            let start = graph.tasks.len();
            for step in &plan.steps {
                let task = graph.tasks.len();
                let own = step.given.iter().chain(&step.needs).chain(&step.follows);
                let own = own.map(|place| start.saturating_add(*place));
                let mut others: Vec<usize> =
                    own.chain(latest.insert(&step.module, task)).chain(command).collect();
                if matches!(step.action, Action::RunInstall { .. } | Action::RunRemove { .. }) {
                    others.append(&mut since_command);
                    command = Some(task);
                } else {
                    since_command.push(task);
                }
                others.sort_unstable();
                others.dedup();
                graph.add(Task { plan, plan_place, start, step, waits: 0, awaited_by: Vec::new() }, &others);
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
    /// Why it failed, and the place in the plan of the step that is to blame.
    failure: Option<(usize, Failure)>,
}

impl Ended {
    fn without_a_word(result: StepResult) -> Self {
        Self { result, began: false, failure: None }
    }
}

struct State {
    /// How many tasks each one still waits for.
    waits: Vec<usize>,
    /// Those that wait for none, the first one first.
    ready: BinaryHeap<Reverse<usize>>,
    results: Vec<Option<StepResult>>,
    /// What is still to be told of each.
    ended: Vec<Option<Ended>>,
    /// By plan, whether a step's failure has ended it.
    stopped: Vec<bool>,
    /// How many tasks have not ended.
    left: usize,
}

impl State {
    fn new(graph: &Graph, plans: usize) -> Self {
        let tasks = &graph.tasks;
        let free = tasks.iter().enumerate().filter(|(_, task)| task.waits == 0);
        Self {
            waits: tasks.iter().map(|task| task.waits).collect(),
            ready: free.map(|(place, _)| Reverse(place)).collect(),
            results: vec![None; tasks.len()],
            ended: tasks.iter().map(|_| None).collect(),
            stopped: vec![false; plans],
            left: tasks.len(),
        }
    }

    /// What becomes of a task whose turn has come, where that is settled by what others came to.
    fn settled(&self, task: &Task) -> Option<Ended> {
        let result = |place: &usize| self.results.get(task.start.saturating_add(*place)).copied().flatten();
        if self.stopped.get(task.plan_place) == Some(&true) {
            return Some(Ended::without_a_word(StepResult::Needless));
        }
        if task.step.needs.iter().any(|place| result(place) == Some(StepResult::Failed)) {
            return Some(Ended::without_a_word(StepResult::Failed));
        }
        let given = task.step.given.is_none_or(|place| result(&place) == Some(StepResult::Done));
        (!given).then(|| Ended::without_a_word(StepResult::Needless))
    }

    fn end(&mut self, place: usize, task: &Task, ended: Ended) {
        if ended.result == StepResult::Failed
            && ends_plan(place.saturating_sub(task.start), task.step)
            && let Some(stopped) = self.stopped.get_mut(task.plan_place)
        {
            *stopped = true;
        }
        if let Some(result) = self.results.get_mut(place) {
            *result = Some(ended.result);
        }
        if let Some(slot) = self.ended.get_mut(place) {
            *slot = Some(ended);
        }
        for &other in &task.awaited_by {
            let Some(waits) = self.waits.get_mut(other) else { continue };
            *waits = waits.saturating_sub(1);
            if *waits == 0 {
                self.ready.push(Reverse(other));
            }
        }
        self.left = self.left.saturating_sub(1);
    }
}

/// The threads that work, and what they share.
struct Crew<'a> {
    kernel: &'a Kernel<'a>,
    execution: &'a Execution,
    graph: &'a Graph<'a>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Crew<'_> {
    /// Does tasks until none is left.
    fn work(&self) {
        let mut state = self.lock();
        while state.left > 0 {
            let next =
                state.ready.pop().and_then(|Reverse(place)| Some((place, self.graph.tasks.get(place)?)));
            let Some((place, task)) = next else {
                state = self.wait(state);
                continue;
            };
            let ended = match state.settled(task) {
                Some(ended) => ended,
                None => {
                    drop(state);
                    let ended = self.act(place, task);
                    state = self.lock();
                    ended
                }
            };
            state.end(place, task, ended);
            self.changed.notify_all();
        }
    }

    fn act(&self, place: usize, task: &Task) -> Ended {
        let mut began = false;
        let mut tell = |event: Event| {
            began |= matches!(event, Event::Begin(_));
            Flow::Continue
        };
        let mut run = Run::new(self.kernel, task.plan, self.execution, &mut tell);
        if !run.holds(task.step) {
            return Ended::without_a_word(StepResult::Needless);
        }
        if place == task.start
            && let Some((step, failure)) = run.obstacle()
        {
            let blamed = task.plan.steps.iter().position(|other| std::ptr::eq(other, step));
            let failure = Some((blamed.unwrap_or_default(), failure));
            return Ended { result: StepResult::Failed, began: false, failure };
        }
        match run.act(task.step) {
            Ok(_) => Ended { result: StepResult::Done, began, failure: None },
            Err(failure) => {
                let failure = Some((place.saturating_sub(task.start), failure));
                Ended { result: StepResult::Failed, began, failure }
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
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
