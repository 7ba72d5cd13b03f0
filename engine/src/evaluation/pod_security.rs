//! `podSecurity` on one pod: what the checks found goes to the rule's program, which says what follows from it.

use serde_json::{Value, json};

use crate::explain;
use crate::fuel;
use crate::pod_security::control::Control;
use crate::pod_security::{Exclusion, Pod, Violation, evaluate, exclusion};
use crate::program::{self, PodSecurity, Policy, Rule};
use crate::rego::evaluate::Document;
use crate::response::{Details, PodSecurityDetails, RuleStatus, ViolatedCheck};

use super::exception::name;
use super::rule::{Answer, Context, unexpected};

/// What was found in a resource.
#[derive(Debug)]
pub(crate) struct Found {
    /// The kind of the resource.
    pub(crate) kind: String,
    /// The violations that the rule does not excuse; why the pod cannot be read.
    violations: Result<Vec<Violation>, String>,
    /// Those that no exception excuses either.
    pub(crate) remaining: Vec<Violation>,
}

impl Found {
    /// Why the pod cannot be read, where it cannot.
    pub(crate) fn unreadable(&self) -> Option<&str> {
        self.violations.as_ref().err().map(String::as_str)
    }
}

impl Context<'_> {
    /// The answer of a rule about a resource; `exceptions` are the names of those that are about it, and what they excuse.
    pub(super) fn pod_security(
        &mut self,
        policy: &Policy,
        rule: &Rule,
        demand: &PodSecurity,
        exceptions: (&[String], &[Exclusion]),
    ) -> Option<(Answer, Option<Box<Details>>)> {
        // Nothing runs from an object that goes away.
        let resource = self.request.object.as_deref()?;
        let found = find(&self.request.kind.kind, resource, demand, exceptions.1);
        let input = self.documents.pod_security(document(&found));
        let bare = |answer| Some((answer, None));
        let status = match self.ask(&rule.program, program::VERDICT, &input).as_deref() {
            Ok("pass") => RuleStatus::Pass,
            Ok("fail") => RuleStatus::Fail,
            Ok("skip") => RuleStatus::Skip,
            Ok("error") => RuleStatus::Error,
            Ok(other) => return bare(Answer::new(RuleStatus::Error, unexpected(other))),
            Err(message) => return bare(Answer::new(RuleStatus::Error, message)),
        };
        self.trace_pod_security(&found, status);
        let message = explain::pod_security::message(policy, rule, (status, exceptions.0), &found);
        let details = match status {
            RuleStatus::Skip => Some(Details {
                exceptions: exceptions
                    .0
                    .iter()
                    .map(|key| name(key).to_owned())
                    .collect(),
                ..Details::default()
            }),
            RuleStatus::Fail => Some(Details {
                pod_security: Some(self.violated(demand, &found.remaining)),
                ..Details::default()
            }),
            RuleStatus::Pass | RuleStatus::Warn | RuleStatus::Error => None,
        };
        Some((Answer::new(status, message), details.map(Box::new)))
    }

    /// The controls that are violated, with the images of the containers that are to blame.
    fn violated(&self, demand: &PodSecurity, violations: &[Violation]) -> PodSecurityDetails {
        let images = self.names.field("images").ok().flatten();
        let image = |container: &str| {
            let lists = ["containers", "initContainers", "ephemeralContainers"];
            let mut found = lists.iter().filter_map(|list| {
                let image = images.as_ref()?.get(list)?.get(container)?;
                image.get("reference")?.as_str()
            });
            found.next().unwrap_or(container).to_owned()
        };
        let checks = violations.iter().map(|violation| ViolatedCheck {
            id: violation.check.name(),
            control: Control::of(violation.check).map_or("", |control| control.name),
            images: blamed(&violation.detail)
                .map(|containers| containers.into_iter().map(image).collect()),
        });
        PodSecurityDetails {
            level: demand.level.name(),
            version: demand.version_text.clone(),
            checks: checks.collect(),
        }
    }
}

/// The containers that a detail names, where it says what they must do: `containers "a", "b" must ...`.
fn blamed(detail: &str) -> Option<Vec<&str>> {
    let (_, rest) = detail.split_once("container")?;
    let (names, _) = rest.split_once("must")?;
    let names = names.strip_prefix('s').unwrap_or(names);
    let names = names.split(',').map(|name| name.trim().trim_matches('"'));
    Some(names.collect())
}

/// What all controls cost for one container, in units of [`fuel`].
const CONTAINER: u64 = 10_000;

/// What a resource violates that the rule does not excuse, and of that what exceptions do not excuse.
fn find(kind: &str, resource: &Value, demand: &PodSecurity, exclusions: &[Exclusion]) -> Found {
    let own = resource.get("kind").and_then(Value::as_str);
    let kind = own.unwrap_or(kind).to_owned();
    let asked = (demand.level, demand.version);
    let pod = match Pod::of_resource(&kind, resource) {
        Ok(pod) => pod,
        Err(reason) => {
            return Found {
                kind,
                violations: Err(reason),
                remaining: Vec::new(),
            };
        }
    };
    // Once more for each thing that is excused, which has a part of the pod judged by itself.
    let parts = 1 + demand.exclusions.len() + exclusions.len();
    if !fuel::spend(CONTAINER * (pod.size() * parts) as u64) {
        return Found {
            kind,
            violations: Err("its containers take more work than one request may ask for".to_owned()),
            remaining: Vec::new(),
        };
    }
    let excuse = |exclusions: &[Exclusion], violations: Vec<Violation>| {
        if violations.is_empty() {
            violations
        } else {
            exclusion::apply(asked, exclusions, violations, &pod)
        }
    };
    let violations = excuse(&demand.exclusions, evaluate(asked.0, asked.1, &pod));
    let remaining = excuse(exclusions, violations.clone());
    Found {
        kind,
        violations: Ok(violations),
        remaining,
    }
}

/// `input.pod_security`.
fn document(found: &Found) -> Document {
    let violations = found.violations.as_ref().map_or(&[][..], Vec::as_slice);
    let violation = |violation: &Violation| {
        let control = Control::of(violation.check).map_or("", |control| control.name);
        let fields = violation.errors.iter();
        json!({
            "control": control,
            "check": violation.check.name(),
            "reason": violation.reason,
            "fields": fields.map(|field| json!({"path": field.path, "values": field.values()})).collect::<Vec<_>>(),
        })
    };
    Document::from_json(&json!({
        "read": found.violations.is_ok(),
        "violations": violations.iter().map(violation).collect::<Vec<_>>(),
        "remaining": found.remaining.iter().map(violation).collect::<Vec<_>>(),
    }))
}
