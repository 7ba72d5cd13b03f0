//! Modules that ship, and the webhook with modules beside other policies.

mod host_calls;
mod hostile;
mod reload;
mod scaffold;
mod signed;
mod template;

use std::fs;
use std::path::PathBuf;

use regent::exit_status::ExitStatus;
use regent_tests::workspace;
use serde_json::{Value, json};

use crate::command::regent;
use crate::server::client::{pod_review, start};

fn modules() -> PathBuf {
    workspace().join("wasm-modules")
}

#[test]
fn each_module_is_tested_both_ways() {
    let ran = regent(&[
        "test",
        modules().to_str().unwrap(),
        "--strict",
        "--require-tests",
        "--format",
        "json",
    ]);
    let document: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    let rows = document["results"].as_array().unwrap();
    for row in rows {
        assert_eq!(row["outcome"], "pass", "{row:#}");
    }
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let folders = fs::read_dir(modules()).unwrap();
    let with_policy =
        folders.filter(|folder| folder.as_ref().unwrap().path().join("policy.yaml").exists());
    for folder in with_policy {
        let folder = folder.unwrap().path();
        let of_folder = |expected: &[&str]| {
            let mut rows = rows.iter();
            rows.any(|row| {
                row["file"]
                    .as_str()
                    .unwrap()
                    .starts_with(folder.to_str().unwrap())
                    && expected.contains(&row["expected"].as_str().unwrap())
            })
        };
        assert!(
            of_folder(&["pass"]) && of_folder(&["fail"]),
            "{}",
            folder.display()
        );
    }
}

#[test]
fn a_module_is_inspected_and_measured() {
    let module = modules().join("quantity-limits-c/quantity-limits-c.wasm");
    let module = module.to_str().unwrap();
    let ran = regent(&["wasm", "inspect", module, "--json"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["abi"], "wasi");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path.display().to_string()
    };
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": []}});
    let request = write("pod.json", &pod);
    let settings = write("settings.json", &json!({"cpu": "1"}));
    let asked = ["--request", &request, "--settings", &settings];
    let ran = regent(&[&["wasm", "run", module], &asked[..]].concat());
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let ran = regent(&[&["wasm", "bench", module, "-n", "10", "--json"], &asked[..]].concat());
    let said: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    assert!(said["fuel"].as_u64().unwrap() > 0, "{said}");
    let annotated = folder.path().join("annotated.wasm");
    let metadata = write(
        "metadata.json",
        &json!({"executionMode": "wasi", "hostCapabilities": ["oci/*"], "ruls": []}),
    );
    let output = annotated.to_str().unwrap();
    let ran = regent(&[
        "wasm",
        "annotate",
        module,
        "--metadata",
        &metadata,
        "--output",
        output,
    ]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let warned = "no tool reads the field `ruls` of metadata; did you mean `rules`?";
    assert!(ran.stderr.contains(warned), "{}", ran.stderr);
    let ran = regent(&["wasm", "inspect", output, "--json"]);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["hostCapabilities"], json!(["oci/*"]));
}

/// A policy whose rule asks a module, in the folder of the modules.
fn policy(name: &str, module: &str, more: &str) -> String {
    let module = modules().join(module);
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\nspec:\n  rules:\n  - name: asks\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      failureAction: Enforce\n      wasm:\n        module: {}\n{more}",
        module.display()
    )
}

fn review(pod: Value) -> Value {
    let mut review = pod_review(&json!({}));
    review["request"]["object"] = pod;
    review
}

const LABELLED: &str = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: labelled}\nspec:\n  validationFailureAction: Enforce\n  rules:\n  - name: team\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate: {message: a team, pattern: {metadata: {labels: {team: '?*'}}}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_asks_modules_beside_other_policies() {
    let guard = policy("guard", "pod-guard/pod-guard.wasm", "");
    let limits = policy(
        "limits",
        "quantity-limits-c/quantity-limits-c.wasm",
        "        settings: {cpu: '1'}\n",
    );
    let server = start(
        &[
            ("guard.yaml", &guard),
            ("limits.yaml", &limits),
            ("labelled.yaml", LABELLED),
        ],
        |_settings| {},
    )
    .await;
    let pod = |cpu: &str, more: Value| {
        let mut spec = json!({"containers": [{"name": "a", "image": "registry.example/a:v1", "resources": {"limits": {"cpu": cpu}}}]});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default", "labels": {"team": "x"}}, "spec": spec})
    };
    for (pod, refusal) in [
        (pod("500m", json!({})), None),
        (pod("2", json!({})), Some("more than it may of cpu")),
        (
            pod("1", json!({"hostNetwork": true})),
            Some("hostNetwork is not allowed"),
        ),
    ] {
        let said = server.post("/validate/fail", &review(pod)).await;
        let (allowed, message) = (said.allowed(), said.body);
        match refusal {
            None => assert!(allowed, "{message}"),
            Some(text) => assert!(!allowed && message.contains(text), "{message}"),
        }
    }
}

#[test]
fn the_page_about_kubewarden_shows_a_policy_that_loads() {
    let page = fs::read_to_string(workspace().join("docs/kubewarden.md")).unwrap();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    fs::write(&file, shown).unwrap();
    let ran = regent(&["check", file.to_str().unwrap()]);
    assert!(ran.stderr.contains("cannot be used"), "{}", ran.stderr);
    let module = modules().join("pod-guard/pod-guard.wasm");
    fs::copy(module, folder.path().join("pod-guard.wasm")).unwrap();
    let ran = regent(&["check", folder.path().to_str().unwrap()]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
}

/// A file of Kubewarden's that ships, with its module where it is.
fn of_kubewarden(name: &str) -> String {
    let module = modules().join("pod-guard/pod-guard.wasm");
    let module = format!("file://{}", module.display());
    let file = modules().join("pod-guard/kubewarden").join(name);
    let text = fs::read_to_string(file).unwrap();
    text.replace("file://../pod-guard.wasm", &module)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_takes_policies_as_kubewarden_has_them() {
    let pod = |labels: Value, host: bool| {
        let metadata = json!({"name": "a", "namespace": "default", "labels": labels});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"hostNetwork": host, "containers": []}})
    };
    let modest = || pod(json!({}), false);
    let trusted = || pod(json!({"example.com/trusted": "yes"}), true);
    let greedy = || pod(json!({}), true);
    // No policy, although it holds a place of something.
    let other = ("other.yaml", "site:\n  page: https://example.com\n");
    for (file, allowed, refused) in [
        ("policy.yaml", vec![modest(), trusted()], vec![greedy()]),
        ("policies.yml", vec![modest()], vec![trusted(), greedy()]),
    ] {
        let text = of_kubewarden(file);
        let server = start(&[(file, &text), other], |_settings| {}).await;
        let ready = server.get("/health/readiness").await;
        assert_eq!(ready.status, 200, "{}", ready.body);
        for pod in allowed {
            let said = server.post("/validate/fail", &review(pod)).await;
            assert!(said.allowed(), "{}", said.body);
        }
        for pod in refused {
            let said = server.post("/validate/fail", &review(pod)).await;
            let wanted = "this pod wants too much of its node; hostNetwork is not";
            assert!(
                !said.allowed() && said.body.contains(wanted),
                "{}",
                said.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_runs_away_is_an_error_of_its_rule() {
    let folder = tempfile::tempdir().unwrap();
    let wat = fs::read_to_string(modules().join("hostile/loop.wat")).unwrap();
    // Looks at its settings, and runs away only then.
    let wat = wat.replace(
        "(module\n",
        "(module\n  (import \"wapc\" \"__guest_response\" (func $response (param i32 i32)))\n  (data (i32.const 8) \"{\\\"valid\\\":true}\")\n",
    );
    let wat = wat.replace(
        "    (loop $again",
        "    (if (i32.eq (local.get $operation) (i32.const 17)) (then (call $response (i32.const 8) (i32.const 14)) (return (i32.const 1))))\n    (loop $again",
    );
    let module = folder.path().join("loop.wasm");
    fs::write(&module, wat::parse_str(&wat).unwrap()).unwrap();
    let text = policy(
        "loops",
        module.to_str().unwrap(),
        "        timeout: 100ms\n",
    );
    let server = start(&[("loops.yaml", &text)], |_settings| {}).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default"}, "spec": {"containers": []}});
    // After three, what follows gets less of its time: a twentieth of a processor is left to it, and nothing is let in.
    for expected in ["in time", "in time", "in time", "in 100 ms, all"] {
        let said = server.post("/validate/fail", &review(pod.clone())).await;
        assert!(!said.allowed(), "{}", said.body);
        let expected = format!("did not answer {expected}");
        assert!(said.body.contains(&expected), "{}", said.body);
    }
}
