//! Everything of Regent that touches the network: the webhook, registries, Sigstore evidence, the cache, metrics.

pub mod image;
pub mod layout_registry;
pub mod metrics;
pub mod review;
pub mod route;
pub mod settings;
