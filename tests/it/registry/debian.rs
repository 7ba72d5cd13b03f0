//! A registry that is not ours, with real images: Debian's `docker-registry`, which has no referrers API.

use regent_engine::image::Digest;
use regent_tests::shared_path;

use super::{HOST, ask, images_with, mirrored, need, trust_roots};
use crate::docker_registry::DockerRegistry;

/// Images that GitHub Actions built and the public Sigstore recorded: no special case for any version.
#[tokio::test]
async fn verifies_the_generators_images() {
    let Some(all) = shared_path("images/slsa-github-generator") else {
        return;
    };
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let images = images_with(mirrored(registry.address()), trust_roots(None));
    for version in ["v1.4.0", "v1.9.0", "v2.0.0"] {
        let folder = all.join(version);
        let layout = folder.join("layout");
        registry.push(&layout, "your-org/app", version).await;
        let digest = std::fs::read_to_string(folder.join("digest")).unwrap();
        let digest = Digest::parse(digest.trim()).unwrap();
        for reference in [format!(":{version}"), format!("@{digest}")] {
            let need = need(&format!("{HOST}/your-org/app{reference}"));
            let image = ask(&images, &need).await.unwrap();
            assert_eq!(*image.digest(), digest);
            let evidence = image.evidence();
            assert_eq!(
                evidence.statements.len(),
                1,
                "{version} {:?}",
                evidence.refused
            );
            assert!(evidence.signatures.is_empty());
        }
    }
}
