//! Checkpoints: a log's signed statement of how large its tree is and what its root is.

use sigstore_types::Checkpoint;

use super::refusal::{Refusal, one_line};
use crate::image::trust::Log;

/// Bytes of a checkpoint: 200, and 150 more for each witness.
const MAX_TEXT: usize = 16 << 10;
/// Signatures that name themselves the log's; it writes one, and anybody can write its four bytes on others.
const MAX_OWN: usize = 4;

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
    if text.len() > MAX_TEXT {
        return Err(Refusal::Malformed(
            "checkpoint",
            format!("it has {} bytes; {MAX_TEXT} are accepted", text.len()),
        ));
    }
    let checkpoint =
        Checkpoint::from_text(text).map_err(|error| Refusal::malformed("checkpoint", &error))?;
    let by_log = |signature: &&sigstore_types::CheckpointSignature| {
        log.id().starts_with(signature.key_id.as_bytes())
    };
    let signatures: Vec<_> = checkpoint.signatures().iter().filter(by_log).collect();
    if signatures.is_empty() {
        return Err(Refusal::CheckpointUnsigned(log.url().to_owned()));
    }
    if signatures.len() > MAX_OWN {
        return Err(Refusal::TooMany {
            what: "signatures by the id of one log on a checkpoint",
            limit: MAX_OWN,
        });
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
