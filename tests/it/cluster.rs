//! A real API server asks Regent, by webhook configurations that were applied by hand: what is stored, and what
//! somebody reads who is refused.

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_tests::{record, workspace};
use serde_json::{Value, json};

use crate::server::client::{Server, start};
use crate::server::provenance::{Case, Story};
use api_server::{ApiServer, Said};

pub(crate) mod api_server;
mod break_glass;
mod facts;

/// The API server takes up to some seconds to use a new configuration; this is for a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The API server, Regent, and images.
struct Cluster {
    api: ApiServer,
    regent: Server,
    story: Story,
}

impl Cluster {
    /// Starts everything, and waits until both webhooks are asked.
    async fn start() -> Option<Self> {
        let story = Story::read()?;
        let api = ApiServer::start()?;
        let regent = start(&[("policy.yaml", &story.policy)], |settings| {
            story.adjust(settings);
        })
        .await;
        let cluster = Self { api, regent, story };
        for namespace in ["production", "elsewhere"] {
            let said = cluster.api.kubectl(&["create", "namespace", namespace], "");
            assert!(said.success, "{}", said.stderr);
        }
        let applied = cluster
            .api
            .kubectl(&["apply", "-f", "-"], &webhooks(&cluster.regent));
        assert!(applied.success, "{}", applied.stderr);
        cluster.wait_for_webhooks().await;
        Some(cluster)
    }

    async fn wait_for_webhooks(&self) {
        let pod = pod("probe", &self.case("right-bundle").tagged());
        let dry_run = ["create", "-n", "production", "-f", "-", "--dry-run=server"];
        let started = Instant::now();
        loop {
            let said = self.api.kubectl(&dry_run, &pod.to_string());
            let asked = self.is_asked("/mutate").await && self.is_asked("/validate").await;
            if said.success && asked {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{}", said.stderr);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether the API server has asked at a path of Regent.
    async fn is_asked(&self, path: &str) -> bool {
        let url = format!("http_url=\"{path}\"");
        let metrics = self.regent.metrics().await;
        let mut requests = metrics
            .lines()
            .filter(|line| line.starts_with("kyverno_http_requests_total{"));
        requests.any(|line| line.contains(&url))
    }

    fn case(&self, name: &str) -> &Case {
        self.story
            .cases
            .iter()
            .find(|case| case.name == name)
            .unwrap()
    }

    fn create(&self, namespace: &str, object: &Value) -> Said {
        self.api
            .kubectl(&["create", "-n", namespace, "-f", "-"], &object.to_string())
    }

    /// What is stored; none where there is no such object.
    fn stored(&self, namespace: &str, object: &str) -> Option<Value> {
        let said = self
            .api
            .kubectl(&["get", "-n", namespace, object, "-o", "json"], "");
        if !said.success {
            assert!(said.stderr.contains("(NotFound)"), "{}", said.stderr);
            return None;
        }
        Some(serde_json::from_str(&said.stdout).unwrap())
    }

    /// What becomes of a pod with a case's image; nothing where that is right.
    fn judge_pod(&self, case: &Case) -> Option<String> {
        let said = self.create("production", &pod(&case.name, &case.tagged()));
        let stored = self.stored("production", &format!("pod/{}", case.name));
        let right = if case.admitted {
            let image = stored.map(|pod| pod["spec"]["containers"][0]["image"].clone());
            said.success && image == Some(json!(pinned(case)))
        } else {
            !said.success
                && stored.is_none()
                && said.stderr.contains("denied the request")
                && case.is_explained_by(&said.stderr)
        };
        (!right).then(|| format!("{}: {}{}", case.name, said.stdout, said.stderr))
    }
}

/// The configurations that the documentation has, for a server at an address.
fn webhooks(regent: &Server) -> String {
    let documented = workspace().join("docs/webhook-configurations.yaml");
    let mut text = fs::read_to_string(documented).unwrap();
    let authority = fs::read(regent.directory.path().join("tls/ca.crt")).unwrap();
    let bundle = format!("caBundle: {}", STANDARD.encode(authority));
    text = text.replace("caBundle: \"\"", &bundle);
    for path in ["/mutate", "/validate"] {
        let service = format!(
            "service:\n        name: regent\n        namespace: regent\n        path: {path}\n        port: 9443\n"
        );
        assert!(text.contains(&service), "{service}");
        let url = format!("url: https://{}{path}\n", regent.running.address());
        text = text.replace(&service, &url);
    }
    text
}

/// The tag, and the digest that was verified.
fn pinned(case: &Case) -> String {
    format!("{}@{}", case.tagged(), case.digest())
}

fn containers(image: &str) -> Value {
    json!([{"name": "app", "image": image}])
}

fn pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": containers(image)},
    })
}

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "app"}},
        "spec": {"containers": containers(image), "restartPolicy": "Always"},
    })
}

fn deployment(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": "app"}}, "template": template(image)},
    })
}

fn cron_job(name: &str, image: &str) -> Value {
    let mut template = template(image);
    template["spec"]["restartPolicy"] = json!("Never");
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_stores_what_was_verified_and_says_why_not() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    pods(&cluster);
    what_makes_pods(&cluster);
    other_namespaces(&cluster);
    changes_of_a_pod(&cluster);
    validation_alone(&cluster).await;
    regent_away(cluster);
}

fn pods(cluster: &Cluster) {
    let cases = &cluster.story.cases;
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| cluster.judge_pod(case))
        .collect();
    record("provenance-cluster", cases.len() - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What makes pods, the place of its image, and the rule that autogen has made for it.
struct Maker {
    kind: &'static str,
    make: fn(&str, &str) -> Value,
    place: &'static str,
    rule: &'static str,
}

const MAKERS: [Maker; 2] = [
    Maker {
        kind: "deployment",
        make: deployment,
        place: "/spec/template/spec/containers/0/image",
        rule: "autogen-verify-provenance",
    },
    Maker {
        kind: "cronjob",
        make: cron_job,
        place: "/spec/jobTemplate/spec/template/spec/containers/0/image",
        rule: "autogen-cronjob-verify-provenance",
    },
];

fn what_makes_pods(cluster: &Cluster) {
    let (right, unsigned) = (
        cluster.case("right-legacy"),
        cluster.case("unsigned-legacy"),
    );
    for maker in &MAKERS {
        let (kind, make) = (maker.kind, maker.make);
        let said = cluster.create("production", &make("right", &right.tagged()));
        assert!(said.success, "{kind}: {}", said.stderr);
        let stored = cluster.stored("production", &format!("{kind}/right"));
        let image = stored.unwrap().pointer(maker.place).cloned();
        assert_eq!(image, Some(json!(pinned(right))), "{kind}");

        let said = cluster.create("production", &make("unsigned", &unsigned.tagged()));
        assert!(!said.success, "{kind}");
        assert!(said.stderr.contains(maker.rule), "{kind}: {}", said.stderr);
        assert!(unsigned.is_explained_by(&said.stderr), "{}", said.stderr);
        let stored = cluster.stored("production", &format!("{kind}/unsigned"));
        assert!(stored.is_none(), "{kind}");
    }
}

fn other_namespaces(cluster: &Cluster) {
    let unsigned = cluster.case("unsigned-bundle");
    let said = cluster.create("elsewhere", &pod("unsigned", &unsigned.tagged()));
    assert!(said.success, "{}", said.stderr);
    let said = cluster.create("elsewhere", &deployment("unsigned", &unsigned.tagged()));
    assert!(said.success, "{}", said.stderr);
    for (object, place) in [
        ("pod/unsigned", "/spec/containers/0/image"),
        (
            "deployment/unsigned",
            "/spec/template/spec/containers/0/image",
        ),
    ] {
        let stored = cluster.stored("elsewhere", object).unwrap();
        let image = stored.pointer(place).cloned();
        assert_eq!(image, Some(json!(unsigned.tagged())), "{object}");
    }
}

fn changes_of_a_pod(cluster: &Cluster) {
    let (right, unsigned) = (
        cluster.case("right-bundle"),
        cluster.case("unsigned-bundle"),
    );
    let name = format!("pod/{}", right.name);
    let label = ["label", "-n", "production", &name, "tier=web"];
    let said = cluster.api.kubectl(&label, "");
    assert!(said.success, "{}", said.stderr);

    let image = format!("app={}", unsigned.tagged());
    let said = cluster
        .api
        .kubectl(&["set", "image", "-n", "production", &name, &image], "");
    assert!(!said.success);
    assert!(unsigned.is_explained_by(&said.stderr), "{}", said.stderr);

    let path = format!(
        "/api/v1/namespaces/production/pods/{}/ephemeralcontainers",
        right.name
    );
    for (case, admitted) in [(unsigned, false), (right, true)] {
        let mut pod = cluster.stored("production", &name).unwrap();
        pod["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": case.tagged()}]);
        let replace = ["replace", "--raw", &path, "-f", "-"];
        let said = cluster.api.kubectl(&replace, &pod.to_string());
        assert_eq!(said.success, admitted, "{}", said.stderr);
        assert!(case.is_explained_by(&said.stderr), "{}", said.stderr);
    }
    let pod = cluster.stored("production", &name).unwrap();
    let debug = &pod["spec"]["ephemeralContainers"][0]["image"];
    assert_eq!(*debug, json!(pinned(right)));
}

/// Without the mutating webhook nothing puts the digest in, and what has none is refused.
async fn validation_alone(cluster: &Cluster) {
    let delete = ["delete", "mutatingwebhookconfiguration", "regent"];
    let deleted = cluster.api.kubectl(&delete, "");
    assert!(deleted.success, "{}", deleted.stderr);
    let right = cluster.case("right-v02-bundle");
    let dry_run = ["create", "-n", "production", "-f", "-", "--dry-run=server"];
    let by_tag = pod("by-tag", &right.tagged()).to_string();
    let started = Instant::now();
    let said = loop {
        let said = cluster.api.kubectl(&dry_run, &by_tag);
        if !said.success {
            break said;
        }
        assert!(started.elapsed() < PATIENCE, "{}", said.stdout);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        said.stderr.contains("validate.regent.example") && said.stderr.contains("digest"),
        "{}",
        said.stderr
    );
    let said = cluster.create("production", &pod("by-digest", &right.image));
    assert!(said.success, "{}", said.stderr);
    let unsigned = cluster.case("unsigned-bundle");
    let said = cluster.create("production", &pod("unsigned", &unsigned.image));
    assert!(!said.success);
    assert!(unsigned.is_explained_by(&said.stderr), "{}", said.stderr);
}

/// Where nobody answers, nothing is admitted.
fn regent_away(cluster: Cluster) {
    let Cluster { api, regent, story } = cluster;
    drop(regent);
    let right = story.cases.iter().find(|case| case.admitted).unwrap();
    let pod = pod("nobody-asked", &right.image).to_string();
    let said = api.kubectl(&["create", "-n", "production", "-f", "-"], &pod);
    assert!(!said.success, "{}", said.stdout);
    assert!(
        said.stderr.contains("failed calling webhook"),
        "{}",
        said.stderr
    );
}
