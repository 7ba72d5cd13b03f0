use std::time::Duration;

use super::{Amount, Answers, Body, Target, run};
use crate::{floor, tls};

const REVIEW: &[u8] = br#"{"request": {"uid": "x", "object": {"a": 1}}}"#;

#[test]
fn only_this_machine_is_driven() {
    let body = Body::read(REVIEW).unwrap();
    let target = |url| Target::new(url, body.clone(), Answers::Reviews).map(|_| ());
    for url in [
        "https://127.0.0.1:9443/validate?timeout=10s",
        "https://localhost:9443/validate",
        "https://[::1]:9443/validate",
    ] {
        assert!(target(url).is_ok(), "{url}");
    }
    for url in [
        "https://10.0.0.1:9443/validate",
        "https://example.com:443/",
        "http://127.0.0.1:9443/validate",
        "/validate",
    ] {
        assert!(target(url).is_err(), "{url}");
    }
}

#[test]
fn each_request_has_its_uid() {
    let body = Body::read(REVIEW).unwrap();
    let uid = super::target::uid(3, 17);
    let sent = body.with_uid(&uid);
    assert_eq!(sent.len(), body.length());
    let review: serde_json::Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(review["request"]["uid"], uid.as_str());
    assert_eq!(review["request"]["object"]["a"], 1);
    assert!(Body::read(b"{}").is_err());
}

#[tokio::test]
async fn the_floor_is_driven_and_its_constant_uid_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("ca.pem");
    let (mut read, write) = std::io::pipe().unwrap();
    let serving = certificate.clone();
    tokio::spawn(async move {
        let mut write = write;
        floor::run(&serving, &mut write).await
    });
    let line = tokio::task::spawn_blocking(move || {
        use std::io::BufRead as _;
        let mut line = String::new();
        std::io::BufReader::new(&mut read)
            .read_line(&mut line)
            .unwrap();
        line
    });
    let line = line.await.unwrap();
    let url = line.trim().strip_prefix("floor on ").unwrap().to_owned();
    let amount = Amount {
        connections: 2,
        time: Duration::from_secs(20),
        warm_up: Duration::ZERO,
        requests: 40,
    };
    for (answers, wrong) in [(Answers::Anything, 0), (Answers::Reviews, 40)] {
        let target = Target::new(&url, Body::read(REVIEW).unwrap(), answers).unwrap();
        let connector = tls::connector(&certificate).unwrap();
        let report = run(target, connector, amount, Some(std::process::id()))
            .await
            .unwrap();
        assert_eq!(report.requests(), 40);
        assert_eq!(report.errors(), wrong);
        let document = report.to_json();
        assert_eq!(document["errors"]["wrong_uid"], wrong);
        assert!(document["latency_ms"]["p99_9"].as_f64().unwrap() > 0.0);
        assert!(document["server"]["rss_mib"].as_f64().unwrap() > 1.0);
    }
}
