//! Why an image did not pass: who signed and who was wanted, which builder was seen and which was wanted.

use crate::ast;
use crate::ast::evidence::{Choice, Proof};
use crate::ast::verify_images::{
    Attestation, Attestor, AttestorIdentity, AttestorSet, Extension, Keyless, VerifyImages,
};
use crate::evaluation::builder_id;
use crate::image::evidence::{CertificateIdentity, Signer, Verification, VerifiedStatement};
use crate::image::{Evidence, PublicKey, VerifiedImage};
use crate::program::ImageEntry;
use crate::program::evidence::{EvidenceSource, RemoteKey};
use crate::wildcard;

mod builder;
mod findings;
mod slsa;

/// The most that is listed of anything: a message is read by a person, and attackers can push much.
const LISTED: usize = 3;

/// One image under one entry.
pub(crate) struct Walk<'a> {
    /// The policy.
    pub(crate) policy: &'a ast::Policy,
    /// The entry.
    pub(crate) entry: &'a VerifyImages,
    /// What it was compiled to.
    pub(crate) program: &'a ImageEntry,
    /// The evidence of each source.
    pub(crate) evidence: &'a [&'a Evidence],
    /// The image, as it was resolved.
    pub(crate) image: Option<&'a VerifiedImage>,
    /// For each view, the statements that were used.
    pub(crate) used: &'a [Vec<(usize, usize)>],
    /// Why conditions could not be judged.
    pub(crate) error: Option<&'a str>,
    /// Keys that were asked for.
    pub(crate) keys: &'a [Vec<PublicKey>],
    /// What all signatures need.
    pub(crate) proof: Proof,
    /// For each view, source and statement what its conditions said.
    pub(crate) results: &'a serde_json::Value,
}

impl Walk<'_> {
    /// What failed, with its place in the policy.
    pub(crate) fn reason(&self) -> String {
        for (index, set) in self.entry.attestors.iter().enumerate() {
            if let Some(reason) = self.unsatisfied(set, &format!(".attestors[{index}]")) {
                return reason;
            }
        }
        self.unattested()
    }

    /// Why too few entries of a set are satisfied; none where they are enough.
    fn unsatisfied(&self, set: &AttestorSet, place: &str) -> Option<String> {
        let reasons: Vec<String> = set
            .entries
            .iter()
            .filter_map(|attestor| {
                let place = format!("{place}.entries[{}].{}", attestor.index, field(attestor));
                match &attestor.identity {
                    AttestorIdentity::Nested(inner) => self.unsatisfied(inner, &place),
                    AttestorIdentity::Keyless(_)
                    | AttestorIdentity::Key(_)
                    | AttestorIdentity::RemoteKey(_)
                    | AttestorIdentity::Certificates(_) => {
                        let reason = self.unsigned(attestor)?;
                        Some(format!("{place}: {reason}"))
                    }
                }
            })
            .collect();
        let satisfied = set.entries.len() - reasons.len();
        (satisfied < set.needed()).then(|| reasons.join("; "))
    }

    /// What is to be known where everything passed: that provenance of another version answered than was asked for.
    pub(crate) fn note(&self) -> Option<String> {
        let views = self.program.views.iter().zip(self.used);
        let mut others = views.flat_map(|(view, used)| {
            let attestation = self.entry.attestations.get(view.attestation);
            let asked = attestation.map(|attestation| attestation.predicate_type.value.as_str());
            used.iter().filter_map(move |(source, index)| {
                let statement = self.evidence.get(*source)?.statements.get(*index)?;
                let found = statement.predicate_type.as_str();
                asked
                    .filter(|asked| *asked != found)
                    .map(|asked| (found, asked))
            })
        });
        let (found, asked) = others.next()?;
        let version = |slsa: &str| slsa.rsplit('/').next().unwrap_or(slsa).to_owned();
        Some(format!(
            "SLSA provenance {} answers for {}",
            version(found),
            version(asked)
        ))
    }

    /// Why no signature satisfies an attestor; none where one does.
    fn unsigned(&self, attestor: &Attestor) -> Option<String> {
        let evidence = self.evidence_of(attestor)?;
        let signers: Vec<&Verification> = evidence
            .signatures
            .iter()
            .map(|one| &one.verified)
            .collect();
        let named = |verified: &Verification| self.misses(attestor, verified).is_none();
        if signers.iter().any(|verified| named(verified)) {
            let mut signatures = evidence.signatures.iter();
            let found = signatures
                .any(|one| named(&one.verified) && is_annotated(attestor, &one.annotations));
            return (!found).then(|| "no signature has the annotations".to_owned());
        }
        if signers.is_empty() {
            return Some(nothing(evidence, "signature", "no signatures found"));
        }
        let reasons = signers
            .iter()
            .filter_map(|signer| self.misses(attestor, signer));
        Some(reasons.take(LISTED).collect::<Vec<_>>().join("; "))
    }

    fn evidence_of(&self, attestor: &Attestor) -> Option<&Evidence> {
        let wanted = EvidenceSource::of(self.entry, attestor);
        let mut sources = self.program.sources.iter();
        let index = sources.position(|source| source.is_same_place(&wanted))?;
        self.evidence.get(index).copied()
    }

    /// What of an attestor's demand a signer misses; none where it misses nothing.
    fn misses(&self, attestor: &Attestor, verified: &Verification) -> Option<String> {
        let by_key = |is_named: bool| match &verified.signer {
            Signer::Key { .. } if is_named => None,
            Signer::Key { .. } | Signer::Certificate(_) => Some("not signed by the key".to_owned()),
        };
        let is = |key: &ast::verify_images::PublicKey| match &verified.signer {
            Signer::Key { spki_sha256 } => key.spki_sha256 == *spki_sha256,
            Signer::Certificate(_) => false,
        };
        let identity = match &attestor.identity {
            AttestorIdentity::Key(key) => by_key(is(key)),
            AttestorIdentity::RemoteKey(key) => by_key(self.is_remote(key, &verified.signer)),
            AttestorIdentity::Certificates(one) => match &one.key {
                Some(key) => by_key(is(key)),
                None => certified(attestor, &verified.signer, |_| None),
            },
            AttestorIdentity::Keyless(keyless) => {
                certified(attestor, &verified.signer, |certificate| {
                    other_identity(keyless, certificate)
                })
            }
            AttestorIdentity::Nested(_) => Some("a set signs nothing itself".to_owned()),
        };
        identity.or_else(|| unlogged(attestor, verified, self.proof))
    }

    /// Whether somebody signed with one of the keys that lie at a place.
    fn is_remote(&self, key: &ast::verify_images::RemoteKey, signer: &Signer) -> bool {
        let wanted = RemoteKey::of(key);
        let mut known = self.program.remote_keys.iter();
        let keys = known
            .position(|known| *known == wanted)
            .and_then(|index| self.keys.get(index));
        match signer {
            Signer::Key { spki_sha256 } => keys
                .into_iter()
                .flatten()
                .any(|key| key.spki_sha256 == *spki_sha256),
            Signer::Certificate(_) => false,
        }
    }

    fn unattested(&self) -> String {
        let total = self.entry.attestations.len();
        for (number, (view, used)) in self.program.views.iter().zip(self.used).enumerate() {
            let Some(attestation) = self.entry.attestations.get(view.attestation) else {
                continue;
            };
            let place = format!(".attestations[{}]", view.attestation);
            let Some(reason) = self.unanswered(attestation, (number, used)) else {
                continue;
            };
            return format!("{place}: {reason}");
        }
        format!("{total} attestations are not satisfied")
    }

    /// Why the statements of a view do not do for an attestation; none where they do.
    fn unanswered(
        &self,
        attestation: &Attestation,
        (number, used): (usize, &[(usize, usize)]),
    ) -> Option<String> {
        let used = self.counted(attestation, number, used);
        let statements: Vec<&VerifiedStatement> =
            used.iter().filter_map(|one| self.statement(*one)).collect();
        if statements.is_empty() {
            return Some(self.unbelieved(attestation));
        }
        if let Some(error) = self.error {
            return Some(format!("conditions cannot be judged: {error}"));
        }
        let mut of_slsa = statements.iter();
        self.unsatisfied_conditions(attestation, (number, &used))
            .or_else(|| {
                of_slsa.find_map(|one| {
                    slsa::missing(attestation, one, (&self.program.builders, self.image))
                })
            })
    }

    fn statement(&self, (source, index): (usize, usize)) -> Option<&VerifiedStatement> {
        self.evidence.get(source)?.statements.get(index)
    }

    /// What a view's conditions said of a statement.
    fn said(&self, view: usize, (source, index): (usize, usize)) -> Option<&str> {
        self.results.get(view)?.get(source)?.get(index)?.as_str()
    }

    /// Of the statements of a view those that must be as demanded, by the policy's choice.
    fn counted(
        &self,
        attestation: &Attestation,
        view: usize,
        used: &[(usize, usize)],
    ) -> Vec<(usize, usize)> {
        let time = |one: &(usize, usize)| self.statement(*one)?.verified.signed_at();
        let is_good = |one: &&(usize, usize)| {
            let statement = self.statement(**one);
            let missing = |statement| {
                slsa::missing(attestation, statement, (&self.program.builders, self.image))
            };
            self.said(view, **one) == Some("true") && statement.and_then(missing).is_none()
        };
        match self.policy.choice() {
            Choice::All => used.to_vec(),
            Choice::Any => match used.iter().find(is_good) {
                Some(good) => vec![*good],
                None => used.to_vec(),
            },
            Choice::Latest => {
                let newest = used.iter().filter_map(time).max();
                let counts = |one: &&(usize, usize)| time(one).is_none() || time(one) == newest;
                used.iter().filter(counts).copied().collect()
            }
        }
    }

    /// Which of the statements of a view do not satisfy the conditions, if any does not.
    fn unsatisfied_conditions(
        &self,
        attestation: &Attestation,
        (view, used): (usize, &[(usize, usize)]),
    ) -> Option<String> {
        let statements: Vec<&VerifiedStatement> = used
            .iter()
            .filter(|one| self.said(view, **one) != Some("true"))
            .filter_map(|one| self.statement(*one))
            .collect();
        if statements.is_empty() {
            return None;
        }
        unsatisfied(attestation, &statements)
    }

    /// Why no statement answers for an attestation.
    fn unbelieved(&self, attestation: &Attestation) -> String {
        let asked = attestation.predicate_type.value.as_str();
        let of_type: Vec<&VerifiedStatement> = self
            .evidence
            .iter()
            .flat_map(|evidence| &evidence.statements)
            .filter(|statement| self.may_answer(attestation, statement))
            .collect();
        if of_type.is_empty() {
            let missing = format!("attestations not found for predicate type {asked}");
            return match self.evidence.first() {
                Some(evidence) => nothing(evidence, asked, &missing),
                None => missing,
            };
        }
        let reasons = of_type.iter().take(LISTED).map(|statement| {
            if attestation.attestors.is_empty() {
                self.not_from_builder(statement)
            } else {
                let attestors = attestation.attestors.iter().flat_map(AttestorSet::leaves);
                let reasons =
                    attestors.filter_map(|attestor| self.misses_statement(attestor, statement));
                reasons.take(LISTED).collect::<Vec<_>>().join(", ")
            }
        });
        reasons.collect::<Vec<_>>().join("; ")
    }

    /// What of an attestor's demand a statement misses; none where it misses nothing.
    fn misses_statement(
        &self,
        attestor: &Attestor,
        statement: &VerifiedStatement,
    ) -> Option<String> {
        let missed = self.misses(attestor, &statement.verified);
        let annotated = is_annotated(attestor, &statement.annotations);
        let unannotated = (!annotated).then(|| "the statement lacks the annotations".to_owned());
        missed.or(unannotated)
    }

    fn may_answer(&self, attestation: &Attestation, statement: &VerifiedStatement) -> bool {
        use crate::ast::verify_images::{SLSA_V1, SLSA_V02};
        let asked = attestation.predicate_type.value.as_str();
        let slsa = [SLSA_V1, SLSA_V02];
        let fallback = self.policy.slsa_version_fallback()
            && attestation.uses_builder_only()
            && slsa.contains(&asked)
            && slsa.contains(&statement.predicate_type.as_str());
        statement.predicate_type == asked || fallback
    }
}

fn is_annotated(attestor: &Attestor, annotations: &serde_json::Value) -> bool {
    attestor.annotations.iter().all(|(key, value)| {
        let text = annotations.get(&key.value).and_then(|text| text.as_str());
        text.is_some_and(|text| wildcard::matches(&value.value, text))
    })
}

/// What was found and refused, or that there is nothing.
fn nothing(evidence: &Evidence, claims: &str, otherwise: &str) -> String {
    let reasons: Vec<&str> = evidence
        .refused
        .iter()
        .filter(|refused| refused.claims == claims || refused.claims.is_empty())
        .take(LISTED)
        .map(|refused| refused.reason.as_str())
        .collect();
    if reasons.is_empty() {
        otherwise.to_owned()
    } else {
        format!("{otherwise}; refused: {}", reasons.join(", "))
    }
}

fn field(attestor: &Attestor) -> &'static str {
    match attestor.identity {
        AttestorIdentity::Keyless(_) => "keyless",
        AttestorIdentity::Key(_) | AttestorIdentity::RemoteKey(_) => "keys",
        AttestorIdentity::Certificates(_) => "certificates",
        AttestorIdentity::Nested(_) => "attestor",
    }
}

/// What of a signer that must have a certificate is missing or wrong.
fn certified(
    attestor: &Attestor,
    signer: &Signer,
    wrong: impl Fn(&CertificateIdentity) -> Option<String>,
) -> Option<String> {
    let Signer::Certificate(certificate) = signer else {
        return Some("signed by a key, wanted a certificate".to_owned());
    };
    let sct = attestor.ctlog.ignore_sct || certificate.sct_verified;
    let unlogged = || (!sct).then(|| "no certificate log has the certificate".to_owned());
    wrong(certificate).or_else(unlogged)
}

/// What of a certificate is not what an attestor names.
fn other_identity(keyless: &Keyless, certificate: &CertificateIdentity) -> Option<String> {
    if !is_issuer(keyless, &certificate.issuer) {
        let wanted = keyless.issuer.as_ref().or(keyless.issuer_regexp.as_ref());
        let wanted = wanted.map_or("", |text| text.value.as_str());
        return Some(format!(
            "issuer mismatch: expected {wanted}, received {}",
            certificate.issuer
        ));
    }
    if !certificate
        .subjects
        .iter()
        .any(|subject| is_subject(keyless, subject))
    {
        let seen = listed(&certificate.subjects);
        return Some(format!(
            "subject mismatch: expected {}, received {seen}",
            identity(keyless)
        ));
    }
    other_extension(&keyless.extensions, certificate)
}

/// Which extension of a certificate has not the value that is wanted.
fn other_extension<'a>(
    extensions: impl IntoIterator<Item = &'a Extension>,
    certificate: &CertificateIdentity,
) -> Option<String> {
    extensions.into_iter().find_map(|extension| {
        let seen = certificate
            .extensions
            .get(&extension.oid)
            .map(String::as_str);
        if seen.is_some_and(|seen| wildcard::matches(&extension.value.value, seen)) {
            return None;
        }
        let seen = seen.unwrap_or("nothing");
        let (name, wanted) = (&extension.name.value, &extension.value.value);
        Some(format!(
            "extension {name} mismatch: expected {wanted}, received {seen}"
        ))
    })
}

/// What of the transparency log, or of the timestamps, is missing.
fn unlogged(attestor: &Attestor, verified: &Verification, proof: Proof) -> Option<String> {
    if attestor.ctlog.timestamp_chain.is_some() && verified.timestamps.is_empty() {
        return Some("no timestamp of the authority that `tsaCertChain` names".to_owned());
    }
    if proof.timestamp && verified.timestamps.is_empty() {
        return Some("no timestamp, which the policy asks for".to_owned());
    }
    if attestor.rekor.ignore_tlog {
        return None;
    }
    if verified.log_entries.is_empty() {
        return Some("no transparency log entry".to_owned());
    }
    let logs = verified.log_entries.iter();
    let logs = logs.filter(|log| log.inclusion_proof || !proof.inclusion_proof);
    let logs = logs.count();
    if logs < proof.logs {
        let with = if proof.inclusion_proof {
            " with an inclusion proof"
        } else {
            ""
        };
        let wanted = proof.logs;
        return Some(format!("entries{with} in {logs} logs, wanted {wanted}"));
    }
    let key = attestor.rekor.public_key.as_ref()?;
    let logged = verified
        .log_entries
        .iter()
        .any(|log| log.log_key == key.spki_sha256);
    (!logged).then(|| "no entry in the log of the key that `rekor.pubkey` names".to_owned())
}

fn unproven(verified: &Verification) -> &'static str {
    if verified.log_entries.is_empty() {
        "no transparency log entry"
    } else {
        "a log, a certificate log or the format is not the one that the rule asks for"
    }
}

fn is_issuer(keyless: &Keyless, issuer: &str) -> bool {
    let wildcard = keyless.issuer.as_ref();
    let expression = keyless.issuer_regexp.as_ref();
    wildcard.is_none_or(|pattern| wildcard::matches(&pattern.value, issuer))
        && expression.is_none_or(|pattern| is_match(&pattern.value, issuer))
}

fn is_subject(keyless: &Keyless, subject: &str) -> bool {
    let wildcard = keyless.subject.as_ref();
    let expression = keyless.subject_regexp.as_ref();
    wildcard.is_none_or(|pattern| wildcard::matches(&pattern.value, subject))
        && expression.is_none_or(|pattern| is_match(&pattern.value, subject))
}

/// Only for messages, of requests that are refused.
fn is_match(pattern: &str, text: &str) -> bool {
    regex::Regex::new(pattern).is_ok_and(|expression| expression.is_match(text))
}

fn identity(keyless: &Keyless) -> String {
    let wanted = keyless.subject.as_ref().or(keyless.subject_regexp.as_ref());
    wanted.map_or_else(|| "any subject".to_owned(), |text| text.value.clone())
}

fn listed(subjects: &[String]) -> String {
    let some: Vec<&str> = subjects.iter().take(LISTED).map(String::as_str).collect();
    some.join(", ")
}

/// Which statement does not satisfy the conditions, by the builder that it names.
fn unsatisfied(attestation: &Attestation, statements: &[&VerifiedStatement]) -> Option<String> {
    let conditions = attestation.conditions.as_ref()?;
    let wanted: Vec<String> = conditions
        .conditions()
        .filter(|condition| {
            let mut about = false;
            condition
                .key
                .for_each_text(&mut |text| about |= text.raw.contains("builder.id"));
            about
        })
        .filter_map(|condition| condition.value.constant())
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    let seen: Vec<String> = statements
        .iter()
        .filter_map(|statement| builder_id(statement))
        .collect();
    let messages: Vec<&str> = conditions
        .conditions()
        .filter_map(|condition| condition.message.as_ref())
        .map(|message| message.raw.as_str())
        .collect();
    let said = if messages.is_empty() {
        String::new()
    } else {
        format!(": {}", messages.join("; "))
    };
    Some(if wanted.is_empty() {
        format!(
            "attestation checks failed for predicate type {}{said}",
            attestation.predicate_type.value
        )
    } else {
        format!(
            "built by {}, wanted {}{said}",
            seen.join(" and "),
            wanted.join(" or ")
        )
    })
}
