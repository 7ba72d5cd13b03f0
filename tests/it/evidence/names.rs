//! Certificates whose names are odd: what no authority writes is refused, and a name is compared as a whole.

use rcgen::{CustomExtension, SanType};
use regent_engine::image::Evidence;
use regent_engine::image::evidence::Signer;

use super::certified::{Fault, Pki, digest, judge, refused};

const OWN: &str = "https://github.com/acme/app";
/// Subject alternative names.
const SAN: [u64; 4] = [2, 5, 29, 17];

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// One of Fulcio's extensions, the first six as bare text and the later ones as DER.
fn fulcio(number: u64, text: &str) -> CustomExtension {
    let mut content = text.as_bytes().to_vec();
    if number > 6 {
        let length = u8::try_from(content.len()).unwrap();
        content.splice(0..0, [0x0c, length]);
    }
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, number], content)
}

/// What becomes of a signature by a certificate with these names and extensions.
fn signed_by(names: &[SanType], extensions: Vec<CustomExtension>) -> Evidence {
    let pki = Pki::with_leaf(Fault::None, |leaf| {
        leaf.subject_alt_names = names.to_vec();
        leaf.custom_extensions = extensions;
    });
    let signed = pki.sign(&digest(), &pki.with_chain());
    judge(&signed, &[], Some(pki.root.pem()))
}

/// The names and the issuer that count.
fn names(evidence: &Evidence) -> (Vec<&str>, &str) {
    let [signature] = evidence.signatures.as_slice() else {
        panic!("{evidence:?}")
    };
    let Signer::Certificate(identity) = &signature.verified.signer else {
        panic!("a key")
    };
    let names = identity.subjects.iter().map(String::as_str).collect();
    (names, &identity.issuer)
}

#[test]
fn names_with_zeros_and_other_control_characters_are_refused() {
    for odd in [
        "https://github.com/acme/app\0.evil.example",
        "\0https://github.com/acme/app",
        "https://evil.example/\nhttps://github.com/acme/app",
        "https://github.com/acme/app\r",
        "https://github.com/acme/app\u{7f}",
    ] {
        for names in [vec![uri(odd)], vec![uri(OWN), uri(odd)]] {
            let evidence = signed_by(&names, Vec::new());
            assert!(
                refused(&evidence).contains("control characters"),
                "{odd:?} {evidence:?}"
            );
        }
        let address = SanType::Rfc822Name(odd.try_into().unwrap());
        refused(&signed_by(&[address], Vec::new()));
    }
    let evidence = signed_by(
        &[uri(OWN)],
        vec![fulcio(8, "https://issuer.example\0.evil")],
    );
    assert!(refused(&evidence).contains("control characters"));
}

#[test]
fn more_and_longer_names_than_anybody_writes_are_refused() {
    let many: Vec<SanType> = (0..65).map(|n| uri(&format!("{OWN}/{n}"))).collect();
    assert!(refused(&signed_by(&many, Vec::new())).contains("more than 64 names"));
    assert_eq!(names(&signed_by(&many[..64], Vec::new())).0.len(), 64);
    let long = format!("{OWN}/{}", "a".repeat(8 << 10));
    assert!(refused(&signed_by(&[uri(&long)], Vec::new())).contains("more than 8192 bytes"));
}

/// Reading a set sorts it, by the square of its length.
#[test]
fn certificates_that_would_take_long_to_read_are_refused_before() {
    let element = |tag: u8, value: &[u8]| {
        let [_, _, length @ ..] = u32::try_from(value.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], length.as_slice(), value].concat()
    };
    // A name of the holder as a directory has it: one part, of so many attributes.
    let directory = |attributes: usize| {
        let attributes: Vec<u8> = (1..=u8::try_from(attributes).unwrap())
            .flat_map(|n| [0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, b'A' + n])
            .collect();
        let name = element(0x30, &element(0x31, &attributes));
        let names = element(0x30, &element(0xa4, &name));
        signed_by(&[], vec![CustomExtension::from_oid_content(&SAN, names)])
    };
    assert_eq!(names(&directory(32)).0.len(), 1);
    assert!(refused(&directory(33)).contains("more than 32 elements"));
    let large = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0; 16 << 10]);
    assert!(refused(&signed_by(&[uri(OWN)], vec![large])).contains("16384 are accepted"));
}

/// Every name is a name of the holder, as cosign has it: authorities write what they have checked.
#[test]
fn several_names_are_kept_apart() {
    let evil = "https://evil.example/";
    let evidence = signed_by(&[uri(evil), uri(OWN)], Vec::new());
    assert_eq!(names(&evidence).0, [evil, OWN]);
}

/// A wildcard in a certificate is a character; only those of policies stand for others.
#[test]
fn names_are_what_is_written() {
    for odd in [
        "https://github.com/*",
        "*",
        "https://GitHub.com/acme/app",
        "https://github.com/acme%2Fapp",
        "https://github.com/acme/app ",
    ] {
        assert_eq!(names(&signed_by(&[uri(odd)], Vec::new())).0, [odd]);
    }
    // Without a name there is nothing that an attestor could match.
    assert!(names(&signed_by(&[], Vec::new())).0.is_empty());
}

#[test]
fn what_is_said_twice_is_refused() {
    let issuer = "https://token.actions.githubusercontent.com";
    let same = vec![fulcio(1, issuer), fulcio(8, issuer)];
    assert_eq!(names(&signed_by(&[uri(OWN)], same)).1, issuer);
    let two = vec![fulcio(1, issuer), fulcio(8, "https://evil.example")];
    assert!(refused(&signed_by(&[uri(OWN)], two)).contains("two issuers"));
    let twice = vec![fulcio(8, "https://evil.example"), fulcio(8, issuer)];
    refused(&signed_by(&[uri(OWN)], twice));
    // A second list of names: `30 LEN 86 LEN TEXT`.
    let length = u8::try_from(OWN.len()).unwrap();
    let mut list = vec![0x30, length + 2, 0x86, length];
    list.extend(OWN.as_bytes());
    let second = CustomExtension::from_oid_content(&SAN, list);
    refused(&signed_by(&[uri("https://evil.example/")], vec![second]));
}

#[test]
fn names_that_are_no_text_are_refused() {
    // An other name of Fulcio's kind with a number where the text should be, and a list that is cut off.
    for content in [
        vec![0x30, 0x03, 0x86, 0x05, b'a'],
        vec![0x30, 0x04, 0x86, 0x02, 0xff, 0xfe],
        vec![0x04, 0x00],
        Vec::new(),
    ] {
        let odd = CustomExtension::from_oid_content(&SAN, content);
        refused(&signed_by(&[], vec![odd]));
    }
}
