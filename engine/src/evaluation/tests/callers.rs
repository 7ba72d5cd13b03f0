//! Provenance without attestors: who called the builder that signed it.

use super::attestors::{fails, passes, policy};
use super::images::{evidence, signature};
use super::provenance::{CALLER, GENERATOR, ISSUER, V1, claim, provenance};
use super::*;
use crate::image::evidence::Signer;

/// What the certificate of a builder says of its caller is compared as that of a signature is; what it says of the
/// workflow that signs is about the builder itself.
#[test]
fn extensions_are_asked_of_who_called_the_builder() {
    let demanding = |beside: &Value| {
        let keyless = json!({
            "issuer": ISSUER, "subject": "https://github.com/acme/*",
            "additionalExtensions": {
                "githubWorkflowRef": "refs/heads/main", "githubWorkflowTrigger": "push",
                "buildSignerURI": "https://github.com/acme/*", "buildSignerDigest": "c0ffee",
            },
        });
        let mut entry = json!({"keyless": keyless});
        entry["annotations"] = beside.clone();
        let attestors = json!([{"entries": [entry]}]);
        policy("ClusterPolicy", &attestors, &json!([{"type": V1}]))
    };
    let called = |git_ref: &str, trigger: &str| {
        let mut one = provenance(V1, GENERATOR, GENERATOR);
        claim(&mut one, "2", trigger);
        claim(&mut one, "6", git_ref);
        claim(&mut one, "9", GENERATOR);
        let mut signature = signature(CALLER);
        signature.annotations = json!({"team": "blue"});
        if let Signer::Certificate(identity) = &mut signature.verified.signer {
            for (number, value) in [
                ("2", "push"),
                ("6", "refs/heads/main"),
                ("9", CALLER),
                ("10", "c0ffee"),
            ] {
                let oid = format!("1.3.6.1.4.1.57264.1.{number}");
                identity.extensions.insert(oid, value.to_owned());
            }
        }
        evidence(vec![signature], vec![one])
    };
    let demanded = demanding(&json!({}));
    passes(&demanded, &called("refs/heads/main", "push"));
    fails(
        &demanded,
        &called("refs/heads/evil", "push"),
        "called otherwise than is asked for: extension githubWorkflowRef mismatch",
    );
    fails(
        &demanded,
        &called("refs/heads/main", "pull_request"),
        "extension githubWorkflowTrigger mismatch: expected push, received pull_request",
    );
    // Builders write no annotations: they are the signature's.
    let annotated = demanding(&json!({"team": "blue"}));
    passes(&annotated, &called("refs/heads/main", "push"));
}
