//! `regent verify IMAGE --policy POLICY`: what each attestor and attestation of a policy saw of an image, and what it misses.
//!
//! The policy is evaluated as for a pod with that image; nobody's cluster is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use regent_engine::admission::{AdmissionRequest, Roles};
use regent_engine::evaluation::need::{Fact, FactError, Need};
use regent_engine::evaluation::{Evaluation, Phase, Scope, Step};
use regent_engine::load::modules::ModuleFiles;
use regent_engine::load::{Environment, ExceptionsFrom, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::response::{ImageOutcome, PolicyResponse, RuleResponse, RuleStatus, RuleType};
use regent_server::clock;
use regent_server::image::Images;
use regent_server::rego_file;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::args::verify::{Output, VerifyArgs};
use crate::exit_status::ExitStatus;
use crate::images;
use crate::io::Io;
use crate::render::human;
use crate::render::human::printable;
use crate::sources::{self, Wanted};

/// Loads the policies; what that comes to, and what is wrong on stderr, where one has an error.
pub(super) fn policies(
    args: &VerifyArgs,
    io: &mut Io<'_>,
) -> Result<Result<Arc<PolicySet>, ExitStatus>> {
    let sources = sources::read(&args.policy, Wanted::Policies, io.stdin);
    let environment = Environment {
        log_urls: Some(images::trust_roots(&args.images.trusted_root)?.urls()),
        exceptions: ExceptionsFrom::Nowhere,
        builders: images::builders(&args.images),
        modules: ModuleFiles::new(rego_file::read),
        ..Environment::default()
    };
    let loaded = load(&sources.texts, &environment);
    let said = || sources.unreadable.iter().chain(&loaded.diagnostics);
    for diagnostic in said().filter(|diagnostic| diagnostic.is_error()) {
        writeln!(io.stderr, "{}", human::line(diagnostic))?;
    }
    Ok(match ExitStatus::of_policies(said()) {
        ExitStatus::Pass => Ok(loaded.policies),
        status => Err(status),
    })
}

/// Shows what became of some images under the policies.
pub(super) fn run(
    args: &VerifyArgs,
    policies: &Arc<PolicySet>,
    (images, runtime): (&Images, &Runtime),
    io: &mut Io<'_>,
) -> Result<ExitStatus> {
    let mut status = ExitStatus::Pass;
    let mut documents = Vec::new();
    for image in &args.references {
        let request = AdmissionRequest::to_create_pod("image", Some(&args.namespace), image);
        let request = Arc::new(request);
        let evaluation =
            policies.evaluate(request, Phase::Mutate, Scope::All, clock::environment());
        let responses = finish(evaluation.tracing(), (images, runtime), args);
        let rules = image_rules(&responses);
        if rules.is_empty() {
            let why = why_unasked(&responses, &args.namespace);
            writeln!(
                io.stderr,
                "error: {}: {}",
                printable(image),
                printable(&why)
            )?;
            status = ExitStatus::Failed;
            continue;
        }
        if rules
            .iter()
            .any(|(_, rule)| rule.status != RuleStatus::Pass)
        {
            status = ExitStatus::Failed;
        }
        match args.output {
            Output::Text => show(image, &rules, io)?,
            Output::Json => documents.extend(rules.iter().map(|rule| document(image, *rule))),
        }
    }
    if args.output == Output::Json {
        writeln!(io.stdout, "{}", Value::from(documents))?;
    }
    Ok(status)
}

/// Goes through an evaluation, answering each need.
fn finish(
    mut evaluation: Evaluation,
    (images, runtime): (&Images, &Runtime),
    args: &VerifyArgs,
) -> Vec<PolicyResponse> {
    loop {
        let needs = match evaluation.step() {
            Step::Done(responses) => return responses,
            Step::Need(needs) => needs,
        };
        for (id, need) in needs {
            let fact = runtime.block_on(answer(images, &need, args));
            evaluation.answer(id, fact);
        }
    }
}

async fn answer(images: &Images, need: &Need, args: &VerifyArgs) -> Fact {
    match need {
        Need::Image(need) => {
            Fact::Image(images.evidence(need, Instant::now() + args.timeout).await)
        }
        Need::NamespaceLabels { .. } => Fact::NamespaceLabels(Ok(BTreeMap::new())),
        Need::Roles => Fact::Roles(Ok(Roles::default())),
        Need::Data(data) => Fact::Data(Err(FactError::Unavailable(format!(
            "{} cannot be had here",
            data.description()
        )))),
        // Only rules that verify images are asked.
        Need::Guest(_) | Need::Inventory(_) => Fact::missing(
            need,
            FactError::Unavailable("modules are not run here".to_owned()),
        ),
    }
}

type OfPolicy<'r> = (&'r PolicyResponse, &'r RuleResponse);

/// The rules that verify images and are about the pod's.
fn image_rules(responses: &[PolicyResponse]) -> Vec<OfPolicy<'_>> {
    let rules = responses
        .iter()
        .flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
    rules
        .filter(|(_, rule)| {
            rule.rule_type == RuleType::ImageVerify && rule.status != RuleStatus::Skip
        })
        .collect()
}

/// What the engine says of a rule that is about the pod and whose `imageReferences` cover none of its images.
const NOT_COVERED: &str = "not found in imageRefs";

/// Why no rule looked at the image: none is about such a pod, or those that are do not cover the image.
fn why_unasked(responses: &[PolicyResponse], namespace: &str) -> String {
    let rules = responses.iter().flat_map(|policy| &policy.rules);
    let about: Vec<String> = rules
        .filter(|rule| rule.rule_type == RuleType::ImageVerify)
        .map(|rule| {
            let why = if rule.message.ends_with(NOT_COVERED) {
                "none of its `imageReferences` covers the image"
            } else {
                &rule.message
            };
            format!(
                "rule {} is about the pod, and does not verify the image: {why}",
                rule.rule
            )
        })
        .collect();
    if about.is_empty() {
        return format!(
            "no rule of the policy verifies images of a pod in namespace {namespace}; --namespace names another"
        );
    }
    about.join("; ")
}

fn show(image: &str, rules: &[OfPolicy<'_>], io: &mut Io<'_>) -> Result<()> {
    writeln!(io.stdout, "{}", printable(image)).context("writing")?;
    for (policy, rule) in rules {
        let (name, status) = (printable(&policy.policy), rule.status.name());
        writeln!(
            io.stdout,
            "  policy {name}, rule {}: {status}",
            printable(&rule.rule)
        )?;
        for outcome in &rule.images {
            show_image(rule, outcome, io)?;
        }
        if rule.images.is_empty() {
            writeln!(io.stdout, "    {}", printable(&rule.message))?;
        }
    }
    Ok(())
}

fn show_image(rule: &RuleResponse, outcome: &ImageOutcome, io: &mut Io<'_>) -> Result<()> {
    let out = &mut io.stdout;
    if let Some(digest) = &outcome.digest {
        writeln!(out, "    digest {digest}")?;
    }
    for finding in &outcome.findings {
        let place = printable(&finding.place);
        let Some(reason) = &finding.reason else {
            writeln!(out, "    ok    {place}")?;
            continue;
        };
        writeln!(out, "    fails {place}\n          {}", printable(reason))?;
    }
    if outcome.findings.is_empty() {
        writeln!(out, "    {}", printable(&rule.message))?;
    }
    if let Some(note) = &outcome.note {
        writeln!(out, "    note: {}", printable(note))?;
    }
    Ok(())
}

fn document(image: &str, (policy, rule): OfPolicy<'_>) -> Value {
    let images = rule.images.iter().map(|outcome| {
        let findings = outcome.findings.iter().map(|finding| {
            json!({
                "place": finding.place,
                "satisfied": finding.reason.is_none(),
                "statements": finding.statements,
                "reason": finding.reason,
            })
        });
        json!({
            "digest": outcome.digest.as_ref().map(ToString::to_string),
            "result": outcome.status.name(),
            "note": outcome.note,
            "findings": findings.collect::<Vec<_>>(),
        })
    });
    json!({
        "image": image,
        "policy": policy.policy,
        "rule": rule.rule,
        "result": rule.status.name(),
        "message": rule.message,
        "images": images.collect::<Vec<_>>(),
    })
}
