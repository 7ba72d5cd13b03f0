//! One pool of connections for each kind of trust in a registry.
//!
//! Follows no redirect and knows no credentials; what is sent, and where, is the caller's.

use std::path::PathBuf;

use super::{SettingsError, tls};
use crate::image::fetch::FetchError;
use crate::outbound::place::Reach;
use crate::outbound::{Answer, Call, Resolver, Wire};

/// Pools of connections, one for each [`Reach`].
#[derive(Debug)]
pub(crate) struct Transport {
    anywhere: Wire,
    guarded: Wire,
    unverified: Wire,
}

impl Transport {
    /// Pools that trust the platform's certificates and those in `certificates`.
    pub(crate) fn new(certificates: &[PathBuf]) -> Result<Self, SettingsError> {
        let verified = tls::verified(certificates)?;
        Ok(Self {
            anywhere: Wire::new(verified.clone(), Resolver::Anywhere),
            guarded: Wire::new(verified, Resolver::Guarded),
            unverified: Wire::new(tls::unverified()?, Resolver::Anywhere),
        })
    }

    /// Sends a request and reads its answer, whatever its status.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, FetchError> {
        let wire = match call.reach {
            Reach::Anywhere => &self.anywhere,
            Reach::Guarded => &self.guarded,
            Reach::Unverified => &self.unverified,
        };
        wire.send(call).await
    }
}
