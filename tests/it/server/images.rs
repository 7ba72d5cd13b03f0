//! Images that nobody can judge, as the API server sees it: a valid answer in time, a reason, and never an allow.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use regent_server::image::Network;
use regent_server::image::registry::RegistrySettings;
use serde_json::{Value, json};

use super::client::{Answer, Server, pod_review, start};
use crate::registry::no_credentials;
use crate::registry::scripted::{Asked, Reply, Scripted, Story};

/// Wants a signature.
const POLICY: &str = "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: verified}
spec:
  validationFailureAction: Enforce
  rules:
  - name: is-signed
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages:
    - imageReferences: ['registry.example/acme/*']
      attestors:
      - entries:
        - keyless:
            issuer: https://token.actions.githubusercontent.com
            subject: https://github.com/acme/*
";

/// The API server's deadline in these tests, its default.
///
/// The server stops waiting at four fifths of it; the last fifth is for evaluation and both ways, the handshake included,
/// and has to be enough on a machine where other tests take the processors.
const DEADLINE: Duration = Duration::from_secs(10);

/// A server for which `registry` stands for `registry.example`.
async fn at(registry: impl std::fmt::Display) -> Server {
    under(POLICY, registry).await
}

async fn under(policy: &str, registry: impl std::fmt::Display) -> Server {
    start(&[("policy.yaml", policy)], |settings| {
        settings.images.network = Network::Registries(RegistrySettings {
            mirrors: vec![("registry.example".to_owned(), format!("http://{registry}"))],
            docker_config: Some(no_credentials()),
            ..RegistrySettings::default()
        });
    })
    .await
}

fn with_image(image: &Value) -> Value {
    let mut review = pod_review(&json!({}));
    review["request"]["object"]["spec"]["containers"][0]["image"] = image.clone();
    review
}

/// Asks both webhooks about an image: the refusals' messages.
async fn refusals(server: &Server, image: &Value) -> Vec<String> {
    let mut messages = Vec::new();
    for path in ["/mutate", "/validate"] {
        let started = Instant::now();
        let path = format!("{path}?timeout={}s", DEADLINE.as_secs());
        let answer: Answer = server.post(&path, &with_image(image)).await;
        let took = started.elapsed();
        assert!(took < DEADLINE, "{image}: {path} took {took:?}");
        assert_eq!(answer.status, StatusCode::OK, "{image}: {}", answer.body);
        assert!(!answer.allowed(), "{image}: {path}");
        let response = answer.response();
        assert!(response.get("patch").is_none(), "{image}: {path}");
        let message = response["status"]["message"].as_str().unwrap();
        messages.push(message.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn references_that_do_not_parse_are_refused() {
    let server = at("127.0.0.1:1").await;
    let long = format!("registry.example/{}", "a/".repeat(400));
    for image in [
        ":::",
        "registry.example/acme/app@sha256:0123",
        "registry.example/acme/app@sha512:0123",
        "registry.example/ACME/app:v1",
        "registry.example/acme/app:v 1",
        "registry.example/acme/../app:v1",
        "https://registry.example/acme/app:v1",
        "registry.example:port/acme/app",
        "registry.example/acme/äpp",
        &long,
    ] {
        for message in refusals(&server, &json!(image)).await {
            assert!(message.contains("is-signed"), "{image}: {message}");
        }
    }
    for image in [json!(7), json!(["registry.example/acme/app"]), json!({})] {
        refusals(&server, &image).await;
    }
    for (place, value) in [
        ("/request/object/spec/containers", json!("none")),
        ("/request/object/spec/containers", json!([7])),
        ("/request/object/spec", json!([])),
    ] {
        let mut review = pod_review(&json!({}));
        *review.pointer_mut(place).unwrap() = value;
        let answer = server.post("/validate", &review).await;
        let refused = answer.status.is_client_error() || !answer.allowed();
        assert!(refused, "{review}: {}", answer.body);
    }
}

/// What a registry may send instead of what was asked for.
#[derive(Clone, Copy)]
struct Lie {
    name: &'static str,
    reply: fn(&Story, &Asked) -> Reply,
}

const LIES: [Lie; 7] = [
    Lie {
        name: "garbage",
        reply: |_, _| Reply::Raw(b"\x16\x03\x01 what\r\n\r\n".to_vec()),
    },
    Lie {
        name: "a page",
        reply: |_, _| Reply::blob("<html>please log in</html>"),
    },
    Lie {
        name: "no end",
        reply: |_, _| Reply::Endless(200, String::new()),
    },
    Lie {
        name: "a byte now and then",
        reply: |_, _| Reply::Drip(200, String::new()),
    },
    Lie {
        name: "a way to elsewhere",
        reply: |_, asked| {
            Reply::redirect(&format!("http://registry.elsewhere.example{}", asked.path))
        },
    },
    Lie {
        name: "a circle",
        reply: |_, asked| Reply::redirect(&asked.path),
    },
    Lie {
        name: "another manifest",
        reply: |story, _| Reply::manifest(story.image.replace("[]", "[ ]")),
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn registries_that_lie_are_no_reason_to_admit() {
    for lie in LIES {
        // Most of the time of these is waiting.
        tokio::join!(
            lies_about(lie, "/manifests/v1"),
            lies_about(lie, "/manifests/sha256:"),
            lies_about(lie, "/referrers/"),
            lies_about(lie, "/blobs/"),
        );
    }
}

/// Whoever pushes an image must not get it in by what he has its registry say: only an outage is what `Ignore` lets in.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_says_is_no_outage() {
    let said = ["a page", "a circle", "another manifest"];
    let parts = ["/manifests/v1", "/referrers/", "/blobs/"];
    let lies = LIES.iter().filter(|lie| said.contains(&lie.name));
    for (reply, part) in lies.flat_map(|lie| parts.map(|part| (lie.reply, part))) {
        refused_where_errors_are_let_in(move |story, asked| {
            let lies = asked.path.contains(part);
            lies.then(|| reply(story, asked))
        })
        .await;
    }
    for status in [401, 403, 404] {
        let refusal = move || Reply::Full(status, String::new(), Vec::new());
        refused_where_errors_are_let_in(move |_, _| Some(refusal())).await;
    }
    let gone = under(&ignoring(), "127.0.0.1:1").await;
    let review = with_image(&json!("registry.example/acme/app:v1"));
    assert!(gone.post("/mutate", &review).await.allowed());
}

/// The policy with errors let in.
fn ignoring() -> String {
    POLICY.replace("spec:", "spec:\n  failurePolicy: Ignore")
}

async fn refused_where_errors_are_let_in(
    script: impl Fn(&Story, &Asked) -> Option<Reply> + Send + Sync + 'static,
) {
    let registry = Scripted::telling(Story::new(), script).await;
    let server = under(&ignoring(), registry.address).await;
    refusals(&server, &json!("registry.example/acme/app:v1")).await;
}

async fn lies_about(lie: Lie, part: &'static str) {
    let name = lie.name;
    let script = move |story: &Story, asked: &Asked| {
        let lies = asked.path.contains(part);
        lies.then(|| (lie.reply)(story, asked))
    };
    let story = Story::new();
    let digest = story.digest();
    let registry = Scripted::telling(story, script).await;
    let refused = async |image: String| {
        let server = at(registry.address).await;
        for message in refusals(&server, &json!(image)).await {
            assert!(message.contains("is-signed"), "{name} {part}: {message}");
        }
    };
    tokio::join!(
        refused("registry.example/acme/app:v1".to_owned()),
        refused(format!("registry.example/acme/app@{digest}")),
    );
    // 4 MiB are read of a part, more lies in the buffers of sockets.
    assert!(registry.sent() < 100 << 20, "{name} {part}");
}

/// Whoever creates pods must not find out what listens beside the server.
#[tokio::test(flavor = "multi_thread")]
async fn images_do_not_lead_to_this_machine_unless_the_operator_named_it() {
    let policy = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  validationFailureAction: Enforce
  failurePolicy: Ignore
  rules:
  - name: is-signed
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages:
    - imageReferences: ["*"]
      attestors:
      - entries:
        - keyless:
            issuer: https://token.actions.githubusercontent.com
            subject: https://github.com/your-org/*
"#;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let at = async |insecure: Vec<String>| {
        start(&[("signed.yaml", policy)], |settings| {
            settings.images.network = Network::Registries(RegistrySettings {
                insecure,
                docker_config: Some(no_credentials()),
                ..RegistrySettings::default()
            });
        })
        .await
    };
    let server = at(Vec::new()).await;
    for host in ["127.0.0.1", "localhost", "127.9.9.9"] {
        let image = format!("{host}:{port}/a:1");
        let review = with_image(&json!(image));
        let answer = tokio::select! {
            answer = server.post("/mutate/ignore", &review) => answer,
            accepted = listener.accept() => panic!("{image} was asked: {accepted:?}"),
        };
        assert!(!answer.allowed(), "{image}: {}", answer.body);
        assert!(answer.body.contains("--registry-mirror"), "{}", answer.body);
    }
    let server = at(vec![format!("127.0.0.1:{port}")]).await;
    let review = with_image(&json!(format!("127.0.0.1:{port}/a:1")));
    tokio::select! {
        answer = server.post("/mutate", &review) => panic!("it was not asked: {}", answer.body),
        accepted = listener.accept() => drop(accepted.unwrap()),
    }
}
