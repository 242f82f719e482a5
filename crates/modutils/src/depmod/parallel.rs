//! Work spread over threads, its results in order.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// So many threads as are worth starting for a tree of so many modules, of those allowed.
pub fn worthwhile(threads: NonZeroUsize, modules: usize) -> NonZeroUsize {
    threads.min(NonZeroUsize::new(modules / 16).unwrap_or(NonZeroUsize::MIN))
}

/// So many threads as each of two sides may have that work [`beside`] one another.
pub fn half(threads: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(threads.get() / 2).unwrap_or(NonZeroUsize::MIN)
}

/// The results of `work` for the numbers below `count`, in their order. Each thread takes the next
/// number that nobody has taken, so that none is idle while there is work; what it makes with `start`
/// is its own from one number to the next.
///
/// Where the system gives fewer threads than asked for, those do it all. A thread that is started can
/// still end the process where memory lacks (the runtime gives it a signal stack): there must be
/// nothing half done at that time.
pub fn map<State, T: Send>(
    threads: NonZeroUsize,
    count: usize,
    start: impl Fn() -> State + Sync,
    work: impl Fn(&mut State, usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = start();
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return done;
            }
            done.push((number, work(&mut state, number)));
        }
    };
    let mut results: Vec<Option<T>> = Vec::new();
    results.resize_with(count, || None);
    let mut take = |done: Vec<(usize, T)>| {
        for (number, result) in done {
            if let Some(place) = results.get_mut(number) {
                *place = Some(result);
            }
        }
    };
    thread::scope(|scope| {
        let others = (1..threads.get().min(count))
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, run).ok())
            .collect::<Vec<_>>();
        take(run());
        for other in others {
            match other.join() {
                Ok(done) => take(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    // Every number was taken by one thread, and every thread has ended.
    results.into_iter().flatten().collect()
}

/// Does some work in a thread of its own, where there may be two, and the rest of it here meanwhile. What
/// [`map`] says of threads goes for this one, too.
pub fn beside<T: Send, U>(
    threads: NonZeroUsize,
    work: &(dyn Fn() -> T + Sync),
    meanwhile: impl FnOnce() -> U,
) -> (T, U) {
    thread::scope(|scope| {
        let other = (threads > NonZeroUsize::MIN).then(|| thread::Builder::new().spawn_scoped(scope, work));
        let here = meanwhile();
        match other {
            Some(Ok(other)) => match other.join() {
                Ok(done) => (done, here),
                Err(panic) => std::panic::resume_unwind(panic),
            },
            Some(Err(_)) | None => (work(), here),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_order_whatever_the_number_of_threads() {
        let expected: Vec<_> = (0..1000).map(|number| number * 2).collect();
        for threads in [1, 2, 16] {
            let threads = NonZeroUsize::new(threads).unwrap();
            assert_eq!(map(threads, 1000, || (), |(), number| number * 2), expected);
            assert_eq!(map(threads, 0, || (), |(), number| number), [0; 0]);
            assert_eq!(beside(threads, &|| 1, || 2), (1, 2));
        }
    }
}
