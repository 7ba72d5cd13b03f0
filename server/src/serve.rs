//! Starts the webhook and hands back what stops it.
//!
//! Knows nothing of processes: signals are the command line's business, and several servers can run in one process.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use regent_engine::duration;
use regent_engine::load::modules::ModuleFiles;
use regent_engine::load::{BreakGlassFor, Environment};
use regent_engine::wasm::error::WasmError;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_rustls::TlsAcceptor;

use crate::admit::Admission;
use crate::admit::evaluators::Evaluators;
use crate::admit::pace::Here;
use crate::break_glass::BreakGlassSettings;
use crate::break_glass::journal::{Journal, JournalError};
use crate::break_glass::verify::Verifier;
use crate::cluster::{Cluster, ClusterError};
use crate::guests::{GuestSettings, Guests};
use crate::health::Health;
use crate::host::Host;
use crate::image::module::RemoteModules;
use crate::image::trust::TrustRoots;
use crate::image::{ImageSettingsError, Images};
use crate::listener::{self, Answer, Door, Stage};
use crate::metrics::Metrics;
use crate::settings::{Limits, Settings};
use crate::tls::clients::Clients;
use crate::tls::{self, Renewal, ServingCertificate, TlsError};
use crate::tuf::TufError;
use crate::tuf::refresh::Refresh;
use crate::watch::{Watch, WatchError};
use crate::webhook::{Callers, Exposition, Webhook};

/// Why a server did not start; a running one never ends by an error.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The policies, or the namespaces.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The sources of images.
    #[error(transparent)]
    Images(#[from] ImageSettingsError),
    /// The mirror of the trust root.
    #[error(transparent)]
    Tuf(#[from] TufError),
    /// The cluster, and services.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The journal of break-glass.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What runs modules.
    #[error("modules: {0}")]
    Guests(#[from] WasmError),
    /// The threads that evaluate.
    #[error("threads that evaluate cannot be started: {0}")]
    Evaluators(std::io::Error),
    /// An address.
    #[error("{address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The metrics.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// A server that runs until it is shut down; dropping it stops it at once.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    metrics: Arc<Metrics>,
    stage: watch::Sender<Stage>,
    reload: Reload,
    tasks: Vec<JoinHandle<()>>,
    watching: JoinHandle<()>,
    refreshing: Option<JoinHandle<()>>,
    verifying: Option<JoinHandle<()>>,
    shutdown_delay: Duration,
}

/// Starts a server.
pub async fn serve(settings: Settings) -> Result<Running, ServeError> {
    let metrics = Metrics::new()?;
    let certificate = ServingCertificate::load(&settings.tls, now())?;
    let (clients, tls) = encrypted(&settings, &certificate)?;
    let (refresh, trust_roots) = trust(&settings, &metrics).await?;
    let urls = trust_roots.urls();
    let images = Images::new(&settings.images, trust_roots, metrics.clone())?;
    let cluster = Arc::new(Cluster::new(&settings.cluster, &metrics)?);
    let modules = modules(&settings, &images, &metrics)?;
    let guests = guests(&settings, &modules)?;
    let policies = policies(&settings, urls, (&guests, &modules), &metrics)?;
    let (live, evict) = (images.live_trust_roots(), images.eviction());
    let host = host(&settings, images, (guests, cluster));
    let journal = journal(&settings)?;
    let verifier = verifier(&settings, &host, &policies, journal.as_ref(), &metrics);
    let (stage, stage_of) = watch::channel(Stage::Running);
    let webhook = webhook(&settings, (host, journal), &policies, &stage_of, &metrics)?;
    let (listener, address) = bind(settings.listen).await?;
    let metrics_listener = bind_metrics(&settings).await?;
    let drain = settings.drain_timeout;
    let common = Common {
        limits: settings.limits.clone(),
        metrics: metrics.clone(),
        stage: stage_of,
    };
    let door = common.door(webhook, Some(tls));
    let mut tasks = vec![tokio::spawn(listener::run(listener, door, drain))];
    let metrics_address = metrics_listener.as_ref().map(|(_, address)| *address);
    if let Some((listener, _)) = metrics_listener {
        let exposition = Arc::new(Exposition {
            metrics: metrics.clone(),
        });
        let door = common.door(exposition, None);
        tasks.push(tokio::spawn(listener::run(listener, door, drain)));
    }
    let reload = Reload::default();
    let watching = Watching {
        policies,
        certificate,
        clients,
        trust_roots: Arc::clone(&live),
        metrics: metrics.clone(),
        reload: reload.clone(),
        every: settings.reload_interval,
    };
    let refreshing =
        refresh.map(|refresh| tokio::spawn(refresh.run(live, evict, reload.told.clone())));
    Ok(Running {
        address,
        metrics_address,
        metrics,
        stage,
        reload,
        tasks,
        watching: tokio::spawn(watching.run()),
        refreshing,
        verifying: verifier.map(|verifier| tokio::spawn(verifier.run())),
        shutdown_delay: settings.shutdown_delay,
    })
}

/// The TLS side of the webhook's listener, and whom it knows, where reviews are not judged for everybody.
fn encrypted(
    settings: &Settings,
    certificate: &Arc<ServingCertificate>,
) -> Result<(Option<Arc<Clients>>, TlsAcceptor), TlsError> {
    let authority = settings.client_authority.as_deref();
    let clients = authority.map(Clients::load).transpose()?;
    let config = tls::server_config(Arc::clone(certificate), clients.clone())?;
    Ok((clients, TlsAcceptor::from(config)))
}

/// What evidence is verified under, and what looks whether that is still so.
async fn trust(
    settings: &Settings,
    metrics: &Arc<Metrics>,
) -> Result<(Option<Refresh>, TrustRoots), ServeError> {
    let Some(tuf) = &settings.tuf else {
        return Ok((None, settings.trust_roots.clone()));
    };
    let (refresh, roots) = Refresh::start(tuf, &settings.trust_roots, metrics).await?;
    Ok((Some(refresh), roots))
}

/// What requests are judged by.
fn policies(
    settings: &Settings,
    log_urls: Vec<String>,
    (guests, modules): (&Arc<Guests>, &Arc<RemoteModules>),
    metrics: &Arc<Metrics>,
) -> Result<Watch, ServeError> {
    let modules = Arc::clone(modules);
    let environment = Environment {
        log_urls: Some(log_urls),
        exceptions: settings.exceptions.clone(),
        break_glass: settings
            .break_glass
            .as_ref()
            .map_or(BreakGlassFor::Nobody, longest),
        exact_slsa_versions: settings.exact_slsa_versions,
        builders: settings.builders.clone(),
        context_size: settings.context_size,
        modules: ModuleFiles::new(move |file| modules.read(file)),
    };
    Ok(Watch::start(
        settings.policies.clone(),
        settings.namespaces.clone(),
        (environment, Arc::clone(guests)),
        metrics.clone(),
    )?)
}

fn longest(settings: &BreakGlassSettings) -> BreakGlassFor {
    let nanoseconds = i64::try_from(settings.longest.as_nanos()).unwrap_or(i64::MAX);
    BreakGlassFor::AtMost(duration::Duration(nanoseconds))
}

/// Where it is written down what is let in. That it cannot be is said before anything is let in.
fn journal(settings: &Settings) -> Result<Option<Arc<Journal>>, ServeError> {
    let Some(settings) = &settings.break_glass else {
        return Ok(None);
    };
    let journal = Journal::new(&settings.journal);
    journal.try_open()?;
    Ok(Some(Arc::new(journal)))
}

/// What looks again at what was let in.
fn verifier(
    settings: &Settings,
    host: &Arc<Host>,
    policies: &Watch,
    journal: Option<&Arc<Journal>>,
    metrics: &Arc<Metrics>,
) -> Option<Verifier> {
    Some(Verifier {
        snapshot: policies.current(),
        host: Arc::clone(host),
        journal: Arc::clone(journal?),
        metrics: Arc::clone(metrics),
        every: settings.break_glass.as_ref()?.verify_every,
    })
}

/// Modules in registries, which are verified under the trust roots that images are verified under.
fn modules(
    settings: &Settings,
    images: &Images,
    metrics: &Arc<Metrics>,
) -> Result<Arc<RemoteModules>, ServeError> {
    let live = images.live_trust_roots();
    // A client of its own: modules are fetched on a thread of their own, with which its connections would end.
    let cluster = Cluster::new(&settings.cluster, metrics)?;
    let cluster = cluster
        .is_there()
        .then(|| (Arc::new(cluster), settings.cluster.clone()));
    Ok(RemoteModules::for_server(
        settings.images.clone(),
        cluster,
        move || Ok(live.load_full()),
    ))
}

/// Modules that policies ask.
fn guests(settings: &Settings, modules: &Arc<RemoteModules>) -> Result<Arc<Guests>, ServeError> {
    Ok(Guests::start(GuestSettings {
        cache: settings.module_cache.clone(),
        remote: Some(Arc::clone(modules)),
    })?)
}

/// Where needs are answered.
fn host(
    settings: &Settings,
    mut images: Images,
    (guests, cluster): (Arc<Guests>, Arc<Cluster>),
) -> Arc<Host> {
    if cluster.is_there() {
        images.with_cluster(&cluster, &settings.cluster);
    }
    Arc::new(Host::new(images, cluster, guests))
}

/// What both listeners share.
struct Common {
    limits: Limits,
    metrics: Arc<Metrics>,
    stage: watch::Receiver<Stage>,
}

impl Common {
    fn door<A: Answer>(&self, answer: Arc<A>, tls: Option<TlsAcceptor>) -> Door<A> {
        Door::new(
            answer,
            tls,
            self.limits.clone(),
            self.metrics.clone(),
            self.stage.clone(),
        )
    }
}

fn webhook(
    settings: &Settings,
    (host, journal): (Arc<Host>, Option<Arc<Journal>>),
    policies: &Watch,
    stage: &watch::Receiver<Stage>,
    metrics: &Arc<Metrics>,
) -> Result<Arc<Webhook>, ServeError> {
    let evaluators = Evaluators::start(settings.limits.evaluations);
    let admission = Admission {
        snapshot: policies.current(),
        host,
        journal,
        metrics: metrics.clone(),
        evaluators: evaluators.map_err(ServeError::Evaluators)?,
        here: Here::start(),
    };
    let health = Health {
        snapshot: policies.current(),
        stage: stage.clone(),
    };
    let callers = match settings.client_authority {
        Some(_) => Callers::Known,
        None => Callers::All,
    };
    Ok(Arc::new(Webhook::new(
        (admission, callers),
        health,
        metrics.clone(),
        settings.limits.clone(),
    )))
}

impl Running {
    /// Where the API server is answered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where Prometheus is answered.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Reads all files again, soon.
    pub fn reload(&self) {
        self.reload.asked.store(true, Ordering::Release);
        self.reload.told.notify_one();
    }

    /// Says that it is leaving, waits until load balancers have noticed, then drains and ends.
    pub async fn shutdown(mut self) {
        self.stage.send_replace(Stage::Leaving);
        sleep(self.shutdown_delay).await;
        self.stage.send_replace(Stage::Draining);
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a listener did not end as it should");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watching.abort();
        let background = self.refreshing.iter().chain(&self.verifying);
        for task in self.tasks.iter().chain(background) {
            task.abort();
        }
    }
}

async fn bind_metrics(
    settings: &Settings,
) -> Result<Option<(TcpListener, SocketAddr)>, ServeError> {
    match settings.metrics_listen {
        Some(wanted) => Ok(Some(bind(wanted).await?)),
        None => Ok(None),
    }
}

async fn bind(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |error| ServeError::Listen {
        address: wanted,
        error,
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Has files read again.
#[derive(Debug, Clone, Default)]
struct Reload {
    /// By trust roots that have changed, or by somebody.
    told: Arc<Notify>,
    /// Whether somebody asked for it.
    asked: Arc<AtomicBool>,
}

/// Looks after what is read from files.
struct Watching {
    policies: Watch,
    trust_roots: Arc<ArcSwap<TrustRoots>>,
    certificate: Arc<ServingCertificate>,
    clients: Option<Arc<Clients>>,
    metrics: Arc<Metrics>,
    reload: Reload,
    every: Duration,
}

impl Watching {
    async fn run(mut self) {
        // An interval of zero would never rest.
        let mut ticks = interval(self.every.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                () = self.reload.told.notified() => true,
                _ = ticks.tick() => false,
            };
            // Compiling takes its time, and files may lie on a slow disk.
            let turn = tokio::task::spawn_blocking(move || {
                self.look(told);
                self
            });
            match turn.await {
                Ok(back) => self = back,
                Err(error) => {
                    tracing::error!(%error, "files are no longer watched: what is loaded stays in force");
                    return;
                }
            }
        }
    }

    /// Says and counts what came of looking for new certificates.
    fn told(&self, what: &'static str, renewal: Result<Renewal, TlsError>) {
        match renewal {
            Ok(Renewal::Unchanged) => {}
            Ok(Renewal::Renewed) => {
                tracing::info!(what, "a new certificate is in use");
                self.metrics.reload(what, "ok");
            }
            Err(error) => {
                tracing::error!(what, %error, "a certificate could not be read again; the earlier one stays");
                self.metrics.reload(what, "error");
            }
        }
    }

    fn look(&mut self, told: bool) {
        // First, since it is quick: loading policies may wait for registries.
        self.told("certificate", self.certificate.renew(now()));
        if let Some(clients) = &self.clients {
            self.told("client_ca", clients.renew());
        }
        // A defect of the compiler must not end the watching of files, nor take away what is in force.
        let policies = AssertUnwindSafe(|| {
            if told {
                self.policies.know_logs(self.trust_roots.load().urls());
            }
            // Who asks says so before he tells it.
            match (
                told,
                told && self.reload.asked.swap(false, Ordering::AcqRel),
            ) {
                (_, true) => self.policies.reload(),
                (true, false) => self.policies.refresh(),
                (false, false) => self.policies.poll(),
            }
        });
        if catch_unwind(policies).is_err() {
            tracing::error!(
                "loading policies ended with an internal error; the earlier ones stay in force"
            );
            self.metrics.reload("policies", "panic");
        }
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
