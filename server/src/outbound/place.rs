//! Where a request goes, and which places are this machine or its link.
//!
//! Opens no connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;

/// Which connections may be made for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Any address: the operator named it, or whoever named the image may name this machine.
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

/// A URL, taken apart.
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

    /// Its host, without the port.
    pub(crate) fn host(&self) -> &str {
        host_of(&self.authority)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.name(), self.authority, self.path)
    }
}

/// The host of `host[:port]`, without the brackets of an IPv6 address.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

pub(crate) fn is_local_host(host: &str) -> bool {
    is_localhost_name(host) || host.parse().is_ok_and(is_local_address)
}

pub(crate) fn is_loopback_host(host: &str) -> bool {
    is_localhost_name(host)
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_localhost_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host == "localhost" || host.ends_with(".localhost")
}

/// Loopback, link-local (there the clouds' metadata services listen, but for four) and unspecified addresses.
pub(crate) fn is_local_address(address: IpAddr) -> bool {
    /// Amazon's metadata service over IPv6, which is not link-local.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    /// Alibaba's, Oracle's, and Azure's, which gives a machine its certificates, are not link-local either.
    const METADATA_V4: [Ipv4Addr; 3] = [
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(192, 0, 0, 192),
        Ipv4Addr::new(168, 63, 129, 16),
    ];
    let is_local_v4 = |address: Ipv4Addr| {
        address.is_loopback()
            || address.is_link_local()
            || address.octets().first() == Some(&0)
            || METADATA_V4.contains(&address)
    };
    match address {
        IpAddr::V4(address) => is_local_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unicast_link_local()
                || address == METADATA
                || address.to_ipv4().is_some_and(is_local_v4)
                || translated(address).is_some_and(is_local_v4)
        }
    }
}

/// The address behind one of `64:ff9b::/96`, which networks without IPv4 translate.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let bits = (u32::from(high) << 16) | u32::from(low);
            Some(Ipv4Addr::from_bits(bits))
        }
        _ => None,
    }
}
