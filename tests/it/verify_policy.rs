//! `regent verify` with a policy, with a bundle on disk, and showing what there is, on what real cosign wrote.

use std::fs;
use std::path::{Path, PathBuf};

use regent::exit_status::ExitStatus;
use regent_engine::image::Digest;
use serde_json::{Value, json};

use crate::command::{Ran, regent};
use crate::evidence::material::artifacts;

const IDENTITY: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main";
const ISSUER: &str = "http://127.0.0.1:23702";
const V1: &str = "https://slsa.dev/provenance/v1";

fn run(arguments: &[&str]) -> Ran {
    let verify = ["verify"].iter().chain(arguments);
    regent(&verify.copied().collect::<Vec<_>>())
}

/// One layout of `conformance/cosign`, and a folder for what is written beside it.
struct Layout {
    folder: PathBuf,
    digest: Digest,
    scratch: tempfile::TempDir,
}

impl Layout {
    fn read(name: &str) -> Option<Self> {
        let folder = regent_tests::shared_path(&format!("conformance/cosign/{name}"))?;
        let entries = fs::read_to_string(folder.join("entries.txt")).unwrap();
        let mut lines = entries.lines();
        let digest = lines.find_map(|line| line.strip_prefix("image @"));
        Some(Self {
            digest: Digest::parse(digest.unwrap()).unwrap(),
            folder,
            scratch: tempfile::tempdir().unwrap(),
        })
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        let path: &Path = &self.scratch.path().join(name);
        fs::write(path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The trust root with some parts left out.
    fn root_without(&self, parts: &[&str]) -> String {
        let text = fs::read_to_string(self.folder.join("trusted_root.json")).unwrap();
        let mut root: Value = serde_json::from_str(&text).unwrap();
        for part in parts {
            root[part] = json!([]);
        }
        self.write("root.json", root.to_string().as_bytes())
    }

    /// Judges under a policy and some trust roots.
    fn judge(&self, policy: &Value, roots: &[&str], more: &[&str]) -> Ran {
        let policy = self.write("policy.yaml", policy.to_string().as_bytes());
        let image = format!("registry.example.org/acme/app@{}", self.digest);
        let layout = self.path("layout");
        let mut all = vec![image.as_str(), "--oci-layout", &layout, "--policy", &policy];
        for root in roots {
            all.extend(["--trusted-root", root]);
        }
        all.extend(more);
        run(&all)
    }
}

/// A policy with annotations, attestors and attestations.
fn policy(annotations: &Value, attestors: &Value, attestations: &Value) -> Value {
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
        "metadata": {"name": "signed", "annotations": annotations},
        "spec": {"validationFailureAction": "Enforce", "rules": [{
            "name": "verify",
            "match": {"any": [{"resources": {"kinds": ["Pod"], "namespaces": ["production"]}}]},
            "verifyImages": [{
                "imageReferences": ["registry.example.org/acme/*"],
                "attestors": attestors, "attestations": attestations,
            }],
        }]},
    })
}

fn keyless(more: &Value) -> Value {
    let mut entry = json!({"issuer": ISSUER, "subject": IDENTITY});
    for (name, value) in more.as_object().unwrap() {
        entry[name] = value.clone();
    }
    json!([{"entries": [{"keyless": entry}]}])
}

const THERE: [&str; 2] = ["--namespace", "production"];

#[test]
fn a_tree_says_what_each_attestor_and_attestation_saw() {
    let Some(layout) = Layout::read("cosign-keyless-bundle-v1") else {
        return;
    };
    let root = layout.path("trusted_root.json");
    let attestation = |source: &str| {
        json!([{
            "type": V1, "attestors": keyless(&json!({})),
            "conditions": [{"all": [{
                "key": "{{ runDetails.builder.id }}", "operator": "Equals", "value": source,
            }]}],
        }])
    };
    let good = policy(&json!({}), &keyless(&json!({})), &attestation(IDENTITY));
    let said = layout.judge(&good, &[&root], &THERE);
    assert_eq!(
        said.status,
        ExitStatus::Pass,
        "{}{}",
        said.stdout,
        said.stderr
    );
    for line in [
        "  policy signed, rule verify: pass",
        "    ok    attestors[0].entries[0].keyless",
        "    ok    attestations[0].entries[0].keyless (https://slsa.dev/provenance/v1)",
    ] {
        assert!(said.stdout.contains(line), "{}", said.stdout);
    }

    let bad = policy(
        &json!({}),
        &keyless(&json!({})),
        &attestation("https://other.example"),
    );
    let said = layout.judge(&bad, &[&root], &THERE);
    assert_eq!(said.status, ExitStatus::Failed);
    assert!(
        said.stdout.contains("    ok    attestors[0]"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("    fails attestations[0]"),
        "{}",
        said.stdout
    );

    let said = layout.judge(&bad, &[&root], &["--namespace", "production", "-o", "json"]);
    let documents: Value = serde_json::from_str(&said.stdout).unwrap();
    let findings = &documents[0]["images"][0]["findings"];
    assert_eq!(findings[0]["satisfied"], json!(true));
    assert_eq!(findings[1]["satisfied"], json!(false));
    assert_eq!(findings[1]["statements"], json!(1));
}

#[test]
fn a_policy_that_is_not_about_the_pod_or_has_errors_is_said_to_be() {
    let Some(layout) = Layout::read("cosign-keyless-bundle-v1") else {
        return;
    };
    let root = layout.path("trusted_root.json");
    let good = policy(&json!({}), &keyless(&json!({})), &json!([]));
    let said = layout.judge(&good, &[&root], &[]);
    assert_eq!(said.status, ExitStatus::Failed);
    assert!(
        said.stderr.contains("--namespace names another"),
        "{}",
        said.stderr
    );
    let mut other = good;
    let references = &mut other["spec"]["rules"][0]["verifyImages"][0]["imageReferences"];
    *references = json!(["registry.example.org/other/*"]);
    let said = layout.judge(&other, &[&root], &THERE);
    assert_eq!(said.status, ExitStatus::Failed);
    let expected = "rule verify is about the pod, and does not verify the image: none of its `imageReferences` covers the image";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    let said = layout.judge(
        &json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy"}),
        &[&root],
        &THERE,
    );
    assert_eq!(said.status, ExitStatus::DoesNotCompile);
}

/// A demand of more proof: which of the ways of signing meet it.
#[test]
fn policies_that_ask_for_more_take_what_has_it() {
    let stamp = json!({"regent.dev/signed-timestamp": "required"});
    let proof = json!({"regent.dev/inclusion-proof": "required"});
    let logs = json!({"regent.dev/log-entries": "2"});
    for (name, annotations, passes) in [
        ("cosign-keyless-bundle-v1", &stamp, true),
        ("cosign-keyless-bundle-v1-notsa", &stamp, false),
        ("cosign-keyless-legacy-v1-notsa", &stamp, false),
        ("cosign-keyless-bundle-v1", &proof, true),
        ("cosign-keyless-legacy-v1-notsa", &proof, false),
        ("cosign-keyless-bundle-v1", &logs, false),
    ] {
        let Some(layout) = Layout::read(name) else {
            return;
        };
        let root = layout.path("trusted_root.json");
        let policy = policy(annotations, &keyless(&json!({})), &json!([]));
        let said = layout.judge(&policy, &[&root], &THERE);
        let expected = if passes {
            ExitStatus::Pass
        } else {
            ExitStatus::Failed
        };
        assert_eq!(
            said.status, expected,
            "{name} {annotations}: {}",
            said.stdout
        );
    }
}

/// As GitHub's own instance is: timestamps and no log of either kind, and it is not the default.
#[test]
fn an_instance_without_logs_is_chosen_by_the_url_of_an_authority() {
    let Some(layout) = Layout::read("cosign-keyless-bundle-tsa") else {
        return;
    };
    let public = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
    let public = layout.write("public.json", public.as_bytes());
    let own = layout.root_without(&["tlogs", "ctlogs"]);
    let roots = [public.as_str(), &own];
    let lax = json!({"rekor": {"ignoreTlog": true}, "ctlog": {"ignoreSCT": true}});
    let named = |url: &str| {
        let annotations = json!({
            "regent.dev/trust-root": url, "regent.dev/signed-timestamp": "required",
        });
        policy(&annotations, &keyless(&lax), &json!([]))
    };
    let said = layout.judge(&named("http://127.0.0.1:23703"), &roots, &THERE);
    assert_eq!(
        said.status,
        ExitStatus::Pass,
        "{}{}",
        said.stdout,
        said.stderr
    );
    // Of the default's authorities none signed it.
    let said = layout.judge(
        &policy(&json!({}), &keyless(&lax), &json!([])),
        &roots,
        &THERE,
    );
    assert_eq!(said.status, ExitStatus::Failed, "{}", said.stdout);
    let said = layout.judge(&named("https://unknown.example"), &roots, &THERE);
    assert_eq!(said.status, ExitStatus::DoesNotCompile);
    assert!(
        said.stderr.contains("https://unknown.example"),
        "{}",
        said.stderr
    );
    // Without the switches both logs are asked for.
    for (more, why) in [
        (
            json!({"ctlog": {"ignoreSCT": true}}),
            "no transparency log entry",
        ),
        (
            json!({"rekor": {"ignoreTlog": true}}),
            "no certificate log has the certificate",
        ),
    ] {
        let annotations = json!({"regent.dev/trust-root": "http://127.0.0.1:23703"});
        let policy = policy(&annotations, &keyless(&more), &json!([]));
        let said = layout.judge(&policy, &roots, &THERE);
        assert!(said.stdout.contains(why), "{}", said.stdout);
    }
}

#[test]
fn slsa_is_judged_on_what_cosign_attested() {
    let Some(layout) = Layout::read("cosign-keyless-bundle-v1") else {
        return;
    };
    let root = layout.path("trusted_root.json");
    let demand = |slsa: Value| {
        let attestation = json!([{"type": V1, "attestors": keyless(&json!({})), "slsa": slsa}]);
        policy(&json!({}), &json!([]), &attestation)
    };
    // The builder that it names is who signed.
    let said = layout.judge(&demand(json!({"builders": [IDENTITY]})), &[&root], &THERE);
    assert_eq!(
        said.status,
        ExitStatus::Pass,
        "{}{}",
        said.stdout,
        said.stderr
    );
    let said = layout.judge(&demand(json!({"level": 2})), &[&root], &THERE);
    assert!(
        said.stdout.contains("no SLSA level is known for builder"),
        "{}",
        said.stdout
    );
    let table = format!("- id: {IDENTITY}\n  issuer: {ISSUER}\n  signer: builder\n  level: 2\n");
    let table = layout.write("builders.yaml", table.as_bytes());
    let with = ["--namespace", "production", "--slsa-builders", &table];
    let said = layout.judge(&demand(json!({"level": 2})), &[&root], &with);
    assert_eq!(
        said.status,
        ExitStatus::Pass,
        "{}{}",
        said.stdout,
        said.stderr
    );
    let said = layout.judge(&demand(json!({"level": 3})), &[&root], &with);
    assert!(
        said.stdout.contains("is good for SLSA level 2, wanted 3"),
        "{}",
        said.stdout
    );
    let said = layout.judge(
        &demand(json!({"source": "https://github.com/evil/*"})),
        &[&root],
        &with,
    );
    assert!(said.stdout.contains("built from source"), "{}", said.stdout);
}

#[test]
fn a_bundle_on_disk_is_verified_against_a_file_or_a_digest() {
    let Some(layout) = Layout::read("cosign-keyless-bundle-v1") else {
        return;
    };
    let found = artifacts(&layout.folder.join("layout"), &layout.digest);
    let root = layout.path("trusted_root.json");
    let manifest = layout.path(&format!("layout/blobs/sha256/{}", layout.digest.hex()));
    let other = layout.write("other", b"something else");
    let digest = layout.digest.to_string();
    for (number, bundle) in found.bundles.iter().enumerate() {
        let bundle = layout.write(&format!("{number}.json"), &bundle.bytes);
        let verify = |artifact: &str, identity: &str| {
            run(&[
                "--bundle",
                &bundle,
                "--artifact",
                artifact,
                "--trusted-root",
                &root,
                "--certificate-identity",
                identity,
                "--certificate-oidc-issuer",
                ISSUER,
            ])
        };
        for artifact in [digest.as_str(), &manifest] {
            let said = verify(artifact, IDENTITY);
            assert_eq!(said.status, ExitStatus::Pass, "{}", said.stderr);
            assert!(said.stdout.contains(&digest), "{}", said.stdout);
        }
        let said = verify(&other, IDENTITY);
        assert_eq!(said.status, ExitStatus::Failed);
        assert!(
            said.stderr.contains("refused: it is about"),
            "{}",
            said.stderr
        );
        let said = verify(&digest, "https://github.com/evil");
        assert_eq!(said.status, ExitStatus::Failed, "{}", said.stdout);
    }
    let alone = run(&["--bundle", "x", "--key", "y"]);
    assert_eq!(alone.status, ExitStatus::Usage);
}

/// Authorities that flags name count in place of the trust root's, which then need not know the instance at all.
#[test]
fn a_bundle_is_verified_under_authorities_that_flags_name() {
    let Some(layout) = Layout::read("cosign-keyless-bundle-tsa") else {
        return;
    };
    let found = artifacts(&layout.folder.join("layout"), &layout.digest);
    let bundle = layout.write("bundle.json", &found.bundles[0].bytes);
    let root = fs::read_to_string(layout.path("trusted_root.json")).unwrap();
    let root: Value = serde_json::from_str(&root).unwrap();
    let chain = |list: &str| {
        let certificates = root[list][0]["certChain"]["certificates"].as_array();
        let certificates = certificates.unwrap().iter();
        let pem = certificates.map(|one| {
            let der = one["rawBytes"].as_str().unwrap();
            format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n")
        });
        layout.write(&format!("{list}.pem"), pem.collect::<String>().as_bytes())
    };
    let (roots, stamps) = (
        chain("certificateAuthorities"),
        chain("timestampAuthorities"),
    );
    let digest = layout.digest.to_string();
    let verify = |flags: &[&str]| {
        let what = ["--bundle", &bundle, "--artifact", &digest];
        let waived = ["--insecure-ignore-tlog", "--insecure-ignore-sct"];
        let who = ["--certificate-identity", IDENTITY];
        let by = ["--certificate-oidc-issuer", ISSUER];
        run(&[&what[..], &waived, &who, &by, flags].concat())
    };
    let (by_roots, by_stamps) = (
        ["--ca-roots", &roots],
        ["--timestamp-certificate-chain", &stamps],
    );
    let said = verify(&[by_roots, by_stamps].concat());
    assert_eq!(said.status, ExitStatus::Pass, "{}", said.stderr);
    let said = verify(&["--certificate-chain", &roots, by_stamps[0], by_stamps[1]]);
    assert_eq!(said.status, ExitStatus::Pass, "{}", said.stderr);
    // Without the one or the other the certificate's ten minutes are over, or it is a stranger's.
    for (flags, says) in [
        (&by_roots, "the certificate was not valid"),
        (&by_stamps, "does not chain to a certificate authority"),
    ] {
        let said = verify(flags);
        assert_eq!(said.status, ExitStatus::Failed, "{}", said.stdout);
        assert!(said.stderr.contains(says), "{}", said.stderr);
    }
}

#[test]
fn all_attestations_are_shown_whoever_signed_them() {
    for name in ["cosign-keyless-bundle-v1", "cosign-keyless-legacy-v1-notsa"] {
        let Some(layout) = Layout::read(name) else {
            return;
        };
        let image = format!("registry.example.org/acme/app@{}", layout.digest);
        let (path, root) = (layout.path("layout"), layout.path("trusted_root.json"));
        let there = [
            image.as_str(),
            "--oci-layout",
            &path,
            "--trusted-root",
            &root,
        ];
        let show = [&there[..], &["--show-attestations", "-o", "json"]].concat();
        let said = run(&show);
        assert_eq!(said.status, ExitStatus::Pass, "{}", said.stderr);
        let shown: Value = serde_json::from_str(&said.stdout).unwrap();
        let mut types: Vec<&str> = shown
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                assert_eq!(one["signer"]["subjects"], json!([IDENTITY]));
                one["predicateType"].as_str().unwrap()
            })
            .collect();
        types.sort_unstable();
        assert_eq!(types, ["https://slsa.dev/provenance/v0.2", V1]);
        // With a signer, only his.
        let by = [
            &show[..],
            &[
                "--certificate-identity",
                "x",
                "--certificate-oidc-issuer",
                ISSUER,
            ],
        ];
        assert_eq!(run(&by.concat()).status, ExitStatus::Failed);
    }
}
