//! The same verdicts from a registry, from what was recorded of it, and from layouts, on images of the public Sigstore; and
//! at which time a replay judges.

use std::fs;
use std::path::{Path, PathBuf};

use regent::exit_status::ExitStatus;
use regent_engine::image::Digest;
use regent_server::image::layout::Layouts;
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_tests::{shared_path, workspace};
use serde_json::{Value, json};

use super::document;
use crate::command::{Ran, regent};

const REPOSITORY: &str = "slsa-framework/example-package";
const VERSIONS: [&str; 3] = ["v1.4.0", "v1.9.0", "v2.0.0"];

/// Provenance of the generator's container workflow, for a source.
fn policy(name: &str, source: &str) -> Value {
    let generator = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v*";
    let issuer = "https://token.actions.githubusercontent.com";
    let attestation = json!({
        "type": "https://slsa.dev/provenance/v0.2",
        "attestors": [{"entries": [{"keyless": {"issuer": issuer, "subject": generator}}]}],
        "slsa": {"level": 3, "source": source},
    });
    let rule = json!({
        "name": "provenance",
        "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
        "verifyImages": [{"imageReferences": ["ghcr.io/*"], "attestations": [attestation]}],
    });
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
        "metadata": {
            "name": name, "annotations": {"pod-policies.kyverno.io/autogen-controllers": "none"},
        },
        "spec": {"validationFailureAction": "Enforce", "rules": [rule]},
    })
}

/// A test of two policies, one of which every image satisfies, and the other none.
fn write(folder: &Path, images: &[(String, String)], from: &Value) {
    fs::create_dir_all(folder).unwrap();
    let right = policy("right", "https://github.com/slsa-framework/example-package");
    let wrong = policy("wrong", "https://github.com/evil/*");
    let pods = images.iter().map(|(name, image)| {
        let spec = json!({"containers": [{"name": "app", "image": image}]});
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"}, "spec": spec,
        })
    });
    let pods: Vec<String> = pods.map(|pod| pod.to_string()).collect();
    let names: Vec<&String> = images.iter().map(|(name, _)| name).collect();
    let row = |policy: &str, result: &str| {
        json!({
            "policy": policy, "rule": "provenance", "kind": "Pod", "resources": names,
            "result": result,
        })
    };
    let mut test = json!({
        "apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Test", "metadata": {"name": "images"},
        "policies": ["policy.yaml"], "resources": ["resources.yaml"],
        "results": [row("right", "pass"), row("wrong", "fail")],
    });
    for (name, value) in from.as_object().unwrap() {
        test[name] = value.clone();
    }
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    write("policy.yaml", format!("{right}\n---\n{wrong}"));
    write("resources.yaml", pods.join("\n---\n"));
    write("kyverno-test.yaml", test.to_string());
}

/// What became of each pod under each policy: the policy, the pod, the outcome and the message.
fn verdicts(ran: &Ran) -> Vec<[String; 4]> {
    let rows = document(ran)["results"].as_array().unwrap().clone();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let verdict =
        |row: &Value| ["policy", "resource", "outcome", "message"].map(|name| text(row, name));
    let mut all: Vec<_> = rows.iter().map(verdict).collect();
    all.sort();
    all
}

fn run(folder: &Path, more: &[&str]) -> Ran {
    let test = ["test", folder.to_str().unwrap(), "--format", "json"];
    regent(&[&test[..], more].concat())
}

#[test]
fn every_image_is_judged_alike_from_a_registry_a_recording_and_a_layout() {
    let Some(all) = shared_path("images/slsa-github-generator") else {
        return;
    };
    let digest = |version: &str| {
        let text = fs::read_to_string(all.join(version).join("digest")).unwrap();
        Digest::parse(text.trim()).unwrap()
    };
    let by_digest: Vec<_> = VERSIONS
        .iter()
        .map(|version| {
            let image = format!("ghcr.io/{REPOSITORY}@{}", digest(version));
            (format!("digest-{}", version.replace('.', "-")), image)
        })
        .collect();
    let by_tag = VERSIONS.iter().map(|version| {
        let image = format!("ghcr.io/{REPOSITORY}:{version}");
        (format!("tag-{}", version.replace('.', "-")), image)
    });
    let both: Vec<_> = by_digest.iter().cloned().chain(by_tag).collect();

    let scratch = tempfile::tempdir().unwrap();
    let (recorded, laid_out) = (scratch.path().join("facts"), scratch.path().join("layouts"));
    write(&recorded, &both, &json!({"facts": "facts.json"}));
    let layouts: Vec<PathBuf> = VERSIONS.iter().map(|one| all.join(one)).collect();
    write(
        &laid_out,
        &by_digest,
        &json!({"images": {"ociLayouts": layouts}}),
    );

    for api in [ReferrersApi::Served, ReferrersApi::Absent] {
        let tags = VERSIONS.map(|version| (version, digest(version)));
        let asked = record(&recorded, (&layouts, &tags), api);
        assert_eq!(asked.len(), 2 * both.len());
        // Nobody is asked any more, and the verdicts are the same to the letter.
        assert_eq!(verdicts(&run(&recorded, &[])), asked, "{api:?}");
        let of_digests: Vec<_> = asked
            .into_iter()
            .filter(|[_, pod, ..]| pod.contains("digest-"))
            .collect();
        let from_layouts = run(&laid_out, &[]);
        assert_eq!(
            from_layouts.status,
            ExitStatus::Pass,
            "{}",
            from_layouts.stdout
        );
        assert_eq!(verdicts(&from_layouts), of_digests, "{api:?}");
    }
}

/// Records what a registry says that has some layouts and tags, and ends it.
fn record(
    folder: &Path,
    (layouts, tags): (&[PathBuf], &[(&str, Digest)]),
    api: ReferrersApi,
) -> Vec<[String; 4]> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let opened = Layouts::open(layouts).unwrap();
    let registry = runtime.block_on(LayoutRegistry::start(opened, "ghcr.io", api));
    let registry = registry.unwrap();
    for (tag, digest) in tags {
        registry.move_tag(REPOSITORY, tag, digest);
    }
    let facts = folder.join("facts.json");
    let facts = facts.to_str().unwrap();
    let mirror = format!("ghcr.io=http://{}", registry.address());
    let asked = run(folder, &["--record", facts, "--registry-mirror", &mirror]);
    let said = || format!("{}{}", asked.stdout, asked.stderr);
    assert_eq!(asked.status, ExitStatus::Pass, "{}", said());
    verdicts(&asked)
}

/// A policy about the image of `tests/notary/stamped`, whose certificate was valid for four minutes.
fn notary(folder: &Path, facts: &str) {
    let file =
        |name: &str| fs::read_to_string(workspace().join("tests/notary").join(name)).unwrap();
    let digest = "sha256:418c30b6638cf7fbd7f8851059845330db9053d7b6b20a2b31259e37fe39a801";
    let entry = json!({
        "type": "Notary", "imageReferences": ["ghcr.io/*"],
        "attestors": [{"entries": [{"certificates": {"certChain": file("stamped/root.crt")}}]}],
    });
    write(
        folder,
        &[("app".to_owned(), format!("ghcr.io/acme/app@{digest}"))],
        &json!({"facts": facts}),
    );
    let mut policy = policy("right", "");
    policy["spec"]["rules"][0]["verifyImages"] = json!([entry]);
    fs::write(folder.join("policy.yaml"), policy.to_string()).unwrap();
    let test = fs::read_to_string(folder.join("kyverno-test.yaml")).unwrap();
    let mut test: Value = serde_json::from_str(&test).unwrap();
    test["results"].as_array_mut().unwrap().truncate(1);
    fs::write(folder.join("kyverno-test.yaml"), test.to_string()).unwrap();
}

/// Certificates end, and tests do not change with the day on which they run.
#[test]
fn evidence_is_judged_at_the_time_of_the_recording_or_at_the_one_that_is_said() {
    const WHILE_VALID: &str = "2026-11-27T07:41:00Z";
    const AFTERWARDS: &str = "2026-11-27T07:44:00Z";
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    notary(folder, "facts.json");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let layouts = Layouts::open(&[workspace().join("tests/notary/stamped/layout")]).unwrap();
    let starting = LayoutRegistry::start(layouts, "ghcr.io", ReferrersApi::Served);
    let registry = runtime.block_on(starting).unwrap();
    let mirror = format!("ghcr.io=http://{}", registry.address());
    let facts = folder.join("facts.json");
    let recording = [
        "--record",
        facts.to_str().unwrap(),
        "--registry-mirror",
        &mirror,
    ];
    // The certificate has ended by now.
    assert_ne!(run(folder, &recording).status, ExitStatus::Pass);
    let ended = run(folder, &[]);
    assert_ne!(ended.status, ExitStatus::Pass);
    assert!(
        ended.stdout.contains("not valid at the proven time"),
        "{}",
        ended.stdout
    );
    let asked = run(folder, &[&recording[..], &["--now", WHILE_VALID]].concat());
    assert_eq!(
        asked.status,
        ExitStatus::Pass,
        "{}{}",
        asked.stdout,
        asked.stderr
    );
    drop(registry);
    // What was recorded at a given time is replayed at that time, without being told.
    let mut known: Value = serde_json::from_str(&fs::read_to_string(&facts).unwrap()).unwrap();
    assert_eq!(known["recordedAt"], WHILE_VALID);
    assert_eq!(run(folder, &[]).status, ExitStatus::Pass);
    for (recorded_at, now, status) in [
        (WHILE_VALID, None, ExitStatus::Pass),
        (AFTERWARDS, None, ExitStatus::Failed),
        (AFTERWARDS, Some(WHILE_VALID), ExitStatus::Pass),
        (WHILE_VALID, Some(AFTERWARDS), ExitStatus::Failed),
        (
            WHILE_VALID,
            Some("1969-12-31T00:00:00Z"),
            ExitStatus::Failed,
        ),
    ] {
        known["recordedAt"] = recorded_at.into();
        fs::write(&facts, known.to_string()).unwrap();
        let now: Vec<&str> = now.into_iter().flat_map(|now| ["--now", now]).collect();
        let ran = run(folder, &now);
        assert_eq!(ran.status, status, "{recorded_at} {now:?}: {}", ran.stdout);
    }
}
