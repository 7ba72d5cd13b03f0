//! A module that never answers, beside policies that do: what others wait, with and without it, in `regent serve`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use regent_benches::arrivals::{Client, Outcome, Review};
use regent_benches::child::{Server, sibling};
use regent_benches::numbers::{float, rounded};
use regent_benches::{pods, tls, usage};
use serde_json::{Value, json};

use super::calls::{Spread, cases};
use super::{Args, shipped};

/// The time that an API server gives by default.
const DEADLINE: Duration = Duration::from_secs(10);

/// Seconds in which the server finds out that a module does not end.
const AT_FIRST: f64 = 5.0;

/// Accepts its settings, and never answers a request.
const RUNAWAY: &str = r#"(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{\"valid\":true}")
  (func (export "__guest_call") (param $operation i32) (param i32) (result i32)
    (if (i32.eq (local.get $operation) (i32.const 17))
      (then (call $response (i32.const 8) (i32.const 14)) (return (i32.const 1))))
    (loop $again (br $again))
    (i32.const 1)))"#;

/// Rounds with and without requests that run away, by turns.
pub(crate) fn measure(args: &Args) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let policies = folder.path().join("policies");
    fs::create_dir(&policies)?;
    write_policies(&policies)?;
    let server = serve(args, folder.path(), &policies)?;
    let connector = tls::connector(&folder.path().join("tls").join("ca.crt"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let client = Client::new(&server.url("/"), connector, DEADLINE)?;
    let load = Load {
        args,
        client,
        others: review("shop"),
        runaway: review("runaway"),
    };
    runtime.block_on(load.round(Beside::Nothing, 2.0))?;
    // It takes some calls that ran out of their time until those that follow get less of it.
    let at_first = Summary::of(&runtime.block_on(load.round(Beside::Runaway, AT_FIRST))?);
    let (mut without, mut with) = (Round::default(), Round::default());
    for _ in 0..args.rounds.max(1) {
        without.add(runtime.block_on(load.round(Beside::Nothing, args.seconds))?);
        with.add(runtime.block_on(load.round(Beside::Runaway, args.seconds))?);
        // What still runs away ends before the next round.
        runtime.block_on(async { tokio::time::sleep(Duration::from_secs(2)).await });
    }
    let resident = usage::read(server.pid())?.resident;
    let (without, with) = (Summary::of(&without), Summary::of(&with));
    Ok(json!({
        "others_per_second": args.rate,
        "runaways_per_second": args.runaway_rate,
        "at_first": at_first.to_json(),
        "without": without.to_json(),
        "with": with.to_json(),
        "p50_moved_by": rounded(with.others.p50 / without.others.p50 - 1.0),
        "p99_moved_by": rounded(with.others.p99 / without.others.p99 - 1.0),
        "rss_mib": rounded(float(resident) / 1024.0),
    }))
}

fn write_policies(folder: &Path) -> Result<()> {
    let policy = |name: &str, namespace: &str, body: &str| {
        let text = format!(
            "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\nspec:\n  rules:\n  - name: only\n    match: {{any: [{{resources: {{kinds: [Pod], namespaces: ['{namespace}']}}}}]}}\n    validate:\n      failureAction: Enforce\n      message: refused\n{body}\n"
        );
        fs::write(folder.join(format!("{name}.yaml")), text)
    };
    for case in cases() {
        let module = shipped(case.name).display().to_string();
        let body = format!(
            "      wasm: {}",
            json!({"module": module, "settings": case.settings})
        );
        policy(case.name, "shop", &body)?;
    }
    let labelled = "      pattern: {metadata: {labels: {'app.kubernetes.io/name': '?*'}}}";
    policy("labelled", "shop", labelled)?;
    fs::write(folder.join("runaway.wasm"), wat::parse_str(RUNAWAY)?)?;
    policy("runaway", "runaway", "      wasm: {module: runaway.wasm}")?;
    Ok(())
}

fn review(namespace: &str) -> Review {
    let mut pod = pods::large();
    if let Some(place) = pod.pointer_mut("/metadata/namespace") {
        *place = namespace.into();
    }
    Review::new("/validate/fail?timeout=10s", &pods::review(&pod))
}

fn serve(args: &Args, folder: &Path, policies: &Path) -> Result<Server> {
    let regent = args.regent.clone().map_or_else(|| sibling("regent"), Ok)?;
    let mut arguments: Vec<String> = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen"]
        .map(str::to_owned)
        .into();
    arguments.extend(["127.0.0.1:0", "--tls-self-signed"].map(str::to_owned));
    arguments.push(folder.join("tls").display().to_string());
    arguments.extend(["--policies".to_owned(), policies.display().to_string()]);
    Server::start(&regent, &arguments, None, &folder.join("serve.log"))
}

/// What is asked beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Runaway,
}

struct Load<'a> {
    args: &'a Args,
    client: Arc<Client>,
    others: Review,
    runaway: Review,
}

/// What came of a round.
#[derive(Default)]
struct Round {
    others: Vec<Outcome>,
    runaways: Vec<Outcome>,
}

impl Round {
    fn add(&mut self, other: Self) {
        self.others.extend(other.others);
        self.runaways.extend(other.runaways);
    }
}

impl Load<'_> {
    async fn round(&self, beside: Beside, seconds: f64) -> Result<Round> {
        let others = self.arrive(&self.others, self.args.rate, seconds);
        let round = match beside {
            Beside::Nothing => Round {
                others: others.await?,
                runaways: Vec::new(),
            },
            Beside::Runaway => {
                let runaways = self.arrive(&self.runaway, self.args.runaway_rate, seconds);
                let (others, runaways) = tokio::join!(others, runaways);
                Round {
                    others: others?,
                    runaways: runaways?,
                }
            }
        };
        // A figure of answers that are not the expected ones would be worth nothing.
        if let Some(other) = round.others.iter().find(|one| one.allowed != Some(true)) {
            bail!("a good pod was not admitted: {other:?}");
        }
        if round.runaways.iter().any(|one| one.allowed == Some(true)) {
            bail!("a request was admitted whose module never answers");
        }
        Ok(round)
    }

    async fn arrive(&self, review: &Review, rate: f64, seconds: f64) -> Result<Vec<Outcome>> {
        let each = Duration::from_secs_f64(1.0 / rate);
        let begin = Instant::now();
        let until = begin + Duration::from_secs_f64(seconds);
        let mut due = begin;
        let mut running = tokio::task::JoinSet::new();
        while due < until {
            tokio::time::sleep_until(due.into()).await;
            let (client, review) = (Arc::clone(&self.client), review.clone());
            running.spawn(async move { client.ask(&review, due).await });
            due += each;
        }
        let mut outcomes = Vec::new();
        while let Some(done) = running.join_next().await {
            outcomes.push(done?);
        }
        Ok(outcomes)
    }
}

struct Summary {
    requests: usize,
    others: Spread,
    refused: usize,
    without_answer: usize,
}

impl Summary {
    fn of(round: &Round) -> Self {
        let count = |allowed: Option<bool>| {
            let runaways = round.runaways.iter();
            runaways.filter(|one| one.allowed == allowed).count()
        };
        let times = round.others.iter().map(|one| one.took.as_nanos());
        let times = times.map(|took| u64::try_from(took).unwrap_or(u64::MAX));
        Self {
            requests: round.others.len(),
            others: Spread::of(times.collect()),
            refused: count(Some(false)),
            without_answer: count(None),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "requests": self.requests,
            "others_us": self.others.to_json(),
            "runaways_refused": self.refused,
            "runaways_without_answer": self.without_answer,
        })
    }
}
