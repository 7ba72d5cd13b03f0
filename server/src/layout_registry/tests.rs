use super::*;

#[test]
fn reads_what_a_path_asks_for() {
    assert_eq!(asked("/v2/"), Some(Asked::Version));
    assert_eq!(
        asked("/v2/your-org/app/manifests/v1"),
        Some(Asked::Manifest("your-org/app", "v1"))
    );
    assert_eq!(asked("/v2/a/blobs/sha256:x"), Some(Asked::Blob("sha256:x")));
    assert_eq!(asked("/v2/a/tags/list"), None);
    assert_eq!(asked("/v2/manifests/v1"), None);
    assert_eq!(asked("/"), None);
}

#[test]
fn knows_evidence_tags() {
    let digest = crate::image::oci::digest_of(b"");
    assert_eq!(
        fallback_subject(&evidence_tag(&digest, "")),
        Some(digest.clone())
    );
    assert_eq!(
        evidence_subject(&evidence_tag(&digest, ".sig")),
        Some((digest, ".sig"))
    );
    assert_eq!(evidence_subject("v1.2"), None);
    assert_eq!(fallback_subject("latest"), None);
}
