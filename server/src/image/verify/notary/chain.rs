//! Chains of certificates as the Notary Project demands them: complete, in order, and each for what it does.
//!
//! Whether a chain is trusted is not asked here.

use std::time::Duration;

use der::Encode as _;
use der::asn1::ObjectIdentifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::EndEntityCert;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use super::super::refusal::{Refusal, one_line};
use crate::image::bounded_der::{self, DerError, MAX_CERTIFICATE};
use crate::image::trust::{
    Chain, ChainId, ChainRules, Chains, Hash, Key, KeyKind, Moment, Window, validity,
};

/// `id-kp-codeSigning`.
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// What a certificate that signs code must not be for: anything, servers, clients, mail, timestamps, OCSP.
const OTHER_PURPOSES: [ObjectIdentifier; 6] = [
    ObjectIdentifier::new_unwrap("2.5.29.37.0"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9"),
];
/// What a key that signs code must not be for.
const OTHER_USAGES: [KeyUsages; 7] = [
    KeyUsages::KeyEncipherment,
    KeyUsages::DataEncipherment,
    KeyUsages::KeyAgreement,
    KeyUsages::KeyCertSign,
    KeyUsages::CRLSign,
    KeyUsages::EncipherOnly,
    KeyUsages::DecipherOnly,
];

/// Checks a chain, the signer's certificate first and a root last, at every one of `times`; once, as long as it is
/// remembered among those that were verified.
pub(super) fn check(chain: &[Vec<u8>], times: &[Moment], known: &Chains) -> Result<(), Refusal> {
    let id = ChainId::new(ChainRules::Notary, chain.iter().map(Vec::as_slice));
    if known.at(id, times).is_some() {
        return Ok(());
    }
    known.keep(id, verified(chain, times)?);
    Ok(())
}

fn verified(chain: &[Vec<u8>], times: &[Moment]) -> Result<Chain, Refusal> {
    let one = |der: &Vec<u8>| bounded_der::read(der, MAX_CERTIFICATE);
    let read: Result<Vec<Certificate>, DerError> = chain.iter().map(one).collect();
    let read = read.map_err(|error| refused(&error))?;
    let (Some(leaf), Some(root)) = (read.first(), read.last()) else {
        return Err(Refusal::Missing("certificate"));
    };
    let mut window = Window::default();
    for (index, certificate) in read.iter().enumerate() {
        is_for_its_place(certificate, index)?;
        window = window.intersection(validity(certificate));
        for time in times {
            if !validity(certificate).contains(*time) {
                return Err(Refusal::Expired(time.seconds));
            }
        }
    }
    for (below, above) in read.iter().zip(read.iter().skip(1)) {
        if below.tbs_certificate.issuer != above.tbs_certificate.subject {
            return Err(chain_refused("its certificates do not issue one another"));
        }
    }
    signed_itself(root)?;
    if !std::ptr::eq(leaf, root) {
        times.iter().try_for_each(|time| path(chain, *time))?;
    }
    let issuer = read.get(1).unwrap_or(root);
    Ok(Chain {
        window,
        issuer_spki_sha256: *key_of(issuer)?.spki_sha256(),
        is_logged: false,
    })
}

/// Signatures, constraints and what else paths are checked for, by the library.
fn path(chain: &[Vec<u8>], time: Moment) -> Result<(), Refusal> {
    let failed = |error: webpki::Error| chain_refused(&error.to_string());
    let certificates: Vec<CertificateDer<'_>> = chain
        .iter()
        .map(|certificate| CertificateDer::from(certificate.as_slice()))
        .collect();
    let [leaf, between @ .., root] = certificates.as_slice() else {
        return Err(Refusal::Missing("certificate"));
    };
    let anchor = webpki::anchor_from_trusted_cert(root).map_err(failed)?;
    let anchors = [anchor];
    let leaf = EndEntityCert::try_from(leaf).map_err(failed)?;
    let found = leaf
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            between,
            UnixTime::since_unix_epoch(Duration::from_secs(time.seconds)),
            webpki::KeyUsage::required_if_present(CODE_SIGNING.as_bytes()),
            None,
            None,
        )
        .map_err(failed)?;
    // One that is passed by could be the one that is trusted.
    if found.intermediate_certificates().count() == between.len() {
        Ok(())
    } else {
        Err(chain_refused(
            "it has certificates that are not on the way to its root",
        ))
    }
}

/// Whether a certificate is for what it does at its place: to sign code first, to issue others after that.
fn is_for_its_place(certificate: &Certificate, index: usize) -> Result<(), Refusal> {
    let tbs = &certificate.tbs_certificate;
    key_of(certificate)?;
    let usage = tbs.get::<KeyUsage>().map_err(|error| refused(&error))?;
    let Some((true, usage)) = usage else {
        return Err(chain_refused("a certificate has no critical key usage"));
    };
    let constraints = tbs
        .get::<BasicConstraints>()
        .map_err(|error| refused(&error))?;
    if index > 0 {
        let is_authority = matches!(&constraints, Some((true, one)) if one.ca);
        return if is_authority && usage.0.contains(KeyUsages::KeyCertSign) {
            Ok(())
        } else {
            Err(chain_refused(
                "a certificate above the signer's is not for issuing others",
            ))
        };
    }
    let signs = usage.0.contains(KeyUsages::DigitalSignature);
    let does_more = OTHER_USAGES.iter().any(|other| usage.0.contains(*other));
    let is_authority = constraints.is_some_and(|(_, one)| one.ca);
    if !signs || does_more || is_authority {
        return Err(chain_refused(
            "the signer's certificate is not for signatures alone",
        ));
    }
    let purposes = tbs
        .get::<ExtendedKeyUsage>()
        .map_err(|error| refused(&error))?;
    let Some((_, purposes)) = purposes else {
        return Ok(());
    };
    let has = |purpose: &ObjectIdentifier| purposes.0.contains(purpose);
    if has(&CODE_SIGNING) && !OTHER_PURPOSES.iter().any(has) {
        Ok(())
    } else {
        Err(chain_refused(
            "the signer's certificate is not for signing code alone",
        ))
    }
}

/// The key, which must be of one of the kinds and sizes that the specification has.
fn key_of(certificate: &Certificate) -> Result<Key, Refusal> {
    let spki = &certificate.tbs_certificate.subject_public_key_info;
    let spki = spki.to_der().map_err(|error| refused(&error))?;
    let key = Key::from_spki(&spki).map_err(|error| refused(&error))?;
    match (key.kind(), key.rsa_bits()) {
        (KeyKind::P256 | KeyKind::P384 | KeyKind::P521, _)
        | (KeyKind::Rsa, Some(2048 | 3072 | 4096)) => Ok(key),
        (KeyKind::Rsa | KeyKind::Ed25519, _) => Err(chain_refused(
            "a certificate's key is of no kind and size that is allowed",
        )),
    }
}

/// Whether the last one is a root: its own issuer, by its own key.
fn signed_itself(root: &Certificate) -> Result<(), Refusal> {
    let tbs = &root.tbs_certificate;
    let key = key_of(root)?;
    let signed = tbs.to_der().map_err(|error| refused(&error))?;
    let algorithm = root.signature_algorithm.oid;
    let verified = root.signature.as_bytes().zip(hash_of(algorithm));
    let verified =
        verified.is_some_and(|(signature, hash)| key.verify(hash, &signed, signature).is_ok());
    if tbs.issuer == tbs.subject && tbs.signature.oid == algorithm && verified {
        Ok(())
    } else {
        Err(chain_refused("it does not end with a root"))
    }
}

/// The hash of an algorithm by which roots sign themselves: RSA with PKCS #1 padding, or ECDSA.
fn hash_of(algorithm: ObjectIdentifier) -> Option<Hash> {
    match algorithm.to_string().as_str() {
        "1.2.840.10045.4.3.2" | "1.2.840.113549.1.1.11" => Some(Hash::Sha256),
        "1.2.840.10045.4.3.3" | "1.2.840.113549.1.1.12" => Some(Hash::Sha384),
        "1.2.840.10045.4.3.4" | "1.2.840.113549.1.1.13" => Some(Hash::Sha512),
        _ => None,
    }
}

fn refused(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::Certificate(one_line(&error.to_string()))
}

fn chain_refused(what: &str) -> Refusal {
    Refusal::CodeSigningChain(one_line(what))
}
