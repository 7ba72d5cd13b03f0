//! The metric families, with their names and helps, in groups.

use std::sync::atomic::AtomicU64;

use prometheus::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramVec};

use super::family::Family;

#[derive(Debug)]
pub(super) struct Http {
    pub(super) requests: CounterVec,
    pub(super) durations: HistogramVec,
}

#[derive(Debug)]
pub(super) struct Images {
    pub(super) cache_hits: Counter,
    pub(super) cache_misses: Counter,
    pub(super) cache_waits: Counter,
    pub(super) cache_absences: Counter,
    pub(super) circuits_open: Gauge,
    pub(super) circuits_refused: Counter,
    pub(super) registry_requests: CounterVec,
    pub(super) registry_durations: HistogramVec,
    pub(super) verifications: HistogramVec,
}

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) requests: CounterVec,
    pub(super) durations: HistogramVec,
}

#[derive(Debug)]
pub(super) struct Broken {
    pub(super) uses: CounterVec,
    pub(super) verifications: CounterVec,
    pub(super) unverified: GaugeVec,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) rule_info: GaugeVec,
    pub(super) deadline_remaining: Histogram,
    pub(super) failures: CounterVec,
    pub(super) policy_files: Gauge,
    pub(super) load_errors: Gauge,
    pub(super) reloads: CounterVec,
    pub(super) connections: Gauge,
    pub(super) trust_root_refreshes: CounterVec,
    pub(super) trust_root_age: Gauge,
    /// When it was refreshed, in seconds since 1970; zero where nothing is.
    pub(super) trust_root_at: AtomicU64,
}

impl Http {
    pub(super) fn new(family: &Family<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: family.counters(
                "kyverno_http_requests_total",
                "HTTP requests by method, path and status.",
                &["http_method", "http_url", "http_status"],
            )?,
            durations: family.histograms(
                "kyverno_http_requests_duration_seconds",
                "Time from the head of a request to its answer.",
                &["http_method", "http_url"],
            )?,
        })
    }
}

impl Images {
    pub(super) fn new(family: &Family<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
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
            cache_absences: family.counter(
                "regent_image_cache_absences_total",
                "Images of which it was remembered that there was no verified evidence a moment ago.",
            )?,
            circuits_open: family.gauge(
                "regent_registry_circuits_open",
                "Registries that failed again and again, and are left alone for a while.",
            )?,
            circuits_refused: family.counter(
                "regent_registry_circuit_refusals_total",
                "Requests that were not sent to a registry that is left alone.",
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
        })
    }
}

impl Cluster {
    pub(super) fn new(family: &Family<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: family.counters(
                "regent_cluster_requests_total",
                "Questions to the API server and to services that rules asked, and how they ended.",
                &["request", "outcome"],
            )?,
            durations: family.histograms(
                "regent_cluster_request_duration_seconds",
                "Time of questions to the API server and to services.",
                &["request"],
            )?,
        })
    }
}

impl Broken {
    pub(super) fn new(family: &Family<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            uses: family.counters(
                "regent_break_glass_uses_total",
                "Requests that break-glass let in, by what let them in and the rule that refuses them.",
                &["break_glass", "policy", "rule"],
            )?,
            verifications: family.counters(
                "regent_break_glass_verifications_total",
                "Looks at what break-glass let in, and how they ended.",
                &["result"],
            )?,
            unverified: family.gauges(
                "regent_break_glass_unverified",
                "Requests that break-glass let in, and that are neither verified nor closed.",
                &["break_glass"],
            )?,
        })
    }
}

impl State {
    pub(super) fn new(family: &Family<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
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
            deadline_remaining: family.histogram(
                "regent_admission_deadline_remaining_seconds",
                "Time left before the API server gives up, when the answer was ready.",
            )?,
            failures: family.counters(
                "regent_admission_failures_total",
                "Requests that policies could not decide.",
                &["reason"],
            )?,
            policy_files: family.gauge("regent_policy_files", "Policy files that are in force.")?,
            load_errors: family.gauge(
                "regent_policy_load_errors",
                "Errors that keep a policy, or its last form, from being in force.",
            )?,
            reloads: family.counters(
                "regent_reloads_total",
                "Files read again, by what and how it ended.",
                &["what", "outcome"],
            )?,
            connections: family.gauge("regent_connections", "Open connections.")?,
            trust_root_refreshes: family.counters(
                "regent_trust_root_refreshes_total",
                "Looks at the mirror of the trust root, and how they ended.",
                &["outcome"],
            )?,
            trust_root_age: family.gauge(
                "regent_trust_root_age_seconds",
                "Time since the trust root in force was last known to be the mirror's; zero where there is no mirror.",
            )?,
            trust_root_at: AtomicU64::new(0),
        })
    }
}
