//! Registries that have good evidence and do wrong with it: what would be admitted is then refused, or pinned to what was
//! verified.
//!
//! The evidence is that of `../shared/conformance/provenance`, by real signers; the policy is the reference policy.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use regent_engine::image::Digest;
use regent_server::image::Network;
use regent_server::image::oci::{Manifest, OCI_INDEX};
use regent_server::image::trust::{TrustRoot, TrustRoots};
use regent_tests::shared_path;
use serde_json::{Value, json};

use super::client::{Answer, Server, start};
use super::provenance::{patched_image, reference_policy, review};
use crate::registry::mirrored_as;
use crate::registry::scripted::{Asked, Reply, Scripted, descriptor, digest, index};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The registry that the images name.
const HOST: &str = "127.0.0.1:23700";

/// The blobs of layouts, and which of them are about which image.
#[derive(Clone, Default)]
struct Shelf {
    blobs: BTreeMap<String, Vec<u8>>,
    /// Descriptors of bundles, by the image's digest.
    referrers: BTreeMap<String, Vec<String>>,
    image: String,
}

impl Shelf {
    /// What a conformance folder has, besides what is there already; its image is the tag `v1`.
    fn with(mut self, case: &str) -> Option<Self> {
        let folder = shared_path(&format!("conformance/provenance/{case}"))?;
        let image = crate::registry::image_of(&folder).to_string();
        for blob in fs::read_dir(folder.join("layout/blobs/sha256")).unwrap() {
            let path = blob.unwrap().path();
            let hex = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = fs::read(&path).unwrap();
            if let Ok(manifest) = serde_json::from_slice::<Value>(&bytes)
                && manifest["subject"]["digest"] == image
            {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let listed = self.referrers.entry(image.clone()).or_default();
                listed.push(descriptor(&text, BUNDLE));
            }
            self.blobs.insert(format!("sha256:{hex}"), bytes);
        }
        self.image = image;
        Some(self)
    }

    /// The manifests that are about the image, each changed: what is listed of it then. The changed ones are there too.
    fn spoil(&mut self, change: impl Fn(&str) -> String) -> Vec<String> {
        let texts = self
            .blobs
            .values()
            .cloned()
            .filter_map(|blob| String::from_utf8(blob).ok());
        let about =
            texts.filter(|text| text.contains("\"subject\"") && text.contains("artifactType"));
        let spoiled: Vec<String> = about.map(|text| change(&text)).collect();
        assert_eq!(spoiled.len(), 2);
        for text in &spoiled {
            self.blobs
                .insert(digest(text).to_string(), text.clone().into_bytes());
        }
        spoiled
            .iter()
            .map(|text| descriptor(text, BUNDLE))
            .collect()
    }

    fn manifest(&self, digest: &str) -> Reply {
        let Some(bytes) = self.blobs.get(digest) else {
            return Reply::not_found();
        };
        let read = Manifest::read(bytes.clone().into(), None).unwrap();
        let head = format!(
            "Content-Type: {}\r\nDocker-Content-Digest: {digest}\r\n",
            read.media_type
        );
        Reply::Full(200, head, bytes.clone())
    }

    /// The honest answers, whatever the repository.
    fn answer(&self, asked: &Asked) -> Reply {
        let (rest, last) = asked.path.rsplit_once('/').unwrap();
        if rest.ends_with("/manifests") && last == "v1" {
            self.manifest(&self.image)
        } else if rest.ends_with("/manifests") {
            self.manifest(last)
        } else if rest.ends_with("/referrers") {
            let listed = self.referrers.get(last).cloned().unwrap_or_default();
            Reply::index(index(&listed))
        } else {
            let blob = self.blobs.get(last).cloned();
            blob.map_or_else(Reply::not_found, Reply::blob)
        }
    }
}

/// What an honest registry says where there is no evidence.
fn nothing(asked: &Asked) -> Reply {
    if asked.path.contains("/referrers/") {
        Reply::index(index(&[]))
    } else {
        Reply::not_found()
    }
}

/// A server with the reference policy, and the registry that it asks.
struct Scene {
    server: Server,
    registry: Scripted,
}

impl Scene {
    /// The registry has what `shelf` has, except where `script` has something else to say.
    async fn new(
        shelf: Shelf,
        script: impl Fn(&Shelf, &Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let root = shared_path("conformance/provenance/right-bundle/trusted_root.json").unwrap();
        let root = fs::read_to_string(root).unwrap();
        let registry = Scripted::start(move |asked| {
            script(&shelf, asked).unwrap_or_else(|| shelf.answer(asked))
        })
        .await;
        let policy = reference_policy("http://127.0.0.1:23702", &root);
        let server = start(&[("policy.yaml", &policy)], |settings| {
            settings.images.network = Network::Registries(mirrored_as(HOST, registry.address));
            settings.trust_roots = TrustRoots::new(TrustRoot::parse(&root).unwrap());
        })
        .await;
        Self { server, registry }
    }

    /// What the webhook that changes pods says of an image, in time.
    async fn ask(&self, image: &str) -> Answer {
        let started = Instant::now();
        let answer = self
            .server
            .post("/mutate?timeout=10s", &review(image))
            .await;
        assert!(started.elapsed() < Duration::from_secs(10), "{image}");
        answer
    }

    async fn is_refused(&self, image: &str) -> String {
        let answer = self.ask(image).await;
        assert!(!answer.allowed(), "{image}: {}", answer.body);
        let message = answer.response()["status"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        message.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    async fn is_pinned_to(&self, image: &str, digest: &str) {
        let answer = self.ask(image).await;
        assert!(answer.allowed(), "{image}: {}", answer.body);
        let pinned = patched_image(&answer);
        assert!(pinned.ends_with(&format!("@{digest}")), "{pinned}");
    }
}

/// The reference of an image of the organisation.
fn app(reference: &str) -> String {
    format!("{HOST}/your-org/app{reference}")
}

fn right() -> Option<Shelf> {
    Shelf::default().with("right-bundle")
}

/// Without it the refusals below would say nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_honest_registry_has_its_image_admitted() {
    let Some(shelf) = right() else { return };
    let image = shelf.image.clone();
    let scene = Scene::new(shelf, |_, _| None).await;
    scene.is_pinned_to(&app(":v1"), &image).await;
}

/// Kyverno's cache was keyed by reference: what was verified once was admitted for ever.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_122321_a_tag_that_moves_is_another_image() {
    let Some(shelf) = right() else { return };
    let image = shelf.image.clone();
    let Some(both) = shelf.with("unsigned-bundle") else {
        return;
    };
    let moved = Arc::new(AtomicBool::new(false));
    let (switch, first) = (moved.clone(), image.clone());
    let scene = Scene::new(both, move |shelf, asked| {
        let is_tag = asked.path.ends_with("/manifests/v1");
        (is_tag && !switch.load(Ordering::Relaxed)).then(|| shelf.manifest(&first))
    })
    .await;
    scene.is_pinned_to(&app(":v1"), &image).await;
    scene.is_pinned_to(&app(":v1"), &image).await;
    moved.store(true, Ordering::Relaxed);
    scene.is_refused(&app(":v1")).await;
}

/// Kyverno asked the registry twice: once for what it verified, once for the digest that it wrote into the pod.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2022_47633_the_digest_that_was_verified_is_the_one_that_is_pinned() {
    let Some(shelf) = right() else { return };
    let image = shelf.image.clone();
    let Some(both) = shelf.with("unsigned-bundle") else {
        return;
    };
    let (times, first) = (AtomicUsize::new(0), image.clone());
    let scene = Scene::new(both, move |shelf, asked| {
        let is_tag = asked.path.ends_with("/manifests/v1");
        let is_first = is_tag && times.fetch_add(1, Ordering::Relaxed) == 0;
        is_first.then(|| shelf.manifest(&first))
    })
    .await;
    scene.is_pinned_to(&app(":v1"), &image).await;
    assert_eq!(
        scene.registry.count("HEAD /v2/your-org/app/manifests/v1"),
        1
    );
    assert_eq!(scene.registry.count("GET /v2/your-org/app/manifests/v1"), 0);
}

/// Kyverno believed the digest in a header. Ours is pinned into the pod, so that the lie is what the node then asks for by digest;
/// a header for a manifest that is read must be true.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_47630_a_digest_in_a_header_is_no_proof() {
    let Some(shelf) = right() else { return };
    let image = shelf.image.clone();
    let Some(both) = shelf.with("unsigned-bundle") else {
        return;
    };
    let claimed = image.clone();
    let scene = Scene::new(both, move |shelf, asked| {
        let lie = format!("Docker-Content-Digest: {claimed}\r\n");
        let is_tag = asked.path.ends_with("/manifests/v1");
        is_tag.then(|| shelf.answer(asked).with_headers(&lie))
    })
    .await;
    scene.is_pinned_to(&app(":v1"), &image).await;
    // Where the manifest itself is read, it does not go through.
    let Some(both) = right().and_then(|shelf| shelf.with("unsigned-bundle")) else {
        return;
    };
    let scene = Scene::new(both, move |shelf, asked| {
        let lie = format!("Docker-Content-Digest: {image}\r\n");
        let is_tag = asked.path.ends_with("/manifests/v1");
        is_tag.then(|| match asked.method.as_str() {
            "HEAD" => Reply::Full(405, String::new(), Vec::new()),
            _ => shelf.answer(asked).with_headers(&lie),
        })
    })
    .await;
    assert!(
        scene
            .is_refused(&app(":v1"))
            .await
            .contains("states the digest")
    );
}

/// A manifest fetched by digest is what its digest says, or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_33959_manifests_are_checked_against_their_digest() {
    let Some(shelf) = right() else { return };
    let scene = Scene::new(shelf, |shelf, asked| {
        let is_referrer = asked.path.contains("/manifests/sha256:");
        is_referrer.then(|| shelf.manifest(&shelf.image))
    })
    .await;
    scene.is_refused(&app(":v1")).await;
}

/// Evidence that a registry lists for another image, another repository, or another tenant's.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_of_others_admits_nothing() {
    let Some(shelf) = right() else { return };
    let image = shelf.image.clone();
    let Some(both) = shelf.with("unsigned-bundle") else {
        return;
    };
    // All that is about the good image is listed for the other too, which is the tag's.
    let good = both.referrers[&image].clone();
    let scene = Scene::new(both.clone(), move |_, asked| {
        let lists = asked.path.contains("/referrers/");
        lists.then(|| Reply::index(index(&good)))
    })
    .await;
    scene.is_refused(&app(":v1")).await;
    // Tenants share blobs; only one of them has the evidence.
    let scene = Scene::new(both, |_, asked| {
        let elsewhere = asked.path.contains("/your-org/copied/");
        let evidence =
            asked.path.contains("/referrers/") || asked.path.contains("/manifests/sha256-");
        (elsewhere && evidence).then(|| nothing(asked))
    })
    .await;
    let by_digest = app(&format!("@{image}"));
    let copied = format!("{HOST}/your-org/copied@{image}");
    scene.is_refused(&copied).await;
    assert!(scene.ask(&by_digest).await.allowed());
    // Now it is remembered, for the other repository.
    scene.is_refused(&copied).await;
}

/// What is left out, repeated or shuffled says no more than the whole.
#[tokio::test(flavor = "multi_thread")]
async fn stripped_repeated_and_shuffled_lists_say_no_more() {
    let Some(shelf) = right() else { return };
    let image = shelf.image.clone();
    let own = shelf.referrers[&image].clone();
    assert_eq!(own.len(), 2);
    let listing = |listed: Vec<String>| {
        let shelf = shelf.clone();
        Scene::new(shelf, move |_, asked| {
            let lists = asked.path.contains("/referrers/");
            lists.then(|| Reply::index(index(&listed)))
        })
    };
    for one in &own {
        listing(vec![one.clone()])
            .await
            .is_refused(&app(":v1"))
            .await;
    }
    listing(Vec::new()).await.is_refused(&app(":v1")).await;
    let reversed = own.iter().rev().cloned().collect();
    listing(reversed)
        .await
        .is_pinned_to(&app(":v1"), &image)
        .await;
    let repeated: Vec<String> = (0..300).flat_map(|_| own.clone()).collect();
    listing(repeated)
        .await
        .is_pinned_to(&app(":v1"), &image)
        .await;
}

/// A registry that lists signatures without end kept cosign, Kyverno and notation busy.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_46737_cve_2023_33957_cve_2023_33958_endless_lists_of_signatures_are_refused() {
    for count in [60, 1_001, 10_000] {
        let Some(shelf) = right() else { return };
        let scene = Scene::new(shelf, move |shelf, asked| {
            let mut listed = shelf.referrers[&shelf.image].clone();
            listed.extend((0..count).map(|n| descriptor(&n.to_string(), BUNDLE)));
            let lists = asked.path.contains("/referrers/");
            lists.then(|| Reply::index(index(&listed)))
        })
        .await;
        scene.is_refused(&app(":v1")).await;
        assert_eq!(scene.registry.count("GET /v2/your-org/app/blobs"), 0);
    }
}

/// A thousand bytes for one: nothing is ever inflated.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_45395_cve_2026_122323_nothing_is_inflated() {
    // A gzip header, and then deflate's stored zeros; what it would become matters to nobody.
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0; 4 << 10]].concat();
    for header in [
        "Content-Encoding: gzip\r\n",
        "Content-Type: application/gzip\r\n",
    ] {
        let (Some(shelf), bomb) = (right(), bomb.clone()) else {
            return;
        };
        let scene = Scene::new(shelf, move |_, asked| {
            let is_blob = asked.path.contains("/blobs/");
            is_blob.then(|| Reply::Full(200, header.to_owned(), bomb.clone()))
        })
        .await;
        scene.is_refused(&app(":v1")).await;
    }
    // The same with a digest and a size that are true.
    let Some(mut shelf) = right() else { return };
    let hex = regent_server::image::oci::digest_of(&bomb);
    for media_type in [
        format!("{BUNDLE}+gzip"),
        BUNDLE.to_owned(),
        "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
    ] {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": BUNDLE, "config": {"mediaType": "x", "digest": hex.to_string(), "size": 2},
            "layers": [{"mediaType": media_type, "digest": hex.to_string(), "size": bomb.len()}],
            "subject": {"mediaType": "x", "digest": shelf.image, "size": 1},
        });
        let text = manifest.to_string();
        shelf.blobs.insert(hex.to_string(), bomb.clone());
        shelf
            .blobs
            .insert(digest(&text).to_string(), text.clone().into_bytes());
        let listed = vec![descriptor(&text, BUNDLE)];
        shelf.referrers.insert(shelf.image.clone(), listed);
        Scene::new(shelf.clone(), |_, _| None)
            .await
            .is_refused(&app(":v1"))
            .await;
    }
}

/// Documents in which two readers could see two different things.
#[tokio::test(flavor = "multi_thread")]
async fn confusing_documents_are_refused() {
    type Confuse = fn(&str) -> String;
    let confusions: [Confuse; 5] = [
        // Two subjects, the first or the second of which is the image.
        |manifest| {
            manifest.replacen(
                '{',
                r#"{"subject":{"mediaType":"x","digest":"sha256:00","size":1},"#,
                1,
            )
        },
        |manifest| manifest.replacen('{', r#"{"layers":[],"#, 1),
        |manifest| manifest.replacen('{', r#"{"manifests":[],"#, 1),
        |manifest| manifest.replacen("image.manifest", "image.index", 1),
        |manifest| format!("{manifest}{manifest}"),
    ];
    for confuse in confusions {
        let Some(mut shelf) = right() else { return };
        let listed = shelf.spoil(confuse);
        let scene = Scene::new(shelf, move |shelf, asked| {
            let (_, last) = asked.path.rsplit_once('/').unwrap();
            let lists = asked.path.contains("/referrers/");
            let is_confused = listed.iter().any(|entry| entry.contains(last));
            let whole = lists.then(|| Reply::index(index(&listed)));
            let manifest = || Reply::manifest(shelf.blobs[last].clone());
            whole.or_else(|| is_confused.then(manifest))
        })
        .await;
        scene.is_refused(&app(":v1")).await;
    }
}

/// An answer that comes as an index, and says that it is of another media type where it said that it is one.
fn as_index(reply: Reply, media_type: &str) -> Reply {
    let head = format!("Content-Type: {OCI_INDEX}\r\n");
    match reply {
        Reply::Full(status, _, body) => {
            let body = String::from_utf8(body).unwrap();
            let body = body.replacen("image.index", media_type, 1);
            Reply::Full(status, head, body.into_bytes())
        }
        other => other,
    }
}

/// An index of referrers that calls itself an image, and an image that comes as an index.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_no_image() {
    for (part, media_type) in [
        ("/referrers/", "image.manifest"),
        ("/manifests/sha256:", OCI_INDEX),
    ] {
        let Some(shelf) = right() else { return };
        let scene = Scene::new(shelf, move |shelf, asked| {
            let is_part = asked.path.contains(part);
            is_part.then(|| as_index(shelf.answer(asked), media_type))
        })
        .await;
        scene.is_refused(&app(":v1")).await;
    }
}

/// A manifest of more than is accepted, truthfully announced or not.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_29902_cve_2024_29903_huge_manifests_are_not_read() {
    for announced in [None, Some(1_000)] {
        let Some(mut shelf) = right() else { return };
        let padding = " ".repeat(6 << 20);
        let listed = shelf.spoil(|text| format!("{text}{padding}"));
        let listed = listed.into_iter().map(|entry| {
            let mut entry: Value = serde_json::from_str(&entry).unwrap();
            let size = announced.map_or(entry["size"].clone(), Value::from);
            entry["size"] = size;
            entry.to_string()
        });
        let listed = listed.collect();
        shelf.referrers.insert(shelf.image.clone(), listed);
        let scene = Scene::new(shelf, |_, _| None).await;
        scene.is_refused(&app(":v1")).await;
    }
}

/// A digest has one spelling; another would be another key of caches and another name in messages.
#[test]
fn digests_are_written_in_one_way() {
    for odd in ["sha256:AB", "SHA256:ab", "sha256:ab\0", " sha256:ab"] {
        let odd = odd.replace("ab", &"ab".repeat(32));
        let odd = odd.replace("AB", &"AB".repeat(32));
        assert!(Digest::parse(&odd).is_err(), "{odd}");
    }
}
