//! What a rule looks at, kept for whoever asked: after each answer the explainer walks the same policy, and says so too.
//!
//! Nothing here reaches an answer. New questions to the host are not asked for it either.

mod lists;
mod said;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::ast::condition::Condition;
use crate::ast::context::ContextEntry;
use crate::ast::foreach::{Foreach, ForeachBody};
use crate::ast::generate::GenerateBody;
use crate::ast::mutate::{JsonPatch, MutateBody, Patch};
use crate::ast::pattern::Pattern;
use crate::ast::template::TemplateValue;
use crate::ast::validate::ValidateBody;
use crate::ast::{self, RuleBody};
use crate::explain::steps::{self, About, Ground};
use crate::mutate::unmet::Unmet;
use crate::pattern::{self, Mismatch, Status};
use crate::pod_security::FieldError;
use crate::program::{Conditions, Policy, Rule};
use crate::rego::evaluate::Program;
use crate::response::{PatchOperation, RuleStatus};
use crate::source::Span;
use crate::template::Template;
use crate::trace::{BranchKind, Element, Part, Step, Trace, for_each_part, in_words};

use super::pod_security::Found;
use super::rule::{Context, Progress};
use super::{Names, images, is_waiting, pod_images};

/// The rule that is looked at.
#[derive(Debug)]
pub(super) struct Tracing {
    policy: Arc<ast::Policy>,
    index: usize,
    /// Its patterns, in order of writing.
    patterns: Vec<Arc<Template>>,
    program: Program,
    /// Lists that are gone through, with the place of the element.
    elements: Vec<Element>,
    steps: Vec<Step>,
    disagreements: Vec<String>,
}

/// Whether rules are traced, and the one that is now.
#[derive(Debug, Default)]
pub(super) enum Traced {
    /// They are not.
    #[default]
    Not,
    /// They are; no rule is looked at.
    Between,
    /// They are.
    Now(Box<Tracing>),
}

impl Tracing {
    fn rule(&self) -> Option<&ast::Rule> {
        self.policy.rules.get(self.index)
    }

    fn condition(&self, span: Span) -> Option<(BranchKind, &Condition)> {
        let mut found = None;
        for_each_part(self.rule()?, &mut |part| match part {
            Part::Condition(kind, condition) if condition.span == span => {
                found = Some((kind, condition));
            }
            _ => {}
        });
        found
    }

    fn denial(&self) -> Option<Span> {
        let mut found = None;
        for_each_part(self.rule()?, &mut |part| {
            if let Part::DenyAll(deny) = part {
                found = Some(deny.span);
            }
        });
        found
    }

    fn pattern(&self, template: &Arc<Template>) -> Option<&Pattern> {
        let mut patterns = self.patterns.iter();
        let index = patterns.position(|known| Arc::ptr_eq(known, template))?;
        let mut found = Vec::new();
        for_each_part(self.rule()?, &mut |part| match part {
            Part::Pattern(pattern) | Part::Alternative(pattern) => found.push(pattern),
            Part::Condition(..) | Part::DenyAll(_) => {}
        });
        found.get(index).copied()
    }

    fn ground<'a>(
        &'a self,
        names: &'a Names<'a>,
        program: &'a Program,
        entries: &'a [&'a ContextEntry],
    ) -> Ground<'a> {
        Ground {
            names,
            entries,
            elements: &self.elements,
            about: About::Object,
            program,
        }
    }
}

impl Context<'_> {
    /// Starts to look at a rule.
    pub(super) fn trace_rule(&mut self, policy: &Policy, rule: &Rule) {
        if matches!(self.traced, Traced::Not) {
            return;
        }
        let patterns = rule.patterns().into_iter().map(Arc::clone).collect();
        self.traced = Traced::Now(Box::new(Tracing {
            policy: Arc::clone(&policy.ast),
            index: rule.index,
            patterns,
            program: rule.program.clone(),
            elements: Vec::new(),
            steps: Vec::new(),
            disagreements: Vec::new(),
        }));
    }

    /// What was looked at, where the rule is done.
    pub(super) fn take_trace(&mut self, progress: &Progress) -> Option<Trace> {
        let Traced::Now(tracing) = &mut self.traced else {
            return None;
        };
        let trace = Trace {
            policy: tracing.policy.key(),
            rule: tracing.rule()?.name.value.clone(),
            source: Arc::clone(&tracing.policy.source),
            status: match progress {
                Progress::Answered(response) => Some(response.status),
                Progress::NotAbout | Progress::Waiting | Progress::WaitingForImages => None,
            },
            steps: std::mem::take(&mut tracing.steps),
            disagreements: std::mem::take(&mut tracing.disagreements),
        };
        self.traced = Traced::Between;
        (!is_waiting(progress)).then_some(trace)
    }

    /// Notes whether a rule is about the resource, and that `exclude` decided where it did.
    pub(super) fn trace_match(
        &mut self,
        is_about: bool,
        labels: Option<&BTreeMap<String, String>>,
    ) {
        let excluded = if is_about {
            None
        } else {
            self.excluding(labels)
        };
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        let subject = self.documents.subject();
        let Some(span) = tracing.rule().map(|rule| rule.matches.span) else {
            return;
        };
        let field = |name: &str| subject.get(name).cloned().unwrap_or(Value::Null);
        let seen = ["operation", "kind", "namespace", "name", "labels"];
        let seen = seen.map(|name| (name.to_owned(), field(name)));
        let ground = Bare(&tracing.program);
        let step = Step {
            decides: !is_about && excluded.is_none(),
            wanted: "a request that `match` is about, and `exclude` is not".to_owned(),
            seen: Some(Value::Object(seen.into_iter().collect())),
            ..ground.step(BranchKind::Match, span, Ok(is_about))
        };
        let of_exclude = excluded.map(|span| Step {
            decides: true,
            wanted: "a request that `exclude` is not about".to_owned(),
            seen: step.seen.clone(),
            ..ground.step(BranchKind::Exclude, span, Ok(false))
        });
        tracing.steps.push(step);
        tracing.steps.extend(of_exclude);
    }

    /// Notes what conditions looked at; `said` is the program's word.
    pub(super) fn trace_conditions(
        &mut self,
        program: &Program,
        conditions: &Conditions,
        names: &Names<'_>,
        said: &str,
    ) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        self.facts.borrow_mut().freeze(true);
        let entries = tracing.rule().map(entries).unwrap_or_default();
        let ground = tracing.ground(names, program, &entries);
        let find = |span| tracing.condition(span);
        let (walked, steps) = steps::of_conditions(&ground, conditions, find);
        self.facts.borrow_mut().freeze(false);
        let walked = match walked {
            Ok(true) => "true",
            Ok(false) => "false",
            Err(_) => "error",
        };
        drop(entries);
        tracing.steps.extend(steps);
        tracing.compare("conditions", said, walked);
    }

    /// Notes that everything that the rule is about is denied.
    pub(super) fn trace_denial(&mut self) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        if let Some(span) = tracing.denial() {
            let step = Bare(&tracing.program).step(BranchKind::DenyAll, span, Ok(true));
            tracing.steps.push(step);
        }
    }

    /// Notes what patterns were compared with; one of them is enough where they are alternatives.
    pub(super) fn trace_patterns(
        &mut self,
        program: &Program,
        (patterns, is_any): (&[Arc<Template>], bool),
        (names, resource, about): (&Names<'_>, &Value, About),
        said: RuleStatus,
    ) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        self.facts.borrow_mut().freeze(true);
        let entries = tracing.rule().map(entries).unwrap_or_default();
        let mut ground = tracing.ground(names, program, &entries);
        ground.about = about;
        let mut all = Vec::new();
        let mut walks = Vec::new();
        for template in patterns {
            let Some(written) = tracing.pattern(template) else {
                continue;
            };
            let (found, steps) = steps::of_pattern(&ground, (written, template), resource);
            if is_any {
                let held = Ok(found.is_ok());
                let mut step = ground.step(BranchKind::Alternative, written.span, held);
                step.decides = found.is_ok();
                all.push(step);
            }
            all.extend(steps);
            let is_enough = is_any && found.is_ok();
            walks.push((found, template));
            // What stands behind the first that passes is not needed.
            if is_enough {
                break;
            }
        }
        let walked = concluded(&walks, is_any, (names, resource));
        self.facts.borrow_mut().freeze(false);
        drop(entries);
        tracing.steps.extend(all);
        tracing.compare("pattern", said.name(), walked);
    }

    /// Notes which element of a list is looked at, until [`Self::trace_element_end`].
    pub(super) fn trace_element(&mut self, list: &str, index: usize) {
        if let Traced::Now(tracing) = &mut self.traced {
            let list = list.to_owned();
            tracing.elements.push(Element { list, index });
        }
    }

    /// Notes that an element is done.
    pub(super) fn trace_element_end(&mut self) {
        if let Traced::Now(tracing) = &mut self.traced {
            tracing.elements.pop();
        }
    }

    /// Notes what `podSecurity` found.
    pub(super) fn trace_pod_security(&mut self, found: &Found, said: RuleStatus) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        let Some(RuleBody::Validate(validate)) = tracing.rule().map(|rule| &rule.body) else {
            return;
        };
        let ValidateBody::PodSecurity(demand) = &validate.body else {
            return;
        };
        let span = demand.level.span;
        let ground = Bare(&tracing.program);
        let mut steps = Vec::new();
        for violation in &found.remaining {
            let field = violation.errors.first();
            let path = field.map(|field| {
                let path = field.path.replace('[', "/").replace(']', "");
                format!("/{}", path.replace('.', "/"))
            });
            let values = field.map(FieldError::values).unwrap_or_default();
            steps.push(Step {
                wanted: format!("{}: {}", violation.reason, violation.detail),
                path,
                seen: (!values.is_empty()).then(|| values.into()),
                ..ground.step(BranchKind::PodSecurity, span, Ok(false))
            });
        }
        if steps.is_empty() {
            let held = match (found.unreadable(), said) {
                (Some(reason), _) => Err(reason.to_owned()),
                (None, said) => Ok(said != RuleStatus::Fail),
            };
            steps.push(ground.step(BranchKind::PodSecurity, span, held));
        }
        tracing.steps.extend(steps);
    }

    /// Notes what a patch changed, or that it changed nothing, with the anchors that do not hold.
    pub(super) fn trace_patch(
        &mut self,
        span: Span,
        held: Result<Option<Vec<PatchOperation>>, String>,
        unmet: &[Unmet],
    ) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        let (held, made) = match held {
            Ok(made) => (Ok(made.is_some()), made),
            Err(reason) => (Err(reason), None),
        };
        let wanted = match (&held, unmet.is_empty()) {
            (Ok(false), true) => "changes nothing: the object is already as it says",
            (Ok(false), false) => "changes nothing: an anchor does not hold",
            _ => "changes the object",
        };
        let element = in_words(&tracing.elements);
        let ground = Bare(&tracing.program);
        let mut steps = vec![Step {
            wanted: wanted.to_owned(),
            seen: made.map(|made| made.iter().map(PatchOperation::to_json).collect()),
            element: element.clone(),
            ..ground.step(BranchKind::Patch, span, held)
        }];
        steps.extend(unmet.iter().map(|one| Step {
            wanted: one.wanted.to_string(),
            path: Some(one.path.clone()),
            seen: one.seen.clone(),
            element: element.clone(),
            ..ground.step(
                BranchKind::Anchor(one.anchor),
                tracing.key_in(span, &one.key),
                Ok(false),
            )
        }));
        tracing.steps.extend(steps);
    }

    /// Notes why a patch could not be applied, at the operation that did not fit, where it is known which.
    pub(super) fn trace_failed_patch(&mut self, span: Span, reason: &str, misfit: Option<Misfit>) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        let operation = misfit.and_then(|misfit| {
            let place = tracing.operation(span, misfit.index)?;
            Some((place, misfit))
        });
        let (span, reason) = match operation {
            Some((
                place,
                Misfit {
                    index,
                    of,
                    name,
                    there,
                },
            )) => (
                place,
                format!(
                    "`{name}`, operation {} of {of}: {reason}; {there}",
                    index + 1
                ),
            ),
            None => (span, reason.to_owned()),
        };
        let step = Step {
            element: in_words(&tracing.elements),
            ..Bare(&tracing.program).step(BranchKind::Patch, span, Err(reason))
        };
        tracing.steps.push(step);
    }

    /// Whether what is looked at is kept.
    pub(super) fn is_traced(&self) -> bool {
        !matches!(self.traced, Traced::Not)
    }

    /// Notes what became of an image under an entry of `verifyImages`.
    pub(super) fn trace_image(
        &mut self,
        (program, span): (&Program, Span),
        image: &pod_images::Found,
        judged: &images::Judged,
    ) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        let message = judged.message.as_str();
        let held = match judged.status {
            RuleStatus::Pass | RuleStatus::Skip => Ok(true),
            RuleStatus::Fail | RuleStatus::Warn => Ok(false),
            RuleStatus::Error => Err(message.to_owned()),
        };
        let step = Step {
            wanted: message.to_owned(),
            path: Some(image.pointer.clone()),
            seen: Some(image.text.as_str().into()),
            ..Bare(program).step(BranchKind::Image, span, held)
        };
        tracing.steps.push(step);
        // Who was wanted and who was seen, at each attestor that is not satisfied.
        let missed = judged.findings.iter();
        let missed = missed.filter_map(|one| Some((one, one.reason.as_ref()?)));
        tracing.steps.extend(missed.map(|(finding, reason)| Step {
            wanted: format!("{}: {reason}", finding.place),
            path: Some(image.pointer.clone()),
            seen: Some(image.text.as_str().into()),
            ..Bare(program).step(BranchKind::Image, finding.span, Ok(false))
        }));
    }
}

/// An operation of a JSON patch that did not fit the object.
pub(super) struct Misfit {
    /// Which.
    pub(super) index: usize,
    /// Out of how many.
    pub(super) of: usize,
    /// Its name.
    pub(super) name: &'static str,
    /// What there is where it was to be applied.
    pub(super) there: String,
}

/// The JSON patch that was written at a place.
fn json_patch_at(body: &MutateBody, span: Span) -> Option<&JsonPatch> {
    match body {
        MutateBody::Patch(Patch::Json(patch)) => (patch.span == span).then_some(patch),
        MutateBody::Foreach(blocks) => {
            let mut blocks = blocks.iter();
            blocks.find_map(|block| json_patch_at(&block.body, span))
        }
        MutateBody::Patch(Patch::StrategicMerge(_)) | MutateBody::Wasm(_) => None,
    }
}

impl Tracing {
    /// Where an operation of the JSON patch at a place was written.
    fn operation(&self, span: Span, index: usize) -> Option<Span> {
        let RuleBody::Mutate(mutate) = &self.rule()?.body else {
            return None;
        };
        match &json_patch_at(&mutate.body, span)?.operations.value {
            TemplateValue::List(items) => items.get(index).map(|item| item.span),
            _ => Some(span),
        }
    }

    /// Where a key stands in a part of the policy; the part, where it cannot be found.
    fn key_in(&self, span: Span, key: &str) -> Span {
        let text = self.policy.source.text.get(span.start..span.end);
        let at = text.and_then(|text| text.find(key));
        at.map_or(span, |at| {
            let start = span.start + at;
            Span::new(start, start + key.len())
        })
    }

    fn compare(&mut self, what: &str, said: &str, walked: &str) {
        if said != walked {
            self.disagreements.push(format!(
                "{what}: the program says {said}, the walk {walked}"
            ));
        }
    }
}

/// A step that no names belong to.
struct Bare<'a>(&'a Program);

impl Bare<'_> {
    fn step(&self, kind: BranchKind, span: Span, held: Result<bool, String>) -> Step {
        Step {
            branch: crate::trace::Branch { kind, span },
            held,
            decides: true,
            wanted: String::new(),
            path: None,
            seen: None,
            variables: Vec::new(),
            element: None,
            program: self.0.clone(),
        }
    }
}

/// What walks of patterns come to, as `verdict` has it.
fn concluded(
    walks: &[(Result<(), Mismatch>, &Arc<Template>)],
    is_any: bool,
    (names, resource): (&Names<'_>, &Value),
) -> &'static str {
    // A variable without a value is an error whatever the pattern is.
    if walks
        .iter()
        .any(|(_, template)| names.template(template).is_err())
    {
        return "error";
    }
    let status = |one: &Result<(), Mismatch>| one.as_ref().err().map(|mismatch| mismatch.status);
    if is_any {
        let mut statuses = walks.iter().map(|(one, _)| status(one));
        return if statuses.clone().any(|one| one.is_none()) {
            "pass"
        } else if statuses.any(|one| !matches!(one, Some(Status::Skip | Status::Nested))) {
            "fail"
        } else {
            "skip"
        };
    }
    let Some((walk, template)) = walks.first() else {
        return "pass";
    };
    match status(walk) {
        None => "pass",
        Some(Status::Skip | Status::Nested) => "skip",
        Some(Status::Forbidden) => "fail",
        Some(Status::Broken) => "error",
        Some(Status::Fail) => {
            let resolved = names.template(template);
            let missing = resolved.is_ok_and(|one| pattern::keys_are_missing(&one, resource));
            if missing { "error" } else { "fail" }
        }
    }
}

/// All entries of contexts of a rule, those of its blocks too.
fn entries(rule: &ast::Rule) -> Vec<&ContextEntry> {
    let mut entries: Vec<&ContextEntry> = rule.context.iter().collect();
    match &rule.body {
        RuleBody::Validate(validate) => {
            if let ValidateBody::Foreach(blocks) = &validate.body {
                entries_of(blocks, &mut entries);
            }
        }
        RuleBody::Mutate(mutate) => {
            entries.extend(mutate.targets.iter().flat_map(|target| &target.context));
            if let MutateBody::Foreach(blocks) = &mutate.body {
                entries.extend(blocks.iter().flat_map(|block| &block.context));
            }
        }
        RuleBody::Generate(generate) => {
            if let GenerateBody::Foreach(blocks) = &generate.body {
                entries.extend(blocks.iter().flat_map(|block| &block.context));
            }
        }
        RuleBody::VerifyImages(_) => {}
    }
    entries
}

fn entries_of<'a>(blocks: &'a [Foreach], entries: &mut Vec<&'a ContextEntry>) {
    for block in blocks {
        entries.extend(&block.context);
        if let ForeachBody::Foreach(inner) = &block.body {
            entries_of(inner, entries);
        }
    }
}
