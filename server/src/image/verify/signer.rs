//! Who signed an item: the holder of a certificate at a proven time, or of a key that a policy names.

use regent_engine::image::evidence::{CertificateIdentity, Signer, Verification};

use super::NamedKey;
use super::body::{self, Bound};
use super::certificate::Leaf;
use super::item::{Enclosed, Item, Material};
use super::log_entry::{self, Logged};
use super::refusal::Refusal;
use super::timestamp;
use crate::image::trust::{Hash, KeyKind, Message, Moment, TrustRoot};

/// Whom signatures are judged by.
pub(super) struct Trusted<'a> {
    /// Keys that the policy names.
    pub(super) keys: &'a [NamedKey],
    /// Everybody else.
    pub(super) root: &'a TrustRoot,
    /// When evidence is looked at.
    pub(super) now: Moment,
}

/// Verifies an item's signature, log entries, timestamps and signer.
///
/// `claimed` is set to the signer that a certificate names as soon as it can be read.
pub(super) fn verify(
    item: &Item<'_>,
    trusted: &Trusted<'_>,
    claimed: &mut String,
) -> Result<Verification, Refusal> {
    let mut space = Vec::new();
    let message = item.content.message(&mut space);
    match &item.material {
        Material::Certificate(der) => {
            let leaf = Leaf::read(der)?;
            *claimed = leaf.claimed();
            // Who is named by his key is meant, whatever certificate he signs with.
            let is_of = |named: &&NamedKey| named.key.is_spki(leaf.key().spki());
            if let Some(named) = trusted.keys.iter().find(is_of) {
                named.verify(item, message)?;
                return trusted.by_key(item, message, named, body::Signer::Certificate(der));
            }
            let hashes = [Hash::Sha256];
            leaf.key()
                .verify_any(&hashes, message, &item.signature)
                .map_err(|_bad| Refusal::Signature)?;
            let signer = body::Signer::Certificate(der);
            let proven = Proven::check(item, message, signer, trusted.root)?;
            let identity = trusted.holder(leaf, item, &proven)?;
            Ok(proven.verification(item, Signer::Certificate(identity)))
        }
        Material::Key(_) => {
            let is_of = |named: &&NamedKey| named.verify(item, message).is_ok();
            let named = trusted.keys.iter().find(is_of);
            let named = named.ok_or_else(|| unknown_key(item, trusted.keys))?;
            trusted.by_key(item, message, named, body::Signer::Key(&named.key))
        }
    }
}

/// What is said where no key fits: signatures of both forms of Ed25519 have 64 bytes, and others have not.
fn unknown_key(item: &Item<'_>, keys: &[NamedKey]) -> Refusal {
    let ed25519 = keys
        .iter()
        .any(|named| named.key.kind() == KeyKind::Ed25519);
    if ed25519 && item.signature.len() == 64 {
        Refusal::PreHashed
    } else {
        Refusal::UnknownKey
    }
}

impl NamedKey {
    fn verify(&self, item: &Item<'_>, message: Message<'_>) -> Result<(), Refusal> {
        let hashes = [self.hash, Hash::Sha256];
        self.key
            .verify_any(&hashes, message, &item.signature)
            .map_err(|_bad| Refusal::Signature)
    }
}

impl Trusted<'_> {
    /// What a key that the policy names has signed; its certificate must be valid, where the policy names one.
    fn by_key(
        &self,
        item: &Item<'_>,
        message: Message<'_>,
        named: &NamedKey,
        signer: body::Signer<'_>,
    ) -> Result<Verification, Refusal> {
        let proven = Proven::check(item, message, signer, self.root)?;
        if let Some(der) = &named.certificate {
            self.holder(Leaf::read(der)?, item, &proven)?;
        }
        let signer = Signer::Key {
            spki_sha256: named.spki_sha256.clone(),
        };
        Ok(proven.verification(item, signer))
    }

    /// Who holds a certificate, which must have been valid at every proven time.
    fn holder(
        &self,
        leaf: Leaf<'_>,
        item: &Item<'_>,
        proven: &Proven,
    ) -> Result<CertificateIdentity, Refusal> {
        let times = proven.times();
        let by_policy = self.root.has_own_authorities();
        if times.is_empty() && !by_policy {
            return Err(match &proven.logged.unknown {
                Some(log) => Refusal::NoKnownLog(log.clone()),
                None => Refusal::NoProvenTime,
            });
        }
        if !by_policy {
            let identity = leaf.verify(&times, self.root, &[])?;
            return match item.enclosed {
                Enclosed::Misplaced(_) => Err(Refusal::ChainEnclosed),
                Enclosed::Der(_) | Enclosed::Pem(_) => Ok(identity),
            };
        }
        let times = if times.is_empty() {
            vec![self.now]
        } else {
            times
        };
        leaf.verify(&times, self.root, &item.enclosed.certificates()?)
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
