//! One case: the object as a request, judged by the constraint, with an inventory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use regent_engine::admission::{AdmissionRequest, GroupVersionKind, Operation, Roles, UserInfo};
use regent_engine::diagnostic::Diagnostic;
use regent_engine::evaluation::inventory::Snapshot;
use regent_engine::evaluation::need::{Fact, FactError, Need};
use regent_engine::evaluation::{Phase, Scope, Step};
use regent_engine::jmespath::Environment;
use regent_engine::policy_set::PolicySet;
use regent_engine::response::{PolicyResponse, RuleStatus};
use regent_server::clock;
use serde_json::Value;

use super::suite::{Case, Suite};
use super::{CaseOutcome, Loaded};
use crate::offline::request::{Assumptions, assume, kind_of, operation_of, resource_of};
use crate::offline::resources;
use crate::sources::{self, Wanted};
use crate::test::rows::Outcome;
use crate::test::run::Options;

/// Runs a case.
pub(super) fn run(
    suite: &Suite,
    loaded: &Loaded,
    case: &Case,
    options: &Options<'_>,
) -> CaseOutcome {
    let error = |message: String| (Outcome::Error, None, message);
    let object = match read(suite, std::slice::from_ref(&case.object)) {
        Ok(objects) => match <[Value; 1]>::try_from(objects) {
            Ok([object]) => object,
            Err(objects) => {
                let message = format!(
                    "`{}` holds {} objects, and one is wanted",
                    case.object,
                    objects.len()
                );
                return error(message);
            }
        },
        Err(message) => return error(message),
    };
    if !loaded.is_enforced {
        return judged(case, &[], "not enforced");
    }
    let inventory = match read(suite, &case.inventory) {
        Ok(inventory) => inventory,
        Err(message) => return error(message),
    };
    let policies = match loaded.with_inventory(&kinds(&inventory)) {
        Ok(policies) => policies,
        Err(errors) => return error(texts(&errors)),
    };
    let responses = evaluate(&policies, request(&object), (&inventory, options));
    let Some(rule) = responses.iter().flat_map(|policy| &policy.rules).next() else {
        return judged(case, &[], "not about it");
    };
    match rule.status {
        RuleStatus::Error => error(rule.message.clone()),
        RuleStatus::Pass | RuleStatus::Skip => judged(case, &[], "pass"),
        RuleStatus::Fail | RuleStatus::Warn => {
            let details = rule.details.as_ref();
            let violations = details.map_or(&[][..], |details| &details.violations);
            judged(case, violations, "fail")
        }
    }
}

fn judged(case: &Case, violations: &[String], actual: &str) -> CaseOutcome {
    let wrong: Vec<String> = case
        .assertions
        .iter()
        .filter_map(|one| one.check(violations))
        .collect();
    let actual = Some(actual.to_owned());
    if wrong.is_empty() {
        return (Outcome::Pass, actual, violations.join("; "));
    }
    let mut message = wrong.join("; ");
    if !violations.is_empty() {
        message = format!("{message}; it says: {}", violations.join("; "));
    }
    (Outcome::Fail, actual, message)
}

/// The objects of some files.
fn read(suite: &Suite, names: &[String]) -> Result<Vec<Value>, String> {
    let paths: Vec<PathBuf> = names.iter().map(|name| suite.folder().join(name)).collect();
    let read = sources::read(&paths, Wanted::Documents, &mut std::io::empty());
    let mut found = read.unreadable;
    let objects = resources::objects(&read.texts, &mut found);
    if found.is_empty() {
        Ok(objects.into_iter().map(|(object, _)| object).collect())
    } else {
        Err(texts(&found))
    }
}

fn texts(diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<String> = diagnostics
        .iter()
        .map(|one| format!("{}: {}", one.source.name, one.message))
        .collect();
    texts.join("; ")
}

/// The kinds of some objects, each once.
fn kinds(objects: &[Value]) -> Vec<(String, String, String)> {
    let mut kinds: Vec<_> = objects
        .iter()
        .map(kind_of)
        .map(|kind| (kind.group, kind.version, kind.kind))
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// The request of an object that is created, or the one of an `AdmissionReview`.
fn request(object: &Value) -> AdmissionRequest {
    let values = BTreeMap::new();
    let assumptions = Assumptions {
        operation: Some(Operation::Create),
        user: None,
        sub_resources: &[],
        values: &values,
    };
    let review = object.get("kind").and_then(Value::as_str) == Some("AdmissionReview");
    let Some(written) = object.get("request").filter(|_| review) else {
        return assume(object, assumptions);
    };
    let part = |name: &str| written.get(name).filter(|part| !part.is_null());
    let text = |name: &str| part(name).and_then(Value::as_str).map(str::to_owned);
    let (new, old) = (part("object"), part("oldObject"));
    let mut request = assume(new.or(old).unwrap_or(&Value::Null), assumptions);
    if let Some(kind) = part("kind") {
        let text = |name: &str| {
            kind.get(name)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        request.kind = GroupVersionKind {
            group: text("group"),
            version: text("version"),
            kind: text("kind"),
        };
        request.resource = resource_of(&request.kind);
    }
    AdmissionRequest {
        uid: text("uid").unwrap_or_default(),
        sub_resource: text("subResource"),
        name: text("name").unwrap_or(request.name),
        namespace: text("namespace").or(request.namespace),
        operation: text("operation")
            .and_then(|name| operation_of(&name))
            .unwrap_or(Operation::Create),
        user_info: part("userInfo").map(user),
        roles: Some(Roles::default()),
        object: new.cloned().map(Arc::new),
        old_object: old.cloned().map(Arc::new),
        dry_run: part("dryRun") == Some(&Value::Bool(true)),
        options: part("options").cloned(),
        ..request
    }
}

fn user(written: &Value) -> UserInfo {
    let text = |name: &str| {
        written
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let groups = written.get("groups").and_then(Value::as_array);
    let groups = groups.into_iter().flatten().filter_map(Value::as_str);
    UserInfo {
        username: text("username"),
        uid: text("uid"),
        groups: groups.map(str::to_owned).collect(),
        extra: BTreeMap::new(),
    }
}

fn evaluate(
    policies: &Arc<PolicySet>,
    request: AdmissionRequest,
    (inventory, options): (&[Value], &Options<'_>),
) -> Vec<PolicyResponse> {
    let environment = options.now.map_or_else(clock::environment, Environment::at);
    let mut evaluation =
        policies.evaluate(Arc::new(request), Phase::Validate, Scope::All, environment);
    loop {
        match evaluation.step() {
            Step::Done(responses) => return responses,
            Step::Need(needs) => needs.iter().for_each(|(id, need)| {
                evaluation.answer(*id, answer(need, inventory));
            }),
        }
    }
}

/// Of the world there is what the inventory holds.
fn answer(need: &Need, inventory: &[Value]) -> Fact {
    match need {
        Need::Inventory(need) => Fact::Inventory(Ok(Arc::new(Snapshot::of(need, inventory)))),
        Need::NamespaceLabels { namespace } => {
            let mut namespaces = inventory.iter().filter(|object| {
                let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
                text("/kind") == Some("Namespace")
                    && text("/metadata/name") == Some(namespace.as_str())
            });
            let labels = namespaces.next().map(|object| {
                let labels = object
                    .pointer("/metadata/labels")
                    .and_then(Value::as_object);
                let labels = labels.into_iter().flatten();
                labels
                    .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                    .collect()
            });
            let unknown = || FactError::NotFound("it is not in the inventory".to_owned());
            Fact::NamespaceLabels(labels.ok_or_else(unknown))
        }
        _ => {
            let message = "a suite has nothing but objects and an inventory";
            Fact::missing(need, FactError::NoSource(message.to_owned()))
        }
    }
}
