//! When it was signed, by the word of a timestamp authority: what makes a signature count whose certificate has ended, and
//! what does not.
//!
//! `tests/notary/stamped` is what `notation sign --timestamp-url` wrote with the `timestamp-server` of Sigstore and a
//! certificate of four minutes; tokens with one thing wrong are made here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SerialNumber, SigningKey, date_time_ymd,
};
use regent_engine::image::{Evidence, PolicyTrust};
use regent_server::image::artifact::Artifacts;
use regent_server::image::trust::{TrustRoot, public_sigstore, sha256};
use serde_json::Value;

use super::made::{Envelope, Fault, Pki};
use super::{discovered, file, judge, trusting};
use crate::evidence::material::reasons;

/// Between them the certificate of the recording was valid, in seconds since 1970: 07:39:30 to 07:43:30 on 2026-11-27.
const VALIDITY: (u64, u64) = (1_795_765_170, 1_795_765_410);
/// While the certificate of [`Fault::LeafEnded`] was valid, and after that.
const WHILE_VALID: &str = "20250601000000Z";
const AFTERWARDS: &str = "20260601000000Z";
const BEFORE: &str = "20190601000000Z";

fn recorded() -> Artifacts {
    discovered("tests/notary/stamped/layout")
}

/// A trust store, and the authority for times.
fn with_authority(certificates: &str, authority: &str) -> Result<TrustRoot, String> {
    let trust = PolicyTrust {
        trust_store: Some(certificates.to_owned()),
        timestamp_authority: Some(authority.to_owned()),
        ..PolicyTrust::default()
    };
    let root = public_sigstore().unwrap().with_policy(&trust);
    root.map_err(|error| error.to_string())
}

fn refused(evidence: &Evidence, because: &str) {
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

/// What is not as it should be about a token or who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    OtherSignature,
    OtherAuthority,
    /// Another authority, and it says that it is the one.
    SameName,
    Signature,
    Digest,
    ContentType,
    NotATimestamp,
    AfterwardsSigned,
    BeforeSigned,
    AuthorityEnded,
    AuthorityForCode,
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

/// A root, and who signs timestamps below it.
struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    leaf: String,
    key: KeyPair,
}

fn serial(wrong: Wrong) -> u8 {
    if wrong == Wrong::OtherAuthority { 8 } else { 7 }
}

fn parameters(name: &str, until: i32) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    let name_of = &mut parameters.distinguished_name;
    *name_of = rcgen::DistinguishedName::new();
    name_of.push(rcgen::DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2018, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    parameters
}

impl Authority {
    fn new(wrong: Wrong) -> Self {
        let mut root = parameters("stamps", 2030);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let until = match wrong {
            Wrong::AuthorityEnded => 2024,
            _ => 2030,
        };
        let mut leaf = parameters("stamp", until);
        leaf.serial_number = Some(SerialNumber::from_slice(&[serial(wrong)]));
        leaf.extended_key_usages = vec![match wrong {
            Wrong::AuthorityForCode => ExtendedKeyUsagePurpose::CodeSigning,
            _ => ExtendedKeyUsagePurpose::TimeStamping,
        }];
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap().pem();
        Self { root, leaf, key }
    }

    fn chain(&self) -> String {
        format!("{}{}", self.leaf, self.root.pem())
    }

    /// RFC 3161's token over a signature: CMS signed data, written byte by byte.
    fn token(&self, signature: &[u8], wrong: Wrong) -> Vec<u8> {
        let covered = match wrong {
            Wrong::OtherSignature => b"another".as_slice(),
            _ => signature,
        };
        let time = match wrong {
            Wrong::AfterwardsSigned => AFTERWARDS,
            Wrong::BeforeSigned => BEFORE,
            _ => WHILE_VALID,
        };
        let info = sequence(&[
            &integer(1),
            &der(6, &[&[0x2a, 3, 4]]),
            &sequence(&[&algorithm(SHA256), &der(4, &[&sha256(covered)])]),
            &integer(1),
            &der(0x18, &[time.as_bytes()]),
        ]);
        let content_type = match wrong {
            Wrong::NotATimestamp => DATA,
            _ => TST_INFO,
        };
        let (kind, digest) = match wrong {
            Wrong::ContentType => (DATA, sha256(&info)),
            Wrong::Digest => (TST_INFO, sha256(b"something else")),
            _ => (TST_INFO, sha256(&info)),
        };
        let attributes = [
            attribute(&[CONTENT_TYPE, &[3]].concat(), &der(6, &[kind])),
            attribute(&[CONTENT_TYPE, &[4]].concat(), &der(4, &[&digest])),
        ]
        .concat();
        let mut signature_of_it = self.key.sign(&der(0x31, &[&attributes])).unwrap();
        if wrong == Wrong::Signature {
            *signature_of_it.last_mut().unwrap() ^= 1;
        }
        let issuer = sequence(&[&der(
            0x31,
            &[&sequence(&[
                &der(6, &[&[0x55, 4, 3]]),
                &der(12, &[b"stamps"]),
            ])],
        )]);
        let signer = sequence(&[
            &integer(1),
            &sequence(&[&issuer, &integer(serial(wrong))]),
            &algorithm(SHA256),
            &der(0xa0, &[&attributes]),
            &algorithm(ECDSA_SHA256),
            &der(4, &[&signature_of_it]),
        ]);
        let data = sequence(&[
            &integer(3),
            &der(0x31, &[&algorithm(SHA256)]),
            &sequence(&[&der(6, &[content_type]), &der(0xa0, &[&der(4, &[&info])])]),
            &der(0x31, &[&signer]),
        ]);
        sequence(&[&der(6, &[SIGNED_DATA]), &der(0xa0, &[&data])])
    }
}

/// Object identifiers, as they are encoded.
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
/// The arc of the attributes.
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9];

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap();
    let mut bytes = vec![tag];
    match length.to_be_bytes() {
        [0, short] if short < 0x80 => bytes.push(short),
        [0, one] => bytes.extend([0x81, one]),
        [high, low] => bytes.extend([0x82, high, low]),
    }
    bytes.extend(body);
    bytes
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, parts)
}

fn integer(number: u8) -> Vec<u8> {
    der(2, &[&[number]])
}

fn algorithm(id: &[u8]) -> Vec<u8> {
    sequence(&[&der(6, &[id])])
}

fn attribute(id: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&der(6, &[id]), &der(0x31, &[value])])
}
