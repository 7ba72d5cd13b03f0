//! Break-glass where a real API server asks: who is let in sees a warning, and the audit log says by what.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use regent_engine::go_time::Time;
use regent_server::break_glass::history::History;
use regent_server::break_glass::journal::Journal;
use regent_server::break_glass::{BreakGlassSettings, LONGEST};
use regent_server::clock;
use regent_server::settings::Settings;
use serde_json::{Value, json};

use super::api_server::{ApiServer, Said};
use super::{PATIENCE, pod, webhooks};
use crate::server::client::{Server, start};

/// By the webhook that says it.
const ANNOTATION: &str = "validate.regent.example/break-glass";

const POLICY: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: teams}
spec:
  validationFailureAction: Enforce
  rules:
    - name: named
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {message: "whose is it?", pattern: {metadata: {labels: {team: "?*"}}}}
"#;

fn glass() -> String {
    let now = clock::environment().seconds;
    let [from, to] = [now - 60, now + 3600].map(|seconds| Time::from_unix(seconds, 0).to_string());
    json!({
        "apiVersion": "regent.dev/v1", "kind": "BreakGlass", "metadata": {"name": "incident"},
        "spec": {
            "reason": "the label's tool is down", "ticket": "INC-7", "startsAt": from, "expiresAt": to,
            "match": {"any": [{
                "resources": {"kinds": ["Pod"], "namespaces": ["production"]},
                "subjects": [{"kind": "Group", "name": "system:masters"}],
            }]},
            "exceptions": [{"policyName": "teams", "ruleNames": ["named"]}],
        },
    })
    .to_string()
}

/// The audit log's annotations of the creation of a pod that was not a dry run, as soon as they are there.
fn audited(api: &ApiServer, pod: &str) -> Value {
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(api.audit_log()).unwrap_or_default();
        let events = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_pod = |event: &Value| {
            let uri = event["requestURI"].as_str().unwrap_or_default();
            event["objectRef"]["name"] == pod
                && event["verb"] == "create"
                && !uri.contains("dryRun")
        };
        if let Some(event) = events.into_iter().find(of_pod) {
            return event["annotations"].clone();
        }
        assert!(started.elapsed() < PATIENCE, "nothing is said of {pod}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Regent with a glass that is broken, asked by an API server that keeps an audit log.
struct Incident {
    api: ApiServer,
    journal: PathBuf,
    _regent: Server,
}

impl Incident {
    async fn start() -> Option<Self> {
        let api = ApiServer::start_audited()?;
        let journal = api.state().join("journal.jsonl");
        let policies = [("policy.yaml", POLICY), ("glass.yaml", &glass())];
        let regent = start(&policies, |settings: &mut Settings| {
            settings.break_glass = Some(BreakGlassSettings {
                journal: journal.clone(),
                longest: LONGEST,
                verify_every: Duration::from_millis(300),
            });
        })
        .await;
        for namespace in ["production", "elsewhere"] {
            let said = api.kubectl(&["create", "namespace", namespace], "");
            assert!(said.success, "{}", said.stderr);
        }
        let applied = api.kubectl(&["apply", "-f", "-"], &webhooks(&regent));
        assert!(applied.success, "{}", applied.stderr);
        let incident = Self {
            api,
            journal,
            _regent: regent,
        };
        incident.wait_for_webhooks().await;
        Some(incident)
    }

    async fn wait_for_webhooks(&self) {
        let started = Instant::now();
        loop {
            let said = self.create("elsewhere", "refused", &["--dry-run=server"]);
            if !said.success && said.stderr.contains("whose is it?") {
                return;
            }
            let said = format!("{}{}", said.stdout, said.stderr);
            assert!(started.elapsed() < PATIENCE, "{said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn create(&self, namespace: &str, name: &str, more: &[&str]) -> Said {
        let arguments = [&["create", "-n", namespace, "-f", "-"], more].concat();
        let pod = pod(name, "example.com/app:v1");
        self.api.kubectl(&arguments, &pod.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_servers_audit_log_says_what_break_glass_let_in() {
    let Some(incident) = Incident::start().await else {
        return;
    };
    let dry = incident.create("production", "dry", &["--dry-run=server"]);
    assert!(dry.success, "{}", dry.stderr);
    let said = incident.create("production", "let-in", &[]);
    assert!(said.success, "{}", said.stderr);
    let warning = "let in by break-glass incident";
    assert!(said.stderr.contains(warning), "{}", said.stderr);
    assert_eq!(
        audited(&incident.api, "let-in")[ANNOTATION],
        "incident (INC-7): teams/named"
    );
    let said = incident.create("elsewhere", "refused", &[]);
    assert!(!said.success, "{}", said.stdout);
    assert!(said.stderr.contains("whose is it?"), "{}", said.stderr);
    let annotations = audited(&incident.api, "refused");
    assert!(annotations.get(ANNOTATION).is_none(), "{annotations}");
    let history = History::of(&Journal::new(&incident.journal)).unwrap();
    let objects: Vec<_> = history
        .uses
        .iter()
        .map(|past| past.used.object.as_str())
        .collect();
    // The dry run is not written down.
    assert_eq!(objects, ["Pod production/let-in"]);
}
