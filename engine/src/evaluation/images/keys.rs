//! Keys of attestors that are not in the policy: from secrets, asked for and read once for each request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Refusal, refusal};
use crate::ast::verify_images::KeyPlace;
use crate::evaluation::facts::Facts;
use crate::evaluation::need::DataNeed;
use crate::image::{PublicKey, pem};
use crate::program::ImageEntry;
use crate::program::evidence::{EvidenceSource, RemoteKey};
use crate::rego::evaluate::Document;
use crate::response::RuleStatus;

/// The field of a secret that cosign writes the public key to.
const FIELD: &str = "cosign.pub";

/// For each remote key of an entry the keys that lie there; none as long as some are outstanding.
pub(super) fn of(
    facts: &mut Facts,
    entry: &ImageEntry,
) -> Option<Result<Vec<Vec<PublicKey>>, Refusal>> {
    // All ask before any waits.
    let read: Vec<_> = entry
        .remote_keys
        .iter()
        .map(|key| read(facts, key))
        .collect();
    let known: Option<Vec<_>> = read.into_iter().collect();
    Some(known?.into_iter().collect())
}

/// All keys that may have signed the evidence of a source.
pub(super) fn of_source(source: &EvidenceSource, keys: &[Vec<PublicKey>]) -> Vec<PublicKey> {
    let remote = source
        .remote_keys
        .iter()
        .filter_map(|index| keys.get(*index));
    let mut all = source.keys.clone();
    all.extend(remote.flatten().cloned());
    all.sort();
    all.dedup();
    all
}

/// `input.keys`: for each remote key the fingerprints of those that lie there.
pub(super) fn document(keys: &[Vec<PublicKey>]) -> Document {
    let fingerprints = |keys: &Vec<PublicKey>| -> Value {
        let keys = keys.iter();
        keys.map(|key| key.spki_sha256.clone()).collect()
    };
    Document::from_json(&keys.iter().map(fingerprints).collect())
}

fn read(facts: &mut Facts, key: &RemoteKey) -> Option<Result<Vec<PublicKey>, Refusal>> {
    let KeyPlace::Secret { namespace, name } = &key.place;
    let need = DataNeed::Secret {
        namespace: namespace.clone(),
        name: name.clone(),
    };
    let place = need.description();
    let secret = match facts.data(need)? {
        Ok(secret) => secret,
        Err(error) => {
            let (status, reason) = refusal(&error);
            let reason = format!("the key in {place} is not known: {reason}");
            return Some(Err((status, reason)));
        }
    };
    let keys = text_of(&secret).and_then(|text| pem::public_keys(text.trim()));
    Some(match keys {
        Ok(blocks) => Ok(blocks
            .into_iter()
            .map(|block| PublicKey {
                pem: block.pem,
                spki_sha256: block.spki_sha256,
                hash: key.hash,
                certificate: None,
            })
            .collect()),
        Err(reason) => {
            let reason = format!("the key in {place} cannot be read: {reason}");
            Err((RuleStatus::Fail, reason))
        }
    })
}

/// What a secret has as cosign's public key.
fn text_of(secret: &Value) -> Result<String, &'static str> {
    if let Some(text) = secret.get("stringData").and_then(|data| data.get(FIELD)) {
        return text.as_str().map(str::to_owned).ok_or("it is not a text");
    }
    let encoded = secret.get("data").and_then(|data| data.get(FIELD));
    let encoded = encoded.and_then(Value::as_str);
    let encoded = encoded.ok_or("the secret has no field `cosign.pub`")?;
    let bytes = STANDARD.decode(encoded.trim());
    let Ok(bytes) = bytes else {
        return Err("the field `cosign.pub` is not base64");
    };
    String::from_utf8(bytes).or(Err("the field `cosign.pub` is not a text"))
}
