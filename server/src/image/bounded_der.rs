//! DER that a registry sent, read only where that cannot take long.
//!
//! The library sorts the elements of each set by insertion as it reads them, so that a set in the wrong order costs the
//! square of its length: a certificate of 700 kB would take minutes. All DER of evidence is read through here. Knows no
//! signatures.

use der::Decode;
use thiserror::Error;

/// Bytes of one certificate: Fulcio's have 900, those of authorities of one's own some 2,000.
pub(super) const MAX_CERTIFICATE: usize = 16 << 10;
/// Bytes of one timestamp token: 1 kB, and 6 kB where it encloses a chain.
pub(super) const MAX_TOKEN: usize = 64 << 10;
/// Elements of a set, or of what may be read as one: names have one in each part, tokens up to ten attributes.
const MAX_SET: usize = 32;
/// Elements within each other; certificates in tokens are 14 deep.
const MAX_DEPTH: usize = 32;
/// Bytes of a primitive element that the library would first read as a set and then refuse; honest ones are key ids.
const MAX_PRIMITIVE: usize = 1 << 10;

/// Why DER was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum DerError {
    /// Not tried: it could take long.
    #[error(transparent)]
    Bound(#[from] Bound),
    /// It does not parse.
    #[error(transparent)]
    Malformed(#[from] der::Error),
}

/// What is beyond anything that anybody writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Bound {
    /// Its bytes.
    #[error("it has {0} bytes; {1} are accepted")]
    Bytes(usize, usize),
    /// The elements of a set in it.
    #[error("a set in it has more than {MAX_SET} elements")]
    Set,
    /// Its elements within each other.
    #[error("its elements are more than {MAX_DEPTH} deep")]
    Depth,
    /// It is no DER at all.
    #[error("its lengths do not fit")]
    Lengths,
}

/// Reads all of `bytes`, of which there are at most `max`.
pub(super) fn read<'a, T: Decode<'a>>(bytes: &'a [u8], max: usize) -> Result<T, DerError> {
    check(bytes, max)?;
    Ok(T::from_der(bytes)?)
}

/// Whether `bytes` can be read without sorting much.
pub(super) fn check(bytes: &[u8], max: usize) -> Result<(), Bound> {
    if bytes.len() > max {
        return Err(Bound::Bytes(bytes.len(), max));
    }
    let mut rest = bytes;
    // What is left behind the element that is gone into, and how many more elements may follow there.
    let mut outside: Vec<(&[u8], usize)> = Vec::new();
    let mut allowed = usize::MAX;
    loop {
        let Some((&tag, after)) = rest.split_first() else {
            match outside.pop() {
                Some(outer) => (rest, allowed) = outer,
                None => return Ok(()),
            }
            continue;
        };
        allowed = allowed.checked_sub(1).ok_or(Bound::Set)?;
        let (value, behind) = split(after).ok_or(Bound::Lengths)?;
        rest = behind;
        if is_constructed(tag) {
            if outside.len() == MAX_DEPTH {
                return Err(Bound::Depth);
            }
            outside.push((rest, allowed));
            rest = value;
            // A sequence is never sorted; everything else may be a set under another tag.
            allowed = if tag == SEQUENCE { usize::MAX } else { MAX_SET };
        } else if may_become_a_set(tag) && value.len() > MAX_PRIMITIVE {
            return Err(Bound::Bytes(value.len(), MAX_PRIMITIVE));
        }
    }
}

const SEQUENCE: u8 = 0x30;

const fn is_constructed(tag: u8) -> bool {
    tag & 0x20 != 0
}

/// Primitive `[0]` to `[3]`: fields of messages with such numbers are read as what they should be before their form is
/// looked at.
const fn may_become_a_set(tag: u8) -> bool {
    tag & 0xfc == 0x80
}

/// The value of an element whose tag was taken, and what is behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, after) = bytes.split_first()?;
    if first < 0x80 {
        return after.split_at_checked(usize::from(first));
    }
    let octets = usize::from(first & 0x7f);
    if octets == 0 || octets > size_of::<u32>() {
        return None;
    }
    let (octets, after) = after.split_at_checked(octets)?;
    let length = octets
        .iter()
        .fold(0_u32, |length, octet| (length << 8) | u32::from(*octet));
    after.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests;
