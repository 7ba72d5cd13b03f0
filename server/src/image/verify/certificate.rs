//! Signing certificates: what they say of their holder, and whether the trust root's authorities stand behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use der::asn1::{ObjectIdentifier, Utf8StringRef};
use der::{Decode, Encode};
use regent_engine::image::evidence::CertificateIdentity;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

use super::refusal::{Refusal, one_line};
use super::sct;
use crate::image::trust::{CertificateAuthority, Issuer, Key, Moment, TrustRoot, Window, validity};

/// `id-kp-codeSigning`, 1.3.6.1.5.5.7.3.3.
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
/// Subject alternative names.
const SAN: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// Arc of Fulcio's extensions.
const FULCIO: &str = "1.3.6.1.4.1.57264.1.";
/// Fulcio's other name: a user name.
const USER_NAME: &str = "1.3.6.1.4.1.57264.1.7";

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
        let certificate = Certificate::from_der(der).map_err(|e| malformed(&e))?;
        let spki = &certificate.tbs_certificate.subject_public_key_info;
        let spki = spki.to_der().map_err(|e| malformed(&e))?;
        let key = Key::from_spki(&spki).map_err(|e| malformed(&e))?;
        let window = validity(&certificate);
        let identity = identity(&certificate, window).map_err(|e| malformed(&e))?;
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

    /// Checks that an authority of the trust root issued the certificate, and that it, and all above it, were valid at every one of
    /// `times`; says then who its holder is.
    pub(super) fn verify(
        self,
        times: &[Moment],
        root: &TrustRoot,
    ) -> Result<CertificateIdentity, Refusal> {
        let Some(first) = times.first() else {
            return Err(Refusal::NoProvenTime);
        };
        if let Some(time) = times.iter().find(|time| !self.window.contains(**time)) {
            return Err(Refusal::Expired(time.seconds));
        }
        let issuer = self.issuer(*first, times, root)?;
        let logs = root.certificate_logs();
        let sct_verified = sct::verify(self.der, &self.certificate, &issuer.spki_sha256, logs);
        Ok(CertificateIdentity {
            sct_verified,
            ..self.identity
        })
    }

    fn issuer<'r>(
        &self,
        first: Moment,
        times: &[Moment],
        root: &'r TrustRoot,
    ) -> Result<&'r Issuer, Refusal> {
        let mut refusal = Refusal::Chain("the trust root has none".to_owned());
        for authority in root.certificate_authorities() {
            match self.chain(authority, first) {
                Ok(issuer) => match times.iter().find(|time| !issuer.window.contains(**time)) {
                    None => return Ok(issuer),
                    Some(time) => refusal = Refusal::AuthorityExpired(time.seconds),
                },
                // A chain that was found and is out of date says more than one that was not found.
                Err(_) if matches!(refusal, Refusal::AuthorityExpired(_)) => {}
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }

    fn chain<'r>(
        &self,
        authority: &'r CertificateAuthority,
        moment: Moment,
    ) -> Result<&'r Issuer, Refusal> {
        let chain = |error: webpki::Error| Refusal::Chain(error.to_string());
        let der = CertificateDer::from(self.der);
        let end_entity = EndEntityCert::try_from(&der).map_err(chain)?;
        let path = end_entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                authority.anchors(),
                &[],
                UnixTime::since_unix_epoch(Duration::from_secs(moment.seconds)),
                KeyUsage::required(CODE_SIGNING),
                None,
                None,
            )
            .map_err(chain)?;
        authority
            .issuer(path.anchor())
            .ok_or_else(|| Refusal::Chain("its anchor is not known".to_owned()))
    }
}

fn identity(certificate: &Certificate, window: Window) -> der::Result<CertificateIdentity> {
    let mut subjects = Vec::new();
    let mut extensions = BTreeMap::new();
    for extension in certificate.tbs_certificate.extensions.iter().flatten() {
        let id = extension.extn_id.to_string();
        let value = extension.extn_value.as_bytes();
        if extension.extn_id == SAN {
            let names = SubjectAltName::from_der(value)?;
            subjects.extend(names.0.iter().filter_map(|name| text_of(name).transpose()));
        } else if let Some(number) = id.strip_prefix(FULCIO) {
            // The first six are bare text, the later ones DER; what is not known yet may be anything.
            let text = match number.parse() {
                Ok(1_u32..=6) => std::str::from_utf8(value)?,
                Ok(8..=24) => Utf8StringRef::from_der(value)?.as_str(),
                _ => continue,
            };
            extensions.insert(id, text.to_owned());
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
