//! Work on many things at once, with the same answer for any number of threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// How many processors there are.
pub fn available() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// What `work` makes of each of the numbers below `count`, in their order; `told` hears how many are done.
pub fn map<T: Send>(
    count: usize,
    threads: NonZeroUsize,
    work: impl Fn(usize) -> T + Sync,
    mut told: impl FnMut(usize),
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let run = |sender: mpsc::Sender<(usize, T)>| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count || sender.send((index, work(index))).is_err() {
                return;
            }
        }
    };
    let mut results = Vec::with_capacity(count);
    thread::scope(|scope| {
        for _ in 0..threads.get().min(count) {
            let sender = sender.clone();
            scope.spawn(|| run(sender));
        }
        drop(sender);
        for result in receiver {
            results.push(result);
            told(results.len());
        }
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
