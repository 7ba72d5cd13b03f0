//! Checkpoints: a log's signed statement of how large its tree is and what its root is.

use sigstore_types::Checkpoint;

use super::refusal::{Refusal, one_line};
use crate::image::trust::Log;

/// The tree that a log vouches for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TreeHead {
    /// Hash of the root.
    pub(super) root: [u8; 32],
    /// Number of entries.
    pub(super) size: u64,
}

/// Verifies that `text` is a checkpoint of `log`: headed with its name, and signed by it.
///
/// Signatures of others, such as witnesses, do not count and do no harm.
pub(super) fn verify(text: &str, log: &Log) -> Result<TreeHead, Refusal> {
    let checkpoint =
        Checkpoint::from_text(text).map_err(|error| Refusal::malformed("checkpoint", &error))?;
    let by_log = |signature: &&sigstore_types::CheckpointSignature| {
        log.id().starts_with(signature.key_id.as_bytes())
    };
    let mut signatures = checkpoint.signatures().iter().filter(by_log).peekable();
    if signatures.peek().is_none() {
        return Err(Refusal::CheckpointUnsigned(log.url().to_owned()));
    }
    let mut refusal = Refusal::CheckpointSignature(log.url().to_owned());
    for signature in signatures {
        if !log.is_origin(checkpoint.origin(), &signature.name) {
            refusal = Refusal::CheckpointOrigin {
                origin: one_line(checkpoint.origin()),
                log: log.url().to_owned(),
            };
            continue;
        }
        let hash = log.key().natural_hash();
        let bytes = signature.signature.as_bytes();
        if log
            .key()
            .verify(hash, checkpoint.signed_data(), bytes)
            .is_ok()
        {
            return Ok(TreeHead {
                root: *checkpoint.root_hash().as_bytes(),
                size: checkpoint.tree_size(),
            });
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests;
