//! Clients that are slow, loud or silent, and a registry that hangs: memory, time and connections stay bounded.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use regent_server::image::Network;
use regent_server::image::registry::RegistrySettings;
use regent_server::settings::Settings;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::TEAM;
use super::client::{Answer, PATIENCE, Server, answer, half_request, pod_review, post, start};

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_each_and_together() {
    let server = start(&[], |settings| {
        settings.limits.body_bytes = 100_000;
        settings.limits.all_bodies_bytes = 170_000;
        settings.limits.body_start = Duration::from_secs(10);
    })
    .await;
    // The answer arrives, whatever of the body was still on its way.
    for _ in 0..20 {
        let announced = server.send(post("/validate", vec![b' '; 100_001])).await;
        assert_eq!(announced.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    // Over HTTP/2 all of a body is taken that is not far too long: some clients read no answer before they have sent it.
    let mut sender = server.http2().await;
    let long = post("/validate", vec![b' '; 3_000_000]);
    let answered = timeout(PATIENCE, sender.send_request(long)).await;
    let answered = answer(answered.unwrap().unwrap()).await;
    assert_eq!(answered.status, StatusCode::PAYLOAD_TOO_LARGE);

    // Without a length, over HTTP/2: cut off as soon as it is too long.
    let stream = TokioIo::new(server.tls(b"h2").await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let endless = Endless::of(b"");
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
/// How a review by an API server begins.
const BEGINNING: &[u8] = br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"7f1c","kind":{"group":"","version":"v1","kind":"ConfigMap"},"object":{"data":{"x":""#;

/// How long an object is must not be what lets it in where a webhook's errors are ignored.
#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_is_too_long_is_refused_by_name() {
    let server = start(&[], |settings| settings.limits.body_bytes = 100_000).await;
    let check = |refused: &Answer| {
        assert_eq!(refused.status, StatusCode::OK, "{}", refused.body);
        let response = refused.response();
        assert_eq!(
            (&response["uid"], &response["allowed"]),
            (&json!("7f1c"), &json!(false))
        );
        let message = response["status"]["message"].to_string();
        assert!(message.contains("more than 100000 bytes"), "{message}");
    };
    let mut announced = BEGINNING.to_vec();
    announced.resize(3_000_000, b'x');
    for path in ["/validate/fail", "/validate/ignore", "/mutate/ignore"] {
        check(&server.send(post(path, announced.clone())).await);
    }
    let stream = TokioIo::new(server.tls(b"h2").await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = post("/validate/ignore", "").map(|_| Endless::of(BEGINNING));
    let refused = timeout(PATIENCE, sender.send_request(request)).await;
    check(&answer(refused.unwrap().unwrap()).await);
}

/// What is not read of a body breaks its stream, and the client sees that in place of the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_not_there_is_answered_over_http2() {
    let server = start(&[], |_| {}).await;
    let mut sender = server.http2().await;
    for _ in 0..20 {
        let request = post("/validate/", vec![b' '; 200_000]);
        let answered = timeout(PATIENCE, sender.send_request(request)).await;
        let answered = answer(answered.unwrap().unwrap()).await;
        assert_eq!(answered.status, StatusCode::NOT_FOUND);
    }
}

/// A body that begins with something, and goes on with white space.
struct Endless {
    first: Option<Bytes>,
    rest: Bytes,
}

impl Endless {
    fn of(first: &'static [u8]) -> Self {
        Self {
            first: Some(Bytes::from_static(first)),
            rest: Bytes::from(vec![b' '; 8192]),
        }
    }
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.first.take().unwrap_or_else(|| self.rest.clone());
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_let_go() {
    let server = start(&[], |settings| {
        settings.limits.handshake = Duration::from_millis(300);
        settings.limits.idle = Duration::from_millis(600);
        settings.limits.body = Duration::from_millis(300);
    })
    .await;
    let ends = |mut stream: TlsStream<TcpStream>| async move {
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

/// A server that judges pods by a registry that does not answer.
async fn start_beside_silence(adjust: impl FnOnce(&mut Settings)) -> (Server, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let server = start(&[("signed.yaml", SIGNED)], |settings| {
        settings.images.network = Network::Registries(RegistrySettings {
            mirrors: vec![("registry.example".to_owned(), format!("http://{address}"))],
            ..RegistrySettings::default()
        });
        adjust(settings);
    })
    .await;
    (server, silent)
}

/// The same that takes one request at a time.
async fn start_with_one_place(adjust: impl FnOnce(&mut Settings)) -> (Server, TcpListener) {
    start_beside_silence(|settings| {
        settings.limits.requests = 1;
        adjust(settings);
    })
    .await
}

/// A request that is in flight, and stays so as long as the registry is silent.
async fn in_flight(server: &Server) -> TlsStream<TcpStream> {
    let mut busy = server.tls(b"http/1.1").await;
    let review = pod_review(&json!({})).to_string();
    let head = String::from_utf8(half_request(review.len(), 0)).unwrap();
    // What is stored is to be named by digest, which needs no registry: the other webhook asks for it.
    let request = head.replace("/validate", "/mutate") + &review;
    busy.write_all(request.as_bytes()).await.unwrap();
    // About something that no policy is about, so that it is answered at once where it is let in.
    let mut other = pod_review(&json!({}));
    other["request"]["kind"]["kind"] = json!("ConfigMap");
    let refused = async {
        while server.post("/validate", &other).await.status != StatusCode::SERVICE_UNAVAILABLE {}
    };
    let refused = timeout(PATIENCE, refused).await;
    refused.expect("a second request was let in");
    busy
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_requests_are_bounded() {
    let (server, _silent) = start_with_one_place(|settings| {
        settings.limits.connections = 3;
        settings.limits.idle = Duration::from_secs(1);
    })
    .await;
    let first = in_flight(&server).await;
    // Two more that say nothing fill the last places; the next has to wait until they are let go.
    let silent = (server.tls(b"http/1.1").await, server.tls(b"http/1.1").await);
    let live = timeout(PATIENCE, server.get("/health/liveness")).await;
    assert_eq!(
        live.expect("silent connections keep others out").status,
        StatusCode::OK
    );
    drop((first, silent));
}

/// Whoever reaches the port takes all places and says nothing, for as long as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_give_way_and_requests_in_flight_do_not() {
    let (server, registry) = start_with_one_place(|settings| {
        settings.limits.connections = 4;
        settings.limits.idle = Duration::from_hours(1);
        settings.limits.handshake = Duration::from_hours(1);
        settings.limits.body = Duration::from_hours(1);
        settings.limits.body_start = Duration::from_hours(1);
    })
    .await;
    let mut busy = in_flight(&server).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(server.tcp().await);
    }
    let mut shaken = Vec::new();
    for protocol in [b"http/1.1".as_slice(), b"h2"].repeat(5) {
        let connected = timeout(PATIENCE, server.tls(protocol)).await;
        shaken.push(connected.expect("silent connections keep others out"));
    }
    // Nor do those whose bodies stop.
    for _ in 0..5 {
        let connected = timeout(PATIENCE, server.tls(b"http/1.1")).await;
        let mut stalled = connected.expect("bodies that stop keep others out");
        stalled.write_all(&half_request(100, 10)).await.unwrap();
        shaken.push(stalled);
    }
    let live = timeout(PATIENCE, server.get("/health/liveness")).await;
    let live = live.expect("silent connections keep others out");
    assert_eq!(live.status, StatusCode::OK);
    drop(registry);
    let mut answer = vec![0; 12];
    let read = timeout(PATIENCE, busy.read_exact(&mut answer)).await;
    read.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
}

/// Bodies that begin and do not end take neither all places nor all memory.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_stop_keep_no_review_out() {
    let server = start(&[("team.yaml", TEAM)], |settings| {
        settings.limits.requests = 2;
        settings.limits.body_bytes = 600_000;
        settings.limits.all_bodies_bytes = 1 << 20;
        settings.limits.body = Duration::from_hours(1);
        settings.limits.body_start = Duration::from_hours(1);
    })
    .await;
    let mut stopped = Vec::new();
    for (length, sent) in [(100, 10), (600_000, 590_000)].repeat(5) {
        let mut stream = server.tls(b"http/1.1").await;
        // Those that there is no room for are refused, and may be gone.
        drop(stream.write_all(&half_request(length, sent)).await);
        stopped.push(stream);
    }
    let review = pod_review(&json!({"team": "a"}));
    for _ in 0..20 {
        let answered = timeout(PATIENCE, server.post("/validate", &review)).await;
        let answered = answered.expect("it was not answered");
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.body);
        assert!(answered.allowed(), "{}", answered.body);
    }
    drop(stopped);
}

/// A body has little time, and more as more of it comes; how long it is must not be what lets it in.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_is_refused_soon_and_a_long_one_by_name() {
    let server = start(&[], |settings| {
        settings.limits.body = Duration::from_hours(1);
        settings.limits.body_start = Duration::from_millis(300);
    })
    .await;
    let mut long = BEGINNING.to_vec();
    long.resize(100_000, b'x');
    for (sent, status, part) in [
        (BEGINNING, "HTTP/1.1 408 ", "did not arrive in time"),
        (&long, "HTTP/1.1 200 ", "\"allowed\":false"),
    ] {
        let mut stream = server.tls(b"http/1.1").await;
        let mut request = half_request(200_000, 0);
        request.extend_from_slice(sent);
        stream.write_all(&request).await.unwrap();
        let mut text = Vec::new();
        drop(
            timeout(PATIENCE, stream.read_to_end(&mut text))
                .await
                .expect("it was not ended"),
        );
        let text = String::from_utf8_lossy(&text);
        assert!(text.starts_with(status) && text.contains(part), "{text}");
    }
}

/// Refuses pods with a hundred kilobytes of reasons.
fn talkative() -> String {
    TEAM.replace("every pod has a team", &"so many reasons ".repeat(6_000))
}

/// A connection over HTTP/2 whose client asks, and opens no window for answers; until it is closed.
async fn unread(server: &Server, requests: usize) -> impl Future<Output = ()> + use<> {
    let stream = TokioIo::new(server.tls(b"h2").await);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let (mut sender, connection) = builder.handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..requests {
        let review = pod_review(&json!({"team": "none"})).to_string();
        let answer = sender.send_request(post("/validate", review));
        // The head comes; where there is no room for what follows, the connection ends.
        if let Ok(Ok(answer)) = timeout(PATIENCE, answer).await {
            answers.push(answer);
        }
    }
    async move {
        let ended = timeout(PATIENCE, connection).await;
        // Whether it was closed or cut is not looked at.
        drop(ended.expect("the connection was kept").unwrap());
        drop((sender, answers));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_no_answer_is_let_go() {
    let talkative = talkative();
    let server = start(&[("team.yaml", &talkative)], |settings| {
        settings.limits.reading = Duration::from_millis(300);
    })
    .await;
    unread(&server, 1).await.await;

    // As soon as others lack the room, which they then get.
    let server = start(&[("team.yaml", &talkative)], |settings| {
        settings.limits.reading = Duration::from_hours(1);
        settings.limits.all_answers_bytes = 600_000;
    })
    .await;
    let unread = unread(&server, 2).await;
    for _ in 0..3 {
        let review = pod_review(&json!({"team": "none"}));
        let (first, second) = tokio::join!(
            server.post("/validate", &review),
            server.post("/validate", &review),
        );
        for answer in [first, second] {
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert!(answer.body.len() > 90_000, "{}", answer.body);
        }
    }
    unread.await;
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
    let (server, _silent) = start_beside_silence(|_settings| {}).await;
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
