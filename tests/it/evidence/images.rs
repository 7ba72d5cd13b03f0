//! Real images with keyless provenance of the SLSA generator, signed by GitHub Actions on the public Sigstore.

use std::fs;

use regent_engine::image::Digest;
use regent_engine::image::evidence::Signer;
use regent_server::image::trust::public_sigstore;
use regent_server::image::verify::verify;

use super::material::artifacts;

#[test]
fn provenance_of_the_slsa_generator_verifies_with_the_public_trust_root() {
    let Some(path) = regent_tests::shared_path("images/slsa-github-generator") else {
        return;
    };
    let root = public_sigstore().unwrap();
    for (version, kind) in [
        ("v1.4.0", "intoto 0.0.1"),
        ("v1.9.0", "intoto 0.0.1"),
        ("v2.0.0", "dsse 0.0.1"),
    ] {
        let folder = path.join(version);
        let digest = fs::read_to_string(folder.join("digest")).unwrap();
        let digest = Digest::parse(digest.trim()).unwrap();
        let artifacts = artifacts(&folder.join("layout"), &digest);
        let evidence = verify(&artifacts, &digest, &[], &root, 0).unwrap();
        assert_eq!(evidence.refused, [], "{version}");
        assert!(evidence.signatures.is_empty(), "{version}");
        let [statement] = evidence.statements.as_slice() else {
            panic!("{version}: one statement")
        };
        assert_eq!(statement.predicate_type, "https://slsa.dev/provenance/v0.2");
        let Signer::Certificate(identity) = &statement.verified.signer else {
            panic!("a key")
        };
        let generator = format!(
            "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/{version}"
        );
        assert_eq!(identity.subjects, [generator.as_str()]);
        assert_eq!(
            identity.issuer,
            "https://token.actions.githubusercontent.com"
        );
        assert!(identity.sct_verified, "{version}");
        let predicate = statement.predicate.value().unwrap();
        let builder = predicate.pointer("/builder/id").unwrap();
        assert_eq!(builder, generator.as_str());
        let [entry] = statement.verified.log_entries.as_slice() else {
            panic!("one entry")
        };
        assert_eq!(
            (entry.kind.as_str(), entry.promise),
            (kind, true),
            "{version}"
        );
        assert_eq!(entry.log_url, "https://rekor.sigstore.dev");
        let (start, end) = identity.validity;
        assert!(
            (start..=end).contains(&entry.integrated_time.unwrap()),
            "{version}"
        );
    }
}
