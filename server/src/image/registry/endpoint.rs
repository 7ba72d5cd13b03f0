//! Where the registry that an image names is asked, and where redirects of it may lead.
//!
//! Opens no connection.

use std::collections::BTreeMap;

use hyper::http::uri::Authority;

use super::SettingsError;
use crate::outbound::place::{Reach, Scheme, host_of, is_local_host, is_loopback_host};

/// Where a registry is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The registry as it is called in credentials and messages.
    pub(crate) name: String,
    /// Nothing where https is to be tried first and http after it.
    pub(crate) scheme: Option<Scheme>,
    /// Host, with a port where there is one.
    pub(crate) authority: String,
    pub(crate) reach: Reach,
}

impl Endpoint {
    /// Whether it is this machine, so that it may send us to this machine.
    pub(crate) fn is_local(&self) -> bool {
        is_local_host(host_of(&self.authority))
    }

    /// Whether nobody but the image says that this machine, or its link, is to be asked.
    pub(crate) fn is_barred(&self) -> bool {
        self.reach == Reach::Guarded && self.is_local()
    }
}

/// Whether images may name registries on this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Loopback {
    /// Only those that the operator named as insecure, or that stand for another: whoever writes an image would find out what
    /// listens beside the server.
    #[default]
    Named,
    /// Any: whoever runs the command names the image too.
    Any,
}

/// What the operator said about registries.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    /// A scheme where one is written.
    mirrors: BTreeMap<String, (Option<Scheme>, String)>,
    insecure: Vec<String>,
    loopback: Loopback,
}

impl Endpoints {
    pub(crate) fn new(
        mirrors: &[(String, String)],
        insecure: &[String],
        loopback: Loopback,
    ) -> Result<Self, SettingsError> {
        let mut endpoints = Self {
            loopback,
            ..Self::default()
        };
        for (host, address) in mirrors {
            let mirror = parse_address(address)
                .ok_or_else(|| SettingsError::Mirror(host.clone(), address.clone()))?;
            if endpoints
                .mirrors
                .insert(canonical_host(host), mirror)
                .is_some()
            {
                return Err(SettingsError::MirrorTwice(host.clone()));
            }
        }
        for host in insecure {
            if host.parse::<Authority>().is_err() {
                return Err(SettingsError::Insecure(host.clone()));
            }
            endpoints.insecure.push(canonical_host(host));
        }
        Ok(endpoints)
    }

    /// Where the registry `host` is asked.
    pub(crate) fn of(&self, host: &str) -> Endpoint {
        let host = canonical_host(host);
        let is_insecure = |host: &String| self.insecure.contains(host);
        if let Some((scheme, address)) = self.mirrors.get(&host) {
            let (reach, scheme) = if is_insecure(&host) || is_insecure(address) {
                (Reach::Unverified, *scheme)
            } else {
                (Reach::Anywhere, Some(scheme.unwrap_or(Scheme::Https)))
            };
            return Endpoint {
                // Credentials are those of the mirror: those of the registry are nothing to it.
                name: address.clone(),
                scheme,
                authority: address.clone(),
                reach,
            };
        }
        if is_insecure(&host) {
            return Endpoint {
                name: host.clone(),
                scheme: None,
                authority: host,
                reach: Reach::Unverified,
            };
        }
        let authority = if host == DOCKER_HUB {
            // Docker Hub is called one thing and answers at another.
            "registry-1.docker.io".to_owned()
        } else {
            host.clone()
        };
        let reach = match self.loopback {
            Loopback::Any if is_loopback_host(host_of(&authority)) => Reach::Anywhere,
            Loopback::Any | Loopback::Named => Reach::Guarded,
        };
        Endpoint {
            name: host,
            scheme: Some(Scheme::Https),
            authority,
            reach,
        }
    }
}

/// Docker Hub as images name it.
pub(crate) const DOCKER_HUB: &str = "docker.io";

/// A registry's host in one spelling: lower case, no default port, one name for Docker Hub.
pub(crate) fn canonical_host(host: &str) -> String {
    let host = host.trim_end_matches('/').to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    match host {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
        _ => host.to_owned(),
    }
}

/// `http://HOST[:PORT]`, `https://HOST[:PORT]`, or `HOST[:PORT]`, which says of none: https, but where the operator accepts less.
fn parse_address(address: &str) -> Option<(Option<Scheme>, String)> {
    let (scheme, rest) = match address.split_once("://") {
        Some(("http", rest)) => (Some(Scheme::Http), rest),
        Some(("https", rest)) => (Some(Scheme::Https), rest),
        Some(_) => return None,
        None => (None, address),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let authority: Authority = rest.parse().ok()?;
    (!rest.contains('@')).then(|| (scheme, authority.as_str().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
