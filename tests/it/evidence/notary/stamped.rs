//! When it was signed, by the word of a timestamp authority: what makes a signature count whose certificate has ended, and
//! what does not.
//!
//! `tests/notary/stamped` is what `notation sign --timestamp-url` wrote with the `timestamp-server` of Sigstore and a
//! certificate of four minutes; tokens with one thing wrong are made here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_engine::image::{Evidence, PolicyTrust};
use regent_server::image::artifact::Artifacts;
use regent_server::image::trust::{TrustRoot, public_sigstore};
use serde_json::Value;

use super::authority::{Authority, Wrong};
use super::made::{Envelope, Fault, Pki};
use super::{discovered, file, judge, trusting};
use crate::evidence::material::reasons;

/// Between them the certificate of the recording was valid, in seconds since 1970: 07:39:30 to 07:43:30 on 2026-11-27.
const VALIDITY: (u64, u64) = (1_795_765_170, 1_795_765_410);

pub(super) fn recorded() -> Artifacts {
    discovered("tests/notary/stamped/layout")
}

/// A trust store, and the authority for times.
pub(super) fn with_authority(certificates: &str, authority: &str) -> Result<TrustRoot, String> {
    let trust = PolicyTrust {
        trust_store: Some(certificates.to_owned()),
        timestamp_authority: Some(authority.to_owned()),
        ..PolicyTrust::default()
    };
    let root = public_sigstore().unwrap().with_policy(&trust);
    root.map_err(|error| error.to_string())
}

pub(super) fn refused(evidence: &Evidence, because: &str) {
    assert!(evidence.signatures.is_empty(), "{because}");
    for reason in reasons(evidence) {
        assert!(reason.contains(because), "{because}: {reason}");
    }
    assert!(!evidence.refused.is_empty(), "{because}");
}

#[test]
fn what_notation_had_stamped_counts_after_its_certificate_has_ended() {
    let (artifacts, store) = (recorded(), file("stamped/root.crt"));
    assert_eq!(artifacts.notary.len(), 2);
    let root = with_authority(&store, &file("stamped/tsa.crt")).unwrap();
    let evidence = judge(&artifacts, &root);
    assert_eq!(evidence.signatures.len(), 2, "{:?}", evidence.refused);
    for signature in &evidence.signatures {
        let [at] = signature.verified.timestamps[..] else {
            panic!("one timestamp")
        };
        assert!((VALIDITY.0..=VALIDITY.1).contains(&at), "{at}");
    }
    // It is the timestamp that makes them count, and only from the authority that the policy names.
    let ended = "not valid at the proven time";
    refused(&judge(&artifacts, &trusting(&store)), ended);
    let other = Authority::new(Wrong::Nothing);
    let by_other = with_authority(&store, &other.chain()).unwrap();
    refused(&judge(&artifacts, &by_other), ended);
    let mut stripped = artifacts;
    stripped
        .notary
        .retain(|one| one.media_type == "application/jose+json");
    let mut envelope: Value = serde_json::from_slice(&stripped.notary[0].bytes).unwrap();
    let header = envelope["header"].as_object_mut().unwrap();
    assert!(header.remove("io.cncf.notary.timestampSignature").is_some());
    stripped.notary[0].bytes = envelope.to_string().into_bytes().into();
    refused(&judge(&stripped, &root), ended);
}

/// Every byte counts that the authority signed; the certificates beside it are not looked at.
#[test]
fn a_byte_of_a_stamped_signature_that_changes_refuses_or_changes_nothing() {
    let root = with_authority(&file("stamped/root.crt"), &file("stamped/tsa.crt")).unwrap();
    let whole = recorded();
    let jws = whole
        .notary
        .iter()
        .find(|one| one.media_type == "application/jose+json");
    let mut envelope: Value = serde_json::from_slice(&jws.unwrap().bytes).unwrap();
    let name = "io.cncf.notary.timestampSignature";
    let token = STANDARD
        .decode(envelope["header"][name].as_str().unwrap())
        .unwrap();
    let mut with_token = |token: &[u8]| {
        envelope["header"][name] = STANDARD.encode(token).into();
        let mut artifacts = whole.clone();
        artifacts
            .notary
            .retain(|one| one.media_type == "application/jose+json");
        artifacts.notary[0].bytes = envelope.to_string().into_bytes().into();
        judge(&artifacts, &root).signatures
    };
    let before = with_token(&token);
    assert_eq!(before.len(), 1);
    for at in 0..token.len() {
        let mut changed = token.clone();
        changed[at] ^= 1;
        let after = with_token(&changed);
        assert!(after.is_empty() || after == before, "byte {at}");
        assert!(with_token(&token[..at]).is_empty(), "{at} bytes");
    }
}

/// Each with what the refusal has to say where the signer's certificate has ended, and where it is still valid.
const WRONGS: [(Wrong, &str, &str); 11] = [
    (Wrong::Nothing, "", ""),
    (
        Wrong::OtherSignature,
        "timestamp is of another signature",
        "timestamp is of another signature",
    ),
    // Nobody is believed who is not named; without a time, it was signed now.
    (Wrong::OtherAuthority, "not valid at the proven time", ""),
    (
        Wrong::SameName,
        "timestamp does not verify",
        "timestamp does not verify",
    ),
    (
        Wrong::Signature,
        "timestamp does not verify",
        "timestamp does not verify",
    ),
    (
        Wrong::Digest,
        "timestamp does not verify",
        "timestamp does not verify",
    ),
    (
        Wrong::ContentType,
        "timestamp does not verify",
        "timestamp does not verify",
    ),
    (
        Wrong::NotATimestamp,
        "its content is not a timestamp",
        "its content is not a timestamp",
    ),
    (Wrong::AfterwardsSigned, "not valid at the proven time", ""),
    (
        Wrong::BeforeSigned,
        "not valid at the proven time",
        "not valid at the proven time",
    ),
    (
        Wrong::AuthorityEnded,
        "authority `tsaCertChain` was not valid at",
        "authority `tsaCertChain` was not valid at",
    ),
];

#[test]
fn a_timestamp_counts_only_where_nothing_is_wrong_with_it() {
    for (wrong, ended, valid) in WRONGS {
        for cose in [false, true] {
            counts_unless(wrong, (Fault::LeafEnded, ended), cose);
            counts_unless(wrong, (Fault::None, valid), cose);
        }
    }
}

/// What becomes of a signature by a certificate with a timestamp, where there is nothing to say, and where there is.
fn counts_unless(wrong: Wrong, (fault, because): (Fault, &str), cose: bool) {
    let (pki, authority) = (Pki::new(fault), Authority::new(wrong));
    let named = match wrong {
        Wrong::OtherAuthority | Wrong::SameName => Authority::new(Wrong::Nothing).chain(),
        _ => authority.chain(),
    };
    let root = with_authority(&pki.root_pem(), &named).unwrap();
    let mut envelope = Envelope::of(&pki, fault);
    envelope.stamp = Some(Box::new(move |signature| authority.token(signature, wrong)));
    let evidence = judge(&envelope.artifacts(cose), &root);
    if !because.is_empty() {
        refused(&evidence, because);
        return;
    }
    assert_eq!(evidence.refused, [], "{cose} {wrong:?}");
    let [signature] = &evidence.signatures[..] else {
        panic!("{wrong:?}")
    };
    let stamps = usize::from(wrong != Wrong::OtherAuthority);
    assert_eq!(signature.verified.timestamps.len(), stamps, "{wrong:?}");
}

/// An authority whose certificate is for something else is none, and a policy that names it is an error.
#[test]
fn an_authority_must_be_for_timestamps() {
    let authority = Authority::new(Wrong::AuthorityForCode).chain();
    let error = with_authority(&Pki::new(Fault::None).root_pem(), &authority).unwrap_err();
    assert!(error.contains("tsaCertChain"), "{error}");
}

/// What has an expiry is past it, whenever it was signed.
#[test]
fn a_timestamp_does_not_outlive_the_expiry_of_the_signature() {
    let (pki, authority) = (Pki::new(Fault::None), Authority::new(Wrong::Nothing));
    let root = with_authority(&pki.root_pem(), &authority.chain()).unwrap();
    let mut envelope = Envelope::of(&pki, Fault::Expired);
    envelope.stamp = Some(Box::new(move |signature| {
        authority.token(signature, Wrong::Nothing)
    }));
    refused(
        &judge(&envelope.artifacts(false), &root),
        "valid only until",
    );
}
