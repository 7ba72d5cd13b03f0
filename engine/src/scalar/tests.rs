use serde_json::{Value, json};

use super::{Pattern, TextPattern, matches};

fn check(pattern: &Value, passing: &[Value], failing: &[Value]) {
    let parsed = Pattern::parse(pattern);
    for value in passing {
        assert!(matches(&parsed, value), "{pattern} on {value}");
    }
    for value in failing {
        assert!(!matches(&parsed, value), "{pattern} on {value}");
    }
}

#[test]
fn leaves_that_are_no_text() {
    check(
        &json!(true),
        &[json!(true)],
        &[json!("true"), json!(false), json!(null)],
    );
    check(
        &json!(5),
        &[json!(5), json!(5.0), json!("5")],
        &[json!(5.5), json!("5s"), json!(null)],
    );
    check(
        &json!(1.5),
        &[json!(1.5), json!("1.5")],
        &[json!(1), json!(2)],
    );
    check(
        &json!(null),
        &[json!(null), json!(0), json!(""), json!(false)],
        &[json!({}), json!([]), json!("0")],
    );
    check(
        &json!({}),
        &[json!({}), json!({"a": 1})],
        &[json!(null), json!([])],
    );
}

#[test]
fn texts_with_operators() {
    check(
        &json!("?*"),
        &[json!("a"), json!(5), json!(true)],
        &[json!(""), json!(null), json!([]), json!({})],
    );
    check(
        &json!("!a*"),
        &[json!("b"), json!(5)],
        &[json!("ab"), json!(null)],
    );
    check(
        &json!("a | b & !c"),
        &[json!("a"), json!("b"), json!("a | b & !c")],
        &[json!("c"), json!("d")],
    );
    check(
        &json!("<=100Mi"),
        &[json!("1Mi"), json!(null), json!(5)],
        &[json!("1Gi"), json!("many"), json!(true)],
    );
    check(
        &json!(">1h"),
        &[json!("61m"), json!("2h")],
        &[json!("1h"), json!("59m"), json!(3)],
    );
    check(
        &json!("1-10"),
        &[json!(1), json!("10"), json!("5")],
        &[json!(0), json!("11"), json!("x")],
    );
    check(
        &json!("1!-10"),
        &[json!(0), json!("11")],
        &[json!(1), json!(10), json!("x")],
    );
    check(
        &json!("10s-1m"),
        &[json!("30s")],
        &[json!("5s"), json!("2m")],
    );
    check(&json!(">"), &[json!(">")], &[json!(5)]);
    check(
        &json!("100000"),
        &[json!(100_000), json!("100k")],
        &[json!("1000000")],
    );
}

#[test]
fn purely_textual_ones_are_told_apart() {
    for (text, textual) in [
        ("a*", true),
        ("!nginx:latest | ?*", true),
        ("10", false),
        ("<5", false),
        ("1h", false),
        (">abc", true),
        ("m", false),
        ("", true),
    ] {
        assert_eq!(TextPattern::parse(text).is_textual(), textual, "`{text}`");
    }
}
