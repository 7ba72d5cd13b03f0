//! Keys and certificates in PEM, as policies and secrets hold them.
//!
//! Reads and judges nothing: whether a key or a certificate can be used is the verifier's business.

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{Engine as _, alphabet};
use sha2::{Digest as _, Sha256};
use spki::SubjectPublicKeyInfoRef;
use spki::der::asn1::AnyRef;
use spki::der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};

use crate::hexadecimal;

/// The keys that signatures are made with: elliptic curve, RSA, Ed25519.
const ALGORITHMS: [&str; 3] = ["1.2.840.10045.2.1", "1.2.840.113549.1.1.1", "1.3.101.112"];

/// More than anybody lists, and few enough to verify against.
const MAX_BLOCKS: usize = 64;

/// Bits behind the last whole byte do not count, as for OpenSSL and Go, which is what wrote and read the keys before.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

const KEY: &str = "PUBLIC KEY";
const CERTIFICATE: &str = "CERTIFICATE";

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBlock {
    /// The one key as PEM, `BEGIN PUBLIC KEY`.
    pub pem: String,
    /// SHA-256 of its SubjectPublicKeyInfo in DER, in hexadecimal.
    pub spki_sha256: String,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateBlock {
    /// The one certificate as PEM.
    pub pem: String,
    /// Its key.
    pub key: KeyBlock,
}

/// The public keys of a text, at least one; why it cannot be read otherwise.
pub fn public_keys(text: &str) -> Result<Vec<KeyBlock>, &'static str> {
    let blocks = take_apart(text, KEY)?;
    blocks.iter().map(|der| key(der)).collect()
}

/// The certificates of a text, at least one; why it cannot be read otherwise.
pub fn certificates(text: &str) -> Result<Vec<CertificateBlock>, &'static str> {
    let blocks = take_apart(text, CERTIFICATE)?;
    let read = |der: &Vec<u8>| {
        let Ok(info) = key_of(der) else {
            return Err("it is not an X.509 certificate");
        };
        Ok(CertificateBlock {
            pem: armour(CERTIFICATE, der),
            key: key(info)?,
        })
    };
    blocks.iter().map(read).collect()
}

/// The bytes of each block of a PEM text, all of one kind.
fn take_apart(text: &str, kind: &'static str) -> Result<Vec<Vec<u8>>, &'static str> {
    let (begin, end) = (
        format!("-----BEGIN {kind}-----"),
        format!("-----END {kind}-----"),
    );
    let mut blocks = Vec::new();
    let mut body: Option<String> = None;
    for line in text.lines().map(str::trim) {
        match (line, &mut body) {
            (line, None) if line == begin => body = Some(String::new()),
            (line, Some(base64)) if line == end => {
                blocks.push(LENIENT.decode(base64).map_err(not_base64)?);
                body = None;
            }
            (line, _) if line.starts_with("-----BEGIN ") => {
                return Err(if kind == KEY {
                    "it is PEM of something else than a public key"
                } else {
                    "it is PEM of something else than a certificate"
                });
            }
            (line, Some(base64)) => base64.push_str(line),
            ("", None) => {}
            (_, None) => return Err("there is text outside of `BEGIN` and `END`"),
        }
    }
    if body.is_some() {
        return Err(if kind == KEY {
            "it does not end with `-----END PUBLIC KEY-----`"
        } else {
            "it does not end with `-----END CERTIFICATE-----`"
        });
    }
    match blocks.len() {
        0 => Err("there is none"),
        count if count > MAX_BLOCKS => Err("there are more than 64"),
        _ => Ok(blocks),
    }
}

// The library's error names a position in text that nobody sees.
fn not_base64(_: base64::DecodeError) -> &'static str {
    "it is not base64"
}

fn key(der: &[u8]) -> Result<KeyBlock, &'static str> {
    let Ok(info) = SubjectPublicKeyInfoRef::from_der(der) else {
        return Err("it is not a SubjectPublicKeyInfo");
    };
    let algorithm = info.algorithm.oid.to_string();
    if !ALGORITHMS.contains(&algorithm.as_str()) {
        return Err("its algorithm is none of ECDSA, RSA and Ed25519");
    }
    Ok(KeyBlock {
        pem: armour(KEY, der),
        spki_sha256: hexadecimal::of(&Sha256::digest(der)),
    })
}

/// The SubjectPublicKeyInfo of a certificate, in DER.
fn key_of(certificate: &[u8]) -> spki::der::Result<&[u8]> {
    let whole = AnyRef::from_der(certificate)?;
    whole.tag().assert_eq(Tag::Sequence)?;
    let signed = SliceReader::new(whole.value())?.tlv_bytes()?;
    let mut fields = SliceReader::new(AnyRef::from_der(signed)?.value())?;
    let first = AnyRef::from_der(fields.tlv_bytes()?)?;
    // The version is left out of certificates of the first version.
    let after_serial = if first.tag().is_context_specific() {
        5
    } else {
        4
    };
    for _ in 0..after_serial {
        fields.tlv_bytes()?;
    }
    fields.tlv_bytes()
}

/// PEM with lines of 64 characters.
fn armour(kind: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {kind}-----\n");
    for (index, character) in STANDARD.encode(der).chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem + "\n-----END " + kind + "-----\n"
}

#[cfg(test)]
mod tests;
