//! Which exceptions let a request off from a rule.

use std::collections::BTreeMap;

use crate::pod_security::Exclusion;
use crate::program::{self, Body, Exception, Rule};
use crate::rego::evaluate::Document;
use crate::response::RuleStatus;

use super::names::Names;
use super::rule::{Answer, Context};
use super::values::Values;

/// What comes of the exceptions that are about a request.
pub(super) enum Excepted {
    /// The rule is not asked, because of the exceptions of these names.
    Whole(Answer, Vec<String>),
    /// Only controls are let off, by these exceptions; none of either where no exception is about the request.
    Controls(Vec<String>, Vec<Exclusion>),
}

impl Context<'_> {
    /// What the exceptions of a rule come to; nothing as long as facts are outstanding.
    pub(super) fn exceptions(&mut self, rule: &Rule, names: &Names<'_>) -> Option<Excepted> {
        let mut found = Vec::new();
        for exception in &rule.exceptions {
            if self.is_excepted(exception, names)? {
                found.push(exception);
            }
        }
        let keys = || found.iter().map(|exception| exception.key.clone());
        let skip = |message, keys: Vec<String>| {
            let names = keys.iter().map(|key| name(key).to_owned()).collect();
            Excepted::Whole(Answer::new(RuleStatus::Skip, message), names)
        };
        Some(match &rule.body {
            Body::PodSecurity(_) => {
                let mut whole = found.iter().filter(|one| one.exclusions.is_empty());
                match whole.next() {
                    Some(one) => skip(
                        format!("rule is skipped due to policy exception {}", one.key),
                        vec![one.key.clone()],
                    ),
                    None => Excepted::Controls(
                        keys().collect(),
                        found
                            .iter()
                            .flat_map(|one| one.exclusions.clone())
                            .collect(),
                    ),
                }
            }
            _ if found.is_empty() => Excepted::Controls(Vec::new(), Vec::new()),
            // Without a space, as Kyverno says it.
            _ => {
                let keys: Vec<String> = keys().collect();
                let all = keys.join(", ");
                skip(
                    format!("rule is skipped due to policy exceptions{all}"),
                    keys,
                )
            }
        })
    }

    /// Whether an exception is about the request; one that cannot be evaluated is not.
    pub(super) fn is_excepted(&mut self, exception: &Exception, names: &Names<'_>) -> Option<bool> {
        let labels = self.labels_for(exception)?;
        let Ok(labels) = labels else {
            return Some(false);
        };
        let mut says = |entry, values, wanted| {
            let input = self.documents.input(labels.as_ref(), values);
            let answer = self.ask(&exception.program, entry, &input);
            answer.as_deref() == Ok(wanted)
        };
        // What the conditions name is made only for requests that the exception is about.
        if !says(program::SELECTED, Document::list([]), "match") {
            return Some(false);
        }
        let values = Values::of(names, &exception.slots)?;
        let conditions = program::EXCEPTION_CONDITIONS;
        Some(says(conditions, values.document(), "true"))
    }

    /// Labels of the request's namespace, where the exception asks for them.
    fn labels_for(
        &mut self,
        exception: &Exception,
    ) -> Option<Result<Option<BTreeMap<String, String>>, ()>> {
        let namespace = self.request.namespace.as_deref();
        match namespace.filter(|_| exception.needs_namespace_labels) {
            None => Some(Ok(None)),
            Some(namespace) => {
                let labels = self.facts.borrow_mut().namespace_labels(namespace)?;
                Some(labels.map(Some).map_err(|_unknown| ()))
            }
        }
    }
}

/// The name in `namespace/name`.
pub(super) fn name(key: &str) -> &str {
    key.split_once('/').map_or(key, |(_, name)| name)
}
