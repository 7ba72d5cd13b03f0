//! The demonstration's registry: everything in it verifies under its trust root, and is what the story says.

use std::fs;

use regent_engine::image::{Digest, Evidence, ImageReference};
use regent_server::image::layout::Layouts;
use regent_server::image::trust::TrustRoot;
use regent_server::image::verify::verify;
use regent_tests::workspace;
use serde_json::Value;

use crate::evidence::material::{artifacts, public_key};

fn read(name: &str) -> String {
    fs::read_to_string(workspace().join("cli/demo").join(name)).unwrap()
}

fn evidence(digest: &Digest, root: &TrustRoot) -> Evidence {
    let found = artifacts(&workspace().join("cli/demo/registry"), digest);
    verify(&found, digest, &[public_key(&read("key.pub"))], root, 0).unwrap()
}

/// Signatures, statements, and what is refused, of each image.
fn expected(case: &str) -> (usize, usize, usize) {
    match case {
        "unsigned" => (0, 0, 0),
        "provenance-only" => (0, 1, 0),
        "no-provenance" => (1, 0, 0),
        "one-bad-of-two" | "shadowed" => (1, 2, 0),
        // By a key that nobody named.
        "keyed-foreign" => (0, 0, 2),
        _ => (1, 1, 0),
    }
}

#[test]
fn everything_in_it_verifies() {
    let root = TrustRoot::parse(&read("trusted_root.json")).unwrap();
    let layouts = Layouts::open(&[workspace().join("cli/demo/registry")]).unwrap();
    let story: Value = serde_json::from_str(&read("cases.json")).unwrap();
    let cases = story["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        let name = case["case"].as_str().unwrap();
        let digest = Digest::parse(case["digest"].as_str().unwrap()).unwrap();
        let image = ImageReference::parse(case["image"].as_str().unwrap()).unwrap();
        assert_eq!(
            layouts.resolve(&image).unwrap().as_ref(),
            Some(&digest),
            "{name}"
        );
        let found = evidence(&digest, &root);
        let counts = (
            found.signatures.len(),
            found.statements.len(),
            found.refused.len(),
        );
        assert_eq!(counts, expected(name), "{name}: {:?}", found.refused);
        let logged = found.signatures.iter().map(|signature| &signature.verified);
        let logged = logged.chain(found.statements.iter().map(|statement| &statement.verified));
        for verification in logged {
            assert!(!verification.log_entries.is_empty(), "{name}");
        }
    }
    let moved = Digest::parse(story["moved"]["digest"].as_str().unwrap()).unwrap();
    let found = evidence(&moved, &root);
    assert_eq!(
        (found.signatures.len(), found.statements.len()),
        (0, 0),
        "the image that the tag moves to"
    );
}

#[test]
fn it_stays_small() {
    let blobs = fs::read_dir(workspace().join("cli/demo/registry/blobs/sha256")).unwrap();
    let size: u64 = blobs
        .map(|blob| blob.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size < 1_000_000, "{size} bytes");
}
