use super::*;

fn read(text: &str, told: Option<&str>) -> Result<Manifest, String> {
    Manifest::read(Bytes::copy_from_slice(text.as_bytes()), told).map_err(|error| error.to_string())
}

#[test]
fn reads_an_image_and_computes_its_digest() {
    let manifest = read(r#"{"schemaVersion":2,"layers":[]}"#, Some(OCI_MANIFEST)).unwrap();
    assert_eq!(manifest.media_type, OCI_MANIFEST);
    assert_eq!(
        digest_of(b"").as_str(),
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(manifest.digest, digest_of(&manifest.bytes));
}

#[test]
fn refuses_what_two_readers_could_read_differently() {
    let both = read(r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#, None).unwrap_err();
    assert!(both.contains("both layers and manifests"), "{both}");
    let other = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","layers":[]}}"#);
    let other = read(&other, Some(OCI_INDEX)).unwrap_err();
    assert!(other.contains("and was sent as"), "{other}");
    let kind = read(r#"{"schemaVersion":2,"layers":[]}"#, Some(OCI_INDEX)).unwrap_err();
    assert!(kind.contains("is not what its media type says"), "{kind}");
    let twice = read(r#"{"schemaVersion":2,"layers":[],"layers":[]}"#, None).unwrap_err();
    assert!(twice.contains("duplicate field"), "{twice}");
}

#[test]
fn refuses_schema_one_and_garbage() {
    assert!(read(r#"{"schemaVersion":1,"layers":[]}"#, None).is_err());
    assert!(read("<html>", None).is_err());
    assert!(read("{}", None).is_err());
    let deep = format!(r#"{{"schemaVersion":2,"x":{}"#, "[".repeat(100_000));
    assert!(read(&deep, None).is_err());
}

#[test]
fn refuses_what_takes_far_more_memory_than_text() {
    let of = |count: usize| {
        let entries = vec![r#"{"digest":""}"#; count].join(",");
        read(
            &format!(r#"{{"schemaVersion":2,"layers":[{entries}]}}"#),
            None,
        )
    };
    assert_eq!(of(50).unwrap().layers().len(), 50);
    let many = of(10_000).unwrap_err();
    assert!(many.contains("bytes of memory for its"), "{many}");
    // A long list as registries write it.
    let hex = "ab".repeat(32);
    let entry = format!(
        r#"{{"mediaType":"{OCI_MANIFEST}","digest":"sha256:{hex}","size":899,"artifactType":"{BUNDLE_PREFIX}.v0.3+json",
            "annotations":{{"org.opencontainers.image.created":"2025-01-01T00:00:00Z"}}}}"#
    );
    let long = vec![entry; MAX_REFERRERS].join(",");
    let long = format!(r#"{{"schemaVersion":2,"manifests":[{long}]}}"#);
    assert!(matches!(
        read(&long, None).unwrap().content,
        Content::Manifests(listed) if listed.len() == MAX_REFERRERS
    ));
}
