//! AST → checked AST: what a policy that can be read must also keep to.
//!
//! One check for each file, which says what it checks and why; `docs/diagnostics.md` is written from them, and a test
//! holds their examples true. Most look at the author's rules only: what autogen made of them is as right or wrong.

mod any_identity;
mod attestation_without_keyless;
mod autogen_controllers;
mod break_glass;
mod conflicting_settings;
mod constant_condition;
mod dead;
mod duplicate_context_name;
mod duplicate_rule_name;
mod element_without_key;
mod empty_match;
mod exception;
mod expressions;
mod ignored_element;
mod impossible_pattern;
mod invalid_exclusion;
mod invalid_expression;
mod invalid_regex;
mod known_fields;
mod known_kinds;
mod malformed_anchor;
mod misspelt;
mod mutable_tag;
mod mutate_digest_audit;
mod name_too_long;
mod never_evaluated;
mod nothing_demanded;
mod nothing_on_delete;
mod operator_case;
mod other_namespace;
mod pattern_from_resource;
mod reserved_name;
mod unanchored_regex;
mod unknown_in_exception;
mod unknown_kind;
mod unknown_log;
mod unknown_operation;
mod unknown_variable;
mod unreachable_rule;
mod user_data_in_background;
mod variable_not_allowed;
mod wildcard_attestor;
mod wildcard_kind;
mod wrong_scope;

pub use break_glass::break_glass;
pub use exception::exception;
pub(crate) use unknown_in_exception::unknown_in_exceptions;

use crate::ast::condition::Condition;
use crate::ast::context::ContextEntry;
use crate::ast::foreach::{Foreach, ForeachBody};
use crate::ast::generate::GenerateBody;
use crate::ast::mutate::{Mutate, MutateBody, MutateForeach, Patch};
use crate::ast::pattern::Pattern;
use crate::ast::template::{Template, Text};
use crate::ast::validate::{Deny, ValidateBody};
use crate::ast::verify_images::{AttestorIdentity, Keyless, VerifyImages};
use crate::ast::{Checked, Origin, Policy, Rule, RuleBody};
use crate::diagnostic::{Code, Diagnostic, Fault};
use crate::load::Environment;
use crate::source::Span;

/// Checks a policy; autogen has been through it. There is a checked policy if its text has no error.
pub fn check(policy: Policy, environment: &Environment) -> (Option<Checked>, Vec<Diagnostic>) {
    let mut report = Report {
        policy: &policy,
        environment,
        diagnostics: Vec::new(),
    };
    for check in CHECKS {
        check(&mut report);
    }
    let diagnostics = report.diagnostics;
    let of_text = |found: &Diagnostic| found.is_error() && found.fault == Fault::Text;
    let sound = !diagnostics.iter().any(of_text);
    (sound.then(|| Checked::assertion(policy)), diagnostics)
}

const CHECKS: [fn(&mut Report<'_>); 36] = [
    name_too_long::check,
    duplicate_rule_name::check,
    conflicting_settings::check,
    never_evaluated::check,
    autogen_controllers::check,
    wildcard_kind::check,
    unknown_kind::check,
    empty_match::check,
    unreachable_rule::check,
    constant_condition::check,
    malformed_anchor::check,
    impossible_pattern::check,
    ignored_element::check,
    pattern_from_resource::check,
    element_without_key::check,
    other_namespace::check,
    wrong_scope::check,
    mutable_tag::check,
    nothing_demanded::check,
    nothing_on_delete::check,
    variable_not_allowed::check,
    user_data_in_background::check,
    operator_case::check,
    unknown_operation::check,
    reserved_name::check,
    duplicate_context_name::check,
    invalid_expression::check,
    unknown_variable::check,
    invalid_exclusion::check,
    invalid_regex::check,
    unanchored_regex::check,
    unknown_log::check,
    mutate_digest_audit::check,
    any_identity::check,
    attestation_without_keyless::check,
    wildcard_attestor::check,
];

/// The policy that is checked, and what was found.
struct Report<'a> {
    policy: &'a Policy,
    environment: &'a Environment,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    fn error(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, &self.policy.source, span, message)
    }

    fn warning(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(code, &self.policy.source, span, message)
    }

    fn add(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The author's rules.
    fn rules(&self) -> impl Iterator<Item = &'a Rule> + use<'a> {
        let rules = self.policy.rules.iter();
        rules.filter(|rule| rule.origin == Origin::Written)
    }

    /// Whether it is a constraint of Gatekeeper or a policy of Kubewarden, whose name is as long as any object's may be.
    fn is_constraint(&self) -> bool {
        let mut rules = self.rules();
        rules.any(|rule| rule.constraint().is_some())
    }

    /// The author's entries of `verifyImages`, with their rules, and what is demanded of modules in the same words.
    fn image_entries(&self) -> impl Iterator<Item = (&'a Rule, &'a VerifyImages)> + use<'a> {
        self.rules().flat_map(|rule| {
            let entries: &[VerifyImages] = match &rule.body {
                RuleBody::VerifyImages(entries) => entries,
                RuleBody::Validate(_) | RuleBody::Mutate(_) | RuleBody::Generate(_) => &[],
            };
            let of_module = rule.module_verify().map(|verify| &verify.entry);
            let entries = entries.iter().chain(of_module);
            entries.map(move |entry| (rule, entry))
        })
    }

    /// The author's keyless attestors.
    fn keyless(&self) -> impl Iterator<Item = &'a Keyless> + use<'a> {
        self.image_entries()
            .flat_map(|(_, entry)| entry.all_attestors())
            .filter_map(|attestor| match &attestor.identity {
                AttestorIdentity::Keyless(keyless) => Some(keyless),
                AttestorIdentity::Key(_)
                | AttestorIdentity::RemoteKey(_)
                | AttestorIdentity::Certificates(_)
                | AttestorIdentity::Nested(_) => None,
            })
    }
}

/// Where in a rule a text or a condition stands: what its variables may name depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Anywhere where the request is what there is.
    Request,
    /// In `foreach`, where there is an element.
    Element,
    /// Conditions of an attestation, which see the predicate's fields too.
    Attestation,
    /// `validate` of an entry of `verifyImages`, which sees the attestations by name.
    Images,
}

/// Calls `visit` for each condition of a rule.
fn for_each_condition<'a>(rule: &'a Rule, visit: &mut dyn FnMut(Place, &'a Condition)) {
    let mut all = |place, conditions: Option<&'a crate::ast::condition::Conditions>| {
        for condition in conditions
            .into_iter()
            .flat_map(|conditions| conditions.conditions())
        {
            visit(place, condition);
        }
    };
    all(Place::Request, rule.preconditions.as_ref());
    match &rule.body {
        RuleBody::Validate(validate) => match &validate.body {
            ValidateBody::Deny(deny) => all(Place::Request, deny.conditions.as_ref()),
            ValidateBody::Foreach(blocks) => for_each_block(blocks, &mut |block| {
                all(Place::Element, block.preconditions.as_ref());
                if let ForeachBody::Deny(deny) = &block.body {
                    all(Place::Element, deny.conditions.as_ref());
                }
            }),
            ValidateBody::Pattern(_)
            | ValidateBody::AnyPattern(_)
            | ValidateBody::PodSecurity(_)
            | ValidateBody::Rego(_)
            | ValidateBody::Wasm(_) => {}
        },
        RuleBody::VerifyImages(entries) => {
            for entry in entries {
                for attestation in &entry.attestations {
                    all(Place::Attestation, attestation.conditions.as_ref());
                }
                let deny: Option<&Deny> = entry.validate.as_ref().map(|validate| &validate.deny);
                all(
                    Place::Images,
                    deny.and_then(|deny| deny.conditions.as_ref()),
                );
            }
        }
        RuleBody::Mutate(mutate) => {
            for target in &mutate.targets {
                all(Place::Request, target.preconditions.as_ref());
            }
            for_each_patch(&mutate.body, &mut |block| {
                all(Place::Element, block.preconditions.as_ref());
            });
        }
        RuleBody::Generate(generate) => {
            for block in generate.body.blocks() {
                all(Place::Element, block.preconditions.as_ref());
            }
        }
    }
}

/// Calls `visit` for each block of `mutate.foreach`, those inside of others too.
fn for_each_patch<'a>(body: &'a MutateBody, visit: &mut dyn FnMut(&'a MutateForeach)) {
    if let MutateBody::Foreach(blocks) = body {
        for block in blocks {
            visit(block);
            for_each_patch(&block.body, visit);
        }
    }
}

/// Calls `visit` for each strategic merge patch of a rule, those of `foreach` too.
fn for_each_merge<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a Template)) {
    let RuleBody::Mutate(mutate) = &rule.body else {
        return;
    };
    let mut of_body = |body: &'a MutateBody| {
        if let MutateBody::Patch(Patch::StrategicMerge(patch)) = body {
            visit(patch);
        }
    };
    of_body(&mutate.body);
    for_each_patch(&mutate.body, &mut |block| of_body(&block.body));
}

/// Texts of `mutate`, apart from its conditions.
fn for_each_text_of_mutate<'a>(mutate: &'a Mutate, visit: &mut dyn FnMut(Place, &'a Text)) {
    for target in &mutate.targets {
        target.for_each_text(&mut |text| visit(Place::Request, text));
    }
    if let MutateBody::Patch(patch) = &mutate.body {
        patch
            .template()
            .for_each_text(&mut |text| visit(Place::Request, text));
    }
    for_each_patch(&mutate.body, &mut |block| {
        visit(Place::Element, &block.list);
        for entry in &block.context {
            entry.for_each_text(&mut |text| visit(Place::Element, text));
        }
        if let MutateBody::Patch(patch) = &block.body {
            patch
                .template()
                .for_each_text(&mut |text| visit(Place::Element, text));
        }
    });
}

/// Texts of `generate`, apart from its conditions.
fn for_each_text_of_generate<'a>(body: &'a GenerateBody, visit: &mut dyn FnMut(Place, &'a Text)) {
    match body {
        GenerateBody::Resource(resource) => {
            resource.for_each_text(&mut |text| visit(Place::Request, text));
        }
        GenerateBody::Foreach(blocks) => {
            for block in blocks {
                visit(Place::Element, &block.list);
                for entry in &block.context {
                    entry.for_each_text(&mut |text| visit(Place::Element, text));
                }
                block
                    .resource
                    .for_each_text(&mut |text| visit(Place::Element, text));
            }
        }
    }
}

/// Calls `visit` for each entry of the contexts of a rule, those of `foreach` too.
fn for_each_context<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a ContextEntry)) {
    for_each_context_list(rule, &mut |entries| entries.iter().for_each(&mut *visit));
}

/// Calls `visit` for each context of a rule, those of `foreach` too.
fn for_each_context_list<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a [ContextEntry])) {
    visit(&rule.context);
    match &rule.body {
        RuleBody::Validate(validate) => {
            if let ValidateBody::Foreach(blocks) = &validate.body {
                for_each_block(blocks, &mut |block| visit(&block.context));
            }
        }
        RuleBody::Mutate(mutate) => {
            for target in &mutate.targets {
                visit(&target.context);
            }
            for_each_patch(&mutate.body, &mut |block| visit(&block.context));
        }
        RuleBody::Generate(generate) => {
            for block in generate.body.blocks() {
                visit(&block.context);
            }
        }
        RuleBody::VerifyImages(_) => {}
    }
}

/// Calls `visit` for each text of a rule that is an expression as a whole.
fn for_each_expression_text<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a Text)) {
    for_each_context(rule, &mut |entry| {
        if let Some(text) = entry.jmes_path() {
            visit(text);
        }
    });
    match &rule.body {
        RuleBody::Validate(validate) => {
            if let ValidateBody::Foreach(blocks) = &validate.body {
                for_each_block(blocks, &mut |block| visit(&block.list));
            }
        }
        RuleBody::Mutate(mutate) => for_each_patch(&mutate.body, &mut |block| visit(&block.list)),
        RuleBody::Generate(generate) => {
            let blocks = generate.body.blocks().iter();
            blocks.for_each(|block| visit(&block.list));
        }
        RuleBody::VerifyImages(_) => {}
    }
}

/// Calls `visit` for each block of `foreach`, those inside of others too.
fn for_each_block<'a>(blocks: &'a [Foreach], visit: &mut dyn FnMut(&'a Foreach)) {
    for block in blocks {
        visit(block);
        if let ForeachBody::Foreach(inner) = &block.body {
            for_each_block(inner, visit);
        }
    }
}

/// Calls `visit` for each pattern of a rule, those of `foreach` too.
fn for_each_pattern<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a Pattern)) {
    let RuleBody::Validate(validate) = &rule.body else {
        return;
    };
    match &validate.body {
        ValidateBody::Pattern(pattern) => visit(pattern),
        ValidateBody::AnyPattern(patterns) => patterns.iter().for_each(visit),
        ValidateBody::Foreach(blocks) => for_each_block(blocks, &mut |block| match &block.body {
            ForeachBody::Pattern(pattern) => visit(pattern),
            ForeachBody::AnyPattern(patterns) => patterns.iter().for_each(&mut *visit),
            ForeachBody::Deny(_) | ForeachBody::Foreach(_) => {}
        }),
        ValidateBody::Deny(_)
        | ValidateBody::PodSecurity(_)
        | ValidateBody::Rego(_)
        | ValidateBody::Wasm(_) => {}
    }
}

/// Texts of a block, apart from its conditions.
fn for_each_text_of_block<'a>(block: &'a Foreach, visit: &mut dyn FnMut(Place, &'a Text)) {
    visit(Place::Element, &block.list);
    for entry in &block.context {
        entry.for_each_text(&mut |text| visit(Place::Element, text));
    }
    let patterns = match &block.body {
        ForeachBody::Pattern(pattern) => std::slice::from_ref(pattern),
        ForeachBody::AnyPattern(patterns) => patterns.as_slice(),
        ForeachBody::Deny(_) | ForeachBody::Foreach(_) => &[],
    };
    for pattern in patterns {
        pattern.for_each_text(&mut |text| visit(Place::Element, text));
    }
}

/// Whether an expression of a rule reads the roles of the user, or the request as a whole, which has them.
pub(crate) fn reads_roles(rule: &Rule) -> bool {
    let mut found = false;
    for_each_text(rule, &mut |_, text| {
        found |= text
            .variables()
            .any(|variable| names_roles(&variable.expression));
    });
    for_each_expression_text(rule, &mut |text| found |= names_roles(&text.raw));
    found
}

/// Whether an expression has `request.roles`, `request.clusterRoles`, or `request` without a field that is written out.
fn names_roles(expression: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    expression.match_indices("request").any(|(at, name)| {
        let before = expression.get(..at).and_then(|text| text.chars().last());
        let after = expression.get(at + name.len()..).unwrap_or_default();
        // A field of something else, or a text.
        if before.is_some_and(|before| is_word(before) || ".\"`'".contains(before)) {
            return false;
        }
        match after.strip_prefix('.') {
            Some(field) => {
                let end = field.find(|character| !is_word(character));
                let field = end.map_or(Some(field), |end| field.get(..end));
                // Nothing of a word is a quoted name, a wildcard, a list of fields, or a variable.
                matches!(field, None | Some("" | "roles" | "clusterRoles"))
            }
            None => !after.starts_with(is_word),
        }
    })
}

/// Calls `visit` for each text of a rule that may hold variables.
fn for_each_text<'a>(rule: &'a Rule, visit: &mut dyn FnMut(Place, &'a Text)) {
    for (_, text) in &rule.report_properties {
        visit(Place::Request, text);
    }
    for entry in &rule.context {
        entry.for_each_text(&mut |text| visit(Place::Request, text));
    }
    for_each_condition(rule, &mut |place, condition| {
        condition.key.for_each_text(&mut |text| visit(place, text));
        condition
            .value
            .for_each_text(&mut |text| visit(place, text));
        if let Some(text) = &condition.message {
            visit(place, text);
        }
    });
    match &rule.body {
        RuleBody::Validate(validate) => {
            if let Some(text) = &validate.message {
                visit(Place::Request, text);
            }
            let patterns = match &validate.body {
                ValidateBody::Pattern(pattern) => std::slice::from_ref(pattern),
                ValidateBody::AnyPattern(patterns) => patterns.as_slice(),
                ValidateBody::Deny(_)
                | ValidateBody::PodSecurity(_)
                | ValidateBody::Rego(_)
                | ValidateBody::Wasm(_) => &[],
                ValidateBody::Foreach(blocks) => {
                    for_each_block(blocks, &mut |block| for_each_text_of_block(block, visit));
                    &[]
                }
            };
            for pattern in patterns {
                pattern.for_each_text(&mut |text| visit(Place::Request, text));
            }
        }
        RuleBody::VerifyImages(entries) => {
            let validates = entries.iter().filter_map(|entry| entry.validate.as_ref());
            for text in validates.filter_map(|validate| validate.message.as_ref()) {
                visit(Place::Images, text);
            }
        }
        RuleBody::Mutate(mutate) => for_each_text_of_mutate(mutate, visit),
        RuleBody::Generate(generate) => for_each_text_of_generate(&generate.body, visit),
    }
}

#[cfg(test)]
mod tests;
