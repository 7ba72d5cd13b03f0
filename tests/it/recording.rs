//! What registries say is recorded once, and tests of image rules run on it afterwards, without a network.

use std::fs;
use std::path::Path;

use regent_server::image::layout::Layouts;
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_tests::workspace;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Ran, regent};

mod images;

/// The reference policy with its tests, on facts instead of layouts.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = workspace().join("policies/provenance/verify-slsa-provenance");
    for name in ["policy.yaml", "resources.yaml"] {
        fs::copy(from.join(name), folder.path().join(name)).unwrap();
    }
    let test = fs::read_to_string(from.join("kyverno-test.yaml")).unwrap();
    let (head, rest) = test.split_once("# Where images").unwrap();
    let (_, rows) = rest.split_once("results:").unwrap();
    let test = format!("{head}facts: facts.json\nresults:{rows}");
    fs::write(folder.path().join("kyverno-test.yaml"), test).unwrap();
    folder
}

/// Records what the registry of the demonstration says.
fn record(folder: &Path) -> Ran {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let layout = workspace().join("cli/demo/registry");
    let layouts = Layouts::open(std::slice::from_ref(&layout)).unwrap();
    let starting = LayoutRegistry::start(layouts, "ghcr.io", ReferrersApi::Served);
    let registry = runtime.block_on(starting).unwrap();
    let mirror = format!("ghcr.io=http://{}", registry.address());
    let root = workspace().join("cli/demo/trusted_root.json");
    let facts = folder.join("facts.json");
    regent(&[
        "test",
        folder.to_str().unwrap(),
        "--record",
        facts.to_str().unwrap(),
        "--registry-mirror",
        &mirror,
        "--trusted-root",
        root.to_str().unwrap(),
        "--format",
        "json",
    ])
}

fn replay(folder: &Path) -> Ran {
    regent(&["test", folder.to_str().unwrap(), "--format", "json"])
}

fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr))
}

fn facts(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("facts.json")).unwrap()).unwrap()
}

#[test]
fn a_replay_says_what_the_recording_said() {
    let folder = folder();
    let recorded = document(&record(folder.path()));
    assert_eq!(recorded["summary"]["failed"], 0, "{recorded:#}");
    assert!(recorded["summary"]["passed"].as_u64() > Some(20));
    // The registry is gone, and nobody says whom to trust: the facts do.
    assert_eq!(document(&replay(folder.path())), recorded);
    let mut first = facts(folder.path());
    record(folder.path());
    let mut second = facts(folder.path());
    for facts in [&mut first, &mut second] {
        facts["recordedAt"] = Value::Null;
    }
    assert_eq!(first, second, "two recordings of the same differ");
}

#[test]
fn what_was_not_recorded_is_an_error_and_never_a_pass() {
    let folder = folder();
    record(folder.path());
    let mut known = facts(folder.path());
    let tags = known["tags"].as_object_mut().unwrap();
    tags.remove("ghcr.io/your-org/app:v1").unwrap();
    fs::write(folder.path().join("facts.json"), known.to_string()).unwrap();
    let replayed = document(&replay(folder.path()));
    let rows = replayed["results"].as_array().unwrap();
    let row = rows.iter().find(|row| {
        let resource = row["resource"].as_str().unwrap();
        resource.ends_with("/app")
    });
    let row = row.unwrap();
    assert_eq!(row["outcome"], "fail", "{row:#}");
    let message = row["message"].as_str().unwrap();
    assert!(message.contains("the recorded facts do not say"), "{row:#}");
    assert!(message.contains("--record"), "{row:#}");
}

#[test]
fn evidence_is_verified_at_each_replay() {
    let folder = folder();
    record(folder.path());
    let mut known = facts(folder.path());
    // The trust root without its authorities: what was recorded does not verify any more.
    known["trustRoots"][0]["certificateAuthorities"] = json!([]);
    fs::write(folder.path().join("facts.json"), known.to_string()).unwrap();
    let replayed = document(&replay(folder.path()));
    assert_ne!(replayed["summary"]["failed"], 0, "{replayed:#}");
}

#[test]
fn facts_that_cannot_be_read_are_named_and_nothing_passes() {
    let folder = folder();
    for text in [None, Some("{"), Some("{\"regentFacts\": 2}")] {
        if let Some(text) = text {
            fs::write(folder.path().join("facts.json"), text).unwrap();
        }
        let ran = replay(folder.path());
        assert_eq!(document(&ran)["summary"]["passed"], 0, "{}", ran.stdout);
        let said = document(&ran)["diagnostics"].to_string();
        assert!(said.contains("facts.json"), "{}", ran.stdout);
    }
}
