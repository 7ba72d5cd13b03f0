use super::*;

const PLAIN: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIGCtBntBgnuYYiGxgggVAnZKHgrV
OxqONwLlut+ugo0TNcO0PYpmRs85pXyB2DtLYDvUw9Ubp+M/oUcohdH9xg==
-----END PUBLIC KEY-----
";

#[test]
fn bits_behind_the_last_byte_of_a_key_do_not_count() {
    let written_otherwise = PLAIN.replace("9xg==", "9xh==");
    assert_ne!(written_otherwise, PLAIN);
    let key = public_keys(PLAIN.trim()).unwrap();
    assert_eq!(public_keys(written_otherwise.trim()).unwrap(), key);
    assert_eq!(key[0].pem, PLAIN);
    let other = PLAIN.replace("9xg==", "9yg==");
    assert_ne!(public_keys(other.trim()).unwrap(), key);
    let broken = PLAIN.replace("9xg==", "9x!==");
    assert_eq!(public_keys(broken.trim()), Err("it is not base64"));
}
