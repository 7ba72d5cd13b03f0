//! The same as of recorded layouts, on what a real Sigstore and a real cosign make while the test runs: verdicts equal cosign's.
//!
//! Certificates of somebody's own are `certificates.rs`.

use std::path::Path;

use regent_tests::record;

use super::cosign;
use super::stack::Stack;

/// How a signature is stored and what proves when it was made; with a log, an authority's time, or neither.
const STORED: [(&str, &str); 5] = [
    ("bundle", "v2"),
    ("bundle", "tsa"),
    ("bundle", "none"),
    ("legacy", "tsa"),
    ("legacy", "none"),
];

/// The same with the first Rekor, where the stack has it.
const STORED_IN_FIRST: [(&str, &str); 4] = [
    ("bundle", "v1"),
    ("bundle", "v1-notsa"),
    ("legacy", "v1"),
    ("legacy", "v1-notsa"),
];

/// What cosign says of its own work, where that is not what Regent says.
fn differs(who: &str, format: &str, log: &str, attested: bool) -> Option<&'static str> {
    match (who, format, log, attested) {
        // As long as the certificate is valid now, cosign does not ask when it signed.
        ("keyless", _, "none", _) => Some("cosign accepts, Regent refuses"),
        // The timestamp of an older attestation covers the signature, and cosign looks at the envelope.
        (_, "legacy", "tsa", true) => Some("cosign refuses, Regent accepts"),
        _ => None,
    }
}

/// Where cosign says otherwise than is known, of the signature and of an attestation.
fn disagreements(
    who: &str,
    (format, log): (&str, &str),
    (signed, attested): (bool, bool),
) -> Vec<String> {
    // What Regent says is checked for all at once: it takes everything but what has no proven time.
    let regent = !(who == "keyless" && log == "none");
    let wrong = |(said, attested): &(bool, bool)| {
        let known = differs(who, format, log, *attested);
        (*said != regent) != known.is_some()
    };
    let all = [(signed, false), (attested, true)].into_iter();
    all.filter(wrong)
        .map(|(said, attested)| {
            format!(
                "{who} {format} {log}, attestation {attested}: cosign says {said}, Regent {regent}"
            )
        })
        .collect()
}

/// Makes an image with everything beside it, and says what cosign says of the signature and of an attestation.
fn make(stack: &Stack, who: &str, (format, log): (&str, &str), to: &Path) -> (bool, bool) {
    let environment = [("LOG", log), ("COSIGN", "cosign")];
    let name = format!("cosign-{who}-{format}-{log}");
    let image = stack.must(&environment, &["image", &format!("acme/{name}")]);
    stack.must(&environment, &["sign", &image, who, format]);
    for kind in ["slsaprovenance1", "slsaprovenance02"] {
        stack.must(&environment, &["attest", &image, who, format, kind]);
    }
    let (signed, _) = stack.run(&environment, &["verify", &image, who, format]);
    let verify = ["verify_attestation", &image, who, format, "slsaprovenance1"];
    let (attested, _) = stack.run(&environment, &verify);
    if who == "keyless" {
        let identity = "https://github.com/evil/app/.github/workflows/release.yml@refs/heads/main";
        let other = [environment[0], environment[1], ("IDENTITY", identity)];
        let (taken, _) = stack.run(&other, &["verify", &image, who, format]);
        assert!(!taken, "{name}: cosign takes another identity");
    }
    let folder = to.join(&name);
    stack.must(&environment, &["save", &image, folder.to_str().unwrap()]);
    (signed, attested)
}

#[test]
fn what_cosign_signs_now_is_judged_as_cosign_judges_it() {
    let Some(stack) = Stack::start() else {
        return;
    };
    let made = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let first = STORED_IN_FIRST.iter().filter(|_| stack.is_full());
    let stored: Vec<_> = STORED.iter().chain(first).copied().collect();
    for who in ["keyed", "keyless"] {
        for stored in stored.iter().copied() {
            let said = make(&stack, who, stored, made.path());
            wrong.extend(disagreements(who, stored, said));
        }
    }
    drop(stack);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (right, all, wrong) = cosign::judge_all(made.path());
    record("real-signers", right, all);
    assert_eq!(all, 2 * stored.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
