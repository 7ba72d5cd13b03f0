//! What was verified, as cosign prints it: `jq .payload` and `base64 -d` go on working.

use anyhow::Result;
use regent_engine::image::evidence::{Signer, VerifiedSignature};
use regent_engine::image::{Evidence, ImageReference};
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
    image: &ImageReference,
    evidence: &Evidence,
    selected: &Selected<'_>,
    io: &mut Io<'_>,
) -> Result<()> {
    for statement in &selected.statements {
        writeln!(io.stdout, "{}", statement.envelope)?;
    }
    if !selected.signatures.is_empty() {
        let signatures = selected.signatures.iter();
        let signatures: Vec<_> = signatures.map(|s| signature(image, evidence, s)).collect();
        writeln!(io.stdout, "{}", Value::from(signatures))?;
    }
    Ok(())
}

fn signature(image: &ImageReference, evidence: &Evidence, signature: &VerifiedSignature) -> Value {
    let critical = match signature.payload.get("critical") {
        Some(critical) => critical.clone(),
        None => json!({
            "identity": { "docker-reference": image.repository() },
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
