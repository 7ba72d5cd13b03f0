//! `validate` of `verifyImages`: what attestations say together, by their names.

use super::attestors::{diagnostics, judge};
use super::images::{evidence, signature, statement};
use super::*;

const SIGNER: &str = "https://git.example/acme/app/.github/workflows/release.yml@refs/heads/main";

fn keyless() -> Value {
    json!([{"entries": [{"keyless": {
        "issuer": "https://token.actions.githubusercontent.com", "subject": "https://git.example/acme/*",
    }}]}])
}

/// Two named attestations, and what is denied of them.
fn policy(validate: &Value, annotations: &Value) -> String {
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
        "metadata": {"name": "scanned", "annotations": annotations},
        "spec": {"validationFailureAction": "Enforce", "rules": [{
            "name": "scanned",
            "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "verifyImages": [{
                "imageReferences": ["registry.example/*"],
                "attestations": [
                    {"name": "bom", "type": "https://example.com/bom", "attestors": keyless()},
                    {"name": "scan", "type": "https://example.com/scan", "attestors": keyless(),
                     "conditions": [{"all": [{"key": "{{ done }}", "operator": "Equals", "value": true}]}]},
                ],
                "validate": validate,
            }],
        }]},
    })
    .to_string()
}

fn differs() -> Value {
    json!({
        "message": "bom {{ bom.of }} and scan {{ scan.of }} differ",
        "deny": {"conditions": {"any": [{
            "key": "{{ bom.of }}", "operator": "NotEquals", "value": "{{ scan.of }}", "message": "of {{ image.name }}",
        }]}},
    })
}

fn said(name: &str, predicate: Value) -> VerifiedStatement {
    let mut statement = statement(&format!("https://example.com/{name}"), "", SIGNER);
    statement.predicate = predicate.into();
    statement
}

fn bom(of: &str) -> VerifiedStatement {
    said("bom", json!({"of": of}))
}

fn scan(of: &str, done: bool) -> VerifiedStatement {
    said("scan", json!({"of": of, "done": done}))
}

fn verdict(policy: &str, statements: Vec<VerifiedStatement>) -> (RuleStatus, String) {
    let evidence = evidence(vec![signature(SIGNER)], statements);
    let (status, message, _) = judge(policy, &evidence, None);
    (status, message)
}

#[test]
fn what_attestations_say_together_is_denied_or_not() {
    let policy = policy(&differs(), &json!({}));
    let (status, message) = verdict(&policy, vec![bom("a"), scan("a", true)]);
    assert_eq!(status, RuleStatus::Pass, "{message}");
    let (status, message) = verdict(&policy, vec![bom("a"), scan("b", true)]);
    assert_eq!(status, RuleStatus::Fail, "{message}");
    let wanted = "failed to verify image registry.example/app:v1: validation in verifyImages failed: bom a and scan b differ; of app";
    assert_eq!(message, wanted);
}

#[test]
fn attestations_come_first() {
    let policy = policy(&differs(), &json!({}));
    let (status, message) = verdict(&policy, vec![bom("a")]);
    assert_eq!(status, RuleStatus::Fail);
    assert!(message.contains("attestations not found"), "{message}");
    let (status, message) = verdict(&policy, vec![bom("a"), scan("b", false)]);
    assert_eq!(status, RuleStatus::Fail);
    assert!(message.contains("attestation checks failed"), "{message}");
}

#[test]
fn no_choice_of_statements_may_be_denied() {
    let all = policy(&differs(), &json!({}));
    let both = || vec![bom("a"), bom("b"), scan("a", true)];
    assert_eq!(verdict(&all, both()).0, RuleStatus::Fail);
    let any = policy(&differs(), &json!({"regent.dev/attestations": "any"}));
    assert_eq!(verdict(&any, both()).0, RuleStatus::Pass);
    let neither = vec![bom("b"), bom("c"), scan("a", true)];
    assert_eq!(verdict(&any, neither).0, RuleStatus::Fail);
    // One whose conditions do not hold is not chosen.
    let unfinished = vec![bom("b"), scan("a", true), scan("b", false)];
    assert_eq!(verdict(&any, unfinished).0, RuleStatus::Fail);

    let at = |mut one: VerifiedStatement, time| {
        if let Signer::Certificate(identity) = &mut one.verified.signer {
            identity.validity = (time, time + 600);
        }
        one
    };
    let latest = policy(&differs(), &json!({"regent.dev/attestations": "latest"}));
    let newer = || vec![at(bom("b"), 1), at(bom("a"), 2), at(scan("a", true), 1)];
    assert_eq!(verdict(&latest, newer()).0, RuleStatus::Pass);
    let older = vec![at(bom("a"), 1), at(bom("b"), 2), at(scan("a", true), 1)];
    assert_eq!(verdict(&latest, older).0, RuleStatus::Fail);

    let many: Vec<_> = (0..9).map(|_| bom("a")).collect();
    let scans: Vec<_> = (0..9).map(|_| scan("a", true)).collect();
    let (status, message) = verdict(&all, many.into_iter().chain(scans).collect());
    assert_eq!(status, RuleStatus::Fail, "{message}");
    assert!(message.contains("more than 64 choices"), "{message}");
}

/// Whoever makes an image has a say in how large what is said of it becomes.
#[test]
fn a_statement_that_was_too_large_to_be_read_may_be_the_one_that_counts() {
    let mut evidence = evidence(vec![signature(SIGNER)], vec![bom("a"), scan("a", true)]);
    for (word, is_read, is_unread) in [
        ("all", RuleStatus::Pass, RuleStatus::Fail),
        ("latest", RuleStatus::Pass, RuleStatus::Fail),
        ("any", RuleStatus::Pass, RuleStatus::Pass),
    ] {
        let policy = policy(&differs(), &json!({"regent.dev/attestations": word}));
        evidence.has_unread = false;
        assert_eq!(judge(&policy, &evidence, None).0, is_read, "{word}");
        evidence.has_unread = true;
        let (status, message, _) = judge(&policy, &evidence, None);
        assert_eq!(status, is_unread, "{word} {message}");
        assert_eq!(message.contains("too large to be read"), word != "any");
    }
}

#[test]
fn what_cannot_be_judged_is_refused_and_no_conditions_deny_everything() {
    let policy_of =
        |conditions: Value| policy(&json!({"deny": {"conditions": conditions}}), &json!({}));
    let good = || vec![bom("a"), scan("a", true)];
    let missing =
        policy_of(json!({"any": [{"key": "{{ bom.no }}", "operator": "Equals", "value": "x"}]}));
    let (status, message) = verdict(&missing, good());
    assert_eq!(status, RuleStatus::Fail, "{message}");
    assert!(message.contains("Unknown key \"no\" in path"), "{message}");
    let everything = policy(&json!({"deny": {}}), &json!({}));
    let (status, message) = verdict(&everything, good());
    assert_eq!(status, RuleStatus::Fail);
    assert!(
        message.ends_with("its attestations are denied"),
        "{message}"
    );
}

#[test]
fn a_name_that_no_attestation_has_is_refused_at_load() {
    let conditions =
        json!({"any": [{"key": "{{ other.of }}", "operator": "Equals", "value": "x"}]});
    let said = diagnostics(&policy(
        &json!({"deny": {"conditions": conditions}}),
        &json!({}),
    ));
    assert!(
        said.contains(&"nothing sets the name `other`".to_owned()),
        "{said:?}"
    );
}
