//! Evaluation alone: no server, no TLS, one thread.
//!
//! Each figure is the median of several turns; the jobs of a section take turns, so that they can be compared.

use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use regent_benches::numbers::{Clock, by_turns, float, median, rounded};
use regent_benches::{machine, pods, usage};
use regent_engine::admission::AdmissionRequest;
use regent_engine::decision::{Decision, decide};
use regent_engine::evaluation::{Phase, Scope, Step};
use regent_engine::load::{Environment, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::response::{PolicyResponse, RuleStatus};
use regent_engine::source::Source;
use regent_server::review;
use serde_json::{Map, Value, json};

#[path = "engine/generated.rs"]
mod generated;
#[path = "engine/images.rs"]
mod images;
#[path = "engine/inventory.rs"]
mod inventory;

/// The binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures evaluation alone, and prints one JSON document
#[derive(Debug, Parser)]
struct Args {
    /// Turns of each job
    #[arg(long, default_value_t = 9)]
    turns: usize,
    /// Milliseconds of a turn
    #[arg(long, default_value_t = 100)]
    turn: u64,
    /// One section alone, by its name in the document
    #[arg(long)]
    section: Option<String>,
    /// One job of a section alone, by its name: for profilers
    #[arg(long)]
    job: Option<String>,
    /// Cargo's own flag
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let measure = Measure {
        turns: args.turns,
        turn: Duration::from_millis(args.turn),
        job: args.job,
    };
    let wanted = |name: &str| {
        args.section
            .as_deref()
            .is_none_or(|section| section == name)
    };
    let mut document = json!({
        "machine": machine::describe(),
        "turns": args.turns,
        "unit": "microseconds, medians",
    });
    // Loading first, while nothing else has grown the heap.
    let sections: [Section; 7] = [
        ("loading_1000_policies", loading),
        ("reading", reading),
        ("one_rule_10_kb", one_rule),
        ("pod_security", pod_security),
        ("loaded_1000_matching_100", many),
        ("image_cached", images::cached),
        ("inventory_1000_objects", inventory::thousand),
    ];
    for (name, section) in sections {
        if let (true, Value::Object(fields)) = (wanted(name), &mut document) {
            fields.insert(name.to_owned(), section(&measure)?);
        }
    }
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(())
}

/// A section of the document, by name.
type Section = (&'static str, fn(&Measure) -> Result<Value>);

/// What is measured, by name.
type Job<'a> = (&'a str, Box<dyn FnMut() + 'a>);

struct Measure {
    turns: usize,
    turn: Duration,
    job: Option<String>,
}

impl Measure {
    /// The medians of some jobs, by name.
    fn run(&self, mut jobs: Vec<Job<'_>>) -> Map<String, Value> {
        jobs.retain(|(name, _)| self.job.as_deref().is_none_or(|job| job == *name));
        let (names, mut calls): (Vec<&str>, Vec<&mut dyn FnMut()>) = jobs
            .iter_mut()
            .map(|(name, job)| (*name, &mut **job as &mut dyn FnMut()))
            .unzip();
        let times = by_turns(self.turns, self.turn, &mut calls);
        names
            .into_iter()
            .map(str::to_owned)
            .zip(times.into_iter().map(rounded))
            .collect()
    }
}

fn compiled(sources: &[Arc<Source>]) -> Result<Arc<PolicySet>> {
    let loaded = load(sources, &Environment::default());
    if let Some(error) = loaded.diagnostics.iter().find(|said| said.is_error()) {
        bail!("a policy does not load: {}", error.message);
    }
    ensure!(
        loaded.policies.policies().len() == sources.len(),
        "policies are missing"
    );
    Ok(loaded.policies)
}

fn request(pod: &Value) -> Result<Arc<AdmissionRequest>> {
    Ok(Arc::new(review::read(
        pods::review(pod).to_string().as_bytes(),
    )?))
}

/// Evaluates a request that needs no facts.
fn evaluate(set: &Arc<PolicySet>, request: &Arc<AdmissionRequest>) -> Vec<PolicyResponse> {
    let evaluation = set.evaluate(
        Arc::clone(request),
        Phase::Validate,
        Scope::All,
        regent_server::clock::environment(),
    );
    let mut evaluation = evaluation.without_messages_of_passes();
    match evaluation.step() {
        Step::Done(responses) => responses,
        Step::Need(_) => Vec::new(),
    }
}

/// Bytes to bytes, as the webhook does it.
fn answer(set: &Arc<PolicySet>, body: &[u8]) -> Result<Vec<u8>> {
    let request = Arc::new(review::read(body)?);
    let responses = evaluate(set, &request);
    Ok(review::write(&request.uid, &decide(&request, &responses))?)
}

/// How many rules have this status.
fn count(responses: &[PolicyResponse], status: RuleStatus) -> usize {
    let rules = responses.iter().flat_map(|policy| &policy.rules);
    rules.filter(|rule| rule.status == status).count()
}

/// Time and memory of loading.
fn loading(measure: &Measure) -> Result<Value> {
    let sources = generated::policies(generated::Others::OtherKinds);
    let before = usage::read(std::process::id())?.anonymous;
    let clock = Clock::start();
    let set = compiled(&sources)?;
    let mut times = vec![clock.elapsed().as_secs_f64()];
    let after = usage::read(std::process::id())?.anonymous;
    let rules: usize = set.policies().iter().map(|policy| policy.rules.len()).sum();
    for _ in 0..measure.turns.min(3) {
        let clock = Clock::start();
        black_box(compiled(&sources)?);
        times.push(clock.elapsed().as_secs_f64());
    }
    let kibibytes = float(after.saturating_sub(before)) / float(sources.len() as u64);
    Ok(json!({
        "milliseconds": rounded(median(times).unwrap_or(f64::NAN) * 1e3),
        "kib_per_policy": rounded(kibibytes),
        "rules_with_those_of_autogen": rules,
    }))
}

/// What comes before evaluation in any case.
fn reading(measure: &Measure) -> Result<Value> {
    let small = pods::review(&pods::good()).to_string();
    let large = pods::review(&pods::large()).to_string();
    let read = |text: &str| black_box(review::read(text.as_bytes())).is_ok();
    ensure!(read(&small) && read(&large), "a review does not read");
    let allow = Decision::Allow {
        patch: Vec::new(),
        warnings: Vec::new(),
        audit: vec![],
    };
    Ok(Value::Object(measure.run(vec![
        (
            "review_4_kb",
            Box::new(|| {
                black_box(read(&small));
            }),
        ),
        (
            "review_10_kb",
            Box::new(|| {
                black_box(read(&large));
            }),
        ),
        (
            "answer",
            Box::new(|| drop(black_box(review::write("uid", &allow)))),
        ),
    ])))
}

/// One rule about a pod of 10 KB, for each of its outcomes.
fn one_rule(measure: &Measure) -> Result<Value> {
    let request = request(&pods::large())?;
    let sets = generated::outcomes()
        .into_iter()
        .map(|(name, status, text)| {
            let set = compiled(&[Source::new(name, text)])?;
            let responses = evaluate(&set, &request);
            let expected = usize::from(status.is_some());
            ensure!(
                status.map_or(responses.len(), |status| count(&responses, status)) == expected,
                "{name}: {responses:?}"
            );
            Ok((name, set))
        })
        .collect::<Result<Vec<_>>>()?;
    let empty = Arc::new(PolicySet::default());
    let mut jobs: Vec<Job<'_>> = vec![(
        "no_rule",
        Box::new(|| drop(black_box(evaluate(&empty, &request)))),
    )];
    for (name, set) in &sets {
        jobs.push((name, Box::new(|| drop(black_box(evaluate(set, &request))))));
    }
    Ok(Value::Object(measure.run(jobs)))
}

/// The Pod Security policies that ship.
fn pod_security(measure: &Measure) -> Result<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/pod-security");
    let mut sources = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path().join("policy.yaml");
        let text = fs::read_to_string(&path)?;
        sources.push(Source::new(path.display().to_string(), text));
    }
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    let set = compiled(&sources)?;
    let bodies = [
        ("admitted_4_kb", pods::good()),
        ("denied_4_kb", pods::bad()),
        ("admitted_10_kb", pods::large()),
    ]
    .map(|(name, pod)| (name, pods::review(&pod).to_string()));
    let requests = bodies
        .iter()
        .map(|(_, body)| Ok(Arc::new(review::read(body.as_bytes())?)))
        .collect::<Result<Vec<Arc<AdmissionRequest>>>>()?;
    let mut counts = Map::new();
    for ((name, _), request) in bodies.iter().zip(&requests) {
        let responses = evaluate(&set, request);
        let all = [RuleStatus::Pass, RuleStatus::Fail, RuleStatus::Skip];
        let all = all.map(|status| count(&responses, status));
        counts.insert((*name).to_owned(), json!(all));
    }
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for ((name, _), request) in bodies.iter().zip(&requests) {
        jobs.push((name, Box::new(|| drop(black_box(evaluate(&set, request))))));
    }
    let evaluations = measure.run(jobs);
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (name, body) in &bodies {
        jobs.push((
            name,
            Box::new(|| drop(black_box(answer(&set, body.as_bytes())))),
        ));
    }
    Ok(json!({
        "policies": sources.len(),
        "pass_fail_skip": counts,
        "evaluation": evaluations,
        "bytes_to_bytes": measure.run(jobs),
        "each_policy_alone": each_alone(measure, &sources)?,
    }))
}

/// Each policy of a set alone, about the admitted pod: where the time goes.
fn each_alone(measure: &Measure, sources: &[Arc<Source>]) -> Result<Value> {
    let request = request(&pods::good())?;
    let mut sets = Vec::new();
    for source in sources {
        let set = compiled(std::slice::from_ref(source))?;
        let name = set
            .policies()
            .first()
            .map(|policy| policy.ast.name.value.clone());
        sets.push((name.unwrap_or_default(), set));
    }
    let jobs = sets.iter().map(|(name, set)| {
        let job: Box<dyn FnMut() + '_> = Box::new(|| drop(black_box(evaluate(set, &request))));
        (name.as_str(), job)
    });
    Ok(Value::Object(measure.run(jobs.collect())))
}

/// 1,000 policies of which 100 match: the others by another kind, or by another namespace.
fn many(measure: &Measure) -> Result<Value> {
    let by_kind = compiled(&generated::policies(generated::Others::OtherKinds))?;
    let by_namespace = compiled(&generated::policies(generated::Others::OtherNamespaces))?;
    let good = request(&pods::good())?;
    let large = request(&pods::large())?;
    let bad = request(&generated::refused())?;
    for set in [&by_kind, &by_namespace] {
        ensure!(
            count(&evaluate(set, &good), RuleStatus::Pass) == 100,
            "not all pass"
        );
        ensure!(
            count(&evaluate(set, &bad), RuleStatus::Fail) == 100,
            "not all fail"
        );
    }
    Ok(Value::Object(measure.run(vec![
        (
            "by_kind_admitted_4_kb",
            Box::new(|| drop(black_box(evaluate(&by_kind, &good)))),
        ),
        (
            "by_kind_admitted_10_kb",
            Box::new(|| drop(black_box(evaluate(&by_kind, &large)))),
        ),
        (
            "by_kind_denied_4_kb",
            Box::new(|| drop(black_box(evaluate(&by_kind, &bad)))),
        ),
        (
            "by_namespace_admitted_4_kb",
            Box::new(|| drop(black_box(evaluate(&by_namespace, &good)))),
        ),
    ])))
}
