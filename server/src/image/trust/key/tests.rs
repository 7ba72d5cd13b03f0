use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
};

use super::*;

fn spki(parameters: &[u8], bits: &[u8]) -> Vec<u8> {
    let tlv = |tag: u8, body: &[u8]| {
        let length = body.len();
        let mut out = vec![tag];
        match u8::try_from(length) {
            Ok(short @ 0..128) => out.push(short),
            Ok(long) => out.extend([0x81, long]),
            Err(_) => {
                let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
                out.extend([0x82, high, low]);
            }
        }
        out.extend(body);
        out
    };
    let mut bit_string = vec![0];
    bit_string.extend(bits);
    let body = [tlv(0x30, parameters), tlv(3, &bit_string)].concat();
    tlv(0x30, &body)
}

const EC_OID: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const RSA_OID: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
const ED_OID: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm, curve: &[u8]) -> (Key, EcdsaKeyPair) {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap();
    let spki = spki(&[EC_OID, curve].concat(), pair.public_key().as_ref());
    (Key::from_spki(&spki).unwrap(), pair)
}

#[test]
fn every_curve_verifies_its_own_signatures_and_no_others() {
    let p256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let p384: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x22];
    let p521: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x23];
    let cases = [
        (
            &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            p256,
            KeyKind::P256,
        ),
        (
            &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            p384,
            KeyKind::P384,
        ),
        (
            &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
            p521,
            KeyKind::P521,
        ),
        (
            &signature::ECDSA_P521_SHA256_ASN1_SIGNING,
            p521,
            KeyKind::P521,
        ),
    ];
    for (algorithm, curve, kind) in cases {
        let (key, pair) = ecdsa(algorithm, curve);
        assert_eq!(key.kind(), kind);
        let signed = pair.sign(&SystemRandom::new(), b"data").unwrap();
        let hashes = [Hash::Sha256];
        key.verify_any(&hashes, Message::Bytes(b"data"), signed.as_ref())
            .unwrap();
        assert!(
            key.verify_any(&hashes, Message::Bytes(b"date"), signed.as_ref())
                .is_err()
        );
    }
}

#[test]
fn a_digest_stands_for_its_bytes_only_with_sha256() {
    let p256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let (key, pair) = ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, p256);
    let signed = pair.sign(&SystemRandom::new(), b"data").unwrap();
    let digest = sha256(b"data");
    key.verify_any(&[], Message::Sha256(&digest), signed.as_ref())
        .unwrap();
    assert!(
        key.verify_any(&[], Message::Sha256(&sha256(b"date")), signed.as_ref())
            .is_err()
    );
}

#[test]
fn rsa_verifies_both_paddings_and_ed25519_verifies() {
    let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let key = Key::from_spki(&spki(RSA_OID, pair.public_key().as_ref())).unwrap();
    assert_eq!(key.kind(), KeyKind::Rsa);
    let mut signed = vec![0; pair.public_modulus_len()];
    for scheme in [
        &signature::RSA_PKCS1_SHA256,
        &signature::RSA_PSS_SHA256,
        &signature::RSA_PKCS1_SHA512,
        &signature::RSA_PSS_SHA384,
    ] {
        pair.sign(scheme, &SystemRandom::new(), b"data", &mut signed)
            .unwrap();
        let hashes = [Hash::Sha384, Hash::Sha512];
        key.verify_any(&hashes, Message::Bytes(b"data"), &signed)
            .unwrap();
        assert!(
            key.verify_any(&hashes, Message::Bytes(b"date"), &signed)
                .is_err()
        );
    }
    let bare = Key::from_trust_root(pair.public_key().as_ref()).unwrap();
    assert_eq!(bare.kind(), KeyKind::Rsa);

    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let key = Key::from_spki(&spki(ED_OID, pair.public_key().as_ref())).unwrap();
    let signed = pair.sign(b"data");
    key.verify_any(&[Hash::Sha256], Message::Bytes(b"data"), signed.as_ref())
        .unwrap();
    assert!(
        key.verify_any(&[], Message::Sha256(&sha256(b"data")), signed.as_ref())
            .is_err()
    );
}

#[test]
fn keys_that_are_none_are_refused_with_the_reason() {
    assert_eq!(Key::from_spki(b"").unwrap_err(), KeyError::Malformed);
    assert_eq!(Key::from_pem("nothing").unwrap_err(), KeyError::Pem);
    let curve25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x6e];
    assert!(matches!(
        Key::from_spki(&spki(curve25519, &[0; 32])),
        Err(KeyError::Algorithm(_))
    ));
    let p256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let mut off_curve = [1; 65];
    off_curve[0] = 4;
    let off = spki(&[EC_OID, p256].concat(), &off_curve);
    assert_eq!(Key::from_spki(&off).unwrap_err(), KeyError::Numbers);
    let short = spki(RSA_OID, &[0x30, 6, 2, 1, 3, 2, 1, 3]);
    assert_eq!(Key::from_spki(&short).unwrap_err(), KeyError::Numbers);
}

/// The pre-hashed form (RFC 8032, section 7.3) is another algorithm, and is not taken for this one.
#[test]
fn a_prehashed_signature_of_ed25519_is_none() {
    const KEY: &str = "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf";
    const PREHASHED: &str = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";
    // The same key over the same text, as it is.
    const PURE: &str = "c9446c82f4235087613364b1e2c31aed0ae9f11a6982859914bdd8565e119d26cd47423c26c2a49d5f60d847f75120f4bada1a01063aafef8fecb9a07e32e707";
    let key = Key::from_spki(&spki(ED_OID, &hex::decode(KEY).unwrap())).unwrap();
    let hashes = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
    let verifies = |message: &[u8], signature: &str| {
        let signature = hex::decode(signature).unwrap();
        key.verify_any(&hashes, Message::Bytes(message), &signature)
            .is_ok()
    };
    assert!(verifies(b"abc", PURE));
    let digest = Hash::Sha512.digest(b"abc");
    for message in [&b"abc"[..], digest.as_ref()] {
        assert!(!verifies(message, PREHASHED));
    }
}
