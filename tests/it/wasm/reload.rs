//! Files of modules that change while policies stay as they are.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{modules, review};
use crate::server::client::{Server, start};

const WASM: &str = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: guest}\nspec:\n  rules:\n  - name: asks\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate:\n      failureAction: Enforce\n      wasm:\n        module: ../module.wasm\n";

const REGO: &str = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: rego}\nspec:\n  rules:\n  - name: asks\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate:\n      failureAction: Enforce\n      rego: {module: ../module.rego}\n";

const LABELS: &str = "package labels\n\nviolation contains {\"msg\": msg} if {\n\tnot input.review.object.metadata.labels.NAME\n\tmsg := \"label NAME is missing\"\n}\n";

/// A server with one policy that names a module beside its folder, which is read again when a file changes.
async fn serving(policy: &str, module: &str, bytes: &[u8]) -> Server {
    let policies = [("policy.yaml", policy)];
    let server = start(&policies, |settings| {
        let folder = settings.policies.first().unwrap().parent().unwrap();
        fs::write(folder.join(module), bytes).unwrap();
        settings.reload_interval = Duration::from_millis(20);
    });
    server.await
}

/// Puts a whole file in another's place, as who delivers files does.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, path).unwrap();
}

/// Asks until the answer holds a text.
async fn says(server: &Server, text: &str) {
    let asked = async { while !answer(server).await.contains(text) {} };
    let in_time = tokio::time::timeout(Duration::from_mins(1), asked).await;
    assert!(in_time.is_ok(), "never: {text}");
}

/// Asks once.
async fn says_at_once(server: &Server, text: &str) {
    let body = answer(server).await;
    assert!(body.contains(text), "{body}");
}

async fn answer(server: &Server) -> String {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default"}, "spec": {"hostNetwork": true, "containers": [{"name": "a", "image": "registry.example/a:v1"}]}});
    let review = review(pod);
    server.post("/validate/fail", &review).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rego_file_that_changes_is_read_again() {
    let labels = |name: &str| LABELS.replace("NAME", name);
    let server = serving(REGO, "module.rego", labels("team").as_bytes()).await;
    says(&server, "label team is missing").await;
    let path = server.policy_path("../module.rego");
    replace(&path, labels("owner").as_bytes());
    says(&server, "label owner is missing").await;
    // A slip of the pen switches nothing off.
    replace(&path, b"package labels\n\nviolation contains {\n");
    let not_ready = server.ready_when(|answer| answer.body.contains("module.rego"));
    let body = not_ready.await.body;
    assert!(
        body.contains("the earlier version stays in force"),
        "{body}"
    );
    says(&server, "label owner is missing").await;
    replace(&path, labels("unit").as_bytes());
    says(&server, "label unit is missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wasm_file_that_changes_is_read_again() {
    let built = |name: &str| fs::read(modules().join(format!("{name}/{name}.wasm"))).unwrap();
    let server = serving(WASM, "module.wasm", &built("pod-guard")).await;
    says(&server, "hostNetwork is not allowed").await;
    let path = server.policy_path("../module.wasm");
    replace(&path, b"no module");
    let not_ready = server.ready_when(|answer| answer.body.contains("the earlier version"));
    not_ready.await;
    says(&server, "hostNetwork is not allowed").await;
    // The other asks for no labels where it is given none.
    replace(&path, &built("required-labels"));
    says(&server, "\"allowed\":true").await;
    // One that refuses the settings that there are does not judge by them.
    replace(&path, &built("registry-allowlist"));
    let not_ready = server.ready_when(|answer| answer.body.contains("settings are not valid"));
    not_ready.await;
    for _ in 0..3 {
        says_at_once(&server, "\"allowed\":true").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_refuses_its_settings_from_the_start_judges_nothing() {
    let wasm = fs::read(modules().join("registry-allowlist/registry-allowlist.wasm")).unwrap();
    let server = serving(WASM, "module.wasm", &wasm).await;
    says_at_once(&server, "settings are not valid").await;
}
