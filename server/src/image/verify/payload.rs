//! Simple-signing payloads, which legacy signatures cover.

use regent_engine::weight::Weight;
use serde::Deserialize;
use serde_json::Value;

use super::refusal::{Refusal, one_line};
use super::statement::at_most;

/// What cosign writes as the payload's type.
const COSIGN: &str = "cosign container image signature";
/// What a payload may take in memory: cosign writes some 250 bytes, and the annotations that a signer gives.
const MAX_MEMORY: usize = 256 << 10;

/// A simple-signing payload about the image.
#[derive(Debug)]
pub(super) struct Payload {
    /// The payload as it was signed.
    pub(super) whole: Value,
    /// `optional`: the annotations that the signer gave.
    pub(super) optional: Value,
}

#[derive(Deserialize)]
struct Written {
    critical: Critical,
    #[serde(default)]
    optional: Value,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

impl Payload {
    /// Reads a payload, and checks that it is about the image with this digest, `sha256:` and hexadecimal.
    pub(super) fn read(bytes: &[u8], image: &str) -> Result<Self, Refusal> {
        let malformed = |error: serde_json::Error| Refusal::malformed("payload", &error);
        let weight: Weight = serde_json::from_slice(bytes).map_err(malformed)?;
        at_most(weight.0, "payload", MAX_MEMORY)?;
        let written: Written = serde_json::from_slice(bytes).map_err(malformed)?;
        if written.critical.kind != COSIGN {
            return Err(Refusal::PayloadKind(one_line(&written.critical.kind)));
        }
        if written.critical.image.digest != image {
            return Err(Refusal::OtherSubject(one_line(
                &written.critical.image.digest,
            )));
        }
        Ok(Self {
            whole: serde_json::from_slice(bytes).map_err(malformed)?,
            optional: written.optional,
        })
    }
}
