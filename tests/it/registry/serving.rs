//! What real signers wrote, served over HTTP and found again.

use std::path::PathBuf;
use std::time::Duration;

use regent_engine::image::Digest;
use regent_engine::image::evidence::Resolution;
use regent_server::image::layout::Layouts;
use regent_server::image::{ImageSettings, Images, Network};
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_server::metrics::Metrics;
use regent_tests::shared_path;

use super::{HOST, ask, by_digest, image_of, images_with, metric, mirrored, need, trust_roots};

/// The folders of a conformance set.
fn folders(set: &str) -> Option<Vec<PathBuf>> {
    let path = shared_path(set)?;
    let mut folders: Vec<PathBuf> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("layout").is_dir())
        .collect();
    folders.sort();
    Some(folders)
}

async fn serve(folder: &std::path::Path, referrers: ReferrersApi) -> LayoutRegistry {
    let layouts = Layouts::open(&[folder.join("layout")]).unwrap();
    LayoutRegistry::start(layouts, HOST, referrers)
        .await
        .unwrap()
}

/// Over HTTP, with and without the referrers API, the same is verified as from the layout itself.
#[tokio::test]
async fn finds_over_http_what_the_layout_has() {
    for set in ["conformance/cosign", "conformance/provenance"] {
        let Some(folders) = folders(set) else { return };
        for folder in folders {
            finds_the_same(&folder).await;
        }
    }
}

async fn finds_the_same(folder: &std::path::Path) {
    let root = trust_roots(Some(&folder.join("trusted_root.json")));
    let digest = image_of(folder);
    let offline = ImageSettings {
        layouts: vec![folder.join("layout")],
        network: Network::Offline,
        ..ImageSettings::default()
    };
    let offline = Images::new(&offline, root.clone(), Metrics::new().unwrap()).unwrap();
    let expected = ask(&offline, &by_digest(&digest)).await.unwrap();
    for api in [ReferrersApi::Served, ReferrersApi::Absent] {
        let registry = serve(folder, api).await;
        let images = images_with(mirrored(registry.address()), root.clone());
        let found = ask(&images, &by_digest(&digest)).await.unwrap();
        let (found, expected) = (found.evidence(), expected.evidence());
        assert_eq!(found.signatures, expected.signatures, "{folder:?} {api:?}");
        assert_eq!(found.statements, expected.statements, "{folder:?} {api:?}");
        assert_eq!(found.refused, expected.refused, "{folder:?} {api:?}");
    }
}

/// The slowest way through the requests: each starts after what it depends on was answered.
#[tokio::test]
async fn takes_no_more_round_trips_than_it_must() {
    let (Some(bundle), Some(legacy)) = (
        shared_path("conformance/provenance/right-bundle"),
        shared_path("conformance/provenance/right-legacy"),
    ) else {
        return;
    };
    let (first, second, third) = tokio::join!(
        round_trips(&bundle, ReferrersApi::Served),
        round_trips(&bundle, ReferrersApi::Absent),
        round_trips(&legacy, ReferrersApi::Served),
    );
    assert_eq!([first, second, third], [[3, 4], [3, 4], [2, 3]]);
}

/// Sequential round trips for a cold image: by digest, and by tag.
async fn round_trips(folder: &std::path::Path, api: ReferrersApi) -> [u128; 2] {
    // Long beside everything else that happens, also on a loaded machine.
    const LATENCY: Duration = Duration::from_millis(700);
    let digest = image_of(folder);
    let root = trust_roots(Some(&folder.join("trusted_root.json")));
    let registry = serve(folder, api).await;
    registry.move_tag("acme/app", "v1", &digest);
    registry.set_latency(LATENCY);
    let mut trips = [0; 2];
    let needs = [by_digest(&digest), need(&format!("{HOST}/acme/app:v1"))];
    for (need, trips) in needs.iter().zip(&mut trips) {
        let images = images_with(mirrored(registry.address()), root.clone());
        let started = std::time::Instant::now();
        ask(&images, need).await.unwrap();
        *trips = started.elapsed().as_millis() / LATENCY.as_millis();
    }
    trips
}

/// From the cache: nothing from the network by digest, the tag's HEAD by tag, and a moved tag is another image.
#[tokio::test]
async fn asks_little_once_it_knows() {
    let (Some(right), Some(unsigned)) = (
        shared_path("conformance/provenance/right-bundle"),
        shared_path("conformance/provenance/unsigned-bundle"),
    ) else {
        return;
    };
    let layouts = Layouts::open(&[right.join("layout"), unsigned.join("layout")]).unwrap();
    let registry = LayoutRegistry::start(layouts, HOST, ReferrersApi::Served)
        .await
        .unwrap();
    let metrics = Metrics::new().unwrap();
    let settings = ImageSettings {
        network: Network::Registries(mirrored(registry.address())),
        ..ImageSettings::default()
    };
    let root = trust_roots(Some(&right.join("trusted_root.json")));
    let images = Images::new(&settings, root, metrics.clone()).unwrap();
    let (right, unsigned) = (image_of(&right), image_of(&unsigned));
    let tagged = need(&format!("{HOST}/acme/app:v1"));
    registry.move_tag("acme/app", "v1", &right);

    let first = ask(&images, &tagged).await.unwrap();
    assert_eq!(*first.digest(), right);
    assert_eq!(first.resolution(), Resolution::Registry);
    let cold = registry.requests().len();

    let second = ask(&images, &by_digest(&right)).await.unwrap();
    assert_eq!(second.resolution(), Resolution::Reference);
    assert_eq!(registry.requests().len(), cold);

    ask(&images, &tagged).await.unwrap();
    let since = registry.requests().split_off(cold);
    assert_eq!(since, ["HEAD /v2/acme/app/manifests/v1"]);

    registry.move_tag("acme/app", "v1", &unsigned);
    let moved = ask(&images, &tagged).await.unwrap();
    assert_eq!(*moved.digest(), unsigned);
    assert!(moved.evidence().signatures.is_empty());

    let counted = ["hits", "misses", "waits"]
        .map(|what| metric(&metrics, &format!("regent_image_cache_{what}")));
    assert_eq!(counted, [2, 2, 0]);
}

/// One verification for many requests at once.
#[tokio::test]
async fn verifies_once_for_many() {
    let Some(folder) = shared_path("conformance/provenance/right-bundle") else {
        return;
    };
    let registry = serve(&folder, ReferrersApi::Served).await;
    registry.set_latency(Duration::from_millis(20));
    let root = trust_roots(Some(&folder.join("trusted_root.json")));
    let images = std::sync::Arc::new(images_with(mirrored(registry.address()), root));
    let digest = image_of(&folder);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (images, need) = (images.clone(), by_digest(&digest));
            tokio::spawn(async move { ask(&images, &need).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().evidence().signatures.len(), 1);
    }
    let referrers = registry.requests();
    let asked = |part: &str| referrers.iter().filter(|line| line.contains(part)).count();
    assert_eq!(asked("/referrers/"), 1, "{referrers:?}");
}

/// Evidence that lies in another repository is looked for there, and kept apart.
#[tokio::test]
async fn looks_where_the_policy_says() {
    let Some(folder) = shared_path("conformance/provenance/right-bundle") else {
        return;
    };
    let registry = serve(&folder, ReferrersApi::Served).await;
    let root = trust_roots(Some(&folder.join("trusted_root.json")));
    let images = images_with(mirrored(registry.address()), root);
    let mut elsewhere = by_digest(&image_of(&folder));
    elsewhere.repository = Some(format!("{HOST}/acme/signatures"));
    ask(&images, &elsewhere).await.unwrap();
    let asked = registry.requests();
    assert!(
        asked
            .iter()
            .all(|line| line.contains("/v2/acme/signatures/")),
        "{asked:?}"
    );
    ask(&images, &by_digest(&image_of(&folder))).await.unwrap();
    assert!(registry.requests().len() > asked.len());
}

#[tokio::test]
async fn says_that_an_image_does_not_exist() {
    let Some(folder) = shared_path("conformance/provenance/right-bundle") else {
        return;
    };
    let registry = serve(&folder, ReferrersApi::Served).await;
    let images = images_with(mirrored(registry.address()), trust_roots(None));
    let unknown = Digest::from_sha256([1; 32]);
    let error = ask(&images, &by_digest(&unknown)).await.unwrap_err();
    assert!(
        error.to_string().starts_with("there is no image"),
        "{error}"
    );
    let error = ask(&images, &need(&format!("{HOST}/acme/app:none"))).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("has no"), "{error}");
}
