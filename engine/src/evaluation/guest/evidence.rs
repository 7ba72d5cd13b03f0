//! What was verified about an image, as modules ask for it.

use serde_json::{Value, json};

use crate::image::PublicKey;
use crate::image::evidence::{
    CertificateIdentity, Evidence, Signer, Verification, VerifiedSignature,
};
use crate::image::predicate::{MAX_PREDICATE, PredicateError};

use super::image::keys;
use super::questions::Fields;

/// Who must have signed: each of them.
pub(super) struct Wanted {
    pub(super) keys: Vec<PublicKey>,
    identities: Vec<Identity>,
    annotations: Vec<(String, String)>,
}

/// A signer without a key of his own.
enum Identity {
    Exact { issuer: String, subject: String },
    Prefix { issuer: String, prefix: String },
}

/// Who issues the identities of GitHub's workflows.
const GITHUB: &str = "https://token.actions.githubusercontent.com";

impl Wanted {
    /// Of a question, which names its kind or is of the first version and has one of the lists.
    pub(super) fn read(fields: &Fields) -> Result<Self, String> {
        let kind = fields.optional("type").unwrap_or("");
        if fields.0.contains_key("certificate") {
            return Err("verifying by a certificate is not supported".to_owned());
        }
        let mut identities = Vec::new();
        for item in list(fields, "keyless")? {
            identities.push(Identity::Exact {
                issuer: text(item, "issuer")?,
                subject: text(item, "subject")?,
            });
        }
        for item in list(fields, "keyless_prefix")? {
            let prefix = text(item, "url_prefix")?;
            // As far as a slash, so that nobody's name begins with another's.
            let prefix = format!("{}/", prefix.trim_end_matches('/'));
            let issuer = text(item, "issuer")?;
            identities.push(Identity::Prefix { issuer, prefix });
        }
        if let Some(owner) = fields.optional("owner") {
            let repository = fields
                .optional("repo")
                .map_or_else(String::new, |name| format!("{name}/"));
            identities.push(Identity::Prefix {
                issuer: GITHUB.to_owned(),
                prefix: format!("https://github.com/{owner}/{repository}"),
            });
        }
        let keys = keys(fields.0.get("pub_keys"))?;
        if keys.is_empty() && identities.is_empty() {
            return Err(format!(
                "the question `{kind}` names nobody who should have signed"
            ));
        }
        let annotations = match fields.0.get("annotations") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(all)) => {
                let pair = |(name, value): (&String, &Value)| {
                    let value = value.as_str().ok_or("an annotation is not a text")?;
                    Ok((name.clone(), value.to_owned()))
                };
                all.iter().map(pair).collect::<Result<_, String>>()?
            }
            Some(_) => return Err("`annotations` is not a map".to_owned()),
        };
        Ok(Self {
            keys,
            identities,
            annotations,
        })
    }
}

fn list<'f>(fields: &'f Fields, name: &str) -> Result<&'f [Value], String> {
    match fields.0.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(format!("`{name}` is not a list")),
    }
}

fn text(item: &Value, name: &str) -> Result<String, String> {
    let text = item.get(name).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| format!("an identity has no `{name}`"))
}

/// Whether each of those who are wanted signed the image itself; who did not, where not.
pub(super) fn trusted(wanted: &Wanted, evidence: &Evidence) -> Result<(), String> {
    let signatures = || {
        let all = evidence.signatures.iter();
        all.filter(|signature| has_annotations(signature, &wanted.annotations))
    };
    for key in &wanted.keys {
        let signed = |verified: &Verification| matches!(&verified.signer, Signer::Key { spki_sha256 } if *spki_sha256 == key.spki_sha256);
        if !signatures().any(|signature| signed(&signature.verified)) {
            return Err(
                "the image is not signed by the holder of a key that is asked for".to_owned(),
            );
        }
    }
    for identity in &wanted.identities {
        let signed = |verified: &Verification| match &verified.signer {
            // As an attestor without further words demands: the log and the certificate's log know of it.
            Signer::Certificate(certificate) => {
                let known = certificate.sct_verified && !verified.log_entries.is_empty();
                known && identity.is(certificate)
            }
            Signer::Key { .. } => false,
        };
        if !signatures().any(|signature| signed(&signature.verified)) {
            return Err("the image is not signed by an identity that is asked for".to_owned());
        }
    }
    Ok(())
}

impl Identity {
    fn is(&self, certificate: &CertificateIdentity) -> bool {
        match self {
            Self::Exact { issuer, subject } => {
                certificate.issuer == *issuer && certificate.subjects.contains(subject)
            }
            Self::Prefix { issuer, prefix } => {
                let mut subjects = certificate.subjects.iter();
                certificate.issuer == *issuer && subjects.any(|subject| subject.starts_with(prefix))
            }
        }
    }
}

fn has_annotations(signature: &VerifiedSignature, wanted: &[(String, String)]) -> bool {
    wanted.iter().all(|(name, value)| {
        let written = signature.annotations.get(name).and_then(Value::as_str);
        written == Some(value)
    })
}

/// The answer to `regent/v1/evidence`.
///
/// An error where the predicates come to more than one may take.
pub(super) fn document(evidence: &Evidence) -> Result<Value, PredicateError> {
    let weights = evidence.statements.iter();
    let weights = weights.map(|statement| statement.predicate.weight_of_value());
    if weights.sum::<usize>() > MAX_PREDICATE {
        return Err(PredicateError::TooLarge);
    }
    let statements = evidence.statements.iter().map(|statement| {
        Ok(json!({
            "predicateType": statement.predicate_type,
            "predicate": *statement.predicate.value()?,
            "signer": signer(&statement.verified),
        }))
    });
    let statements = statements.collect::<Result<Vec<_>, PredicateError>>()?;
    let signatures = evidence.signatures.iter().map(|signature| {
        json!({
            "annotations": signature.annotations,
            "signer": signer(&signature.verified),
        })
    });
    Ok(json!({
        "digest": evidence.digest.to_string(),
        "signatures": signatures.collect::<Vec<_>>(),
        "statements": statements,
    }))
}

fn signer(verified: &Verification) -> Value {
    match &verified.signer {
        Signer::Certificate(certificate) => json!({
            "issuer": certificate.issuer,
            "subjects": certificate.subjects,
        }),
        Signer::Key { spki_sha256 } => json!({ "keySha256": spki_sha256 }),
    }
}
