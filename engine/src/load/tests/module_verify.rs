//! `verify` of modules: what of it is refused, and where; and what the host is asked.

use std::sync::{Arc, Mutex};

use super::*;
use crate::diagnostic::Diagnostic;
use crate::load::modules::{ModuleFile, ModuleFiles, ModuleText};

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn text(body: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - name: r\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      {body}\n"
    )
}

/// What is wrong, with its line and column.
fn wrong(body: &str) -> Vec<String> {
    let loaded = load(
        &[Source::new("policy.yaml", text(body))],
        &Environment::default(),
    );
    let diagnostics = loaded.diagnostics.iter().filter(|one| one.is_error());
    diagnostics
        .map(|one| {
            let start = one.labels.first().map_or(0, |label| label.span.start);
            let (line, column) = one.source.position(start);
            format!("{line}:{column}: {}", one.message)
        })
        .collect()
}

/// What may stand in `verify`, and what is wrong with it.
fn cases(keyless: &str) -> Vec<(String, Option<&'static str>)> {
    vec![
        (format!("{{attestors: {keyless}}}"), None),
        (
            "{}".to_owned(),
            Some("`verify` has no `attestors`: nobody would have to have signed"),
        ),
        ("null".to_owned(), Some("`verify` has no value")),
        (
            "{attestor: []}".to_owned(),
            Some("`verify` has no field `attestor`"),
        ),
        (
            "{attestors: [{entries: []}]}".to_owned(),
            Some("`attestors` has no `entries`"),
        ),
        (
            "{attestors: [{entries: [{keyless: {issuer: '*', subject: '*'}}]}]}".to_owned(),
            Some("the attestor is satisfied by every certificate there is"),
        ),
        (
            "{attestors: [{entries: [{keys: {publicKeys: k8s://a/b}}]}]}".to_owned(),
            Some("a key of a module's signer is not read from a Secret"),
        ),
        (
            format!(
                "{{attestors: {keyless}, attestations: [{{type: a, attestors: {keyless}, conditions: [{{all: []}}]}}]}}"
            ),
            Some("`conditions` of a module's attestation are not supported"),
        ),
        (
            format!("{{attestors: {keyless}, attestations: [{{type: a}}]}}"),
            Some("nobody is named who attests `a`"),
        ),
        (
            format!("{{attestors: {keyless}, type: Cosine}}"),
            Some("`type` cannot be `Cosine`"),
        ),
    ]
}

#[test]
fn what_cannot_be_verified_is_said_at_its_place() {
    let remote = format!("module: 'oci://registry.example/guard@{DIGEST}'");
    let keyless = "[{entries: [{keyless: {issuer: https://i, subject: https://s}}]}]";
    for (verify, expected) in cases(keyless) {
        for body in ["wasm", "rego"] {
            let found = wrong(&format!("{body}: {{{remote}, verify: {verify}}}"));
            let found: Vec<_> = found
                .iter()
                .filter(|one| !one.contains("files are not read here"))
                .collect();
            match expected {
                None => assert!(found.is_empty(), "{verify}: {found:?}"),
                Some(expected) => {
                    assert!(
                        found
                            .iter()
                            .any(|one| one.starts_with("9:") && one.ends_with(expected)),
                        "{verify}: {found:?}"
                    );
                }
            }
        }
    }
    let file = wrong(&format!(
        "wasm: {{module: a.wasm, verify: {{attestors: {keyless}}}}}"
    ));
    assert_eq!(
        file,
        ["9:38: nothing lies beside a file that says who signed it"]
    );
    let source = wrong(&format!(
        "rego: {{source: 'package a', digest: '{DIGEST}'}}"
    ));
    assert!(
        source
            .iter()
            .any(|one| one.contains("`digest` says what a `module` must be")),
        "{source:?}"
    );
}

#[test]
fn a_module_of_rego_that_a_registry_does_not_give_is_an_error_of_its_rule() {
    let body = format!(
        "rego: {{module: 'oci://registry.example/guard@{DIGEST}', verify: {{attestors: [{{entries: [{{keyless: {{issuer: https://i, subject: https://s}}}}]}}]}}}}"
    );
    let asked: Arc<Mutex<Vec<ModuleFile>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let environment = Environment {
        modules: ModuleFiles::new(move |file| {
            seen.lock().unwrap().push(file.clone());
            Err("nobody signed it".to_owned())
        }),
        ..Environment::default()
    };
    let source = Source::new("policy.yaml", text(&body));
    let loaded = load(&[source], &environment);
    assert_eq!(loaded.policies.policies().len(), 1);
    assert!(
        loaded
            .diagnostics
            .iter()
            .any(|one| one.is_error() && one.message.contains("nobody signed it"))
    );
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|file| file.trust.is_some())
    );
    assert_eq!(asked.lock().unwrap().len(), 1);
    // Where nobody looks for it, nothing is wrong with the policy.
    let environment = Environment {
        modules: ModuleFiles::new(|_| Ok(ModuleText::Unread)),
        ..Environment::default()
    };
    let loaded = load(&[Source::new("policy.yaml", text(&body))], &environment);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
}

/// Nothing of it is seen in the policy, so that it must not be left out: what it forbids would be let through.
#[test]
fn a_module_of_a_registry_that_does_not_run_is_an_error_of_its_rule() {
    for rego in [
        "package a\nviolation contains",
        "package a\nviolation contains {\"msg\": io.jwt.decode(input.review.object.x)}",
    ] {
        let environment = Environment {
            modules: ModuleFiles::new(|_| Ok(ModuleText::Read(rego.to_owned()))),
            ..Environment::default()
        };
        let load_of = |module: &str| {
            let body = format!("rego: {{module: '{module}'}}");
            load(&[Source::new("policy.yaml", text(&body))], &environment)
        };
        let remote = load_of(&format!("oci://registry.example/guard@{DIGEST}"));
        assert_eq!(remote.policies.policies().len(), 1, "{rego}");
        let said: Vec<_> = remote.diagnostics.iter().map(|one| &one.message).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("cannot be used"), "{said:?}");
        // Its author sees one that lies beside the policy.
        let beside = load_of("guard.rego");
        assert!(beside.policies.policies().is_empty());
        assert!(beside.diagnostics.iter().any(Diagnostic::is_error));
    }
}

/// Modules of Rego are verified while they are read, those in WebAssembly once the policy is compiled.
#[test]
fn what_the_host_says_of_versions_counts_for_modules_too() {
    for body in ["wasm", "rego"] {
        let body = format!(
            "{body}: {{module: 'oci://registry.example/guard@{DIGEST}', verify: {{attestors: [{{entries: [{{keyless: {{issuer: https://i, subject: https://s}}}}]}}]}}}}"
        );
        let asked: Arc<Mutex<Vec<bool>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let environment = Environment {
            exact_slsa_versions: true,
            modules: ModuleFiles::new(move |file| {
                let policy = &file.trust.as_ref().unwrap().policy;
                seen.lock().unwrap().push(policy.slsa_version_fallback());
                Ok(ModuleText::Unread)
            }),
            ..Environment::default()
        };
        let loaded = load(&[Source::new("policy.yaml", text(&body))], &environment);
        let guests = loaded.policies.guests();
        let mut found: Vec<bool> = guests
            .filter_map(|(_, _, guest)| guest.trust.as_ref())
            .map(|trust| trust.policy.slsa_version_fallback())
            .collect();
        found.extend(asked.lock().unwrap().iter());
        assert_eq!(found, [false], "{body}");
    }
}
