//! What is counted and timed, in Prometheus' words: Kyverno's names where it has them, `regent_…` for what it lacks.
//!
//! Every series that a cluster's users could multiply (namespaces, kinds) is bounded by [`series`].
//! Kyverno's label `policy_background_mode` is left out: nothing runs in the background here.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Counter, CounterVec, Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec,
    Opts, Registry, TextEncoder,
};
use regent_engine::admission::{AdmissionRequest, Operation};
use regent_engine::evaluation::Phase;
use regent_engine::response::{FailureAction, PolicyResponse, RuleResponse, RuleStatus, RuleType};

use series::Bounded;

mod series;
#[cfg(test)]
mod tests;

/// Kyverno's buckets start at 5 ms, where nearly every answer of ours has long been given: four are added below.
const BUCKETS: [f64; 18] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 15.0, 30.0,
];

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
}

/// The metrics of one server; no globals, so that several can run in one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    admissions: Bounded<(Counter, Histogram)>,
    rules: Bounded<(Counter, Histogram)>,
    http_requests: CounterVec,
    http_durations: HistogramVec,
    rule_info: GaugeVec,
    cache_hits: Counter,
    cache_misses: Counter,
    cache_waits: Counter,
    registry_requests: CounterVec,
    registry_durations: HistogramVec,
    verifications: HistogramVec,
    deadline_remaining: Histogram,
    failures: CounterVec,
    policies_loaded: Gauge,
    load_errors: Gauge,
    reloads: CounterVec,
    connections: Gauge,
}

impl Metrics {
    /// Metrics that all stand at zero.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let family = Family {
            registry: &registry,
        };
        let metrics = Self {
            admissions: family.admissions()?,
            rules: family.rules()?,
            http_requests: family.counters(
                "kyverno_http_requests_total",
                "HTTP requests by method and path.",
                &["http_method", "http_url", "http_status"],
            )?,
            http_durations: family.histograms(
                "kyverno_http_requests_duration_seconds",
                "Time from the head of a request to its answer.",
                &["http_method", "http_url"],
            )?,
            rule_info: family.gauges(
                "kyverno_policy_rule_info_total",
                "One for each rule of a loaded policy.",
                &[
                    "policy_name",
                    "policy_namespace",
                    "policy_type",
                    "rule_name",
                    "rule_type",
                ],
            )?,
            cache_hits: family.counter(
                "regent_image_cache_hits_total",
                "Images whose verified evidence was cached.",
            )?,
            cache_misses: family.counter(
                "regent_image_cache_misses_total",
                "Images whose evidence had to be fetched and verified.",
            )?,
            cache_waits: family.counter(
                "regent_image_cache_waits_total",
                "Images whose evidence another request was already fetching.",
            )?,
            registry_requests: family.counters(
                "regent_registry_requests_total",
                "Requests to registries by what was asked and how it ended.",
                &["request", "outcome"],
            )?,
            registry_durations: family.histograms(
                "regent_registry_request_duration_seconds",
                "Time of requests to registries.",
                &["request"],
            )?,
            verifications: family.histograms(
                "regent_image_verification_duration_seconds",
                "Time to verify all evidence of one image, without fetching it.",
                &["outcome"],
            )?,
            deadline_remaining: family.histogram(
                "regent_admission_deadline_remaining_seconds",
                "Time left before the API server gives up, when the answer was ready.",
            )?,
            failures: family.counters(
                "regent_admission_failures_total",
                "Requests that policies could not decide.",
                &["reason"],
            )?,
            policies_loaded: family
                .gauge("regent_policy_files", "Policy files that are loaded.")?,
            load_errors: family.gauge(
                "regent_policy_load_errors",
                "Errors in policy files that are not, or not in their last form, in force.",
            )?,
            reloads: family.counters(
                "regent_reloads_total",
                "Files read again, by what and how it ended.",
                &["what", "outcome"],
            )?,
            connections: family.gauge("regent_connections", "Open connections of the webhook.")?,
            registry: registry.clone(),
        };
        let info = family.gauges("kyverno_info", "The version that answers.", &["version"])?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        Ok(Arc::new(metrics))
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
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
            result(rule.status),
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
        self.http_requests
            .with_label_values(&[method, path, status.to_string().as_str()])
            .inc();
        self.http_durations
            .with_label_values(&[method, path])
            .observe(took.as_secs_f64());
    }

    /// Forgets the rules that were in force.
    pub fn forget_rules(&self) {
        self.rule_info.reset();
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
        self.rule_info.with_label_values(&labels).set(1.0);
    }

    /// Counts a request to the evidence cache.
    pub fn image_cache(&self, outcome: CacheOutcome) {
        match outcome {
            CacheOutcome::Hit => self.cache_hits.inc(),
            CacheOutcome::Miss => self.cache_misses.inc(),
            CacheOutcome::Wait => self.cache_waits.inc(),
        }
    }

    /// Counts a request to a registry: `manifest`, `referrers`, `blob`, `token`…, and `ok` or the kind of error.
    pub fn registry_request(&self, request: &'static str, outcome: &'static str, took: Duration) {
        self.registry_requests
            .with_label_values(&[request, outcome])
            .inc();
        self.registry_durations
            .with_label_values(&[request])
            .observe(took.as_secs_f64());
    }

    /// Times the verification of one image's evidence.
    pub fn image_verification(&self, outcome: &'static str, took: Duration) {
        self.verifications
            .with_label_values(&[outcome])
            .observe(took.as_secs_f64());
    }

    /// Notes how much time an answer left.
    pub fn deadline_remaining(&self, left: Duration) {
        self.deadline_remaining.observe(left.as_secs_f64());
    }

    /// Counts a request that policies could not decide.
    pub fn failure(&self, reason: HostFailure) {
        let reason = match reason {
            HostFailure::Panic => "panic",
            HostFailure::Deadline => "deadline",
            HostFailure::Overload => "overload",
        };
        self.failures.with_label_values(&[reason]).inc();
    }

    /// Notes what loading policies came to.
    pub fn policies(&self, files: usize, errors: usize) {
        self.policies_loaded.set(gauge_value(files));
        self.load_errors.set(gauge_value(errors));
    }

    /// Counts that a file was read again.
    pub fn reload(&self, what: &'static str, outcome: &'static str) {
        self.reloads.with_label_values(&[what, outcome]).inc();
    }

    /// Counts a connection as open.
    pub fn connection_opened(&self) {
        self.connections.inc();
    }

    /// Counts a connection as closed.
    pub fn connection_closed(&self) {
        self.connections.dec();
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

const fn result(status: RuleStatus) -> &'static str {
    status.name()
}

const fn rule_type(kind: RuleType) -> &'static str {
    match kind {
        RuleType::Validation => "validate",
        RuleType::ImageVerify => "imageVerify",
        RuleType::Mutation => "mutate",
        RuleType::Generation => "generate",
    }
}

/// Makes metric families and registers each.
struct Family<'a> {
    registry: &'a Registry,
}

impl Family<'_> {
    fn counter(&self, name: &str, help: &str) -> Result<Counter, prometheus::Error> {
        let counter = Counter::new(name, help)?;
        self.registry.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<CounterVec, prometheus::Error> {
        let counters = CounterVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        let gauge = Gauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<GaugeVec, prometheus::Error> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn histogram(&self, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
        let histogram =
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()))?;
        self.registry.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<HistogramVec, prometheus::Error> {
        let histograms = HistogramVec::new(
            HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()),
            labels,
        )?;
        self.registry.register(Box::new(histograms.clone()))?;
        Ok(histograms)
    }

    fn admissions(&self) -> Result<Bounded<(Counter, Histogram)>, prometheus::Error> {
        let counters = self.counters(
            "kyverno_admission_requests_total",
            "Admission reviews that were answered.",
            &ADMISSION,
        )?;
        let histograms = self.histograms(
            "kyverno_admission_review_duration_seconds",
            "Time to answer an admission review.",
            &ADMISSION,
        )?;
        Ok(Bounded::new(MAX_SERIES, move |labels| {
            (
                counters.with_label_values(labels),
                histograms.with_label_values(labels),
            )
        }))
    }

    fn rules(&self) -> Result<Bounded<(Counter, Histogram)>, prometheus::Error> {
        let counters = self.counters(
            "kyverno_policy_results_total",
            "What rules answered.",
            &RULE,
        )?;
        let histograms = self.histograms(
            "kyverno_policy_execution_duration_seconds",
            "Time of evaluation, shared equally by the rules of a request.",
            &RULE,
        )?;
        Ok(Bounded::new(MAX_SERIES, move |labels| {
            (
                counters.with_label_values(labels),
                histograms.with_label_values(labels),
            )
        }))
    }
}
