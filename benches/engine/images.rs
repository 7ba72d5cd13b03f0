//! An image rule whose evidence is at hand: what it costs on top of a request that no rule is about.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use regent_benches::pods;
use regent_engine::admission::AdmissionRequest;
use regent_engine::evaluation::need::{Fact, Need};
use regent_engine::evaluation::{Phase, Scope, Step};
use regent_engine::image::VerifiedImage;
use regent_engine::policy_set::PolicySet;
use regent_engine::response::{PolicyResponse, RuleStatus};
use regent_engine::source::Source;
use regent_server::image::trust::{TrustRoot, TrustRoots};
use regent_server::image::{ImageSettings, Images};
use regent_server::metrics::Metrics;
use serde_json::Value;

use super::{Job, Measure, compiled, count, request};

/// The reference policy, on an image of the demonstration by its digest.
pub(super) fn cached(measure: &Measure) -> Result<Value> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let policy = repository.join("policies/provenance/verify-slsa-provenance/policy.yaml");
    let text = std::fs::read_to_string(&policy)?;
    let set = compiled(&[Source::new("policy.yaml", text)])?;
    let image = format!("ghcr.io/your-org/app@{}", digest(&repository)?);
    let about = request(&pods::with_image("production", &image))?;
    let elsewhere = request(&pods::with_image("shop", &image))?;
    let verified = evidence(&repository, &set, &about)?;
    let responses = answered(&set, &about, &verified);
    ensure!(
        count(&responses, RuleStatus::Pass) == 1,
        "the image is not admitted: {responses:?}"
    );
    let jobs: Vec<Job<'_>> = vec![
        (
            "no_rule_about_it",
            Box::new(|| drop(answered(&set, &elsewhere, &verified))),
        ),
        (
            "by_digest",
            Box::new(|| drop(answered(&set, &about, &verified))),
        ),
    ];
    Ok(Value::Object(measure.run(jobs)))
}

/// Evaluates a request, with the same evidence at hand for whatever image is asked for.
fn answered(
    set: &Arc<PolicySet>,
    request: &Arc<AdmissionRequest>,
    image: &VerifiedImage,
) -> Vec<PolicyResponse> {
    let evaluation = set.evaluate(
        Arc::clone(request),
        Phase::Validate,
        Scope::All,
        regent_server::clock::environment(),
    );
    let image = image.clone();
    let at_hand = move |_: &Need| Some(Fact::Image(Ok(image.clone())));
    match evaluation.with_facts_at_hand(Arc::new(at_hand)).step() {
        Step::Done(responses) => responses,
        Step::Need(_) => Vec::new(),
    }
}

/// The evidence that the policy asks for, verified from the demonstration's layout.
fn evidence(
    repository: &Path,
    set: &Arc<PolicySet>,
    request: &Arc<AdmissionRequest>,
) -> Result<VerifiedImage> {
    let layout: PathBuf = repository.join("cli/demo/registry");
    let root = std::fs::read_to_string(repository.join("cli/demo/trusted_root.json"))?;
    let settings = ImageSettings {
        layouts: vec![layout],
        ..ImageSettings::default()
    };
    let roots = TrustRoots::new(TrustRoot::parse(&root)?);
    let images = Images::new(&settings, roots, Metrics::new()?)?;
    let mut evaluation = set.evaluate(
        Arc::clone(request),
        Phase::Validate,
        Scope::All,
        regent_server::clock::environment(),
    );
    let Step::Need(needs) = evaluation.step() else {
        return Err(anyhow!("the policy asks for no evidence"));
    };
    let need = needs.into_iter().find_map(|(_, need)| match need {
        Need::Image(need) => Some(need),
        _ => None,
    });
    let need = need.context("the policy asks for no image")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let found = runtime.block_on(async {
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        images.evidence(&need, deadline).await
    });
    found.map_err(|error| anyhow!("{error}"))
}

fn digest(repository: &Path) -> Result<String> {
    let text = std::fs::read_to_string(repository.join("cli/demo/cases.json"))?;
    let cases: Value = serde_json::from_str(&text)?;
    let all = cases.pointer("/cases").and_then(Value::as_array);
    let found = all.into_iter().flatten().find(|case| case["case"] == "app");
    let digest = found.and_then(|case| case["digest"].as_str());
    Ok(digest.context("the demonstration has no `app`")?.to_owned())
}
