//! What `regent test` writes for machines: alone on stdout, and valid by its schema.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regent::exit_status::ExitStatus;
use regent_tests::{needs, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Ran, regent};

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: refuse-bad
spec:
  rules:
    - name: check-name
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        message: \"no <bad> & no \\u0007 bell\"
        deny:
          conditions:
            any: [{key: \"{{ request.object.metadata.name }}\", operator: Equals, value: bad}]
";

const TEST: &str = "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: names}
policies: [policy.yaml]
resources: [resources.yaml]
results:
- {policy: refuse-bad, rule: check-name, kind: Pod, resources: [good], result: pass}
- {policy: refuse-bad, rule: check-name, kind: Pod, resources: [bad], result: pass}
- {policy: refuse-bad, rule: chek-name, kind: Pod, resources: [good], result: pass}
";

/// A folder with a row that passes, one that fails and one that tests nothing, and one whose test cannot be read.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pod = |name| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n---\n");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("policy.yaml", POLICY);
    write("resources.yaml", &(pod("good") + &pod("bad")));
    write("kyverno-test.yaml", TEST);
    fs::create_dir(folder.path().join("z broken")).unwrap();
    write("z broken/kyverno-test.yaml", "kind: [\n");
    folder
}

fn test(folder: &TempDir, format: &str) -> Ran {
    let ran = regent(&["test", folder.path().to_str().unwrap(), "-o", format]);
    assert_eq!(ran.status, ExitStatus::Failed);
    ran
}

#[test]
fn json_and_yaml_are_the_same_document() {
    let folder = folder();
    let document: Value = serde_json::from_str(&test(&folder, "json").stdout).unwrap();
    assert_eq!(
        document["summary"],
        json!({"passed": 1, "failed": 1, "skipped": 1, "errors": 1})
    );
    let source = regent_engine::source::Source::new("out", test(&folder, "yaml").stdout);
    let (documents, diagnostics) = regent_engine::yaml::parse(&source);
    assert!(diagnostics.is_empty());
    assert_eq!(documents[0].to_json(), document);
}

#[test]
fn markdown_is_one_document_with_its_cells_escaped() {
    let text = test(&folder(), "markdown").stdout;
    assert!(text.starts_with("# Policy tests\n\n## names ("), "{text}");
    assert!(
        text.contains(
            "| 2 | refuse-bad | check-name | v1/Pod/default/bad | Fail | Want pass, got fail |\n"
        ),
        "{text}"
    );
    assert!(
        text.ends_with("**2 tests passed and 2 tests failed**\n"),
        "{text}"
    );
}

#[test]
fn junit_is_valid_by_its_schema() {
    let text = test(&folder(), "junit").stdout;
    assert!(
        text.contains(" tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" "),
        "{text}"
    );
    assert!(
        text.contains("no &lt;bad&gt; &amp; no \u{fffd} bell</failure>"),
        "{text}"
    );
    assert!(
        text.contains(" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" "),
        "{text}"
    );
    let document = tempfile::NamedTempFile::new().unwrap();
    fs::write(document.path(), &text).unwrap();
    let schema = workspace().join("tests/it/outputs/junit.xsd");
    let checked = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .args([&schema, document.path()])
        .output();
    match checked {
        Ok(output) => assert!(
            output.status.success(),
            "{}\n{text}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(_) => needs("xmllint (libxml2-utils)"),
    }
}

#[test]
fn sarif_points_at_the_rule() {
    let folder = folder();
    let document: Value = serde_json::from_str(&test(&folder, "sarif").stdout).unwrap();
    let results = document["runs"][0]["results"].as_array().unwrap();
    let failure = &results[0];
    assert_eq!(failure["ruleId"], "refuse-bad/check-name");
    assert_eq!(failure["level"], "error");
    let place = &failure["locations"][0]["physicalLocation"];
    let uri = place["artifactLocation"]["uri"].as_str().unwrap();
    assert!(
        uri.starts_with("file:///") && uri.ends_with("/policy.yaml"),
        "{uri}"
    );
    assert_eq!(
        place["region"],
        json!({"startLine": 7, "startColumn": 13, "endLine": 7, "endColumn": 23})
    );
    let related = &failure["relatedLocations"][0]["physicalLocation"];
    assert_eq!(related["region"]["startLine"], 8);
    let misleading = results
        .iter()
        .find(|result| result["ruleId"] == "misleading-result");
    assert_eq!(misleading.unwrap()["level"], "warning");
    let broken = results.last().unwrap();
    assert!(
        broken["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .unwrap()
            .ends_with("/z%20broken/kyverno-test.yaml")
    );
}

#[test]
fn sarif_is_valid_by_its_schema() {
    let Some(schema) = sarif_schema() else {
        return;
    };
    let folder = folder();
    check_sarif(&schema, &test(&folder, "sarif").stdout);
    let broken = folder.path().join("z broken");
    let ran = regent(&["check", broken.to_str().unwrap(), "--format", "sarif"]);
    check_sarif(&schema, &ran.stdout);
}

/// The official schema, which is not ours to keep: in a file that `SARIF_SCHEMA` names.
fn sarif_schema() -> Option<PathBuf> {
    let path = env::var_os("SARIF_SCHEMA").map(PathBuf::from);
    let path = path.filter(|path| path.is_file());
    if path.is_none() {
        needs("SARIF's JSON schema (SARIF_SCHEMA names the file)");
    }
    path
}

fn check_sarif(schema: &Path, text: &str) {
    const PROGRAM: &str = "
import json, sys
try:
    import jsonschema
except ImportError:
    sys.exit(3)
jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))
";
    let document = tempfile::NamedTempFile::new().unwrap();
    fs::write(document.path(), text).unwrap();
    // The first Python that is found need not be the one that the package was installed for.
    for python in ["python3", "/usr/bin/python3"] {
        let checked = Command::new(python)
            .args(["-c", PROGRAM])
            .args([schema, document.path()])
            .output();
        let Ok(output) = checked else { continue };
        if output.status.code() != Some(3) {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}\n{text}");
            return;
        }
    }
    needs("python3 with jsonschema");
}

#[test]
fn patched_resources_that_differ_are_shown_line_by_line() {
    let folder = folder();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let row = "- {policy: refuse-bad, rule: check-name, kind: Pod, resources: [good], result: pass, patchedResources: patched.yaml}\n";
    fs::write(
        folder.path().join("kyverno-test.yaml"),
        read("kyverno-test.yaml") + row,
    )
    .unwrap();
    fs::write(
        folder.path().join("patched.yaml"),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: good, labels: {a: b}}\n",
    )
    .unwrap();
    let ran = regent(&["test", folder.path().to_str().unwrap()]);
    assert!(
        ran.stderr.contains(
            "the patched object is not as in `patched.yaml`:\n      apiVersion: v1\n      kind: Pod\n      metadata:\n    -   labels:\n    -     a: b\n        name: good\n"
        ),
        "{}",
        ran.stderr
    );
}
