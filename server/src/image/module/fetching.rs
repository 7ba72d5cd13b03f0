//! Fetches of modules, beside whoever waits for them: each is begun once and goes on though nobody waits any longer, and
//! registries that do not answer are waited for once, not for each module.
//!
//! Knows nothing of registries: who begins a fetch says how.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// Fetches from one host at once: one that does not answer has no more connections than this.
const AT_ONCE: usize = 4;

/// How long a host that did not answer is not waited for again.
const SLOW: Duration = Duration::from_mins(5);

/// How long whoever loads policies waits for modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// For all modules of one host, from the first on and whenever it has answered.
    pub(super) of_host: Duration,
    /// For all hosts, each time that policies are loaded.
    pub(super) of_all: Duration,
    /// What becomes of what was not there in time.
    pub(super) after: After,
}

/// What becomes of a fetch that nobody waits for any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing: policies are loaded once.
    Forgotten,
    /// It goes on, and its end is kept for the next time that policies are loaded.
    Kept,
}

/// What tells one module from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The host of its registry.
    pub(super) host: String,
    /// Where it is, what it is written in, what is demanded of it, and under which trust roots.
    pub(super) of: [String; 4],
}

/// All of them.
pub(super) struct Fetching {
    patience: Patience,
    runtime: Mutex<Option<Runtime>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    fetches: BTreeMap<Key, Fetch>,
    hosts: BTreeMap<String, Host>,
    /// How long anybody was waited for while these policies are loaded.
    waited: Duration,
}

#[derive(Default)]
struct Fetch {
    progress: Progress,
    /// Why it could not be fetched the last time.
    last: Option<String>,
    /// Whether somebody asked for it since policies were loaded the last time.
    asked: bool,
    /// How often policies were loaded since it ended.
    kept: u8,
}

#[derive(Default)]
enum Progress {
    /// Nothing is under way.
    #[default]
    Idle,
    UnderWay,
    /// It ended.
    Ended(Result<Bytes, String>),
    /// The same, and those who wanted to know were told.
    Told,
}

struct Host {
    permits: Arc<Semaphore>,
    /// Until when it is waited for, where it has not answered since somebody began to.
    until: Option<Instant>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            until: None,
        }
    }
}

impl Host {
    /// Until when somebody waits who begins now.
    fn wait(&mut self, now: Instant, patience: Duration) -> Instant {
        let known = self.until.filter(|until| now < *until + SLOW);
        *self.until.insert(known.unwrap_or(now + patience))
    }
}

impl Fetching {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            runtime: Mutex::default(),
            shared: Arc::default(),
        }
    }

    /// A module: `begin` fetches it within `time`, if nobody does yet. Waits as long as is patient.
    pub(super) fn get<F>(
        &self,
        key: &Key,
        time: Duration,
        begin: impl FnOnce() -> F,
    ) -> Result<Bytes, String>
    where
        F: Future<Output = Result<Bytes, String>> + Send + 'static,
    {
        let mut state = self.shared.lock();
        let now = Instant::now();
        let of_all = now + self.patience.of_all.saturating_sub(state.waited);
        let host = state.hosts.entry(key.host.clone()).or_default();
        let until = host.wait(now, self.patience.of_host).min(of_all);
        let permits = Arc::clone(&host.permits);
        let fetch = state.fetches.entry(key.clone()).or_default();
        fetch.asked = true;
        if matches!(fetch.progress, Progress::Idle) && self.is_worth(now, until) {
            fetch.progress = Progress::UnderWay;
            self.begin(key, (permits, time), begin())
                .inspect_err(|_| state.forget(key))?;
        }
        loop {
            if let Some(ended) = state.take(key, self.patience.after) {
                state.waited += now.elapsed();
                return ended;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.waited += now.elapsed();
                return Err(state.missed(key));
            }
            let waited = self.shared.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether there is a reason to begin what nobody would wait for.
    fn is_worth(&self, now: Instant, until: Instant) -> bool {
        self.patience.after == After::Kept || now < until
    }

    /// Whether something ended that nobody waited for to its end.
    pub(super) fn has_news(&self) -> bool {
        let state = self.shared.lock();
        let mut fetches = state.fetches.values();
        fetches.any(|fetch| matches!(fetch.progress, Progress::Ended(_)))
    }

    /// Policies are loaded: what they were told is asked for anew the next time, and what they no longer name is forgotten.
    pub(super) fn settle(&self) {
        let mut state = self.shared.lock();
        state.waited = Duration::ZERO;
        state.fetches.retain(|_, fetch| {
            let asked = std::mem::take(&mut fetch.asked);
            match fetch.progress {
                Progress::Idle => asked,
                Progress::Told => {
                    fetch.progress = Progress::Idle;
                    asked
                }
                Progress::UnderWay => true,
                // It may have ended just now, after it was asked for.
                Progress::Ended(_) => {
                    fetch.kept += 1;
                    fetch.kept == 1
                }
            }
        });
        let State { fetches, hosts, .. } = &mut *state;
        let named: BTreeSet<&str> = fetches.keys().map(|key| &*key.host).collect();
        hosts.retain(|host, known| known.until.is_some() || named.contains(&**host));
    }

    /// Fetches on a thread of its own: whoever loads policies may be inside of another runtime, or hold up one.
    fn begin(
        &self,
        key: &Key,
        (permits, time): (Arc<Semaphore>, Duration),
        fetch: impl Future<Output = Result<Bytes, String>> + Send + 'static,
    ) -> Result<(), String> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match runtime.take() {
            Some(running) => running,
            None => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("modules")
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?,
        };
        let (key, shared) = (key.clone(), Arc::clone(&self.shared));
        let fetch = async move {
            let _permit = permits.acquire_owned().await;
            fetch.await
        };
        running.spawn(async move {
            let begun = Instant::now();
            let fetch = tokio::spawn(tokio::time::timeout(time, fetch));
            let ended = match fetch.await {
                Ok(Ok(ended)) => ended,
                Ok(Err(_elapsed)) => Err("it was not fetched in time".to_owned()),
                Err(_panicked) => Err("internal error".to_owned()),
            };
            shared.end(&key, ended, begun.elapsed() < time);
        });
        *runtime = Some(running);
        Ok(())
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        let runtime = self.runtime.get_mut();
        // Not waited for: whoever drops this may be inside of another runtime.
        if let Some(runtime) = runtime.unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, key: &Key, ended: Result<Bytes, String>, in_time: bool) {
        let mut state = self.lock();
        if in_time && let Some(host) = state.hosts.get_mut(&key.host) {
            host.until = None;
        }
        if let Some(fetch) = state.fetches.get_mut(key) {
            fetch.last = ended.as_ref().err().cloned();
            fetch.progress = Progress::Ended(ended);
            fetch.kept = 0;
        }
        drop(state);
        self.ended.notify_all();
    }
}

impl State {
    /// How a fetch ended, if it has.
    fn take(&mut self, key: &Key, after: After) -> Option<Result<Bytes, String>> {
        let fetch = self.fetches.get_mut(key)?;
        let ended = match std::mem::take(&mut fetch.progress) {
            Progress::Ended(ended) => ended,
            Progress::Told => Err(fetch.last.clone().unwrap_or_default()),
            other @ (Progress::Idle | Progress::UnderWay) => {
                fetch.progress = other;
                return None;
            }
        };
        if ended.is_ok() || after == After::Forgotten {
            self.fetches.remove(key);
        } else {
            fetch.progress = Progress::Told;
        }
        Some(ended)
    }

    /// Why there is nothing yet: what was wrong the last time, where that is known.
    fn missed(&self, key: &Key) -> String {
        let last = self.fetches.get(key).and_then(|fetch| fetch.last.clone());
        last.unwrap_or_else(|| format!("`{}` has not given it in time", key.host))
    }

    fn forget(&mut self, key: &Key) {
        self.fetches.remove(key);
    }
}

#[cfg(test)]
mod tests;
