//! An entry of `verifyImages` as Rego over verified evidence.
//!
//! `used` says which statements answer for each attestation; the host judges the attestation's conditions for each of
//! them; `verdict` says `pass` or `fail` over both, and `passed` is `used` where the verdict is `pass`, in one run. What is
//! not proven does not pass: nothing here is negated but the absence of statements of the asked type.

use std::borrow::Cow;

use crate::ast::evidence::{Choice, Proof};
use crate::ast::verify_images::{
    Attestation, Attestor, AttestorIdentity, AttestorSet, EvidenceType, Extension, Keyless,
    PublicKey, SLSA_V1, SLSA_V02, VerifyImages,
};
use crate::builders::Builders;
use crate::go_regex;
use crate::program::evidence::{EvidenceSource, RemoteKey, View};
use crate::rego::module::{Expression, Operator, Rule, Statement};
use crate::source::Span;

use super::scope::{Scope, matches};

mod slsa;
pub(super) mod validate;

/// What an entry asks the host for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Whose evidence: `input.evidence` in this order.
    pub(super) sources: Vec<EvidenceSource>,
    /// Keys that are not in the policy: `input.keys` in this order.
    pub(super) remote_keys: Vec<RemoteKey>,
    /// Which statements are judged by which attestation's conditions: `used` and `input.conditions` in this order.
    pub(super) views: Vec<View>,
    /// Which statements of each view count.
    pub(super) counted: Vec<Counted>,
    /// Whether a statement has to name the image, for which programs see `input.image`.
    pub(super) compares_name: bool,
}

/// Which statements of a view count, once its attestation is satisfied.
#[derive(Debug, Clone)]
pub(super) enum Counted {
    /// All of these.
    All(Expression),
    /// Of those that are used, `one` of which these hold.
    Good(Vec<Statement>),
}

/// How one entry is compiled.
pub(super) struct Entry<'a> {
    /// As it was written.
    pub(super) written: &'a VerifyImages,
    /// Whether a statement of the other SLSA version may answer.
    pub(super) version_fallback: bool,
    /// What all signatures need.
    pub(super) proof: Proof,
    /// Which of several statements must be as demanded.
    pub(super) choice: Choice,
    /// Who signs for which builder.
    pub(super) builders: &'a Builders,
}

/// Writes `used`, `verdict` and `passed` for an entry.
pub(super) fn compile(scope: &mut Scope, entry: &Entry<'_>) -> Asked {
    let mut asked = Asked::default();
    let mut demands = Vec::new();
    for (index, set) in entry.written.attestors.iter().enumerate() {
        let name = format!("signed_{index}");
        let demand = set_of(scope, (&name, set), &mut |_scope, attestor| {
            let source = source(&mut asked, entry.written, attestor);
            let mut body = vec![some_in("signature", source, "signatures")];
            body.extend(stored_as(entry.written, "signature"));
            body.extend(signed_by(&mut asked, (entry, attestor), "signature"));
            body.extend(annotated(attestor, "signature"));
            body
        });
        demands.push(demand);
    }
    for (index, attestation) in entry.written.attestations.iter().enumerate() {
        let slsa = slsa::demand(scope, entry.builders, attestation);
        asked.compares_name |= slsa::compares_name(attestation);
        let as_demanded = |scope: &mut Scope, view, span| {
            let demand = Demand {
                choice: entry.choice,
                slsa: slsa.as_deref(),
            };
            let (holds, counted) = satisfied(scope, view, &demand, span);
            (Statement::Holds(holds), counted)
        };
        if attestation.attestors.is_empty() {
            let view = of_builder(scope, &mut asked, entry, (index, attestation));
            let (demand, counted) = as_demanded(scope, view, attestation.span);
            demands.push(demand);
            asked.counted.push(counted);
        }
        for (number, set) in attestation.attestors.iter().enumerate() {
            let name = format!("attested_{index}_{number}");
            let demand = set_of(scope, (&name, set), &mut |scope, attestor| {
                let view = of_attestor(scope, &mut asked, entry, (index, attestation, attestor));
                let (demand, counted) = as_demanded(scope, view, attestor.span);
                asked.counted.push(counted);
                vec![demand]
            });
            demands.push(demand);
        }
    }
    finish(scope, &asked, demands, entry);
    asked
}

/// Writes the set of the entries that are satisfied, by what says so of each, and gives the demand that they be enough.
fn set_of(
    scope: &mut Scope,
    (name, set): (&str, &AttestorSet),
    of: &mut dyn FnMut(&mut Scope, &Attestor) -> Vec<Statement>,
) -> Statement {
    for (number, attestor) in set.entries.iter().enumerate() {
        let body = match &attestor.identity {
            AttestorIdentity::Nested(inner) => {
                let name = format!("{name}_{number}");
                vec![set_of(scope, (&name, inner), of)]
            }
            AttestorIdentity::Keyless(_)
            | AttestorIdentity::Key(_)
            | AttestorIdentity::RemoteKey(_)
            | AttestorIdentity::Certificates(_) => of(scope, attestor),
        };
        let rule = Rule::contains(name, Expression::count(number), body);
        scope.rules.push(rule.at(attestor.span));
    }
    enough(name, set)
}

fn finish(scope: &mut Scope, asked: &Asked, demands: Vec<Statement>, entry: &Entry<'_>) {
    let used = (0..asked.views.len()).map(|view| Expression::name(used_name(view)));
    let used = Expression::Array(used.collect());
    scope
        .rules
        .push(Rule::value("used", used.clone(), Vec::new()));
    let verified = if demands.is_empty() {
        vec![Statement::Holds(Expression::Bool(true))]
    } else {
        demands
    };
    let answer = |text: &str, body| Rule::value("verdict", Expression::text(text), body);
    let passed = |body| Rule::value("passed", used, body);
    if entry.written.validate.is_some() {
        validate::verdicts(scope, entry.choice);
        let verdict = Expression::name("verdict").equals(Expression::text("pass"));
        scope.rules.push(passed(vec![Statement::Holds(verdict)]));
    } else {
        let holds = vec![Statement::Holds(Expression::name("verified"))];
        scope.rules.push(answer("pass", holds));
        // It is asked for each image: what is demanded stands in it again, which saves the calls of two rules.
        scope.rules.push(passed(verified.clone()));
    }
    scope.rules.push(Rule::holds("verified", verified));
    scope.rules.push(answer(
        "fail",
        vec![Statement::Not(Expression::name("verified"))],
    ));
}

/// `some name in input.evidence[source].list`.
fn some_in(name: &str, source: usize, list: &str) -> Statement {
    Statement::Some(name.into(), evidence(source).field(list))
}

fn evidence(source: usize) -> Expression {
    let all = Expression::path(&["input", "evidence"]);
    Expression::Index(Box::new(all), Box::new(Expression::count(source)))
}

fn used_name(view: usize) -> String {
    format!("used_{view}")
}

/// `count(name) >= needed`.
fn enough(name: &str, set: &AttestorSet) -> Statement {
    let count = Expression::call("count", vec![Expression::name(name)]);
    Statement::Holds(count.compare(Operator::AtLeast, Expression::count(set.needed())))
}

/// Where an attestor's evidence comes from; equal sources are asked for once, with the keys of all.
fn source(asked: &mut Asked, entry: &VerifyImages, attestor: &Attestor) -> usize {
    let wanted = EvidenceSource::of(entry, attestor);
    let mut known = asked.sources.iter();
    let found = known.position(|source| source.is_same_place(&wanted));
    let index = found.unwrap_or(asked.sources.len());
    if found.is_none() {
        asked.sources.push(wanted);
    }
    let remote = remote_key(asked, attestor);
    if let Some(source) = asked.sources.get_mut(index) {
        match &attestor.identity {
            AttestorIdentity::Key(key) => source.add_key(key),
            AttestorIdentity::Certificates(one) => {
                one.key.iter().for_each(|key| source.add_key(key));
            }
            AttestorIdentity::RemoteKey(_) => source.remote_keys.extend(remote),
            AttestorIdentity::Keyless(_) | AttestorIdentity::Nested(_) => {}
        }
        source.remote_keys.sort_unstable();
        source.remote_keys.dedup();
    }
    index
}

/// The place of an attestor's key in `input.keys`, where it is not in the policy.
fn remote_key(asked: &mut Asked, attestor: &Attestor) -> Option<usize> {
    let AttestorIdentity::RemoteKey(key) = &attestor.identity else {
        return None;
    };
    let key = RemoteKey::of(key);
    let known = asked.remote_keys.iter().position(|known| *known == key);
    Some(known.unwrap_or_else(|| {
        asked.remote_keys.push(key);
        asked.remote_keys.len() - 1
    }))
}

fn stored_as(entry: &VerifyImages, name: &str) -> Option<Statement> {
    let wanted = entry.evidence_type.as_ref()?;
    let format = match wanted.value {
        EvidenceType::Cosign => "legacy",
        EvidenceType::SigstoreBundle => "bundle",
        EvidenceType::Notary => "notary",
    };
    let stored = Expression::path(&[name, "format"]);
    Some(Statement::Holds(stored.equals(Expression::text(format))))
}

/// Statements that hold where `name` was signed by an attestor, with the proof that it asks for.
fn signed_by(
    asked: &mut Asked,
    (entry, attestor): (&Entry<'_>, &Attestor),
    name: &str,
) -> Vec<Statement> {
    let used = Expression::path(&[name, "key"]);
    let by_key = |key: &PublicKey| {
        let same = used.clone().equals(Expression::text(&key.spki_sha256));
        vec![Statement::Holds(same)]
    };
    let mut body = match &attestor.identity {
        AttestorIdentity::Key(key) => by_key(key),
        AttestorIdentity::RemoteKey(_) => {
            let index = remote_key(asked, attestor).unwrap_or(0);
            let keys = Expression::path(&["input", "keys"]);
            let keys = Expression::Index(Box::new(keys), Box::new(Expression::count(index)));
            vec![Statement::Holds(used.compare(Operator::In, keys))]
        }
        AttestorIdentity::Certificates(one) => match &one.key {
            Some(key) => by_key(key),
            None => vec![is_certified(name)],
        },
        AttestorIdentity::Keyless(keyless) => {
            let mut body = issued_by(keyless, name);
            body.extend(extended(&keyless.extensions, name));
            body.extend(named(keyless, name));
            body
        }
        // A set is judged by its entries; it signs nothing itself.
        AttestorIdentity::Nested(_) => vec![Statement::Holds(Expression::Bool(false))],
    };
    body.extend(proven(entry.proof, attestor, name));
    body
}

/// Signed with a certificate and not with a key that a policy names.
fn is_certified(name: &str) -> Statement {
    let issuer = certificate(name).field("issuer");
    Statement::Holds(Expression::call("is_string", vec![issuer]))
}

fn certificate(name: &str) -> Expression {
    Expression::path(&[name, "certificate"])
}

fn issued_by(keyless: &Keyless, name: &str) -> Vec<Statement> {
    let issuer = certificate(name).field("issuer");
    // A key's signature has no issuer: it never counts for a keyless attestor, whatever the wildcard.
    let mut body = vec![is_certified(name)];
    if let Some(pattern) = &keyless.issuer {
        body.extend(matches(&issuer, &pattern.value));
    }
    if let Some(pattern) = &keyless.issuer_regexp {
        body.push(Statement::Holds(regexp(&pattern.value, issuer)));
    }
    body
}

/// The certificate has extensions with these values.
fn extended<'a>(extensions: impl IntoIterator<Item = &'a Extension>, name: &str) -> Vec<Statement> {
    let mut body = Vec::new();
    for extension in extensions {
        let claims = certificate(name).field("extensions");
        let field = claims.field(extension.oid.as_str());
        let is_there = Expression::call("is_string", vec![field.clone()]);
        body.push(Statement::Holds(is_there));
        body.extend(matches(&field, &extension.value.value));
    }
    body
}

/// One that is none is refused before (`invalid-regex`), and nothing is like it.
fn regexp(pattern: &str, value: Expression) -> Expression {
    let pattern = go_regex::for_rego(pattern).unwrap_or(Cow::Borrowed(go_regex::NOTHING));
    Expression::call(
        "regex.match",
        vec![Expression::text(pattern.into_owned()), value],
    )
}

/// One of the certificate's names is the one that is asked for.
fn named(keyless: &Keyless, name: &str) -> Vec<Statement> {
    let subjects = certificate(name).field("subjects");
    let mut body = vec![Statement::Some("subject".into(), subjects)];
    body.extend(subject_is(keyless, &Expression::name("subject")));
    body
}

fn subject_is(keyless: &Keyless, value: &Expression) -> Vec<Statement> {
    let mut body = Vec::new();
    if let Some(pattern) = &keyless.subject {
        body.extend(matches(value, &pattern.value));
    }
    if let Some(pattern) = &keyless.subject_regexp {
        body.push(Statement::Holds(regexp(&pattern.value, value.clone())));
    }
    body
}

/// The log and the certificate log, unless the author does without, and what the policy asks of all signatures.
fn proven(proof: Proof, attestor: &Attestor, name: &str) -> Vec<Statement> {
    let mut body = Vec::new();
    if attestor.needs_certificate() && !attestor.ctlog.ignore_sct {
        let seen = certificate(name).field("sct");
        body.push(Statement::Holds(seen.equals(Expression::Bool(true))));
    }
    if attestor.ctlog.timestamp_chain.is_some() || proof.timestamp {
        let stamps = Expression::call("count", vec![Expression::path(&[name, "timestamps"])]);
        let some = stamps.compare(Operator::More, Expression::count(0));
        body.push(Statement::Holds(some));
    }
    if !attestor.rekor.ignore_tlog {
        body.extend(logged(proof, attestor, name));
    }
    body
}

/// A log that the attestor takes has an entry, or as many logs as the policy asks for have one.
fn logged(proof: Proof, attestor: &Attestor, name: &str) -> Vec<Statement> {
    let entries = Expression::path(&[name, "logs"]);
    let mut logged = vec![Statement::Some("entry".into(), entries)];
    if let Some(key) = &attestor.rekor.public_key {
        let used = Expression::path(&["entry", "key"]);
        let same = used.equals(Expression::text(&key.spki_sha256));
        logged.push(Statement::Holds(same));
    } else {
        let url = Expression::path(&["entry", "url"]);
        logged.push(Statement::Holds(Expression::call("is_string", vec![url])));
    }
    if proof.inclusion_proof {
        let proven = Expression::path(&["entry", "proof"]);
        logged.push(Statement::Holds(proven.equals(Expression::Bool(true))));
    }
    if proof.logs > 1 {
        // There is one entry for each log at most.
        let key = Expression::path(&["entry", "key"]);
        let all = Expression::Collect(Box::new(key), logged);
        let count = Expression::call("count", vec![all]);
        let enough = count.compare(Operator::AtLeast, Expression::count(proof.logs));
        logged = vec![Statement::Holds(enough)];
    }
    logged
}

fn annotated(attestor: &Attestor, name: &str) -> Vec<Statement> {
    let mut body = Vec::new();
    for (key, value) in &attestor.annotations {
        let field = Expression::path(&[name, "annotations"]).field(key.value.as_str());
        body.push(Statement::Holds(Expression::call(
            "is_string",
            vec![field.clone()],
        )));
        body.extend(matches(&field, &value.value));
    }
    body
}

/// Statements of an attestation that an attestor of its own signed.
fn of_attestor(
    scope: &mut Scope,
    asked: &mut Asked,
    entry: &Entry<'_>,
    (index, attestation, attestor): (usize, &Attestation, &Attestor),
) -> usize {
    let source = source(asked, entry.written, attestor);
    let view = asked.views.len();
    asked.views.push(View {
        attestation: index,
        sources: vec![source],
    });
    let mut body: Vec<_> = stored_as(entry.written, "statement").into_iter().collect();
    body.extend(signed_by(asked, (entry, attestor), "statement"));
    body.extend(annotated(attestor, "statement"));
    let about = Candidates {
        entry,
        attestation,
        source,
    };
    about.used(scope, &used_name(view), &body, attestor.span);
    view
}

/// Statements of an attestation without attestors: believed from the builder that they name only, called by whom a
/// keyless entry of the rule names.
fn of_builder(
    scope: &mut Scope,
    asked: &mut Asked,
    entry: &Entry<'_>,
    (index, attestation): (usize, &Attestation),
) -> usize {
    let view = asked.views.len();
    asked.views.push(View {
        attestation: index,
        sources: Vec::new(),
    });
    let slsa = matches!(
        attestation.predicate_type.value.as_str(),
        SLSA_V1 | SLSA_V02
    );
    let name = used_name(view);
    let mut sources = Vec::new();
    for attestor in entry.written.signers().filter(|_| slsa) {
        let AttestorIdentity::Keyless(keyless) = &attestor.identity else {
            continue;
        };
        // Without a subject nobody is named as the caller.
        if keyless.subject.is_none() && keyless.subject_regexp.is_none() {
            continue;
        }
        let source = source(asked, entry.written, attestor);
        sources.push(source);
        let mut body: Vec<_> = stored_as(entry.written, "statement").into_iter().collect();
        body.extend(issued_by(keyless, "statement"));
        body.extend(slsa::built_by_signer(scope, entry.builders, keyless));
        body.extend(slsa::called_by(scope, keyless));
        let of_caller = keyless.extensions.iter().filter(|one| one.is_of_caller());
        body.extend(extended(of_caller, "statement"));
        body.extend(proven(entry.proof, attestor, "statement"));
        let about = Candidates {
            entry,
            attestation,
            source,
        };
        about.used(scope, &name, &body, attestation.span);
    }
    if sources.is_empty() {
        // Nobody is believed: the set is there, and nothing is in it.
        let never = vec![Statement::Holds(Expression::Bool(false))];
        let rule = Rule::contains(&name, Expression::count(0), never);
        scope.rules.push(rule.at(attestation.span));
    }
    if let Some(view) = asked.views.get_mut(view) {
        view.sources = sources;
    }
    view
}

/// `[source, index]`, which names a statement.
fn element(source: usize) -> Expression {
    Expression::Array(vec![Expression::count(source), Expression::name("index")])
}

/// The statements of a source that may answer for an attestation.
struct Candidates<'a> {
    entry: &'a Entry<'a>,
    attestation: &'a Attestation,
    source: usize,
}

impl Candidates<'_> {
    /// Writes the set of those of which `body` holds: statements of the asked type, or only where there is none, those of
    /// the other SLSA version.
    fn used(&self, scope: &mut Scope, name: &str, body: &[Statement], span: Span) {
        let of_type = |first: Option<Statement>, predicate_type| {
            let with_type = self.of_type(predicate_type).into_iter();
            let body = first.into_iter().chain(with_type).chain(body.to_vec());
            Rule::contains(name, element(self.source), body.collect()).at(span)
        };
        let asked = self.attestation.predicate_type.value.as_str();
        scope.rules.push(of_type(None, asked));
        let other = match asked {
            SLSA_V1 => SLSA_V02,
            SLSA_V02 => SLSA_V1,
            _ => return,
        };
        if self.entry.version_fallback && self.attestation.uses_builder_only() {
            let found = scope.fresh("found");
            let any = Rule::holds(&found, self.of_type(asked));
            scope
                .rules
                .push(any.at(self.attestation.predicate_type.span));
            let none = Statement::Not(Expression::name(found));
            scope.rules.push(
                of_type(Some(none), other)
                    .comment("The other version answers where the asked one is not there at all."),
            );
        }
    }

    fn of_type(&self, predicate_type: &str) -> Vec<Statement> {
        let statements = evidence(self.source).field("statements");
        let found = Expression::path(&["statement", "predicate_type"]);
        vec![
            Statement::SomeIndexed("index".into(), "statement".into(), statements),
            Statement::Holds(found.equals(Expression::text(predicate_type))),
        ]
    }
}

/// What is demanded of the statements that are used.
struct Demand<'a> {
    choice: Choice,
    /// The function that says whether a statement is as `slsa` demands.
    slsa: Option<&'a str>,
}

/// A call that holds where a view has statements and those of them that count are as demanded; and which those are.
fn satisfied(
    scope: &mut Scope,
    view: usize,
    demand: &Demand<'_>,
    span: Span,
) -> (Expression, Counted) {
    let name = format!("satisfied_{view}");
    let mut used = Expression::name(used_name(view));
    let conditions = Expression::path(&["input", "conditions"]);
    let of_view = Expression::Index(Box::new(conditions), Box::new(Expression::count(view)));
    let of_one = |base: Expression, rest: fn(Expression) -> Expression| {
        let part = |index| {
            let one = Box::new(Expression::name("one"));
            Box::new(Expression::Index(one, Box::new(Expression::count(index))))
        };
        let of_source = Expression::Index(Box::new(base), part(0));
        Expression::Index(Box::new(rest(of_source)), part(1))
    };
    let result = of_one(of_view, |of_source| of_source);
    let evidence = Expression::path(&["input", "evidence"]);
    let statement = of_one(evidence, |source| source.field("statements"));
    let mut good = vec![Statement::Holds(result.equals(Expression::text("true")))];
    if let Some(function) = demand.slsa {
        let call = Expression::call(function, vec![statement.clone()]);
        good.push(Statement::Holds(call));
    }
    if demand.choice == Choice::Latest {
        used = latest(scope, view, &used, statement.field("time"));
    }
    let some = Expression::call("count", vec![used.clone()]);
    let some = Statement::Holds(some.compare(Operator::More, Expression::count(0)));
    let counted = match demand.choice {
        Choice::All | Choice::Latest => Counted::All(used.clone()),
        Choice::Any => Counted::Good(good.clone()),
    };
    let body = match demand.choice {
        Choice::All | Choice::Latest => vec![some, Statement::Every("one".into(), used, good)],
        Choice::Any => {
            let one = Statement::Some("one".into(), used);
            std::iter::once(one).chain(good).collect()
        }
    };
    scope.rules.push(Rule::holds(&name, body).at(span));
    (Expression::name(name), counted)
}

/// Of the statements of a view the latest, and those of which nothing proves when they were made.
fn latest(scope: &mut Scope, view: usize, used: &Expression, time: Expression) -> Expression {
    let (times, name) = (format!("times_{view}"), format!("latest_{view}"));
    let one = || Statement::Some("one".into(), used.clone());
    let is_number = Expression::call("is_number", vec![time.clone()]);
    let all = Expression::Collect(
        Box::new(time.clone()),
        vec![one(), Statement::Holds(is_number.clone())],
    );
    scope.rules.push(Rule::value(&times, all, Vec::new()));
    let newest = Expression::call("max", vec![Expression::name(times)]);
    for counts in [
        Statement::Not(is_number),
        Statement::Holds(time.equals(newest)),
    ] {
        let body = vec![one(), counts];
        scope
            .rules
            .push(Rule::contains(&name, Expression::name("one"), body));
    }
    Expression::name(name)
}
