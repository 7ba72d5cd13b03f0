//! `verifyImages` on one object: evidence is asked for, projected, judged by programs, and digests are patched in.

use serde_json::Value;

use crate::ast::evidence::Choice;
use crate::ast::verify_images::VerifyImages;
use crate::ast::{self, RuleBody};
use crate::explain;
use crate::image::evidence::Resolution;
use crate::image::reference::with_digest;
use crate::image::{Digest, Evidence, ImageReference, PublicKey, VerifiedImage};
use crate::program::{self, ImageEntry, Policy, Rule};
use crate::rego::evaluate::Document;
use crate::response::{FailureAction, Finding, ImageOutcome, PatchOperation, RuleStatus};
use crate::source::Spanned;
use crate::wildcard;

use super::Phase;
use super::names::{ImageName, Names};
use super::need::{FactError, ImageNeed, PullSecret};
use super::pod_images::{self, Found};
use super::pull_secrets;
use super::rule::{Answer, Context, unexpected};

use conditions::Conditions;
use validate::Denied;

mod conditions;
mod extracted;
mod keys;
pub(crate) mod projection;
mod validate;

/// What came of a rule over all images.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) patches: Vec<PatchOperation>,
    /// Digests of images that are refused.
    pub(super) digests: Vec<PatchOperation>,
    pub(super) images: Vec<ImageOutcome>,
}

/// One image under one entry.
pub(super) struct Judged {
    pub(super) status: RuleStatus,
    pub(super) message: String,
    /// The image with its evidence, whether that satisfies or not; none where it is not known which one it is.
    resolved: Option<VerifiedImage>,
    note: Option<String>,
    pub(super) findings: Vec<Finding>,
}

impl Judged {
    fn new(status: RuleStatus, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            resolved: None,
            note: None,
            findings: Vec::new(),
        }
    }
}

/// Verifies the images of the request's object that a rule is about; none as long as evidence is outstanding.
pub(super) fn verify(
    context: &mut Context<'_>,
    (policy, rule): (&Policy, &Rule),
    names: &Names<'_>,
    (entries, action): (&[ImageEntry], FailureAction),
) -> Option<Outcome> {
    let Some(RuleBody::VerifyImages(asts)) = policy.rule_ast(rule).map(|ast| &ast.body) else {
        return Some(ended(
            RuleStatus::Error,
            "the compiled rule does not belong to its policy".to_owned(),
        ));
    };
    let (found, lists) = match find(context, rule) {
        Ok(found) => found,
        // Whoever wrote the object wrote it so: that must not be what lets it in where errors do.
        Err(reason) => {
            let message = format!("failed to extract images: {reason}");
            return Some(ended(RuleStatus::Fail, message));
        }
    };
    let lists = lists.map(|lists| ("images".to_owned(), lists));
    let names = &names.above(lists.into_iter().collect(), &[]);
    let mut results = Vec::new();
    let mut waiting = false;
    for image in &found {
        let reference = match ImageReference::parse(&image.text) {
            Ok(reference) => reference,
            Err(reason) => {
                let message = format!("failed to parse image {}: {reason}", image.text);
                results.push((image, Judged::new(RuleStatus::Fail, message), false));
                continue;
            }
        };
        let forms = reference.forms();
        let image_name = ImageName::new(image);
        let names = &names.of_image(&image_name);
        for (entry, ast) in entries.iter().zip(asts) {
            // An entry is about an image when one of the readings of its reference matches.
            if !one_matches(&ast.image_references, &forms) {
                continue;
            }
            let mut one = Verifier {
                context: &mut *context,
                policy: &policy.ast,
                program: entry,
                ast,
                action,
                names,
                asks_nobody: rule.context.is_empty(),
            };
            match one.judge(image, &reference) {
                Some(judged) => {
                    context.trace_image((&entry.program, ast.span), image, &judged);
                    let patches = ast.mutates_digest(action) && reference.digest.is_none();
                    let judged = placeable(image, patches, judged);
                    results.push((image, judged, patches));
                }
                None => waiting = true,
            }
        }
    }
    // All images ask before any waits, so that the host can fetch them together.
    (!waiting).then(|| outcome(context.phase, &results))
}

/// The images of the request's object, and `images` where extractors are about its kind.
fn find(context: &Context<'_>, rule: &Rule) -> Result<(Vec<Found>, Option<Value>), String> {
    let object = context.request.object.as_deref().unwrap_or(&Value::Null);
    let about = (context.request.kind.kind.as_str(), object);
    let (extractors, environment) = (&rule.image_extractors, context.environment);
    let known = pod_images::find(about.0, object)?;
    let found = extracted::find(extractors, about, environment, known)?;
    Ok((found, extracted::named(extractors, about, environment)?))
}

fn ended(status: RuleStatus, message: String) -> Outcome {
    Outcome {
        answer: Answer::new(status, message),
        patches: Vec::new(),
        digests: Vec::new(),
        images: Vec::new(),
    }
}

/// An entry leaves an image out when a name of what is pulled matches: beside a digest a tag is none, anybody writes any.
fn is_skipped(entry: &VerifyImages, reference: &ImageReference) -> bool {
    if entry.skip_image_references.is_empty() {
        return false;
    }
    let pulled = [reference.kyverno_form(), reference.containerd_form()];
    one_matches(&entry.skip_image_references, &pulled)
}

fn one_matches(patterns: &[Spanned<String>], forms: &[String]) -> bool {
    let matches = |pattern: &Spanned<String>| {
        let mut forms = forms.iter();
        forms.any(|form| wildcard::matches(&pattern.value, form))
    };
    patterns.iter().any(matches)
}

/// The worst of the images decides: a failure is known for sure, so it comes before an error.
fn outcome(phase: Phase, results: &[(&Found, Judged, bool)]) -> Outcome {
    let with = |status| {
        results
            .iter()
            .filter(move |(_, judged, _)| judged.status == status)
    };
    let messages = |status| {
        let messages: Vec<&str> = with(status)
            .map(|(_, judged, _)| judged.message.as_str())
            .collect();
        messages.join("; ")
    };
    let worst = [
        RuleStatus::Fail,
        RuleStatus::Error,
        RuleStatus::Pass,
        RuleStatus::Skip,
    ]
    .into_iter()
    .find(|status| with(*status).next().is_some());
    let answer = match worst {
        Some(status) => Answer::new(status, messages(status)),
        None => Answer::new(
            RuleStatus::Skip,
            "skip run verification as image in resource not found in imageRefs",
        ),
    };
    let passed = matches!(answer.status, RuleStatus::Pass);
    let pins = match phase {
        Phase::Mutate => pins_of(results),
        Phase::Validate => Vec::new(),
    };
    let (patches, digests) = if passed {
        (pins, Vec::new())
    } else {
        (Vec::new(), pins)
    };
    let images = results
        .iter()
        .map(|(image, judged, _)| ImageOutcome {
            pointer: image.pointer.clone(),
            reference: image.text.clone(),
            digest: judged.resolved.as_ref().map(|one| one.digest().clone()),
            status: judged.status,
            note: judged.note.clone(),
            findings: judged.findings.clone(),
        })
        .collect();
    Outcome {
        answer,
        patches,
        digests,
        images,
    }
}

/// What was judged of an image, but that its digest must fit where it stands: an extractor may make another text of it.
fn placeable(image: &Found, patches: bool, judged: Judged) -> Judged {
    let fits = image.written.contains(&image.text);
    if fits || !patches || judged.status != RuleStatus::Pass {
        return judged;
    }
    let (text, written) = (&image.text, &image.written);
    let message = format!("the digest of {text} cannot be put into `{written}`");
    Judged::new(RuleStatus::Error, message)
}

/// Puts the digests of images where these stand; several may stand in one text.
fn pins_of(results: &[(&Found, Judged, bool)]) -> Vec<PatchOperation> {
    let mut places: Vec<(&str, Vec<&str>, String)> = Vec::new();
    for (image, judged, patch) in results {
        let Some(resolved) = judged.resolved.as_ref().filter(|_| *patch) else {
            continue;
        };
        let (text, digest) = (image.text.as_str(), resolved.digest());
        let mut known = places.iter_mut();
        match known.find(|(pointer, ..)| *pointer == image.pointer) {
            None => {
                let value = patched(text, &image.written, digest);
                places.push((&image.pointer, vec![text], value));
            }
            // Another entry was about the same image.
            Some((_, texts, _)) if texts.contains(&text) => {}
            Some((_, texts, value)) => {
                *value = patched(text, value, digest);
                texts.push(text);
            }
        }
    }
    let replaced = places.into_iter();
    replaced
        .map(|(pointer, _, value)| PatchOperation::Replace {
            path: pointer.to_owned(),
            value: value.into(),
        })
        .collect()
}

/// What stands in an image's place once its digest is there: what an extractor leaves out stays.
fn patched(text: &str, written: &str, digest: &Digest) -> String {
    written.replacen(text, &with_digest(text, digest), 1)
}

/// One entry of a rule.
struct Verifier<'a, 'b> {
    context: &'a mut Context<'b>,
    policy: &'a ast::Policy,
    program: &'a ImageEntry,
    ast: &'a VerifyImages,
    action: FailureAction,
    names: &'a Names<'a>,
    /// Whether no name that a condition can use is asked of the host.
    asks_nobody: bool,
}

impl Verifier<'_, '_> {
    fn judge(&mut self, image: &Found, reference: &ImageReference) -> Option<Judged> {
        let text = image.text.as_str();
        if is_skipped(self.ast, reference) {
            return Some(Judged::new(
                RuleStatus::Skip,
                format!("skipped image {text}"),
            ));
        }
        if self.context.phase == Phase::Validate {
            if self.ast.verify_digest && reference.digest.is_none() {
                return Some(Judged::new(
                    RuleStatus::Fail,
                    format!("missing digest for {text}"),
                ));
            }
            if !self.ast.required {
                return Some(Judged::new(
                    RuleStatus::Skip,
                    format!("verification of {text} is not required"),
                ));
            }
        }
        let failed = |(status, reason): Refusal| {
            let message = format!("failed to verify image {text}: {reason}");
            Some(Judged::new(status, message))
        };
        let keys = match keys::of(&mut self.context.facts.borrow_mut(), self.program)? {
            Ok(keys) => keys,
            Err(reason) => return failed(reason),
        };
        let verified = match self.evidence(reference, &keys)? {
            Ok(verified) => verified,
            Err(reason) => return failed(reason),
        };
        self.verdict(image, &verified, &keys)
    }

    /// The evidence of all sources; none as long as some is outstanding.
    fn evidence(
        &mut self,
        reference: &ImageReference,
        keys: &[Vec<PublicKey>],
    ) -> Option<Result<Vec<VerifiedImage>, Refusal>> {
        let mut verified = Vec::new();
        let mut failed: Option<Refusal> = None;
        let mut waiting = false;
        let own = self.policy.namespace.as_ref();
        let own = own.map(|namespace| namespace.value.as_str());
        for source in &self.program.sources {
            let mut pull_secrets = match pull_secrets::of(own, &source.pull_secrets) {
                Ok(secrets) => secrets,
                Err(reason) => return Some(Err((RuleStatus::Error, reason))),
            };
            pull_secrets.extend(self.object_secrets());
            let need = ImageNeed {
                image: reference.clone(),
                repository: source.repository.clone(),
                rekor_url: source.rekor_url.clone(),
                pull_secrets,
                keys: keys::of_source(source, keys),
                trust: source.trust.clone(),
            };
            let told = self.context.facts.borrow_mut().image(need);
            let refusal = match told {
                None => {
                    waiting = true;
                    continue;
                }
                Some(Ok(image)) => match self.is_usable(reference, &image) {
                    Ok(()) => {
                        verified.push(image);
                        continue;
                    }
                    Err(reason) => (RuleStatus::Error, reason),
                },
                Some(Err(error)) => refusal(&error),
            };
            // What is known for sure comes before what another attempt may change.
            if failed
                .as_ref()
                .is_none_or(|(known, _)| *known != RuleStatus::Fail)
            {
                failed = Some(refusal);
            }
        }
        if waiting {
            return None;
        }
        Some(match failed {
            Some(reason) => Err(reason),
            None => Ok(verified),
        })
    }

    /// Secrets that the object itself names.
    fn object_secrets(&self) -> Vec<PullSecret> {
        let request = self.context.request;
        let object = request.object.as_deref().unwrap_or(&Value::Null);
        let namespace = request.namespace.as_deref().unwrap_or_default();
        pull_secrets::of_object(&request.kind.kind, namespace, object)
    }

    /// A remembered digest counts only where it is patched in: what runs is then what was verified.
    fn is_usable(&self, reference: &ImageReference, image: &VerifiedImage) -> Result<(), String> {
        match image.resolution() {
            Resolution::Reference if reference.digest.is_some() => Ok(()),
            Resolution::Reference | Resolution::Registry => Ok(()),
            Resolution::Remembered { age } => {
                let patched =
                    self.context.phase == Phase::Mutate && self.ast.mutates_digest(self.action);
                if patched {
                    Ok(())
                } else {
                    Err(format!(
                        "the registry cannot be reached, and what it said {age} s ago counts only where the digest is patched in"
                    ))
                }
            }
        }
    }

    /// Judges evidence; none as long as conditions ask the host for something.
    fn verdict(
        &mut self,
        image: &Found,
        verified: &[VerifiedImage],
        keys: &[Vec<PublicKey>],
    ) -> Option<Judged> {
        let text = image.text.as_str();
        let evidence: Vec<&Evidence> = verified.iter().map(|image| &**image.evidence()).collect();
        let failed = |status, message: &str| {
            Judged::new(status, format!("failed to verify image {text}: {message}"))
        };
        // Who says that all statements, or the latest, are as demanded has to have read all.
        let needs_all = !self.ast.attestations.is_empty() && self.policy.choice() != Choice::Any;
        if needs_all && evidence.iter().any(|one| one.has_unread) {
            return Some(failed(RuleStatus::Fail, UNREAD));
        }
        // Where nobody is asked for what conditions name, only what was signed can be why they cannot be judged.
        let unjudged = if self.asks_nobody {
            RuleStatus::Fail
        } else {
            RuleStatus::Error
        };
        let facts = projection::known(self.program, verified, &evidence, keys);
        let at_once = self.passes_at_once(&evidence, &facts);
        let (conditions, denied, answer) = match at_once {
            Some(conditions) => (conditions, None, Ok("pass".to_owned())),
            None => match self.step_by_step(&evidence, facts)? {
                Ok(found) => found,
                Err(message) => return Some(failed(unjudged, &message)),
            },
        };
        let walk = explain::images::Walk {
            policy: self.policy,
            entry: self.ast,
            program: self.program,
            evidence: &evidence,
            image: verified.first(),
            used: &conditions.used,
            error: conditions.error.as_deref(),
            keys,
            proof: self.policy.proof(),
            results: &conditions.results,
        };
        let traced = self.context.is_traced();
        let findings = traced.then(|| walk.findings()).into_iter().flatten();
        let judged = match answer.as_deref() {
            Ok("pass") => passed(text, walk.note()),
            Ok(other) => match (other, denied.as_ref().and_then(|one| one.answer(other))) {
                (_, Some(answer)) if answer.status == RuleStatus::Error => {
                    failed(unjudged, &answer.message)
                }
                (_, Some(answer)) => failed(answer.status, &answer.message),
                ("fail", None) if conditions.error.is_some() => failed(unjudged, &walk.reason()),
                ("fail", None) => failed(RuleStatus::Fail, &walk.reason()),
                (other, None) => failed(RuleStatus::Error, &unexpected(other)),
            },
            Err(message) => failed(unjudged, message),
        };
        Some(Judged {
            findings: findings.collect(),
            resolved: verified.first().cloned(),
            ..judged
        })
    }

    /// Which statements are used, their conditions, what is denied, and then the answer; none as long as facts are
    /// outstanding.
    fn step_by_step(
        &mut self,
        evidence: &[&Evidence],
        facts: Vec<(&'static str, Document)>,
    ) -> Option<Result<Stepped, String>> {
        let conditions = match self.conditions(evidence, &facts)? {
            Ok(conditions) => conditions,
            Err(message) => return Some(Err(message)),
        };
        let results = Document::from_json(&conditions.results);
        let mut input = facts;
        input.push(("conditions", results));
        let denied = match self.denied(evidence, &input)? {
            Ok(denied) => denied,
            Err(message) => return Some(Err(message)),
        };
        if let Some(denied) = &denied {
            input.push(("denied", Document::from_json(&denied.answers)));
        }
        let input = Document::object(input);
        let program = &self.program.program;
        let answer = self.context.ask(program, program::IMAGE_VERDICT, &input);
        Some(Ok((conditions, denied, answer)))
    }
}

/// What the conditions said, what is denied, and the program's answer.
type Stepped = (Conditions, Option<Denied>, Result<String, String>);

fn passed(text: &str, note: Option<String>) -> Judged {
    let aside = note
        .as_ref()
        .map_or_else(String::new, |note| format!(": {note}"));
    Judged {
        note,
        ..Judged::new(RuleStatus::Pass, format!("image {text} verified{aside}"))
    }
}

/// Why an image is refused before its evidence is looked at.
type Refusal = (RuleStatus, String);

/// What could not be found out for now is an error, which `failurePolicy: Ignore` lets in. What was answered and is no
/// proof is a failure: whoever pushes an image must not choose between the two, by hiding it, or by what he puts beside it.
fn refusal(error: &FactError) -> Refusal {
    let status = match error {
        FactError::Unavailable(_) | FactError::Timeout(_) | FactError::NoSource(_) => {
            RuleStatus::Error
        }
        FactError::NotFound(_)
        | FactError::Malformed(_)
        | FactError::NoRoom(_)
        | FactError::Unauthorized(_) => RuleStatus::Fail,
    };
    (status, fact_error(error))
}

const UNREAD: &str =
    "an attestation of it is too large to be read, so that it is not known what all of them say";

const UNKNOWN: &str = "the compiled rule names a statement that is not there";

fn fact_error(error: &FactError) -> String {
    match error {
        FactError::Unavailable(text)
        | FactError::Timeout(text)
        | FactError::NotFound(text)
        | FactError::NoSource(text)
        | FactError::Malformed(text)
        | FactError::NoRoom(text)
        | FactError::Unauthorized(text) => text.clone(),
    }
}
