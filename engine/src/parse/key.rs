//! Public keys in PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use spki::SubjectPublicKeyInfoRef;
use spki::der::Decode as _;

use crate::ast::verify_images::{PublicKey, SignatureHash};
use crate::diagnostic::Code;
use crate::yaml::Node;

use super::fields::Reader;

/// The keys that signatures are made with: elliptic curve, RSA, Ed25519.
const ALGORITHMS: [&str; 3] = ["1.2.840.10045.2.1", "1.2.840.113549.1.1.1", "1.3.101.112"];

/// More than anybody lists, and few enough to verify against.
const MAX_KEYS: usize = 64;

/// The keys of a text, at least one; none if one could not be read.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    hash: SignatureHash,
) -> Option<Vec<PublicKey>> {
    let text = reader.text(node, "publicKeys")?.value;
    let trimmed = text.trim();
    if trimmed.starts_with("k8s://") {
        let message = "a key in a secret (`k8s://`) is not supported";
        reader.error(Code::NotSupported, node.span, message);
        return None;
    }
    if trimmed.contains("{{") {
        let message = "a variable in a key is not supported";
        reader.error(Code::NotSupported, node.span, message);
        return None;
    }
    if trimmed.contains("://") {
        let message = "a key in a key management service is not supported";
        reader.error(Code::NotSupported, node.span, message);
        return None;
    }
    match take_apart(trimmed) {
        Ok(blocks) => {
            let keys = blocks.into_iter().map(|(pem, der)| PublicKey {
                span: node.span,
                pem,
                spki_sha256: hex(&Sha256::digest(&der)),
                hash,
            });
            Some(keys.collect())
        }
        Err(reason) => {
            reader
                .error(
                    Code::InvalidKey,
                    node.span,
                    format!("the key cannot be read: {reason}"),
                )
                .set_help("a key is PEM that begins with `-----BEGIN PUBLIC KEY-----`");
            None
        }
    }
}

/// The blocks of a PEM text: each as PEM again, and its DER.
fn take_apart(text: &str) -> Result<Vec<(String, Vec<u8>)>, &'static str> {
    let mut keys = Vec::new();
    let mut body: Option<String> = None;
    for line in text.lines().map(str::trim) {
        match (line, &mut body) {
            ("-----BEGIN PUBLIC KEY-----", None) => body = Some(String::new()),
            ("-----END PUBLIC KEY-----", Some(base64)) => {
                keys.push(key(base64)?);
                body = None;
            }
            (line, _) if line.starts_with("-----BEGIN ") => {
                return Err("it is PEM of something else than a public key");
            }
            (line, Some(base64)) => base64.push_str(line),
            ("", None) => {}
            (_, None) => return Err("there is text outside of `BEGIN` and `END`"),
        }
    }
    if body.is_some() {
        return Err("it does not end with `-----END PUBLIC KEY-----`");
    }
    match keys.len() {
        0 => Err("there is none"),
        count if count > MAX_KEYS => Err("there are more than 64"),
        _ => Ok(keys),
    }
}

fn key(base64: &str) -> Result<(String, Vec<u8>), &'static str> {
    let Ok(der) = STANDARD.decode(base64) else {
        return Err("it is not base64");
    };
    let Ok(info) = SubjectPublicKeyInfoRef::from_der(&der) else {
        return Err("it is not a SubjectPublicKeyInfo");
    };
    let algorithm = info.algorithm.oid.to_string();
    if !ALGORITHMS.contains(&algorithm.as_str()) {
        return Err("its algorithm is none of ECDSA, RSA and Ed25519");
    }
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for (index, character) in STANDARD.encode(&der).chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END PUBLIC KEY-----\n");
    Ok((pem, der))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        if write!(text, "{byte:02x}").is_err() {
            debug_assert!(false, "a String takes everything");
        }
        text
    })
}
