//! All objects of a resource, kept as the API server has them: listed once, then watched.
//!
//! Whoever reads is told an error, never old objects, once the API server has not been heard of for [`MAX_AGE`].
//! A watch is ended by the API server after [`WATCH`] and begun again, so that a connection that died in silence is
//! noticed by then. Knows nothing of what the objects mean.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::BytesMut;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::client::{Client, PATIENCE};
use crate::image::fetch::{FetchError, quoted};

/// How long ago the API server may have been heard of.
pub(super) const MAX_AGE: Duration = Duration::from_mins(2);
/// How long one watch lasts.
const WATCH: Duration = Duration::from_mins(1);
/// Objects on one page of a list.
const PAGE: usize = 500;
/// Pages of a list; with [`PAGE`], more objects than an API server keeps well.
const MAX_PAGES: usize = 1_000;
/// Bytes of one event: an object has at most 3 MiB, and escapes may double them.
const MAX_EVENT: usize = 8 << 20;
/// Waits between attempts, doubled after each.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// What is kept of an object; nothing where it is of no interest.
type Keep<T> = Box<dyn Fn(&Value) -> Option<T> + Send + Sync>;

/// The objects of a resource, and a view that is made of all of them; dropped, it stops following.
#[derive(Debug)]
pub(super) struct Followed<T, V = ()> {
    path: String,
    kept: Arc<Kept<T, V>>,
    state: watch::Receiver<State>,
    following: JoinHandle<()>,
}

#[derive(Debug)]
struct Kept<T, V>(RwLock<Known<T, V>>);

#[derive(Debug)]
struct Known<T, V> {
    objects: BTreeMap<String, T>,
    /// Of these very objects.
    view: OnceLock<V>,
}

impl<T, V> Kept<T, V> {
    fn read(&self) -> RwLockReadGuard<'_, Known<T, V>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the objects; what was seen of them before is over.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, T>)) {
        // Dropped after the lock is open again: it may be large.
        let mut over = OnceLock::new();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut known.view, &mut over);
        change(&mut known.objects);
    }
}

/// How the copy stands.
#[derive(Debug, Clone, Default)]
struct State {
    /// When the API server last answered; never where there is no list yet.
    heard: Option<Instant>,
    /// Why not since.
    problem: Option<FetchError>,
}

impl<T, V> Drop for Followed<T, V> {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl<T: Send + Sync + 'static, V: Send + Sync + 'static> Followed<T, V> {
    /// Starts following the resource at a path, which may have a query.
    pub(super) fn start(
        client: Arc<Client>,
        path: String,
        keep: impl Fn(&Value) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        let kept = Arc::new(Kept(RwLock::new(Known {
            objects: BTreeMap::new(),
            view: OnceLock::new(),
        })));
        let (tell, state) = watch::channel(State::default());
        let follower = Follower {
            client,
            path: path.clone(),
            kept: Arc::clone(&kept),
            keep: Box::new(keep),
            tell,
        };
        Self {
            path,
            kept,
            state,
            following: tokio::spawn(follower.run()),
        }
    }

    /// What `read` finds among the objects, by `namespace/name` or name; an error where they are not known well enough.
    pub(super) async fn read<R>(
        &self,
        deadline: Instant,
        read: impl FnOnce(&BTreeMap<String, T>) -> R,
    ) -> Result<R, FetchError> {
        self.confirmed(deadline).await?;
        Ok(read(&self.kept.read().objects))
    }

    /// The view of the objects, made by the first who asks after a change.
    pub(super) async fn view(
        &self,
        deadline: Instant,
        make: impl FnOnce(&BTreeMap<String, T>) -> V,
    ) -> Result<V, FetchError>
    where
        V: Clone,
    {
        self.confirmed(deadline).await?;
        let known = self.kept.read();
        Ok(known.view.get_or_init(|| make(&known.objects)).clone())
    }

    /// Waits until there is a list; an error where what is known is not known well enough.
    async fn confirmed(&self, deadline: Instant) -> Result<(), FetchError> {
        let mut state = self.state.clone();
        // For the first list only: what is too old then is not waited for.
        let listed = state.wait_for(|state| state.heard.is_some() || state.problem.is_some());
        let state = match timeout_at(deadline, listed).await {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_gone)) => return Err(self.unknown("nobody looks any more")),
            Err(_elapsed) => {
                let what = format!("{} was not listed in time", quoted(&self.path));
                return Err(FetchError::Timeout(what));
            }
        };
        match (state.heard, state.problem) {
            (Some(heard), _) if heard.elapsed() <= MAX_AGE => Ok(()),
            (_, Some(problem)) => Err(problem),
            (_, None) => Err(self.unknown("the API server has not been heard of")),
        }
    }

    fn unknown(&self, why: &str) -> FetchError {
        FetchError::Unavailable(format!("{}: {why}", quoted(&self.path)))
    }
}

/// Keeps the copy up to date.
struct Follower<T, V> {
    client: Arc<Client>,
    path: String,
    kept: Arc<Kept<T, V>>,
    keep: Keep<T>,
    tell: watch::Sender<State>,
}

/// Why a watch ended.
enum Ended {
    /// In order; it goes on from this version.
    At(String),
    /// The version is too old, or something was not understood: everything is listed again.
    Lost,
}

impl<T: Send + Sync + 'static, V: Send + Sync + 'static> Follower<T, V> {
    async fn run(self) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.list().await {
                Ok(version) => {
                    wait = FIRST_WAIT;
                    self.watch(version).await;
                    // Whatever ended it, a list is no cheap question.
                    sleep(FIRST_WAIT).await;
                }
                Err(error) => {
                    self.failed(error);
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    fn heard(&self) {
        self.tell.send_replace(State {
            heard: Some(Instant::now()),
            problem: None,
        });
    }

    fn failed(&self, error: FetchError) {
        tracing::warn!(path = self.path, %error, "the cluster could not be asked; what is known of it gets old");
        self.tell.send_modify(|state| state.problem = Some(error));
    }

    fn with_query(&self, query: &str) -> String {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        format!("{}{separator}{query}", self.path)
    }

    /// Lists everything; gives the version of the list.
    async fn list(&self) -> Result<String, FetchError> {
        let mut objects = BTreeMap::new();
        let mut next = String::new();
        for _ in 0..MAX_PAGES {
            let mut query = format!("limit={PAGE}");
            if !next.is_empty() {
                query.push_str("&continue=");
                query.push_str(&next);
            }
            let deadline = Instant::now() + PATIENCE;
            let page = self.client.get(&self.with_query(&query), deadline).await?;
            let items = page.get("items").and_then(Value::as_array);
            let kept = |item| Some((key_of(item)?, (self.keep)(item)?));
            objects.extend(items.into_iter().flatten().filter_map(kept));
            let metadata = |field: &str| {
                let text = page
                    .get("metadata")
                    .and_then(|metadata| metadata.get(field));
                text.and_then(Value::as_str).unwrap_or_default()
            };
            metadata("continue").clone_into(&mut next);
            if next.is_empty() {
                let version = metadata("resourceVersion").to_owned();
                self.kept.change(|kept| *kept = objects);
                self.heard();
                return Ok(version);
            }
        }
        Err(FetchError::TooLarge(format!(
            "{} has more than {} objects",
            quoted(&self.path),
            PAGE * MAX_PAGES
        )))
    }

    /// Watches, again and again, as long as that goes on from what is known.
    async fn watch(&self, mut version: String) {
        let mut wait = FIRST_WAIT;
        loop {
            let query = format!(
                "watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={version}",
                WATCH.as_secs()
            );
            match self.client.stream(&self.with_query(&query)).await {
                Ok(events) => {
                    wait = FIRST_WAIT;
                    self.heard();
                    // Longer than the watch lasts, it is a dead connection.
                    let limit = WATCH + PATIENCE;
                    match timeout(limit, self.events(events, version)).await {
                        Ok(Ended::At(seen)) => version = seen,
                        Ok(Ended::Lost) | Err(_) => return,
                    }
                }
                Err(FetchError::Malformed(_) | FetchError::NotFound(_)) => return,
                Err(error) => {
                    self.failed(error);
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Takes in events, one on each line.
    async fn events(&self, mut body: Incoming, mut version: String) -> Ended {
        let mut text = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Ended::At(version);
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            text.extend_from_slice(&data);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line = text.split_to(end + 1);
                match serde_json::from_slice(&line)
                    .ok()
                    .and_then(|event| self.take(&event))
                {
                    Some(seen) => version = seen,
                    None => return Ended::Lost,
                }
            }
            if text.len() > MAX_EVENT {
                return Ended::Lost;
            }
        }
        Ended::At(version)
    }

    /// Takes in one event; gives the version that is known then, nothing where it is an error.
    fn take(&self, event: &Value) -> Option<String> {
        let kind = event.get("type")?.as_str()?;
        let object = event.get("object")?;
        let version = object.pointer("/metadata/resourceVersion")?.as_str()?;
        match kind {
            "ADDED" | "MODIFIED" => {
                let key = key_of(object)?;
                let value = (self.keep)(object);
                self.kept.change(|kept| match value {
                    Some(value) => drop(kept.insert(key, value)),
                    None => drop(kept.remove(&key)),
                });
            }
            "DELETED" => {
                let key = key_of(object)?;
                self.kept.change(|kept| drop(kept.remove(&key)));
            }
            "BOOKMARK" => {}
            _ => return None,
        }
        self.heard();
        Some(version.to_owned())
    }
}

/// `namespace/name`, or the name of what has no namespace.
fn key_of(object: &Value) -> Option<String> {
    let metadata = object.get("metadata")?;
    let name = metadata.get("name")?.as_str()?;
    Some(match metadata.get("namespace").and_then(Value::as_str) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    })
}

#[cfg(test)]
pub(super) mod tests;
