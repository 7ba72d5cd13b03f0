//! Timestamp authorities of a trust root or a policy: the certificate that signs tokens, or who issues such certificates.

use std::time::Duration;

use der::asn1::ObjectIdentifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage};

use super::authority::{Link, Written, chain_of, links};
use super::key::Key;
use super::window::{Moment, Window};
use super::{CertificateAuthority, KeyError, TrustRootError, validity};
use crate::image::bounded_der::{self, MAX_CERTIFICATE};

/// `id-kp-timeStamping`, as paths are checked for it.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
/// The same, as certificates are read here.
const ID_KP_TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// What messages call it.
const PART: &str = "timestamp authority";

/// An authority that signs timestamps.
#[derive(Debug, Clone)]
pub enum TimestampAuthority {
    /// The certificate that signs its tokens is named, and no other counts.
    Named(Box<NamedStamper>),
    /// Only certificates above it are named: tokens bring their signer's along.
    Issuing(CertificateAuthority),
}

/// A certificate that signs tokens, its chain verified when it was read.
#[derive(Debug, Clone)]
pub struct NamedStamper {
    uri: String,
    der: CertificateDer<'static>,
    certificate: Certificate,
    key: Key,
    window: Window,
}

/// Why an authority does not stand behind a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotIssued {
    /// It is somebody else's.
    Stranger,
    /// It is the authority's, or may be, and cannot be used.
    Refused(webpki::Error),
}

impl TimestampAuthority {
    /// Reads one; nothing, and a note, where its algorithms are not supported.
    pub(super) fn read(
        written: &Written,
        ignored: &mut Vec<String>,
    ) -> Result<Option<Self>, TrustRootError> {
        let (chain, window) = written.chain(PART)?;
        let Some((first, above)) = chain.split_first() else {
            return Err(written.bad(PART, "its chain is empty"));
        };
        if is_issuer(&first.certificate) {
            return CertificateAuthority::read(written, PART).map(|all| Some(Self::Issuing(all)));
        }
        let key = match Key::from_spki(&first.spki) {
            Ok(key) => key,
            Err(error @ KeyError::Algorithm(_)) => {
                ignored.push(format!("{PART} `{}`: {error}", written.uri));
                return Ok(None);
            }
            Err(error) => return Err(written.bad(PART, &error.to_string())),
        };
        let read = NamedStamper::of_chain(&written.uri, key, (first, above), window);
        let read = read.map_err(|reason| written.bad(PART, &reason))?;
        Ok(Some(Self::Named(Box::new(read))))
    }

    /// The authority whose chain a policy names, in any order, with the certificate that signs or without it.
    pub(super) fn of_policy(pem: &str) -> Result<Self, String> {
        let links = links(pem)?;
        let is_above = |one: &Link| links.iter().any(|other| one.is_above(other));
        let mut lowest = links.iter().filter(|link| !is_above(link));
        let (Some(first), None) = (lowest.next(), lowest.next()) else {
            return Err("the certificates are not one chain".to_owned());
        };
        if is_issuer(&first.certificate) {
            return CertificateAuthority::of_policy(pem).map(Self::Issuing);
        }
        let key = Key::from_spki(&first.spki).map_err(|error| error.to_string())?;
        let chain: Vec<Link> = chain_of(first, &links).into_iter().cloned().collect();
        let Some((first, above)) = chain.split_first() else {
            return Err("its chain is empty".to_owned());
        };
        let uri = "tsaCertChain";
        let named = NamedStamper::of_chain(uri, key, (first, above), Window::default())?;
        Ok(Self::Named(Box::new(named)))
    }

    /// Its URI in the trust root.
    pub fn uri(&self) -> &str {
        match self {
            Self::Named(named) => &named.uri,
            // A policy's own has none.
            Self::Issuing(authority) if authority.uri().is_empty() => "tsaCertChain",
            Self::Issuing(authority) => authority.uri(),
        }
    }
}

impl NamedStamper {
    fn of_chain(
        uri: &str,
        key: Key,
        (leaf, above): (&Link, &[Link]),
        window: Window,
    ) -> Result<Self, String> {
        let window = above
            .iter()
            .fold(window.intersection(leaf.window), |window, link| {
                window.intersection(link.window)
            });
        // The chain is checked at one moment here; at which moments it counts is the window's to say.
        verify_chain(leaf, above, window)?;
        Ok(Self {
            uri: uri.to_owned(),
            der: leaf.der.clone(),
            certificate: leaf.certificate.clone(),
            key,
            window,
        })
    }

    /// The certificate that signs its tokens.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The same in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key that signs its tokens.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// While all its certificates and the authority itself are valid.
    pub fn window(&self) -> Window {
        self.window
    }
}

/// While a certificate and all above it are valid, where one of the authority's certificates stands behind it.
///
/// `enclosed` are certificates that may stand in between; `moment` is when it was used, which must be asked of the window.
pub fn issued(
    authority: &CertificateAuthority,
    certificate: &[u8],
    enclosed: &[Vec<u8>],
    moment: Moment,
) -> Result<Window, NotIssued> {
    let der = CertificateDer::from(certificate);
    let window = window_of(certificate).map_err(NotIssued::Refused)?;
    let enclosed: Vec<CertificateDer<'_>> = enclosed
        .iter()
        .map(|one| CertificateDer::from(one.as_slice()))
        .collect();
    // Looked at while it is valid: what is out of date is told apart from what is a stranger's.
    let at = moment.seconds.max(window.start.unwrap_or(0));
    let at = at.min(window.end.unwrap_or(u64::MAX));
    let end_entity = EndEntityCert::try_from(&der).map_err(NotIssued::Refused)?;
    let path = end_entity.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        authority.anchors(),
        &enclosed,
        UnixTime::since_unix_epoch(Duration::from_secs(at)),
        KeyUsage::required_if_present(TIME_STAMPING),
        None,
        None,
    );
    let path = path.map_err(|error| match error {
        webpki::Error::UnknownIssuer => NotIssued::Stranger,
        other => NotIssued::Refused(other),
    })?;
    let anchor = authority.issuer(path.anchor()).ok_or(NotIssued::Stranger)?;
    let mut all = window.intersection(anchor.window);
    for between in path.intermediate_certificates() {
        let between = window_of(&between.der()).map_err(NotIssued::Refused)?;
        all = all.intersection(between);
    }
    Ok(all)
}

/// Whether a certificate is for signing timestamps and nothing else, as RFC 3161 demands it.
pub fn only_stamps(certificate: &Certificate) -> bool {
    let tbs = &certificate.tbs_certificate;
    let signs = match tbs.get::<x509_cert::ext::pkix::KeyUsage>() {
        Ok(Some((_, usage))) => usage.digital_signature() || usage.non_repudiation(),
        Ok(None) => true,
        Err(_) => false,
    };
    let purpose = tbs.get::<ExtendedKeyUsage>();
    signs && matches!(purpose, Ok(Some((true, usage))) if usage.0 == [ID_KP_TIME_STAMPING])
}

/// Whether a certificate may issue others.
fn is_issuer(certificate: &Certificate) -> bool {
    let constraints = certificate.tbs_certificate.get::<BasicConstraints>();
    matches!(constraints, Ok(Some((_, constraints))) if constraints.ca)
}

fn window_of(certificate: &[u8]) -> Result<Window, webpki::Error> {
    let read = bounded_der::read::<Certificate>(certificate, MAX_CERTIFICATE);
    read.map(|one| validity(&one))
        .map_err(|_error| webpki::Error::BadDer)
}

fn verify_chain(leaf: &Link, above: &[Link], window: Window) -> Result<(), String> {
    let moment = window.start.unwrap_or(0);
    if !window.contains(Moment::at(moment)) {
        return Err("its certificates are never valid together".to_owned());
    }
    // Those above need not say what they are for; who names the chain trusts them.
    let usage = leaf.certificate.tbs_certificate.get::<ExtendedKeyUsage>();
    if !matches!(usage, Ok(Some((_, usage))) if usage.0.contains(&ID_KP_TIME_STAMPING)) {
        return Err("its first certificate is not for timestamps".to_owned());
    }
    // An authority of one certificate is its own anchor.
    let Some((root, intermediates)) = above.split_last() else {
        return Ok(());
    };
    let anchor = webpki::anchor_from_trusted_cert(&root.der).map_err(|e| e.to_string())?;
    let intermediates: Vec<_> = intermediates.iter().map(|link| link.der.clone()).collect();
    let end_entity = EndEntityCert::try_from(&leaf.der).map_err(|e| e.to_string())?;
    end_entity
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor],
            &intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(moment)),
            KeyUsage::required_if_present(TIME_STAMPING),
            None,
            None,
        )
        .map(|_| ())
        .map_err(|error| error.to_string())
}
