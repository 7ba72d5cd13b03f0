//! Looks at a mirror again and again, in the background; what is in force is swapped whole, and the last good one stays.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::{Fetched, Mirror, TufError, TufSettings};
use crate::clock;
use crate::image::trust::TrustRoots;
use crate::metrics::Metrics;

/// Time for one look.
const PATIENCE: Duration = Duration::from_mins(1);
/// Time for the first, which the start waits for.
const FIRST: Duration = Duration::from_secs(30);
/// The shortest wait after a look that failed.
const SOON: Duration = Duration::from_secs(10);

/// A mirror whose trust root is in force.
#[derive(Debug)]
pub(crate) struct Refresh {
    mirror: Mirror,
    interval: Duration,
    metrics: Arc<Metrics>,
}

impl Refresh {
    /// The trust roots to start with: what the mirror has, or what an earlier run kept where it cannot be asked.
    ///
    /// Without either there is nothing to verify under, and no other trust root is taken in its place.
    pub(crate) async fn start(
        settings: &TufSettings,
        others: &TrustRoots,
        metrics: &Arc<Metrics>,
    ) -> Result<(Self, TrustRoots), TufError> {
        let refresh = Self {
            mirror: Mirror::new(settings)?,
            interval: settings.interval,
            metrics: Arc::clone(metrics),
        };
        let fetched = match refresh.look(FIRST).await {
            Ok(fetched) => fetched,
            Err(error) => match refresh.mirror.last_good() {
                Some(kept) => {
                    tracing::error!(%error, at = kept.at, "the trust root of an earlier run is used");
                    kept
                }
                None => return Err(error),
            },
        };
        metrics.trust_root_refreshed(fetched.at);
        let roots = TrustRoots::new(fetched.root);
        let roots = if settings.beside_others {
            others
                .all()
                .fold(roots, |roots, other| roots.with((**other).clone()))
        } else {
            roots
        };
        Ok((refresh, roots))
    }

    async fn look(&self, time: Duration) -> Result<Fetched, TufError> {
        let done = self
            .mirror
            .fetch(clock::seconds(), Instant::now() + time)
            .await;
        let outcome = match &done {
            Ok(_) => "ok",
            Err(TufError::Timeout(_)) => "timeout",
            Err(_) => "error",
        };
        self.metrics.trust_root_refresh(outcome);
        done
    }

    /// Looks for ever; `evict` is called and `changed` is told when another trust root is in force.
    pub(crate) async fn run(
        self,
        roots: Arc<ArcSwap<TrustRoots>>,
        evict: impl Fn() + Send + Sync,
        changed: Arc<Notify>,
    ) {
        let told = || {
            evict();
            changed.notify_one();
        };
        let mut wait = self.interval;
        loop {
            sleep(wait).await;
            match self.look(PATIENCE).await {
                Ok(fetched) => {
                    wait = self.interval;
                    self.take(fetched, &roots, &told);
                }
                Err(error) => {
                    tracing::error!(%error, "the trust root could not be refreshed; the last good one stays in force");
                    wait = (self.interval / 10).max(SOON).min(self.interval);
                }
            }
        }
    }

    /// Puts a trust root in force, and says so where it is another one.
    fn take(&self, fetched: Fetched, roots: &ArcSwap<TrustRoots>, changed: &impl Fn()) {
        self.metrics.trust_root_refreshed(fetched.at);
        let before = roots.load_full();
        if before.default_root().id() == fetched.root.id() {
            return;
        }
        tracing::info!(id = fetched.root.id(), versions = ?fetched.versions, "another trust root is in force");
        roots.store(Arc::new(before.with_default(fetched.root)));
        changed();
    }
}
