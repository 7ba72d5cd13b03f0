//! Threads that evaluate: a fixed number, so that their memory is bounded as well.
//!
//! The runtime's own threads for such work start another one whenever none is idle at that moment. Under load there come
//! to be dozens that never evaluate at the same time, and each keeps a few MiB at hand that the allocator gave it.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use super::pace::caught;
use crate::memory::{Held, Memory};
use crate::metrics::HostFailure;
use crate::review::MAX_MEMORY;
use crate::settings::THREAD_STACK;

#[cfg(test)]
mod tests;

/// Bodies of more bytes than these are weighed where evaluations run; others take a millisecond at most to be weighed.
pub(crate) const LARGE: usize = 256 << 10;
/// What a body may take in memory that needs no room: objects of some 100 kB, as most are.
pub(crate) const ORDINARY: usize = 1 << 20;

/// Work with its answer's way back.
type Job = Box<dyn FnOnce() + Send>;

/// The threads, as long as this is kept.
#[derive(Debug)]
pub(crate) struct Evaluators {
    jobs: Sender<Job>,
    /// One for each job that may run: none waits behind another one that is slow, while a thread is free.
    permits: Arc<Semaphore>,
    /// Memory for large bodies.
    memory: Memory,
}

impl Evaluators {
    /// Starts that many threads, at least one, within the runtime that this is called in.
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let runtime = Handle::current();
        let (jobs, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads {
            let (waiting, runtime) = (Arc::clone(&waiting), runtime.clone());
            let named = std::thread::Builder::new().name(format!("evaluator-{number}"));
            let named = named.stack_size(THREAD_STACK);
            // It runs on by itself, and ends when nobody can hand it anything any more.
            drop(named.spawn(move || work(&waiting, &runtime))?);
        }
        Ok(Self {
            jobs,
            permits: Arc::new(Semaphore::new(threads)),
            memory: Memory::of(MAX_MEMORY),
        })
    }

    /// The right to evaluate somewhere else, in place of one of the threads.
    pub(crate) fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.try_acquire().ok()
    }

    /// Waits for room for a body that takes so many bytes in memory once it is read: one that takes as much as one may is
    /// alone, or several that are smaller. What evaluation makes of it is some times that.
    pub(crate) async fn room(&self, weight: usize) -> Result<Held, HostFailure> {
        let room = self.memory.wait_for(weight).await;
        room.ok_or(HostFailure::Overload)
    }

    /// Runs `job` on one of the threads, as soon as one is free. Who stops waiting leaves the job running.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HostFailure> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_closed| HostFailure::Overload)?;
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            let outcome = caught(job);
            // Held until the job ends, not until nobody waits for it any more.
            drop(permit);
            // Whoever asked may be gone.
            drop(done.send(outcome));
        });
        // The threads end after this only, so that what is sent is received, and what is received is answered.
        self.jobs.send(job).map_err(|_ended| HostFailure::Panic)?;
        answer.await.map_err(|_lost| HostFailure::Panic)?
    }
}

/// Does what comes, until nothing can come any more.
fn work(waiting: &Mutex<Receiver<Job>>, runtime: &Handle) {
    let _within = runtime.enter();
    loop {
        // The lock is held while one waits: the others wait for it. Nothing panics below it.
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(job) => job(),
            Err(_no_sender) => return,
        }
    }
}
