//! The hostile modules in the webhook: many requests at once, each of which ends in its module's error, while others are
//! answered right and memory stays within bounds.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{LABELLED, modules, policy, review};
use crate::process::Process;
use crate::serve_command::{announced, command};
use crate::server::client::{Answer, post, send_to};

/// Each module of the folder, and what is said of it.
const SAID: [(&str, &str); 26] = [
    ("accepted-as-text", "its answer is malformed"),
    ("asks-deprecated", "which is not supported"),
    ("asks-unlisted", "which `capabilities` does not list"),
    ("error-not-utf-8", "its settings are not valid"),
    ("fill-loop", "it did not answer in time"),
    ("four-gigabytes", "its memory is larger than it may be"),
    ("grow-and-touch", "it wanted more memory than it may have"),
    ("grow-bomb", "it wanted more memory than it may have"),
    ("huge-table", "its table is larger than it may be"),
    ("log-flood", "it did not answer in time"),
    ("loop", "it did not answer in time"),
    ("loop-in-init", "it did not answer in time"),
    ("loop-in-start", "it did not answer in time"),
    ("no-memory", "it has no `memory`"),
    ("no-response", "its answer is malformed"),
    ("not-json", "its answer is malformed"),
    ("opens-a-file", "which there is not"),
    ("pieces-outside", "outside of its memory"),
    ("recursion", "it trapped"),
    ("request-outside", "outside of its memory"),
    ("response-outside", "outside of its memory"),
    ("response-overflow", "outside of its memory"),
    ("sixty-megabyte-response", "is larger than it may be"),
    ("stdout-flood", "is larger than it may be"),
    ("table-bomb", "it wanted more memory than it may have"),
    ("unreachable", "it trapped"),
];

/// Requests for each of them at once.
const AT_ONCE: usize = 3;

/// What the server may hold above what it had before: those modules that take memory take 64 MiB, and give it back.
const MORE_MIB: u64 = 128;

/// `regent serve` with a policy for each hostile module, each in a namespace of its own, and good ones.
struct Serve {
    process: Process,
    address: SocketAddr,
    authority: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Serve {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policies = folder.path().join("policies");
        fs::create_dir(&policies).unwrap();
        for (name, _) in SAID {
            let wat = fs::read(modules().join(format!("hostile/{name}.wat"))).unwrap();
            let module = policies.join(format!("{name}.wasm"));
            fs::write(&module, wat::parse_bytes(&wat).unwrap()).unwrap();
            let text = policy(name, module.to_str().unwrap(), "        timeout: 1s\n");
            let only = format!("kinds: [Pod], namespaces: [{name}]");
            let text = text.replace("kinds: [Pod]", &only);
            fs::write(policies.join(format!("{name}.yaml")), text).unwrap();
        }
        let guard = policy("guard", "pod-guard/pod-guard.wasm", "        timeout: 5s\n");
        for (name, text) in [("guard", guard.as_str()), ("labelled", LABELLED)] {
            let text = text.replace("kinds: [Pod]", "kinds: [Pod], namespaces: [default]");
            fs::write(policies.join(format!("{name}.yaml")), text).unwrap();
        }
        let tls = folder.path().join("tls");
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let (tls_path, policies) = (path(&tls), path(&policies));
        let mut command = command(&["--tls-self-signed", &tls_path, "--policies", &policies]);
        let mut process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let lines = process.stderr();
        let address = announced(&lines, "webhook on https://");
        // Nobody reads the rest, and nobody must wait for a reader.
        std::thread::spawn(move || lines.iter().count());
        Self {
            address,
            authority: fs::read(tls.join("ca.crt")).unwrap(),
            process,
            _folder: folder,
        }
    }

    async fn ask(&self, namespace: &str, more: serde_json::Value) -> Answer {
        let mut spec = json!({"containers": [{"name": "a", "image": "registry.example/a:v1"}]});
        let more = more.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(more);
        let mut review = review(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "namespace": namespace, "labels": {"team": "x"}},
            "spec": spec,
        }));
        review["request"]["namespace"] = namespace.into();
        let request = post("/validate/fail?timeout=20s", review.to_string());
        send_to(self.address, &self.authority, request).await
    }

    /// Resident memory in MiB: now, and the most that it was.
    fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            let number = line.split_whitespace().nth(1).unwrap();
            number.parse::<u64>().unwrap() / 1_024
        };
        (of("VmRSS:"), of("VmHWM:"))
    }
}

/// Asks a hostile module, which ends in its error.
async fn ends_in(serve: Arc<Serve>, name: &'static str, said: &'static str) {
    let answer = serve.ask(name, json!({})).await;
    assert!(!answer.allowed(), "{name}: {}", answer.body);
    // As YAML, which breaks lines.
    let response = answer.response();
    let words = response["status"]["message"].as_str().unwrap();
    let words: Vec<&str> = words.split_whitespace().collect();
    let message = words.join(" ");
    assert!(message.contains(said), "{name}: {message}");
}

/// Asks good policies until it is told to end, and says how often.
async fn good_until(serve: Arc<Serve>, ended: Arc<AtomicBool>) -> u32 {
    let mut asked = 0;
    while !ended.load(Ordering::Relaxed) {
        let said = serve.ask("default", json!({})).await;
        assert!(said.allowed(), "{}", said.body);
        let said = serve.ask("default", json!({"hostNetwork": true})).await;
        assert!(said.body.contains("hostNetwork"), "{}", said.body);
        asked += 1;
    }
    asked
}

#[test]
fn each_module_of_the_folder_is_asked() {
    let files = fs::read_dir(modules().join("hostile")).unwrap();
    let there: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let known = SAID.map(|(name, _)| format!("{name}.wat"));
    assert_eq!(there, BTreeSet::from(known));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_modules_end_in_their_errors_beside_others_that_are_answered() {
    let serve = Arc::new(Serve::start());
    assert!(serve.ask("default", json!({})).await.allowed());
    let (before, _) = serve.memory();
    let mut hostile = tokio::task::JoinSet::new();
    for (name, said) in SAID {
        for _ in 0..AT_ONCE {
            hostile.spawn(ends_in(Arc::clone(&serve), name, said));
        }
    }
    let ended = Arc::new(AtomicBool::new(false));
    let good = tokio::spawn(good_until(Arc::clone(&serve), Arc::clone(&ended)));
    while let Some(done) = hostile.join_next().await {
        done.unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    assert!(good.await.unwrap() > 0);
    let (after, most) = serve.memory();
    assert!(after < before + MORE_MIB, "{before} {after} {most}");
    // Calls of one policy take turns, and no more than two policies want 64 MiB each.
    assert!(most < before + 3 * MORE_MIB, "{before} {after} {most}");
}
