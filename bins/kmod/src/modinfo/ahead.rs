//! Facts of many files, read by several threads ahead of what prints them.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Mutex, mpsc},
    thread,
};

/// How many items may be in work or wait for those before them. Of each only its facts are kept, not
/// the file.
const WINDOW: usize = 64;

/// Does `work` for each item and gives item and result to `each`, in the order of the items: by as
/// many threads as there are processors, or, of a single item, here. What a thread makes with `start`
/// is its own from one item to the next.
pub fn in_order<T: Send, R: Send, S>(
    items: &mut dyn Iterator<Item = T>,
    start: &(dyn Fn() -> S + Sync),
    work: &(dyn Fn(&mut S, &T) -> R + Sync),
    each: &mut dyn FnMut(T, R),
) {
    let alone = |item: T, state: &mut S, each: &mut dyn FnMut(T, R)| {
        let result = work(state, &item);
        each(item, result);
    };
    let Some(first) = items.next() else { return };
    let Some(second) = items.next() else { return alone(first, &mut start(), each) };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WINDOW);
    let mut items = [first, second].into_iter().chain(items);
    let all_alone = |items: &mut dyn Iterator<Item = T>, each: &mut dyn FnMut(T, R)| {
        let mut state = start();
        items.for_each(|item| alone(item, &mut state, each));
    };
    if threads == 1 {
        return all_alone(&mut items, each);
    }
    let (jobs, queue) = mpsc::channel::<(T, mpsc::SyncSender<(T, R)>)>();
    let queue = Mutex::new(queue);
    let serve = || {
        let mut state = start();
        // The lock is held while one waits for a job: the others then wait for the lock.
        while let Ok((item, answer)) = queue.lock().map_err(drop).and_then(|jobs| jobs.recv().map_err(drop)) {
            let result = work(&mut state, &item);
            // Whoever asked has gone only where it panicked.
            let _ = answer.send((item, result));
        }
    };
    thread::scope(|scope| {
        // Its end is what ends the threads.
        let jobs = jobs;
        let started =
            (0..threads).filter(|_| thread::Builder::new().spawn_scoped(scope, serve).is_ok()).count();
        if started == 0 {
            return all_alone(&mut items, each);
        }
        let mut answers: VecDeque<mpsc::Receiver<(T, R)>> = VecDeque::with_capacity(WINDOW);
        loop {
            while answers.len() < WINDOW
                && let Some(item) = items.next()
            {
                let (answer, receiver) = mpsc::sync_channel(1);
                // There is somebody to take it as long as `queue` lives.
                let _ = jobs.send((item, answer));
                answers.push_back(receiver);
            }
            let Some(next) = answers.pop_front() else { break };
            // There is no answer from a thread that panicked, which the scope will tell.
            if let Ok((item, result)) = next.recv() {
                each(item, result);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn collected(count: usize, work: &(dyn Fn(&usize) -> usize + Sync)) -> Vec<(usize, usize)> {
        let mut results = Vec::new();
        in_order(&mut (0..count), &|| (), &|(), item| work(item), &mut |item, result| {
            results.push((item, result));
        });
        results
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, 2, 3, WINDOW, 3 * WINDOW + 1] {
            let wanted: Vec<_> = (0..count).map(|item| (item, item * 2)).collect();
            let slow_first = |item: &usize| {
                (0..(count - item) * 50).for_each(|_| std::hint::spin_loop());
                item * 2
            };
            assert_eq!(collected(count, &slow_first), wanted);
        }
    }

    #[test]
    fn no_more_than_a_window_is_ahead() {
        let (taken, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut items = (0..10 * WINDOW).inspect(|_| {
            taken.fetch_add(1, Ordering::SeqCst);
        });
        in_order(&mut items, &|| (), &|(), _| (), &mut |_, ()| {
            let given = given.fetch_add(1, Ordering::SeqCst);
            assert!(taken.load(Ordering::SeqCst) <= given + WINDOW + 2);
        });
        assert_eq!(given.load(Ordering::SeqCst), 10 * WINDOW);
    }
}
