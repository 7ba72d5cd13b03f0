//! Kyverno's own webhook answers, set by set, against `serve` with the same policies: the same verdict, the same message
//! but for white space, the same object.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_server::cluster::ClusterSource;
use regent_server::image::Network;
use regent_server::image::registry::RegistrySettings;
use regent_tests::{note, record, shared_path, workspace};
use serde_json::{Value, json};

use super::client::{Server, start};
use crate::cluster::api_server::ApiServer;

/// Namespaces of the cluster that was recorded, besides those that every cluster has.
const NAMESPACES: [&str; 3] = ["demo", "prod", "test"];

/// What became of the pairs.
#[derive(Default)]
struct Counts {
    of: usize,
    same: usize,
    /// Pairs of sets with policies that need what this version does not run.
    not_run: usize,
    /// By set, what differs.
    different: BTreeMap<String, Vec<String>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_kyvernos_webhook() {
    let Some(folder) = shared_path("conformance/webhook") else {
        return;
    };
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let Some(api) = ApiServer::start() else {
        return;
    };
    for namespace in NAMESPACES {
        let said = api.kubectl(&["create", "namespace", namespace], "");
        assert!(said.success, "{}", said.stderr);
    }
    let mut counts = Counts::default();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let set: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        ask(&name, &set, &api, &mut counts).await;
    }
    record("webhook", counts.same, counts.of - counts.not_run);
    let told: Vec<String> = counts
        .different
        .iter()
        .map(|(name, lines)| format!("{name}:\n    {}", lines.join("\n    ")))
        .collect();
    note("webhook", &told.join("\n"));
    let known = known_differences();
    let mut problems = Vec::new();
    for (name, lines) in &counts.different {
        if !known.contains_key(name) {
            problems.push(format!("{name} differs:\n    {}", lines.join("\n    ")));
        }
    }
    for name in known.keys() {
        if !counts.different.contains_key(name) {
            problems.push(format!("{name} does not differ: take it off the list"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Sets that answer otherwise, each with its reason.
fn known_differences() -> BTreeMap<String, String> {
    let path = workspace().join("tests/conformance/webhook.known-failures.txt");
    fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (name, reason) = line.split_once(": ").expect("`SET: REASON`");
            (name.to_owned(), reason.to_owned())
        })
        .collect()
}

async fn ask(name: &str, set: &Value, api: &ApiServer, counts: &mut Counts) {
    let policies: Vec<String> = set["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    let names: Vec<String> = (0..policies.len())
        .map(|index| format!("{index}.yaml"))
        .collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(policies.iter().map(String::as_str))
        .collect();
    let pairs = set["pairs"].as_array().unwrap();
    counts.of += pairs.len();
    let server = start(&files, |settings| {
        let source = ClusterSource::Kubeconfig(api.kubeconfig(), None);
        settings.cluster.source = Some(source);
        // As where the answers were recorded, no registry can be reached.
        settings.images.network = Network::Registries(RegistrySettings {
            mirrors: vec![("docker.io".to_owned(), "http://127.0.0.1:1".to_owned())],
            ..RegistrySettings::default()
        });
    })
    .await;
    if server.get("/health/readiness").await.status != 200 {
        counts.not_run += pairs.len();
        return;
    }
    for pair in pairs {
        match compare(&server, pair).await {
            None => counts.same += 1,
            Some(difference) => {
                let lines = counts.different.entry(name.to_owned()).or_default();
                lines.push(difference);
            }
        }
    }
}

/// What differs in the answer to one request.
async fn compare(server: &Server, pair: &Value) -> Option<String> {
    let path = pair["path"].as_str().unwrap();
    let request = &pair["request"];
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request,
    });
    let got = server.post(path, &review).await.response();
    let want = &pair["response"];
    let about = format!(
        "{} {} {}/{}",
        path,
        request["operation"].as_str().unwrap(),
        request["kind"]["kind"].as_str().unwrap(),
        request["name"].as_str().unwrap_or("")
    );
    if got["allowed"] != want["allowed"] {
        return Some(format!(
            "{about}: allowed {}, Kyverno {}: {} / {}",
            got["allowed"],
            want["allowed"],
            folded(&got["status"]["message"]),
            folded(&want["status"]["message"])
        ));
    }
    let messages =
        [&got, want].map(|answer| without_network(&folded(&answer["status"]["message"])));
    if messages[0] != messages[1] {
        return Some(format!(
            "{about}: `{}`, Kyverno `{}`",
            messages[0], messages[1]
        ));
    }
    let operations = got["patch"]
        .as_str()
        .map(|patch| serde_json::from_slice::<Value>(&STANDARD.decode(patch).unwrap()).unwrap());
    let object = &request["object"];
    let ours = patched(object, operations.as_ref());
    let theirs = patched(object, want.get("patch"));
    (ours != theirs).then(|| format!("{about}: patched to {ours}, Kyverno {theirs}"))
}

/// A message without what the network said where no registry could be reached: that is not Kyverno's to say, nor ours.
fn without_network(message: &str) -> String {
    let image = "failed to fetch image descriptor: ";
    let Some((before, rest)) = message.split_once(image) else {
        return message.to_owned();
    };
    let reference = rest
        .split_once(", error: ")
        .map_or(rest, |(reference, _)| reference);
    format!("{before}{image}{reference}")
}

fn folded(message: &Value) -> String {
    let words: Vec<&str> = message.as_str().unwrap_or("").split_whitespace().collect();
    words.join(" ")
}

/// An object with a JSON Patch applied; the operations that answers of webhooks have.
fn patched(object: &Value, operations: Option<&Value>) -> Value {
    let mut object = object.clone();
    for operation in operations.and_then(Value::as_array).into_iter().flatten() {
        let path = operation["path"].as_str().unwrap();
        let (parent, last) = path.rsplit_once('/').unwrap();
        let last = last.replace("~1", "/").replace("~0", "~");
        let place = object.pointer_mut(parent).unwrap();
        let value = operation.get("value").cloned();
        match (operation["op"].as_str().unwrap(), place) {
            ("add" | "replace", Value::Object(fields)) => {
                fields.insert(last, value.unwrap());
            }
            ("remove", Value::Object(fields)) => {
                fields.remove(&last).unwrap();
            }
            ("add", Value::Array(items)) if last == "-" => items.push(value.unwrap()),
            ("add", Value::Array(items)) => items.insert(last.parse().unwrap(), value.unwrap()),
            ("replace", Value::Array(items)) => {
                items[last.parse::<usize>().unwrap()] = value.unwrap();
            }
            ("remove", Value::Array(items)) => {
                items.remove(last.parse().unwrap());
            }
            (other, _) => panic!("{other} {path}"),
        }
    }
    object
}
