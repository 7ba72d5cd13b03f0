//! RFC 3161 timestamps: that something existed at a moment, by the word of an authority of the trust root.
//!
//! Where the trust root names the certificate that signs, no other counts, and those inside of a token are not looked at.
//! Where it names only those above, the signer's has to be in the token: issued by one of them, for timestamps alone, and
//! named by the token's signed attributes (ESS), so that nobody can put another one in its place.

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, Tagged};
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::refusal::{Refusal, one_line};
use crate::image::bounded_der::{self, MAX_TOKEN};
use crate::image::trust::{
    CertificateAuthority, Hash, Key, Moment, NamedStamper, NotIssued, TimestampAuthority,
    TrustRoot, Window, issued, only_stamps,
};

mod ess;
mod generalized_time;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// Tokens that prove nothing and are looked at, be they wrong or nobody's who is known: each may cost as much as its author likes.
const MAX_IDLE: usize = 8;
/// Certificates in one token; authorities write their own and one or two above it.
const MAX_CERTIFICATES: usize = 16;
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// Verifies every token of an authority that the trust root has, and returns the moments.
///
/// One that verifies is enough, since whoever can store evidence can put another one beside it, and what stands behind eight
/// that prove nothing is not looked at. Where none verifies, the first that is wrong refuses the whole.
/// A token covers the signature, or `stamped` where the format allows that.
pub(super) fn verify(
    tokens: &[Vec<u8>],
    signature: &[u8],
    stamped: Option<&[u8]>,
    root: &TrustRoot,
) -> Result<Vec<Moment>, Refusal> {
    let covers = Covers { signature, stamped };
    let mut moments = Vec::with_capacity(tokens.len());
    let mut refused = None;
    let mut idle = 0;
    for token in tokens {
        match Token::read(token).and_then(|token| token.verify(&covers, root)) {
            Ok(Some(moment)) => moments.push(moment),
            Ok(None) => idle += 1,
            Err(refusal) => {
                refused = refused.or(Some(refusal));
                idle += 1;
            }
        }
        if idle == MAX_IDLE {
            break;
        }
    }
    match refused {
        Some(refusal) if moments.is_empty() => Err(refusal),
        _ => Ok(moments),
    }
}

struct Token {
    signer: SignerInfo,
    content: Vec<u8>,
    /// The certificates that it brings along.
    certificates: Vec<Certificate>,
}

/// What a token may cover.
struct Covers<'a> {
    signature: &'a [u8],
    stamped: Option<&'a [u8]>,
}

/// The certificate that signed a token, as far as the token is concerned.
struct Stamper<'a> {
    authority: &'a str,
    der: &'a [u8],
    key: &'a Key,
    /// Whether the token has to say that it is this one.
    must_be_named: bool,
}

/// What a token says.
struct Info<'a> {
    hash: Hash,
    imprint: &'a [u8],
    moment: Moment,
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Timestamp(one_line(&error.to_string()))
}

impl Token {
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        bounded_der::check(bytes, MAX_TOKEN).map_err(malformed)?;
        let content_info: ContentInfo =
            bounded_der::read(inner(bytes)?, MAX_TOKEN).map_err(malformed)?;
        if content_info.content_type != SIGNED_DATA {
            return Err(malformed("it is not signed data"));
        }
        let data: SignedData = content_info.content.decode_as().map_err(malformed)?;
        if data.encap_content_info.econtent_type != TST_INFO {
            return Err(malformed("its content is not a timestamp"));
        }
        let content = data.encap_content_info.econtent;
        let content = content.ok_or_else(|| malformed("it has no content"))?;
        let certificates = data.certificates.map(|all| all.0.into_vec());
        let certificates = certificates.unwrap_or_default().into_iter();
        let certificates: Vec<Certificate> = certificates
            .filter_map(|one| match one {
                CertificateChoices::Certificate(one) => Some(one),
                CertificateChoices::Other(_) => None,
            })
            .collect();
        if certificates.len() > MAX_CERTIFICATES {
            return Err(malformed(format!(
                "it has more than {MAX_CERTIFICATES} certificates"
            )));
        }
        let mut signers = data.signer_infos.0.into_vec();
        match (signers.pop(), signers.is_empty()) {
            (Some(signer), true) => Ok(Self {
                signer,
                content: content.value().to_vec(),
                certificates,
            }),
            _ => Err(malformed("it has not exactly one signer")),
        }
    }

    /// The moment that it proves; nothing where it is nobody's who is known.
    fn verify(&self, covers: &Covers<'_>, root: &TrustRoot) -> Result<Option<Moment>, Refusal> {
        match self.named(root) {
            Some(named) => self.verify_named(named, covers).map(Some),
            None => self.verify_issued(root, covers),
        }
    }

    /// The certificate of the trust root that the token names.
    fn named<'r>(&self, root: &'r TrustRoot) -> Option<(&'r NamedStamper, &'r str)> {
        let mut authorities = root.timestamp_authorities().iter();
        authorities.find_map(|authority| match authority {
            TimestampAuthority::Named(named)
                if is_signer(&self.signer.sid, named.certificate()) =>
            {
                Some((&**named, authority.uri()))
            }
            TimestampAuthority::Named(_) | TimestampAuthority::Issuing(_) => None,
        })
    }

    fn verify_named(
        &self,
        (named, authority): (&NamedStamper, &str),
        covers: &Covers<'_>,
    ) -> Result<Moment, Refusal> {
        let moment = self.moment(covers)?;
        self.verify_signature(&Stamper {
            authority,
            der: named.der(),
            key: named.key(),
            must_be_named: false,
        })?;
        within(named.window(), moment, authority)
    }

    /// The moment, where the signer's certificate is in the token and an authority of the trust root issued it; nothing where
    /// it is nobody's who is known.
    fn verify_issued(
        &self,
        root: &TrustRoot,
        covers: &Covers<'_>,
    ) -> Result<Option<Moment>, Refusal> {
        let mut own = self.certificates.iter();
        let Some(leaf) = own.find(|one| is_signer(&self.signer.sid, one)) else {
            return Ok(None);
        };
        let mut refused = None;
        for known in root.timestamp_authorities() {
            let TimestampAuthority::Issuing(authority) = known else {
                continue;
            };
            match self.verify_by((authority, known.uri()), leaf, covers) {
                Ok(Some(moment)) => return Ok(Some(moment)),
                Ok(None) => {}
                Err(refusal) => refused = Some(refusal),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    fn verify_by(
        &self,
        (issuer, authority): (&CertificateAuthority, &str),
        leaf: &Certificate,
        covers: &Covers<'_>,
    ) -> Result<Option<Moment>, Refusal> {
        let refused = |reason: &str| Refusal::TimestampSigner {
            authority: authority.to_owned(),
            reason: one_line(reason),
        };
        let read = |one: &Certificate| one.to_der().map_err(malformed);
        let der = read(leaf)?;
        let others: Result<Vec<_>, _> = self.certificates.iter().map(read).collect();
        let moment = Info::read(&self.content).map_err(malformed)?.moment;
        let window = match issued(issuer, &der, &others?, moment) {
            Ok(window) => window,
            Err(NotIssued::Stranger) => return Ok(None),
            Err(NotIssued::Refused(error)) => return Err(refused(&error.to_string())),
        };
        if !only_stamps(leaf) {
            return Err(refused(
                "it is not for timestamps alone, or does not insist on that",
            ));
        }
        let spki = &leaf.tbs_certificate.subject_public_key_info;
        let key = Key::from_spki(&spki.to_der().map_err(malformed)?);
        let key = key.map_err(|error| refused(&error.to_string()))?;
        self.moment(covers)?;
        self.verify_signature(&Stamper {
            authority,
            der: &der,
            key: &key,
            must_be_named: true,
        })?;
        within(window, moment, authority).map(Some)
    }

    /// When it was made, where it covers what it has to.
    fn moment(&self, covers: &Covers<'_>) -> Result<Moment, Refusal> {
        let info = Info::read(&self.content).map_err(malformed)?;
        let is_covered = |bytes: &[u8]| info.hash.digest(bytes).as_ref() == info.imprint;
        if is_covered(covers.signature) || covers.stamped.is_some_and(is_covered) {
            Ok(info.moment)
        } else {
            Err(Refusal::TimestampDiffers)
        }
    }

    fn verify_signature(&self, stamper: &Stamper<'_>) -> Result<(), Refusal> {
        let bad = || Refusal::TimestampSignature(stamper.authority.to_owned());
        let hash = hash_of(self.signer.digest_alg.oid).ok_or_else(bad)?;
        let attributes = self.signer.signed_attrs.as_ref().ok_or_else(bad)?;
        let single = |id| {
            let attribute = attributes.iter().find(|attribute| attribute.oid == id)?;
            match attribute.values.as_slice() {
                [value] => Some(value),
                _ => None,
            }
        };
        let digest = single(MESSAGE_DIGEST).ok_or_else(bad)?;
        let digest: OctetStringRef<'_> = digest.decode_as().map_err(malformed)?;
        let kind = single(CONTENT_TYPE).ok_or_else(bad)?;
        let kind: ObjectIdentifier = kind.decode_as().map_err(malformed)?;
        if kind != TST_INFO || hash.digest(&self.content).as_ref() != digest.as_bytes() {
            return Err(bad());
        }
        let signed = attributes.to_der().map_err(malformed)?;
        let scheme = scheme_hash(self.signer.signature_algorithm.oid, hash).ok_or_else(bad)?;
        stamper
            .key
            .verify(scheme, &signed, self.signer.signature.as_bytes())
            .map_err(|_bad| bad())?;
        let named = attributes
            .iter()
            .any(|attribute| attribute.oid == ess::SIGNING_CERTIFICATE);
        let is_named = match single(ess::SIGNING_CERTIFICATE) {
            Some(value) => ess::names(value, stamper.der).map_err(malformed)?,
            None => !named && !stamper.must_be_named,
        };
        if is_named {
            Ok(())
        } else {
            Err(Refusal::TimestampCertificate(stamper.authority.to_owned()))
        }
    }
}

fn within(window: Window, moment: Moment, authority: &str) -> Result<Moment, Refusal> {
    if window.contains(moment) {
        Ok(moment)
    } else {
        Err(Refusal::TimestampExpired {
            authority: authority.to_owned(),
            time: moment.seconds,
        })
    }
}

impl<'a> Info<'a> {
    /// Reads the parts that count; the rest is nonce, accuracy and names.
    fn read(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(AnyRef::from_der(bytes)?.value())?;
        let version: u8 = reader.decode()?;
        let _policy: ObjectIdentifier = reader.decode()?;
        let mut imprint = SliceReader::new(reader.decode::<AnyRef<'a>>()?.value())?;
        let mut algorithm = SliceReader::new(imprint.decode::<AnyRef<'a>>()?.value())?;
        let algorithm: ObjectIdentifier = algorithm.decode()?;
        let hashed: OctetStringRef<'a> = imprint.decode()?;
        let _serial: AnyRef<'a> = reader.decode()?;
        let time: AnyRef<'a> = reader.decode()?;
        let failed = || Tag::GeneralizedTime.value_error();
        if version != 1 || time.tag() != Tag::GeneralizedTime {
            return Err(failed());
        }
        Ok(Self {
            hash: hash_of(algorithm).ok_or_else(|| Tag::ObjectIdentifier.value_error())?,
            imprint: hashed.as_bytes(),
            moment: generalized_time::read(time.value()).ok_or_else(failed)?,
        })
    }
}

/// The token itself: a response wraps it together with its status.
fn inner(bytes: &[u8]) -> Result<&[u8], Refusal> {
    let outer = AnyRef::from_der(bytes).map_err(malformed)?;
    let mut reader = SliceReader::new(outer.value()).map_err(malformed)?;
    let first = reader.tlv_bytes().map_err(malformed)?;
    let first = AnyRef::from_der(first).map_err(malformed)?;
    if first.tag() == Tag::ObjectIdentifier {
        return Ok(bytes);
    }
    let mut status = SliceReader::new(first.value()).map_err(malformed)?;
    let status: u8 = status.decode().map_err(malformed)?;
    if status > 1 {
        return Err(malformed(format!(
            "the request was not granted, status {status}"
        )));
    }
    reader.tlv_bytes().map_err(malformed)
}

fn is_signer(id: &SignerIdentifier, certificate: &Certificate) -> bool {
    let tbs = &certificate.tbs_certificate;
    match id {
        SignerIdentifier::IssuerAndSerialNumber(id) => {
            id.issuer == tbs.issuer && id.serial_number == tbs.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            matches!(tbs.get::<SubjectKeyIdentifier>(), Ok(Some((_, own))) if own == *id)
        }
    }
}

fn hash_of(id: ObjectIdentifier) -> Option<Hash> {
    match id {
        SHA256 => Some(Hash::Sha256),
        SHA384 => Some(Hash::Sha384),
        SHA512 => Some(Hash::Sha512),
        _ => None,
    }
}

/// The hash of a signature algorithm; some name only the key's family, and the digest's hash is meant.
fn scheme_hash(algorithm: ObjectIdentifier, digest: Hash) -> Option<Hash> {
    match algorithm.to_string().as_str() {
        "1.2.840.10045.4.3.2" | "1.2.840.113549.1.1.11" => Some(Hash::Sha256),
        "1.2.840.10045.4.3.3" | "1.2.840.113549.1.1.12" => Some(Hash::Sha384),
        "1.2.840.10045.4.3.4" | "1.2.840.113549.1.1.13" => Some(Hash::Sha512),
        "1.2.840.10045.2.1" | "1.2.840.113549.1.1.1" | "1.3.101.112" => Some(digest),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
