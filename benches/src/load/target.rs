//! What is sent, where to, and what an answer has to say.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use hyper::Uri;
use serde_json::Value;

/// Stands for the uid while the place for it is looked up; as long as those that are sent.
const PLACE: &str = "ffffffff-ffff-4fff-bfff-ffffffffffff";

/// A review with a place for a uid.
#[derive(Debug, Clone)]
pub struct Body {
    before: Bytes,
    after: Bytes,
}

impl Body {
    /// Reads an admission review; what is sent is the same JSON, written compactly, each time with another uid.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut review: Value = serde_json::from_slice(bytes).context("the body is not JSON")?;
        let uid = review.pointer_mut("/request/uid");
        *uid.context("the body is not an admission review: no `request.uid`")? = PLACE.into();
        let text = review.to_string();
        let (before, after) = text.split_once(PLACE).context("the uid got lost")?;
        if after.contains(PLACE) {
            bail!("the body holds `{PLACE}` itself");
        }
        Ok(Self {
            before: Bytes::copy_from_slice(before.as_bytes()),
            after: Bytes::copy_from_slice(after.as_bytes()),
        })
    }

    /// The review with this uid.
    pub fn with_uid(&self, uid: &str) -> Bytes {
        let mut body = BytesMut::with_capacity(self.before.len() + uid.len() + self.after.len());
        body.extend_from_slice(&self.before);
        body.extend_from_slice(uid.as_bytes());
        body.extend_from_slice(&self.after);
        body.freeze()
    }

    /// Its length, with a uid.
    pub fn length(&self) -> usize {
        self.before.len() + PLACE.len() + self.after.len()
    }
}

/// The uid of a request: a version 4 one in its form.
pub(super) fn uid(connection: usize, request: u64) -> String {
    format!("{connection:08x}-0000-4000-8000-{request:012x}")
}

/// What answers have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Reviews that answer the uid that was sent.
    Reviews,
    /// Anything with status 200: the floor reads nothing.
    Anything,
}

/// What is driven, and with what.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where.
    pub(super) address: SocketAddr,
    /// The address as a `host` header.
    pub(super) host: String,
    /// The path and query.
    pub(super) path: String,
    /// What is sent.
    pub(super) body: Body,
    /// What has to come back.
    pub(super) answers: Answers,
}

impl Target {
    /// Reads `https://127.0.0.1:PORT/PATH`; only addresses of this machine are taken.
    pub fn new(url: &str, body: Body, answers: Answers) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("the URL `{url}`"))?;
        if uri.scheme_str() != Some("https") {
            bail!("the URL `{url}` is not https");
        }
        let authority = uri
            .authority()
            .with_context(|| format!("the URL `{url}` names no host"))?;
        let address = match (authority.host(), authority.port_u16()) {
            ("localhost", port) => SocketAddr::from(([127, 0, 0, 1], port.unwrap_or(443))),
            (_, Some(_)) => authority
                .as_str()
                .parse()
                .with_context(|| format!("`{authority}` is no address"))?,
            (host, None) => SocketAddr::new(
                host.trim_matches(['[', ']'])
                    .parse()
                    .with_context(|| format!("`{host}` is no address"))?,
                443,
            ),
        };
        if !address.ip().is_loopback() {
            bail!("`{address}` is not on this machine: load is sent over loopback only");
        }
        Ok(Self {
            address,
            host: authority.to_string(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
            body,
            answers,
        })
    }
}
