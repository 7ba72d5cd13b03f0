//! Certificate authorities of a trust root, with their chains read once, and what is read of chains in general.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::{Decode, Encode};
use rustls_pki_types::pem::{PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, TrustAnchor};
use serde::Deserialize;
use x509_cert::Certificate;

use super::TrustRootError;
use super::key::sha256;
use super::window::{Window, WrittenWindow};

/// Certificates that a policy may name at once.
const MAX_LINKS: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    #[serde(default)]
    pub(super) uri: String,
    cert_chain: WrittenChain,
    valid_for: Option<WrittenWindow>,
}

#[derive(Deserialize)]
struct WrittenChain {
    #[serde(default)]
    certificates: Vec<WrittenCertificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenCertificate {
    raw_bytes: String,
}

/// An authority that issues signing certificates: Fulcio.
///
/// Each certificate of its chain is an anchor, because the trust root lists each of them; a leaf is then verified with one signature.
/// An anchor counts only while it, all above it and the authority itself are valid.
#[derive(Debug, Clone)]
pub struct CertificateAuthority {
    uri: String,
    anchors: Vec<TrustAnchor<'static>>,
    issuers: Vec<Issuer>,
    usage: Usage,
}

/// What the certificates between a leaf and its anchor are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Sigstore's: each says that it is for signing code, and all of them are in the trust root.
    Sigstore,
    /// Somebody's own: only the leaf needs to say so, evidence may bring others along, and what has no proven time was
    /// signed when it was looked at.
    Own,
}

/// What is known of an anchor beside its name and key.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// SHA-256 of its SubjectPublicKeyInfo, which certificate logs sign.
    pub spki_sha256: [u8; 32],
    /// While it and all above it are valid.
    pub window: Window,
}

impl CertificateAuthority {
    /// Reads one, which messages call `part`.
    pub(super) fn read(written: &Written, part: &str) -> Result<Self, TrustRootError> {
        let (chain, window) = written.chain(part)?;
        let mut anchors = Vec::with_capacity(chain.len());
        let mut issuers = Vec::with_capacity(chain.len());
        let mut above = window;
        for link in chain.iter().rev() {
            let anchor = webpki::anchor_from_trusted_cert(&link.der)
                .map_err(|error| written.bad(part, &error.to_string()))?;
            above = above.intersection(link.window);
            issuers.push(Issuer {
                spki_sha256: sha256(&link.spki),
                window: above,
            });
            anchors.push(anchor.to_owned());
        }
        // The one that issues leaves comes first in the trust root, and is tried first.
        anchors.reverse();
        issuers.reverse();
        Ok(Self {
            uri: written.uri.clone(),
            anchors,
            issuers,
            usage: Usage::Sigstore,
        })
    }

    /// Authorities that a policy names: each certificate is an anchor, while it and those above it in the list are valid.
    pub(super) fn of_policy(pem: &str) -> Result<Self, String> {
        let links = links(pem)?;
        let mut anchors = Vec::with_capacity(links.len());
        let mut issuers = Vec::with_capacity(links.len());
        for link in &links {
            let anchor = webpki::anchor_from_trusted_cert(&link.der).map_err(|e| e.to_string())?;
            anchors.push(anchor.to_owned());
            let window = chain_of(link, &links)
                .iter()
                .fold(Window::default(), |all, one| all.intersection(one.window));
            issuers.push(Issuer {
                spki_sha256: sha256(&link.spki),
                window,
            });
        }
        Ok(Self {
            uri: String::new(),
            anchors,
            issuers,
            usage: Usage::Own,
        })
    }

    /// Its URI in the trust root.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// What its certificates are like.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The anchors, the issuing one first.
    pub fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// What is known of `anchor`, one of [`CertificateAuthority::anchors`].
    pub fn issuer(&self, anchor: &TrustAnchor<'_>) -> Option<&Issuer> {
        let same = |other: &TrustAnchor<'_>| {
            other.subject == anchor.subject
                && other.subject_public_key_info == anchor.subject_public_key_info
        };
        let position = self.anchors.iter().position(same)?;
        self.issuers.get(position)
    }
}

/// A certificate of a chain.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) der: CertificateDer<'static>,
    pub(super) certificate: Certificate,
    pub(super) spki: Vec<u8>,
    pub(super) window: Window,
}

impl Written {
    /// The error that the part with this URI is malformed.
    pub(super) fn bad(&self, part: &str, reason: &str) -> TrustRootError {
        TrustRootError::Part {
            part: format!("{part} `{}`", self.uri),
            reason: reason.to_owned(),
        }
    }

    /// The chain and the window of validity.
    pub(super) fn chain(&self, part: &str) -> Result<(Vec<Link>, Window), TrustRootError> {
        let window = match &self.valid_for {
            None => Window::default(),
            Some(window) => window
                .read()
                .map_err(|text| self.bad(part, &format!("`{text}` is no time")))?,
        };
        let mut chain = Vec::with_capacity(self.cert_chain.certificates.len());
        for written in &self.cert_chain.certificates {
            let bytes = STANDARD
                .decode(&written.raw_bytes)
                .map_err(|error| self.bad(part, &error.to_string()))?;
            chain.push(Link::read(bytes).map_err(|error| self.bad(part, &error.to_string()))?);
        }
        if chain.is_empty() {
            return Err(self.bad(part, "its chain is empty"));
        }
        Ok((chain, window))
    }
}

impl Link {
    fn read(bytes: Vec<u8>) -> Result<Self, der::Error> {
        let certificate = Certificate::from_der(&bytes)?;
        Ok(Self {
            spki: certificate
                .tbs_certificate
                .subject_public_key_info
                .to_der()?,
            window: validity(&certificate),
            der: CertificateDer::from(bytes),
            certificate,
        })
    }

    /// Whether it names itself as the issuer of `other`, which is another certificate.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        let issuer = &other.certificate.tbs_certificate.issuer;
        self.der != other.der && self.certificate.tbs_certificate.subject == *issuer
    }
}

/// The certificates of a text in PEM, at least one.
pub(super) fn links(pem: &str) -> Result<Vec<Link>, String> {
    let blocks: Result<Vec<_>, _> =
        <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()).collect();
    let blocks = blocks.map_err(|error| error.to_string())?;
    if blocks.is_empty() || blocks.len() > MAX_LINKS {
        return Err(format!(
            "{} certificates, 1 to {MAX_LINKS} are accepted",
            blocks.len()
        ));
    }
    let links = blocks.into_iter().map(|(kind, der)| match kind {
        SectionKind::Certificate => Link::read(der).map_err(|error| error.to_string()),
        _ => Err("it has PEM of something else than a certificate".to_owned()),
    });
    links.collect()
}

/// The certificates of a text in PEM, in DER.
pub(super) fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, String> {
    let links = links(pem)?.into_iter();
    Ok(links.map(|link| link.der.to_vec()).collect())
}

/// A certificate, and those of the list above it, by the names of issuers.
pub(super) fn chain_of<'l>(link: &'l Link, links: &'l [Link]) -> Vec<&'l Link> {
    let mut chain = vec![link];
    let mut current = link;
    // Bounded: each certificate comes in once.
    while let Some(above) = links
        .iter()
        .find(|one| one.is_above(current) && !chain.iter().any(|known| known.der == one.der))
    {
        chain.push(above);
        current = above;
    }
    chain
}

/// The validity that a certificate states.
pub(crate) fn validity(certificate: &Certificate) -> Window {
    let validity = &certificate.tbs_certificate.validity;
    let seconds = |time: &x509_cert::time::Time| Some(time.to_unix_duration().as_secs());
    Window {
        start: seconds(&validity.not_before),
        end: seconds(&validity.not_after),
    }
}
