use std::time::Duration;

use hyper::header::HeaderValue;

use super::{go_duration, is_json, timeout_of_query};

#[test]
fn the_api_servers_timeout_is_read() {
    let second = Duration::from_secs(1);
    for (text, duration) in [
        ("10s", Some(second * 10)),
        ("1m30s", Some(second * 90)),
        ("1.5s", Some(second * 3 / 2)),
        ("500ms", Some(second / 2)),
        ("0s", None),
        ("10", None),
        ("s", None),
        ("-1s", None),
        ("1e99h", None),
        ("9999999999999999999999999999h", None),
        ("", None),
        ("1ß", None),
    ] {
        assert_eq!(go_duration(text), duration, "{text}");
    }
    assert_eq!(timeout_of_query("a=b&timeout=2s"), Some(second * 2));
    assert_eq!(timeout_of_query("mytimeout=2s"), None);
}

#[test]
fn json_is_a_media_type() {
    for (value, expected) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/json-patch+json", false),
        ("text/plain", false),
        ("", false),
    ] {
        assert_eq!(is_json(Some(&HeaderValue::from_static(value))), expected);
    }
    assert!(!is_json(None));
}
