//! Questions of modules about what registries know of images, and who signed them.

use serde_json::{Value, json};

use crate::evaluation::need::{DataNeed, FactError, ImageNeed};
use crate::evaluation::rule::Context;
use crate::image::evidence::Resolution;
use crate::image::pem;
use crate::image::{HashAlgorithm, ImageReference, PolicyTrust, PublicKey, VerifiedImage};

use super::evidence::{Wanted, trusted};
use super::questions::{Fields, Said, Unanswered, told, unavailable};

impl Context<'_> {
    /// The digest, the manifest or the configuration of an image.
    pub(super) fn image_data(&mut self, operation: &str, fields: &Fields) -> Option<Said> {
        let reference = match fields.text("image") {
            Ok(image) => image.to_owned(),
            Err(reason) => return Some(Err(told(reason))),
        };
        let said = self.data_for_guest(DataNeed::ImageData {
            reference,
            pull_secrets: Vec::new(),
        })?;
        Some(said.and_then(|data| {
            let field = |name: &str| data.get(name).filter(|value| !value.is_null()).cloned();
            let resolved = field("resolvedImage");
            let digest = resolved
                .as_ref()
                .and_then(Value::as_str)
                .and_then(|image| image.split_once('@'))
                .map(|(_, digest)| digest.to_owned())
                .ok_or_else(|| {
                    let reason = "the registry did not say which digest the image has";
                    Unanswered::Lost(reason.to_owned())
                })?;
            let missing = |what: &str| {
                Unanswered::Lost(format!(
                    "the registry did not say what the image's {what} is"
                ))
            };
            match operation {
                "oci/v1/manifest_digest" => Ok(json!({ "digest": digest })),
                "oci/v1/oci_manifest" => {
                    let manifest = field("manifestList").or_else(|| field("manifest"));
                    manifest.ok_or_else(|| missing("manifest"))
                }
                _ => Ok(json!({
                    "manifest": field("manifest").ok_or_else(|| missing("manifest"))?,
                    "config": field("configData").ok_or_else(|| missing("configuration"))?,
                    "digest": digest,
                })),
            }
        }))
    }

    /// Whether an image is signed by all who are named: Kubewarden's `verify`.
    pub(super) fn image_trust(&mut self, fields: &Fields) -> Option<Said> {
        let wanted = match Wanted::read(fields) {
            Ok(wanted) => wanted,
            Err(reason) => return Some(Err(told(reason))),
        };
        let image = match self.verified(fields, wanted.keys.clone())? {
            Ok(image) => image,
            Err(reason) => return Some(Err(reason)),
        };
        Some(
            trusted(&wanted, image.evidence())
                .map_err(Unanswered::Told)
                .map(|()| json!({"is_trusted": true, "digest": image.digest().to_string()})),
        )
    }

    /// All that was verified of an image: who signed, and which statements. The module judges it.
    pub(super) fn image_evidence(&mut self, fields: &Fields) -> Option<Said> {
        let keys = match keys(fields.0.get("pub_keys")) {
            Ok(keys) => keys,
            Err(reason) => return Some(Err(told(reason))),
        };
        let image = self.verified(fields, keys)?;
        Some(image.and_then(|image| {
            let document = super::evidence::document(image.evidence());
            document.map_err(|error| told(error.to_string()))
        }))
    }

    fn verified(
        &mut self,
        fields: &Fields,
        keys: Vec<PublicKey>,
    ) -> Option<Result<VerifiedImage, Unanswered>> {
        let text = match fields.text("image") {
            Ok(text) => text,
            Err(reason) => return Some(Err(told(reason))),
        };
        let image = match ImageReference::parse(text) {
            Ok(image) => image,
            Err(error) => return Some(Err(told(error.to_string()))),
        };
        let need = ImageNeed {
            image,
            repository: None,
            rekor_url: None,
            pull_secrets: Vec::new(),
            keys,
            trust: PolicyTrust::default(),
        };
        let said = self.facts.borrow_mut().image(need)?;
        Some(
            said.and_then(of_now)
                .map_err(|error| unavailable(text, &error)),
        )
    }
}

/// An image whose digest is its name's, or was said by its registry now: what a tag stood for some time ago counts only
/// where the digest is patched in, and nobody can tell what a module will do.
fn of_now(image: VerifiedImage) -> Result<VerifiedImage, FactError> {
    match image.resolution() {
        Resolution::Reference | Resolution::Registry => Ok(image),
        Resolution::Remembered { age } => Err(FactError::Unavailable(format!(
            "the registry cannot be reached, and what it said {age} s ago is no answer to a module"
        ))),
    }
}

/// Keys that a question names, as PEM.
pub(super) fn keys(written: Option<&Value>) -> Result<Vec<PublicKey>, String> {
    let texts = match written {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(texts)) => texts,
        Some(_) => return Err("`pub_keys` is not a list".to_owned()),
    };
    let mut keys = Vec::new();
    for text in texts {
        let text = text.as_str().unwrap_or("").trim();
        let blocks =
            pem::public_keys(text).map_err(|reason| format!("a key cannot be read: {reason}"))?;
        keys.extend(blocks.into_iter().map(|block| PublicKey {
            pem: block.pem,
            spki_sha256: block.spki_sha256,
            hash: HashAlgorithm::Sha256,
            certificate: None,
        }));
    }
    Ok(keys)
}
