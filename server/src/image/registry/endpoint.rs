//! Where the registry that an image names is asked, and where redirects of it may lead.
//!
//! Opens no connection.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;
use hyper::http::uri::Authority;

use super::SettingsError;

/// Which connections may be made for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Any address: the operator named it, or the image names a loopback registry.
    Anywhere,
    /// No loopback or link-local address: somebody else named the host.
    Guarded,
    /// Any address, and any certificate: the operator said so.
    Unverified,
}

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

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
}

/// What the operator said about registries.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    mirrors: BTreeMap<String, (Scheme, String)>,
    insecure: Vec<String>,
}

impl Endpoints {
    pub(crate) fn new(
        mirrors: &[(String, String)],
        insecure: &[String],
    ) -> Result<Self, SettingsError> {
        let mut endpoints = Self::default();
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
            let reach = if is_insecure(&host) || is_insecure(address) {
                Reach::Unverified
            } else {
                Reach::Anywhere
            };
            return Endpoint {
                // Credentials are those of the mirror: those of the registry are nothing to it.
                name: address.clone(),
                scheme: Some(*scheme),
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
        let reach = if is_loopback_host(host_of(&authority)) {
            Reach::Anywhere
        } else {
            Reach::Guarded
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

/// `http://HOST[:PORT]`, `https://HOST[:PORT]`, or `HOST[:PORT]`, which means https.
fn parse_address(address: &str) -> Option<(Scheme, String)> {
    let (scheme, rest) = match address.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(_) => return None,
        None => (Scheme::Https, address),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let authority: Authority = rest.parse().ok()?;
    (!rest.contains('@')).then(|| (scheme, authority.as_str().to_ascii_lowercase()))
}

/// A place that a registry sent us to, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) scheme: Scheme,
    pub(crate) authority: String,
    /// Path and query, from `/` on.
    pub(crate) path: String,
}

impl Place {
    /// Reads an absolute http(s) URL, or a path on the host of `base`; nothing else, and no user information.
    pub(crate) fn read(location: &str, base: &Self) -> Option<Self> {
        if location.starts_with('/') && !location.starts_with("//") {
            let path = location.split('#').next().unwrap_or(location);
            path.parse::<Uri>().ok()?;
            return Some(Self {
                path: path.to_owned(),
                ..base.clone()
            });
        }
        let uri: Uri = location.parse().ok()?;
        let scheme = match uri.scheme_str()? {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        if authority.contains('@') {
            return None;
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Some(Self {
            scheme,
            authority: authority.to_ascii_lowercase(),
            path: path.to_owned(),
        })
    }

    /// Whether the same server answers there.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        let default_port = |place: &Self| match place.scheme {
            Scheme::Http => ":80",
            Scheme::Https => ":443",
        };
        let bare = |place: &Self| {
            place
                .authority
                .strip_suffix(default_port(place))
                .unwrap_or(&place.authority)
                .to_owned()
        };
        self.scheme == other.scheme && bare(self) == bare(other)
    }

    /// Whether its host says that it is this machine or its link.
    pub(crate) fn is_local(&self) -> bool {
        is_local_host(host_of(&self.authority))
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.name(), self.authority, self.path)
    }
}

/// The host of `host[:port]`, without the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

fn is_local_host(host: &str) -> bool {
    is_localhost_name(host) || host.parse().is_ok_and(is_local_address)
}

fn is_loopback_host(host: &str) -> bool {
    is_localhost_name(host)
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_localhost_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host == "localhost" || host.ends_with(".localhost")
}

/// Loopback, link-local (there the clouds' metadata services listen) and unspecified addresses.
pub(crate) fn is_local_address(address: IpAddr) -> bool {
    /// Amazon's metadata service over IPv6, which is not link-local.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let is_local_v4 = |address: Ipv4Addr| {
        address.is_loopback() || address.is_link_local() || address.octets().first() == Some(&0)
    };
    match address {
        IpAddr::V4(address) => is_local_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unicast_link_local()
                || address == METADATA
                || address.to_ipv4().is_some_and(is_local_v4)
        }
    }
}

#[cfg(test)]
mod tests;
