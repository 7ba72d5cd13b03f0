//! The webhook as its clients see it: real TLS and HTTP over loopback, good and bad input.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http2;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use regent_server::image::Network;
use regent_server::image::registry::RegistrySettings;
use regent_server::settings::TlsSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use client::{PATIENCE, answer, pod_review, post, start};

pub(crate) mod client;
pub(crate) mod provenance;

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
    let deep = format!("{}{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
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
            good.to_string()
                .replace("\"dryRun\":false", &format!("\"dryRun\":{deep}")),
            "recursion limit",
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
async fn bodies_are_bounded_each_and_together() {
    let server = start(&[], |settings| {
        settings.limits.body_bytes = 100_000;
        settings.limits.all_bodies_bytes = 150_000;
    })
    .await;
    let announced = server.send(post("/validate", vec![b' '; 100_001])).await;
    assert_eq!(announced.status, StatusCode::PAYLOAD_TOO_LARGE);

    // Without a length, over HTTP/2: cut off as soon as it is too long.
    let stream = TokioIo::new(server.tls(b"h2").await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let endless = Endless(Bytes::from(vec![b' '; 8192]));
    let request = post("/validate", "").map(|_| endless);
    let refused = timeout(PATIENCE, sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);

    // Two bodies that are each small enough, and together too large.
    let mut first = server.tls(b"http/1.1").await;
    first
        .write_all(&half_request(99_000, 90_000))
        .await
        .unwrap();
    let refused = loop {
        let answer = server.send(post("/validate", vec![b' '; 99_000])).await;
        if answer.status != StatusCode::BAD_REQUEST {
            break answer;
        }
    };
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    let again = async {
        while server
            .send(post("/validate", vec![b' '; 99_000]))
            .await
            .status
            != StatusCode::BAD_REQUEST
        {}
    };
    timeout(PATIENCE, again)
        .await
        .expect("the budget is given back");
}

/// A body without an end.
struct Endless(Bytes);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(self.0.clone()))))
    }
}

/// A request that announces `length` bytes and sends `sent` of them.
fn half_request(length: usize, sent: usize) -> Vec<u8> {
    let mut request = format!(
        "POST /validate HTTP/1.1\r\nhost: regent\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.resize(request.len() + sent, b' ');
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_let_go() {
    let server = start(&[], |settings| {
        settings.limits.handshake = Duration::from_millis(300);
        settings.limits.idle = Duration::from_millis(600);
        settings.limits.body = Duration::from_millis(300);
    })
    .await;
    let ends = |mut stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>| async move {
        let mut text = Vec::new();
        // A connection that is cut without TLS' goodbye is an error here, and an end all the same.
        drop(
            timeout(PATIENCE, stream.read_to_end(&mut text))
                .await
                .expect("it was not ended"),
        );
        String::from_utf8_lossy(&text).into_owned()
    };

    let mut half_open = server.tcp().await;
    half_open.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    let mut rest = Vec::new();
    drop(
        timeout(PATIENCE, half_open.read_to_end(&mut rest))
            .await
            .expect("a half-open handshake was kept"),
    );

    let mut slow_body = server.tls(b"http/1.1").await;
    slow_body.write_all(&half_request(100, 10)).await.unwrap();
    let text = ends(slow_body).await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");

    let mut slow_head = server.tls(b"http/1.1").await;
    slow_head
        .write_all(b"POST /validate HTTP/1.1\r\nhost: re")
        .await
        .unwrap();
    let text = ends(slow_head).await;
    assert!(!text.contains("200 OK"), "{text}");

    for protocol in [b"http/1.1".as_slice(), b"h2"] {
        ends(server.tls(protocol).await).await;
    }
    assert_eq!(server.get("/health/liveness").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_requests_are_bounded() {
    let server = start(&[], |settings| {
        settings.limits.connections = 3;
        settings.limits.requests = 1;
        settings.limits.idle = Duration::from_secs(1);
    })
    .await;
    let mut first = server.tls(b"http/1.1").await;
    first.write_all(&half_request(100, 10)).await.unwrap();
    let busy = async {
        while server
            .post("/validate", &pod_review(&json!({"team": "none"})))
            .await
            .status
            != StatusCode::SERVICE_UNAVAILABLE
        {}
    };
    timeout(PATIENCE, busy)
        .await
        .expect("a second request was let in");
    // Two more that say nothing fill the last places; the next has to wait until they are let go.
    let silent = (server.tls(b"http/1.1").await, server.tls(b"http/1.1").await);
    let live = timeout(PATIENCE, server.get("/health/liveness")).await;
    assert_eq!(
        live.expect("silent connections keep others out").status,
        StatusCode::OK
    );
    drop((first, silent));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_are_answered_on_one_connection() {
    let server = start(&[("team.yaml", TEAM)], |_| {}).await;
    let sender = server.http2().await;
    let body = pod_review(&json!({"team": "none"})).to_string();
    let mut streams = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let (mut sender, body) = (sender.clone(), body.clone());
        streams.spawn(async move {
            sender.ready().await.unwrap();
            answer(sender.send_request(post("/validate", body)).await.unwrap()).await
        });
    }
    let answers = timeout(PATIENCE, streams.join_all()).await.unwrap();
    assert!(answers.iter().all(|answer| !answer.allowed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_cancelled_streams_does_not_stop_the_others() {
    let server = start(&[], |_| {}).await;
    let body = pod_review(&json!({"team": "none"})).to_string();
    for _ in 0..3 {
        let mut sender = server.http2().await;
        let mut left = 2000;
        while left > 0 && sender.ready().await.is_ok() {
            let request = sender.send_request(post("/validate", body.clone()));
            // Polled once, so that it is sent; then dropped, so that it is cancelled.
            drop(timeout(Duration::ZERO, request).await);
            left -= 1;
        }
    }
    let live = timeout(PATIENCE, server.get("/health/liveness"))
        .await
        .unwrap();
    assert_eq!(live.status, StatusCode::OK);
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

/// Wants images of one registry to be signed.
const SIGNED: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  validationFailureAction: Enforce
  webhookTimeoutSeconds: 30
  rules:
  - name: is-signed
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages:
    - imageReferences: ["registry.example/*"]
      attestors:
      - entries:
        - keyless:
            issuer: https://token.actions.githubusercontent.com
            subject: https://github.com/your-org/*
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_holds_up_neither_the_answer_nor_others() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let server = start(&[("signed.yaml", SIGNED)], |settings| {
        settings.images.network = Network::Registries(RegistrySettings {
            mirrors: vec![("registry.example".to_owned(), format!("http://{address}"))],
            ..RegistrySettings::default()
        });
    })
    .await;
    let review = pod_review(&json!({}));
    let started = Instant::now();
    let (mutated, live) = tokio::join!(
        server.post("/mutate?timeout=2s", &review),
        server.get("/health/liveness"),
    );
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(live.status, StatusCode::OK);
    let response = mutated.response();
    assert_eq!(response["allowed"], false);
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("is-signed") && message.contains("in time"),
        "{message}"
    );
}
