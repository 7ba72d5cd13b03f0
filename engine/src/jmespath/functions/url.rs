//! The host of a URL, as Go's `net/url` reads it, and whether it is an address of the world outside.
//!
//! Asks no name server.

use std::net::IpAddr;

use serde_json::Value;

use super::{Arguments, failed, failed_in};
use crate::go_format::quoted;
use crate::jmespath::ExpressionError;

pub(super) fn is_external_url(arguments: &Arguments<'_>) -> Result<Value, ExpressionError> {
    let url = arguments.text(0);
    let host = host_of(url).map_err(|(shown, reason)| {
        let shown = quoted(shown);
        failed(format!("parse {shown}: {reason}"))
    })?;
    let Ok(address) = host.parse::<IpAddr>() else {
        let reason = format!(
            "`{host}` is a name, and names are not looked up during an evaluation; only addresses can be judged"
        );
        return Err(failed_in("is_external_url", reason));
    };
    let internal = match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.is_loopback() || address.is_private(),
            None => address.is_loopback() || address.is_unique_local(),
        },
    };
    Ok(Value::Bool(!internal))
}

/// The host of a URL, without user, port and brackets; empty where there is none. An error is the part of the text that
/// Go shows, and its reason.
fn host_of(url: &str) -> Result<&str, (&str, String)> {
    let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
    let host = host_of_address(address).map_err(|reason| (address, reason))?;
    unescapable(fragment).map_err(|reason| (url, reason))?;
    Ok(host)
}

/// The same without a fragment.
fn host_of_address(address: &str) -> Result<&str, String> {
    if address.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = split_scheme(address)?;
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    if !rest.starts_with('/') {
        // `mailto:someone` has no host.
        if scheme {
            return Ok("");
        }
        let first = rest.split('/').next().unwrap_or("");
        if first.contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
        unescapable(rest)?;
        return Ok("");
    }
    let authority = rest.strip_prefix("//");
    let Some(authority) = authority.filter(|_| scheme || !rest.starts_with("///")) else {
        unescapable(rest)?;
        return Ok("");
    };
    let at = authority.find('/').unwrap_or(authority.len());
    let (authority, path) = authority.split_at_checked(at).unwrap_or((authority, ""));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host = split_port(host)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if !user.bytes().all(allowed) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    unescapable(user)?;
    unescapable(path)?;
    Ok(host)
}

/// Whether a URL begins with a scheme, and what follows.
fn split_scheme(address: &str) -> Result<(bool, &str), String> {
    let Some((scheme, rest)) = address.split_once(':') else {
        return Ok((false, address));
    };
    if scheme.is_empty() {
        return Err("missing protocol scheme".to_owned());
    }
    let mut bytes = scheme.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if begins && bytes.all(goes_on) {
        return Ok((true, rest));
    }
    Ok((false, address))
}

/// A host without its port and its brackets.
fn split_port(host: &str) -> Result<&str, String> {
    if let Some(bracketed) = host.strip_prefix('[') {
        let Some((inside, port)) = bracketed.rsplit_once(']') else {
            return Err("missing ']' in host".to_owned());
        };
        check_port(port)?;
        // What stands between brackets is an address of IPv6; one with a zone is no address that could be judged.
        let address = inside
            .split_once("%25")
            .map_or(inside, |(address, _)| address);
        check_host(address)?;
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("invalid IP-literal".to_owned());
        }
        return Ok(inside);
    }
    let at = host.find(':').unwrap_or(host.len());
    let (host, port) = host.split_at_checked(at).unwrap_or((host, ""));
    check_port(port)?;
    check_host(host)?;
    Ok(host)
}

/// A port is a colon and digits, or nothing.
fn check_port(port: &str) -> Result<(), String> {
    let digits = port.strip_prefix(':').or(port.is_empty().then_some(""));
    if digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return Ok(());
    }
    let port = quoted(port);
    Err(format!("invalid port {port} after host"))
}

fn check_host(host: &str) -> Result<(), String> {
    for (at, byte) in host.bytes().enumerate() {
        let marks = b"-_.~!$&'()*+,;=:[]<>\"";
        match byte {
            b'%' => {
                let escape = host.get(at..).unwrap_or("");
                unescapable(escape)?;
                // Only what is not of ASCII may be escaped in a host.
                let first = escape.as_bytes().get(1);
                if first.is_some_and(|digit| *digit < b'8') {
                    return Err(bad_escape(escape));
                }
            }
            byte if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !marks.contains(&byte) => {
                let shown = quoted(&char::from(byte).to_string());
                return Err(format!("invalid character {shown} in host name"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether each percent sign begins an escape.
fn unescapable(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('%') {
        let escape = text.get(at..).unwrap_or("");
        let digits = escape.bytes().skip(1).take(2);
        if digits.filter(u8::is_ascii_hexdigit).count() < 2 {
            return Err(bad_escape(escape));
        }
    }
    Ok(())
}

/// Three characters of what begins with a percent sign.
fn bad_escape(escape: &str) -> String {
    let shown: String = escape.chars().take(3).collect();
    format!("invalid URL escape {}", quoted(&shown))
}
