//! What was verified, as cosign prints it: `jq .payload` and `base64 -d` go on working.

use anyhow::Result;
use regent_engine::image::Evidence;
use regent_engine::image::evidence::{Format, Signer, VerifiedSignature, VerifiedStatement};
use regent_engine::image::predicate::Envelope;
use serde_json::{Map, Value, json};

use super::expectation::Selected;
use crate::io::Io;

/// The type by which cosign 3 marks a signature that is a statement.
const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// cosign's names of Fulcio's extensions, by the number below `1.3.6.1.4.1.57264.1`.
const NAMES: [(u8, &str); 5] = [
    (2, "githubWorkflowTrigger"),
    (3, "githubWorkflowSha"),
    (4, "githubWorkflowName"),
    (5, "githubWorkflowRepository"),
    (6, "githubWorkflowRef"),
];

/// Writes signatures as one array, each attestation as its DSSE envelope on a line of its own.
pub(super) fn write(
    repository: &str,
    evidence: &Evidence,
    selected: &Selected<'_>,
    io: &mut Io<'_>,
) -> Result<()> {
    for statement in &selected.statements {
        let envelope = statement.envelope.as_ref().map(Envelope::to_json);
        writeln!(io.stdout, "{}", json!(envelope))?;
    }
    if !selected.signatures.is_empty() {
        let signatures = selected.signatures.iter();
        let signatures: Vec<_> = signatures
            .map(|s| signature(repository, evidence, s))
            .collect();
        writeln!(io.stdout, "{}", Value::from(signatures))?;
    }
    Ok(())
}

/// Writes all attestations as one array: what each says, and what is proven about it.
pub(super) fn attestations(selected: &Selected<'_>, io: &mut Io<'_>) -> Result<()> {
    let statements = selected.statements.iter();
    let statements = statements.map(|one| attestation(one));
    let statements = statements.collect::<Result<Vec<_>>>()?;
    writeln!(io.stdout, "{}", Value::from(statements))?;
    Ok(())
}

fn attestation(statement: &VerifiedStatement) -> Result<Value> {
    let verified = &statement.verified;
    let signer = match &verified.signer {
        Signer::Key { spki_sha256 } => json!({ "key": spki_sha256 }),
        Signer::Certificate(identity) => json!({
            "issuer": identity.issuer,
            "subjects": identity.subjects,
            "extensions": identity.extensions,
            "certificateLogged": identity.sct_verified,
        }),
    };
    let logs = verified.log_entries.iter().map(|entry| {
        json!({
            "url": entry.log_url,
            "kind": entry.kind,
            "logIndex": entry.log_index,
            "integratedTime": entry.integrated_time,
            "inclusionProof": entry.inclusion_proof,
        })
    });
    Ok(json!({
        "predicateType": statement.predicate_type,
        "predicate": *statement.predicate.value()?,
        "signer": signer,
        "logs": logs.collect::<Vec<_>>(),
        "timestamps": verified.timestamps,
        "storedAs": match verified.format {
            Format::Bundle => "bundle",
            Format::LegacyTag => "tag",
            Format::Notary => "notary",
        },
        "carrier": verified.carrier,
        "envelope": statement.envelope.as_ref().map(Envelope::to_json),
    }))
}

fn signature(repository: &str, evidence: &Evidence, signature: &VerifiedSignature) -> Value {
    let critical = match signature.payload.get("critical") {
        Some(critical) => critical.clone(),
        None => json!({
            "identity": { "docker-reference": repository },
            "image": { "docker-manifest-digest": evidence.digest.as_str() },
            "type": COSIGN_SIGN,
        }),
    };
    let mut optional = match &signature.annotations {
        Value::Object(annotations) => annotations.clone(),
        _ => Map::new(),
    };
    let verified = &signature.verified;
    if let Some(entry) = verified.log_entries.first() {
        let payload = json!({
            "integratedTime": entry.integrated_time,
            "logIndex": entry.log_index,
            "logID": entry.log_id,
        });
        optional.insert("Bundle".to_owned(), json!({ "Payload": payload }));
    }
    if let Signer::Certificate(identity) = &verified.signer {
        for (id, value) in &identity.extensions {
            optional.insert(id.clone(), value.as_str().into());
        }
        for (number, name) in NAMES {
            let id = format!("1.3.6.1.4.1.57264.1.{number}");
            if let Some(value) = identity.extensions.get(&id) {
                optional.insert(name.to_owned(), value.as_str().into());
            }
        }
        optional.insert("Issuer".to_owned(), identity.issuer.as_str().into());
        let subject = identity.subjects.first().map(String::as_str);
        optional.insert("Subject".to_owned(), subject.unwrap_or_default().into());
    }
    json!({ "critical": critical, "optional": optional })
}
