use serde_json::{Value, json};

use super::super::{Environment, Expression};
use super::{Insertion, InsertionError};

/// An expression of texts and values by turns, a text first.
fn put(written: &[&str], values: &[Value]) -> Result<String, InsertionError> {
    let mut whole = Insertion::default();
    let mut values = values.iter();
    for text in written {
        whole.written(text)?;
        if let Some(value) = values.next() {
            whole.value(value)?;
        }
    }
    Ok(whole.text().to_owned())
}

fn evaluated(text: &str) -> Value {
    let expression = Expression::parse(text).unwrap();
    let data = json!({"here": "not a value"});
    expression
        .evaluate(&data, &Environment::at(0))
        .map(std::borrow::Cow::into_owned)
        .unwrap()
}

/// Texts that would leave their token if they were put in as they are.
const HOSTILE: [&str; 12] = [
    "a', here || 'b",
    "'",
    "\\'",
    "a\\', here, '",
    "\" || here || \"",
    "\\\" || here || \\\"",
    "` || here || `",
    "\\` || here || \\`",
    "\"` || here || `\"",
    "{{ here }}",
    "line\nbreak \u{1} \\u0041 \\",
    "",
];

#[test]
fn a_text_in_quotes_stays_the_text_that_it_is() {
    for text in HOSTILE {
        let value = json!(text);
        let values = std::slice::from_ref(&value);
        let hash = put(&["{\"", "\": `1`}"], values).unwrap();
        assert_eq!(evaluated(&hash), json!({text: 1}), "{hash}");
        let json = put(&["[`{\"a\": \"<", ">\"}`, `2`]"], values).unwrap();
        let expected = json!([{"a": format!("<{text}>")}, 2]);
        assert_eq!(evaluated(&json), expected, "{json}");
        let raw = put(&["['<", ">', `2`]"], values).unwrap();
        assert_eq!(evaluated(&raw), json!([format!("<{text}>"), 2]), "{raw}");
        let twice = put(&["['", "", "', `2`]"], &[value.clone(), json!("'x")]).unwrap();
        assert_eq!(
            evaluated(&twice),
            json!([format!("{text}'x"), 2]),
            "{twice}"
        );
    }
}

#[test]
fn a_backslash_before_the_closing_quote_is_refused() {
    let refused = put(&["'", "'"], &[json!("a\\")]);
    assert!(matches!(refused, Err(InsertionError::Backslash(_))));
    let refused = put(&["'", "", "'"], &[json!("a\\"), json!("")]);
    assert!(matches!(refused, Err(InsertionError::Backslash(_))));
}

#[test]
fn other_values_are_json() {
    let list = json!(["a`b", "<"]);
    let within = put(&["`", "`"], std::slice::from_ref(&list)).unwrap();
    assert_eq!(evaluated(&within), list, "{within}");
    let text = put(&["`\"", "\"`"], &[json!({"a": "\"`"})]).unwrap();
    assert_eq!(evaluated(&text), json!("{\"a\":\"\\\"`\"}"), "{text}");
    let raw = put(&["'", "'"], &[json!(["it's"])]).unwrap();
    assert_eq!(evaluated(&raw), json!("[\"it's\"]"), "{raw}");
    let number = put(&["[`7`][", "]"], &[json!(0)]).unwrap();
    assert_eq!(evaluated(&number), json!(7));
}

#[test]
fn between_backticks_a_text_is_one_value() {
    let parsed = put(&["`[", "]`"], &[json!(r#"{"a": "`"}"#)]).unwrap();
    assert_eq!(evaluated(&parsed), json!([{"a": "`"}]), "{parsed}");
    for text in ["1, 2", "1]`, here, `[2", "a", "", "1` || `2", "\"a"] {
        let refused = put(&["`[", "]`"], &[json!(text)]);
        assert!(matches!(refused, Err(InsertionError::NoJson(_))), "{text}");
    }
}

#[test]
fn outside_of_quotes_only_a_path_stands() {
    for text in [
        "a",
        "a.b",
        "spec.containers[0].image",
        "a[*].b[]",
        "-3",
        "12",
        "a_b",
        "",
    ] {
        let whole = put(&["x.", ""], &[json!(text)]);
        assert_eq!(whole.as_deref(), Ok(format!("x.{text}").as_str()));
    }
    let refused = [
        "a || here",
        "a|b",
        "a\"",
        "'a'",
        "`1`",
        "a(b)",
        "@",
        "a, b",
        "a[?b]",
        "a]",
        "[a]",
        "a b",
        "!a",
        "&a",
        "a\n.b",
        "ä",
    ];
    for text in refused {
        let whole = put(&["x.", ""], &[json!(text)]);
        assert!(matches!(whole, Err(InsertionError::NoPath(_))), "{text}");
    }
    for value in [json!([1]), json!({"a": "here"})] {
        let whole = put(&["x == ", ""], &[value]);
        assert_eq!(whole, Err(InsertionError::NoText));
    }
}

#[test]
fn long_texts_are_shown_cut() {
    let text = "é ".repeat(500);
    let refused = put(&["", ""], &[json!(text)]).unwrap_err();
    assert!(refused.to_string().len() < 250, "{refused}");
}
