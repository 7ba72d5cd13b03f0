//! Evidence that real signers wrote, read from `../shared`.

use std::path::Path;
use std::{fs, slice};

use regent_engine::image::{Digest, Evidence};
use regent_engine::image::{HashAlgorithm, PublicKey};
use regent_server::image::artifact::Artifacts;
use regent_server::image::discovery::{Budget, Origin, Wanted, discover};
use regent_server::image::layout::Layouts;
use regent_server::image::trust::{Key, TrustRoot};
use regent_server::image::verify::verify;
use serde_json::Value;

/// An image with all that lies beside it, and what it is to be verified with.
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) artifacts: Artifacts,
    pub(super) keys: Vec<PublicKey>,
    pub(super) trust_root: String,
}

impl Sample {
    /// Reads one folder of `conformance/cosign` or `conformance/provenance`.
    pub(super) fn read(folder: &Path) -> Self {
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let entries = text("entries.txt");
        let image = entries
            .lines()
            .find_map(|line| line.strip_prefix("image @"));
        let digest = Digest::parse(image.unwrap()).unwrap();
        Self {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            artifacts: artifacts(&folder.join("layout"), &digest),
            keys: vec![public_key(&text("cosign.pub"))],
            trust_root: text("trusted_root.json"),
            digest,
        }
    }

    /// Every folder below `path` that holds a layout, by name.
    pub(super) fn read_all(path: &Path) -> Vec<Self> {
        let entries = fs::read_dir(path).unwrap();
        let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        folders.retain(|folder| folder.join("layout").is_dir());
        folders.sort();
        folders.iter().map(|folder| Self::read(folder)).collect()
    }

    pub(super) fn root(&self) -> TrustRoot {
        TrustRoot::parse(&self.trust_root).unwrap()
    }

    pub(super) fn verify(&self) -> Evidence {
        self.verify_with(&self.artifacts, &self.root())
    }

    pub(super) fn verify_with(&self, artifacts: &Artifacts, root: &TrustRoot) -> Evidence {
        verify(artifacts, &self.digest, &self.keys, root, 0).unwrap()
    }
}

/// All that a layout has about an image.
pub(crate) fn artifacts(layout: &Path, digest: &Digest) -> Artifacts {
    let layouts = Layouts::open(slice::from_ref(&layout.to_owned())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(discover(
            Origin::Layouts(&layouts),
            (digest, Wanted::Sigstore),
            &Budget::alone(),
        ))
        .unwrap()
}

/// A key as a policy names it.
pub(crate) fn public_key(pem: &str) -> PublicKey {
    let key = Key::from_pem(pem).unwrap();
    PublicKey {
        pem: pem.to_owned(),
        spki_sha256: hex::encode(key.spki_sha256()),
        hash: HashAlgorithm::Sha256,
        certificate: None,
    }
}

/// The reasons of all refusals, in their order.
pub(super) fn reasons(evidence: &Evidence) -> Vec<&str> {
    evidence
        .refused
        .iter()
        .map(|refused| refused.reason.as_str())
        .collect()
}

/// One sample of a set by its name, or nothing where `../shared` is not there.
pub(super) fn sample(set: &str, name: &str) -> Option<Sample> {
    let path = regent_tests::shared_path(&format!("conformance/{set}/{name}"))?;
    Some(Sample::read(&path))
}

impl Sample {
    /// The same image with one piece of evidence alone: the one at `index` of bundles, signatures and attestations in this order.
    pub(super) fn piece(&self, index: usize) -> Option<Artifacts> {
        let all = &self.artifacts;
        let mut one = Artifacts::default();
        if let Some(bundle) = all.bundles.get(index) {
            one.bundles.push(bundle.clone());
            return Some(one);
        }
        let index = index - all.bundles.len();
        if let Some(signature) = all.signatures.get(index) {
            one.signatures.push(signature.clone());
            return Some(one);
        }
        let attestation = all.attestations.get(index - all.signatures.len())?;
        one.attestations.push(attestation.clone());
        Some(one)
    }

    /// Every piece alone.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Artifacts> {
        (0..).map_while(|index| self.piece(index))
    }
}

/// The trust root with something changed.
pub(super) fn edited_root(root: &str, edit: impl FnOnce(&mut Value)) -> TrustRoot {
    let mut json: Value = serde_json::from_str(root).unwrap();
    edit(&mut json);
    TrustRoot::parse(&json.to_string()).unwrap()
}

/// The one bundle with something changed.
pub(super) fn edited_bundle(artifacts: &Artifacts, edit: impl FnOnce(&mut Value)) -> Artifacts {
    let mut artifacts = artifacts.clone();
    let bundle = artifacts.bundles.first_mut().unwrap();
    let mut json: Value = serde_json::from_slice(&bundle.bytes).unwrap();
    edit(&mut json);
    bundle.bytes = json.to_string().into_bytes().into();
    artifacts
}
