//! Simple-signing payloads, which legacy signatures cover.

use serde::Deserialize;
use serde_json::Value;

use super::refusal::{Refusal, one_line};

/// What cosign writes as the payload's type.
const COSIGN: &str = "cosign container image signature";

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
