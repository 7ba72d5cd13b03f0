//! The webhook as it is served: the `regent` binary on one processor, driven over TLS, beside the floor in the same run.
//!
//! Build the binary in the same profile first; `README.md` has the commands.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use regent_benches::child::{Server, can_pin, pin_self, sibling};
use regent_benches::load::{Amount, Answers, Body, MAX_REQUESTS, Report, Target, run};
use regent_benches::numbers::{median, rounded};
use regent_benches::{machine, pods, tls};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[path = "webhook/images.rs"]
mod images;

/// Measures the webhook beside the floor, and prints one JSON document
#[derive(Debug, Parser)]
struct Args {
    /// Rounds of each case; floor and webhook take turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a round
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The binary [default: the one that was built in the same profile]
    #[arg(long, value_name = "FILE")]
    regent: Option<PathBuf>,
    /// Only cases whose name holds this
    #[arg(long, default_value = "")]
    case: String,
    /// Where the servers' logs and files are kept; a folder that is removed at the end otherwise
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Cargo's own flag
    #[arg(long, hide = true)]
    bench: bool,
}

/// The processor of the servers; the client has the other.
const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;

fn main() -> Result<()> {
    let args = Args::parse();
    // Before anything is pinned, which hides the other processors.
    let machine = machine::describe();
    let pinned = can_pin();
    if pinned {
        pin_self(CLIENT_CORE)?;
    }
    let scratch = tempfile::tempdir()?;
    let bench = Bench {
        folder: args
            .keep
            .clone()
            .unwrap_or_else(|| scratch.path().to_owned()),
        regent: args.regent.clone().map_or_else(|| sibling("regent"), Ok)?,
        core: pinned.then_some(SERVER_CORE),
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        args,
        _scratch: scratch,
    };
    fs::create_dir_all(&bench.folder)?;
    let mut cases = bench.pod_security()?;
    cases.extend(images::cached(&bench)?);
    let cold = images::cold(&bench)?;
    let document = json!({
        "machine": machine,
        "pinned_to_one_processor": pinned,
        "rounds": bench.args.rounds,
        "seconds_of_a_round": bench.args.seconds,
        "cases": cases,
        "cold_images": cold,
    });
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(())
}

/// What all cases share.
struct Bench {
    args: Args,
    folder: PathBuf,
    regent: PathBuf,
    core: Option<usize>,
    runtime: Runtime,
    _scratch: TempDir,
}

/// What is asked of whom.
struct Case<'a> {
    name: &'a str,
    server: &'a Webhook,
    path: &'a str,
    pod: Value,
    connections: usize,
    admitted: bool,
}

impl Case<'_> {
    /// A figure of answers that are not the expected ones would be worth nothing.
    fn check(&self, report: &Report) -> Result<()> {
        let (allowed, denied) = report.answers();
        let (wanted, other) = if self.admitted {
            (allowed, denied)
        } else {
            (denied, allowed)
        };
        if wanted == 0 || other > 0 || report.errors() > 0 {
            bail!("{}: {}", self.name, report.to_json());
        }
        Ok(())
    }
}

/// A running `regent serve`.
struct Webhook {
    server: Server,
    authority: PathBuf,
}

/// A running floor.
struct Floor {
    server: Server,
    certificate: PathBuf,
}

impl Bench {
    /// Whether the user wants a case.
    fn wants(&self, case: &str) -> bool {
        case.contains(&self.args.case)
    }

    /// Starts `regent serve` with what it ships with, as a user would.
    fn serve(&self, name: &str, arguments: &[String]) -> Result<Webhook> {
        let tls = self.folder.join(format!("{name}-tls"));
        let mut all: Vec<String> = ["serve", "--listen", "127.0.0.1:0"]
            .map(str::to_owned)
            .into();
        all.extend(["--metrics-listen", "127.0.0.1:0", "--tls-self-signed"].map(str::to_owned));
        all.push(tls.display().to_string());
        all.extend_from_slice(arguments);
        let log = self.folder.join(format!("{name}.log"));
        Ok(Webhook {
            server: Server::start(&self.regent, &all, self.core, &log)?,
            authority: tls.join("ca.crt"),
        })
    }

    fn floor(&self) -> Result<Floor> {
        let certificate = self.folder.join("floor.pem");
        let arguments = [Path::new("--certificate"), &certificate];
        let log = self.folder.join("floor.log");
        Ok(Floor {
            server: Server::start(&sibling("floor")?, &arguments, self.core, &log)?,
            certificate,
        })
    }

    /// One request of a review that is answered as expected.
    fn ask(&self, webhook: &Webhook, path: &str, pod: &Value, admitted: bool) -> Result<Report> {
        let amount = Amount {
            connections: 1,
            time: Duration::from_secs(20),
            warm_up: Duration::ZERO,
            requests: 1,
        };
        let report = self.drive_webhook(webhook, path, pod, amount)?;
        let wanted = if admitted { (1, 0) } else { (0, 1) };
        if report.answers() != wanted {
            bail!("the answer was not the expected one: {}", report.to_json());
        }
        Ok(report)
    }

    fn drive_webhook(
        &self,
        webhook: &Webhook,
        path: &str,
        pod: &Value,
        amount: Amount,
    ) -> Result<Report> {
        let body = Body::read(pods::review(pod).to_string().as_bytes())?;
        let target = Target::new(&webhook.server.url(path), body, Answers::Reviews)?;
        let connector = tls::connector(&webhook.authority)?;
        let pid = Some(webhook.server.pid());
        self.runtime.block_on(run(target, connector, amount, pid))
    }

    fn drive_floor(&self, floor: &Floor, pod: &Value, amount: Amount) -> Result<Report> {
        let body = Body::read(pods::review(pod).to_string().as_bytes())?;
        let target = Target::new(&floor.server.url("/"), body, Answers::Anything)?;
        let connector = tls::connector(&floor.certificate)?;
        let pid = Some(floor.server.pid());
        self.runtime.block_on(run(target, connector, amount, pid))
    }

    fn amount(&self, connections: usize) -> Result<Amount> {
        Ok(Amount {
            connections,
            time: Duration::try_from_secs_f64(self.args.seconds)?,
            warm_up: Duration::from_millis(300),
            requests: MAX_REQUESTS,
        })
    }

    /// Measures cases and the floor by turns; the floor is measured with the body and the connections of the first.
    fn measure(&self, cases: &[Case<'_>]) -> Result<Vec<Value>> {
        let cases: Vec<&Case<'_>> = cases.iter().filter(|case| self.wants(case.name)).collect();
        let Some(first) = cases.first() else {
            return Ok(Vec::new());
        };
        let floor = self.floor()?;
        let mut floors = Vec::new();
        let mut webhooks: Vec<Vec<Report>> = cases.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.args.rounds.max(1) {
            let amount = self.amount(first.connections)?;
            floors.push(self.drive_floor(&floor, &first.pod, amount)?);
            for (case, reports) in cases.iter().zip(&mut webhooks) {
                let amount = self.amount(case.connections)?;
                let report = self.drive_webhook(case.server, case.path, &case.pod, amount)?;
                case.check(&report)?;
                reports.push(report);
            }
        }
        let floor = summary(&floors);
        Ok(cases
            .iter()
            .zip(&webhooks)
            .map(|(case, reports)| {
                let webhook = summary(reports);
                json!({
                    "case": case.name,
                    "connections": case.connections,
                    "webhook": webhook,
                    "floor": floor,
                    "webhook_to_floor": {
                        "p50": ratio(&webhook, &floor, "p50_ms"),
                        "requests_per_second": ratio(&webhook, &floor, "requests_per_second"),
                        "cpu": ratio(&webhook, &floor, "cpu_ms_per_request"),
                    },
                })
            })
            .collect())
    }

    /// The Pod Security policies that ship.
    fn pod_security(&self) -> Result<Vec<Value>> {
        let policies = repository("policies/pod-security");
        let arguments = ["--policies".to_owned(), policies.display().to_string()];
        let server = &self.serve("pod-security", &arguments)?;
        let case = |name, pod, connections, admitted| Case {
            name,
            server,
            path: "/validate?timeout=10s",
            pod,
            connections,
            admitted,
        };
        let mut measured = self.measure(&[
            case("pod security, admitted", pods::good(), 1, true),
            case("pod security, denied", pods::bad(), 1, false),
        ])?;
        measured.extend(self.measure(&[
            case("pod security, admitted, 8 at once", pods::good(), 8, true),
            case("pod security, denied, 8 at once", pods::bad(), 8, false),
        ])?);
        measured.extend(self.measure(&[case(
            "pod security, admitted, 32 at once",
            pods::good(),
            32,
            true,
        )])?);
        Ok(measured)
    }
}

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The medians of the rounds.
fn summary(reports: &[Report]) -> Value {
    let middle = |of: fn(&Report) -> f64| {
        rounded(median(reports.iter().map(of).collect()).unwrap_or(f64::NAN))
    };
    json!({
        "requests_per_second": middle(Report::rate),
        "p50_ms": middle(|report| report.latency(0.5)),
        "p99_ms": middle(|report| report.latency(0.99)),
        "p99_9_ms": middle(|report| report.latency(0.999)),
        "cpu_ms_per_request": middle(Report::cpu),
        "rss_mib": middle(Report::resident),
    })
}

fn ratio(one: &Value, other: &Value, field: &str) -> Value {
    let number = |summary: &Value| summary.get(field).and_then(Value::as_f64);
    match (number(one), number(other)) {
        (Some(one), Some(other)) => rounded(one / other),
        _ => Value::Null,
    }
}
