//! Signatures of the Notary Project: what the real `notation` wrote, changed byte by byte, and envelopes made here with one
//! thing wrong each.

pub(super) mod authority;
mod brought;
mod made;
mod stamped;

use regent_engine::image::evidence::{Format, Signer};
use regent_engine::image::{Digest, Evidence, PolicyTrust};
use regent_server::image::artifact::Artifacts;
use regent_server::image::discovery::{Budget, Origin, Wanted, discover};
use regent_server::image::layout::Layouts;
use regent_server::image::trust::{TrustRoot, public_sigstore};
use regent_server::image::verify::verify;
use regent_tests::workspace;

use super::material::reasons;
use made::{Envelope, Fault, Pki};

/// The image of the layout.
const IMAGE: &str = "sha256:418c30b6638cf7fbd7f8851059845330db9053d7b6b20a2b31259e37fe39a801";
/// Some hours after it was signed; the certificates end in a hundred years.
const NOW: u64 = 1_795_900_000;

fn file(name: &str) -> String {
    std::fs::read_to_string(workspace().join("tests/notary").join(name)).unwrap()
}

/// A trust root whose trust store is some certificates.
fn trusting(certificates: &str) -> TrustRoot {
    let trust = PolicyTrust {
        trust_store: Some(certificates.to_owned()),
        ..PolicyTrust::default()
    };
    public_sigstore().unwrap().with_policy(&trust).unwrap()
}

fn recorded() -> Artifacts {
    discovered("tests/notary/layout")
}

/// The signatures of the image in a layout.
fn discovered(layout: &str) -> Artifacts {
    let layouts = Layouts::open(&[workspace().join(layout)]).unwrap();
    let digest = Digest::parse(IMAGE).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let asked = (&digest, Wanted::Notary);
    runtime
        .block_on(discover(Origin::Layouts(&layouts), asked, &Budget::alone()))
        .unwrap()
}

fn judge(artifacts: &Artifacts, root: &TrustRoot) -> Evidence {
    verify(artifacts, &Digest::parse(IMAGE).unwrap(), &[], root, NOW).unwrap()
}

#[test]
fn what_notation_signed_verifies() {
    let artifacts = recorded();
    assert_eq!(artifacts.notary.len(), 4);
    let evidence = judge(&artifacts, &trusting(&file("root.crt")));
    assert_eq!(evidence.signatures.len(), 4, "{:?}", evidence.refused);
    for signature in &evidence.signatures {
        assert_eq!(signature.verified.format, Format::Notary);
        let Signer::Certificate(identity) = &signature.verified.signer else {
            panic!("a key")
        };
        assert!(identity.subjects[0].contains("CN=leaf"), "{identity:?}");
    }
    // Of two signers the policy may trust one.
    let evidence = judge(&artifacts, &trusting(&file("ec.crt")));
    assert_eq!(evidence.signatures.len(), 2);
    assert_eq!(reasons(&evidence).len(), 2);
    assert!(reasons(&evidence)[0].contains("is one that the policy names"));
}

/// Without a trust store nothing is trusted, whatever else the trust root has.
#[test]
fn nobody_is_trusted_who_is_not_named() {
    let evidence = judge(&recorded(), &public_sigstore().unwrap());
    assert!(evidence.signatures.is_empty());
    assert_eq!(evidence.refused.len(), 4);
    let other = Pki::new(Fault::None);
    assert!(
        judge(&recorded(), &trusting(&other.root_pem()))
            .signatures
            .is_empty()
    );
}

/// Another image, and the same one by another description.
#[test]
fn it_is_about_one_image_as_it_is_described() {
    let root = trusting(&file("root.crt"));
    let artifacts = recorded();
    let other = Digest::from_sha256([9; 32]);
    let evidence = verify(&artifacts, &other, &[], &root, NOW).unwrap();
    assert!(evidence.signatures.is_empty());
    assert!(
        reasons(&evidence)
            .iter()
            .all(|reason| reason.contains("not about this image"))
    );
    for change in [0, 1, 2] {
        let mut artifacts = artifacts.clone();
        let shape = artifacts.shape.as_mut().unwrap();
        match change {
            0 => shape.size += 1,
            1 => "application/vnd.oci.image.index.v1+json".clone_into(&mut shape.media_type),
            _ => artifacts.shape = None,
        }
        assert!(judge(&artifacts, &root).signatures.is_empty(), "{change}");
    }
}

/// Every byte counts, but for those that say which program signed.
#[test]
fn a_byte_that_changes_refuses_or_changes_nothing() {
    let root = trusting(&file("root.crt"));
    let whole = recorded();
    for (index, artifact) in whole.notary.iter().enumerate() {
        let one = |bytes: Vec<u8>| {
            let mut changed = artifact.clone();
            changed.bytes = bytes.into();
            let artifacts = Artifacts {
                notary: vec![changed],
                shape: whole.shape.clone(),
                ..Artifacts::default()
            };
            judge(&artifacts, &root)
        };
        let bytes = artifact.bytes.to_vec();
        let before = one(bytes.clone()).signatures;
        let mut accepted = 0;
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let after = one(changed).signatures;
            if !after.is_empty() {
                assert_eq!(after, before, "{index}: byte {at}");
                accepted += 1;
            }
        }
        // The name of the agent, and its label.
        assert!(accepted < 100, "{index}: {accepted} bytes may change");
        for end in 0..bytes.len() {
            assert!(
                one(bytes[..end].to_vec()).signatures.is_empty(),
                "{index}: {end} bytes"
            );
        }
    }
}

#[test]
fn each_thing_that_is_wrong_is_refused_for_its_own_reason() {
    for cose in [false, true] {
        for (fault, reason) in made::FAULTS {
            let pki = Pki::new(fault);
            let artifacts = Envelope::of(&pki, fault).artifacts(cose);
            let evidence = judge(&artifacts, &trusting(&pki.root_pem()));
            if fault == Fault::None || fault == Fault::AuthorityTime {
                assert_eq!(
                    evidence.signatures.len(),
                    1,
                    "{cose} {:?}",
                    evidence.refused
                );
                continue;
            }
            assert!(evidence.signatures.is_empty(), "{cose} {fault:?}");
            let found = reasons(&evidence)[0];
            assert!(found.contains(reason), "{cose} {fault:?}: {found}");
        }
    }
}

/// A chain is verified once under a trust root, and counts at no time at which a part of it is not valid.
#[test]
fn a_remembered_chain_is_looked_at_anew_once_it_has_ended() {
    let pki = Pki::new(Fault::None);
    let root = trusting(&pki.root_pem());
    let artifacts = Envelope::of(&pki, Fault::None).artifacts(false);
    let at = |now| {
        let digest = Digest::parse(IMAGE).unwrap();
        let evidence = verify(&artifacts, &digest, &[], &root, now).unwrap();
        evidence.signatures.len()
    };
    let ages = 1_000 * 365 * 86_400;
    assert_eq!([at(NOW), at(NOW + ages), at(0), at(NOW)], [1, 0, 0, 1]);
}

/// What is no envelope at all, or of another kind.
#[test]
fn garbage_is_refused() {
    let root = trusting(&file("root.crt"));
    for media_type in [
        "application/jose+json",
        "application/cose",
        "application/json",
        "",
    ] {
        for bytes in [
            &b""[..],
            b"{}",
            b"\xd2\x84",
            b"\xd2\x9f",
            &[0xff; 64],
            &[0x9f; 4096],
        ] {
            let mut artifacts = recorded();
            artifacts.notary.truncate(1);
            media_type.clone_into(&mut artifacts.notary[0].media_type);
            artifacts.notary[0].bytes = bytes.to_vec().into();
            let evidence = judge(&artifacts, &root);
            assert_eq!(reasons(&evidence).len(), 1);
        }
    }
}
