//! The verifier on evidence that real signers wrote, and on the same evidence with something wrong.
//!
//! Needs `../shared`; says so where it is not there.

mod bundles;
mod by_policy;
pub(crate) mod certified;
mod cosign;
mod cves;
mod faults;
mod images;
mod made_log;
pub(crate) mod material;
mod mutation;
mod names;
mod notary;
mod own_authority;
mod points;
mod provenance;
mod scts;
mod second_opinion;
