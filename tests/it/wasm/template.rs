//! A template of Gatekeeper's: compiled by OPA and run as a guest, run by our interpreter, and evaluated by the real OPA.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use regent_engine::rego::evaluate::{Budget, Document};
use regent_engine::rego::foreign::{Dialect, Foreign, Strictness, Text};
use serde_json::{Value, json};

use super::modules;
use crate::command::regent;
use crate::opa::opa;

/// Objects with the labels and shapes that the template looks at, and those that it does not expect.
fn objects() -> Vec<Value> {
    let labelled = |labels: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n", "labels": labels}, "spec": {"containers": []}});
    let odd = |metadata: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata});
    vec![
        labelled(json!({"owner": "core"})),
        labelled(json!({"owner": "core", "team": "x", "more": "y"})),
        labelled(json!({"owner": "Core-1"})),
        labelled(json!({"owner": ""})),
        labelled(json!({"team": "x"})),
        labelled(json!({})),
        labelled(json!(null)),
        labelled(json!("owner")),
        labelled(json!(["owner"])),
        labelled(json!({"owner": null})),
        labelled(json!({"owner": 1})),
        labelled(json!({"owner": {"a": "b"}})),
        labelled(json!({"owner": "é\"\\\u{2028}"})),
        odd(json!({"name": "a"})),
        odd(json!({})),
        odd(json!(null)),
        odd(json!("x")),
    ]
}

fn parameters() -> Vec<Value> {
    vec![
        json!({"labels": [{"key": "owner", "allowedRegex": "^[a-z]+$"}]}),
        json!({"labels": [{"key": "owner", "allowedRegex": ""}, {"key": "team", "allowedRegex": "^x$"}]}),
        json!({"labels": [{"key": "owner"}]}),
        json!({"labels": [{"key": "owner", "allowedRegex": "("}]}),
        json!({"labels": []}),
        json!({}),
    ]
}

/// The messages of violations.
fn messages(violations: &Value) -> BTreeSet<String> {
    let violations = violations.as_array().unwrap().iter();
    violations
        .map(|one| one["msg"].as_str().unwrap().to_owned())
        .collect()
}

fn by_opa(opa: &Path, input: &Path) -> BTreeSet<String> {
    let ran = Command::new(opa)
        .args(["eval", "--format", "json", "--data"])
        .arg(modules().join("required-labels/policy.rego"))
        .arg("--input")
        .arg(input)
        .arg("data.policy.violation")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    messages(&said["result"][0]["expressions"][0]["value"])
}

/// What is left of a text in any case: that of guests is cleaned before it is shown.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}

/// None where the interpreter does not answer: it goes through nothing but lists, sets and objects, where OPA finds nothing.
fn by_interpreter(foreign: &Foreign, input: &Value) -> Option<BTreeSet<String>> {
    let budget = Budget {
        instructions: usize::MAX,
        time: Duration::from_secs(5),
    };
    match foreign.answer(&Document::from_json(input), (0, budget)) {
        Ok(answer) => Some(messages(&answer.unwrap().to_json().unwrap())),
        Err(error) => {
            let labels = &input["review"]["object"]["metadata"]["labels"];
            let error = error.to_string();
            assert!(
                !labels.is_object()
                    && !labels.is_array()
                    && error.contains("expects array/set/object"),
                "{input}{error}"
            );
            None
        }
    }
}

/// What the module says of a request, of which the review of Gatekeeper's input is made.
fn by_guest(request: &Path, settings: &Path) -> Value {
    let module = modules().join("required-labels/required-labels.wasm");
    let ran = regent(&[
        "wasm",
        "run",
        module.to_str().unwrap(),
        "--request",
        request.to_str().unwrap(),
        "--settings",
        settings.to_str().unwrap(),
    ]);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr))
}

#[test]
fn says_the_same_as_a_guest_in_the_interpreter_and_in_opa() {
    let Some(opa) = opa() else { return };
    let text = fs::read_to_string(modules().join("required-labels/policy.rego")).unwrap();
    let module = Text {
        name: "policy.rego",
        text: &text,
    };
    let read = Foreign::read(&[module], (Dialect::V1, Strictness::Lenient), None);
    let foreign = read.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path
    };
    let (mut allowed, mut denied, mut unanswered) = (0, 0, 0);
    for parameters in parameters() {
        let settings = write("settings.json", &parameters);
        for object in objects() {
            let request = json!({"uid": "1", "operation": "CREATE", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "object": object});
            let input = json!({"review": request, "parameters": parameters});
            let here = by_opa(&opa, &write("input.json", &input));
            match by_interpreter(&foreign, &input) {
                Some(ours) => assert_eq!(ours, here, "{input}"),
                None => unanswered += 1,
            }
            let guest = by_guest(&write("request.json", &request), &settings);
            assert_eq!(guest["accepted"], here.is_empty(), "{input}{guest}");
            let said = guest["message"].as_str().unwrap_or("");
            for message in &here {
                assert!(plain(said).contains(&plain(message)), "{said}: {message}");
            }
            if here.is_empty() {
                allowed += 1;
            } else {
                denied += 1;
            }
        }
    }
    let all = allowed + denied;
    assert!(
        allowed > 10 && denied > 10 && unanswered * 4 < all,
        "{allowed} {denied} {unanswered}"
    );
}
