//! What every policy said of every resource, and how often what.
//!
//! Knows how Kyverno's command line counts; not how it is shown.

use std::collections::HashMap;

use regent_engine::ast;
use regent_engine::response::{FailureAction, RuleResponse, RuleStatus, RuleType};

use crate::explain::Explanation;
use crate::offline::evaluate::{Answer, Evaluated, Prepared};
use crate::offline::resources::Resource;

/// What failures of policies that only audit are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditFailures {
    /// Failures.
    Fail,
    /// Warnings.
    Warn,
}

/// What one policy said of one resource.
#[derive(Debug, Clone)]
pub struct Response<'a> {
    /// The policy.
    pub policy: &'a ast::Policy,
    /// The resource, as it was before.
    pub resource: &'a Resource,
    /// The answer.
    pub answer: &'a Answer,
    /// Everything that became of the resource.
    pub evaluated: &'a Evaluated,
    /// Why rules did not pass, with their names, where that was asked for.
    pub explanations: Vec<(&'a str, Explanation)>,
}

impl Response<'_> {
    /// Explains the rules that did not pass, and what those changed that mutate.
    pub fn explain(&mut self, prepared: &Prepared) {
        let key = self.policy.key();
        let rules = self.answer.rules.iter();
        let others = rules
            .filter(|rule| rule.status != RuleStatus::Pass || rule.rule_type == RuleType::Mutation);
        let explained = others.filter_map(|rule| {
            let why = Explanation::of(prepared, self.evaluated, (&key, &rule.rule))?;
            Some((rule.rule.as_str(), why))
        });
        self.explanations = explained.collect();
    }
}

/// `namespace/Kind/name`.
pub fn path_of(resource: &Resource) -> String {
    let Resource {
        namespace,
        kind,
        name,
        ..
    } = resource;
    format!("{namespace}/{kind}/{name}")
}

/// All responses, in the order of the resources.
pub fn responses<'a>(prepared: &'a Prepared, evaluated: &'a [Evaluated]) -> Vec<Response<'a>> {
    let loaded = prepared.loaded.policies.policies();
    let policies: HashMap<(&str, Option<&str>), &ast::Policy> = loaded
        .iter()
        .map(|policy| {
            let ast = policy.ast.as_ref();
            let namespace = ast.namespace.as_ref().map(|name| name.value.as_str());
            ((ast.name.value.as_str(), namespace), ast)
        })
        .collect();
    let mut responses = Vec::new();
    for evaluated in evaluated {
        let Some(resource) = prepared.resources.get(evaluated.resource) else {
            continue;
        };
        let resource = evaluated.named.as_ref().unwrap_or(resource);
        responses.extend(evaluated.answers.iter().filter_map(|answer| {
            let key = (answer.policy.as_str(), answer.namespace.as_deref());
            Some(Response {
                policy: policies.get(&key).copied()?,
                resource,
                answer,
                evaluated,
                explanations: Vec::new(),
            })
        }));
    }
    responses
}

/// The result of a rule, as reports and counts have it.
pub fn result(rule: &RuleResponse, audit: AuditFailures) -> RuleStatus {
    let only_audits = rule.failure_action == FailureAction::Audit;
    if rule.status == RuleStatus::Fail && only_audits && audit == AuditFailures::Warn {
        RuleStatus::Warn
    } else {
        rule.status
    }
}

/// How many results there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub pass: usize,
    /// Failed.
    pub fail: usize,
    /// Failed, and that is only a warning.
    pub warn: usize,
    /// Could not be decided; a policy that does not load counts once.
    pub error: usize,
    /// Did not apply.
    pub skip: usize,
}

impl Counts {
    /// Counts the results of all responses.
    pub fn of(responses: &[Response<'_>], audit: AuditFailures) -> Self {
        let mut counts = Self::default();
        for response in responses {
            for rule in &response.answer.rules {
                counts.add(rule.rule_type, result(rule, audit));
            }
            if response.answer.patch_error.is_some() {
                counts.error += 1;
            }
        }
        counts
    }

    fn add(&mut self, rule_type: RuleType, result: RuleStatus) {
        let count = match result {
            RuleStatus::Pass => &mut self.pass,
            // Whatever keeps a rule from generating is a failure to Kyverno's command line.
            _ if rule_type == RuleType::Generation => &mut self.fail,
            RuleStatus::Fail => &mut self.fail,
            RuleStatus::Warn => &mut self.warn,
            RuleStatus::Error => &mut self.error,
            RuleStatus::Skip => &mut self.skip,
        };
        *count += 1;
    }
}
