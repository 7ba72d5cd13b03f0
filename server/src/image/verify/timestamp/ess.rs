//! Which certificate signed a token, by its signed attributes: `SigningCertificateV2` of RFC 5035.
//!
//! The first version of the attribute has SHA-1, which proves nothing, and is not looked at.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Any, Encode, Reader, SliceReader, Tag, Tagged};

use super::{SHA256, hash_of};

/// `id-aa-signingCertificateV2`.
pub(super) const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// Whether the attribute's value names the certificate as the signer's, which is the first that it has.
pub(super) fn names(value: &Any, certificate: &[u8]) -> der::Result<bool> {
    let value = value.to_der()?;
    let mut all = SliceReader::new(AnyRef::try_from(value.as_slice())?.value())?;
    let mut certificates = SliceReader::new(all.decode::<AnyRef<'_>>()?.value())?;
    let mut id = SliceReader::new(certificates.decode::<AnyRef<'_>>()?.value())?;
    let first: AnyRef<'_> = id.decode()?;
    // Left out where it is SHA-256.
    let (algorithm, hash) = if first.tag() == Tag::Sequence {
        let algorithm: ObjectIdentifier = SliceReader::new(first.value())?.decode()?;
        (algorithm, id.decode::<OctetStringRef<'_>>()?)
    } else {
        (SHA256, first.decode_as()?)
    };
    let digest = hash_of(algorithm).map(|hash| hash.digest(certificate));
    Ok(digest.is_some_and(|digest| digest.as_ref() == hash.as_bytes()))
}
