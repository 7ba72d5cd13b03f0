//! The load generator's command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use regent_benches::child::{Server, can_pin, sibling};
use regent_benches::load::{Amount, Answers, Body, MAX_REQUESTS, Report, Target, run};
use regent_benches::numbers::rounded;
use regent_benches::{machine, tls};
use serde_json::json;

/// Drives an admission webhook on this machine over TLS keep-alive, and prints what came back as one JSON document
#[derive(Debug, Parser)]
struct Args {
    /// The webhook, as in `https://127.0.0.1:9443/validate`
    #[arg(long)]
    url: String,
    /// The certificate that the webhook's chains to (PEM)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// The `AdmissionReview` to send (JSON); each request gets a uid of its own
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// Connections at once
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// How long is measured
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How long is sent before that, unmeasured
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    warm_up: f64,
    /// Requests at most
    #[arg(long, default_value_t = MAX_REQUESTS)]
    requests: u64,
    /// The webhook's process, whose processor time and memory are read
    #[arg(long)]
    pid: Option<u32>,
    /// Measure an empty TLS server in the same run, before the webhook: the floor
    #[arg(long)]
    floor: bool,
    /// The processor that the floor runs on, which should be the webhook's
    #[arg(long, value_name = "CORE", requires = "floor")]
    floor_core: Option<usize>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    // One thread: the client must not take from the server what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let amount = Amount {
        connections: args.connections,
        time: seconds(args.seconds)?,
        warm_up: seconds(args.warm_up)?,
        requests: args.requests,
    };
    let text =
        std::fs::read(&args.body).with_context(|| format!("reading `{}`", args.body.display()))?;
    let body = Body::read(&text)?;
    let floor = args
        .floor
        .then(|| Floor::start(args.floor_core))
        .transpose()?;
    let before = floor
        .as_ref()
        .map(|floor| floor.measure(&runtime, &body, amount))
        .transpose()?;
    let target = Target::new(&args.url, body.clone(), Answers::Reviews)?;
    let report = runtime.block_on(run(target, tls::connector(&args.ca)?, amount, args.pid))?;
    let mut document = json!({
        "url": args.url,
        "connections": amount.connections,
        "body_bytes": body.length(),
        "machine": machine::describe(),
        "webhook": report.to_json(),
    });
    if let (Some(floor), Some(fields)) = (before, document.as_object_mut()) {
        fields.insert("floor".to_owned(), floor.to_json());
        let ratio = json!({
            "p50": rounded(report.latency(0.5) / floor.latency(0.5)),
            "p99": rounded(report.latency(0.99) / floor.latency(0.99)),
            "requests_per_second": rounded(report.rate() / floor.rate()),
        });
        fields.insert("webhook_to_floor".to_owned(), ratio);
    }
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(())
}

fn seconds(number: f64) -> Result<Duration> {
    match Duration::try_from_secs_f64(number) {
        Ok(duration) => Ok(duration),
        Err(error) => bail!("{number} seconds: {error}"),
    }
}

/// The empty server, in a process of its own.
struct Floor {
    server: Server,
    folder: tempfile::TempDir,
}

impl Floor {
    fn start(core: Option<usize>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let certificate = folder.path().join("floor.pem");
        let arguments = [Path::new("--certificate"), &certificate];
        let core = core.filter(|_| can_pin());
        let log = folder.path().join("floor.log");
        Ok(Self {
            server: Server::start(&sibling("floor")?, &arguments, core, &log)?,
            folder,
        })
    }

    fn measure(
        &self,
        runtime: &tokio::runtime::Runtime,
        body: &Body,
        amount: Amount,
    ) -> Result<Report> {
        let target = Target::new(&self.server.url("/"), body.clone(), Answers::Anything)?;
        let connector = tls::connector(&self.folder.path().join("floor.pem"))?;
        runtime.block_on(run(target, connector, amount, Some(self.server.pid())))
    }
}
