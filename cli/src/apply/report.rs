//! Reports, field for field as Kyverno's command line writes them.
//!
//! Knows two APIs of reports; not where a report goes.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use regent_engine::ast;
use regent_engine::response::{PodSecurityDetails, RuleResponse, RuleStatus};
use regent_engine::yaml_text;
use serde::Serialize;
use serde_json::Value;

use super::results::{AuditFailures, Response, result};
use crate::args::apply::{ReportApi, ReportFormat};
use crate::explain;

/// A report of the whole cluster or of one `Policy`, in the order that Kyverno gives its fields.
#[derive(Debug, Serialize)]
pub struct Report {
    kind: &'static str,
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    metadata: Metadata,
    summary: Summary,
    results: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    pass: usize,
    fail: usize,
    warn: usize,
    error: usize,
    skip: usize,
}

#[derive(Debug, Serialize)]
struct Entry {
    source: &'static str,
    policy: String,
    rule: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    category: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    timestamp: Timestamp,
    result: &'static str,
    scored: bool,
    resources: [Reference; 1],
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Timestamp {
    seconds: u64,
    nanos: u32,
}

#[derive(Debug, Serialize)]
struct Reference {
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
    #[serde(rename = "apiVersion", skip_serializing_if = "String::is_empty")]
    api_version: String,
    #[serde(rename = "resourceVersion", skip_serializing_if = "String::is_empty")]
    resource_version: String,
}

/// The label of policies whose results are in no report.
const NOT_REPORTED: &str = "reports.kyverno.io/disabled";

/// The merged report of all `ClusterPolicy`s, and one of each `Policy`.
pub fn reports(responses: &[Response<'_>], audit: AuditFailures, api: ReportApi) -> Vec<Report> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let timestamp = Timestamp {
        seconds: now.map_or(0, |now| now.as_secs()),
        nanos: 0,
    };
    let mut merged = Report::new(api, "merged", None);
    let mut of_namespaces: BTreeMap<String, Report> = BTreeMap::new();
    for response in responses {
        let policy = response.policy;
        if policy.labels.contains_key(NOT_REPORTED) {
            continue;
        }
        let report = match &policy.namespace {
            None => &mut merged,
            Some(namespace) => of_namespaces.entry(policy.key()).or_insert_with(|| {
                Report::new(api, &policy.name.value, Some(namespace.value.clone()))
            }),
        };
        for rule in &response.answer.rules {
            report.add(entry(response, rule, audit, timestamp));
        }
    }
    std::iter::once(merged)
        .chain(of_namespaces.into_values())
        .collect()
}

/// The reports as text.
pub fn render(reports: &[Report], format: ReportFormat) -> Result<String> {
    let mut text = String::new();
    for (index, report) in reports.iter().enumerate() {
        match format {
            ReportFormat::Json => {
                text.push_str(&serde_json::to_string(report)?);
                text.push('\n');
            }
            ReportFormat::Yaml => {
                if index > 0 {
                    text.push_str("---\n");
                }
                text.push_str(&yaml_text::document(&serde_json::to_value(report)?));
            }
        }
    }
    Ok(text)
}

impl Report {
    fn new(api: ReportApi, name: &str, namespace: Option<String>) -> Self {
        let (kind, api_version) = match (api, namespace.is_some()) {
            (ReportApi::OpenReports, false) => ("ClusterReport", "openreports.io/v1alpha1"),
            (ReportApi::OpenReports, true) => ("Report", "openreports.io/v1alpha1"),
            (ReportApi::PolicyWorkingGroup, false) => {
                ("ClusterPolicyReport", "wgpolicyk8s.io/v1alpha2")
            }
            (ReportApi::PolicyWorkingGroup, true) => ("PolicyReport", "wgpolicyk8s.io/v1alpha2"),
        };
        let name = name.to_owned();
        Self {
            kind,
            api_version,
            metadata: Metadata { name, namespace },
            summary: Summary::default(),
            results: Vec::new(),
        }
    }

    fn add(&mut self, (status, entry): (RuleStatus, Entry)) {
        let count = match status {
            RuleStatus::Pass => &mut self.summary.pass,
            RuleStatus::Fail => &mut self.summary.fail,
            RuleStatus::Warn => &mut self.summary.warn,
            RuleStatus::Error => &mut self.summary.error,
            RuleStatus::Skip => &mut self.summary.skip,
        };
        *count += 1;
        self.results.push(entry);
    }
}

fn entry(
    response: &Response<'_>,
    rule: &RuleResponse,
    audit: AuditFailures,
    timestamp: Timestamp,
) -> (RuleStatus, Entry) {
    let policy = response.policy;
    let status = result(rule, audit);
    let annotation = |name: &str| {
        let written = policy.annotations.get(name);
        written.map_or("", |text| text.value.as_str())
    };
    let mut message = &rule.message;
    let mut properties = BTreeMap::new();
    if let Some(details) = &rule.details {
        message = said_instead(&details.properties, status).unwrap_or(message);
        properties.extend(details.properties.iter().cloned());
        if !details.exceptions.is_empty() {
            properties.insert("exceptions".to_owned(), details.exceptions.join(","));
        }
        properties.extend(details.pod_security.iter().flat_map(controls));
    }
    properties.insert("process".to_owned(), process(policy).to_owned());
    let mut explanations = response.explanations.iter();
    if let Some((_, why)) = explanations.find(|(name, _)| *name == rule.rule) {
        let text = explain::data::document(why).to_string();
        properties.insert("explanation".to_owned(), text);
    }
    let entry = Entry {
        source: "kyverno",
        policy: policy.key(),
        rule: rule.rule.clone(),
        category: annotation("policies.kyverno.io/category").to_owned(),
        severity: severity(annotation("policies.kyverno.io/severity")),
        timestamp,
        result: status.name(),
        scored: policy.scored(),
        resources: [reference(response)],
        message: message.clone(),
        properties,
    };
    (status, entry)
}

/// The message that `reportProperties` give a result instead of the rule's own: that for any result counts before that for
/// one of this status.
fn said_instead(properties: &[(String, String)], status: RuleStatus) -> Option<&String> {
    let property = |wanted: &str| {
        let found = properties.iter().find(|(name, _)| name == wanted);
        found.map(|(_, text)| text).filter(|text| !text.is_empty())
    };
    property("message").or_else(|| property(&format!("{}Message", status.name())))
}

/// A control that a pod violates, as JSON in a property.
#[derive(Debug, Serialize)]
struct Control<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    #[serde(rename = "Name")]
    name: &'a str,
    #[serde(rename = "Images")]
    images: Option<&'a [String]>,
}

/// The properties of a `podSecurity` rule that failed.
fn controls(found: &PodSecurityDetails) -> Vec<(String, String)> {
    let ids: Vec<_> = found.checks.iter().map(|check| check.id).collect();
    let controls: Vec<_> = found
        .checks
        .iter()
        .map(|check| Control {
            id: check.id,
            name: check.control,
            images: check.images.as_deref(),
        })
        .collect();
    let mut properties = vec![
        ("standard".to_owned(), found.level.to_owned()),
        ("version".to_owned(), found.version.clone()),
        ("controls".to_owned(), ids.join(",")),
    ];
    // Texts and lists of them are always JSON.
    if let Ok(json) = serde_json::to_string(&controls) {
        properties.push(("controlsJSON".to_owned(), json));
    }
    properties
}

fn reference(response: &Response<'_>) -> Reference {
    let resource = response.resource;
    let metadata = |name: &str| {
        let metadata = resource.object.get("metadata");
        let value = metadata.and_then(|metadata| metadata.get(name));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    Reference {
        kind: resource.kind.clone(),
        namespace: resource.namespace.clone(),
        name: resource.name.clone(),
        uid: metadata("uid"),
        api_version: resource.api_version.clone(),
        resource_version: metadata("resourceVersion"),
    }
}

/// Where such a policy's results would come from in a cluster.
fn process(policy: &ast::Policy) -> &'static str {
    if policy.background() {
        "background scan"
    } else if policy.admission() {
        "admission review"
    } else {
        ""
    }
}

/// A severity that the API knows.
fn severity(written: &str) -> Option<&'static str> {
    ["critical", "high", "medium", "low", "info"]
        .into_iter()
        .find(|known| *known == written)
}
