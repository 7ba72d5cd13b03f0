//! Why a rule answered as it did: what decided, where it stands in the policy, what was seen, and the Rego behind it.
//!
//! Knows the engine's traces; not how an explanation is shown.

pub mod data;
mod rego;

use std::sync::Arc;

use regent_engine::ast::pattern::Anchor;
use regent_engine::program::Policy;
use regent_engine::response::RuleStatus;
use regent_engine::source::{Source, Span};
use regent_engine::trace::{BranchKind, Loads, Origin, Resolved, Step, Trace};
use serde_json::Value;

use crate::offline::evaluate::{Evaluated, Prepared};
use crate::offline::resources::Resource;

/// Why one rule answered as it did on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// In one line.
    pub title: String,
    /// What the rule answered; none where it is not about the resource.
    pub status: Option<RuleStatus>,
    /// The policy's text, which all places are of.
    pub source: Arc<Source>,
    /// What the answer comes from; never empty.
    pub parts: Vec<Part>,
}

/// One thing that the answer comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: BranchKind,
    /// Where it was written.
    pub span: Span,
    /// Whether the resource is as it says; why that cannot be said.
    pub held: Result<bool, String>,
    /// What is wanted, in words.
    pub wanted: String,
    /// Where in the resource, as a JSON pointer.
    pub path: Option<String>,
    /// What is there.
    pub seen: Option<Value>,
    /// For which element, in words.
    pub element: Option<String>,
    /// How variables were resolved.
    pub variables: Vec<Resolved>,
    /// The package of the Rego that decided.
    pub package: String,
    /// The rules of it that this was written as.
    pub rego: Vec<String>,
}

impl Explanation {
    /// Why a rule answered as it did; none where there is nothing to say.
    pub fn of(
        prepared: &Prepared,
        evaluated: &Evaluated,
        (policy, rule): (&str, &str),
    ) -> Option<Self> {
        let resource = prepared.resources.get(evaluated.resource)?;
        let policies = prepared.loaded.policies.policies().iter();
        let mut policies = policies.filter(|known| known.ast.key() == policy);
        let traces = evaluated.observed.traces.iter();
        let of_rule = traces.filter(|trace| {
            trace.policy == policy && (trace.rule == rule || made_from(&trace.rule) == Some(rule))
        });
        // Where the author's rule is not about the resource, one that autogen made of it may be. A rule that verifies images
        // answers twice; the worse of the two explains more, and of two as bad the one that looked at more: once nothing is
        // verified, the second sees only that there is no digest.
        let trace = of_rule.max_by_key(|trace| {
            let is_own = trace.rule == rule;
            let answered = is_own && trace.status.is_some();
            let badness = trace.status.map_or(0, badness);
            (
                answered,
                is_about(trace),
                is_own,
                badness,
                trace.steps.len(),
            )
        });
        match trace {
            Some(trace) => Some(Self::of_trace(trace, resource)),
            None => Self::of_unasked(policies.next()?, rule, resource),
        }
    }

    fn of_trace(trace: &Trace, resource: &Resource) -> Self {
        let status = trace.status.map_or("says nothing about", verb);
        let title = format!(
            "rule `{}` of policy `{}` {status} {}/{}/{}",
            trace.rule, trace.policy, resource.namespace, resource.kind, resource.name
        );
        let blamed = blamed(trace).into_iter();
        let mut parts: Vec<Part> = blamed.map(|step| Part::of(step, &trace.source)).collect();
        // What a patch makes, whether its anchors hold, and what is in a list is computed beside the Rego.
        let is_patch = parts.iter().any(|part| part.kind == BranchKind::Patch);
        for part in &mut parts {
            let is_beside = matches!(
                part.kind,
                BranchKind::List | BranchKind::Module | BranchKind::Message
            );
            if is_patch || is_beside {
                part.rego.clear();
            }
        }
        Self {
            title,
            status: trace.status,
            source: Arc::clone(&trace.source),
            parts,
        }
    }

    /// Of a rule that was not asked: nothing of the resource is among what its `match` names.
    fn of_unasked(policy: &Policy, rule: &str, resource: &Resource) -> Option<Self> {
        let found = policy.rules.iter().find_map(|one| {
            let written = policy.rule_ast(one)?;
            (written.name.value == rule).then_some((one, written))
        });
        let (compiled, written) = found?;
        let (namespace, kind, name) = (&resource.namespace, &resource.kind, &resource.name);
        let title = format!(
            "rule `{rule}` of policy `{}` is not about {namespace}/{kind}/{name}",
            policy.ast.key()
        );
        let span = written.matches.span;
        let (package, rego) = rego::of(&compiled.program, &policy.ast.source, span, None);
        Some(Self {
            title,
            status: None,
            source: Arc::clone(&policy.ast.source),
            parts: vec![Part {
                kind: BranchKind::Match,
                span,
                held: Ok(false),
                wanted: "a kind and an operation that `match` names".to_owned(),
                path: Some("/kind".to_owned()),
                seen: Some(kind.as_str().into()),
                element: None,
                variables: Vec::new(),
                package,
                rego,
            }],
        })
    }
}

impl Part {
    fn of(step: &Step, source: &Source) -> Self {
        let span = step.branch.span;
        let leaf = (step.branch.kind == BranchKind::Leaf).then_some(step.wanted.as_str());
        let (package, rego) = rego::of(&step.program, source, span, leaf);
        Self {
            kind: step.branch.kind,
            span,
            held: step.held.clone(),
            wanted: step.wanted.clone(),
            path: step.path.clone(),
            seen: step.seen.clone(),
            element: step.element.clone(),
            variables: step.variables.clone(),
            package,
            rego,
        }
    }

    /// In one line: what is wanted, and what was seen where.
    pub fn sentence(&self) -> String {
        let seen = match &self.seen {
            Some(value) => shortened(&value.to_string()),
            None => "nothing".to_owned(),
        };
        let place = match &self.path {
            Some(path) if !path.is_empty() => format!(" at `{path}`"),
            _ => String::new(),
        };
        let wanted = &self.wanted;
        let element = match &self.element {
            Some(element) => format!(" ({element})"),
            None => String::new(),
        };
        let said = match (&self.held, self.kind) {
            (Err(reason), BranchKind::Patch) => reason.clone(),
            (Err(reason), BranchKind::Message) => format!("the message has no text: {reason}"),
            (Err(reason), _) => format!("cannot be judged: {reason}"),
            (Ok(false), BranchKind::Image | BranchKind::Patch | BranchKind::List) => wanted.clone(),
            (Ok(false), BranchKind::PodSecurity) => format!("{wanted}{place}"),
            (Ok(true), BranchKind::Patch) => format!("makes {seen}"),
            (Ok(true), BranchKind::Module) => format!("lets it through: {wanted}"),
            (Ok(false), BranchKind::Module) => format!("refuses: {wanted}"),
            (Ok(false), BranchKind::Exclude) => format!("excludes {seen}"),
            (Ok(false), BranchKind::Match) => format!("is not about {seen}"),
            (Ok(true), BranchKind::Match) => format!("is about {seen}"),
            (_, BranchKind::DenyAll) => "everything that `match` is about is denied".to_owned(),
            (Ok(false), BranchKind::Alternative) => "does not fit".to_owned(),
            (Ok(true), BranchKind::Alternative) => "fits".to_owned(),
            (Ok(held), BranchKind::Precondition | BranchKind::Deny | BranchKind::Attestation) => {
                let does = if *held { "holds" } else { "does not hold" };
                format!("{does}: the key is {seen}{place}, compared by {wanted}")
            }
            (Ok(true), BranchKind::Anchor(Anchor::Equality | Anchor::Negation))
                if self.seen.is_none() =>
            {
                format!("nothing{place}, which is as wanted")
            }
            (Ok(false), _) => format!("wants {wanted}, and sees {seen}{place}"),
            (Ok(true), _) => format!("is as wanted: {seen}{place}"),
        };
        said + &element
    }
}

/// What would stand for an entry of a context that has no value, without a cluster and a network.
pub fn help(variable: &Resolved) -> Option<String> {
    let Origin::Context(loads) = variable.origin else {
        return None;
    };
    let name = &variable.name;
    let in_values = format!("`{name}: ...` in the values");
    variable.value.as_ref().err()?;
    Some(match loads {
        // What it is made of has no value, and is named for itself.
        Loads::Variable => return None,
        Loads::ConfigMap => format!(
            "a `ConfigMap` in `clusterResources`, or `{name}.data.KEY: ...` in the values, stands for it"
        ),
        Loads::ApiCall => format!(
            "an entry of `apiCallResponses`, objects in `clusterResources`, or {in_values} stand for it"
        ),
        Loads::GlobalReference => {
            format!("an entry of `globalContextEntries`, or {in_values} stands for it")
        }
        Loads::ImageRegistry => format!(
            "an entry of `images` in the file that `context` names, or {in_values} stands for it"
        ),
    })
}

/// Longest value in a sentence.
const MOST_LETTERS: usize = 160;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_LETTERS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The rule that autogen made one of that name from, if it did.
fn made_from(rule: &str) -> Option<&str> {
    let base = rule.strip_prefix("autogen-cronjob-");
    base.or_else(|| rule.strip_prefix("autogen-"))
}

/// Whether a rule's `match` is about the resource.
fn is_about(trace: &Trace) -> bool {
    let mut steps = trace.steps.iter();
    steps.any(|step| step.branch.kind == BranchKind::Match && step.held == Ok(true))
}

/// The steps that an answer comes from.
fn blamed(trace: &Trace) -> Vec<&Step> {
    let is_blamed = |step: &&Step| {
        let kind = step.branch.kind;
        let applies = matches!(
            kind,
            BranchKind::Match | BranchKind::Exclude | BranchKind::Precondition | BranchKind::List
        );
        let denies = matches!(kind, BranchKind::Deny | BranchKind::DenyAll);
        match (trace.status, &step.held) {
            (_, Err(_)) => !applies || trace.status == Some(RuleStatus::Error),
            (None, Ok(held)) => applies && !held,
            (Some(RuleStatus::Skip), Ok(held)) => kind != BranchKind::Match && !denies && !held,
            (Some(RuleStatus::Pass), Ok(held)) => !applies && *held != denies,
            (Some(RuleStatus::Fail | RuleStatus::Warn | RuleStatus::Error), Ok(held)) => {
                !applies && *held == denies
            }
        }
    };
    let deciding: Vec<&Step> = trace.deciding().filter(is_blamed).collect();
    if !deciding.is_empty() {
        return deciding;
    }
    // Nothing was compared: that the rule is about the resource is all there is to say.
    trace.steps.iter().take(1).collect()
}

const fn verb(status: RuleStatus) -> &'static str {
    match status {
        RuleStatus::Pass => "passes on",
        RuleStatus::Fail => "fails on",
        RuleStatus::Warn => "warns of",
        RuleStatus::Error => "cannot be decided on",
        RuleStatus::Skip => "does not apply to",
    }
}

const fn badness(status: RuleStatus) -> u8 {
    match status {
        RuleStatus::Skip => 1,
        RuleStatus::Pass => 2,
        RuleStatus::Warn => 3,
        RuleStatus::Fail => 4,
        RuleStatus::Error => 5,
    }
}
