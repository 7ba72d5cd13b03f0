//! The JWS envelope: flattened JSON.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use regent_engine::go_time::{RFC3339, Time};
use serde::Deserialize;

use super::super::refusal::{Refusal, one_line};
use super::{Algorithm, Envelope, Headers, MAX_CHAIN};

/// How it is stored.
pub(super) const MEDIA_TYPE: &str = "application/jose+json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    payload: String,
    protected: String,
    header: Unprotected,
    signature: String,
}

#[derive(Deserialize)]
struct Unprotected {
    x5c: Vec<String>,
    #[serde(rename = "io.cncf.notary.timestampSignature")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    cty: String,
    #[serde(default)]
    crit: Vec<String>,
    #[serde(rename = "io.cncf.notary.signingScheme")]
    scheme: String,
    #[serde(rename = "io.cncf.notary.expiry")]
    expiry: Option<String>,
    #[serde(rename = "io.cncf.notary.signingTime")]
    signing_time: Option<String>,
    #[serde(rename = "io.cncf.notary.authenticSigningTime")]
    authentic_time: Option<String>,
}

/// Reads an envelope.
pub(super) fn read(bytes: &[u8]) -> Result<Envelope, Refusal> {
    let malformed = |error: &dyn std::fmt::Display| Refusal::malformed("signature envelope", error);
    let written: Written = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    let url = |text: &str| {
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|error| malformed(&error))
    };
    let plain = |text: &String| STANDARD.decode(text).map_err(|error| malformed(&error));
    let protected = url(&written.protected)?;
    let protected: Protected =
        serde_json::from_slice(&protected).map_err(|error| malformed(&error))?;
    if written.header.x5c.len() > MAX_CHAIN {
        return Err(Refusal::TooMany {
            what: "certificates",
            limit: MAX_CHAIN,
        });
    }
    let chain: Result<Vec<_>, _> = written.header.x5c.iter().map(plain).collect();
    Ok(Envelope {
        signed: format!("{}.{}", written.protected, written.payload).into_bytes(),
        signature: url(&written.signature)?,
        algorithm: algorithm(&protected.alg)?,
        chain: chain?,
        payload: url(&written.payload)?,
        headers: Headers {
            content_type: protected.cty,
            scheme: protected.scheme,
            critical: protected.crit,
            expiry: seconds(protected.expiry.as_deref())?,
            signing_time: seconds(protected.signing_time.as_deref())?,
            authentic_time: seconds(protected.authentic_time.as_deref())?,
        },
        token: written.header.token.as_ref().map(plain).transpose()?,
    })
}

fn algorithm(name: &str) -> Result<Algorithm, Refusal> {
    Ok(match name {
        "PS256" => Algorithm::Ps256,
        "PS384" => Algorithm::Ps384,
        "PS512" => Algorithm::Ps512,
        "ES256" => Algorithm::Es256,
        "ES384" => Algorithm::Es384,
        "ES512" => Algorithm::Es512,
        other => {
            let what = format!("the algorithm `{}` is not allowed", one_line(other));
            return Err(Refusal::Malformed("signature envelope", what));
        }
    })
}

fn seconds(text: Option<&str>) -> Result<Option<u64>, Refusal> {
    let Some(text) = text else {
        return Ok(None);
    };
    let time = Time::parse(RFC3339, text);
    let seconds = time
        .ok()
        .and_then(|time| u64::try_from(time.instant().0).ok());
    let what = || {
        Refusal::Malformed(
            "signature envelope",
            format!("`{}` is no time", one_line(text)),
        )
    };
    seconds.map(Some).ok_or_else(what)
}
