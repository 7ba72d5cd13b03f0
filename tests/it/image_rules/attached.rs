//! A layout in which the evidence of one image is attached to another, as anybody who may push can have it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use regent_engine::image::Digest;
use serde_json::{Value, json};
use sigstore_crypto::sha256;

/// Writes into `folder` a layout of another image with all the evidence that `layout` has of `digest`; gives the digest
/// of the other image.
pub(super) fn to_another_image(layout: &Path, digest: &Digest, folder: &Path) -> Digest {
    let copy = Copy { folder };
    copy.begin(layout);
    let original = read(&layout.join("blobs/sha256").join(digest.hex()));
    let mut image: Value = serde_json::from_str(&original).unwrap();
    image["annotations"]["org.example.other"] = json!("another image");
    let other = copy.add(&image);
    let mut entries = vec![descriptor(&other, &image, &json!({}))];
    let index: Value = serde_json::from_str(&read(&layout.join("index.json"))).unwrap();
    for entry in index["manifests"].as_array().unwrap() {
        if entry["digest"] == digest.to_string() {
            continue;
        }
        let (_, hex) = entry["digest"].as_str().unwrap().split_once(':').unwrap();
        let manifest = read(&layout.join("blobs/sha256").join(hex));
        let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
        if manifest.get("manifests").is_some() {
            // The fallback tag's list of what is attached here one by one.
            continue;
        }
        if manifest.get("subject").is_some() {
            manifest["subject"] = entries[0].clone();
            let attached = copy.add(&manifest);
            entries.push(descriptor(&attached, &manifest, &json!({})));
        } else {
            let kind = manifest["layers"][0]["mediaType"].as_str().unwrap();
            let suffix = if kind.contains("simplesigning") {
                "sig"
            } else {
                "att"
            };
            let tag = format!("sha256-{}.{suffix}", other.hex());
            let name = json!({"org.opencontainers.image.ref.name": tag});
            let attached = copy.add(&manifest);
            entries.push(descriptor(&attached, &manifest, &name));
        }
    }
    let index = json!({"schemaVersion": 2, "manifests": entries});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    other
}

struct Copy<'a> {
    folder: &'a Path,
}

impl Copy<'_> {
    /// Has all blobs of a layout.
    fn begin(&self, layout: &Path) {
        let blobs = self.folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let blob = blob.unwrap();
            symlink(blob.path(), blobs.join(blob.file_name())).unwrap();
        }
        fs::copy(layout.join("oci-layout"), self.folder.join("oci-layout")).unwrap();
    }

    fn add(&self, manifest: &Value) -> Digest {
        let text = manifest.to_string();
        let digest = digest_of(&text);
        let path = self.folder.join("blobs/sha256").join(digest.hex());
        fs::write(path, text).unwrap();
        digest
    }
}

fn descriptor(digest: &Digest, manifest: &Value, annotations: &Value) -> Value {
    json!({
        "mediaType": manifest["mediaType"],
        "digest": digest.to_string(),
        "size": manifest.to_string().len(),
        "annotations": annotations,
    })
}

fn digest_of(text: &str) -> Digest {
    Digest::parse(&format!("sha256:{}", hex::encode(sha256(text.as_bytes())))).unwrap()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
