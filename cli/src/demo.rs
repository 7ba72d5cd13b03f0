//! The demonstration: the whole product on one machine, from a registry to the answers of the webhook.
//!
//! Nothing in it is make-believe but the cluster: real signatures, the real webhook over TLS, real reviews.

pub mod client;
pub mod content;
pub mod review;
pub mod scene;
pub mod show;
pub mod stage;
pub mod suggest;
