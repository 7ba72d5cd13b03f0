use serde_json::json;

use super::{float, float_json, float_scientific, json as write, parse_float, sprint, truncate};

#[test]
fn floats_print_as_in_go() {
    for (value, shown, scientific, in_json) in [
        (0.0, "0", "0E+00", "0"),
        (5.0, "5", "5E+00", "5"),
        (-2.5, "-2.5", "-2.5E+00", "-2.5"),
        (100_000.0, "100000", "1E+05", "100000"),
        (999_999.0, "999999", "9.99999E+05", "999999"),
        (1e6, "1e+06", "1E+06", "1000000"),
        (1_234_567.5, "1.2345675e+06", "1.2345675E+06", "1234567.5"),
        (0.0001, "0.0001", "1E-04", "0.0001"),
        (0.00001, "1e-05", "1E-05", "0.00001"),
        (1e-7, "1e-07", "1E-07", "1e-7"),
        (1e21, "1e+21", "1E+21", "1e+21"),
        (1e100, "1e+100", "1E+100", "1e+100"),
        (f64::INFINITY, "+Inf", "+Inf", "+Inf"),
    ] {
        assert_eq!(float(value), shown);
        assert_eq!(float_scientific(value), scientific);
        assert_eq!(float_json(value), in_json);
    }
}

#[test]
fn values_print_as_in_go() {
    let value = json!({"b": [1, "x", null, true], "a": 1_000_000});
    assert_eq!(sprint(&value), "map[a:1e+06 b:[1 x <nil> true]]");
    assert_eq!(write(&value), r#"{"a":1000000,"b":[1,"x",null,true]}"#);
    assert_eq!(
        write(&json!("<é\u{1}\u{2028}\"\n>")),
        "\"<é\\u0001\\u2028\\\"\\n>\""
    );
}

#[test]
fn floats_are_read_as_in_go() {
    for (text, expected) in [
        ("1.", Some(1.0)),
        (".5", Some(0.5)),
        ("+1e3", Some(1000.0)),
        ("1_000", Some(1000.0)),
        ("1__0", None),
        ("_1", None),
        ("1_", None),
        ("0x1p4", Some(16.0)),
        ("0x_1.8p1", Some(3.0)),
        ("-0x1p-1", Some(-0.5)),
        ("0x1", None),
        ("1e400", None),
        ("1e-400", Some(0.0)),
        ("", None),
        (".", None),
        (" 1", None),
        ("e5", None),
    ] {
        assert_eq!(parse_float(text), expected, "`{text}`");
    }
    assert_eq!(parse_float("-Infinity"), Some(f64::NEG_INFINITY));
    assert!(parse_float("NaN").is_some_and(f64::is_nan));
    assert_eq!(parse_float("+nan"), None);
}

#[test]
fn floats_are_cut_as_on_amd64() {
    assert_eq!(truncate(-2.9), -2);
    assert_eq!(truncate(1e30), i64::MIN);
    assert_eq!(truncate(f64::NAN), i64::MIN);
}
