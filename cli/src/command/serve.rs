//! `regent serve`.
//!
//! Reads the arguments, starts the server of `regent_server`, and turns signals into what it is to do.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use regent_engine::load::ExceptionsFrom;
use regent_server::break_glass::BreakGlassSettings;
use regent_server::cache::CacheSettings;
use regent_server::cluster::{ClusterSettings, ClusterSource, PodSecrets};
use regent_server::image::ImageSettings;
use regent_server::image::registry::endpoint::Loopback;
use regent_server::serve::{Running, serve};
use regent_server::settings::{Limits, Settings, THREAD_STACK, TlsSettings};
use regent_server::tuf::TufSettings;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{Level, enabled};
use tracing_subscriber::EnvFilter;

use crate::args::serve::{LogFormat, PodPullSecrets, ServeArgs};
use crate::exit_status::ExitStatus;
use crate::images;
use crate::io::Io;

/// What is logged where nobody says.
const LOG: &str = "info";

/// The environment variable that says what is logged.
const LOG_VARIABLE: &str = "REGENT_LOG";

/// Runs `regent serve` until SIGTERM or SIGINT.
pub fn run(args: &ServeArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    match start_logs(args.log_format).and_then(|()| start(args, io)) {
        // Who reads records reads nothing else; a line of its own is for where errors are not logged.
        Err(error) if args.log_format == LogFormat::Json && enabled!(Level::ERROR) => {
            tracing::error!("{error:#}");
            Ok(ExitStatus::Usage)
        }
        ended => ended,
    }
}

fn start(args: &ServeArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let settings = settings(args)?;
    // While one of them evaluates, another one serves connections: two also on one processor.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.max(2))
        // What is short is evaluated where connections are served.
        .thread_stack_size(THREAD_STACK)
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    runtime.block_on(async {
        // Before anything listens: a signal that comes early is not lost.
        let mut signals = Signals::new()?;
        let running = serve(settings)
            .await
            .context("the server could not be started")?;
        announce(args, &running, io)?;
        while let Asked::Reload = signals.next().await {
            running.reload();
        }
        say(args, "shutting down; once more stops at once", io)?;
        tokio::select! {
            () = running.shutdown() => Ok(ExitStatus::Pass),
            () = signals.shutdown() => Ok(ExitStatus::Failed),
        }
    })
}

fn announce(args: &ServeArgs, running: &Running, io: &mut Io<'_>) -> Result<()> {
    say(
        args,
        &format!("webhook on https://{}", running.address()),
        io,
    )?;
    if let Some(address) = running.metrics_address() {
        say(args, &format!("metrics on http://{address}/metrics"), io)?;
    }
    if let Some(directory) = &args.tls_self_signed {
        let authority = directory.join("ca.crt");
        let line = format!("certificate authority in {}", authority.display());
        say(args, &line, io)?;
    }
    Ok(())
}

/// Says what whoever started it waits for: in a line of its own, or in a record where everything is one.
fn say(args: &ServeArgs, line: &str, io: &mut Io<'_>) -> Result<()> {
    match args.log_format {
        LogFormat::Text => writeln!(io.stderr, "{line}")?,
        LogFormat::Json => tracing::info!("{line}"),
    }
    Ok(())
}

fn settings(args: &ServeArgs) -> Result<Settings> {
    Ok(Settings {
        listen: args.listen,
        metrics_listen: Some(args.metrics_listen),
        tls: tls(args)?,
        client_authority: args.client_ca.clone(),
        policies: args.policies.clone(),
        namespaces: args.namespaces.clone(),
        cluster: cluster(args),
        exceptions: if args.enable_policy_exception {
            ExceptionsFrom::Namespaces(args.exception_namespace.clone())
        } else {
            ExceptionsFrom::Nowhere
        },
        break_glass: break_glass(args),
        trust_roots: images::trust_roots(&args.images.trusted_root)?,
        tuf: tuf(args)?,
        exact_slsa_versions: args.exact_slsa_versions,
        builders: images::builders(&args.images),
        context_size: args.max_context_size,
        images: ImageSettings {
            cache: CacheSettings {
                max_age: args.evidence_max_age,
                max_tag_age: args.tag_max_age,
                tag_reuse: args.tag_reuse.unwrap_or(Duration::ZERO),
                max_absence: args.absence_max_age,
                ..CacheSettings::default()
            },
            ..images::settings(&args.images, Loopback::Named)
        },
        module_cache: args.module_cache.clone(),
        reload_interval: Duration::from_secs(args.reload_interval),
        shutdown_delay: Duration::from_secs(args.shutdown_delay),
        drain_timeout: Duration::from_secs(args.drain_timeout),
        limits: Limits::default(),
    })
}

/// Where it is written down what is let in, if anything is.
fn break_glass(args: &ServeArgs) -> Option<BreakGlassSettings> {
    Some(BreakGlassSettings {
        journal: args.break_glass_journal.clone()?,
        longest: args.break_glass_longest,
        verify_every: args.break_glass_verify_interval,
    })
}

/// The mirror that is named.
fn tuf(args: &ServeArgs) -> Result<Option<TufSettings>> {
    let (Some(mirror), Some(root)) = (&args.tuf_mirror, &args.tuf_root) else {
        return Ok(None);
    };
    let root = std::fs::read(root).with_context(|| format!("the TUF root `{}`", root.display()))?;
    Ok(Some(TufSettings {
        mirror: mirror.clone(),
        root,
        target: args.tuf_target.clone(),
        directory: args.tuf_directory.clone(),
        certificates: args.tuf_ca.clone(),
        interval: args.tuf_interval,
        beside_others: !args.images.trusted_root.is_empty(),
    }))
}

/// The cluster that is named, or the one around this pod.
fn cluster(args: &ServeArgs) -> ClusterSettings {
    let source = match &args.kubeconfig {
        Some(path) => Some(ClusterSource::Kubeconfig(
            path.clone(),
            args.context.clone(),
        )),
        None if args.no_cluster => None,
        None => ClusterSource::mounted(),
    };
    ClusterSettings {
        source,
        pull_secrets: args.image_pull_secret.clone(),
        pod_secrets: match args.pod_pull_secrets {
            PodPullSecrets::Use => PodSecrets::Used,
            PodPullSecrets::Ignore => PodSecrets::Ignored,
        },
        local_services: args.allow_local_service.clone(),
    }
}

fn tls(args: &ServeArgs) -> Result<TlsSettings> {
    match (&args.tls_cert, &args.tls_key, &args.tls_self_signed) {
        (Some(certificate), Some(key), _) => Ok(TlsSettings::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        (_, _, Some(directory)) => Ok(TlsSettings::SelfSigned {
            directory: Path::to_path_buf(directory),
            names: args.tls_name.clone(),
        }),
        _ => anyhow::bail!("either --tls-cert and --tls-key, or --tls-self-signed is needed"),
    }
}

fn start_logs(format: LogFormat) -> Result<()> {
    let directives = std::env::var(LOG_VARIABLE).ok();
    let filter = directives.map_or_else(
        || Ok(EnvFilter::new(LOG)),
        |directives| {
            let filter = EnvFilter::try_new(directives);
            filter.with_context(|| format!("{LOG_VARIABLE} cannot be read"))
        },
    );
    // That it cannot be read is said in the logs too.
    let (filter, unread) = match filter {
        Ok(filter) => (filter, Ok(())),
        Err(error) => (EnvFilter::new(LOG), Err(error)),
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
    // Whoever runs the command in his own process may have logs already.
    if let Err(error) = started {
        tracing::debug!(%error, "logs go where they went before");
    }
    unread
}

/// What a signal asks for.
enum Asked {
    Reload,
    Shutdown,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals could not be listened to");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hang_up.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Shutdown,
            _ = self.interrupt.recv() => Asked::Shutdown,
        }
    }

    async fn shutdown(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
