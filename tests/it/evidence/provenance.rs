//! The reference policy's story: the evidence of each image is what the story says of it. What follows from it is the policy's.

use regent_engine::image::Evidence;
use regent_engine::image::evidence::{CertificateIdentity, Signer};

use super::material::Sample;

const SET: &str = "conformance/provenance";
const GENERATOR: &str = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/";
const V1: &str = "https://slsa.dev/provenance/v1";
const V02: &str = "https://slsa.dev/provenance/v0.2";

fn identity(signer: &Signer) -> &CertificateIdentity {
    match signer {
        Signer::Certificate(identity) => identity,
        Signer::Key { .. } => panic!("signed by a key"),
    }
}

/// Who signed the image.
fn signers(evidence: &Evidence) -> Vec<&str> {
    let signatures = evidence.signatures.iter();
    signatures
        .flat_map(|s| &identity(&s.verified.signer).subjects)
        .map(String::as_str)
        .collect()
}

/// Type, signer and builder of each statement.
fn statements(evidence: &Evidence) -> Vec<(&str, &str, String)> {
    let mut found = Vec::new();
    for statement in &evidence.statements {
        let predicate = statement.predicate.value().unwrap();
        let builder = predicate.pointer("/builder/id");
        let builder = builder.or(predicate.pointer("/runDetails/builder/id"));
        let subject = identity(&statement.verified.signer).subjects[0].as_str();
        found.push((
            statement.predicate_type.as_str(),
            subject,
            builder.unwrap().as_str().unwrap().to_owned(),
        ));
    }
    found.sort_unstable();
    found
}

#[test]
fn each_image_has_the_evidence_of_its_story() {
    let Some(path) = regent_tests::shared_path(SET) else {
        return;
    };
    let samples = Sample::read_all(&path);
    assert_eq!(samples.len(), 24);
    for sample in &samples {
        check(sample);
    }
    regent_tests::record("provenance layouts verified", samples.len(), 24);
}

fn check(sample: &Sample) {
    let name = sample.name.as_str();
    let evidence = sample.verify();
    // All of it has correct signatures: what is wrong is who signed, what is said, or what is missing.
    assert_eq!(evidence.refused, [], "{name}");
    let story = name
        .strip_suffix("-bundle")
        .or(name.strip_suffix("-legacy"))
        .unwrap();
    let org = "https://github.com/your-org/app/.github/workflows/build-with-provenance.yml@refs/heads/main";
    let signers = signers(&evidence);
    match story {
        "unsigned" => assert!(signers.is_empty(), "{name}"),
        "foreign-signature" | "lookalike-signature" => assert_ne!(signers, [org], "{name}"),
        _ => assert_eq!(signers, [org], "{name}"),
    }
    let (two, one_nine) = (format!("{GENERATOR}v2.0.0"), format!("{GENERATOR}v1.9.0"));
    let (two, one_nine) = (two.as_str(), one_nine.as_str());
    let statements = statements(&evidence);
    let statements = statements.iter();
    let statements: Vec<_> = statements
        .map(|(kind, signer, builder)| (*kind, *signer, builder.as_str()))
        .collect();
    let expected: &[(&str, &str, &str)] = match story {
        "no-provenance" => &[],
        "right-v02" => &[(V02, two, two)],
        "handwritten" => &[(V1, org, two)],
        "other-builder" => &[(V1, one_nine, one_nine)],
        "builder-not-signer" => &[(V1, one_nine, two)],
        "one-bad-of-two" => &[(V1, one_nine, one_nine), (V1, two, two)],
        "shadowed" => &[(V02, two, two), (V1, one_nine, one_nine)],
        _ => &[(V1, two, two)],
    };
    assert_eq!(statements, expected, "{name}");
    let source = |extension: &str| {
        let statement = evidence.statements.first()?;
        identity(&statement.verified.signer)
            .extensions
            .get(extension)
            .cloned()
    };
    if story == "foreign-source" {
        let source = source("1.3.6.1.4.1.57264.1.12").unwrap();
        assert!(
            !source.starts_with("https://github.com/your-org/"),
            "{source}"
        );
    }
}
