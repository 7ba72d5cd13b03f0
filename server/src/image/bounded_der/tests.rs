use x509_cert::Certificate;

use super::*;

/// An element with a length in three bytes.
fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(value.len()).unwrap().to_be_bytes();
    [&[tag, 0x83], length.as_slice(), value].concat()
}

fn numbers(count: usize) -> Vec<u8> {
    [2, 1, 7].repeat(count)
}

#[test]
fn sets_and_what_may_be_read_as_one_have_a_bound_and_sequences_none() {
    for tag in [0x31, 0xa0, 0xa1, 0xa3] {
        let fits = element(0x30, &element(tag, &numbers(MAX_SET)));
        assert_eq!(check(&fits, MAX_TOKEN), Ok(()), "{tag:x}");
        let beyond = element(0x30, &element(tag, &numbers(MAX_SET + 1)));
        assert_eq!(check(&beyond, MAX_TOKEN), Err(Bound::Set), "{tag:x}");
    }
    assert_eq!(check(&element(0x30, &numbers(5_000)), MAX_TOKEN), Ok(()));
    // Elements behind a nested one count too.
    let nested = [element(0x30, &numbers(3)), numbers(MAX_SET)].concat();
    assert_eq!(check(&element(0x31, &nested), MAX_TOKEN), Err(Bound::Set));
}

#[test]
fn a_primitive_element_that_would_be_sorted_first_is_short() {
    let long = numbers(MAX_PRIMITIVE);
    let bound = Err(Bound::Bytes(long.len(), MAX_PRIMITIVE));
    for tag in [0x80, 0x81, 0x83] {
        assert_eq!(check(&element(tag, &long), MAX_TOKEN), bound, "{tag:x}");
    }
    // Octets, and names that are addresses.
    for tag in [0x04, 0x86] {
        assert_eq!(check(&element(tag, &long), MAX_TOKEN), Ok(()), "{tag:x}");
    }
}

#[test]
fn bytes_depth_and_lengths_have_bounds() {
    assert_eq!(check(&[0; 9], 8), Err(Bound::Bytes(9, 8)));
    let deep = (0..=MAX_DEPTH).fold(Vec::new(), |inner, _| element(0x30, &inner));
    assert_eq!(check(&deep, MAX_TOKEN), Err(Bound::Depth));
    for bad in [
        &[0x30][..],
        &[0x30, 2, 5],
        &[0x30, 0x80, 0, 0],
        &[0x30, 0x85, 0, 0, 0, 0, 1],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        &[0x30, 3, 0x31, 2, 5],
    ] {
        assert_eq!(check(bad, MAX_TOKEN), Err(Bound::Lengths), "{bad:x?}");
    }
    assert_eq!(check(&[], MAX_TOKEN), Ok(()));
}

#[test]
fn what_does_not_parse_is_told_from_what_is_not_tried() {
    let malformed = read::<Certificate>(&element(0x30, &[]), MAX_CERTIFICATE);
    assert!(matches!(malformed, Err(DerError::Malformed(_))));
    let large = read::<Certificate>(&vec![0; MAX_CERTIFICATE + 1], MAX_CERTIFICATE);
    assert!(matches!(large, Err(DerError::Bound(Bound::Bytes(..)))));
}
