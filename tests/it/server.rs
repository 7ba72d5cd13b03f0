//! The webhook as its clients see it: real TLS and HTTP over loopback, good and bad input.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use regent_server::settings::TlsSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use client::{PATIENCE, answer, half_request, pod_review, post, start};

mod break_glass;
pub(crate) mod client;
mod clients;
mod hostile;
mod images;
mod limits;
pub(crate) mod load;
pub(crate) mod provenance;
mod settings_of_policies;
mod updates;
mod webhook_corpus;

/// Wants a label `team` on pods that is not `none`.
const TEAM: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: team}
spec:
  validationFailureAction: Enforce
  rules:
  - name: has-team
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: every pod has a team
      deny:
        conditions:
          any:
          - key: "{{ request.object.metadata.labels.team }}"
            operator: Equals
            value: none
"#;

/// Wants a label `tier` on pods that is not `none`.
const TIER: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: tier}
spec:
  validationFailureAction: Enforce
  rules:
  - name: has-tier
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: every pod has a tier
      deny:
        conditions:
          any:
          - key: "{{ request.object.metadata.labels.tier }}"
            operator: Equals
            value: none
"#;

/// A policy with a field that no policy has, in line 6.
fn broken() -> String {
    TEAM.replace("name: team", "name: broken")
        .replace("validationFailureAction", "validationFailureAktion")
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_are_answered_over_every_protocol() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    for path in ["/validate", "/validate/fail"] {
        let refused = server
            .post(path, &pod_review(&json!({"team": "none"})))
            .await;
        assert_eq!(refused.status, StatusCode::OK);
        let response = refused.response();
        assert_eq!(response["uid"], "7f1c4a3e-0000-4000-8000-000000000001");
        assert_eq!(response["allowed"], false);
        assert_eq!(response["status"]["status"], "Failure");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(
            message.contains("resource Pod/default/app was blocked"),
            "{message}"
        );
        assert!(message.contains("every pod has a team"), "{message}");
        let review: Value = serde_json::from_str(&refused.body).unwrap();
        assert!(
            review.get("request").is_none(),
            "the request is not sent back"
        );
    }
    let labelled = pod_review(&json!({"team": "a"}));
    assert!(
        server
            .post("/validate?timeout=5s", &labelled)
            .await
            .allowed()
    );
    assert!(server.post("/mutate", &labelled).await.allowed());
    // Nothing here has failurePolicy Ignore.
    assert!(
        server
            .post("/validate/ignore", &pod_review(&json!({"team": "none"})))
            .await
            .allowed()
    );

    let mut http2 = server.http2().await;
    let request = post("/validate", labelled.to_string());
    assert!(
        answer(http2.send_request(request).await.unwrap())
            .await
            .allowed()
    );

    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = server.tls_with(b"http/1.1", &[version]).await;
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_and_never_allowed() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    let good = pod_review(&json!({"team": "a"}));
    let changed = |pointer: &str, value: Value| {
        let mut review = good.clone();
        *review.pointer_mut(pointer).unwrap() = value;
        review.to_string()
    };
    for (body, expected) in [
        (String::new(), "not an admission review"),
        ("{".to_owned(), "not an admission review"),
        ("null".to_owned(), "not an object"),
        (format!("{good} trailing"), "trailing characters"),
        (
            changed("/request/uid", json!("")),
            "`request.uid` is missing",
        ),
        (
            changed("/request/object", json!("text")),
            "`request.object` is not an object",
        ),
        (
            changed("/apiVersion", json!("admission.k8s.io/v1beta1")),
            "only `admission.k8s.io/v1`",
        ),
        (
            good.to_string().replace("app:1", "\u{0}"),
            "control character",
        ),
    ] {
        let refused = server.send(post("/validate", body)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        assert!(refused.body.contains(expected), "{}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_is_refused_also_where_errors_are_ignored() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    let good = pod_review(&json!({"team": "a"})).to_string();
    let deep = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    // Maps that take a hundred times their text.
    let swollen = format!("[{}]", vec![r#"{"":0}"#; 280_000].join(","));
    // What Go's API server passes on, and our reader of JSON does not take.
    for (odd, expected) in [
        (deep.as_str(), "recursion limit"),
        ("\"\\ud800\"", "hex escape"),
        ("1e400", "number out of range"),
        (swollen.as_str(), "bytes of memory"),
    ] {
        let labels = "\"labels\":{";
        assert!(good.contains(labels), "{good}");
        let body = good.replace(labels, &format!("\"managedFields\":{odd},{labels}"));
        for path in ["/validate/ignore", "/mutate/ignore", "/validate"] {
            let refused = server.send(post(path, body.clone())).await;
            assert_eq!(refused.status, StatusCode::OK, "{}", refused.body);
            assert!(!refused.allowed(), "{}", refused.body);
            let response = refused.response();
            assert_eq!(response["uid"], "7f1c4a3e-0000-4000-8000-000000000001");
            let message = response["status"]["message"].to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
    let answer = server.send(post("/validate/ignore", good)).await;
    assert!(answer.allowed(), "{}", answer.body);
}

/// Labels of metrics are kept as long as the server runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_none_is_refused_by_name_and_in_no_metric() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    for pointer in ["/request/kind/kind", "/request/namespace"] {
        let mut review = pod_review(&json!({"team": "a"}));
        *review.pointer_mut(pointer).unwrap() = json!("k".repeat(1_000_000));
        let refused = server.post("/validate/ignore", &review).await;
        assert_eq!(refused.status, StatusCode::OK, "{}", refused.body);
        assert!(!refused.allowed(), "{}", refused.body);
        let message = refused.response()["status"]["message"].to_string();
        assert!(message.contains("may have 253"), "{message}");
    }
    assert!(server.metrics().await.len() < 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_something_else_are_refused() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    let good = pod_review(&json!({"team": "a"}));
    let with = |method: Method, path: &str, content_type: Option<&str>| {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "regent");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        request
            .body(Full::new(Bytes::from(good.to_string())))
            .unwrap()
    };
    let json = Some("application/json");
    for (request, expected) in [
        (
            with(Method::POST, "/validate", Some("text/yaml")),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            with(Method::POST, "/validate", None),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            with(Method::PUT, "/validate", json),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (
            with(Method::POST, "/health/liveness", json),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (with(Method::POST, "/", json), StatusCode::NOT_FOUND),
        (
            with(Method::POST, "/validate/../mutate", json),
            StatusCode::NOT_FOUND,
        ),
        (with(Method::POST, "/metrics", json), StatusCode::NOT_FOUND),
    ] {
        let refused = server.send(request).await;
        assert_eq!(refused.status, expected, "{}", refused.body);
        assert!(!refused.body.contains("allowed"), "{}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_repeated_keys_counts_as_in_the_api_server() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    let label = r#""labels":{"team":"a"}"#;
    let review = pod_review(&json!({"team": "a"})).to_string();
    assert!(review.contains(label));
    for (labels, allowed) in [
        (r#""labels":{"team":"a"},"labels":{"team":"none"}"#, false),
        (r#""labels":{"team":"none"},"labels":{"team":"a"}"#, true),
        (r#""labels":{"team":"a","team":"none"}"#, false),
    ] {
        let answer = server
            .send(post("/validate", review.replace(label, labels)))
            .await;
        assert_eq!(answer.allowed(), allowed, "{labels}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_answers_what_was_asked_and_takes_no_more() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    let address = server.running.address();
    let body = pod_review(&json!({"team": "a"})).to_string();
    let mut request = half_request(body.len(), 0);
    request.extend_from_slice(&body.as_bytes()[..20]);
    let mut stream = server.tls(b"http/1.1").await;
    stream.write_all(&request).await.unwrap();
    // Once this later request has been answered, the head of the first has been read too.
    assert_eq!(server.get("/health/liveness").await.status, StatusCode::OK);
    let shutdown = tokio::spawn(server.running.shutdown());
    let closed = async { while tokio::net::TcpStream::connect(address).await.is_ok() {} };
    timeout(PATIENCE, closed)
        .await
        .expect("new connections are still accepted");
    assert!(!shutdown.is_finished());
    stream.write_all(&body.as_bytes()[20..]).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text))
        .await
        .unwrap()
        .unwrap();
    assert!(text.contains("\"allowed\":true"), "{text}");
    timeout(PATIENCE, shutdown).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_no_before_connections_are_refused() {
    let server = start(&[], |settings| settings.shutdown_delay = PATIENCE).await;
    let mut sender = server.http2().await;
    let readiness = || {
        Request::builder()
            .uri("https://regent/health/readiness")
            .body(Full::default())
            .unwrap()
    };
    let before = answer(sender.send_request(readiness()).await.unwrap()).await;
    assert_eq!(before.status, StatusCode::OK, "{}", before.body);
    let shutdown = tokio::spawn(server.running.shutdown());
    let leaving = async {
        let mut found = before;
        while found.status == StatusCode::OK {
            found = answer(sender.send_request(readiness()).await.unwrap()).await;
        }
        found.body
    };
    assert_eq!(timeout(PATIENCE, leaving).await.unwrap(), "shutting down\n");
    shutdown.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_policies_are_taken_up() {
    let server = start(&[("team.yaml", TEAM)], |settings| {
        settings.reload_interval = Duration::from_millis(50);
    })
    .await;
    let review = pod_review(&json!({"team": "a"}));
    assert!(server.post("/validate", &review).await.allowed());
    fs::write(server.policy_path("tier.yaml"), TIER).unwrap();
    server
        .ready_when(|answer| answer.body == "ok: 2 policy files in force\n")
        .await;
    assert!(!server.post("/validate", &review).await.allowed());
    fs::remove_file(server.policy_path("tier.yaml")).unwrap();
    server
        .ready_when(|answer| answer.body == "ok: 1 policy files in force\n")
        .await;
    assert!(server.post("/validate", &review).await.allowed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_policy_leaves_the_good_ones_in_force() {
    let broken = broken();
    let policies = [("broken.yaml", broken.as_str()), ("team.yaml", TEAM)];
    let server = start(&policies, |_| {}).await;
    let ready = server.get("/health/readiness").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert!(
        ready
            .body
            .starts_with("degraded: 1 of 2 policy files in force"),
        "{}",
        ready.body
    );
    assert!(ready.body.contains("broken.yaml:6:3: "), "{}", ready.body);
    assert!(
        ready.body.contains("(the policy is not in force)"),
        "{}",
        ready.body
    );
    assert!(
        !server
            .post("/validate", &pod_review(&json!({"team": "none"})))
            .await
            .allowed()
    );
    assert!(
        server
            .metrics()
            .await
            .contains("\nregent_policy_load_errors 1\n")
    );

    // A good policy that is edited into a broken one goes on as it was.
    fs::write(
        server.policy_path("team.yaml"),
        TEAM.replace("deny:", "dney:"),
    )
    .unwrap();
    server.running.reload();
    let ready = server
        .ready_when(|answer| answer.body.contains("earlier version"))
        .await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.body);
    assert!(
        !server
            .post("/validate", &pod_review(&json!({"team": "none"})))
            .await
            .allowed()
    );

    fs::write(server.policy_path("team.yaml"), TEAM).unwrap();
    fs::remove_file(server.policy_path("broken.yaml")).unwrap();
    server.running.reload();
    server
        .ready_when(|answer| answer.body == "ok: 1 policy files in force\n")
        .await;
    assert!(
        server
            .metrics()
            .await
            .contains("\nregent_policy_load_errors 0\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_every_policy_is_broken_is_not_ready() {
    let server = start(&[("broken.yaml", broken().as_str())], |_| {}).await;
    let ready = server.get("/health/readiness").await;
    assert_eq!(
        ready.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        ready.body
    );
    assert_eq!(server.get("/health/liveness").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    server
        .post("/validate/fail", &pod_review(&json!({"team": "none"})))
        .await;
    server.send(post("/validate", "{")).await;
    let metrics = server.metrics().await;
    for expected in [
        "kyverno_admission_requests_total{request_allowed=\"false\",request_webhook=\"ValidatingWebhookConfiguration\",resource_kind=\"Pod\",resource_namespace=\"default\",resource_request_operation=\"create\"} 1",
        "kyverno_http_requests_total{http_method=\"POST\",http_status=\"200\",http_url=\"/validate/fail\"} 1",
        "kyverno_http_requests_total{http_method=\"POST\",http_status=\"400\",http_url=\"/validate\"} 1",
        "regent_admission_deadline_remaining_seconds_count 1",
        "regent_policy_files 1",
    ] {
        assert!(
            metrics.lines().any(|line| line == expected),
            "{expected} is not in\n{metrics}"
        );
    }
    let rule = metrics
        .lines()
        .find(|line| line.starts_with("kyverno_policy_results_total{"))
        .unwrap();
    for label in [
        "policy_name=\"team\"",
        "rule_name=\"has-team\"",
        "rule_result=\"fail\"",
        "rule_type=\"validate\"",
    ] {
        assert!(rule.contains(label), "{rule}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_certificate_is_served_to_the_next_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let first = write_pair(&certificate, &key);
    let server = start(&[], |settings| {
        settings.tls = TlsSettings::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        settings.reload_interval = Duration::from_millis(50);
    })
    .await;
    assert!(server.trusts(first.as_bytes()).await);
    let second = write_pair(&certificate, &key);
    let replaced = async { while !server.trusts(second.as_bytes()).await {} };
    timeout(PATIENCE, replaced).await.unwrap();
    assert!(!server.trusts(first.as_bytes()).await);
}

fn write_pair(certificate: &Path, key: &Path) -> String {
    let pair = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    fs::write(certificate, pair.cert.pem()).unwrap();
    fs::write(key, pair.signing_key.serialize_pem()).unwrap();
    pair.cert.pem()
}
