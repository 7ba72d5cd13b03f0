use serde_json::{Value, json};

use super::*;
use crate::image::evidence::{Format, Verification};

const GITHUB: [(&str, &str); 5] = [
    ("1.3.6.1.4.1.57264.1.12", "https://github.com/acme/app"),
    ("1.3.6.1.4.1.57264.1.13", "c0ffee"),
    ("1.3.6.1.4.1.57264.1.14", "refs/tags/v1"),
    (
        "1.3.6.1.4.1.57264.1.18",
        "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1",
    ),
    ("1.3.6.1.4.1.57264.1.11", "github-hosted"),
];

fn said(predicate_type: &str, predicate: Value, claims: &[(&str, &str)]) -> Slsa {
    let claim = |(oid, value): &(&str, &str)| ((*oid).to_owned(), (*value).to_owned());
    let statement = VerifiedStatement {
        verified: Verification {
            signer: Signer::Certificate(CertificateIdentity {
                issuer: String::new(),
                subjects: Vec::new(),
                extensions: claims.iter().map(claim).collect(),
                sct_verified: true,
                validity: (0, 1),
            }),
            format: Format::Bundle,
            carrier: String::new(),
            log_entries: Vec::new(),
            timestamps: Vec::new(),
        },
        statement_type: String::new(),
        predicate_type: predicate_type.to_owned(),
        predicate: predicate.into(),
        annotations: Value::Null,
        envelope: None,
    };
    Slsa::of(&statement).unwrap()
}

fn v1() -> Value {
    json!({
        "buildDefinition": {
            "externalParameters": {"workflow": {
                "repository": "https://github.com/acme/app",
                "ref": "refs/tags/v1",
                "path": ".github/workflows/release.yml",
            }},
            "resolvedDependencies": [{
                "uri": "git+https://github.com/acme/app@refs/tags/v1",
                "digest": {"gitCommit": "c0ffee"},
            }],
        },
        "runDetails": {"builder": {"id": "https://builder.example"}},
    })
}

fn v02() -> Value {
    json!({
        "builder": {"id": "https://builder.example"},
        "invocation": {"configSource": {
            "uri": "git+https://github.com/acme/app@refs/tags/v1",
            "digest": {"sha1": "c0ffee"},
            "entryPoint": ".github/workflows/release.yml",
        }},
        "materials": [{"uri": "git+https://github.com/acme/app@refs/tags/v1"}],
    })
}

#[test]
fn both_versions_say_the_same() {
    let new = said(PROVENANCE_V1, v1(), &GITHUB);
    assert_eq!(new, said(PROVENANCE_V02, v02(), &GITHUB));
    assert_eq!(new.inconsistency, None);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    assert_eq!(text(&new.source), "https://github.com/acme/app");
    assert_eq!(text(&new.git_ref), "refs/tags/v1");
    assert_eq!(text(&new.workflow), ".github/workflows/release.yml");
    assert!(!new.self_hosted && !new.reusable);
}

#[test]
fn what_the_certificate_claims_must_agree() {
    for (at, other) in [
        (0, "https://github.com/evil/app"),
        (1, "decaf"),
        (2, "refs/heads/main"),
        (
            3,
            "https://github.com/acme/app/.github/workflows/other.yml@x",
        ),
    ] {
        let mut claims = GITHUB;
        claims[at].1 = other;
        for said in [
            said(PROVENANCE_V1, v1(), &claims),
            said(PROVENANCE_V02, v02(), &claims),
        ] {
            let text = said.inconsistency.unwrap();
            assert!(text.contains("but the certificate says"), "{text}");
        }
    }
    // Certificates of before claim the same by other extensions.
    let older = [("1.3.6.1.4.1.57264.1.5", "evil/app")];
    assert!(said(PROVENANCE_V02, v02(), &older).inconsistency.is_some());
    let older = [("1.3.6.1.4.1.57264.1.5", "acme/app")];
    assert_eq!(said(PROVENANCE_V02, v02(), &older).inconsistency, None);
}

#[test]
fn what_was_built_is_what_was_asked_for() {
    let mut other = v1();
    other["buildDefinition"]["resolvedDependencies"][0]["uri"] =
        json!("git+https://github.com/evil/app@refs/tags/v1");
    let text = said(PROVENANCE_V1, other, &[]).inconsistency.unwrap();
    assert!(
        text.contains("it was built from https://github.com/evil/app"),
        "{text}"
    );
    let mut other = v02();
    other["materials"][0]["uri"] = json!("git+https://github.com/evil/app");
    assert!(said(PROVENANCE_V02, other, &[]).inconsistency.is_some());
    for (place, name) in [("", "patch"), ("/workflow", "shell")] {
        let mut more = v1();
        let parameters = format!("/buildDefinition/externalParameters{place}");
        more.pointer_mut(&parameters).unwrap()[name] = json!("x");
        let text = said(PROVENANCE_V1, more, &GITHUB).inconsistency.unwrap();
        assert!(
            text.contains(&format!("external parameter {name}")),
            "{text}"
        );
    }
    let mut more = v02();
    more["invocation"]["parameters"] = json!({"BUILD_ARGS": "x"});
    let text = said(PROVENANCE_V02, more, &GITHUB).inconsistency.unwrap();
    assert!(text.contains("external parameter BUILD_ARGS"), "{text}");
    for (parameters, is_known) in [
        (json!({}), true),
        (Value::Null, true),
        (json!({"inputs": {"a": "b"}}), true),
        (json!(["x"]), false),
        (json!("x"), false),
    ] {
        let (mut new, mut old) = (v1(), v02());
        new["buildDefinition"]["externalParameters"] = parameters.clone();
        old["invocation"]["parameters"] = parameters;
        for said in [
            said(PROVENANCE_V1, new, &GITHUB),
            said(PROVENANCE_V02, old, &GITHUB),
        ] {
            assert_eq!(said.inconsistency.is_none(), is_known, "{said:?}");
        }
    }
    let mut inputs = v1();
    inputs["buildDefinition"]["externalParameters"]["inputs"] = json!({"a": "b"});
    assert_eq!(said(PROVENANCE_V1, inputs, &GITHUB).inconsistency, None);
}

#[test]
fn runners_and_reusable_workflows_are_seen() {
    let mut own = GITHUB;
    own[4].1 = "self-hosted";
    assert!(said(PROVENANCE_V1, v1(), &own).self_hosted);
    let signer = "https://github.com/acme/ci/.github/workflows/build.yml@refs/tags/v3";
    let mut called = GITHUB.to_vec();
    called.push(("1.3.6.1.4.1.57264.1.9", signer));
    assert!(said(PROVENANCE_V1, v1(), &called).reusable);
}

#[test]
fn summaries_say_levels_and_whether_they_passed() {
    let summary = |result: &str| {
        let levels = ["SLSA_BUILD_LEVEL_2", "SLSA_SOURCE_LEVEL_3", "FEDRAMP"];
        let predicate = json!({"verificationResult": result, "verifiedLevels": levels});
        said(SUMMARY_V1, predicate, &[])
    };
    assert!(summary("PASSED").passed && summary("PASSED").levels == [2]);
    assert!(!summary("FAILED").passed && !summary("passed").passed);
}

#[test]
fn repositories_are_read_however_they_are_written() {
    let of = |uri: &str| repository(Some(uri.to_owned()));
    let expected = (
        Some("https://github.com/a/b".to_owned()),
        Some("refs/heads/x".to_owned()),
    );
    assert_eq!(of("git+https://github.com/a/b@refs/heads/x"), expected);
    assert_eq!(of("git+https://github.com/a/b.git@refs/heads/x"), expected);
    assert_eq!(of("https://github.com/a/b/").0, expected.0);
    // What stands before the host is part of the address.
    assert_eq!(of("git+https://me@host/a").1.as_deref(), Some("host/a"));
}
