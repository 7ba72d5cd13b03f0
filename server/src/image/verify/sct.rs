//! Signed certificate timestamps that are embedded in a certificate: that its authority logged it before it issued it.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Header, Reader, SliceReader, Tag, Tagged};
use x509_cert::Certificate;

use crate::image::trust::{Hash, Log, Moment};

/// `1.3.6.1.4.1.11129.2.4.2`, the list of embedded timestamps.
const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");

struct Timestamp<'a> {
    log_id: &'a [u8],
    milliseconds: u64,
    extensions: &'a [u8],
    hash: u8,
    signature: &'a [u8],
}

/// Whether one of the embedded timestamps is of a log of the trust root, over this certificate as issued by this issuer.
///
/// Others are passed over: the list is signed by the authority, so nobody else can have added one.
pub(super) fn verify(
    der: &[u8],
    certificate: &Certificate,
    issuer_spki_sha256: &[u8; 32],
    logs: &[Log],
) -> bool {
    let Some(list) = embedded(certificate) else {
        return false;
    };
    let Some(list) = parse_list(list) else {
        return false;
    };
    let mut tbs = None;
    list.iter().any(|timestamp| {
        let Some(log) = logs.iter().find(|log| log.id() == timestamp.log_id) else {
            return false;
        };
        let time = Moment {
            seconds: timestamp.milliseconds / 1000,
            fraction: !timestamp.milliseconds.is_multiple_of(1000),
        };
        let hash = match timestamp.hash {
            4 => Hash::Sha256,
            5 => Hash::Sha384,
            6 => Hash::Sha512,
            _ => return false,
        };
        // Computed once, and only when a log of the trust root is named.
        let tbs = tbs.get_or_insert_with(|| precertificate(der).unwrap_or_default());
        if tbs.is_empty() || !log.window().contains(time) {
            return false;
        }
        signed_bytes(timestamp, issuer_spki_sha256, tbs)
            .is_some_and(|signed| log.key().verify(hash, &signed, timestamp.signature).is_ok())
    })
}

fn embedded(certificate: &Certificate) -> Option<&[u8]> {
    let extensions = certificate.tbs_certificate.extensions.as_ref()?;
    let list = extensions.iter().find(|e| e.extn_id == SCT_LIST)?;
    let inner = OctetStringRef::from_der(list.extn_value.as_bytes()).ok()?;
    Some(inner.as_bytes())
}

/// Takes `length` bytes off the front.
fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (front, back) = rest.split_at_checked(length)?;
    *rest = back;
    Some(front)
}

fn take_u16(rest: &mut &[u8]) -> Option<usize> {
    let bytes: [u8; 2] = take(rest, 2)?.try_into().ok()?;
    Some(usize::from(u16::from_be_bytes(bytes)))
}

/// RFC 6962: a list of timestamps, everything prefixed with its length in two bytes.
fn parse_list(mut bytes: &[u8]) -> Option<Vec<Timestamp<'_>>> {
    let length = take_u16(&mut bytes)?;
    let mut list = take(&mut bytes, length)?;
    let mut timestamps = Vec::new();
    while !list.is_empty() {
        let length = take_u16(&mut list)?;
        let one = take(&mut list, length)?;
        // Versions other than the first are skipped, as the format wants it.
        if one.first() == Some(&0) {
            timestamps.push(parse_timestamp(one)?);
        }
    }
    bytes.is_empty().then_some(timestamps)
}

fn parse_timestamp(mut bytes: &[u8]) -> Option<Timestamp<'_>> {
    let rest = &mut bytes;
    take(rest, 1)?;
    let log_id = take(rest, 32)?;
    let milliseconds = u64::from_be_bytes(take(rest, 8)?.try_into().ok()?);
    let length = take_u16(rest)?;
    let extensions = take(rest, length)?;
    let [hash, _algorithm] = take(rest, 2)? else {
        return None;
    };
    let length = take_u16(rest)?;
    let signature = take(rest, length)?;
    rest.is_empty().then_some(Timestamp {
        log_id,
        milliseconds,
        extensions,
        hash: *hash,
        signature,
    })
}

/// What the log signed: the precertificate entry of RFC 6962, section 3.2.
fn signed_bytes(timestamp: &Timestamp<'_>, issuer: &[u8; 32], tbs: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(tbs.len()).ok()?.to_be_bytes();
    let [0, length @ ..] = length else {
        return None;
    };
    let extensions = u16::try_from(timestamp.extensions.len()).ok()?;
    Some(
        [
            // Version 1, certificate timestamp.
            [0, 0].as_slice(),
            &timestamp.milliseconds.to_be_bytes(),
            // Precertificate entry.
            &[0, 1],
            issuer,
            &length,
            tbs,
            &extensions.to_be_bytes(),
            timestamp.extensions,
        ]
        .concat(),
    )
}

/// The certificate's signed part without the list, every other byte as the authority wrote it.
fn precertificate(certificate: &[u8]) -> der::Result<Vec<u8>> {
    let tbs = first_inside(certificate)?;
    let mut reader = SliceReader::new(AnyRef::from_der(tbs)?.value())?;
    let mut body = Vec::with_capacity(tbs.len());
    while !reader.is_finished() {
        let part = reader.tlv_bytes()?;
        let any = AnyRef::from_der(part)?;
        if any.tag().is_context_specific() && any.tag().number().value() == 3 {
            let list = without_scts(any.value())?;
            let sequence = wrap(Tag::Sequence, &list)?;
            body.extend_from_slice(&wrap(any.tag(), &sequence)?);
        } else {
            body.extend_from_slice(part);
        }
    }
    wrap(Tag::Sequence, &body)
}

/// The first element inside of an element.
fn first_inside(bytes: &[u8]) -> der::Result<&[u8]> {
    SliceReader::new(AnyRef::from_der(bytes)?.value())?.tlv_bytes()
}

fn without_scts(extensions: &[u8]) -> der::Result<Vec<u8>> {
    let mut reader = SliceReader::new(AnyRef::from_der(extensions)?.value())?;
    let mut kept = Vec::with_capacity(extensions.len());
    while !reader.is_finished() {
        let extension = reader.tlv_bytes()?;
        let id = ObjectIdentifier::from_der(first_inside(extension)?)?;
        if id != SCT_LIST {
            kept.extend_from_slice(extension);
        }
    }
    Ok(kept)
}

fn wrap(tag: Tag, body: &[u8]) -> der::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(body.len() + 8);
    Header::new(tag, body.len())?.encode_to_vec(&mut bytes)?;
    bytes.extend_from_slice(body);
    Ok(bytes)
}
