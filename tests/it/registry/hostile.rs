//! Registries that send garbage, too much, too slowly, or something else than was asked for: a typed error in time, a
//! bounded number of bytes taken, and never evidence.

use std::time::Duration;

use regent_engine::evaluation::need::FactError;
use regent_engine::image::Digest;

use super::scripted::{Asked, Reply, Scripted, Story, descriptor, digest, index, referrer};
use super::{HOST, ask, ask_within, by_digest, images_at, need};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// What becomes of the image whose registry tells `story`, except where `script` has something else to say.
async fn outcome(
    script: impl Fn(&Story, &Asked) -> Option<Reply> + Send + Sync + 'static,
) -> (Result<usize, FactError>, Scripted) {
    let story = Story::new();
    let digest = story.digest();
    let server = Scripted::telling(story, script).await;
    let need = by_digest(&digest);
    let answer = ask_within(&images_at(server.address), &need, Duration::from_secs(4)).await;
    let verified = answer.map(|image| {
        assert!(image.evidence().signatures.is_empty());
        assert!(image.evidence().statements.is_empty());
        image.evidence().refused.len()
    });
    (verified, server)
}

/// Where each request can be spoiled.
const PARTS: [&str; 5] = [
    "/referrers/",
    ".sig",
    ".att",
    "/manifests/sha256:",
    "/blobs/",
];

#[tokio::test]
async fn the_story_itself_is_refused_and_complete() {
    let (refused, _) = outcome(|_, _| None).await;
    assert_eq!(refused, Ok(1));
}

#[tokio::test]
async fn garbage_is_an_error() {
    for part in PARTS {
        let (answer, _) = outcome(move |_, asked| {
            let raw = Reply::Raw(b"\x16\x03\x01 what is this\r\n\r\n".to_vec());
            asked.path.contains(part).then_some(raw)
        })
        .await;
        assert!(
            matches!(answer, Err(FactError::Unavailable(_))),
            "{part} {answer:?}"
        );
        let (answer, _) = outcome(move |_, asked| {
            let html = Reply::blob("<html>please log in</html>");
            asked.path.contains(part).then_some(html)
        })
        .await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{part} {answer:?}"
        );
    }
}

#[tokio::test]
async fn endless_bodies_are_cut_off() {
    for part in PARTS {
        let (answer, server) = outcome(move |_, asked| {
            let endless = Reply::Endless(200, String::new());
            asked.path.contains(part).then_some(endless)
        })
        .await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{part} {answer:?}"
        );
        // 4 MiB are read of a manifest; the rest lies in socket buffers.
        assert!(server.sent() < 24 << 20, "{part} {}", server.sent());
    }
}

#[tokio::test]
async fn huge_announcements_are_not_read() {
    for part in PARTS {
        let (answer, server) = outcome(move |_, asked| {
            let head = "HTTP/1.1 200 x\r\nContent-Length: 1099511627776\r\n\r\n";
            asked.path.contains(part).then(|| Reply::Raw(head.into()))
        })
        .await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{part} {answer:?}"
        );
        assert!(server.sent() < 1 << 20);
    }
}

#[tokio::test]
async fn slow_answers_end_at_the_deadline() {
    let drip: fn() -> Reply = || Reply::Drip(200, String::new());
    for reply in [drip, || Reply::Silence] {
        for part in PARTS {
            let story = Story::new();
            let image = by_digest(&story.digest());
            let script = move |_: &Story, asked: &Asked| asked.path.contains(part).then(reply);
            let server = Scripted::telling(story, script).await;
            let images = images_at(server.address);
            let answer = ask_within(&images, &image, Duration::from_millis(400)).await;
            assert!(
                matches!(answer, Err(FactError::Timeout(_))),
                "{part} {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn other_bytes_than_the_digest_says_are_an_error() {
    let (answer, _) = outcome(|story, asked| {
        let is_referrer = asked.path.ends_with(&digest(&story.referrer).to_string());
        is_referrer.then(|| Reply::manifest(story.image.clone()))
    })
    .await;
    assert!(matches!(answer, Err(FactError::Malformed(_))), "{answer:?}");
    for other in ["{\"mediaType\":\"not a bundle at ALL\"}", "{}", ""] {
        let (answer, _) =
            outcome(move |_, asked| asked.path.contains("/blobs/").then(|| Reply::blob(other)))
                .await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{other} {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_header_that_contradicts_the_body_is_an_error() {
    let (answer, _) = outcome(|story, asked| {
        let lie = format!("Docker-Content-Digest: {}\r\n", digest("another"));
        let is_referrer = asked.path.ends_with(&digest(&story.referrer).to_string());
        is_referrer.then(|| Reply::Full(200, lie, story.referrer.clone().into()))
    })
    .await;
    assert!(matches!(answer, Err(FactError::Malformed(_))), "{answer:?}");
}

#[tokio::test]
async fn content_that_was_not_asked_for_is_an_error() {
    for (header, part) in [
        ("Content-Encoding: gzip\r\n", "/blobs/"),
        ("Content-Encoding: gzip\r\n", "/referrers/"),
        (
            "Content-Type: application/vnd.oci.image.index.v1+json\r\n",
            "/manifests/sha256:",
        ),
    ] {
        let (answer, _) = outcome(move |story, asked| {
            let spoiled = story.answer(asked).with_headers(header);
            asked.path.contains(part).then_some(spoiled)
        })
        .await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{part} {answer:?}"
        );
    }
}

#[tokio::test]
async fn too_many_referrers_are_an_error() {
    for count in [51, 1_001, 10_000] {
        let (answer, server) = outcome(move |story, asked| {
            let many: Vec<String> = (0..count)
                .map(|n| descriptor(&referrer(&story.digest(), &n.to_string()), BUNDLE))
                .collect();
            asked
                .path
                .contains("/referrers/")
                .then(|| Reply::index(index(&many)))
        })
        .await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{count} {answer:?}"
        );
        assert_eq!(server.count("GET /v2/acme/app/blobs"), 0);
    }
}

#[tokio::test]
async fn pages_without_end_are_an_error() {
    let (answer, server) = outcome(|_, asked| {
        let header = "Link: </v2/acme/app/referrers/next>; rel=\"next\"\r\n".to_owned();
        let page = Reply::Full(200, header, index(&[]).into());
        asked.path.contains("/referrers/").then_some(page)
    })
    .await;
    assert!(matches!(answer, Err(FactError::Malformed(_))), "{answer:?}");
    assert!(server.count("GET /v2/acme/app/referrers/") <= 9);
}

#[tokio::test]
async fn pages_are_followed_on_the_registry_only() {
    let (answer, server) = outcome(|story, asked| {
        let page = |next: &str, content: &[String]| {
            let header = format!("Link: <{next}>; rel=\"next\"\r\n");
            Reply::Full(200, header, index(content).into())
        };
        let second = "/v2/acme/app/referrers/x?last=1";
        if asked.path == second {
            return Some(Reply::index(index(&[descriptor(&story.referrer, BUNDLE)])));
        }
        asked
            .path
            .contains("/referrers/")
            .then(|| page(second, &[]))
    })
    .await;
    assert_eq!(answer, Ok(1));
    assert_eq!(server.count("GET /v2/acme/app/referrers/"), 2);
    for elsewhere in [
        "http://127.0.0.1:1/v2/x",
        "/other",
        "//evil/v2/",
        "gopher://x",
    ] {
        let (answer, _) = outcome(move |_, asked| {
            let header = format!("Link: <{elsewhere}>; rel=\"next\"\r\n");
            let page = Reply::Full(200, header, index(&[]).into());
            asked.path.contains("/referrers/").then_some(page)
        })
        .await;
        assert!(
            matches!(answer, Err(FactError::Malformed(_))),
            "{elsewhere} {answer:?}"
        );
    }
}

#[tokio::test]
async fn referrers_about_other_images_are_left_out() {
    let other = referrer(&digest("another image"), "{}");
    let (refused, server) = outcome(move |_, asked| {
        if asked.path.contains("/referrers/") {
            return Some(Reply::index(index(&[descriptor(&other, BUNDLE)])));
        }
        let is_other = asked.path.ends_with(&digest(&other).to_string());
        is_other.then(|| Reply::manifest(other.clone()))
    })
    .await;
    assert_eq!(refused, Ok(1));
    assert_eq!(server.count("GET /v2/acme/app/blobs"), 0);
}

/// GitLab has been seen to answer the fallback tag with the image itself; a list may name what is not there.
#[tokio::test]
async fn odd_lists_are_survived() {
    let (refused, _) = outcome(|story, asked| {
        if asked.path.contains("/referrers/") {
            return Some(Reply::not_found());
        }
        let is_fallback = asked.path.ends_with(story.digest().hex());
        is_fallback.then(|| Reply::manifest(story.image.clone()))
    })
    .await;
    assert_eq!(refused, Ok(0));
    let (refused, _) = outcome(|_, asked| {
        let gone = descriptor("gone", BUNDLE);
        let sbom = descriptor("sbom", "application/spdx+json");
        let odd = r#"{"mediaType":"x","digest":"sha512:ab","size":1}"#.to_owned();
        let list = || {
            Reply::index(index(&[
                gone.clone(),
                gone.clone(),
                sbom.clone(),
                odd.clone(),
            ]))
        };
        asked.path.contains("/referrers/").then(list)
    })
    .await;
    assert_eq!(refused, Ok(3));
}

/// An image manifest that is an index too, or a blob so large that nobody has signed it.
#[tokio::test]
async fn confusing_manifests_are_errors_and_large_blobs_are_left_out() {
    let (answer, _) = outcome(|_, asked| {
        let both = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
        asked
            .path
            .contains("/referrers/")
            .then(|| Reply::index(both))
    })
    .await;
    assert!(matches!(answer, Err(FactError::Malformed(_))), "{answer:?}");
    let subject = Story::new().digest();
    let large = referrer(&subject, "{}").replace("\"size\":2}],", "\"size\":999999999}],");
    let (refused, server) = outcome(move |_, asked| {
        if asked.path.contains("/referrers/") {
            return Some(Reply::index(index(&[descriptor(&large, BUNDLE)])));
        }
        let is_large = asked.path.ends_with(&digest(&large).to_string());
        is_large.then(|| Reply::manifest(large.clone()))
    })
    .await;
    assert_eq!(refused, Ok(1));
    assert_eq!(server.count("GET /v2/acme/app/blobs"), 0);
    // Said also to who judges: there may be a statement in it.
    let evidence = |server: &Scripted| {
        let (images, need) = (images_at(server.address), by_digest(&subject));
        async move { ask(&images, &need).await.unwrap() }
    };
    assert!(evidence(&server).await.evidence().has_unread);
    let honest = Scripted::telling(Story::new(), |_, _| None).await;
    assert!(!evidence(&honest).await.evidence().has_unread);
}

/// A registry that says another digest each time it is asked is asked once.
#[tokio::test]
async fn the_digest_that_was_resolved_is_the_one_that_counts() {
    let story = Story::new();
    let first = story.digest();
    let times = std::sync::atomic::AtomicU8::new(0);
    let server = Scripted::telling(story, move |story, asked| {
        if !asked.path.ends_with("/manifests/v1") {
            return None;
        }
        let said = match times.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => story.digest(),
            later => Digest::from_sha256([later; 32]),
        };
        let head = format!("Docker-Content-Digest: {said}\r\n");
        Some(Reply::Full(200, head, story.image.clone().into()))
    })
    .await;
    let images = images_at(server.address);
    let image = ask(&images, &need(&format!("{HOST}/acme/app:v1")))
        .await
        .unwrap();
    assert_eq!(*image.digest(), first);
    assert_eq!(server.count("HEAD /v2/acme/app/manifests/v1"), 1);
    assert_eq!(server.count("GET /v2/acme/app/manifests/v1"), 0);
}

/// Where HEAD says nothing usable, the manifest itself is fetched and its digest computed.
#[tokio::test]
async fn a_tag_without_a_stated_digest_is_computed() {
    for stated in [
        "",
        "Docker-Content-Digest: sha256:short\r\n",
        "Docker-Content-Digest: sha512:00\r\n",
    ] {
        let story = Story::new();
        let expected = story.digest();
        let server = Scripted::telling(story, move |story, asked| {
            let is_head = asked.path.ends_with("/manifests/v1") && asked.method == "HEAD";
            let reply = || Reply::Full(200, stated.to_owned(), story.image.clone().into());
            is_head.then(reply)
        })
        .await;
        let tagged = need(&format!("{HOST}/acme/app:v1"));
        let image = ask(&images_at(server.address), &tagged).await.unwrap();
        assert_eq!(*image.digest(), expected);
    }
}
