//! Blobs may be redirected to a store, and nothing else to anywhere; credentials stay with the registry.

use std::path::PathBuf;

use regent_engine::evaluation::need::FactError;
use regent_server::image::registry::RegistrySettings;

use super::scripted::{Reply, Scripted, Story};
use super::{ask, by_digest, images_at, images_with, mirrored, trust_roots};

/// A configuration with a password for the server at `address`.
pub(super) fn password_for(address: impl std::fmt::Display) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let config =
        format!(r#"{{"auths": {{"{address}": {{"username": "robot", "password": "hunter2"}}}}}}"#);
    std::fs::write(&path, config).unwrap();
    (directory, path)
}

/// The store gets the request and nothing that it could use elsewhere; what it sends is checked like anything else.
#[tokio::test]
async fn cve_2025_27403_a_store_gets_no_credentials() {
    let story = Story::new();
    let bundle = story.bundle.clone();
    let elsewhere = Scripted::start(move |_| Reply::blob(bundle.clone())).await;
    let (digest, to) = (
        story.digest(),
        format!("http://{}/store?sig=x", elsewhere.address),
    );
    let server = Scripted::start(move |asked| {
        if asked.header("authorization").is_none() {
            let basic = "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned();
            return Reply::Full(401, basic, Vec::new());
        }
        if asked.path.contains("/blobs/") {
            return Reply::redirect(&to);
        }
        story.answer(asked)
    })
    .await;
    let (_directory, config) = password_for(server.address);
    let settings = RegistrySettings {
        docker_config: Some(config),
        ..mirrored(server.address)
    };
    let images = images_with(settings, trust_roots(None));
    let image = ask(&images, &by_digest(&digest)).await.unwrap();
    assert_eq!(image.evidence().refused.len(), 1);
    let asked = elsewhere.log();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/store?sig=x");
    let secrets = ["authorization", "cookie", "proxy-authorization"];
    assert!(
        secrets.iter().all(|name| asked[0].header(name).is_none()),
        "{asked:?}"
    );
    assert!(!asked[0].head.contains("hunter2"));
}

#[tokio::test]
async fn a_store_cannot_send_something_else() {
    let story = Story::new();
    let elsewhere =
        Scripted::start(|_| Reply::blob("{\"mediaType\":\"not a bundle at ALL\"}")).await;
    let (digest, to) = (story.digest(), format!("http://{}/", elsewhere.address));
    let server = Scripted::start(move |asked| {
        if asked.path.contains("/blobs/") {
            return Reply::redirect(&to);
        }
        story.answer(asked)
    })
    .await;
    let answer = ask(&images_at(server.address), &by_digest(&digest)).await;
    assert!(matches!(answer, Err(FactError::Malformed(_))), "{answer:?}");
}

#[tokio::test]
async fn loops_and_odd_targets_are_errors() {
    for to in [
        "/v2/acme/app/blobs/again",
        "",
        "ftp://127.0.0.1/x",
        "http://user:secret@127.0.0.1/x",
        "//127.0.0.1/x",
    ] {
        let story = Story::new();
        let digest = story.digest();
        let server = Scripted::telling(story, move |_, asked| {
            asked.path.contains("/blobs/").then(|| Reply::redirect(to))
        })
        .await;
        let answer = ask(&images_at(server.address), &by_digest(&digest)).await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{to} {answer:?}"
        );
        assert!(server.count("GET /v2/acme/app/blobs/") <= 6);
    }
}

/// A manifest, a tag, a list of referrers from elsewhere: refused.
#[tokio::test]
async fn only_blobs_are_redirected() {
    for part in ["/referrers/", ".sig", ".att", "/manifests/sha256:"] {
        let story = Story::new();
        let digest = story.digest();
        let canary = Scripted::start(|_| Reply::not_found()).await;
        let to = format!("http://{}/", canary.address);
        let server = Scripted::telling(story, move |_, asked| {
            asked.path.contains(part).then(|| Reply::redirect(&to))
        })
        .await;
        let answer = ask(&images_at(server.address), &by_digest(&digest)).await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{part} {answer:?}"
        );
        assert!(canary.log().is_empty());
    }
}
