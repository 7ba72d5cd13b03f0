//! Checked policies become programs.
//!
//! From here on nothing knows YAML. A rule's module has the rules `selected` and `preconditions`, and `verdict` for
//! `validate`; each entry of `verifyImages` has a module of its own, over evidence. Compiling a checked policy fails only
//! by a defect, which is an `internal-error`.

mod condition;
mod constraint;
mod exception;
mod foreach;
mod generate;
mod guest;
mod images;
mod matching;
mod mutate;
mod pattern;
mod pod_security;
mod rego;
mod scope;
mod text;
mod together;
mod validate;

pub use exception::{break_glass, exception};
pub use rego::{doubts as rego_doubts, template};

use std::sync::Arc;

use crate::ast::condition::Conditions;
use crate::ast::matching::Filter;
use crate::ast::mutate::MutateBody;
use crate::ast::validate::ValidateBody;
use crate::ast::{self, Checked, PolicyKind, RuleBody};
use crate::builders::Builders;
use crate::check;
use crate::diagnostic::{Code, Diagnostic};
use crate::program::evidence::EvidenceSource;
use crate::program::extractor::ImageExtractor;
use crate::program::{self, Body, Candidates, ImageEntry, Judged, PodSecurity, Policy, Rule};
use crate::rego::evaluate::{Program, RegoError};
use crate::rego::module::{self, Expression, Module};
use crate::source::{Source, Span};
use crate::template;

use scope::Scope;

/// Compiles a policy.
pub fn compile(checked: &Checked, builders: &Arc<Builders>) -> Result<Policy, Vec<Diagnostic>> {
    let policy = Arc::new(checked.policy().clone());
    let mut rules = Vec::new();
    for (index, rule) in policy.rules.iter().enumerate() {
        let compiled = compile_rule((&policy, builders), index, rule);
        rules.push(compiled.map_err(|failure| match failure {
            Failure::Defect(error) => vec![internal(&policy.source, rule.span, &error)],
            Failure::Author(diagnostics) => diagnostics,
        })?);
    }
    Ok(Policy { ast: policy, rules })
}

/// Why a rule has no program.
enum Failure {
    /// Ours.
    Defect(RegoError),
    /// The author's: modules that cannot be run.
    Author(Vec<Diagnostic>),
}

impl From<RegoError> for Failure {
    fn from(error: RegoError) -> Self {
        Self::Defect(error)
    }
}

/// A defect, shown at the rule that it came from; or that the rule is larger than a program may be.
fn internal(source: &Arc<Source>, span: Span, error: &RegoError) -> Diagnostic {
    if *error == RegoError::LimitExceeded {
        let message = "the rule is too large to be compiled".to_owned();
        return Diagnostic::error(Code::InvalidValue, source, span, message)
            .help("put parts of what it lists into rules of their own");
    }
    let message = format!("it compiled to something that does not run: {error}");
    Diagnostic::error(Code::InternalError, source, span, message)
        .help("this is a defect of Regent: please report it with the policy")
}

fn compile_rule(
    (policy, builders): (&ast::Policy, &Arc<Builders>),
    index: usize,
    rule: &ast::Rule,
) -> Result<Rule, Failure> {
    let mut scope = Scope::default();
    let namespace = confined_to(policy);
    let constraint = rule.constraint();
    let filters = (&rule.matches, rule.excludes.as_ref());
    matching::compile(&mut scope, filters, constraint, namespace);
    let needs_namespace_labels = needs_namespace_labels(policy, rule);
    let selection = (!needs_namespace_labels && constraint.is_none())
        .then(|| together::selection(&scope, namespace));
    scope.place(rule.matches.span);
    let preconditions = preconditions(&mut scope, rule.preconditions.as_ref());
    scope.place(rule.span);
    let mut functions = preconditions.is_some();
    let mut entry_points = vec!["selected", "preconditions"];
    let body = compile_body(&mut scope, &mut entry_points, (policy, builders), rule)?;
    functions |= matches!(&rule.body, RuleBody::Validate(validate) if matches!(validate.body, ValidateBody::Deny(_)));
    if functions {
        scope.rules.extend(condition::prelude());
    }
    let package = package(policy, rule, None);
    let conditions = preconditions.as_ref().map(|judged| &judged.what);
    let together = selection.map_or_else(Default::default, |selection| {
        together::compile(rule, &scope, selection, conditions, &body)
    });
    Ok(Rule {
        index,
        candidates: candidates(rule, namespace),
        needs_namespace_labels,
        needs_roles: needs_roles(rule),
        together,
        program: assemble(
            &policy.source,
            rule.span,
            package,
            &mut scope,
            &entry_points,
        )?,
        context: text::context(&rule.context, namespace),
        preconditions,
        image_extractors: extractors(rule),
        report_properties: report_properties(rule),
        body,
        exceptions: Vec::new(),
        break_glass: Vec::new(),
    })
}

fn report_properties(rule: &ast::Rule) -> Vec<(String, template::Text)> {
    let written = rule.report_properties.iter();
    written
        .map(|(name, value)| (name.value.clone(), text::text(value)))
        .collect()
}

/// What the rule demands; adds the entry points that say so.
fn compile_body(
    scope: &mut Scope,
    entry_points: &mut Vec<&str>,
    (policy, builders): (&ast::Policy, &Arc<Builders>),
    rule: &ast::Rule,
) -> Result<Body, Failure> {
    Ok(match &rule.body {
        RuleBody::Validate(validate) => {
            entry_points.push("verdict");
            compile_validate(scope, (policy, builders), rule, validate)?
        }
        RuleBody::VerifyImages(entries) => Body::VerifyImages(
            entries
                .iter()
                .enumerate()
                .map(|(number, entry)| compile_images((policy, builders), rule, number, entry))
                .collect::<Result<_, _>>()?,
        ),
        RuleBody::Mutate(written) => {
            if let MutateBody::Wasm(written) = &written.body {
                entry_points.push("verdict");
                guest::compile(scope, written);
            }
            Body::Mutate(mutate::compile((policy, rule), builders, written)?)
        }
        RuleBody::Generate(written) => {
            Body::Generate(generate::compile((policy, rule), &written.body)?)
        }
    })
}

/// Where images are looked for, beside pods.
fn extractors(rule: &ast::Rule) -> Vec<ImageExtractor> {
    let written = rule.image_extractors.iter();
    written.filter_map(ImageExtractor::of).collect()
}

/// Writes `preconditions`.
fn preconditions(
    scope: &mut Scope,
    written: Option<&Conditions>,
) -> Option<Judged<program::Conditions>> {
    let Some(conditions) = written else {
        let always = module::Rule::value("preconditions", Expression::text("true"), Vec::new());
        scope.rules.push(always);
        return None;
    };
    let what = condition::compile(scope, "preconditions", conditions);
    let slots = std::mem::take(&mut scope.slots);
    Some(Judged { what, slots })
}

fn compile_validate(
    scope: &mut Scope,
    (policy, builders): (&ast::Policy, &Arc<Builders>),
    rule: &ast::Rule,
    validate: &ast::validate::Validate,
) -> Result<Body, Failure> {
    let demand = match &validate.body {
        ValidateBody::Pattern(pattern) => validate::of_pattern(scope, pattern),
        ValidateBody::AnyPattern(patterns) => validate::of_any_pattern(scope, patterns),
        ValidateBody::Deny(deny) => validate::of_deny(scope, deny),
        ValidateBody::Foreach(blocks) => foreach::compile(scope, (policy, rule), blocks, "")?,
        ValidateBody::PodSecurity(written) => {
            pod_security::compile(scope, written);
            return Ok(Body::PodSecurity(PodSecurity::of(written)));
        }
        ValidateBody::Rego(written) => {
            rego::compile(scope, written);
            let message = validate.message.as_ref();
            let modules = rego::modules(&policy.source, message, written);
            return modules
                .map(|modules| Body::Rego(Box::new(modules)))
                .map_err(Failure::Author);
        }
        ValidateBody::Wasm(written) => {
            guest::compile(scope, written);
            return Ok(Body::Wasm(program::Wasm {
                message: validate.message.as_ref().map(text::text),
                guest: guest::guest((policy, rule), builders, written),
            }));
        }
    };
    Ok(Body::Validate(program::Validate {
        message: validate.message.as_ref().map(text::text),
        demand,
    }))
}

fn compile_images(
    (policy, builders): (&ast::Policy, &Arc<Builders>),
    rule: &ast::Rule,
    number: usize,
    entry: &ast::verify_images::VerifyImages,
) -> Result<ImageEntry, RegoError> {
    let mut scope = Scope::default();
    let mut asked = images::compile(
        &mut scope,
        &images::Entry {
            written: entry,
            version_fallback: policy.slsa_version_fallback(),
            proof: policy.proof(),
            choice: policy.choice(),
            builders,
        },
    );
    scope.place(entry.span);
    let mut entry_points = ["used", "verdict", "passed"].map(str::to_owned).to_vec();
    let mut conditions = Vec::new();
    for (index, attestation) in entry.attestations.iter().enumerate() {
        let name = format!("conditions_{index}");
        let compiled = if let Some(conditions) = &attestation.conditions {
            let what = condition::compile(&mut scope, &name, conditions);
            let slots = std::mem::take(&mut scope.slots);
            Some(Judged { what, slots })
        } else {
            let always = module::Rule::value(&name, Expression::text("true"), Vec::new());
            scope.rules.push(always.at(attestation.span));
            None
        };
        entry_points.push(name);
        conditions.push(compiled);
    }
    let validate = entry.validate.as_ref().map(|written| {
        entry_points.extend(["counted".to_owned(), "denied".to_owned()]);
        images::validate::compile(&mut scope, written, &asked.counted)
    });
    scope.place(entry.span);
    scope.rules.extend(condition::prelude());
    if asked.sources.is_empty() {
        let repository = entry.repository.as_ref();
        asked.sources.push(EvidenceSource {
            repository: repository.map(|text| text.value.clone()),
            pull_secrets: entry.pull_secrets.clone(),
            ..EvidenceSource::default()
        });
    }
    let package = package(policy, rule, Some(&format!("image_{number}")));
    let names: Vec<&str> = entry_points.iter().map(String::as_str).collect();
    Ok(ImageEntry {
        program: assemble(&policy.source, entry.span, package, &mut scope, &names)?,
        sources: asked.sources,
        remote_keys: asked.remote_keys,
        views: asked.views,
        compares_name: asked.compares_name,
        builders: Arc::clone(builders),
        conditions,
        validate,
    })
}

/// The namespace that a policy is confined to.
fn confined_to(policy: &ast::Policy) -> Option<&str> {
    match policy.kind {
        PolicyKind::ClusterPolicy => None,
        PolicyKind::Policy => policy
            .namespace
            .as_ref()
            .map(|namespace| namespace.value.as_str()),
    }
}

/// `regent.<policy>.<rule>`, in letters that need no brackets.
fn package(policy: &ast::Policy, rule: &ast::Rule, part: Option<&str>) -> Vec<String> {
    let mut path = vec![
        "regent".to_owned(),
        word(&policy.key()),
        word(&rule.name.value),
    ];
    path.extend(part.map(str::to_owned));
    path
}

/// A name in letters that need no brackets, and no other name's: hyphens as underscores behind `x_`; behind `y_`, where it
/// has anything else, each such character by its number. The beginning also keeps it from being a keyword.
fn word(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if name.chars().all(is_plain) {
        return format!("x_{}", name.replace('-', "_"));
    }
    let mut word = "y_".to_owned();
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
        } else {
            let number = u32::from(letter);
            word.extend(["_", &format!("{number:x}"), "_"]);
        }
    }
    word
}

fn assemble(
    source: &Arc<Source>,
    span: Span,
    package: Vec<String>,
    scope: &mut Scope,
    entry_points: &[&str],
) -> Result<Program, RegoError> {
    let (line, _) = source.position(span.start);
    let mut rules = std::mem::take(&mut scope.rules);
    for rule in &mut rules {
        comment(source, rule);
    }
    let path = package.join(".");
    let module = Module {
        package,
        comments: vec![format!("{}, line {line}", source.name)],
        rules,
    };
    let entry_points = entry_points
        .iter()
        .map(|name| format!("data.{path}.{name}"))
        .collect();
    let program = Program::of(&module, entry_points)?;
    Ok(program.with_patterns(&scope.patterns))
}

/// Puts the author's line above a rule.
fn comment(source: &Source, rule: &mut module::Rule) {
    let Some(span) = rule.span else { return };
    let (line, text) = source.line(span.start);
    rule.comments.push(format!("{line}: {}", text.trim()));
}

/// What of the match is constant: kinds, operations and namespaces.
fn candidates(rule: &ast::Rule, namespace: Option<&str>) -> Candidates {
    let mut candidates = Candidates {
        namespace: namespace.map(str::to_owned),
        ..Candidates::default()
    };
    let mut every_kind = rule.matches.filters.is_empty();
    let mut every_operation = rule.matches.filters.is_empty();
    let mut every_namespace = rule.matches.filters.is_empty();
    for filter in &rule.matches.filters {
        let resources = filter.resources.as_ref();
        let kinds = resources.map_or(&[][..], |resources| resources.kinds.as_slice());
        let constant = kinds.iter().all(|kind| !kind.kind.contains(['*', '?']));
        every_kind |= kinds.is_empty() || !constant;
        candidates
            .kinds
            .extend(kinds.iter().map(|kind| kind.kind.clone()));
        let operations = resources.map_or(&[][..], |resources| resources.operations.as_slice());
        every_operation |= operations.is_empty();
        candidates
            .operations
            .extend(operations.iter().map(|operation| operation.value));
        let namespaces = resources.map_or(&[][..], |resources| resources.namespaces.as_slice());
        every_namespace |= namespaces.is_empty();
        candidates
            .namespaces
            .extend(namespaces.iter().map(|namespace| namespace.value.clone()));
    }
    if every_kind {
        candidates.kinds.clear();
    }
    if every_operation {
        candidates.operations.clear();
    }
    if every_namespace {
        candidates.namespaces.clear();
    }
    let rules = rule
        .constraint()
        .map_or(&[][..], |one| one.rules.as_slice());
    let resources = rules.iter().flat_map(|rule| &rule.resources);
    let names = resources.map(|(resource, _)| resource.value.as_str());
    if !names.clone().any(|resource| resource == "*") {
        candidates.resources = names.map(str::to_owned).collect();
    }
    candidates
}

fn needs_namespace_labels(policy: &ast::Policy, rule: &ast::Rule) -> bool {
    let filters = rule.matches.filters.iter();
    let excluded = rule.excludes.iter().flat_map(|filters| &filters.filters);
    let selects = filters.chain(excluded).any(selects_namespaces);
    let actions = policy.failure_action(rule);
    let mut overrides = actions
        .rule_overrides
        .iter()
        .chain(actions.policy_overrides);
    let constrained = rule.constraint();
    let constrained = constrained.is_some_and(|one| one.namespace_selector.is_some());
    selects || constrained || overrides.any(|one| one.namespace_selector.is_some())
}

/// Whether a rule asks for the roles of the user: in its filters, or in an expression.
fn needs_roles(rule: &ast::Rule) -> bool {
    let filters = rule.matches.filters.iter();
    let excluded = rule.excludes.iter().flat_map(|filters| &filters.filters);
    filters.chain(excluded).any(selects_roles) || check::reads_roles(rule)
}

/// Whether a filter asks for roles of the user.
fn selects_roles(filter: &Filter) -> bool {
    !(filter.roles.is_empty() && filter.cluster_roles.is_empty())
}

/// Whether a filter asks for labels of namespaces.
fn selects_namespaces(filter: &Filter) -> bool {
    let resources = filter.resources.as_ref();
    resources.is_some_and(|resources| resources.namespace_selector.is_some())
}
