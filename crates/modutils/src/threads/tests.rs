use std::{
    hint::spin_loop,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;

const WINDOW: usize = 1024;

fn pool(threads: usize) -> Pool {
    Pool::of(NonZeroUsize::new(threads).unwrap())
}

fn spin(rounds: usize) {
    (0..rounds).for_each(|_| spin_loop());
}

/// What is delivered for the items below `count`.
fn delivered(pool: Pool, count: usize, work: &(dyn Fn(&usize) -> usize + Sync)) -> Vec<(usize, usize)> {
    let mut results = Vec::new();
    let work = |(): &mut (), item: &usize| work(item);
    pool.in_order(&mut (0..count), &|| (), &work, &|_| 8, &mut |item, result| results.push((item, result)));
    results
}

#[test]
fn results_come_in_the_order_of_the_items() {
    for count in [0, 1, 2, 3, BATCH - 1, BATCH, BATCH + 1, WINDOW, WINDOW + 1, 3 * WINDOW + 1] {
        let wanted: Vec<_> = (0..count).map(|item| (item, item * 2)).collect();
        let each_faster = |item: &usize| {
            spin((50 - item % 50) * 2);
            item * 2
        };
        let first_is_slow = |item: &usize| {
            spin(if item.is_multiple_of(1500) { 50_000 } else { 0 });
            item * 2
        };
        for pool in [pool(1), pool(2), pool(7), Pool::for_processors()] {
            for pool in [pool, pool.with_window(WINDOW).with_budget(1000), pool.with_window(1)] {
                assert_eq!(delivered(pool, count, &each_faster), wanted, "{pool:?}");
                assert_eq!(delivered(pool, count, &first_is_slow), wanted, "{pool:?}");
            }
            assert_eq!(pool.map(0..count, || (), |(), item| (*item, item * 2)), wanted);
        }
    }
}

#[test]
fn without_other_threads_one_does_it_all() {
    // As if none could be started.
    for count in [2, BATCH, 3 * WINDOW] {
        let mut results = Vec::new();
        let pool = pool(1).with_window(WINDOW).with_budget(100);
        let work = |state: &mut usize, item: &usize| {
            *state += 1;
            (*item, *state)
        };
        let each = &mut |_, result| results.push(result);
        pool.spread(NonZeroUsize::MIN, &mut (0..count), &|| 0, &work, &|_| 60, each);
        assert_eq!(results, (0..count).map(|item| (item, item + 1)).collect::<Vec<_>>());
    }
}

#[test]
fn no_more_than_a_window_is_ahead() {
    for threads in [1, 2, 5] {
        let (taken, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut items = (0..10 * WINDOW).inspect(|_| {
            taken.fetch_add(1, Ordering::SeqCst);
        });
        let pool = pool(threads).with_window(WINDOW);
        pool.in_order(&mut items, &|| (), &|(), _| (), &|()| 0, &mut |_, ()| {
            let given = given.fetch_add(1, Ordering::SeqCst);
            assert!(taken.load(Ordering::SeqCst) <= given + WINDOW);
        });
        assert_eq!(given.load(Ordering::SeqCst), 10 * WINDOW);
    }
}

/// One thread is at the first item until the others have nothing to do any more.
#[test]
fn large_results_are_not_heaped_up() {
    let (threads, budget) = (3, 100);
    let (begun, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = |(): &mut (), item: &usize| {
        begun.fetch_add(1, Ordering::SeqCst);
        spin(if *item == 0 { 2_000_000 } else { 0 });
    };
    let pool = pool(threads).with_window(WINDOW).with_budget(budget);
    pool.in_order(&mut (0..500), &|| (), &work, &|()| budget / 2, &mut |_, ()| {
        let given = given.fetch_add(1, Ordering::SeqCst);
        // Three are more than may be kept; each thread may have one more in work. As many again may have
        // been taken out together with this one.
        assert!(begun.load(Ordering::SeqCst) <= given + 2 * (3 + threads));
    });
    assert_eq!(given.load(Ordering::SeqCst), 500);
}

#[test]
fn a_thread_keeps_its_state_from_one_item_to_the_next() {
    let states = AtomicUsize::new(0);
    let start = || {
        states.fetch_add(1, Ordering::SeqCst);
        0
    };
    let counts = pool(4).map(0..1000, start, |count, _| {
        *count += 1;
        usize::from(*count == 1)
    });
    assert!(states.load(Ordering::SeqCst) <= 4);
    assert!((1..=4).contains(&counts.iter().sum::<usize>()));
}

#[test]
fn a_panic_on_either_side_ends_all_threads_and_is_passed_on() {
    let message = |threads, in_work: bool| {
        let panicked = panic::catch_unwind(|| {
            let work = |(): &mut (), item: &usize| assert!(!in_work || *item != 700, "in work");
            let each = &mut |item, ()| assert!(in_work || item != 700, "in turn");
            pool(threads).with_window(WINDOW).in_order(&mut (0..5 * WINDOW), &|| (), &work, &|()| 0, each);
        });
        panicked.unwrap_err().downcast_ref::<&str>().map(|message| (*message).to_owned())
    };
    for threads in [1, 2, 8] {
        assert_eq!(message(threads, true).as_deref(), Some("in work"));
        assert_eq!(message(threads, false).as_deref(), Some("in turn"));
    }
}

#[test]
fn two_sides_share_the_threads() {
    for (threads, share) in [(1, 1), (2, 1), (3, 1), (8, 4)] {
        let threads = NonZeroUsize::new(threads).unwrap();
        assert_eq!(beside(threads, &|own| own.get(), |own| own.get() + 1), (share, share + 1));
    }
    let two = NonZeroUsize::new(2).unwrap();
    assert!(panic::catch_unwind(|| beside(two, &|_| assert!(two.get() == 1), |_| ())).is_err());
}
