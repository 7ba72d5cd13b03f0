use serde_json::{Value, json};

use crate::jmespath::{Environment, Expression};

const ENVIRONMENT: Environment = Environment {
    seconds: 0,
    nanoseconds: 0,
    seed: 0,
};

fn decode(pem: &str) -> Result<Value, String> {
    let scope = json!({"pem": pem});
    let expression = Expression::parse("x509_decode(pem)").unwrap();
    expression
        .evaluate(&scope, &ENVIRONMENT)
        .map(std::borrow::Cow::into_owned)
        .map_err(|error| error.to_string())
}

#[test]
fn a_certificate_is_what_go_makes_of_it() {
    let expected: Value = serde_json::from_str(include_str!("tests/certificate.json")).unwrap();
    let decoded = decode(include_str!("tests/certificate.pem")).unwrap();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&decoded[name], value, "{name}");
    }
    assert_eq!(decoded, expected);
}

#[test]
fn a_request_is_what_go_makes_of_it() {
    let expected: Value = serde_json::from_str(include_str!("tests/request.json")).unwrap();
    assert_eq!(decode(include_str!("tests/request.pem")).unwrap(), expected);
}

#[test]
fn what_is_none_is_refused() {
    for (pem, expected) in [
        ("x", "failed to decode PEM block"),
        (
            "-----BEGIN X-----\nAAAA\n-----END X-----\n",
            "PEM block neither contains a CERTIFICATE or CERTIFICATE REQUEST",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            "x509: malformed certificate",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
            "x509: malformed certificate",
        ),
    ] {
        assert_eq!(decode(pem), Err(expected.to_owned()));
    }
}

/// Every prefix and every changed byte of a certificate is refused or decoded, and never a panic.
#[test]
fn damage_does_no_harm() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let body: String = include_str!("tests/certificate.pem")
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = STANDARD.decode(body).unwrap();
    for at in 0..der.len() {
        let mut damaged = der.clone();
        damaged[at] ^= 0xff;
        for bytes in [&der[..at], &damaged] {
            let pem = format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                STANDARD.encode(bytes)
            );
            let _decoded = decode(&pem);
        }
    }
}
