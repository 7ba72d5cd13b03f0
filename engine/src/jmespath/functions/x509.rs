//! `x509_decode`: a certificate or a request for one as the map that Go's `crypto/x509` makes of it.
//!
//! Decodes and judges nothing: no signature, no time, no chain. Only RSA keys, as in Kyverno.

mod extensions;
mod names;
mod reader;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigInt;
use serde_json::{Map, Number, Value, json};

use super::{Arguments, failed};
use crate::go_time::Time;
use crate::jmespath::ExpressionError;
use crate::jmespath::interpreter::size;

use extensions::Extension;
use names::name;
use reader::{Element, Reader, tag};

/// Why DER cannot be read.
const MALFORMED: &str = "x509: malformed certificate";

pub(super) fn decode(arguments: &Arguments<'_>) -> Result<Value, ExpressionError> {
    let text = arguments.text(0);
    let (kind, der) = unarmour(text).ok_or_else(|| failed("failed to decode PEM block"))?;
    let decoded = match kind {
        "CERTIFICATE" => certificate(&der),
        "CERTIFICATE REQUEST" => request(&der),
        _ => {
            return Err(failed(
                "PEM block neither contains a CERTIFICATE or CERTIFICATE REQUEST",
            ));
        }
    };
    let value = decoded.unwrap_or_else(|| Err(failed(MALFORMED)))?;
    arguments.charged(size(&value))?;
    Ok(value)
}

/// The first PEM block of a text: its label and its bytes.
fn unarmour(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, after) = text.split_once("-----BEGIN ")?;
    let (label, body) = after.split_once("-----")?;
    let (body, _) = body.split_once(&format!("-----END {label}-----"))?;
    // Headers end with an empty line, and have a colon, which base64 has not.
    let body = match body.rsplit_once(':') {
        Some((_, rest)) => rest.split_once("\n\n")?.1,
        None => body,
    };
    let compact: String = body.split_ascii_whitespace().collect();
    Some((label, STANDARD.decode(compact).ok()?))
}

/// Bytes as Go's JSON writes them.
fn bytes(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

fn object_identifier(parts: &[u64]) -> Value {
    Value::from(parts.to_vec())
}

type Decoded = Option<Result<Value, ExpressionError>>;

fn certificate(der: &[u8]) -> Decoded {
    let whole = Reader::only(der)?;
    let mut outer = whole.inner(tag::SEQUENCE)?;
    let signed = outer.next()?;
    let algorithm = outer.next()?;
    let signature = outer.next()?.bit_string()?;
    let mut fields = signed.inner(tag::SEQUENCE)?;
    let version = match fields.next_if(tag::context(0)) {
        Some(version) => version.reader().next()?.small_integer()? + 1,
        None => 1,
    };
    let serial = fields.next()?;
    fields.next()?;
    let issuer = fields.next()?;
    let mut validity = fields.next()?.inner(tag::SEQUENCE)?;
    let (not_before, not_after) = (time(&validity.next()?)?, time(&validity.next()?)?);
    let subject = fields.next()?;
    let key = fields.next()?;
    let mut extensions = Vec::new();
    for element in fields {
        if element.tag == tag::context(3) {
            extensions = Extension::list(&element.reader().next()?)?;
        }
    }
    let public_key = match rsa_key(&key)? {
        Ok(public_key) => public_key,
        Err(error) => return Some(Err(error)),
    };
    let mut decoded = json!({
        "Raw": bytes(whole.whole),
        "RawTBSCertificate": bytes(signed.whole),
        "RawSubjectPublicKeyInfo": bytes(key.whole),
        "RawSubject": bytes(subject.whole),
        "RawIssuer": bytes(issuer.whole),
        "Signature": bytes(signature),
        "SignatureAlgorithm": signature_algorithm(&algorithm)?,
        "PublicKeyAlgorithm": 1,
        "PublicKey": public_key,
        "Version": version,
        "SerialNumber": integer(&serial)?,
        "Issuer": name(&issuer)?,
        "Subject": name(&subject)?,
        "NotBefore": not_before,
        "NotAfter": not_after,
        "Extensions": Extension::raw_list(&extensions),
        "ExtraExtensions": null,
    });
    extend(&mut decoded, extensions::of_certificate(&extensions)?);
    Some(Ok(decoded))
}

fn request(der: &[u8]) -> Decoded {
    let whole = Reader::only(der)?;
    let mut outer = whole.inner(tag::SEQUENCE)?;
    let signed = outer.next()?;
    let algorithm = outer.next()?;
    let signature = outer.next()?.bit_string()?;
    let mut fields = signed.inner(tag::SEQUENCE)?;
    let version = fields.next()?.small_integer()?;
    let subject = fields.next()?;
    let key = fields.next()?;
    let attributes = fields.next_if(tag::context(0));
    let (attributes, extensions) = match &attributes {
        Some(attributes) => extensions::of_request(attributes)?,
        None => (Value::Null, Vec::new()),
    };
    let public_key = match rsa_key(&key)? {
        Ok(public_key) => public_key,
        Err(error) => return Some(Err(error)),
    };
    let mut decoded = json!({
        "Raw": bytes(whole.whole),
        "RawTBSCertificateRequest": bytes(signed.whole),
        "RawSubjectPublicKeyInfo": bytes(key.whole),
        "RawSubject": bytes(subject.whole),
        "Version": version,
        "Signature": bytes(signature),
        "SignatureAlgorithm": signature_algorithm(&algorithm)?,
        "PublicKeyAlgorithm": 1,
        "PublicKey": public_key,
        "Subject": name(&subject)?,
        "Attributes": attributes,
        "Extensions": Extension::raw_list(&extensions),
        "ExtraExtensions": null,
    });
    extend(&mut decoded, extensions::alternative_names(&extensions)?);
    Some(Ok(decoded))
}

fn extend(decoded: &mut Value, more: Map<String, Value>) {
    if let Value::Object(fields) = decoded {
        fields.extend(more);
    }
}

/// A whole number; Go's JSON makes a float of it on the way.
fn integer(element: &Element<'_>) -> Option<Value> {
    let number = BigInt::from_signed_bytes_be(element.content_of(tag::INTEGER)?);
    if let Ok(small) = i64::try_from(&number) {
        return Some(Value::from(small));
    }
    let float: f64 = number.to_string().parse().ok()?;
    Number::from_f64(float).map(Value::Number)
}

/// The key, or that it is no RSA key.
fn rsa_key(element: &Element<'_>) -> Option<Result<Value, ExpressionError>> {
    const RSA: &[u64] = &[1, 2, 840, 113_549, 1, 1, 1];
    let mut fields = element.inner(tag::SEQUENCE)?;
    let algorithm = fields
        .next()?
        .inner(tag::SEQUENCE)?
        .next()?
        .object_identifier()?;
    if algorithm != RSA {
        return Some(Err(failed("certificate should use rsa algorithm")));
    }
    let key = Reader::only(fields.next()?.bit_string()?)?;
    let mut numbers = key.inner(tag::SEQUENCE)?;
    let modulus = BigInt::from_signed_bytes_be(numbers.next()?.content_of(tag::INTEGER)?);
    let exponent = numbers.next()?.small_integer()?;
    Some(Ok(json!({"N": modulus.to_string(), "E": exponent})))
}

/// UTC time or generalised time, as JSON writes it.
fn time(element: &Element<'_>) -> Option<Value> {
    let text = std::str::from_utf8(element.content).ok()?;
    let full = match element.tag {
        tag::UTC_TIME => {
            let century = if text.get(..2)?.parse::<u32>().ok()? >= 50 {
                "19"
            } else {
                "20"
            };
            format!("{century}{text}")
        }
        tag::GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let layout = if full.len() == "20060102150405Z".len() {
        "20060102150405Z0700"
    } else {
        "200601021504Z0700"
    };
    let time = Time::parse(layout, &full).ok()?;
    Some(Value::String(time.to_utc().to_string()))
}

/// Go's number of a signature algorithm; zero where it knows none.
fn signature_algorithm(element: &Element<'_>) -> Option<u32> {
    const PKCS1: [u64; 6] = [1, 2, 840, 113_549, 1, 1];
    const ECDSA: [u64; 6] = [1, 2, 840, 10_045, 4, 3];
    let mut fields = element.inner(tag::SEQUENCE)?;
    let identifier = fields.next()?.object_identifier()?;
    let (last, family) = identifier.split_last()?;
    Some(if family == PKCS1 {
        match last {
            2 => 1,
            4 => 2,
            5 => 3,
            11 => 4,
            12 => 5,
            13 => 6,
            10 => pss_algorithm(fields.next()),
            _ => 0,
        }
    } else if family == ECDSA {
        match last {
            2 => 10,
            3 => 11,
            4 => 12,
            _ => 0,
        }
    } else {
        match identifier.as_slice() {
            [1, 2, 840, 10_040, 4, 3] => 7,
            [2, 16, 840, 1, 101, 3, 4, 3, 2] => 8,
            [1, 2, 840, 10_045, 4, 1] => 9,
            [1, 3, 101, 112] => 16,
            _ => 0,
        }
    })
}

/// The algorithm of a PSS signature by the hash in its parameters.
fn pss_algorithm(parameters: Option<Element<'_>>) -> u32 {
    let hash = || {
        let explicit = parameters?.inner(tag::SEQUENCE)?.next_if(tag::context(0))?;
        explicit
            .reader()
            .next()?
            .inner(tag::SEQUENCE)?
            .next()?
            .object_identifier()
    };
    match hash().as_deref() {
        Some([2, 16, 840, 1, 101, 3, 4, 2, 1]) => 13,
        Some([2, 16, 840, 1, 101, 3, 4, 2, 2]) => 14,
        Some([2, 16, 840, 1, 101, 3, 4, 2, 3]) => 15,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
