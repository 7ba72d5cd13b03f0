//! in-toto statements: what they are about, and what they say.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::refusal::{Refusal, one_line};

const MAX_SUBJECTS: usize = 1024;
const MAX_DIGESTS: usize = 32;

/// A statement about the image.
#[derive(Debug)]
pub(super) struct Statement {
    /// `_type`.
    pub(super) kind: String,
    /// `predicateType`.
    pub(super) predicate_type: String,
    /// The predicate; null where there is none.
    pub(super) predicate: Value,
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
    #[serde(default)]
    predicate: Value,
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
        let written: Written = serde_json::from_slice(payload)
            .map_err(|error| Refusal::malformed("statement", &error))?;
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
        Ok(Self {
            kind: written.kind,
            predicate_type: written.predicate_type,
            predicate: written.predicate,
            annotations,
        })
    }
}

#[cfg(test)]
mod tests;
