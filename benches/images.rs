//! Images under load, with a registry that is some way off and goes away for a while: what is admitted, how fast, and
//! with how much memory.
//!
//! Requests arrive at a fixed rate whatever becomes of those before, as they do from an API server, and a latency counts
//! from the moment at which a request was due. The images are those of the demonstration, admitted and refused ones,
//! each in many repositories: evidence is remembered for each repository, so that each is fetched and verified for itself.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use regent_benches::arrivals::{Client, Outcome, Review};
use regent_benches::child::{Server, can_pin, pin_self, sibling};
use regent_benches::numbers::{float, percentile, rounded};
use regent_benches::{machine, pods, tls, usage};
use regent_server::image::layout::Layouts;
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use serde_json::{Value, json};

#[path = "images/asked.rs"]
mod asked;

use asked::{Asked, Expectation};

/// Asks for many images at a fixed rate, takes the registry away for a while, and prints one JSON document
#[derive(Debug, Parser)]
struct Args {
    /// Different images
    #[arg(long, default_value_t = 200)]
    images: usize,
    /// Requests a second
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// What the registry waits before each answer, in milliseconds
    #[arg(long, default_value_t = 50)]
    latency: u64,
    /// Seconds during which images that are known are asked for
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds during which the registry is away, and the same is asked, and images that are not known
    #[arg(long, default_value_t = 60.0)]
    outage: f64,
    /// The binary [default: the one that was built in the same profile]
    #[arg(long, value_name = "FILE")]
    regent: Option<PathBuf>,
    /// Where the server's log and files are kept; a folder that is removed at the end otherwise
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Cargo's own flag
    #[arg(long, hide = true)]
    bench: bool,
}

/// The registry that the images name.
const REGISTRY: &str = "ghcr.io";
/// The time that an API server gives by default.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long it may take until a registry that is back is asked again: its longest rest, and a little.
const RECOVERY: Duration = Duration::from_secs(75);
const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;

fn main() -> Result<()> {
    let args = Args::parse();
    if args.images == 0 || args.rate <= 0.0 {
        bail!("at least one image, and more than no requests a second");
    }
    let machine = machine::describe();
    let pinned = can_pin();
    if pinned {
        pin_self(CLIENT_CORE)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let phases = runtime.block_on(measure(&args, pinned.then_some(SERVER_CORE)))?;
    let document = json!({
        "machine": machine,
        "pinned_to_one_processor": pinned,
        "images": args.images,
        "requests_per_second": args.rate,
        "registry_latency_ms": args.latency,
        "phases": phases,
    });
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(())
}

/// What all phases share.
struct Load<'a> {
    args: &'a Args,
    client: Arc<Client>,
    pid: u32,
}

async fn measure(args: &Args, core: Option<usize>) -> Result<Vec<Value>> {
    let scratch = tempfile::tempdir()?;
    let folder = args
        .keep
        .clone()
        .unwrap_or_else(|| scratch.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let layouts = Layouts::open(&[repository("cli/demo/registry")])?;
    let mut registry = LayoutRegistry::start(layouts, REGISTRY, ReferrersApi::Served)
        .await
        .context("the registry")?;
    registry.set_latency(Duration::from_millis(args.latency));
    let kinds = asked::kinds()?;
    let known: Vec<Asked> = (0..args.images)
        .map(|number| Asked::new(&kinds, "known", number))
        .collect::<Result<_>>()?;
    let unknown: Vec<Asked> = (0..args.images)
        .map(|number| Asked::new(&kinds, "unknown", number))
        .collect::<Result<_>>()?;
    for image in known.iter().chain(&unknown) {
        registry.move_tag(&image.repository, "v1", &image.digest);
    }
    let server = serve(args, core, &folder, &registry)?;
    let connector = tls::connector(&folder.join("tls").join("ca.crt"))?;
    let load = Load {
        args,
        client: Client::new(&server.url("/"), connector, DEADLINE)?,
        pid: server.pid(),
    };
    let cold = load.phase("cold", &known, Phase::Served, 1.0).await?;
    let cached = load.rounds("cached", &known, Phase::Served, args.seconds);
    let cached = cached.await?;
    registry.stop().await;
    let mixed: Vec<Asked> = known
        .iter()
        .zip(&unknown)
        .flat_map(|(known, unknown)| [known.clone(), unknown.clone()])
        .collect();
    let away = load.rounds("registry away", &mixed, Phase::Away, args.outage);
    let away = away.await?;
    registry.resume().await.context("the registry again")?;
    let waited = load.recovery(&unknown).await?;
    let back = load.rounds("registry back", &mixed, Phase::Served, args.seconds);
    let mut back = back.await?;
    if let Some(fields) = back.as_object_mut() {
        fields.insert("asked_again_after_s".to_owned(), waited);
    }
    Ok(vec![cold, cached, away, back])
}

fn serve(
    args: &Args,
    core: Option<usize>,
    folder: &Path,
    registry: &LayoutRegistry,
) -> Result<Server> {
    let regent = args.regent.clone().map_or_else(|| sibling("regent"), Ok)?;
    let path = |path: &str| repository(path).display().to_string();
    let arguments = [
        "serve".to_owned(),
        "--listen".to_owned(),
        "127.0.0.1:0".to_owned(),
        "--metrics-listen".to_owned(),
        "127.0.0.1:0".to_owned(),
        "--tls-self-signed".to_owned(),
        folder.join("tls").display().to_string(),
        "--policies".to_owned(),
        path("policies/provenance/verify-slsa-provenance"),
        "--trusted-root".to_owned(),
        path("cli/demo/trusted_root.json"),
        "--registry-mirror".to_owned(),
        format!("{REGISTRY}=http://{}", registry.address()),
    ];
    Server::start(&regent, &arguments, core, &folder.join("serve.log"))
}

/// What the registry does during a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Served,
    Away,
}

impl Load<'_> {
    /// Each image again and again for some seconds.
    async fn rounds(
        &self,
        name: &str,
        images: &[Asked],
        phase: Phase,
        seconds: f64,
    ) -> Result<Value> {
        let rounds = seconds * self.args.rate / float(images.len() as u64);
        self.phase(name, images, phase, rounds).await
    }

    /// Asks for each image `rounds` times at the rate, and says what came of it; an error where anything was admitted
    /// that must not be.
    async fn phase(
        &self,
        name: &str,
        images: &[Asked],
        phase: Phase,
        rounds: f64,
    ) -> Result<Value> {
        let each = Duration::from_secs_f64(1.0 / self.args.rate);
        let begin = Instant::now();
        let mut due = begin;
        let until = begin + each.mul_f64(rounds * float(images.len() as u64));
        let mut running = tokio::task::JoinSet::new();
        let mut outcomes = Vec::new();
        for image in images.iter().cycle() {
            if due >= until {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            let expected = image.expectation(phase == Phase::Away);
            let client = Arc::clone(&self.client);
            let review = image.review.clone();
            running.spawn(async move { (expected, client.ask(&review, due).await) });
            while let Some(done) = running.try_join_next() {
                outcomes.push(done?);
            }
            due += each;
        }
        while let Some(done) = running.join_next().await {
            outcomes.push(done?);
        }
        let took = begin.elapsed();
        let used = usage::read(self.pid)?;
        let mut document = judged(&outcomes)?;
        if let Some(fields) = document.as_object_mut() {
            fields.insert("phase".to_owned(), name.into());
            fields.insert("seconds".to_owned(), rounded(took.as_secs_f64()));
            for (name, kibibytes) in [
                ("rss_mib", used.resident),
                ("rss_anonymous_mib", used.anonymous),
                ("rss_peak_mib", used.peak),
            ] {
                fields.insert(name.to_owned(), rounded(float(kibibytes) / 1024.0));
            }
        }
        Ok(document)
    }

    /// Waits until an image that nobody knows is admitted: the registry is asked again.
    async fn recovery(&self, unknown: &[Asked]) -> Result<Value> {
        let good = unknown
            .iter()
            .find(|image| image.expectation(false) == Expectation::Admitted)
            .context("no image is admitted")?;
        let begin = Instant::now();
        while begin.elapsed() < RECOVERY {
            if self.client.ask(&good.review, Instant::now()).await.allowed == Some(true) {
                return Ok(rounded(begin.elapsed().as_secs_f64()));
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        bail!("the registry is back and was not asked again within {RECOVERY:?}")
    }
}

/// Verdicts and latencies, by what was expected. What was admitted and must not be makes every figure worthless.
fn judged(outcomes: &[(Expectation, Outcome)]) -> Result<Value> {
    let count = |wanted: Expectation, allowed: Option<bool>| {
        outcomes
            .iter()
            .filter(|(expected, outcome)| *expected == wanted && outcome.allowed == allowed)
            .count()
    };
    let latencies = |wanted: Expectation| {
        let mut all: Vec<u64> = outcomes
            .iter()
            .filter(|(expected, _)| *expected == wanted)
            .map(|(_, outcome)| u64::try_from(outcome.took.as_nanos()).unwrap_or(u64::MAX))
            .collect();
        all.sort_unstable();
        let at = |share: f64| {
            percentile(&all, share).map_or(Value::Null, |found| rounded(float(found) / 1e6))
        };
        json!({"p50": at(0.5), "p99": at(0.99), "max": at(1.0)})
    };
    let wrong = count(Expectation::Refused, Some(true));
    if wrong > 0 {
        bail!("{wrong} requests were admitted that must not be");
    }
    Ok(json!({
        "requests": outcomes.len(),
        "admitted": count(Expectation::Admitted, Some(true)),
        "refused": count(Expectation::Refused, Some(false)),
        "refused_though_good": count(Expectation::Admitted, Some(false)),
        "without_answer": outcomes.iter().filter(|(_, outcome)| outcome.allowed.is_none()).count(),
        "admitted_ms": latencies(Expectation::Admitted),
        "refused_ms": latencies(Expectation::Refused),
    }))
}

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
