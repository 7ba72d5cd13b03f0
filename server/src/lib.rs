//! Everything of Regent that touches the network: the webhook, registries, Sigstore evidence, the cache, metrics.

pub mod break_glass;
pub mod cache;
pub mod clock;
pub mod cluster;
pub mod guests;
pub mod image;
pub mod layout_registry;

pub mod settings;

mod admit;
mod health;
pub mod host;
mod listener;
mod memory;
pub mod metrics;
mod outbound;
pub mod rego_file;
pub mod review;
pub mod route;
pub mod serve;
pub mod tls;
mod told;
pub mod tuf;
pub mod watch;
mod webhook;
