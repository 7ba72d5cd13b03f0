//! Token servers that work, that fail, and that lie; credentials go where they belong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use regent_engine::evaluation::need::FactError;
use regent_server::image::Images;
use regent_server::image::registry::RegistrySettings;

use super::redirects::password_for;
use super::scripted::{Asked, Reply, Scripted, Story};
use super::{
    HOST, ask, by_digest, images_at, images_with, images_without_absences, mirrored, need,
    trust_roots,
};

/// A registry that wants a bearer token, and its token server, which does as `tokens` says.
async fn guarded(
    tokens: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Scripted, Scripted, regent_engine::image::Digest) {
    let server = Scripted::start(tokens).await;
    let realm = format!("http://{}/token", server.address);
    let story = Story::new();
    let digest = story.digest();
    let registry = Scripted::start(move |asked| {
        let given = asked.header("authorization").unwrap_or_default();
        if !given.starts_with("Bearer good") {
            return Reply::challenge(&realm);
        }
        story.answer(asked)
    })
    .await;
    (registry, server, digest)
}

fn with_password(registry: &Scripted) -> Images {
    let (_directory, config) = password_for(registry.address);
    let settings = RegistrySettings {
        docker_config: Some(config),
        ..mirrored(registry.address)
    };
    images_with(settings, trust_roots(None))
}

/// One token for all requests that are challenged at once, and for those after them.
#[tokio::test]
async fn one_token_serves_all_requests_to_a_repository() {
    let (registry, server, digest) = guarded(|_| Reply::json(r#"{"token":"good"}"#)).await;
    let images = with_password(&registry);
    ask(&images, &by_digest(&digest)).await.unwrap();
    ask(&images, &by_digest(&digest)).await.unwrap();
    assert_eq!(server.count("GET /token"), 1);
    let asked = &server.log()[0];
    let scope = "scope=repository%3Aacme%2Fapp%3Apull&service=test";
    assert!(asked.path.ends_with(scope), "{}", asked.path);
    assert_eq!(
        asked.header("authorization"),
        Some("Basic cm9ib3Q6aHVudGVyMg==")
    );
    // Nothing but the token reached the registry.
    let log = registry.log();
    let mut sent: Vec<&str> = log
        .iter()
        .filter_map(|asked| asked.header("authorization"))
        .collect();
    sent.dedup();
    assert_eq!(sent, ["Bearer good"]);
    // With a warm token nothing is asked twice.
    let before = registry.log().len();
    ask(&images, &need(&format!("{HOST}/acme/app:v1")))
        .await
        .unwrap();
    let refused = registry.log().split_off(before);
    assert!(
        refused
            .iter()
            .all(|asked| asked.header("authorization").is_some())
    );
}

#[tokio::test]
async fn a_token_of_another_repository_is_not_used() {
    let (registry, server, digest) = guarded(|_| Reply::json(r#"{"access_token":"good"}"#)).await;
    let images = images_at(registry.address);
    ask(&images, &by_digest(&digest)).await.unwrap();
    ask(&images, &need(&format!("{HOST}/acme/other@{digest}")))
        .await
        .unwrap();
    assert_eq!(server.count("GET /token"), 2);
    assert!(
        server
            .log()
            .iter()
            .all(|asked| asked.header("authorization").is_none())
    );
}

/// A token that the registry has had enough of is replaced, once.
#[tokio::test]
async fn a_token_that_is_refused_is_replaced() {
    let given = Arc::new(AtomicUsize::new(0));
    let count = given.clone();
    let server = Scripted::start(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        Reply::json(format!(r#"{{"token":"t{number}","expires_in":3600}}"#))
    })
    .await;
    let realm = format!("http://{}/token", server.address);
    let story = Story::new();
    let digest = story.digest();
    let valid = Arc::new(AtomicUsize::new(0));
    let wanted = valid.clone();
    let registry = Scripted::start(move |asked| {
        let wanted = format!("Bearer t{}", wanted.load(Ordering::Relaxed));
        if asked.header("authorization") == Some(wanted.as_str()) {
            return story.answer(asked);
        }
        Reply::challenge(&realm)
    })
    .await;
    let images = images_without_absences(mirrored(registry.address));
    ask(&images, &by_digest(&digest)).await.unwrap();
    valid.store(1, Ordering::Relaxed);
    ask(&images, &by_digest(&digest)).await.unwrap();
    assert_eq!(given.load(Ordering::Relaxed), 2);
    // One that is never content gets one new token for each request, and no more.
    valid.store(999, Ordering::Relaxed);
    let answer = ask(&images, &by_digest(&digest)).await;
    assert!(
        matches!(answer, Err(FactError::Unauthorized(_))),
        "{answer:?}"
    );
    assert!(given.load(Ordering::Relaxed) <= 8);
}

#[tokio::test]
async fn a_token_server_that_fails_says_so() {
    let status = |status| Reply::Full(status, String::new(), Vec::new());
    fails_as("unavailable", move || status(500)).await;
    fails_as("unauthorized", move || status(401)).await;
    fails_as("unauthorized", move || status(403)).await;
    fails_as("malformed", || Reply::json("<html>")).await;
    fails_as("malformed", || Reply::json("{}")).await;
    fails_as("malformed", || {
        Reply::json(r#"{"token":"good\r\nX-Evil: 1"}"#)
    })
    .await;
    fails_as("malformed", || Reply::Endless(200, String::new())).await;
    fails_as("malformed", || Reply::redirect("http://127.0.0.1:1/")).await;
}

async fn fails_as(expected: &str, reply: impl Fn() -> Reply + Send + Sync + 'static) {
    let (registry, server, digest) = guarded(move |_| reply()).await;
    let answer = ask(&images_at(registry.address), &by_digest(&digest)).await;
    let kind = match answer.unwrap_err() {
        FactError::Unavailable(_) => "unavailable",
        FactError::Unauthorized(_) => "unauthorized",
        FactError::Malformed(_) => "malformed",
        error => panic!("{error:?}"),
    };
    assert_eq!(kind, expected);
    assert!(server.sent() < 16 << 20);
}

#[tokio::test]
async fn credentials_of_one_registry_never_reach_another() {
    let canary = Scripted::start(|_| {
        Reply::Full(
            401,
            "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned(),
            Vec::new(),
        )
    })
    .await;
    let (_directory, config) = password_for("ghcr.io");
    let settings = RegistrySettings {
        docker_config: Some(config),
        mirrors: vec![
            (HOST.to_owned(), format!("http://{}", canary.address)),
            ("ghcr.io".to_owned(), format!("http://{}", canary.address)),
        ],
        ..RegistrySettings::default()
    };
    let images = images_with(settings, trust_roots(None));
    let digest = Story::new().digest();
    for image in [
        by_digest(&digest),
        need(&format!("ghcr.io/acme/app@{digest}")),
    ] {
        let answer = ask(&images, &image).await;
        assert!(
            matches!(answer, Err(FactError::Unauthorized(_))),
            "{answer:?}"
        );
    }
    assert!(!canary.log().is_empty());
    assert!(
        canary
            .log()
            .iter()
            .all(|asked| asked.header("authorization").is_none())
    );
}
