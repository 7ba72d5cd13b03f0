//! Evidence as programs see it; `docs/rego.md` describes it.

use serde_json::{Map, Value, json};

use crate::ast::verify_images::SLSA_V1;
use crate::image::evidence::{Format, LogEntry, Signer, Verification, VerifiedStatement};
use crate::image::slsa::{Resource, Slsa};
use crate::image::{Digest, Evidence, ImageReference, PublicKey, VerifiedImage};
use crate::program::ImageEntry;
use crate::rego::evaluate::Document;

use super::keys;

/// The builder that a statement names.
pub(crate) fn builder_id(statement: &VerifiedStatement) -> Option<String> {
    let pointer = if statement.predicate_type == SLSA_V1 {
        "/runDetails/builder/id"
    } else {
        "/builder/id"
    };
    let predicate = statement.predicate.value().ok()?;
    let id = predicate.pointer(pointer).and_then(Value::as_str);
    id.filter(|id| !id.is_empty()).map(str::to_owned)
}

/// What programs see of an image: its evidence, the keys that were asked for, and its name where it is compared.
pub(super) fn known(
    program: &ImageEntry,
    verified: &[VerifiedImage],
    evidence: &[&Evidence],
    keys: &[Vec<PublicKey>],
) -> Vec<(&'static str, Document)> {
    let projected = |one: &&Evidence| {
        let make = || Document::from_json(&project(one));
        one.projected.get_or_make(make)
    };
    let mut known = vec![
        ("evidence", Document::list(evidence.iter().map(projected))),
        ("keys", keys::document(keys)),
    ];
    if program.compares_name {
        let named = verified.first();
        let named = named.map(|one| image(one.reference(), one.digest()));
        let named = Document::from_json(&named.unwrap_or(Value::Null));
        known.push(("image", named));
    }
    known
}

/// All of it.
fn project(evidence: &Evidence) -> Value {
    let signatures: Vec<Value> = evidence
        .signatures
        .iter()
        .map(|signature| {
            let mut value = verification(&signature.verified);
            value.insert("annotations".to_owned(), signature.annotations.clone());
            Value::Object(value)
        })
        .collect();
    let statements: Vec<Value> = evidence.statements.iter().map(statement).collect();
    json!({"signatures": signatures, "statements": statements})
}

fn statement(statement: &VerifiedStatement) -> Value {
    let mut value = verification(&statement.verified);
    let mut set = |name: &str, field: Value| value.insert(name.to_owned(), field);
    set("predicate_type", statement.predicate_type.clone().into());
    set("builder_id", builder_id(statement).into());
    set("annotations", statement.annotations.clone());
    set("time", statement.verified.signed_at().into());
    set(
        "slsa",
        Slsa::of(statement).map_or(Value::Null, |slsa| facts(&slsa)),
    );
    Value::Object(value)
}

fn facts(slsa: &Slsa) -> Value {
    json!({
        "source": slsa.source,
        "ref": slsa.git_ref,
        "workflow": slsa.workflow,
        "self_hosted": slsa.self_hosted,
        "reusable": slsa.reusable,
        "consistent": slsa.inconsistency.is_none(),
        "levels": slsa.levels,
        "passed": slsa.passed,
        "resource_uri": slsa.resource_uri,
        "resource": slsa.resource().map(|one| resource(&one)),
    })
}

/// The image that is judged, for what has to name it.
fn image(reference: &ImageReference, digest: &Digest) -> Value {
    let mut named = Resource::of(reference);
    named.digest = Some(digest.clone());
    resource(&named)
}

fn resource(one: &Resource) -> Value {
    let digest = one.digest.as_ref().map(Digest::as_str);
    json!({"repository": one.repository, "tag": one.tag, "digest": digest})
}

fn verification(verified: &Verification) -> Map<String, Value> {
    let mut value = Map::new();
    let format = match verified.format {
        Format::Bundle => "bundle",
        Format::LegacyTag => "legacy",
        Format::Notary => "notary",
    };
    value.insert("format".to_owned(), format.into());
    match &verified.signer {
        Signer::Certificate(certificate) => {
            let certificate = json!({
                "issuer": certificate.issuer,
                "subjects": certificate.subjects,
                "extensions": certificate.extensions,
                "sct": certificate.sct_verified,
            });
            value.insert("certificate".to_owned(), certificate);
        }
        Signer::Key { spki_sha256 } => {
            value.insert("key".to_owned(), spki_sha256.clone().into());
        }
    }
    let log = |log: &LogEntry| json!({"url": log.log_url, "key": log.log_key, "proof": log.inclusion_proof});
    let logs: Vec<Value> = verified.log_entries.iter().map(log).collect();
    value.insert("logs".to_owned(), logs.into());
    value.insert("timestamps".to_owned(), verified.timestamps.clone().into());
    value
}
