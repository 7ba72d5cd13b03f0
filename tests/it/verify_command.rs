//! `regent verify` as a user types it, on what real cosign wrote.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regent::exit_status::ExitStatus;
use serde_json::Value;

use crate::command::{Ran, regent};

const IDENTITY: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main";
const ISSUER: &str = "http://127.0.0.1:23702";

fn run(arguments: &[&str]) -> Ran {
    let verify = ["verify"].iter().chain(arguments);
    regent(&verify.copied().collect::<Vec<_>>())
}

/// Runs on one layout of `conformance/cosign`.
fn on(name: &str, arguments: &[&str]) -> Option<Ran> {
    let folder = regent_tests::shared_path(&format!("conformance/cosign/{name}"))?;
    let entries = fs::read_to_string(folder.join("entries.txt")).unwrap();
    let digest = entries
        .lines()
        .find_map(|line| line.strip_prefix("image @"))
        .unwrap();
    let image = format!("registry.example.org/acme/app@{digest}");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (layout, root, key) = (
        path("layout"),
        path("trusted_root.json"),
        path("cosign.pub"),
    );
    let mut all = vec![
        image.as_str(),
        "--oci-layout",
        &layout,
        "--trusted-root",
        &root,
    ];
    let keyed = ["--key", &key];
    let keyless = [
        "--certificate-identity",
        IDENTITY,
        "--certificate-oidc-issuer",
        ISSUER,
    ];
    if !arguments
        .iter()
        .any(|a| a.starts_with("--certificate-identity"))
    {
        all.extend::<&[&str]>(if name.contains("keyed") {
            &keyed
        } else {
            &keyless
        });
    }
    all.extend(arguments);
    Some(run(&all))
}

#[test]
fn signatures_and_attestations_are_shown_with_who_and_when() {
    let Some(said) = on("cosign-keyless-bundle-v1", &[]) else {
        return;
    };
    assert_eq!(said.status, ExitStatus::Pass, "{}", said.stderr);
    for part in [
        IDENTITY,
        ISSUER,
        "entry 12",
        "2026-11-23T22:35:32Z",
        "promised and proven",
    ] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    let said = on("cosign2-keyed-bundle-v1", &["--type", "slsaprovenance1"]).unwrap();
    assert_eq!(said.status, ExitStatus::Pass, "{}", said.stderr);
    for part in [
        "attestation https://slsa.dev/provenance/v1",
        "builder",
        "SLSA build  level 1",
    ] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
}

#[test]
fn json_is_what_cosign_prints() {
    for name in [
        "cosign-keyless-bundle-v1",
        "cosign2-keyless-legacy-v1-notsa",
    ] {
        let arguments = ["--type", "slsaprovenance", "-o", "json"];
        let Some(said) = on(name, &arguments) else {
            return;
        };
        let [line] = said.stdout.lines().collect::<Vec<_>>()[..] else {
            panic!("one line")
        };
        let envelope: Value = serde_json::from_str(line).unwrap();
        assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
        let payload = STANDARD
            .decode(envelope["payload"].as_str().unwrap())
            .unwrap();
        let statement: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            statement["predicateType"],
            "https://slsa.dev/provenance/v0.2"
        );
        assert!(
            STANDARD
                .decode(envelope["signatures"][0]["sig"].as_str().unwrap())
                .is_ok()
        );

        let said = on(name, &["-o", "json"]).unwrap();
        let signatures: Value = serde_json::from_str(&said.stdout).unwrap();
        let signature = &signatures[0];
        let digest = &signature["critical"]["image"]["docker-manifest-digest"];
        assert!(digest.as_str().unwrap().starts_with("sha256:"));
        assert_eq!(signature["optional"]["Subject"], IDENTITY);
        assert_eq!(signature["optional"]["Issuer"], ISSUER);
        assert_eq!(signature["optional"]["githubWorkflowTrigger"], "push");
        assert!(signature["optional"]["Bundle"]["Payload"]["integratedTime"].is_u64());
    }
}

#[test]
fn who_signed_is_matched_exactly_or_by_regular_expression() {
    let both = |identity: &'static str, issuer: &'static str| {
        let is = |text: &str| text.starts_with('^');
        let identity_flag = if is(identity) {
            "--certificate-identity-regexp"
        } else {
            "--certificate-identity"
        };
        let issuer_flag = if is(issuer) {
            "--certificate-oidc-issuer-regexp"
        } else {
            "--certificate-oidc-issuer"
        };
        on(
            "cosign-keyless-bundle-v1",
            &[identity_flag, identity, issuer_flag, issuer],
        )
    };
    let pass =
        |identity, issuer| both(identity, issuer).map(|said| said.status == ExitStatus::Pass);
    if pass(IDENTITY, ISSUER).is_none() {
        return;
    }
    assert_eq!(pass("^https://github.com/acme/", "^http://127"), Some(true));
    assert_eq!(pass("https://github.com/acme/app", ISSUER), Some(false));
    assert_eq!(pass("^https://github.com/evil/", ISSUER), Some(false));
    assert_eq!(
        pass(IDENTITY, "https://token.actions.githubusercontent.com"),
        Some(false)
    );
    let said = both("https://github.com/evil/app", ISSUER).unwrap();
    assert_eq!(said.status, ExitStatus::Failed);
    assert!(
        said.stderr
            .contains("the identity is not https://github.com/evil/app"),
        "{}",
        said.stderr
    );
    let claim = |value| {
        let arguments = ["--certificate-github-workflow-repository", value];
        on("cosign-keyless-bundle-v1", &arguments).unwrap().status
    };
    assert_eq!(claim("acme/app"), ExitStatus::Pass);
    assert_eq!(claim("evil/app"), ExitStatus::Failed);
}

#[test]
fn what_is_not_logged_is_taken_only_where_that_is_asked_for() {
    for name in ["cosign2-keyed-bundle-tsa", "cosign2-keyed-legacy-none"] {
        let Some(said) = on(name, &[]) else { return };
        assert_eq!(said.status, ExitStatus::Failed, "{name}");
        assert!(
            said.stderr.contains("it is in no transparency log"),
            "{}",
            said.stderr
        );
        let said = on(name, &["--insecure-ignore-tlog=true"]).unwrap();
        assert_eq!(said.status, ExitStatus::Pass, "{name}: {}", said.stderr);
    }
    let stamped = ["--insecure-ignore-tlog", "--use-signed-timestamps"];
    assert_eq!(
        on("cosign2-keyed-bundle-tsa", &stamped).unwrap().status,
        ExitStatus::Pass
    );
    assert_eq!(
        on("cosign2-keyed-legacy-none", &stamped).unwrap().status,
        ExitStatus::Failed
    );
}

#[test]
fn an_attestation_is_no_signature() {
    let Some(folder) = regent_tests::shared_path("conformance/provenance/unsigned-bundle") else {
        return;
    };
    let entries = fs::read_to_string(folder.join("entries.txt")).unwrap();
    let digest = entries
        .lines()
        .find_map(|line| line.strip_prefix("image @"))
        .unwrap();
    let image = format!("registry.example.org/app@{digest}");
    let path = |name: &str| Path::join(&folder, name).to_str().unwrap().to_owned();
    let (layout, root) = (path("layout"), path("trusted_root.json"));
    let said = run(&[
        &image,
        "--oci-layout",
        &layout,
        "--trusted-root",
        &root,
        "--certificate-identity-regexp",
        "^https://",
        "--certificate-oidc-issuer",
        ISSUER,
    ]);
    assert_eq!(said.status, ExitStatus::Failed);
    assert!(
        said.stderr
            .contains("a signature is asked for, which an attestation is not"),
        "{}",
        said.stderr
    );
}

/// That flags are refused, and what is said of them.
fn refused(arguments: &[&str], part: &str) {
    let all: Vec<_> = ["example.org/app"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    let said = run(&all);
    assert_eq!(said.status, ExitStatus::Usage, "{arguments:?}");
    assert!(said.stderr.contains(part), "{arguments:?}: {}", said.stderr);
}

const WHO: [&str; 4] = [
    "--certificate-identity",
    "x",
    "--certificate-oidc-issuer",
    "y",
];

#[test]
fn what_is_asked_for_must_be_complete_and_known() {
    refused(
        &[],
        "--certificate-identity or --certificate-identity-regexp is needed",
    );
    refused(
        &["--certificate-identity", "x"],
        "--certificate-oidc-issuer",
    );
    refused(&["--key", "/nonexistent/key"], "the public key");
    refused(
        &[&WHO[..], &["--type", "slsa"]].concat(),
        "--type `slsa` is neither a URI nor one of",
    );
    refused(
        &[
            "--certificate-identity-regexp",
            "(",
            "--certificate-oidc-issuer",
            "y",
        ],
        "regular expression",
    );
    // An empty text names nobody; as an expression it would fit everybody.
    for empty in [
        &[
            "--certificate-identity-regexp",
            "",
            "--certificate-oidc-issuer-regexp",
            "",
        ][..],
        &[
            "--certificate-identity",
            "",
            "--certificate-oidc-issuer",
            "y",
        ],
    ] {
        refused(empty, "--certificate-identity or");
        // Nor is it as if nobody were asked for.
        refused(
            &[empty, &["--show-attestations"]].concat(),
            "--certificate-identity or",
        );
    }
    for flag in [
        "--certificate-oidc-issuer",
        "--certificate-oidc-issuer-regexp",
    ] {
        refused(
            &["--certificate-identity", "x", flag, ""],
            "--certificate-oidc-issuer or",
        );
    }
    refused(&[&WHO[..], &["--timeout", "0s"]].concat(), "duration");
    for flag in ["--ca-roots", "--timestamp-certificate-chain"] {
        refused(&[&WHO[..], &[flag, "/nonexistent"]].concat(), flag);
    }
}

#[test]
fn nothing_that_is_asked_for_is_passed_over() {
    refused(
        &[&WHO[..], &["--artifact", "a.txt"]].concat(),
        "--artifact is what a bundle is about",
    );
    for flags in [
        &WHO[..],
        &["--key", "cosign.pub"],
        &["--insecure-ignore-tlog"],
        &["--insecure-ignore-sct"],
        &["--use-signed-timestamps"],
        &["--rekor-url", "https://rekor.example"],
        &["-a", "team=blue"],
        &["--ca-roots", "roots.pem"],
        &["--timestamp-certificate-chain", "stamps.pem"],
    ] {
        refused(
            &[&["--policy", "policy.yaml"], flags].concat(),
            "--policy says who must have signed",
        );
    }
}
