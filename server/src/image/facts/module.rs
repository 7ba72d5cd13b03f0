//! Modules of policies among recorded facts: the manifest, and the layer that is the module.

use bytes::Bytes;
use regent_engine::image::{Digest, ImageReference};
use serde::{Deserialize, Serialize};

use super::super::fetch::{FetchError, quoted};
use super::super::oci::digest_of;
use super::{Content, Facts, FactsError, Recorder, malformed, name, put, said};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Module {
    manifest: Content,
    module: Content,
}

impl Module {
    /// Checks an entry: a manifest that is not what its digest says was changed by hand.
    pub(super) fn check(&self, place: &str) -> Result<(), FactsError> {
        let digest = digest_of(&self.manifest.bytes(place)?);
        if place.ends_with(&format!("@{digest}")) {
            return Ok(());
        }
        let reason = format!("the manifest is not what its digest says, but {digest}");
        Err(malformed(place, &reason))
    }
}

impl Facts {
    /// The manifest and the layer of a module.
    pub(in super::super) fn module(
        &self,
        repository: &ImageReference,
        digest: &Digest,
    ) -> Result<(Bytes, Bytes), FetchError> {
        let name = name(repository, digest);
        let found = said(&self.modules, &name, "what this module is")?;
        let bytes = |content: &Content| {
            let bytes = content.bytes(&name);
            bytes.map_err(|error| FetchError::Malformed(error.to_string()))
        };
        let (manifest, module) = (bytes(&found.manifest)?, bytes(&found.module)?);
        if digest_of(&manifest) != *digest {
            return Err(FetchError::Malformed(format!(
                "the recorded manifest of {} is not what its digest says",
                quoted(&name)
            )));
        }
        Ok((manifest, module))
    }
}

impl Recorder {
    pub(in super::super) fn module(
        &self,
        repository: &ImageReference,
        digest: &Digest,
        said: &Result<(Bytes, Bytes), FetchError>,
    ) {
        let said = said.as_ref().map(|(manifest, module)| Module {
            manifest: Content::of(manifest),
            module: Content::of(module),
        });
        self.with(|facts| put(&mut facts.modules, name(repository, digest), said));
    }
}
