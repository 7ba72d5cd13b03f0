//! sigstore-conformance's bundles: what must verify does, what must fail does so for its own reason.

use std::fs;
use std::path::Path;

use regent_engine::image::{Digest, Evidence};
use regent_server::image::artifact::{Artifacts, BundleArtifact};
use regent_server::image::trust::{TrustRoot, public_sigstore, sha256};
use regent_server::image::verify::verify;
use serde_json::{Value, json};

use super::material::{edited_bundle, public_key};

/// The reason that each failing case must be refused for.
const REASONS: [(&str, &str); 21] = [
    (
        "bundle-from-wrong-instance_fail",
        "the trust root does not know the log `d32f30a3",
    ),
    (
        "bundle-invalid-base64-signature_fail",
        "the signature is malformed",
    ),
    (
        "bundle-unknown-version_fail",
        "media type `application/vnd.dev.sigstore.bundle+json;version=99.9` is not known",
    ),
    (
        "bundle-with-root-cert_fail",
        "the bundle encloses a root certificate",
    ),
    (
        "checkpoint-bad-keyhint_fail",
        "the checkpoint has no signature of the log `https://rekor.sigstore.dev`",
    ),
    (
        "checkpoint-wrong-roothash_fail",
        "the checkpoint is of another tree than the inclusion proof",
    ),
    (
        "dsse-invalid-sig_fail",
        "the signature does not verify with the certificate's key",
    ),
    (
        "inclusion-proof-corrupted-hash_fail",
        "the inclusion proof does not verify: root hash mismatch",
    ),
    (
        "incorrect-public-key_fail",
        "the log entry is of another signer",
    ),
    (
        "integrated-time-in-future_fail",
        "the certificate was not valid at the proven time 1778168051",
    ),
    (
        "intoto-expired-certificate_fail",
        "the certificate was not valid at the proven time 1675209600",
    ),
    (
        "intoto-log-entry-mismatch_fail",
        "the log entry is of another signature",
    ),
    (
        "intoto-missing-inclusion-proof_fail",
        "the log entry has no inclusion proof",
    ),
    (
        "intoto-tsa-timestamp-outside-cert-validity_fail",
        "the certificate was not valid at the proven time 1675296000",
    ),
    (
        "message-digest-mismatch_fail",
        "it is about `SHA2_256:a1cfc712",
    ),
    (
        "rekor2-checkpoint-no-matching-signature_fail",
        "the checkpoint's origin `log2025-alpha1.rekor.github.dev` is not that of the log",
    ),
    (
        "rekor2-dsse-mismatch-envelope_fail",
        "the log entry is of another content",
    ),
    (
        "rekor2-dsse-mismatch-sig_fail",
        "the log entry is of another signature",
    ),
    (
        "set-invalid-signature_fail",
        "the signed entry timestamp does not verify with the key of the log",
    ),
    (
        "signature-mismatch_fail",
        "the signature does not verify with the certificate's key",
    ),
    (
        "wrong-hashedrekord-entry_fail",
        "the log entry is of another content",
    ),
];

#[test]
fn the_conformance_bundles_are_judged_as_they_say() {
    let Some(path) = regent_tests::shared_path("conformance/sigstore-bundles") else {
        return;
    };
    let mut cases: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let outcome = judge(case, &path.join("a.txt"));
        let reason = REASONS
            .iter()
            .find(|(case, _)| *case == name)
            .map(|(_, reason)| *reason);
        let right = match (&outcome, reason) {
            (Ok(()), None) => !name.ends_with("_fail"),
            (Err(said), Some(reason)) => said.contains(reason),
            (Ok(()), Some(_)) | (Err(_), None) => false,
        };
        if !right {
            wrong.push(format!("{name}: {outcome:?}, expected {reason:?}"));
        }
    }
    regent_tests::record("sigstore bundles", cases.len() - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judge(case: &Path, usual: &Path) -> Result<(), String> {
    judge_edited(case, usual, |_| {})
}

fn judge_edited(case: &Path, usual: &Path, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
    let own = case.join("artifact");
    let artifact = fs::read(if own.exists() { own.as_path() } else { usual }).unwrap();
    let digest = Digest::parse(&format!("sha256:{}", hex::encode(sha256(&artifact)))).unwrap();
    let root = match fs::read_to_string(case.join("trusted_root.json")) {
        Ok(json) => TrustRoot::parse(&json).map_err(|error| error.to_string())?,
        Err(_) => public_sigstore().unwrap(),
    };
    let keys = match fs::read_to_string(case.join("key.pub")) {
        Ok(pem) => vec![public_key(&pem)],
        Err(_) => Vec::new(),
    };
    let artifacts = Artifacts {
        bundles: vec![BundleArtifact {
            manifest: digest.clone(),
            bytes: fs::read(case.join("bundle.sigstore.json")).unwrap().into(),
        }],
        ..Artifacts::default()
    };
    let artifacts = edited_bundle(&artifacts, edit);
    let evidence = verify(&artifacts, &digest, &keys, &root, 0).map_err(|e| e.to_string())?;
    let Evidence {
        signatures,
        statements,
        refused,
        ..
    } = evidence;
    match (signatures.len() + statements.len(), refused.first()) {
        (1, None) => Ok(()),
        (_, refused) => Err(refused.map(|r| r.reason.clone()).unwrap_or_default()),
    }
}

/// Of the first Rekor an entry has two indexes: in the log, and in the tree that the proof is about.
#[test]
fn an_entry_of_a_log_of_several_trees_needs_no_promise_beside_a_timestamp() {
    let Some(path) = regent_tests::shared_path("conformance/sigstore-bundles") else {
        return;
    };
    let judge = |edit: fn(&mut Value)| {
        judge_edited(
            &path.join("managed-key-happy-path"),
            &path.join("a.txt"),
            |bundle| {
                let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
                assert_ne!(entry["logIndex"], entry["inclusionProof"]["logIndex"]);
                edit(entry);
            },
        )
    };
    let promised_no_more = |entry: &mut Value| {
        let members = entry.as_object_mut().unwrap();
        assert!(members.remove("inclusionPromise").is_some());
    };
    assert_eq!(judge(promised_no_more), Ok(()));
    let moved = judge(|entry| {
        entry.as_object_mut().unwrap().remove("inclusionPromise");
        entry["inclusionProof"]["logIndex"] = json!("1");
    });
    assert!(
        moved
            .unwrap_err()
            .contains("the inclusion proof does not verify")
    );
    // What a promise covers counts as it stands.
    let moved = judge(|entry| entry["logIndex"] = json!("1"));
    assert!(
        moved
            .unwrap_err()
            .contains("the signed entry timestamp does not verify")
    );
}

/// Since version 0.3 a bundle has one certificate; what is above it comes from the trust root.
#[test]
fn a_chain_counts_only_in_bundles_that_have_chains() {
    let Some(path) = regent_tests::shared_path("conformance/sigstore-bundles") else {
        return;
    };
    let judge = |media_type: &str| {
        let case = path.join("happy-path-intoto-in-dsse-v3");
        judge_edited(&case, &path.join("a.txt"), |bundle| {
            bundle["mediaType"] = json!(media_type);
            let material = bundle["verificationMaterial"].as_object_mut().unwrap();
            let certificate = material.remove("certificate").unwrap();
            let chain = json!({"certificates": [certificate]});
            material.insert("x509CertificateChain".to_owned(), chain);
        })
    };
    for version in ["0.1", "0.2"] {
        let kind = format!("application/vnd.dev.sigstore.bundle+json;version={version}");
        assert_eq!(judge(&kind), Ok(()));
    }
    for kind in [
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
    ] {
        let refused = judge(kind).unwrap_err();
        assert!(
            refused.starts_with("the bundle has a chain of certificates"),
            "{refused}"
        );
    }
}
