//! Expressions and names that take other engines for ever: who signed is compared in time that is linear in both.

use super::attestors::{diagnostics, fails, passes, policy};
use super::images::{evidence, signature};
use super::*;
use crate::image::evidence::Signer;

const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// As long as a name of a certificate may be.
const LENGTH: usize = 8 << 10;

fn keyless(fields: &Value) -> String {
    let attestors = json!([{"entries": [{"keyless": fields}]}]);
    policy("ClusterPolicy", &attestors, &json!([]))
}

/// An engine that goes back would need more than 2^8000 steps for most of these; this test ends.
#[test]
fn expressions_meant_to_blow_up_are_compared_in_linear_time() {
    let long = format!("{}!", "a".repeat(LENGTH - 1));
    for expression in [
        "^(a+)+$",
        "^(a|a)*$",
        "^(a|aa)+$",
        "^(a*)*b$",
        "^([a-zA-Z]+)*$",
        "^(.*a){20}$",
        "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)[^a!]",
        "(a+a+)+b",
        "^(((a+)+)+)+$",
    ] {
        let of_subject = json!({"issuer": ISSUER, "subjectRegExp": expression});
        let signed = evidence(vec![signature(&long)], vec![]);
        fails(&keyless(&of_subject), &signed, "subject mismatch");
        let mut by_issuer = signature("builder");
        if let Signer::Certificate(identity) = &mut by_issuer.verified.signer {
            identity.issuer.clone_from(&long);
        }
        let signed = evidence(vec![by_issuer], vec![]);
        let of_issuer = json!({"issuerRegExp": expression, "subject": "builder"});
        fails(&keyless(&of_issuer), &signed, "issuer mismatch");
    }
    // They are not simply refused: what matches does.
    let fits = "a".repeat(LENGTH);
    for expression in ["^(a+)+$", "^(a|aa)+$", "^(.*a){20}$"] {
        let of_subject = json!({"issuer": ISSUER, "subjectRegExp": expression});
        let signed = evidence(vec![signature(&fits)], vec![]);
        passes(&keyless(&of_subject), &signed);
    }
}

/// Wildcards of a subject are no expressions, and blow up as little.
#[test]
fn wildcards_meant_to_blow_up_are_compared_in_time() {
    let long = format!("{}!", "a".repeat(LENGTH - 1));
    for subject in [
        "a*a*a*a*a*a*a*a*a*a*b",
        "*a*a*a*a*a*a*a*a*a*a*a*b",
        "*?*?*?*?*?*?*b",
    ] {
        let of_subject = json!({"issuer": ISSUER, "subject": subject});
        let signed = evidence(vec![signature(&long)], vec![]);
        fails(&keyless(&of_subject), &signed, "subject mismatch");
    }
}

/// What would take much memory to compile is refused when it is loaded.
#[test]
fn expressions_that_are_too_large_are_refused_at_load() {
    for expression in [
        "((a{1000}){1000}){1000}",
        "(((((\\pL{50}){50}){50}){50}){50})",
    ] {
        let said = diagnostics(&keyless(
            &json!({"issuer": ISSUER, "subjectRegExp": expression}),
        ));
        let is_said = |one: &String| one.contains("does not compile");
        assert!(said.iter().any(is_said), "{expression}: {said:?}");
    }
}
