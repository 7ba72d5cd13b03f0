//! DSSE envelopes: what is signed is the payload together with its type.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::item::base64;
use super::refusal::Refusal;

/// The payload type of in-toto statements.
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// An envelope with exactly one signature.
#[derive(Debug)]
pub(super) struct Envelope {
    /// The payload.
    pub(super) payload: Vec<u8>,
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
            payload: base64("envelope's payload", &written.payload)?,
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

    /// The envelope as cosign prints it.
    pub(super) fn render(&self) -> Value {
        json!({
            "payloadType": IN_TOTO,
            "payload": STANDARD.encode(&self.payload),
            "signatures": [{ "keyid": self.key_id, "sig": STANDARD.encode(&self.signature) }],
        })
    }
}
