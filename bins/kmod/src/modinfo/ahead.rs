//! Facts of many files, read by several threads ahead of what prints them.
//!
//! Waking a thread takes about as long as reading a small module. So the threads take their items from
//! one queue that is long enough to never be empty, and what prints is woken once in a while, to take
//! what has come in the meantime.

use std::{
    collections::VecDeque,
    iter,
    num::NonZeroUsize,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// How many items may be in work or wait for those before them: more than the others of a tree are
/// done with while one thread is at its largest module.
const WINDOW: usize = 1024;

/// So many are put into the queue at once.
const PUT: usize = 64;

/// So many results are worth waking what prints them.
const WORTH: usize = 128;

/// When results that wait for those before them come to so many bytes, nothing else is begun.
const KEPT: usize = 16 << 20;

/// A result, for as long as it waits for those before it.
pub trait Kept {
    /// About how many bytes it takes.
    fn size(&self) -> usize;
}

/// Does `work` for each item and gives item and result to `each`, in the order of the items: by as
/// many threads as there are processors, or, of a single item, here. What a thread makes with `start`
/// is its own from one item to the next.
pub fn in_order<T: Send, R: Kept + Send, S>(
    items: &mut dyn Iterator<Item = T>,
    start: &(dyn Fn() -> S + Sync),
    work: &(dyn Fn(&mut S, &T) -> R + Sync),
    each: &mut dyn FnMut(T, R),
) {
    let alone = |items: &mut dyn Iterator<Item = T>, each: &mut dyn FnMut(T, R)| {
        let mut state = start();
        for item in items {
            let result = work(&mut state, &item);
            each(item, result);
        }
    };
    let Some(first) = items.next() else { return };
    let Some(second) = items.next() else { return alone(&mut iter::once(first), each) };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WINDOW);
    let mut items = [first, second].into_iter().chain(items);
    if threads == 1 {
        return alone(&mut items, each);
    }
    let desk = Desk::new();
    let serve = || {
        let _ending = Ending(&desk);
        let mut state = start();
        let mut done = None;
        while let Some((number, item)) = desk.next(done.take()) {
            let result = work(&mut state, &item);
            done = Some((number, item, result));
        }
    };
    thread::scope(|scope| {
        // However this ends, the threads do.
        let _ending = Ending(&desk);
        let started =
            (0..threads).filter(|_| thread::Builder::new().spawn_scoped(scope, serve).is_ok()).count();
        if started == 0 {
            return alone(&mut items, each);
        }
        loop {
            if desk.has_room() {
                desk.put(items.by_ref().take(PUT).collect());
            }
            let Some(results) = desk.collect() else { break };
            results.into_iter().for_each(|(item, result)| each(item, result));
        }
    });
}

/// Where items lie for the threads, and results for what prints them.
struct Desk<T, R> {
    state: Mutex<State<T, R>>,
    /// A thread may have something to do.
    work: Condvar,
    /// Results are worth taking.
    results: Condvar,
}

struct State<T, R> {
    /// Items that nobody has begun, in their order.
    waiting: VecDeque<T>,
    /// The items after those that were collected, as far as they have been begun; with what came of
    /// them.
    begun: VecDeque<Option<(T, R)>>,
    /// How many were collected.
    collected: usize,
    /// How many of those begun are not done.
    in_work: usize,
    /// The size of the results that lie here.
    kept: usize,
    /// Nothing more comes.
    complete: bool,
    /// A thread has ended before its work.
    broken: bool,
    /// How many threads wait.
    idle: usize,
    /// Whether what prints waits for results.
    awaited: bool,
}

impl<T, R: Kept> State<T, R> {
    fn is_first_done(&self) -> bool {
        matches!(self.begun.front(), Some(Some(_)))
    }

    fn is_all_done(&self) -> bool {
        self.waiting.is_empty() && self.in_work == 0
    }

    fn is_worth_collecting(&self) -> bool {
        let done = self.begun.len() - self.in_work;
        self.is_first_done() && (done >= WORTH || self.kept > KEPT || self.is_all_done())
    }

    fn has_room(&self) -> bool {
        !self.complete && self.waiting.len() + self.begun.len() < WINDOW
    }

    /// The next item with its number. Those before it have been begun: where results are kept that are
    /// too large together, the first of them comes without anything else being begun.
    fn begin(&mut self) -> Option<(usize, T)> {
        let item = if self.kept > KEPT { None } else { self.waiting.pop_front() }?;
        let number = self.collected + self.begun.len();
        self.begun.push_back(None);
        self.in_work += 1;
        Some((number, item))
    }

    fn finish(&mut self, (number, item, result): (usize, T, R)) {
        self.in_work -= 1;
        self.kept += result.size();
        if let Some(place) = self.begun.get_mut(number - self.collected) {
            *place = Some((item, result));
        }
    }
}

impl<T, R: Kept> Desk<T, R> {
    fn new() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            begun: VecDeque::new(),
            collected: 0,
            in_work: 0,
            kept: 0,
            complete: false,
            broken: false,
            idle: 0,
            awaited: false,
        };
        Self { state: Mutex::new(state), work: Condvar::new(), results: Condvar::new() }
    }

    /// Nothing that could panic is done with the lock held.
    fn lock(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a thread has done, and gives it the next item; `None` at the end.
    fn next(&self, done: Option<(usize, T, R)>) -> Option<(usize, T)> {
        let mut state = self.lock();
        if let Some(done) = done {
            state.finish(done);
            if state.is_worth_collecting() && std::mem::take(&mut state.awaited) {
                self.results.notify_one();
            }
        }
        loop {
            if state.broken || (state.complete && state.waiting.is_empty()) {
                return None;
            }
            if let Some(next) = state.begin() {
                return Some(next);
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    /// Puts items into the queue; none, when there are no more.
    fn put(&self, items: Vec<T>) {
        let mut state = self.lock();
        state.complete = items.len() < PUT;
        state.waiting.extend(items);
        self.wake(&state);
    }

    /// Takes the results that have come, and waits for them where nothing else is to be done; `None`
    /// at the end.
    fn collect(&self) -> Option<Vec<(T, R)>> {
        let mut state = self.lock();
        while !state.has_room() && !state.is_worth_collecting() {
            if state.broken || (state.complete && state.is_all_done()) {
                return None;
            }
            state.awaited = true;
            state = self.results.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut results = Vec::new();
        while state.is_first_done() {
            results.extend(state.begun.pop_front().flatten());
        }
        state.collected += results.len();
        state.kept -= results.iter().map(|(_, result)| result.size()).sum::<usize>();
        self.wake(&state);
        Some(results)
    }

    fn wake(&self, state: &State<T, R>) {
        if state.idle > 0 {
            self.work.notify_all();
        }
    }
}

/// The end of a thread: where it comes by a panic, nobody waits for it.
struct Ending<'a, T, R>(&'a Desk<T, R>);

impl<T, R> Drop for Ending<'_, T, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.state.lock().unwrap_or_else(PoisonError::into_inner).broken = true;
            self.0.work.notify_all();
            self.0.results.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A result of some size.
    #[derive(Debug, PartialEq)]
    struct Sized(usize, usize);

    impl Kept for Sized {
        fn size(&self) -> usize {
            self.1
        }
    }

    fn collected(count: usize, work: &(dyn Fn(&usize) -> usize + Sync)) -> Vec<(usize, Sized)> {
        let mut results = Vec::new();
        let work = |_: &mut (), item: &usize| Sized(work(item), 8);
        in_order(&mut (0..count), &|| (), &work, &mut |item, result| results.push((item, result)));
        results
    }

    fn spin(rounds: usize) {
        (0..rounds).for_each(|_| std::hint::spin_loop());
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, 2, 3, PUT - 1, PUT, PUT + 1, WORTH, WINDOW, WINDOW + 1, 3 * WINDOW + 1] {
            let wanted: Vec<_> = (0..count).map(|item| (item, Sized(item * 2, 8))).collect();
            let slow_first = |item: &usize| {
                spin((count - item).min(50) * 50);
                item * 2
            };
            assert_eq!(collected(count, &slow_first), wanted);
            let first_is_slow = |item: &usize| {
                spin(if item.is_multiple_of(1500) { 1_000_000 } else { 0 });
                item * 2
            };
            assert_eq!(collected(count, &first_is_slow), wanted);
        }
    }

    #[test]
    fn no_more_than_a_window_is_ahead() {
        let (taken, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut items = (0..10 * WINDOW).inspect(|_| {
            taken.fetch_add(1, Ordering::SeqCst);
        });
        in_order(&mut items, &|| (), &|(), _| Sized(0, 8), &mut |_, _| {
            let given = given.fetch_add(1, Ordering::SeqCst);
            assert!(taken.load(Ordering::SeqCst) <= given + WINDOW + PUT + 2);
        });
        assert_eq!(given.load(Ordering::SeqCst), 10 * WINDOW);
    }

    /// One thread is at the first item until the others have nothing to do any more.
    #[test]
    fn large_results_are_not_heaped_up() {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (begun, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |_: &mut (), item: &usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            spin(if *item == 0 { 10_000_000 } else { 0 });
            Sized(*item, KEPT / 2)
        };
        in_order(&mut (0..500), &|| (), &work, &mut |_, _| {
            let given = given.fetch_add(1, Ordering::SeqCst);
            // Three are more than may be kept; each thread may have one more in work.
            assert!(threads == 1 || begun.load(Ordering::SeqCst) <= given + 2 * (3 + threads));
        });
        assert_eq!(given.load(Ordering::SeqCst), 500);
    }

    #[test]
    fn a_panic_on_either_side_ends_all_threads() {
        let ends = |in_work: bool| {
            std::panic::catch_unwind(|| {
                let work = |_: &mut (), item: &usize| {
                    assert!(!in_work || *item != 700);
                    Sized(*item, 8)
                };
                in_order(&mut (0..5 * WINDOW), &|| (), &work, &mut |item, _| assert!(in_work || item != 700));
            })
        };
        assert!(ends(true).is_err() && ends(false).is_err());
    }
}
