use serde_json::json;

use super::*;
use crate::image::trust::TrustRootError;

/// A token over `a signature`, to the millisecond, with no certificate in it; by `openssl ts` and an authority made for this.
const TOKEN: &str = "MIIB1TADAgEAMIIBzAYJKoZIhvcNAQcCoIIBvTCCAbkCAQMxDzANBglghkgBZQMEAgEFADBmBgsqhkiG9w0BCRABBKBXBFUwUwIBAQYDKgMEMD\
    EwDQYJYIZIAWUDBAIBBQAEIIBNCgSHA9+G9YyDwaYvstuE0AHZ6Bm7BrrUQ19/I5/RAgECGBMyMDI2MTEyNTA2MDU0OS44NjlaMYIBOTCCATUC\
    AQEwJTANMQswCQYDVQQDDAJjYQIUPjJHc/kWMqiNehSRnHR3pqgYSa8wDQYJYIZIAWUDBAIBBQCggaQwGgYJKoZIhvcNAQkDMQ0GCyqGSIb3DQ\
    EJEAEEMBwGCSqGSIb3DQEJBTEPFw0yNjExMjUwNjA1NDlaMC8GCSqGSIb3DQEJBDEiBCAILSaYErfibsGeBVP8pZwhU9U/kDtmZMV3c/bcaWs8\
    ezA3BgsqhkiG9w0BCRACLzEoMCYwJDAiBCCnc+2efbKFaVEO32STvLfobNgHWWCoCcwA2y73NihHjjAKBggqhkjOPQQDAgRHMEUCIQDNRQwjw6\
    kfgdjiQFaZlJ0oZnrz4N393SGAWz5SY1FWIgIgYonA6vq2rSj/lslhhv+QH4GIZ4DqVBqoPMV7Wbuo8pI=";
const LEAF: &str = "MIIBljCCATygAwIBAgIUPjJHc/kWMqiNehSRnHR3pqgYSa8wCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwHhcNMjYxMTI1MDYwNTQ5WhcNND\
    YxMTIwMDYwNTQ5WjAPMQ0wCwYDVQQDDARsZWFmMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVytB5c1UUe0ywSRvTmnE5bHpWIUHrbYyBQ9I\
    FnG5ULLOYDeZclJsPnux0bGiXdXHYf+j4EBfnp0sFL13I7r8maN4MHYwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwFgYDVR0lAQH/BA\
    wwCgYIKwYBBQUHAwgwHQYDVR0OBBYEFAKpYUabzId3i8tLFd/rfDGQ+AiLMB8GA1UdIwQYMBaAFJp6umNRy4ZRkDvWNQfgH5Hka6R6MAoGCCqG\
    SM49BAMCA0gAMEUCIBPBWZSNhCvGC7PqGyUCTuHocb+5wbu+xA6rlcAzhd0LAiEAqi6x78T70kFBhaNexTjHWtwrMv3osziHIx7qg9dpRlQ=";
const AUTHORITY: &str = "MIIBXTCCAQSgAwIBAgIUei62Svbu46Yn/aJ8AZG5/gGYqkQwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwHhcNMjYxMTI1MDYwNTQ5WhcNND\
    YxMTIwMDYwNTQ5WjANMQswCQYDVQQDDAJjYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFXjgKI4Ywuf6LpmRh0+4UMciIhzIMtF027urxR2\
    Jgn96rUJsKiTcbKGLXlr3cjjkPAnxnaoh+qN702krOIuGjejQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQWBB\
    SaerpjUcuGUZA71jUH4B+R5GukejAKBggqhkjOPQQDAgNHADBEAiBrlu0NHRwpP8UTBX/YMHNgvLp7hq6QNU7Yt7r0XCqUOgIgLiMA4aJUmFi1\
    Wy8zK1y8HUkX1H3Ife5YYJhg0uqhryc=";
/// 2026-11-25T06:05:49.869Z, whole seconds.
const SECONDS: u64 = 1_795_586_749;

fn root(valid_for: &serde_json::Value) -> Result<TrustRoot, TrustRootError> {
    let chain = [
        json!({ "rawBytes": LEAF }),
        json!({ "rawBytes": AUTHORITY }),
    ];
    let authority = json!({
        "uri": "https://tsa.example",
        "certChain": { "certificates": chain },
        "validFor": valid_for,
    });
    TrustRoot::parse(&json!({ "timestampAuthorities": [authority] }).to_string())
}

fn verify_one(
    signature: &[u8],
    stamped: Option<&[u8]>,
    root: &TrustRoot,
) -> Result<Vec<Moment>, Refusal> {
    let token = super::super::item::base64("timestamp", TOKEN)?;
    verify(&[token], signature, stamped, root)
}

/// `sigstore.md` §9, G3, and point 6: tokens of cosign 2's legacy attestations cover the envelope's bytes.
#[test]
fn a_token_to_the_millisecond_counts_and_so_does_one_over_the_stamped_bytes() {
    let root = root(&json!(null)).unwrap();
    let expected = [Moment {
        seconds: SECONDS,
        fraction: true,
    }];
    assert_eq!(verify_one(b"a signature", None, &root).unwrap(), expected);
    let stamped = Some(b"a signature".as_slice());
    assert_eq!(verify_one(b"another", stamped, &root).unwrap(), expected);
    assert_eq!(
        verify_one(b"another", None, &root),
        Err(Refusal::TimestampDiffers)
    );
    assert_eq!(
        verify_one(b"another", Some(b"x"), &root),
        Err(Refusal::TimestampDiffers)
    );
}

/// CVE-2026-54787's class: windows are kept to the part of a second.
#[test]
fn an_authority_counts_only_while_it_is_valid() {
    let until = |end: &str| {
        let root = root(&json!({ "end": end })).unwrap();
        verify_one(b"a signature", None, &root)
    };
    assert!(until("2026-11-25T06:05:50Z").is_ok());
    let expired = Err(Refusal::TimestampExpired {
        authority: "https://tsa.example".to_owned(),
        time: SECONDS,
    });
    assert_eq!(until("2026-11-25T06:05:49Z"), expired);
    let late = root(&json!({ "start": "2026-11-25T06:05:50Z" })).unwrap();
    assert_eq!(verify_one(b"a signature", None, &late), expired);
}

#[test]
fn a_token_of_another_authority_does_not_count_and_a_broken_one_is_refused() {
    let public = crate::image::trust::public_sigstore().unwrap();
    assert_eq!(verify_one(b"a signature", None, &public).unwrap(), []);
    let root = root(&json!(null)).unwrap();
    let mut token = super::super::item::base64("timestamp", TOKEN).unwrap();
    let last = token.len() - 1;
    token[last] ^= 1;
    let refused = verify(&[token], b"a signature", None, &root);
    assert_eq!(
        refused,
        Err(Refusal::TimestampSignature(
            "https://tsa.example".to_owned()
        ))
    );
    let refused = verify(&[vec![0x30, 0]], b"a signature", None, &root);
    assert!(matches!(refused, Err(Refusal::Timestamp(_))));
}

/// A set in the wrong order is sorted by the square of its length before anything else is looked at.
#[test]
fn a_token_that_would_take_long_to_read_is_refused_before() {
    let root = root(&json!(null)).unwrap();
    let good = super::super::item::base64("timestamp", TOKEN).unwrap();
    // The set of hashes, behind `30 LEN 02 01 03` of the signed data.
    let start = good
        .windows(4)
        .position(|bytes| bytes == [0x31, 0x0f, 0x30, 0x0d])
        .unwrap();
    let before = good[..start].to_vec();
    let set = element(0x31, &good[start + 2..start + 17].repeat(33));
    let data = [&before[before.len() - 3..], &set, &good[start + 17..]].concat();
    let signed = good
        .windows(2)
        .position(|bytes| bytes == [0x06, 0x09])
        .unwrap();
    let kind = good[signed..signed + 11].to_vec();
    let info = [kind, element(0xa0, &element(0x30, &data))].concat();
    for (token, said) in [
        (element(0x30, &info), "more than 32 elements"),
        (vec![0x30; (64 << 10) + 1], "65537 bytes"),
    ] {
        let Err(Refusal::Timestamp(refused)) = verify(&[token], b"a signature", None, &root) else {
            panic!("another refusal")
        };
        assert!(refused.contains(said), "{refused}");
    }
}

/// An element with a length in three bytes.
fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(value.len()).unwrap().to_be_bytes();
    [&[tag, 0x83], length.as_slice(), value].concat()
}

/// Anybody who may store evidence can store another token beside a good one.
#[test]
fn one_good_token_is_enough_and_the_first_bad_one_is_told_where_there_is_none() {
    let root = root(&json!(null)).unwrap();
    let good = super::super::item::base64("timestamp", TOKEN).unwrap();
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let garbage = vec![0x30, 0];
    let moment = Moment {
        seconds: SECONDS,
        fraction: true,
    };
    for tokens in [
        [good.clone(), garbage.clone()],
        [garbage.clone(), good.clone()],
        [forged.clone(), good],
    ] {
        let moments = verify(&tokens, b"a signature", None, &root);
        assert_eq!(moments, Ok(vec![moment]));
        assert_eq!(
            verify(&tokens, b"another", None, &root).map(|_| ()),
            verify(&tokens[..1], b"another", None, &root).map(|_| ()),
        );
    }
    // Behind so many that prove nothing nobody looks.
    let good = super::super::item::base64("timestamp", TOKEN).unwrap();
    for (bad, counts) in [(7, true), (8, false)] {
        let mut tokens = vec![garbage.clone(); bad];
        tokens.push(good.clone());
        assert_eq!(verify(&tokens, b"a signature", None, &root).is_ok(), counts);
    }
    let by_name = Refusal::TimestampSignature("https://tsa.example".to_owned());
    let refused = verify(&[forged, garbage], b"a signature", None, &root);
    assert_eq!(refused, Err(by_name));
}
