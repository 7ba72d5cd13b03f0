//! Who signed an item: the holder of a certificate at a proven time, or of a key that a policy names.

use regent_engine::image::evidence::{Signer, Verification};

use super::NamedKey;
use super::body::{self, Bound};
use super::certificate::Leaf;
use super::item::{Item, Material};
use super::log_entry::{self, Logged};
use super::refusal::Refusal;
use super::timestamp;
use crate::image::trust::{Hash, Message, Moment, TrustRoot};

/// Verifies an item's signature, log entries, timestamps and signer.
///
/// `claimed` is set to the signer that a certificate names as soon as it can be read.
pub(super) fn verify(
    item: &Item<'_>,
    keys: &[NamedKey],
    root: &TrustRoot,
    claimed: &mut String,
) -> Result<Verification, Refusal> {
    let mut space = Vec::new();
    let message = item.content.message(&mut space);
    match &item.material {
        Material::Certificate(der) => {
            let leaf = Leaf::read(der)?;
            *claimed = leaf.claimed();
            let hashes = [Hash::Sha256];
            leaf.key()
                .verify_any(&hashes, message, &item.signature)
                .map_err(|_bad| Refusal::Signature)?;
            let proven = Proven::check(item, message, body::Signer::Certificate(der), root)?;
            let times = proven.times();
            if times.is_empty()
                && let Some(log) = &proven.logged.unknown
            {
                return Err(Refusal::NoKnownLog(log.clone()));
            }
            let identity = leaf.verify(&times, root)?;
            Ok(proven.verification(item, Signer::Certificate(identity)))
        }
        Material::Key(_) => {
            let is_of = |named: &&NamedKey| {
                let hashes = [named.hash, Hash::Sha256];
                named
                    .key
                    .verify_any(&hashes, message, &item.signature)
                    .is_ok()
            };
            let named = keys.iter().find(is_of).ok_or(Refusal::UnknownKey)?;
            let proven = Proven::check(item, message, body::Signer::Key(&named.key), root)?;
            let signer = Signer::Key {
                spki_sha256: named.spki_sha256.clone(),
            };
            Ok(proven.verification(item, signer))
        }
    }
}

/// What is proven about when an item was signed.
struct Proven {
    logged: Logged,
    timestamps: Vec<Moment>,
}

impl Proven {
    fn check(
        item: &Item<'_>,
        message: Message<'_>,
        signer: body::Signer<'_>,
        root: &TrustRoot,
    ) -> Result<Self, Refusal> {
        let timestamps = timestamp::verify(&item.tokens, &item.signature, item.stamped, root)?;
        let bound = Bound {
            content: &item.content,
            message,
            signature: &item.signature,
            signer,
        };
        let logged = log_entry::verify(&item.entries, item.demands, &bound, &timestamps, root)?;
        Ok(Self { logged, timestamps })
    }

    /// Every proven time.
    fn times(&self) -> Vec<Moment> {
        let logged = self.logged.times.iter();
        logged.chain(&self.timestamps).copied().collect()
    }

    fn verification(self, item: &Item<'_>, signer: Signer) -> Verification {
        Verification {
            signer,
            format: item.format,
            carrier: item.carrier.to_owned(),
            log_entries: self.logged.entries,
            timestamps: self
                .timestamps
                .iter()
                .map(|moment| moment.seconds)
                .collect(),
        }
    }
}
