use super::*;
use crate::image::oci::{OCI_INDEX, OCI_MANIFEST};

/// Writes a layout; each entry is a manifest and the annotations of its descriptor.
fn layout(at: &Path, blobs: &[&str], entries: &[(&str, &str)]) {
    std::fs::create_dir_all(at.join("blobs/sha256")).unwrap();
    let put = |text: &str| {
        let digest = digest_of(text.as_bytes());
        std::fs::write(at.join("blobs/sha256").join(digest.hex()), text).unwrap();
        digest
    };
    for blob in blobs {
        put(blob);
    }
    let entries: Vec<String> = entries
        .iter()
        .map(|(manifest, annotations)| {
            format!(
                r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":{},"annotations":{annotations}}}"#,
                put(manifest),
                manifest.len()
            )
        })
        .collect();
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{}]}}"#,
        entries.join(",")
    );
    std::fs::write(at.join("index.json"), index).unwrap();
}

fn image(n: u8) -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","layers":[],"x":{n}}}"#)
}

fn reference(registry: &str, path: &str, tag: &str) -> ImageReference {
    ImageReference {
        registry: registry.to_owned(),
        path: path.to_owned(),
        tag: Some(tag.to_owned()),
        digest: None,
    }
}

fn named(name: &str) -> String {
    format!(r#"{{"org.opencontainers.image.ref.name":"{name}"}}"#)
}

#[test]
fn finds_tags_by_full_name_then_by_place_then_alone() {
    let dir = tempfile::tempdir().unwrap();
    layout(
        &dir.path().join("ghcr.io/acme/one"),
        &[],
        &[(&image(1), &named("v1"))],
    );
    layout(
        &dir.path().join("two"),
        &[],
        &[
            (&image(2), &named("v1")),
            (&image(3), &named("ghcr.io/acme/three:v1")),
            (&image(4), &named("only")),
        ],
    );
    let layouts = Layouts::open(&[dir.path().to_owned()]).unwrap();
    let digest = |n| Some(digest_of(image(n).as_bytes()));
    let resolve = |path: &str, tag: &str| layouts.resolve(&reference("ghcr.io", path, tag));
    assert_eq!(resolve("acme/one", "v1").unwrap(), digest(1));
    assert_eq!(resolve("acme/three", "v1").unwrap(), digest(3));
    assert_eq!(resolve("acme/any", "only").unwrap(), digest(4));
    for spelling in ["GHCR.io", "ghcr.io:443"] {
        let resolve = |path: &str| layouts.resolve(&reference(spelling, path, "v1"));
        assert_eq!(resolve("acme/one").unwrap(), digest(1), "{spelling}");
        assert_eq!(resolve("acme/three").unwrap(), digest(3), "{spelling}");
    }
    assert_eq!(resolve("acme/any", "none").unwrap(), None);
    let ambiguous = resolve("acme/any", "v1").unwrap_err().to_string();
    assert!(ambiguous.contains("have 2 images"), "{ambiguous}");
}

#[test]
fn attributes_nameless_evidence_to_the_image_that_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let about = digest_of(image(2).as_bytes());
    let payload = format!(r#"{{"critical":{{"image":{{"docker-manifest-digest":"{about}"}}}}}}"#);
    let signature = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","layers":[{{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"{}","size":{}}}]}}"#,
        digest_of(payload.as_bytes()),
        payload.len()
    );
    layout(
        dir.path(),
        &[&payload],
        &[(&image(1), "{}"), (&image(2), "{}"), (&signature, "{}")],
    );
    let layouts = Layouts::open(&[dir.path().to_owned()]).unwrap();
    let found = layouts.tagged(&about, ".sig");
    assert_eq!(found, [digest_of(signature.as_bytes())]);
    let other = digest_of(image(1).as_bytes());
    assert!(layouts.tagged(&other, ".sig").is_empty());
}

#[test]
fn refuses_a_manifest_that_is_not_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    layout(dir.path(), &[], &[(&image(1), "{}")]);
    let blob = dir
        .path()
        .join("blobs/sha256")
        .join(digest_of(image(1).as_bytes()).hex());
    std::fs::write(blob, image(2)).unwrap();
    let refused = Layouts::open(&[dir.path().to_owned()]).unwrap_err();
    assert!(refused.to_string().contains("not the digest"), "{refused}");
}

#[test]
fn refuses_a_directory_without_layouts() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Layouts::open(&[dir.path().to_owned()]).unwrap_err();
    assert!(
        refused.to_string().contains("neither an OCI layout"),
        "{refused}"
    );
}

#[tokio::test]
async fn checks_blobs_when_they_are_read() {
    let dir = tempfile::tempdir().unwrap();
    layout(dir.path(), &["evidence"], &[(&image(1), "{}")]);
    let layouts = Layouts::open(&[dir.path().to_owned()]).unwrap();
    let digest = digest_of(b"evidence");
    assert_eq!(&*layouts.blob(&digest, 8).await.unwrap(), b"evidence");
    let large = layouts.blob(&digest, 7).await.unwrap_err();
    assert!(matches!(large, FetchError::TooLarge(_)));
    std::fs::write(
        dir.path().join("blobs/sha256").join(digest.hex()),
        "other!!!",
    )
    .unwrap();
    let wrong = layouts.blob(&digest, 8).await.unwrap_err();
    assert!(matches!(wrong, FetchError::Malformed(_)));
    let absent = layouts.blob(&digest_of(b"absent"), 8).await.unwrap_err();
    assert!(matches!(absent, FetchError::NotFound(_)));
}
