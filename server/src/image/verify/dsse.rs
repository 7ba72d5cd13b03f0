//! DSSE envelopes: what is signed is the payload together with its type.

use std::sync::Arc;

use regent_engine::image::predicate;
use serde::Deserialize;

use super::item::base64;
use super::refusal::Refusal;

/// The payload type of in-toto statements.
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// An envelope with exactly one signature.
#[derive(Debug)]
pub(super) struct Envelope {
    /// The payload.
    pub(super) payload: Arc<[u8]>,
    /// The one signature.
    pub(super) signature: Vec<u8>,
    key_id: String,
}

/// An envelope as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    payload_type: String,
    payload: String,
    #[serde(default)]
    signatures: Vec<WrittenSignature>,
}

#[derive(Debug, Deserialize)]
struct WrittenSignature {
    sig: String,
    #[serde(default)]
    keyid: Option<String>,
}

impl Envelope {
    /// Decodes an envelope that holds an in-toto statement.
    pub(super) fn read(written: &Written) -> Result<Self, Refusal> {
        if written.payload_type != IN_TOTO {
            return Err(Refusal::PayloadType(super::refusal::one_line(
                &written.payload_type,
            )));
        }
        let [signature] = written.signatures.as_slice() else {
            return Err(Refusal::SignatureCount(written.signatures.len()));
        };
        Ok(Self {
            payload: base64("envelope's payload", &written.payload)?.into(),
            signature: base64("envelope's signature", &signature.sig)?,
            key_id: signature.keyid.clone().unwrap_or_default(),
        })
    }

    /// The bytes that the signature covers: the pre-authentication encoding.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("DSSEv1 {} {IN_TOTO} {} ", IN_TOTO.len(), self.payload.len()).into_bytes();
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// What is kept of it.
    pub(super) fn kept(&self) -> predicate::Envelope {
        predicate::Envelope {
            payload_type: IN_TOTO,
            payload: Arc::clone(&self.payload),
            signature: self.signature.clone(),
            key_id: self.key_id.clone(),
        }
    }
}
