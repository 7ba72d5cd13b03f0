//! Signing certificates: what they say of their holder, and whether the trust root's authorities stand behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use der::asn1::{ObjectIdentifier, Utf8StringRef};
use der::{Decode, Encode};
use regent_engine::image::evidence::CertificateIdentity;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::Certificate;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};

use super::refusal::{Refusal, one_line};
use super::sct;
use crate::image::bounded_der::{self, DerError, MAX_CERTIFICATE};
use crate::image::trust::{
    CertificateAuthority, Chain, ChainId, ChainRules, Key, Moment, TrustRoot, Usage, Window,
    sha256, validity,
};

/// `id-kp-codeSigning`, 1.3.6.1.5.5.7.3.3.
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
/// The same, as certificates are read here.
const ID_KP_CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// Subject alternative names.
const SAN: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// Arc of Fulcio's extensions.
const FULCIO: &str = "1.3.6.1.4.1.57264.1.";
/// Names in one certificate, and bytes of one: Fulcio writes one name, of some 200 bytes. Each is compared with each
/// expression of a policy.
const MAX_NAMES: usize = 64;
const MAX_NAME: usize = 8 << 10;
/// Fulcio's other name: a user name.
const USER_NAME: &str = "1.3.6.1.4.1.57264.1.7";

/// A way from a certificate to an authority.
struct Path {
    /// SHA-256 of the key of whoever issued the certificate.
    issuer: [u8; 32],
    /// While all between the two are valid.
    between: Window,
    /// While the authority's certificate and all above it are.
    anchor: Window,
}

/// A certificate, read and not yet believed.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    der: &'a [u8],
    certificate: Certificate,
    window: Window,
    key: Key,
    identity: CertificateIdentity,
}

impl<'a> Leaf<'a> {
    /// Reads a certificate.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Refusal> {
        let malformed =
            |error: &dyn std::fmt::Display| Refusal::Certificate(one_line(&error.to_string()));
        let certificate: Certificate =
            bounded_der::read(der, MAX_CERTIFICATE).map_err(|e| malformed(&e))?;
        let spki = &certificate.tbs_certificate.subject_public_key_info;
        let spki = spki.to_der().map_err(|e| malformed(&e))?;
        let key = Key::from_spki(&spki).map_err(|e| malformed(&e))?;
        let window = validity(&certificate);
        let identity = identity(&certificate, window).map_err(|e| malformed(&e))?;
        check_names(&identity)?;
        Ok(Self {
            der,
            certificate,
            window,
            key,
            identity,
        })
    }

    /// The certificate's key.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// The claimed holder, for messages.
    pub(super) fn claimed(&self) -> String {
        let subjects = self.identity.subjects.join(", ");
        one_line(&format!("{subjects} ({})", self.identity.issuer))
    }

    /// The claimed holder by the names that a certificate of somebody's own has.
    pub(super) fn named(&self) -> String {
        one_line(&self.certificate.tbs_certificate.subject.to_string())
    }

    /// Who the holder is, for whom that was verified elsewhere: the name of the subject, and its other names.
    pub(super) fn into_identity(self) -> CertificateIdentity {
        let mut identity = self.identity;
        let subject = self.certificate.tbs_certificate.subject.to_string();
        identity.subjects.insert(0, subject);
        identity
    }

    /// Checks that an authority of the trust root issued the certificate, and that it, and all above it, were valid at every one of
    /// `times`; says then who its holder is. `enclosed` are certificates that may stand between it and an authority of a policy.
    pub(super) fn verify(
        self,
        times: &[Moment],
        root: &TrustRoot,
        enclosed: &[Vec<u8>],
    ) -> Result<CertificateIdentity, Refusal> {
        if times.is_empty() {
            return Err(Refusal::NoProvenTime);
        }
        if let Some(time) = times.iter().find(|time| !self.window.contains(**time)) {
            return Err(Refusal::Expired(time.seconds));
        }
        let enclosed_too = enclosed.iter().map(Vec::as_slice);
        let certificates = std::iter::once(self.der).chain(enclosed_too);
        let id = ChainId::new(ChainRules::Sigstore, certificates);
        let known = root.chains().at(id, times);
        let chain = known.map_or_else(|| self.verified(times, root, enclosed), Ok)?;
        if known.is_none() {
            root.chains().keep(id, chain);
        }
        Ok(CertificateIdentity {
            sct_verified: chain.is_logged,
            ..self.identity
        })
    }

    /// Verifies the chain and looks for the certificate in the logs of certificates.
    fn verified(
        &self,
        times: &[Moment],
        root: &TrustRoot,
        enclosed: &[Vec<u8>],
    ) -> Result<Chain, Refusal> {
        let path = self.path(times, root, enclosed)?;
        let logs = root.certificate_logs();
        Ok(Chain {
            window: path
                .between
                .intersection(path.anchor)
                .intersection(self.window),
            issuer_spki_sha256: path.issuer,
            is_logged: sct::verify(self.der, &self.certificate, &path.issuer, logs),
        })
    }

    /// The path to an authority.
    fn path(
        &self,
        times: &[Moment],
        root: &TrustRoot,
        enclosed: &[Vec<u8>],
    ) -> Result<Path, Refusal> {
        let mut refusal = Refusal::Chain("the trust root has none".to_owned());
        for authority in root.certificate_authorities() {
            match self.chains(authority, times, enclosed) {
                Ok(path) => match times.iter().find(|time| !path.anchor.contains(**time)) {
                    None => return Ok(path),
                    Some(time) => refusal = Refusal::AuthorityExpired(time.seconds),
                },
                // A chain that was found and is out of date says more than one that was not found.
                Err(_) if matches!(refusal, Refusal::AuthorityExpired(_)) => {}
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }

    /// The chain at the moments at which it must be looked at: at the first, where all above the certificate is the trust root's,
    /// which says itself when that was valid; at each, where evidence brought certificates along.
    fn chains(
        &self,
        authority: &CertificateAuthority,
        times: &[Moment],
        enclosed: &[Vec<u8>],
    ) -> Result<Path, Refusal> {
        let usage = authority.usage();
        let mut found = Err(Refusal::NoProvenTime);
        for moment in times {
            found = self.chain(authority, *moment, enclosed);
            if found.is_err() || usage == Usage::Sigstore {
                break;
            }
        }
        found
    }

    fn chain(
        &self,
        authority: &CertificateAuthority,
        moment: Moment,
        enclosed: &[Vec<u8>],
    ) -> Result<Path, Refusal> {
        let chain = |error: webpki::Error| Refusal::Chain(error.to_string());
        let usage = match authority.usage() {
            Usage::Sigstore => KeyUsage::required(CODE_SIGNING),
            // The leaf's own is looked at below.
            Usage::Own => KeyUsage::required_if_present(CODE_SIGNING),
        };
        let der = CertificateDer::from(self.der);
        let end_entity = EndEntityCert::try_from(&der).map_err(chain)?;
        let enclosed: Vec<CertificateDer<'_>> = enclosed
            .iter()
            .map(|certificate| CertificateDer::from(certificate.as_slice()))
            .collect();
        let path = end_entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                authority.anchors(),
                &enclosed,
                UnixTime::since_unix_epoch(Duration::from_secs(moment.seconds)),
                usage,
                None,
                None,
            )
            .map_err(chain)?;
        if authority.usage() == Usage::Own && !self.signs_code() {
            let text = "the certificate is not for signing code";
            return Err(Refusal::Chain(text.to_owned()));
        }
        let anchor = authority
            .issuer(path.anchor())
            .ok_or_else(|| Refusal::Chain("its anchor is not known".to_owned()))?;
        let above = path.intermediate_certificates().next();
        let issuer = above.map(|cert| sha256(&cert.subject_public_key_info()));
        let mut between = Window::default();
        for certificate in path.intermediate_certificates() {
            let read = bounded_der::read(&certificate.der(), MAX_CERTIFICATE);
            let read: Certificate =
                read.map_err(|error| Refusal::Chain(one_line(&error.to_string())))?;
            between = between.intersection(validity(&read));
        }
        Ok(Path {
            issuer: issuer.unwrap_or(anchor.spki_sha256),
            between,
            anchor: anchor.window,
        })
    }

    /// Whether the certificate itself says that it is for signing code.
    fn signs_code(&self) -> bool {
        let usage = self.certificate.tbs_certificate.get::<ExtendedKeyUsage>();
        matches!(usage, Ok(Some((_, usage))) if usage.0.contains(&ID_KP_CODE_SIGNING))
    }
}

fn identity(certificate: &Certificate, window: Window) -> Result<CertificateIdentity, DerError> {
    let mut subjects = Vec::new();
    let mut extensions = BTreeMap::new();
    for extension in certificate.tbs_certificate.extensions.iter().flatten() {
        let id = extension.extn_id.to_string();
        let value = extension.extn_value.as_bytes();
        if extension.extn_id == SAN {
            // Names have sets of their own, which a look at the certificate does not reach.
            let names: SubjectAltName = bounded_der::read(value, MAX_CERTIFICATE)?;
            subjects.extend(names.0.iter().filter_map(|name| text_of(name).transpose()));
        } else if let Some(number) = id.strip_prefix(FULCIO) {
            // The first six are bare text, the later ones DER; what is not known yet may be anything.
            let text = match number.parse() {
                Ok(1_u32..=6) => std::str::from_utf8(value).map_err(der::Error::from)?,
                Ok(8..=24) => Utf8StringRef::from_der(value)?.as_str(),
                _ => continue,
            };
            if extensions.insert(id, text.to_owned()).is_some() {
                // Two readers could see two different values.
                return Err(der::Error::from(der::ErrorKind::SetDuplicate).into());
            }
        }
    }
    let issuer = |number| extensions.get(&format!("{FULCIO}{number}"));
    Ok(CertificateIdentity {
        issuer: issuer(8).or_else(|| issuer(1)).cloned().unwrap_or_default(),
        subjects: subjects.into_iter().collect::<der::Result<_>>()?,
        extensions,
        sct_verified: false,
        validity: (window.start.unwrap_or(0), window.end.unwrap_or(0)),
    })
}

/// Refuses what no authority writes and what readers are known to have been fooled with: names that end early where a zero
/// ends a text, names of several lines, names without end, and two issuers.
fn check_names(identity: &CertificateIdentity) -> Result<(), Refusal> {
    let refused = |what: &str| Err(Refusal::Certificate(what.to_owned()));
    if identity.subjects.len() > MAX_NAMES {
        return refused("it has more than 64 names");
    }
    let texts = || identity.subjects.iter().chain(identity.extensions.values());
    if texts().any(|text| text.len() > MAX_NAME) {
        return refused("a name or extension in it has more than 8192 bytes");
    }
    if texts().any(|text| text.contains(char::is_control)) {
        return refused("a name or extension in it has control characters");
    }
    let issuer = |number| identity.extensions.get(&format!("{FULCIO}{number}"));
    match (issuer(1), issuer(8)) {
        (Some(old), Some(new)) if old != new => refused("it names two issuers"),
        _ => Ok(()),
    }
}

/// A subject alternative name as text; none for kinds that no signer uses.
fn text_of(name: &GeneralName) -> der::Result<Option<String>> {
    Ok(match name {
        GeneralName::Rfc822Name(text)
        | GeneralName::DnsName(text)
        | GeneralName::UniformResourceIdentifier(text) => Some(text.to_string()),
        GeneralName::DirectoryName(name) => Some(name.to_string()),
        GeneralName::RegisteredId(id) => Some(id.to_string()),
        GeneralName::IpAddress(bytes) => ip_address(bytes.as_bytes()),
        GeneralName::OtherName(OtherName { type_id, value })
            if type_id.to_string() == USER_NAME =>
        {
            let text: Utf8StringRef<'_> = value.decode_as()?;
            Some(text.as_str().to_owned())
        }
        GeneralName::OtherName(_) | GeneralName::EdiPartyName(_) => None,
    })
}

fn ip_address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(std::net::Ipv6Addr::from(sixteen).to_string())
}
