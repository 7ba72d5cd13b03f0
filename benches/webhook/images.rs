//! Images: from the cache, beside the same pod where no rule is about it; and cold, from a registry on loopback.
//!
//! The registry runs in the client's process; it counts what it is asked, and can answer late.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use regent_benches::numbers::{float, median, rounded};
use regent_benches::{pods, usage};
use regent_server::image::layout::Layouts;
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use serde_json::{Value, json};

use super::{Bench, Case, Webhook, repository};

/// The registry that the images name.
const REGISTRY: &str = "ghcr.io";

/// As far as a registry is away; what is added to the time of a cold image, divided by this, is how often it was waited for.
const LATENCY: Duration = Duration::from_millis(100);

fn registry(bench: &Bench) -> Result<LayoutRegistry> {
    let layout: PathBuf = repository("cli/demo/registry");
    let layouts = Layouts::open(std::slice::from_ref(&layout))?;
    let starting = LayoutRegistry::start(layouts, REGISTRY, ReferrersApi::Served);
    bench.runtime.block_on(starting).context("the registry")
}

/// A webhook with the Pod Security policies and the reference policy.
fn serve(bench: &Bench, name: &str, registry: &LayoutRegistry) -> Result<Webhook> {
    let path = |path: &str| repository(path).display().to_string();
    let arguments = [
        "--policies".to_owned(),
        path("policies/pod-security"),
        path("policies/provenance/verify-slsa-provenance"),
        "--trusted-root".to_owned(),
        path("cli/demo/trusted_root.json"),
        "--registry-mirror".to_owned(),
        format!("{REGISTRY}=http://{}", registry.address()),
    ];
    bench.serve(name, &arguments)
}

fn digest_of(image: &str) -> Result<String> {
    let text = std::fs::read_to_string(repository("cli/demo/cases.json"))?;
    let cases: Value = serde_json::from_str(&text)?;
    let all = cases.pointer("/cases").and_then(Value::as_array);
    let found = all.into_iter().flatten().find(|case| case["case"] == image);
    let digest = found.and_then(|case| case["digest"].as_str());
    Ok(digest
        .with_context(|| format!("the demonstration has no image `{image}`"))?
        .to_owned())
}

/// An image whose evidence is remembered, by digest and by tag, beside the same pod where no image rule is about it.
pub(super) fn cached(bench: &Bench) -> Result<Vec<Value>> {
    let registry = registry(bench)?;
    let server = &serve(bench, "cached", &registry)?;
    let digest = digest_of("app")?;
    let by_digest = format!("ghcr.io/your-org/app@{digest}");
    let by_tag = "ghcr.io/your-org/app:v1";
    let case = |name, path, namespace, image| Case {
        name,
        server,
        path,
        pod: pods::with_image(namespace, image),
        connections: 1,
        admitted: true,
    };
    let (validate, mutate) = ("/validate?timeout=10s", "/mutate?timeout=10s");
    bench.measure(&[
        case("image, no rule about it", validate, "shop", &by_digest),
        case(
            "image, cached, by digest",
            validate,
            "production",
            &by_digest,
        ),
        case("image, no rule about it, mutate", mutate, "shop", by_tag),
        case(
            "image, cached, by tag, mutate",
            mutate,
            "production",
            by_tag,
        ),
    ])
}

/// Images that are asked for for the first time, each by a webhook that was started for it and that knows the registry already.
pub(super) fn cold(bench: &Bench) -> Result<Vec<Value>> {
    let mut measured = Vec::new();
    for (image, kind) in [("app", "bundles"), ("legacy", "legacy tags")] {
        for by_tag in [true, false] {
            let reference = if by_tag {
                format!("ghcr.io/your-org/{image}:v1")
            } else {
                format!("ghcr.io/your-org/{image}@{}", digest_of(image)?)
            };
            let name = format!("image, cold, {kind}");
            if bench.wants(&name) {
                measured.push(one_cold(bench, &name, &reference)?);
            }
        }
    }
    Ok(measured)
}

/// A cold image, without and with a registry that is far away.
fn one_cold(bench: &Bench, name: &str, reference: &str) -> Result<Value> {
    let pod = pods::with_image("production", reference);
    let warming = pods::with_image("production", "ghcr.io/your-org/unsigned:v1");
    let (mut near, mut far, mut cpu, mut warm) = (vec![], vec![], vec![], vec![]);
    let mut asked = Vec::new();
    for _ in 0..bench.args.rounds.max(1) {
        for latency in [Duration::ZERO, LATENCY] {
            let registry = registry(bench)?;
            let webhook = serve(bench, "cold", &registry)?;
            let path = "/mutate?timeout=10s";
            // Connections and threads are there afterwards; what is measured is the image.
            bench.ask(&webhook, path, &warming, false)?;
            registry.set_latency(latency);
            let before = registry.requests().len();
            let used = usage::precise_cpu(webhook.server.pid())?;
            let took = bench.ask(&webhook, path, &pod, true)?.latency(0.5);
            if latency.is_zero() {
                near.push(took);
                let used = usage::precise_cpu(webhook.server.pid())?.saturating_sub(used);
                cpu.push(used.as_secs_f64() * 1e3);
                asked = registry.requests().split_off(before);
                let again = bench.ask(&webhook, path, &pod, true)?;
                warm.push(again.latency(0.5));
            } else {
                far.push(took);
            }
        }
    }
    let middle = |times: Vec<f64>| median(times).unwrap_or(f64::NAN);
    let (near, far) = (middle(near), middle(far));
    let waited = (far - near) / (LATENCY.as_secs_f64() * 1e3);
    Ok(json!({
        "case": name,
        "image": reference,
        "cold_ms": rounded(near),
        "again_ms": rounded(middle(warm)),
        "cpu_ms": rounded(middle(cpu)),
        "registry_requests": float(asked.len() as u64),
        "sequential_round_trips": rounded(waited),
        "asked": asked,
    }))
}
