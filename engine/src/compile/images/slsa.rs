//! `slsa` of an attestation, and the rule by which provenance without attestors is believed from its builder alone.

use crate::ast::verify_images::{Attestation, Keyless, Slsa};
use crate::builders::{Builder, BuilderSigner, Builders};
use crate::image::slsa::SUMMARY_V1;
use crate::rego::module::{Expression, Operator, Rule, Statement};

use super::{certificate, named, subject_is};
use crate::compile::scope::{Scope, matches};

const SOURCE_REPOSITORY: &str = "1.3.6.1.4.1.57264.1.12";
const BUILD_CONFIG: &str = "1.3.6.1.4.1.57264.1.18";
const WORKFLOW_REPOSITORY: &str = "1.3.6.1.4.1.57264.1.5";

/// A self-hosted machine is good for this level at most.
const SELF_HOSTED: u32 = 2;

fn holds(expression: Expression) -> Statement {
    Statement::Holds(expression)
}

fn builder_id() -> Expression {
    Expression::path(&["statement", "builder_id"])
}

fn signed_by_builder() -> Statement {
    let subjects = certificate("statement").field("subjects");
    holds(builder_id().compare(Operator::In, subjects))
}

/// A statement is of a builder of the table, by its id and what its signer's certificate claims.
fn is_known(known: &Builder) -> Vec<Statement> {
    let mut body = vec![holds(Expression::call("is_string", vec![builder_id()]))];
    body.extend(matches(&builder_id(), &known.id));
    let issuer = certificate("statement").field("issuer");
    body.push(holds(issuer.equals(Expression::text(&known.issuer))));
    for (oid, value) in &known.claims {
        let claim = certificate("statement").field("extensions").field(oid);
        body.push(holds(claim.equals(Expression::text(value))));
    }
    body
}

/// The signer is the builder that the predicate names, or the table says that whom the policy names signs for it.
pub(super) fn built_by_signer(
    scope: &mut Scope,
    builders: &Builders,
    keyless: &Keyless,
) -> Vec<Statement> {
    let mut alternatives = vec![vec![signed_by_builder()]];
    for known in called(builders) {
        let mut body = is_known(known);
        body.extend(named(keyless, "statement"));
        alternatives.push(body);
    }
    scope.any_of("built_by_signer", &["statement"], alternatives)
}

fn called(builders: &Builders) -> impl Iterator<Item = &Builder> {
    let entries = builders.entries.iter();
    entries.filter(|known| known.signer == BuilderSigner::Caller)
}

/// Who called the builder is whom the entry names: by source repository or workflow, or the oldest claim of it.
pub(super) fn called_by(scope: &mut Scope, keyless: &Keyless) -> Vec<Statement> {
    // What is negated must have a value: engines differ on `not` over what is undefined.
    let claim = |oid: &str| certificate("statement").field("extensions").get(oid);
    let is_there = |oid: &str| Expression::call("is_string", vec![claim(oid)]);
    let mut alternatives = Vec::new();
    for oid in [SOURCE_REPOSITORY, BUILD_CONFIG] {
        let mut body = vec![holds(is_there(oid))];
        body.extend(subject_is(keyless, &claim(oid)));
        alternatives.push(body);
    }
    let parts = vec![
        Expression::text("https://github.com/"),
        claim(WORKFLOW_REPOSITORY),
    ];
    let url = Expression::call(
        "concat",
        vec![Expression::text(""), Expression::Array(parts)],
    );
    let mut oldest = vec![
        Statement::Not(is_there(SOURCE_REPOSITORY)),
        Statement::Not(is_there(BUILD_CONFIG)),
        holds(is_there(WORKFLOW_REPOSITORY)),
        Statement::Assign("repository".into(), url),
    ];
    oldest.extend(subject_is(keyless, &Expression::name("repository")));
    alternatives.push(oldest);
    scope.any_of("called_by", &["statement"], alternatives)
}

/// Writes the function that says whether a statement is as `slsa` demands, and gives its name; none where nothing is.
pub(super) fn demand(
    scope: &mut Scope,
    builders: &Builders,
    attestation: &Attestation,
) -> Option<String> {
    let slsa = attestation.slsa.as_ref()?;
    let body = if attestation.predicate_type.value == SUMMARY_V1 {
        of_summary(scope, slsa)
    } else {
        of_provenance(scope, builders, slsa)
    };
    let name = scope.fresh("slsa");
    let rule = Rule::function(&name, &["statement"], Expression::Bool(true), body);
    scope.rules.push(rule.at(slsa.span));
    Some(name)
}

/// Whether statements are compared with the name of the image.
pub(super) fn compares_name(attestation: &Attestation) -> bool {
    let own_name = |slsa: &Slsa| slsa.resource_uri.is_none();
    let is_summary = attestation.predicate_type.value == SUMMARY_V1;
    is_summary && attestation.slsa.as_ref().is_some_and(own_name)
}

fn of_summary(scope: &mut Scope, slsa: &Slsa) -> Vec<Statement> {
    let fact = |name: &str| Expression::path(&["statement", "slsa", name]);
    let mut body = vec![holds(fact("passed").equals(Expression::Bool(true)))];
    match &slsa.resource_uri {
        None => body.extend(names_image(scope)),
        Some(wanted) => {
            // What is compared with an expression must be a text.
            let uri = fact("resource_uri");
            body.push(holds(Expression::call("is_string", vec![uri.clone()])));
            body.extend(matches(&uri, &wanted.value));
        }
    }
    if let Some(level) = &slsa.level {
        body.push(Statement::Some("level".into(), fact("levels")));
        body.push(holds(at_least(Expression::name("level"), level.value)));
    }
    body
}

/// The summary is about an image of this name; a tag or digest counts where both have one.
fn names_image(scope: &mut Scope) -> Vec<Statement> {
    let named = |part: &str| Expression::path(&["statement", "slsa", "resource", part]);
    let image = |part: &str| Expression::path(&["input", "image", part]);
    let mut body = vec![holds(named("repository").equals(image("repository")))];
    for part in ["tag", "digest"] {
        let alternatives = vec![
            vec![holds(named(part).equals(image(part)))],
            vec![holds(named(part).equals(Expression::Null))],
            vec![holds(image(part).equals(Expression::Null))],
        ];
        body.extend(scope.any_of(&format!("same_{part}"), &["statement"], alternatives));
    }
    body
}

fn at_least(number: Expression, least: u32) -> Expression {
    number.compare(Operator::AtLeast, Expression::Number(least.into()))
}

fn of_provenance(scope: &mut Scope, builders: &Builders, slsa: &Slsa) -> Vec<Statement> {
    let fact = |name: &str| Expression::path(&["statement", "slsa", name]);
    let mut body = vec![holds(fact("consistent").equals(Expression::Bool(true)))];
    // With attestors of its own the statement may be signed by a key, whose holder the author believes.
    let by_key = Expression::path(&["statement", "key"]);
    let by_key = holds(Expression::call("is_string", vec![by_key]));
    let bound = called(builders).map(is_known);
    let bound = [vec![signed_by_builder()], vec![by_key]]
        .into_iter()
        .chain(bound);
    body.extend(scope.any_of("bound", &["statement"], bound.collect()));
    if !slsa.builders.is_empty() {
        body.push(holds(Expression::call("is_string", vec![builder_id()])));
        let wanted = slsa.builders.iter().map(|one| one.value.as_str());
        body.extend(scope.matches_one(&builder_id(), &["statement"], wanted));
    }
    if let Some(level) = &slsa.level {
        body.extend(of_level(scope, builders, level.value));
    }
    let parts = [
        ("source", &slsa.source),
        ("ref", &slsa.git_ref),
        ("workflow", &slsa.workflow),
    ];
    for (name, wanted) in parts {
        if let Some(wanted) = wanted {
            body.push(holds(Expression::call("is_string", vec![fact(name)])));
            body.extend(matches(&fact(name), &wanted.value));
        }
    }
    body
}

/// A builder of the table is good for a level, and so is the machine.
fn of_level(scope: &mut Scope, builders: &Builders, level: u32) -> Vec<Statement> {
    let good = builders.entries.iter().filter(|known| known.level >= level);
    let mut alternatives: Vec<Vec<Statement>> = good
        .map(|known| {
            let mut body = is_known(known);
            if known.signer == BuilderSigner::Builder {
                body.push(signed_by_builder());
            }
            body
        })
        .collect();
    // Without any such builder nothing is good for it.
    if alternatives.is_empty() {
        alternatives.push(vec![holds(Expression::Bool(false))]);
    }
    let mut body = scope.any_of("of_level", &["statement"], alternatives);
    if level > SELF_HOSTED {
        let own = Expression::path(&["statement", "slsa", "self_hosted"]);
        body.push(holds(own.equals(Expression::Bool(false))));
    }
    body
}
