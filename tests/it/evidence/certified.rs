//! Certificates of authorities that are nobody's but the author's: `roots`, `cert` and `certChain`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, PublicKeyData as _, SanType, SerialNumber, SigningKey, date_time_ymd,
};
use regent_engine::image::evidence::Signer;
use regent_engine::image::{Digest, Evidence, HashAlgorithm, PolicyTrust, PublicKey, pem};
use regent_server::image::artifact::{Artifacts, LegacyArtifact};
use regent_server::image::trust::public_sigstore;
use regent_server::image::verify::verify;
use serde_json::json;

use super::material::reasons;

/// 2026-11-27.
const NOW: u64 = 1_795_737_600;

/// A root, what it issued, and a certificate at the end that signs.
pub(crate) struct Pki {
    pub(crate) root: CertifiedIssuer<'static, KeyPair>,
    pub(crate) middle: CertifiedIssuer<'static, KeyPair>,
    /// The certificate at the end, as PEM.
    pub(crate) leaf: String,
    pub(crate) key: KeyPair,
}

/// What is not as it should be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The certificate has ended.
    LeafEnded,
    /// What issued it has ended.
    MiddleEnded,
    /// The root has ended.
    RootEnded,
    /// It is for servers.
    OtherUsage,
    /// What issued it may not issue.
    NoAuthority,
}

fn parameters(name: &str, ended: bool) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    let name_of = &mut parameters.distinguished_name;
    name_of.push(rcgen::DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(if ended { 2026 } else { 2030 }, 1, 1);
    parameters
}

fn authority(name: &str, ended: bool) -> CertificateParams {
    let mut parameters = parameters(name, ended);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

fn leaf(fault: Fault) -> CertificateParams {
    let mut leaf = parameters("leaf", fault == Fault::LeafEnded);
    let address = "builder@example.org".try_into().unwrap();
    leaf.subject_alt_names = vec![SanType::Rfc822Name(address)];
    leaf.extended_key_usages = vec![match fault {
        Fault::OtherUsage => ExtendedKeyUsagePurpose::ServerAuth,
        _ => ExtendedKeyUsagePurpose::CodeSigning,
    }];
    leaf
}

/// The first part of a certificate, with its tag and length.
fn signed_part(certificate: &[u8]) -> &[u8] {
    let (inside, _) = contents(certificate);
    let (_, end) = contents(inside);
    &inside[..end]
}

/// What an element of DER holds, and where it ends.
fn contents(element: &[u8]) -> (&[u8], usize) {
    let (start, length) = match element[1] {
        short @ ..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(element[2])),
        0x82 => (4, usize::from(u16::from_be_bytes([element[2], element[3]]))),
        other => panic!("a length of {other}"),
    };
    (&element[start..start + length], start + length)
}

impl Pki {
    pub(crate) fn new(fault: Fault) -> Self {
        Self::with_leaf(fault, |_| {})
    }

    /// The same, once `edit` was made to what the certificate at the end says.
    pub(crate) fn with_leaf(fault: Fault, edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = || KeyPair::generate().unwrap();
        let root = authority("root", fault == Fault::RootEnded);
        let root = CertifiedIssuer::self_signed(root, key()).unwrap();
        let middle = match fault {
            Fault::NoAuthority => parameters("middle", false),
            _ => authority("middle", fault == Fault::MiddleEnded),
        };
        let middle = CertifiedIssuer::signed_by(middle, key(), &root).unwrap();
        let mut leaf = leaf(fault);
        edit(&mut leaf);
        let key = key();
        let leaf = leaf.signed_by(&key, &middle).unwrap();
        Self {
            root,
            middle,
            leaf: leaf.pem(),
            key,
        }
    }

    /// One whose certificate has a list of timestamps of certificate logs, which `list` makes of the certificate's signed
    /// part without the list, and of the key of who issues it.
    pub(super) fn logged(list: impl FnOnce(&[u8], &[u8]) -> Vec<u8>) -> Self {
        let mut made = Self::new(Fault::None);
        let mut leaf = leaf(Fault::None);
        leaf.serial_number = Some(SerialNumber::from_slice(&[9]));
        let without = leaf.signed_by(&made.key, &made.middle).unwrap();
        let issuer = made.middle.key().subject_public_key_info();
        let list = list(signed_part(without.der()), &issuer);
        let length = u16::try_from(list.len()).unwrap().to_be_bytes();
        let head = match length {
            [0, short @ ..0x80] => vec![4, short],
            [0, one] => vec![4, 0x81, one],
            [high, low] => vec![4, 0x82, high, low],
        };
        let content = [head, list].concat();
        let list = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2], content);
        leaf.custom_extensions = vec![list];
        made.leaf = leaf.signed_by(&made.key, &made.middle).unwrap().pem();
        made
    }

    /// A legacy signature of an image, without a log and without a timestamp.
    pub(super) fn sign(&self, digest: &Digest, with: &[(&str, String)]) -> Artifacts {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": "registry.example/app"},
                "image": {"docker-manifest-digest": digest.to_string()},
                "type": "cosign container image signature",
            },
            "optional": {"team": "blue"},
        });
        let payload = payload.to_string().into_bytes();
        let signature = STANDARD.encode(self.key.sign(&payload).unwrap());
        let mut annotations: std::collections::BTreeMap<String, String> = with
            .iter()
            .map(|(name, value)| (format!("dev.sigstore.cosign/{name}"), value.clone()))
            .collect();
        annotations.insert("dev.cosignproject.cosign/signature".to_owned(), signature);
        Artifacts {
            signatures: vec![LegacyArtifact {
                layer: Digest::from_sha256([1; 32]),
                bytes: payload.into(),
                annotations,
            }],
            ..Artifacts::default()
        }
    }

    pub(super) fn with_chain(&self) -> [(&'static str, String); 2] {
        let chain = format!("{}{}", self.middle.pem(), self.root.pem());
        [("certificate", self.leaf.clone()), ("chain", chain)]
    }

    /// The root as somebody issued it again, with the same name and key, and it has ended.
    pub(crate) fn ended_root(&self) -> String {
        let ended = authority("root", true);
        ended.self_signed(self.root.key()).unwrap().pem()
    }

    fn named(&self, certificate: Option<String>) -> PublicKey {
        let block = pem::certificates(&self.leaf).unwrap().remove(0);
        PublicKey {
            pem: block.key.pem,
            spki_sha256: block.key.spki_sha256,
            hash: HashAlgorithm::Sha256,
            certificate,
        }
    }
}

pub(super) fn digest() -> Digest {
    Digest::from_sha256([7; 32])
}

pub(super) fn judge(artifacts: &Artifacts, keys: &[PublicKey], roots: Option<String>) -> Evidence {
    let trust = PolicyTrust {
        authorities: roots,
        ..PolicyTrust::default()
    };
    let root = public_sigstore().unwrap().with_policy(&trust).unwrap();
    verify(artifacts, &digest(), keys, &root, NOW).unwrap()
}

pub(super) fn refused(evidence: &Evidence) -> &str {
    assert!(evidence.signatures.is_empty(), "{evidence:?}");
    reasons(evidence)[0]
}

#[test]
fn a_certificate_of_the_policys_roots_counts() {
    let pki = Pki::new(Fault::None);
    let signed = pki.sign(&digest(), &pki.with_chain());
    let both = format!("{}{}", pki.middle.pem(), pki.root.pem());
    // What issued it is enclosed, or named by the policy.
    for roots in [pki.root.pem(), both, pki.middle.pem()] {
        let evidence = judge(&signed, &[], Some(roots));
        let [signature] = evidence.signatures.as_slice() else {
            panic!("{evidence:?}")
        };
        let Signer::Certificate(identity) = &signature.verified.signer else {
            panic!("a key")
        };
        assert_eq!(identity.subjects, ["builder@example.org"]);
        assert!(!identity.sct_verified && signature.verified.log_entries.is_empty());
    }
    let alone = pki.sign(&digest(), &[("certificate", pki.leaf.clone())]);
    assert!(refused(&judge(&alone, &[], Some(pki.root.pem()))).contains("UnknownIssuer"));
    let other = Pki::new(Fault::None);
    assert!(refused(&judge(&signed, &[], Some(other.root.pem()))).contains("does not chain"));
    // Without roots of a policy only short-lived certificates count, and only at proven times.
    assert!(refused(&judge(&signed, &[], None)).starts_with("no proven time"));
}

#[test]
fn every_certificate_of_the_chain_must_be_good_now() {
    for (fault, says) in [
        (Fault::LeafEnded, "the certificate was not valid"),
        (Fault::MiddleEnded, "CertExpired"),
        (Fault::RootEnded, "the certificate authority was not valid"),
        (Fault::OtherUsage, "RequiredEkuNotFound"),
        (Fault::NoAuthority, "EndEntityUsedAsCa"),
    ] {
        let pki = Pki::new(fault);
        let signed = pki.sign(&digest(), &pki.with_chain());
        let evidence = judge(&signed, &[], Some(pki.root.pem()));
        assert!(refused(&evidence).contains(says), "{says}: {evidence:?}");
    }
    // An ended certificate above one that the policy names as well ends that too.
    let pki = Pki::new(Fault::RootEnded);
    let signed = pki.sign(&digest(), &pki.with_chain());
    let both = format!("{}{}", pki.middle.pem(), pki.root.pem());
    assert!(refused(&judge(&signed, &[], Some(both))).contains("authority was not valid"));
}

#[test]
fn a_certificate_that_the_policy_names_counts_as_its_key() {
    let pki = Pki::new(Fault::None);
    let bare = pki.sign(&digest(), &[]);
    let enclosed = pki.sign(&digest(), &pki.with_chain());
    for signed in [&bare, &enclosed] {
        let evidence = judge(signed, &[pki.named(None)], None);
        let signer = &evidence.signatures[0].verified.signer;
        assert!(matches!(signer, Signer::Key { .. }), "{evidence:?}");
    }
    let other = Pki::new(Fault::None);
    let evidence = judge(&bare, &[other.named(None)], None);
    assert!(refused(&evidence).starts_with("it was not signed by a key"));
}

#[test]
fn a_certificate_with_its_chain_counts_only_while_it_is_valid() {
    let judged = |fault, other_roots: bool| {
        let pki = Pki::new(fault);
        let signed = pki.sign(&digest(), &pki.with_chain());
        let roots = if other_roots {
            Pki::new(Fault::None).root.pem()
        } else {
            format!("{}{}", pki.middle.pem(), pki.root.pem())
        };
        judge(&signed, &[pki.named(Some(pki.leaf.clone()))], Some(roots))
    };
    assert_eq!(judged(Fault::None, false).signatures.len(), 1);
    assert!(refused(&judged(Fault::None, true)).contains("does not chain"));
    assert!(refused(&judged(Fault::LeafEnded, false)).contains("was not valid"));
    assert!(refused(&judged(Fault::MiddleEnded, false)).contains("was not valid"));
    assert!(refused(&judged(Fault::OtherUsage, false)).contains("RequiredEkuNotFound"));
}

#[test]
fn content_and_image_are_bound_as_everywhere() {
    let pki = Pki::new(Fault::None);
    let other = Digest::from_sha256([8; 32]);
    let signed = pki.sign(&other, &pki.with_chain());
    assert!(refused(&judge(&signed, &[], Some(pki.root.pem()))).starts_with("it is about"));
    let mut changed = pki.sign(&digest(), &pki.with_chain());
    let bytes = String::from_utf8(changed.signatures[0].bytes.to_vec()).unwrap();
    changed.signatures[0].bytes = bytes.replace("blue", "gold").into_bytes().into();
    let evidence = judge(&changed, &[], Some(pki.root.pem()));
    assert!(refused(&evidence).starts_with("the signature does not verify"));
}

#[test]
fn keys_of_every_algorithm_verify_what_they_signed() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
        &rcgen::PKCS_RSA_SHA384,
        &rcgen::PKCS_RSA_SHA512,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let text = key.public_key_pem();
        let block = pem::public_keys(text.trim()).unwrap().remove(0);
        let named = |hash| PublicKey {
            pem: block.pem.clone(),
            spki_sha256: block.spki_sha256.clone(),
            hash,
            certificate: None,
        };
        let pki = Pki {
            key,
            ..Pki::new(Fault::None)
        };
        let signed = pki.sign(&digest(), &[]);
        let hash = if algorithm == &rcgen::PKCS_RSA_SHA384 {
            HashAlgorithm::Sha384
        } else {
            HashAlgorithm::Sha512
        };
        let evidence = judge(&signed, &[named(hash)], None);
        assert_eq!(evidence.signatures.len(), 1, "{algorithm:?}: {evidence:?}");
        let mut changed = signed.clone();
        changed.signatures[0].bytes = b"{}".to_vec().into();
        assert_eq!(judge(&changed, &[named(hash)], None).signatures, []);
    }
}
