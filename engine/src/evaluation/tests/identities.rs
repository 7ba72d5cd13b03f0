//! Who signed, by every field that a policy may name a certificate with, each wrong by itself.
//!
//! Kyverno did not look at `subjectRegExp` and `issuerRegExp` (CVE-2025-29778): what is written counts, or is refused at load.

use super::attestors::{diagnostics, judge, policy};
use super::images::{evidence, signature, statement};
use super::*;
use crate::image::evidence::{Signer, Verification};

const ISSUER: &str = "https://token.actions.githubusercontent.com";
const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main";
const PREDICATE: &str = "https://example.org/scan/v1";

/// Each field with what fits and what does not.
fn fields() -> [(&'static str, Value, Vec<Value>); 5] {
    let prefix = SUBJECT.trim_end_matches('n');
    let other = SUBJECT.replace("acme", "evil");
    [
        (
            "issuer",
            json!(ISSUER),
            vec![
                json!("https://accounts.example"),
                json!(format!("{ISSUER}/")),
            ],
        ),
        (
            "issuerRegExp",
            json!("^https://token\\.actions\\.githubusercontent\\.com$"),
            vec![json!("^https://token\\.actions$"), json!("^$")],
        ),
        (
            "subject",
            json!(SUBJECT),
            vec![json!(other), json!(prefix), json!(format!("{SUBJECT}2"))],
        ),
        (
            "subjectRegExp",
            json!("^https://github\\.com/acme/app/.+@refs/heads/main$"),
            vec![
                json!("^https://github\\.com/evil/.+$"),
                json!("^.+@refs/tags/.+$"),
                // Two ampersands between brackets are two of one character, and no operation on sets.
                json!("^[^/&&?]+$"),
            ],
        ),
        (
            "additionalExtensions",
            json!({"githubWorkflowRepository": "acme/app"}),
            vec![
                json!({"githubWorkflowRepository": "evil/app"}),
                json!({"githubWorkflowRepository": "acme/app", "githubWorkflowRef": "refs/heads/main"}),
            ],
        ),
    ]
}

/// The certificate says who it is, and which repository.
fn signed(verification: &mut Verification) {
    if let Signer::Certificate(identity) = &mut verification.signer {
        ISSUER.clone_into(&mut identity.issuer);
        let oid = "1.3.6.1.4.1.57264.1.5".to_owned();
        identity.extensions.insert(oid, "acme/app".to_owned());
    }
}

/// What a policy says that names the certificate with some fields, at each place where it can.
fn statuses(keyless: &Value) -> [RuleStatus; 3] {
    let entry = json!({"keyless": keyless});
    let set = json!([{"entries": [entry]}]);
    let nested = json!([{"entries": [{"attestor": {"entries": [entry]}}]}]);
    let attested = json!([{"type": PREDICATE, "attestors": set}]);
    let nothing = json!([]);
    let (mut signature, mut statement) = (
        signature(SUBJECT),
        statement(PREDICATE, "https://builder.example", SUBJECT),
    );
    signed(&mut signature.verified);
    signed(&mut statement.verified);
    let evidence = evidence(vec![signature], vec![statement]);
    [(&set, &nothing), (&nested, &nothing), (&nothing, &attested)].map(
        |(attestors, attestations)| {
            let policy = policy("ClusterPolicy", attestors, attestations);
            judge(&policy, &evidence, None).0
        },
    )
}

#[test]
fn cve_2025_29778_each_field_of_an_identity_counts() {
    let fields = fields();
    // One of each pair, or both, and with or without extensions.
    for chosen in 0..1_usize << fields.len() {
        let is_chosen = |index: usize| chosen >> index & 1 == 1;
        if !(is_chosen(0) || is_chosen(1)) || !(is_chosen(2) || is_chosen(3)) {
            continue;
        }
        let mut right = json!({});
        for (index, (name, fits, _)) in fields.iter().enumerate() {
            if is_chosen(index) {
                right[*name] = fits.clone();
            }
        }
        assert_eq!(statuses(&right), [RuleStatus::Pass; 3], "{right}");
        for (name, _, wrongs) in &fields {
            for wrong in wrongs.iter().filter(|_| right.get(name).is_some()) {
                let mut one_wrong = right.clone();
                one_wrong[*name] = wrong.clone();
                assert_eq!(statuses(&one_wrong), [RuleStatus::Fail; 3], "{one_wrong}");
            }
        }
    }
}

/// A field that is not known would otherwise be one that nobody looks at.
#[test]
fn a_misspelled_field_of_an_identity_is_refused_at_load() {
    for name in [
        "subjectRegexp",
        "subjectRegex",
        "issuerRegexp",
        "issuerRegEx",
        "additionalExtension",
        "subjects",
    ] {
        let mut keyless = json!({"issuer": ISSUER, "subject": SUBJECT});
        keyless[name] = "^https://github\\.com/acme/.*$".into();
        let set = json!([{"entries": [{"keyless": keyless}]}]);
        let text = policy("ClusterPolicy", &set, &json!([]));
        let said = diagnostics(&text);
        assert!(
            said.iter().any(|one| one.contains(name)),
            "{name}: {said:?}"
        );
        let loaded = load(&[Source::new("policy.yaml", text)], &Environment::default());
        assert!(loaded.policies.policies().is_empty(), "{name}");
    }
}
