//! `podSecurity` on one pod: what the checks found goes to the rule's program, which says what follows from it.

use serde_json::{Value, json};

use crate::explain;
use crate::pod_security::control::Control;
use crate::pod_security::{Exclusion, Pod, Violation, evaluate, exclusion};
use crate::program::{self, PodSecurity, Policy, Rule};
use crate::rego::evaluate::Document;
use crate::response::RuleStatus;

use super::rule::{Answer, Context, unexpected};

/// What was found in a resource.
#[derive(Debug)]
pub(crate) struct Found {
    /// The kind of the resource.
    pub(crate) kind: String,
    /// The violations that nothing excuses; why the pod cannot be read.
    pub(crate) violations: Result<Vec<Violation>, String>,
}

impl Context<'_> {
    /// The answer of a rule about a resource; beside the rule's own, `exclusions` are excused.
    pub(super) fn pod_security(
        &mut self,
        policy: &Policy,
        rule: &Rule,
        demand: &PodSecurity,
        exclusions: &[Exclusion],
    ) -> Option<Answer> {
        // Nothing runs from an object that goes away.
        let resource = self.request.object.as_ref()?;
        let found = find(&self.request.kind.kind, resource, demand, exclusions);
        let input = self.documents.pod_security(document(&found));
        let status = match self.ask(&rule.program, program::VERDICT, &input).as_deref() {
            Ok("pass") => RuleStatus::Pass,
            Ok("fail") => RuleStatus::Fail,
            Ok("error") => RuleStatus::Error,
            Ok(other) => return Some(Answer::new(RuleStatus::Error, unexpected(other))),
            Err(message) => return Some(Answer::new(RuleStatus::Error, message)),
        };
        let message = explain::pod_security::message(policy, rule, status, &found);
        Some(Answer::new(status, message))
    }
}

/// What a resource violates that nothing excuses.
fn find(kind: &str, resource: &Value, demand: &PodSecurity, exclusions: &[Exclusion]) -> Found {
    let own = resource.get("kind").and_then(Value::as_str);
    let kind = own.unwrap_or(kind).to_owned();
    let violations = Pod::of_resource(&kind, resource).map(|pod| {
        let asked = (demand.level, demand.version);
        let mut violations = evaluate(asked.0, asked.1, &pod);
        for excused in [&demand.exclusions, exclusions] {
            if !violations.is_empty() {
                violations = exclusion::apply(asked, excused, violations, &pod);
            }
        }
        violations
    });
    Found { kind, violations }
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
    }))
}
