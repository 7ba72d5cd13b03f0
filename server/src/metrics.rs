//! What is counted and timed, in Prometheus' words: Kyverno's names where it has them, `regent_…` for what it lacks.
//!
//! Every series that a cluster's users could multiply (namespaces, kinds) is bounded by [`series`].
//! Kyverno's label `policy_background_mode` is left out: nothing runs in the background here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus::{
    Counter, CounterVec, Encoder as _, Histogram, HistogramVec, Registry, TextEncoder,
};
use regent_engine::admission::{AdmissionRequest, Operation};
use regent_engine::evaluation::Phase;
use regent_engine::response::{FailureAction, PolicyResponse, RuleResponse, RuleType};

use crate::clock;
use family::Family;
use groups::{Broken, Cluster, Http, Images, State};
use series::Bounded;

mod family;
mod groups;
mod series;
#[cfg(test)]
mod tests;

const ADMISSION: [&str; 5] = [
    "resource_kind",
    "resource_namespace",
    "resource_request_operation",
    "request_allowed",
    "request_webhook",
];

const RULE: [&str; 12] = [
    "resource_kind",
    "resource_namespace",
    "policy_name",
    "policy_namespace",
    "policy_type",
    "policy_validation_mode",
    "resource_request_operation",
    "rule_name",
    "rule_result",
    "rule_type",
    "rule_execution_cause",
    "dry_run",
];

/// Distinct label sets of one metric family; beyond them kind and namespace read `_other`.
const MAX_SERIES: usize = 10_000;

/// Which way a request to the evidence cache went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheOutcome {
    /// The evidence was there.
    Hit,
    /// It had to be fetched and verified.
    Miss,
    /// Another request was already fetching it.
    Wait,
    /// That there was none a moment ago was remembered.
    Absent,
}

/// What becomes of a registry that fails again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// It is left alone from now on.
    Opened,
    /// It answers again.
    Closed,
    /// A request to it was not sent.
    Refused,
}

/// Why a request could not be decided by policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFailure {
    /// Evaluation panicked.
    Panic,
    /// The deadline came first.
    Deadline,
    /// Too many requests at once.
    Overload,
    /// What break-glass would let in could not be written down.
    Unrecorded,
}

/// The metrics of one server; no globals, so that several can run in one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    admissions: Bounded<Timed>,
    rules: Bounded<Timed>,
    http: Http,
    images: Images,
    cluster: Cluster,
    broken: Broken,
    state: State,
}

/// How often, and how long.
type Timed = (Counter, Histogram);

impl Metrics {
    /// Metrics that all stand at zero.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let family = Family {
            registry: &registry,
        };
        let info = family.gauges("kyverno_info", "The version that answers.", &["version"])?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        Ok(Arc::new(Self {
            admissions: admissions(&family)?,
            rules: rules(&family)?,
            http: Http::new(&family)?,
            images: Images::new(&family)?,
            cluster: Cluster::new(&family)?,
            broken: Broken::new(&family)?,
            state: State::new(&family)?,
            registry: registry.clone(),
        }))
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let at = self.state.trust_root_at.load(Ordering::Relaxed);
        if at > 0 {
            let age = Duration::from_secs(clock::seconds().saturating_sub(at));
            self.state.trust_root_age.set(age.as_secs_f64());
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// Counts an answered review.
    pub fn admission(
        &self,
        request: &AdmissionRequest,
        phase: Phase,
        allowed: bool,
        took: Duration,
    ) {
        let webhook = match phase {
            Phase::Mutate => "MutatingWebhookConfiguration",
            Phase::Validate => "ValidatingWebhookConfiguration",
        };
        let allowed = if allowed { "true" } else { "false" };
        let labels = [
            request.kind.kind.as_str(),
            request.namespace.as_deref().unwrap_or(""),
            operation(request.operation),
            allowed,
            webhook,
        ];
        self.admissions.with(&labels, |(count, durations)| {
            count.inc();
            durations.observe(took.as_secs_f64());
        });
    }

    /// Counts what rules answered. All rules of a request are evaluated by the same programs, so each is given an equal share of the time.
    pub fn rules(&self, request: &AdmissionRequest, responses: &[PolicyResponse], took: Duration) {
        let count: usize = responses.iter().map(|response| response.rules.len()).sum();
        let share = took.as_secs_f64() / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX));
        for response in responses {
            for rule in &response.rules {
                self.rule(request, response, rule, share);
            }
        }
    }

    fn rule(
        &self,
        request: &AdmissionRequest,
        policy: &PolicyResponse,
        rule: &RuleResponse,
        seconds: f64,
    ) {
        let labels = [
            request.kind.kind.as_str(),
            request.namespace.as_deref().unwrap_or(""),
            policy.policy.as_str(),
            policy.namespace.as_deref().unwrap_or("-"),
            policy_type(policy.namespace.as_deref()),
            validation_mode(rule.failure_action),
            operation(request.operation),
            rule.rule.as_str(),
            rule.status.name(),
            rule_type(rule.rule_type),
            "admission_request",
            if request.dry_run { "true" } else { "false" },
        ];
        self.rules.with(&labels, |(count, durations)| {
            count.inc();
            durations.observe(seconds);
        });
    }

    /// Counts an HTTP answer; `path` is a known route, never the text of a request.
    pub fn http(&self, method: &'static str, path: &'static str, status: u16, took: Duration) {
        self.http
            .requests
            .with_label_values(&[method, path, status.to_string().as_str()])
            .inc();
        self.http
            .durations
            .with_label_values(&[method, path])
            .observe(took.as_secs_f64());
    }

    /// Forgets the rules that were in force.
    pub fn forget_rules(&self) {
        self.state.rule_info.reset();
    }

    /// Says that a rule is in force.
    pub fn rule_in_force(&self, policy: &str, namespace: Option<&str>, rule: &str, kind: RuleType) {
        let labels = [
            policy,
            namespace.unwrap_or("-"),
            policy_type(namespace),
            rule,
            rule_type(kind),
        ];
        self.state.rule_info.with_label_values(&labels).set(1.0);
    }

    /// Counts a request to the evidence cache.
    pub fn image_cache(&self, outcome: CacheOutcome) {
        match outcome {
            CacheOutcome::Hit => self.images.cache_hits.inc(),
            CacheOutcome::Miss => self.images.cache_misses.inc(),
            CacheOutcome::Wait => self.images.cache_waits.inc(),
            CacheOutcome::Absent => self.images.cache_absences.inc(),
        }
    }

    /// Counts a request to a registry: `manifest`, `referrers`, `blob`, `token`…, and `ok` or the kind of error.
    pub fn registry_request(&self, request: &'static str, outcome: &'static str, took: Duration) {
        self.images
            .registry_requests
            .with_label_values(&[request, outcome])
            .inc();
        self.images
            .registry_durations
            .with_label_values(&[request])
            .observe(took.as_secs_f64());
    }

    /// Counts what becomes of registries that fail again and again.
    pub fn registry_circuit(&self, event: Circuit) {
        match event {
            Circuit::Opened => self.images.circuits_open.inc(),
            Circuit::Closed => self.images.circuits_open.dec(),
            Circuit::Refused => self.images.circuits_refused.inc(),
        }
    }

    /// Counts a question to the API server (`get`, `post`) or a service: `ok`, or the kind of error.
    pub fn cluster_request(&self, request: &'static str, outcome: &'static str, took: Duration) {
        self.cluster
            .requests
            .with_label_values(&[request, outcome])
            .inc();
        self.cluster
            .durations
            .with_label_values(&[request])
            .observe(took.as_secs_f64());
    }

    /// Counts that a `BreakGlass` let in what a rule refuses.
    pub fn break_glass_use(&self, break_glass: &str, policy: &str, rule: &str) {
        let uses = &self.broken.uses;
        uses.with_label_values(&[break_glass, policy, rule]).inc();
    }

    /// Counts a look at what was let in: `verified`, `refused`, `unknown`, or `error` where none was to be had.
    pub fn break_glass_verification(&self, result: &'static str) {
        let looks = &self.broken.verifications;
        looks.with_label_values(&[result]).inc();
    }

    /// Notes how much of what was let in is neither verified nor closed.
    pub fn break_glass_unverified(&self, by_name: &BTreeMap<String, usize>) {
        self.broken.unverified.reset();
        for (name, count) in by_name {
            let gauge = self.broken.unverified.with_label_values(&[name]);
            gauge.set(gauge_value(*count));
        }
    }

    /// Times the verification of one image's evidence.
    pub fn image_verification(&self, outcome: &'static str, took: Duration) {
        self.images
            .verifications
            .with_label_values(&[outcome])
            .observe(took.as_secs_f64());
    }

    /// Counts a look at the mirror of the trust root.
    pub fn trust_root_refresh(&self, outcome: &'static str) {
        let looks = &self.state.trust_root_refreshes;
        looks.with_label_values(&[outcome]).inc();
    }

    /// Notes when the trust root in force was last known to be the mirror's, in seconds since 1970.
    pub fn trust_root_refreshed(&self, at: u64) {
        self.state.trust_root_at.store(at, Ordering::Relaxed);
    }

    /// Notes how much time an answer left.
    pub fn deadline_remaining(&self, left: Duration) {
        self.state.deadline_remaining.observe(left.as_secs_f64());
    }

    /// Counts a request that policies could not decide.
    pub fn failure(&self, reason: HostFailure) {
        let reason = match reason {
            HostFailure::Panic => "panic",
            HostFailure::Deadline => "deadline",
            HostFailure::Overload => "overload",
            HostFailure::Unrecorded => "unrecorded",
        };
        self.state.failures.with_label_values(&[reason]).inc();
    }

    /// Notes what loading policies came to.
    pub fn policies(&self, files: usize, errors: usize) {
        self.state.policy_files.set(gauge_value(files));
        self.state.load_errors.set(gauge_value(errors));
    }

    /// Counts that a file was read again.
    pub fn reload(&self, what: &'static str, outcome: &'static str) {
        self.state.reloads.with_label_values(&[what, outcome]).inc();
    }

    /// Counts a connection as open.
    pub fn connection_opened(&self) {
        self.state.connections.inc();
    }

    /// Counts a connection as closed.
    pub fn connection_closed(&self) {
        self.state.connections.dec();
    }
}

fn gauge_value(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

const fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
        Operation::Connect => "connect",
    }
}

const fn policy_type(namespace: Option<&str>) -> &'static str {
    match namespace {
        None => "cluster",
        Some(_) => "namespaced",
    }
}

const fn validation_mode(action: FailureAction) -> &'static str {
    match action {
        FailureAction::Enforce => "enforce",
        FailureAction::Audit => "audit",
    }
}

const fn rule_type(kind: RuleType) -> &'static str {
    match kind {
        RuleType::Validation => "validate",
        RuleType::ImageVerify => "imageVerify",
        RuleType::Mutation => "mutate",
        RuleType::Generation => "generate",
    }
}

fn admissions(family: &Family<'_>) -> Result<Bounded<Timed>, prometheus::Error> {
    let counters = family.counters(
        "kyverno_admission_requests_total",
        "Admission reviews that were answered.",
        &ADMISSION,
    )?;
    let histograms = family.histograms(
        "kyverno_admission_review_duration_seconds",
        "Time to answer an admission review.",
        &ADMISSION,
    )?;
    Ok(timed(counters, histograms))
}

fn rules(family: &Family<'_>) -> Result<Bounded<Timed>, prometheus::Error> {
    let counters = family.counters(
        "kyverno_policy_results_total",
        "What rules answered.",
        &RULE,
    )?;
    let histograms = family.histograms(
        "kyverno_policy_execution_duration_seconds",
        "Time of evaluation, shared equally by the rules of a request.",
        &RULE,
    )?;
    Ok(timed(counters, histograms))
}

fn timed(counters: CounterVec, histograms: HistogramVec) -> Bounded<Timed> {
    Bounded::new(MAX_SERIES, move |labels| {
        (
            counters.with_label_values(labels),
            histograms.with_label_values(labels),
        )
    })
}
