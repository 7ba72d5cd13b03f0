//! Image rules run by `regent test`, offline and from OCI layouts, on what real signers wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::regent;

mod attached;
mod certificates;
mod cosign;
mod loading;
mod made_story;
mod real_signers;
mod stack;
mod story;

/// One test folder: pods that differ in their image, under the one rule of a policy.
struct Folder {
    policy: String,
    /// Names of the policy and of its rule.
    names: (&'static str, &'static str),
    layout: PathBuf,
    trusted_root: PathBuf,
    pods: Vec<Pod>,
}

/// A pod in `production`, and what the rule has to answer.
struct Pod {
    name: String,
    image: String,
    passes: bool,
}

/// What `regent test` made of a pod.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// Whether it was what the folder expects.
    good: bool,
    message: String,
}

impl Folder {
    /// Writes it to `path`, with its layout.
    fn write(&self, path: &Path) {
        let images = json!({"ociLayouts": [self.layout], "trustedRoots": [self.trusted_root]});
        self.write_from(path, ("images", images));
    }

    /// Writes it to `path`, as JSON, which is YAML too, with where images come from.
    fn write_from(&self, path: &Path, (field, from): (&str, Value)) {
        fs::create_dir_all(path).unwrap();
        let write = |name: &str, text: String| fs::write(path.join(name), text).unwrap();
        let pods = self.pods.iter().map(|pod| {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": pod.name, "namespace": "production"},
                "spec": {"containers": [{"name": "app", "image": pod.image}]},
            });
            pod.to_string()
        });
        write("resources.yaml", pods.collect::<Vec<_>>().join("\n---\n"));
        write("policy.yaml", self.policy.clone());
        let row = |passes: bool| {
            let pods = self.pods.iter().filter(|pod| pod.passes == passes);
            let names: Vec<&str> = pods.map(|pod| pod.name.as_str()).collect();
            let row = json!({
                "policy": self.names.0, "rule": self.names.1, "kind": "Pod",
                "resources": names, "result": if passes { "pass" } else { "fail" },
            });
            (!names.is_empty()).then_some(row)
        };
        let rows: Vec<Value> = [true, false].into_iter().filter_map(row).collect();
        let mut test = json!({
            "apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Test",
            "metadata": {"name": "images"},
            "policies": ["policy.yaml"], "resources": ["resources.yaml"],
            "results": rows,
        });
        test[field] = from;
        write("kyverno-test.yaml", test.to_string());
    }
}

/// Runs all folders below `root`: what became of each pod, by its folder and name.
fn run(root: &Path) -> BTreeMap<(String, String), Line> {
    run_with(root, &[])
}

/// The same with some more flags.
fn run_with(root: &Path, flags: &[&str]) -> BTreeMap<(String, String), Line> {
    let folder = root.to_str().unwrap();
    let arguments = ["test", folder, "--strict", "--format", "json"];
    let ran = regent(&[&arguments[..], flags].concat());
    let document: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    let mut lines = BTreeMap::new();
    for line in document["results"].as_array().unwrap() {
        let text = |field: &str| line[field].as_str().unwrap_or_default();
        let folder = Path::new(text("file")).parent().unwrap();
        let folder = folder.strip_prefix(root).unwrap().to_str().unwrap();
        let (_, pod) = text("resource").rsplit_once('/').unwrap();
        // Long messages are folded.
        let message: Vec<&str> = text("message").split_whitespace().collect();
        let line = Line {
            good: line["outcome"] == "pass",
            message: message.join(" "),
        };
        let known = lines.insert((folder.to_owned(), pod.to_owned()), line);
        assert!(known.is_none(), "{folder}: {pod} has two lines");
    }
    lines
}
