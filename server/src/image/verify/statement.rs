//! in-toto statements: what they are about, and what they say.

use regent_engine::weight::{self, Weight};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::refusal::{Refusal, one_line};

const MAX_SUBJECTS: usize = 1024;
const MAX_DIGESTS: usize = 32;
/// What the subjects may take in memory: as many as there may be, with some digests each.
const MAX_MEMORY: usize = 8 << 20;
/// What the annotations of a subject may take.
const MAX_ANNOTATIONS: usize = 256 << 10;

/// A statement about the image, without what it says: nothing is read of that before it is known who signed.
#[derive(Debug)]
pub(super) struct Statement {
    /// `_type`.
    pub(super) kind: String,
    /// `predicateType`.
    pub(super) predicate_type: String,
    /// `annotations` of the subject that is the image.
    pub(super) annotations: Value,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(default)]
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    // Named, so that a second one is an error here too.
    #[serde(default, rename = "predicate")]
    _predicate: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Weighed {
    #[serde(default)]
    subject: Weight,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: Map<String, Value>,
    #[serde(default)]
    annotations: Value,
}

/// The predicate type that a payload claims, for messages about a statement that was refused.
pub(super) fn claimed_type(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Claim {
        #[serde(rename = "predicateType")]
        predicate_type: String,
    }
    let claim: Claim = serde_json::from_slice(payload).ok()?;
    Some(one_line(&claim.predicate_type))
}

impl Statement {
    /// Reads a statement, and checks that one of its subjects is the image with this SHA-256 digest in hexadecimal.
    pub(super) fn read(payload: &[u8], image: &str) -> Result<Self, Refusal> {
        let malformed = |error: serde_json::Error| Refusal::malformed("statement", &error);
        let weighed: Weighed = serde_json::from_slice(payload).map_err(malformed)?;
        at_most(weighed.subject.0, "statement's subjects", MAX_MEMORY)?;
        let written: Written = serde_json::from_slice(payload).map_err(malformed)?;
        let known = [
            "https://in-toto.io/Statement/v0.1",
            "https://in-toto.io/Statement/v1",
        ];
        if !known.contains(&written.kind.as_str()) {
            return Err(Refusal::StatementType(one_line(&written.kind)));
        }
        let too_many = |what, limit| Err(Refusal::TooMany { what, limit });
        if written.subject.len() > MAX_SUBJECTS {
            return too_many("subjects", MAX_SUBJECTS);
        }
        if written.subject.iter().any(|s| s.digest.len() > MAX_DIGESTS) {
            return too_many("digests of a subject", MAX_DIGESTS);
        }
        let sha256 = |subject: &Subject| subject.digest.get("sha256")?.as_str().map(str::to_owned);
        let mut others = Vec::new();
        let mut found = None;
        for subject in written.subject {
            match sha256(&subject) {
                Some(digest) if digest == image => found = found.or(Some(subject.annotations)),
                other => others.push(other),
            }
        }
        let Some(annotations) = found else {
            let other = others.into_iter().flatten().next();
            let other = other.map_or("nothing".to_owned(), |d| format!("sha256:{d}"));
            return Err(Refusal::OtherSubject(one_line(&other)));
        };
        let of_annotations = weight::of(&annotations);
        at_most(of_annotations, "subject's annotations", MAX_ANNOTATIONS)?;
        Ok(Self {
            kind: written.kind,
            predicate_type: written.predicate_type,
            annotations,
        })
    }
}

/// Refuses what takes more than is taken in.
pub(super) fn at_most(weight: usize, what: &'static str, limit: usize) -> Result<(), Refusal> {
    if weight > limit {
        return Err(Refusal::TooLarge { what, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
