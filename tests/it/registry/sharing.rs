//! What several rules ask about one image is asked of its registry once.

use std::sync::atomic::{AtomicBool, Ordering};

use regent_engine::evaluation::need::ImageNeed;
use regent_engine::image::{Digest, HashAlgorithm, PublicKey};

use super::scripted::{Reply, Scripted, Story, digest};
use super::{ask, by_digest, images_at, images_without_absences, mirrored};

/// A key that signed nothing here; evidence under it is a matter of its own.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhyQCx0E9wQWSFI9ULGwy3BuRklnt
IqozONbbdbqz11hlRJy9c7SG+hdcFl9jE9uE/dwtuwU2MqU9T/cN0YkWww==
-----END PUBLIC KEY-----
";

fn with_key(mut need: ImageNeed) -> ImageNeed {
    need.keys = vec![PublicKey {
        pem: KEY.to_owned(),
        spki_sha256: String::new(),
        hash: HashAlgorithm::Sha256,
        certificate: None,
    }];
    need
}

#[tokio::test]
async fn rules_with_other_keys_share_what_was_fetched() {
    let story = Story::new();
    let need = by_digest(&story.digest());
    let server = Scripted::start(move |asked| story.answer(asked)).await;
    let images = images_at(server.address);
    let keyed = with_key(need.clone());
    let (one, other) = tokio::join!(ask(&images, &need), ask(&images, &keyed));
    assert!(!one.unwrap().evidence().refused.is_empty());
    assert!(!other.unwrap().evidence().refused.is_empty());
    assert_eq!(server.count("GET /v2/acme/app/referrers/"), 1);
    assert_eq!(server.count("GET /v2/acme/app/blobs/"), 1);
    let asked = server.log().len();
    images
        .forget(&need, need.image.digest.as_ref().unwrap())
        .await;
    ask(&images, &need).await.unwrap();
    assert!(
        server.log().len() > asked,
        "what was forgotten is asked for"
    );
}

/// Whoever creates a pod names images that do not exist; what is said of them is nothing about those that do.
#[tokio::test]
async fn an_image_that_does_not_exist_turns_no_api_off() {
    let story = Story::new();
    let need = by_digest(&story.digest());
    let nowhere = digest("nowhere");
    let absent = nowhere.clone();
    let unknown = by_digest(&nowhere);
    let server = Scripted::telling(story, move |_, asked| {
        let is_unknown = asked.path.ends_with(nowhere.as_str());
        is_unknown.then(Reply::not_found)
    })
    .await;
    let images = images_at(server.address);
    for _ in 0..2 {
        ask(&images, &unknown).await.unwrap_err();
    }
    let found = ask(&images, &need).await.unwrap();
    assert_eq!(found.evidence().refused.len(), 1);
    // As long as nobody knows, the fallback tag is asked for too; that there is an API is known now.
    let asked_for = |digest: &Digest| {
        let tag = format!("/manifests/{}", digest.as_str().replace(':', "-"));
        server.log().iter().any(|asked| asked.path.ends_with(&tag))
    };
    assert!(asked_for(&absent));
    let other = digest("elsewhere");
    ask(&images, &by_digest(&other)).await.unwrap_err();
    assert!(!asked_for(&other));
}

/// An outage is nobody's answer but that of whoever saw it.
#[tokio::test]
async fn what_could_not_be_fetched_is_not_shared() {
    let story = Story::new();
    let need = by_digest(&story.digest());
    let failed = AtomicBool::new(false);
    let server = Scripted::telling(story, move |_, asked| {
        let first = asked.path.contains("/blobs/") && !failed.swap(true, Ordering::Relaxed);
        first.then(|| Reply::Full(500, String::new(), Vec::new()))
    })
    .await;
    let images = images_at(server.address);
    ask(&images, &need).await.unwrap_err();
    ask(&images, &with_key(need)).await.unwrap();
    assert_eq!(server.count("GET /v2/acme/app/blobs/"), 2);
}

/// Manifests and blobs are what their digest says for ever; what there is about an image is asked for each time.
#[tokio::test]
async fn contents_are_fetched_once_and_lists_each_time() {
    let story = Story::new();
    let need = by_digest(&story.digest());
    let is_gone = std::sync::Arc::new(AtomicBool::new(false));
    let switch = is_gone.clone();
    let server = Scripted::telling(story, move |_, asked| {
        let gone = switch.load(Ordering::Relaxed) && asked.path.contains("/referrers/");
        gone.then(|| Reply::index(super::scripted::index(&[])))
    })
    .await;
    let images = images_without_absences(mirrored(server.address));
    for round in 1..=3 {
        let found = ask(&images, &need).await.unwrap();
        assert_eq!(found.evidence().refused.len(), 1);
        assert_eq!(server.count("GET /v2/acme/app/referrers/"), round);
        assert_eq!(server.count("GET /v2/acme/app/blobs/"), 1);
    }
    is_gone.store(true, Ordering::Relaxed);
    let found = ask(&images, &need).await.unwrap();
    assert!(
        found.evidence().refused.is_empty(),
        "a list that is empty now says so"
    );
}
