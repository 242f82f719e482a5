//! Work spread over threads, its results in the order of its items.
//!
//! The thread that wants the results works too. It alone takes items from where they
//! come from and delivers results, as they come. The others find their items in a queue that is long
//! enough to be hardly ever empty, because waking a thread takes about as long as reading a small module.
//!
//! Where the system gives fewer threads than asked for, those do it all. A thread that is started can
//! still end the process where memory lacks (the runtime gives it a signal stack): there must be
//! nothing half done at that time.

use std::{
    collections::VecDeque,
    iter,
    num::NonZeroUsize,
    panic,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// So many items are put into the queue at once.
const BATCH: usize = 64;

/// As many threads as there are processors for us.
pub fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// How work is spread.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    threads: Option<NonZeroUsize>,
    window: usize,
    budget: usize,
}

impl Pool {
    /// As many threads as there are processors.
    pub fn for_processors() -> Self {
        Self { threads: None, window: usize::MAX, budget: usize::MAX }
    }

    /// So many threads at most. One works without starting any.
    pub fn of(threads: NonZeroUsize) -> Self {
        Self { threads: Some(threads), ..Self::for_processors() }
    }

    /// No more than so many items may be taken and not yet delivered.
    pub fn with_window(self, items: usize) -> Self {
        Self { window: items.max(1), ..self }
    }

    /// When results that wait for those before them come to more than so many bytes, no item is begun
    /// until they have been delivered.
    pub fn with_budget(self, bytes: usize) -> Self {
        Self { budget: bytes, ..self }
    }

    /// Does `work` for each item, and gives item and result to `each`, in the order of the items, while
    /// others are still in work. What a thread makes with `start` is its own from one item to the next.
    /// `size` is about how many bytes a result takes.
    ///
    /// A panic, wherever it comes, ends all threads and goes on in this one.
    pub fn in_order<T: Send, R: Send, S>(
        &self,
        items: &mut dyn Iterator<Item = T>,
        start: &(dyn Fn() -> S + Sync),
        work: &(dyn Fn(&mut S, &T) -> R + Sync),
        size: &(dyn Fn(&R) -> usize + Sync),
        each: &mut dyn FnMut(T, R),
    ) {
        let mut alone = |items: &mut dyn Iterator<Item = T>| {
            let mut state = start();
            for item in items {
                let result = work(&mut state, &item);
                each(item, result);
            }
        };
        // How many processors there are takes as long to find out as a small module to read.
        let Some(first) = items.next() else { return };
        let Some(second) = items.next() else { return alone(&mut iter::once(first)) };
        let mut items = [first, second].into_iter().chain(items);
        match self.threads.unwrap_or_else(processors) {
            NonZeroUsize::MIN => alone(&mut items),
            threads => self.spread(threads, &mut items, start, work, size, each),
        }
    }

    /// The results of `work` for all items, in their order.
    pub fn map<T: Send, R: Send, S>(
        &self,
        items: impl IntoIterator<Item = T>,
        start: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, &T) -> R + Sync,
    ) -> Vec<R> {
        let mut items = items.into_iter();
        let mut results = Vec::with_capacity(items.size_hint().0);
        self.in_order(&mut items, &start, &work, &|_| 0, &mut |_, result| results.push(result));
        results
    }

    fn spread<T: Send, R: Send, S>(
        &self,
        threads: NonZeroUsize,
        items: &mut dyn Iterator<Item = T>,
        start: &(dyn Fn() -> S + Sync),
        work: &(dyn Fn(&mut S, &T) -> R + Sync),
        size: &(dyn Fn(&R) -> usize + Sync),
        each: &mut dyn FnMut(T, R),
    ) {
        let queue = Queue::new(self);
        let act = |state: &mut S, number, item| {
            let result = work(state, &item);
            Done { number, size: size(&result), item, result }
        };
        let serve = || {
            let _ending = Ending(&queue);
            let mut state = start();
            let mut done = None;
            while let Some((number, item)) = queue.next(done.take()) {
                done = Some(act(&mut state, number, item));
            }
        };
        thread::scope(|scope| {
            // However this ends, the threads do.
            let _ending = Ending(&queue);
            let others = queue.put(items).min(threads.get()).saturating_sub(1);
            let others: Vec<_> =
                (0..others).map_while(|_| thread::Builder::new().spawn_scoped(scope, serve).ok()).collect();
            let mut state = None;
            let mut done = None;
            loop {
                match queue.turn(done.take()) {
                    Turn::Deliver(results) => {
                        results.into_iter().for_each(|(item, result)| each(item, result));
                    }
                    Turn::Fill => drop(queue.put(items)),
                    Turn::Work(number, item) => {
                        done = Some(act(state.get_or_insert_with(start), number, item));
                    }
                    Turn::End => break,
                }
            }
            for other in others {
                if let Err(cause) = other.join() {
                    panic::resume_unwind(cause);
                }
            }
        });
    }
}

/// Does some work in a second thread, where there may be two, and the rest of it here meanwhile. Each
/// is given its share of the threads.
pub fn beside<T: Send, U>(
    threads: NonZeroUsize,
    work: &(dyn Fn(NonZeroUsize) -> T + Sync),
    meanwhile: impl FnOnce(NonZeroUsize) -> U,
) -> (T, U) {
    let share = NonZeroUsize::new(threads.get() / 2).unwrap_or(NonZeroUsize::MIN);
    thread::scope(|scope| {
        let start = || thread::Builder::new().spawn_scoped(scope, || work(share)).ok();
        let other = if threads > NonZeroUsize::MIN { start() } else { None };
        let here = meanwhile(share);
        match other.map(thread::ScopedJoinHandle::join) {
            Some(Ok(done)) => (done, here),
            Some(Err(cause)) => panic::resume_unwind(cause),
            None => (work(share), here),
        }
    })
}

/// Where items lie for the threads, and results for the one that delivers them.
struct Queue<T, R> {
    state: Mutex<State<T, R>>,
    /// A thread may have something to do.
    work: Condvar,
    /// The first result is available.
    results: Condvar,
    window: usize,
    budget: usize,
}

struct State<T, R> {
    /// Items that nobody has begun, in their order.
    waiting: VecDeque<T>,
    /// The items after the collected ones, as far as they were begun; with what came of
    /// them.
    begun: VecDeque<Option<Done<T, R>>>,
    /// How many were collected.
    collected: usize,
    /// The size of the results that lie here.
    kept: usize,
    /// Nothing more comes.
    complete: bool,
    /// A thread has panicked.
    broken: bool,
    /// How many threads wait for work.
    idle: usize,
    /// Whether the one that delivers waits for results.
    awaited: bool,
}

/// An item that is done with, and its place among all.
struct Done<T, R> {
    number: usize,
    item: T,
    result: R,
    size: usize,
}

/// What the thread that delivers has to do next.
enum Turn<T, R> {
    /// Deliver these.
    Deliver(Vec<(T, R)>),
    /// Put more items into the queue.
    Fill,
    /// Work on an item, by its number.
    Work(usize, T),
    /// Nothing.
    End,
}

impl<T, R> State<T, R> {
    fn is_first_done(&self) -> bool {
        matches!(self.begun.front(), Some(Some(_)))
    }

    fn finish(&mut self, done: Option<Done<T, R>>) {
        let Some(done) = done else { return };
        self.kept = self.kept.saturating_add(done.size);
        let place = done.number.checked_sub(self.collected);
        if let Some(place) = place.and_then(|place| self.begun.get_mut(place)) {
            *place = Some(done);
        }
    }

    fn collect(&mut self) -> Vec<(T, R)> {
        let mut results = Vec::new();
        while self.is_first_done() {
            let Some(done) = self.begun.pop_front().flatten() else { break };
            self.kept = self.kept.saturating_sub(done.size);
            results.push((done.item, done.result));
        }
        self.collected = self.collected.saturating_add(results.len());
        results
    }
}

impl<T, R> Queue<T, R> {
    fn new(pool: &Pool) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            begun: VecDeque::new(),
            collected: 0,
            kept: 0,
            complete: false,
            broken: false,
            idle: 0,
            awaited: false,
        };
        let Pool { window, budget, .. } = *pool;
        Self { state: Mutex::new(state), work: Condvar::new(), results: Condvar::new(), window, budget }
    }

    /// Nothing that could panic is done with the lock held.
    fn lock(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts items into the queue, and returns how many. If fewer than asked for, there are no more.
    fn put(&self, items: &mut dyn Iterator<Item = T>) -> usize {
        let most = BATCH.min(self.window);
        let items: Vec<T> = items.take(most).collect();
        let count = items.len();
        let mut state = self.lock();
        state.complete = count < most;
        state.waiting.extend(items);
        self.wake(&state);
        count
    }

    /// Takes what a thread has done, and gives it the next item; `None` at the end.
    fn next(&self, done: Option<Done<T, R>>) -> Option<(usize, T)> {
        let mut state = self.lock();
        state.finish(done);
        if state.awaited && state.is_first_done() {
            state.awaited = false;
            self.results.notify_one();
        }
        loop {
            if state.broken || (state.complete && state.waiting.is_empty()) {
                return None;
            }
            if let Some(next) = self.begin(&mut state) {
                return Some(next);
            }
            state.idle = state.idle.saturating_add(1);
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle = state.idle.saturating_sub(1);
        }
    }

    /// Takes what the thread that delivers has done itself, and returns what to do next. Waits where that
    /// is nothing yet.
    fn turn(&self, done: Option<Done<T, R>>) -> Turn<T, R> {
        let mut state = self.lock();
        state.finish(done);
        loop {
            if state.broken {
                return Turn::End;
            }
            if state.is_first_done() {
                let results = state.collect();
                self.wake(&state);
                return Turn::Deliver(results);
            }
            if self.has_room(&state) {
                return Turn::Fill;
            }
            if let Some((number, item)) = self.begin(&mut state) {
                return Turn::Work(number, item);
            }
            if state.begun.is_empty() {
                return Turn::End;
            }
            // The others are at the items that come first.
            state.awaited = true;
            state = self.results.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn has_room(&self, state: &State<T, R>) -> bool {
        let taken = state.waiting.len().saturating_add(state.begun.len());
        !state.complete && taken.saturating_add(BATCH.min(self.window)) <= self.window
    }

    /// The next item with its number. Those before it have been begun: where results are kept that are
    /// too large together, the first of them comes without anything else being begun.
    fn begin(&self, state: &mut State<T, R>) -> Option<(usize, T)> {
        let item = if state.kept > self.budget { None } else { state.waiting.pop_front() }?;
        let number = state.collected.saturating_add(state.begun.len());
        state.begun.push_back(None);
        Some((number, item))
    }

    fn wake(&self, state: &State<T, R>) {
        if state.idle > 0 && (state.complete || !state.waiting.is_empty()) {
            self.work.notify_all();
        }
    }
}

/// The end of a thread: after a panic nobody waits for it.
struct Ending<'a, T, R>(&'a Queue<T, R>);

impl<T, R> Drop for Ending<'_, T, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().broken = true;
            self.0.work.notify_all();
            self.0.results.notify_all();
        }
    }
}

#[cfg(test)]
mod tests;
