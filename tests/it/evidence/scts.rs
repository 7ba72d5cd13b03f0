//! Timestamps of certificate logs inside of certificates: several, of logs that are known and of others, and what is wrong
//! with them.

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use regent_engine::image::PolicyTrust;
use regent_engine::image::evidence::Signer;
use regent_server::image::trust::{public_sigstore, sha256};
use regent_server::image::verify::verify;

use super::certified::{Pki, digest};

/// 2026-11-27.
const NOW: u64 = 1_795_737_600;

/// A timestamp in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sct {
    /// By a log that the policy names.
    Known,
    /// By the other one that it names.
    Other,
    /// By a log that nobody knows.
    Unknown,
    /// By a known one, and its signature was changed.
    Broken,
    /// By a known one, about another certificate.
    Borrowed,
    /// By a known one, about the same certificate of another issuer.
    OtherIssuer,
    /// By a known one, in a version that there is not yet.
    Version2,
    /// By a known one, with extensions, as logs of the newer kind write them.
    Extended,
    /// The same, and the extensions were changed.
    OtherExtensions,
}

use Sct::{
    Borrowed, Broken, Extended, Known, Other, OtherExtensions, OtherIssuer, Unknown, Version2,
};

struct Logs {
    known: KeyPair,
    other: KeyPair,
    unknown: KeyPair,
}

impl Logs {
    fn new() -> Self {
        let [known, other, unknown] = [(); 3].map(|()| KeyPair::generate().unwrap());
        Self {
            known,
            other,
            unknown,
        }
    }

    /// One timestamp, as RFC 6962 has it.
    fn stamp(&self, sct: Sct, part: &[u8], issuer: &[u8]) -> Vec<u8> {
        let log = match sct {
            Other => &self.other,
            Unknown => &self.unknown,
            _ => &self.known,
        };
        let part = match sct {
            Borrowed => [part, b"x"].concat(),
            _ => part.to_vec(),
        };
        let issuer = match sct {
            OtherIssuer => sha256(b"another key"),
            _ => sha256(issuer),
        };
        let time = 1_795_737_000_123_u64.to_be_bytes();
        // The index of the entry in five bytes.
        let [signed_extensions, extensions] = match sct {
            Extended => [[0, 0, 5, 0, 0, 0, 0, 7], [0, 0, 5, 0, 0, 0, 0, 7]],
            OtherExtensions => [[0, 0, 5, 0, 0, 0, 0, 7], [0, 0, 5, 0, 0, 0, 0, 8]],
            _ => [[0; 8]; 2],
        };
        let length_of = if signed_extensions == [0; 8] { 0 } else { 8 };
        let extended = |bytes: [u8; 8]| prefixed(&bytes[..length_of]);
        let length = u32::try_from(part.len()).unwrap().to_be_bytes();
        let signed = [
            &[0, 0],
            &time[..],
            &[0, 1],
            &issuer,
            &length[1..],
            &part,
            &extended(signed_extensions),
        ];
        let mut signature = log.sign(&signed.concat()).unwrap();
        if sct == Broken {
            *signature.last_mut().unwrap() ^= 1;
        }
        let version = u8::from(sct == Version2);
        let id = sha256(&log.subject_public_key_info());
        let of_signature = u16::try_from(signature.len()).unwrap().to_be_bytes();
        let one = [
            &[version],
            &id[..],
            &time,
            &extended(extensions),
            &[4, 3],
            &of_signature,
            &signature,
        ];
        prefixed(&one.concat())
    }

    /// Whether a certificate with these timestamps counts as logged.
    fn are_enough(&self, scts: &[Sct], spoil: impl FnOnce(&mut Vec<u8>)) -> bool {
        let pki = Pki::logged(|part, issuer| {
            let stamps = scts.iter().map(|sct| self.stamp(*sct, part, issuer));
            let mut list = prefixed(&stamps.collect::<Vec<_>>().concat());
            spoil(&mut list);
            list
        });
        let logs = [&self.known, &self.other].map(KeyPair::public_key_pem);
        let trust = PolicyTrust {
            authorities: Some(pki.root.pem()),
            certificate_logs: Some(logs.concat()),
            ..PolicyTrust::default()
        };
        let root = public_sigstore().unwrap().with_policy(&trust).unwrap();
        let signed = pki.sign(&digest(), &pki.with_chain());
        let evidence = verify(&signed, &digest(), &[], &root, NOW).unwrap();
        let [signature] = &evidence.signatures[..] else {
            panic!("{scts:?} {:?}", evidence.refused)
        };
        let Signer::Certificate(identity) = &signature.verified.signer else {
            panic!("a key")
        };
        identity.sct_verified
    }
}

/// With its length before it.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], bytes].concat()
}

/// `sigstore-verify` refuses a certificate with two (gap 7): one of a log that is known is enough, wherever it stands.
#[test]
fn gap_7_one_timestamp_of_a_known_log_is_enough_among_several() {
    let logs = Logs::new();
    for scts in [
        &[Known][..],
        &[Other],
        &[Known, Other],
        &[Known, Known],
        &[Known, Unknown],
        &[Unknown, Known],
        &[Broken, Known],
        &[Borrowed, Other],
        &[Version2, Known],
        &[Extended],
        &[OtherExtensions, Known],
    ] {
        assert!(logs.are_enough(scts, |_| {}), "{scts:?}");
    }
}

#[test]
fn a_certificate_is_not_logged_by_a_timestamp_that_is_wrong() {
    let logs = Logs::new();
    for scts in [
        &[][..],
        &[Unknown],
        &[Unknown, Unknown],
        &[Broken],
        &[Borrowed],
        &[OtherIssuer],
        &[Version2],
        &[OtherExtensions],
        &[Broken, Borrowed, OtherIssuer, Unknown, Version2],
    ] {
        assert!(!logs.are_enough(scts, |_| {}), "{scts:?}");
    }
    // A list that has not one reading says nothing, whatever is in it.
    let spoils: [fn(&mut Vec<u8>); 4] = [
        |list| list.push(0),
        |list| list.truncate(list.len() - 1),
        |list| list[1] ^= 1,
        |list| list[3] ^= 1,
    ];
    for (index, spoil) in spoils.into_iter().enumerate() {
        assert!(!logs.are_enough(&[Known], spoil), "{index}");
    }
}
