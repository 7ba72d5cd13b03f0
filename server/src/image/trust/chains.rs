//! Chains of certificates that were verified under a trust root: whoever signs many images with one certificate has its
//! chain verified once.
//!
//! They are a trust root's own, and gone with it. Only what was verified is remembered, with the time in which all of it
//! is valid: at any other time, and where it failed, it is looked at anew.

use moka::sync::Cache;

use super::key::sha256;
use super::window::{Moment, Window};

/// Chains that are remembered, of some 300 bytes each.
const MOST: u64 = 10_000;

/// By what was verified: see [`ChainId`].
#[derive(Debug, Clone)]
pub struct Chains(Cache<ChainId, Chain>);

/// A certificate and those that came with it, and what they were verified for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainId([u8; 32]);

/// What is known of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// While every certificate of it is valid.
    pub window: Window,
    /// SHA-256 of the key of whoever issued the first one.
    pub issuer_spki_sha256: [u8; 32],
    /// Whether a log of the trust root has the first one.
    pub is_logged: bool,
}

/// Whose rules a chain was verified by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainRules {
    /// Those of signing certificates under the trust root's authorities.
    Sigstore,
    /// Those of the Notary Project.
    Notary,
}

impl ChainId {
    /// A certificate in DER and the others that came with it, in their order.
    pub fn new<'c>(rules: ChainRules, certificates: impl IntoIterator<Item = &'c [u8]>) -> Self {
        // Digests of one length each: no two lists have the same bytes.
        let mut bytes = vec![match rules {
            ChainRules::Sigstore => 0,
            ChainRules::Notary => 1,
        }];
        for certificate in certificates {
            bytes.extend_from_slice(&sha256(certificate));
        }
        Self(sha256(&bytes))
    }
}

impl Default for Chains {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Chains {
    /// What is known of a chain that is valid at each of these times.
    pub fn at(&self, id: ChainId, times: &[Moment]) -> Option<Chain> {
        let chain = self.0.get(&id)?;
        let is_valid = times.iter().all(|time| chain.window.contains(*time));
        is_valid.then_some(chain)
    }

    /// Remembers a chain that was verified.
    pub fn keep(&self, id: ChainId, chain: Chain) {
        self.0.insert(id, chain);
    }

    /// Forgets all of them.
    pub fn forget(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_counts_while_all_of_it_is_valid() {
        let (chains, id) = (
            Chains::default(),
            ChainId::new(ChainRules::Sigstore, [&b"a"[..]]),
        );
        let chain = Chain {
            window: Window {
                start: Some(10),
                end: Some(20),
            },
            issuer_spki_sha256: [7; 32],
            is_logged: true,
        };
        assert_eq!(chains.at(id, &[Moment::at(10)]), None);
        chains.keep(id, chain);
        assert_eq!(
            chains.at(id, &[Moment::at(10), Moment::at(20)]),
            Some(chain)
        );
        assert_eq!(chains.at(id, &[Moment::at(10), Moment::at(21)]), None);
        assert_eq!(chains.at(id, &[Moment::at(9)]), None);
        chains.forget();
        assert_eq!(chains.at(id, &[Moment::at(10)]), None);
    }

    #[test]
    fn chains_are_told_apart_by_rules_certificates_and_their_order() {
        let of = |rules, certificates: &[&'static [u8]]| {
            ChainId::new(rules, certificates.iter().copied())
        };
        let all = [
            of(ChainRules::Sigstore, &[b"a", b"b"]),
            of(ChainRules::Sigstore, &[b"b", b"a"]),
            of(ChainRules::Sigstore, &[b"ab"]),
            of(ChainRules::Sigstore, &[b"a"]),
            of(ChainRules::Notary, &[b"a"]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
    }
}
