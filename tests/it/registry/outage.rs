//! The registry is gone, slow, or broken in part: what was verified before goes on, and nothing else does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use regent_engine::evaluation::need::FactError;
use regent_engine::image::evidence::Resolution;
use regent_engine::image::{Digest, VerifiedImage};
use regent_server::cache::CacheSettings;
use regent_server::image::layout::Layouts;
use regent_server::image::{ImageSettings, Images, Network};
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_server::metrics::Metrics;
use regent_tests::shared_path;

use super::scripted::{Reply, Scripted, Story};
use super::{
    HOST, ask, ask_within, by_digest, image_of, images_at, images_with, images_without_absences,
    metric, mirrored, need, trust_roots,
};

#[tokio::test]
async fn a_registry_that_is_gone_leaves_what_was_verified() {
    let Some(folder) = shared_path("conformance/provenance/right-bundle") else {
        return;
    };
    let layouts = Layouts::open(&[folder.join("layout")]).unwrap();
    let mut registry = LayoutRegistry::start(layouts, HOST, ReferrersApi::Served)
        .await
        .unwrap();
    let digest = image_of(&folder);
    registry.move_tag("acme/app", "v1", &digest);
    let root = trust_roots(Some(&folder.join("trusted_root.json")));
    let images = images_with(mirrored(registry.address()), root);
    let tagged = need(&format!("{HOST}/acme/app:v1"));
    ask(&images, &tagged).await.unwrap();
    registry.stop().await;

    let known = ask(&images, &tagged).await.unwrap();
    assert_eq!(*known.digest(), digest);
    assert!(matches!(known.resolution(), Resolution::Remembered { age } if age < 60));
    ask(&images, &by_digest(&digest)).await.unwrap();

    let unknown = ask(&images, &by_digest(&Digest::from_sha256([1; 32]))).await;
    assert!(
        matches!(unknown, Err(FactError::Unavailable(_))),
        "{unknown:?}"
    );
    let unknown = ask(&images, &need(&format!("{HOST}/acme/app:v2"))).await;
    assert!(
        matches!(unknown, Err(FactError::Unavailable(_))),
        "{unknown:?}"
    );
}

/// Only where the operator says so, and no longer than that: what it said counts as if it had been asked.
#[tokio::test]
async fn a_tag_is_asked_for_each_time_unless_seconds_are_allowed() {
    let Some(folder) = shared_path("conformance/provenance/right-bundle") else {
        return;
    };
    let (digest, moved) = (image_of(&folder), Digest::from_sha256([1; 32]));
    for (reuse, seconds) in [(0, 0), (1, 0), (1, 2)] {
        let layouts = Layouts::open(&[folder.join("layout")]).unwrap();
        let registry = LayoutRegistry::start(layouts, HOST, ReferrersApi::Served)
            .await
            .unwrap();
        registry.move_tag("acme/app", "v1", &digest);
        let settings = ImageSettings {
            network: Network::Registries(mirrored(registry.address())),
            cache: CacheSettings {
                tag_reuse: Duration::from_secs(reuse),
                ..CacheSettings::default()
            },
            ..ImageSettings::default()
        };
        let root = trust_roots(Some(&folder.join("trusted_root.json")));
        let images = Images::new(&settings, root, Metrics::new().unwrap()).unwrap();
        let tagged = need(&format!("{HOST}/acme/app:v1"));
        ask(&images, &tagged).await.unwrap();
        registry.move_tag("acme/app", "v1", &moved);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let again = ask(&images, &tagged).await;
        if reuse > seconds {
            let again = again.unwrap();
            assert_eq!(*again.digest(), digest);
            assert_eq!(again.resolution(), Resolution::Registry);
        } else {
            let told = again.as_ref().map(VerifiedImage::digest);
            assert_ne!(told, Ok(&digest), "{reuse} s, after {seconds}");
        }
    }
}

/// A registry that answers nothing any more uses up half of the time, not all of it.
#[tokio::test]
async fn a_registry_that_hangs_leaves_time_for_what_is_known() {
    let story = Arc::new(Story::new());
    let hangs = Arc::new(AtomicBool::new(false));
    let (digest, switch) = (story.digest(), hangs.clone());
    let server = Scripted::start(move |asked| {
        if switch.load(Ordering::Relaxed) {
            return Reply::Silence;
        }
        story.answer(asked)
    })
    .await;
    let images = images_without_absences(mirrored(server.address));
    let tagged = need(&format!("{HOST}/acme/app:v1"));
    assert_eq!(*ask(&images, &tagged).await.unwrap().digest(), digest);
    hangs.store(true, Ordering::Relaxed);
    // Its evidence was garbage and is not remembered; the digest is, and then time runs out in the next step.
    let error = ask_within(&images, &tagged, Duration::from_secs(1)).await;
    assert!(matches!(error, Err(FactError::Timeout(_))), "{error:?}");
    let asked = server.log();
    assert!(
        asked
            .iter()
            .filter(|asked| asked.path.contains("/referrers/"))
            .count()
            >= 2
    );
}

/// Where the last resolution of a tag is at hand, nobody waits for another attempt; where it is not, there are several.
#[tokio::test]
async fn a_known_tag_is_asked_for_once_in_an_outage() {
    let story = Arc::new(Story::new());
    let is_down = Arc::new(AtomicBool::new(false));
    let (digest, switch) = (story.digest(), is_down.clone());
    let server = Scripted::start(move |asked| {
        let down = switch.load(Ordering::Relaxed) && asked.method == "HEAD";
        if down {
            return Reply::Full(503, String::new(), Vec::new());
        }
        story.answer(asked)
    })
    .await;
    let images = images_at(server.address);
    let tagged = |tag: &str| need(&format!("{HOST}/acme/app:{tag}"));
    let heads = || server.count("HEAD /v2/acme/app/manifests/v");
    ask(&images, &tagged("v1")).await.unwrap();
    assert_eq!(heads(), 1);
    is_down.store(true, Ordering::Relaxed);
    let known = ask(&images, &tagged("v1")).await.unwrap();
    assert_eq!(*known.digest(), digest);
    assert!(matches!(known.resolution(), Resolution::Remembered { .. }));
    assert_eq!(heads(), 2);
    let unknown = ask(&images, &tagged("v2")).await;
    assert!(
        matches!(unknown, Err(FactError::Unavailable(_))),
        "{unknown:?}"
    );
    assert_eq!(heads(), 5);
}

/// Each of the first requests may fail alone; none of them makes an image "unsigned".
#[tokio::test]
async fn a_part_that_fails_is_never_taken_for_no_evidence() {
    for part in ["/referrers/", ".sig", ".att"] {
        for status in [500, 502, 503, 429] {
            let story = Story::new();
            let need = by_digest(&story.digest());
            let fails = move || Reply::Full(status, String::new(), Vec::new());
            let server =
                Scripted::telling(story, move |_, asked| asked.path.contains(part).then(fails))
                    .await;
            let answer = ask(&images_at(server.address), &need).await;
            let is_outage = matches!(answer, Err(FactError::Unavailable(_)));
            assert!(is_outage, "{part} {status} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_once_more() {
    let story = Story::new();
    let digest = story.digest();
    let broke = AtomicBool::new(false);
    let server = Scripted::start(move |asked| {
        if asked.path.contains("/blobs/") && !broke.swap(true, Ordering::Relaxed) {
            return Reply::Reset;
        }
        story.answer(asked)
    })
    .await;
    ask(&images_at(server.address), &by_digest(&digest))
        .await
        .unwrap();
    assert_eq!(server.count("GET /v2/acme/app/blobs/"), 2);

    let story = Story::new();
    let server = Scripted::start(move |asked| {
        if asked.path.contains("/blobs/") {
            return Reply::Reset;
        }
        story.answer(asked)
    })
    .await;
    let answer = ask(&images_at(server.address), &by_digest(&digest)).await;
    assert!(
        matches!(answer, Err(FactError::Unavailable(_))),
        "{answer:?}"
    );
    assert!(server.count("GET /v2/acme/app/blobs/") <= 3);
}

/// What cannot be answered just now is asked for again within the time that there is.
#[tokio::test]
async fn a_registry_that_is_busy_is_asked_again() {
    for status in [429, 502, 503, 504] {
        let story = Story::new();
        let need = by_digest(&story.digest());
        let busy = AtomicBool::new(false);
        let server = Scripted::telling(story, move |_, asked| {
            let first = asked.path.contains("/blobs/") && !busy.swap(true, Ordering::Relaxed);
            first.then(|| Reply::Full(status, "Retry-After: 0\r\n".to_owned(), Vec::new()))
        })
        .await;
        ask(&images_at(server.address), &need).await.unwrap();
        assert_eq!(server.count("GET /v2/acme/app/blobs/"), 2, "{status}");
    }
}

/// Nobody waits longer than his own time for a registry that says when to come back.
#[tokio::test]
async fn retries_end_before_the_deadline() {
    let story = Story::new();
    let need = by_digest(&story.digest());
    let server = Scripted::telling(story, |_, asked| {
        let later = || Reply::Full(503, "Retry-After: 3600\r\n".to_owned(), Vec::new());
        asked.path.contains("/referrers/").then(later)
    })
    .await;
    let started = std::time::Instant::now();
    let answer = ask_within(&images_at(server.address), &need, Duration::from_secs(4)).await;
    assert!(
        matches!(answer, Err(FactError::Unavailable(_))),
        "{answer:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(4));
}

/// A registry that fails again and again is left alone: nothing is sent to it, and that is an outage, not an answer.
#[tokio::test]
async fn a_registry_that_keeps_failing_is_left_alone() {
    let server = Scripted::start(|_| Reply::Full(500, String::new(), Vec::new())).await;
    let metrics = Metrics::new().unwrap();
    let settings = ImageSettings {
        network: Network::Registries(mirrored(server.address)),
        ..ImageSettings::default()
    };
    let images = Images::new(&settings, trust_roots(None), Arc::clone(&metrics)).unwrap();
    let circuits = || {
        let open = metric(&metrics, "regent_registry_circuits_open ");
        (
            open,
            metric(&metrics, "regent_registry_circuit_refusals_total "),
        )
    };
    assert_eq!(circuits(), (0, 0));
    let mut last = None;
    for number in 0..5 {
        let need = by_digest(&Digest::from_sha256([number; 32]));
        last = Some(ask(&images, &need).await);
    }
    let asked = server.log().len();
    let answer = ask(&images, &by_digest(&Digest::from_sha256([9; 32]))).await;
    assert_eq!(server.log().len(), asked, "nothing was sent");
    assert!(
        matches!(&answer, Err(FactError::Unavailable(message)) if message.contains("in a row")),
        "{answer:?} after {last:?}"
    );
    let (open, refused) = circuits();
    assert!(open == 1 && refused >= 1, "{open} {refused}");
}

/// That there is no evidence is remembered for some seconds, so that an image that is refused again and again is no load.
#[tokio::test]
async fn what_was_not_there_a_moment_ago_is_not_asked_for_again() {
    let story = Story::new();
    let need = by_digest(&story.digest());
    let server = Scripted::start(move |asked| story.answer(asked)).await;
    let images = images_at(server.address);
    ask(&images, &need).await.unwrap();
    let asked = server.log().len();
    let again = ask(&images, &need).await.unwrap();
    assert!(!again.evidence().refused.is_empty());
    assert_eq!(server.log().len(), asked);
    images
        .forget(&need, need.image.digest.as_ref().unwrap())
        .await;
    ask(&images, &need).await.unwrap();
    assert!(server.log().len() > asked);
}
