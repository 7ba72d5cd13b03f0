use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn services(local: &[&str]) -> Services {
    let local: Vec<String> = local.iter().map(|&host| host.to_owned()).collect();
    Services::new(&local, Metrics::new().unwrap()).unwrap()
}

fn call<'a>(
    url: &'a str,
    headers: &'a [(String, String)],
    body: Option<&'a str>,
) -> ServiceCall<'a> {
    ServiceCall {
        url,
        method: if body.is_some() {
            context::Method::Post
        } else {
            context::Method::Get
        },
        headers,
        ca_bundle: None,
        body,
        deadline: Instant::now() + Duration::from_secs(5),
    }
}

/// Answers one request, and gives back what it was.
async fn answer(listener: &TcpListener, response: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).await.unwrap();
        seen.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&seen);
        let done = text
            .split_once("\r\n\r\n")
            .is_some_and(|(head, body)| !head.contains("content-length") || body.ends_with('}'));
        if done || read == 0 {
            break;
        }
    }
    stream.write_all(response.as_bytes()).await.unwrap();
    String::from_utf8(seen).unwrap()
}

/// GHSA-459x-q9hg-4gpq, CVE-2026-4789: what a policy or a request names is not this machine.
#[tokio::test]
async fn this_machine_and_its_link_are_not_called() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let services = services(&[]);
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "2130706433",
        "[::ffff:127.0.0.1]",
    ] {
        let url = format!("http://{host}:{port}/");
        let error = tokio::select! {
            done = services.call(call(&url, &[], None)) => done.unwrap_err(),
            accepted = listener.accept() => panic!("{host} was connected to: {accepted:?}"),
        };
        assert!(!matches!(error, FetchError::NotFound(_)), "{host}: {error}");
    }
    let metadata = "http://169.254.169.254/latest/meta-data/";
    assert!(services.call(call(metadata, &[], None)).await.is_err());
    for url in [
        "file:///etc/passwd",
        "/api/v1/pods",
        "http://u:p@example.com/",
        "gopher://x/",
    ] {
        let error = services.call(call(url, &[], None)).await.unwrap_err();
        assert!(matches!(error, FetchError::Malformed(_)), "{url}: {error}");
    }
}

/// CVE-2026-40868, CVE-2026-41323: what a service sees is what the policy says, and nothing of ours.
#[tokio::test]
async fn a_service_sees_only_what_the_policy_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let services = services(&[&address]);
    let url = format!("http://{address}/check?x=1");
    let headers = [("X-Team".to_owned(), "a".to_owned())];
    let response =
        "HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"ok\":true}";
    let (answer, seen) = tokio::join!(
        services.call(call(&url, &headers, Some("{\"a\":1}"))),
        answer(&listener, response)
    );
    assert_eq!(answer.unwrap(), serde_json::json!({"ok": true}));
    let seen = seen.to_lowercase();
    assert!(seen.starts_with("post /check?x=1 http/1.1"), "{seen}");
    assert!(seen.contains("x-team: a\r\n"), "{seen}");
    assert!(seen.ends_with("{\"a\":1}"), "{seen}");
    assert!(!seen.contains("authorization"), "{seen}");
}

#[tokio::test]
async fn redirects_are_not_followed_and_errors_are_none_of_the_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let services = services(&["127.0.0.1"]);
    let url = format!("http://{address}/");
    for status in [
        "302 Found\r\nlocation: http://127.0.0.1:1/",
        "500 Oops",
        "200 OK",
    ] {
        let response =
            format!("HTTP/1.1 {status}\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx");
        let (done, _) = tokio::join!(
            services.call(call(&url, &[], None)),
            answer(&listener, &response)
        );
        assert!(done.is_err(), "{status}");
    }
}

#[test]
fn headers_that_change_the_message_are_refused() {
    for (name, value) in [
        ("Host", "elsewhere"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("a b", "c"),
        ("a", "b\r\nc: d"),
    ] {
        assert!(header(name, value).is_err(), "{name}");
    }
}
