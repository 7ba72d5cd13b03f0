use super::Duration;

fn shown(text: &str) -> String {
    match Duration::parse(text) {
        Ok(duration) => duration.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn reads_and_writes_as_go_does() {
    for (text, expected) in [
        ("0", "0s"),
        ("-0", "0s"),
        ("1h", "1h0m0s"),
        ("90s", "1m30s"),
        ("1.5s", "1.5s"),
        ("-1.5h", "-1h30m0s"),
        ("+5m0.001s", "5m0.001s"),
        ("1500us", "1.5ms"),
        ("12\u{b5}s", "12\u{b5}s"),
        ("12\u{3bc}s34ns", "12.034\u{b5}s"),
        (".5s", "500ms"),
        ("1.s", "1s"),
        ("9223372036854775807ns", "2562047h47m16.854775807s"),
        ("-9223372036854775808ns", "-2562047h47m16.854775808s"),
        ("0.9223372036854775807h", "55m20.413933267s"),
        ("0.100000000000000000000h", "6m0s"),
        ("1d", "time: unknown unit \"d\" in duration \"1d\""),
        ("5", "time: missing unit in duration \"5\""),
        ("", "time: invalid duration \"\""),
        ("-", "time: invalid duration \"-\""),
        (".s", "time: invalid duration \".s\""),
        ("s", "time: invalid duration \"s\""),
        (
            "9223372036854775808ns",
            "time: invalid duration \"9223372036854775808ns\"",
        ),
        (
            "9223372036854775.808us",
            "time: invalid duration \"9223372036854775.808us\"",
        ),
        ("3000000h", "time: invalid duration \"3000000h\""),
        (
            "99999999999999999999s",
            "time: invalid duration \"99999999999999999999s\"",
        ),
        ("1s ", "time: unknown unit \"s \" in duration \"1s \""),
    ] {
        assert_eq!(shown(text), expected, "`{text}`");
    }
}

#[test]
fn seconds_are_a_float() {
    assert!((Duration(1_500_000_000).seconds() - 1.5).abs() < f64::EPSILON);
    assert_eq!(Duration::from_seconds(i64::MAX).0, -1_000_000_000);
}
