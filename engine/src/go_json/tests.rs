use super::{complaint, with_whole_characters};

#[test]
fn what_is_json_is_not_complained_of() {
    for text in [
        "null",
        " [1, -0.5e+3, \"a\\u00e9\", {\"a\": {}, \"b\": []}] \n",
        "0",
        "\"é\"",
        &"[".repeat(9_000).replace('[', "[1,"),
    ] {
        let complaint = complaint(text);
        assert!(
            complaint.is_none() || complaint.as_deref() == Some("unexpected end of JSON input"),
            "{complaint:?}"
        );
    }
}

#[test]
fn complaints_are_those_of_go() {
    for (text, said) in [
        ("", "unexpected end of JSON input"),
        ("{\"a\": ", "unexpected end of JSON input"),
        ("\"a", "unexpected end of JSON input"),
        (
            "tea",
            "invalid character 'e' in literal true (expecting 'r')",
        ),
        (
            "{\"a\": \"b\"}\n:latest",
            "invalid character ':' after top-level value",
        ),
        (
            "plain",
            "invalid character 'p' looking for beginning of value",
        ),
        (
            "{a: 1}",
            "invalid character 'a' looking for beginning of object key string",
        ),
        (
            "{\"a\":1,}",
            "invalid character '}' looking for beginning of object key string",
        ),
        ("{\"a\" 1}", "invalid character '1' after object key"),
        (
            "{\"a\":1 2}",
            "invalid character '2' after object key:value pair",
        ),
        ("[1 2]", "invalid character '2' after array element"),
        ("01", "invalid character '1' after top-level value"),
        ("-x", "invalid character 'x' in numeric literal"),
        (
            "1.x",
            "invalid character 'x' after decimal point in numeric literal",
        ),
        (
            "1e+'",
            "invalid character '\\'' in exponent of numeric literal",
        ),
        ("\"\\q\"", "invalid character 'q' in string escape code"),
        (
            "\"\\u12g4\"",
            "invalid character 'g' in \\u hexadecimal character escape",
        ),
        ("\"a\nb\"", "invalid character '\\n' in string literal"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
    ] {
        assert_eq!(complaint(text).as_deref(), Some(said), "{text}");
    }
}

#[test]
fn a_reader_of_go_ends_a_text_with_a_blank() {
    for (text, said) in [
        (
            "tru",
            "invalid character ' ' in literal true (expecting 'e')",
        ),
        ("[-", "invalid character ' ' in numeric literal"),
        (
            "1.",
            "invalid character ' ' after decimal point in numeric literal",
        ),
        (
            "1e+",
            "invalid character ' ' in exponent of numeric literal",
        ),
        ("\"\\", "invalid character ' ' in string escape code"),
        (
            "\"\\u1",
            "invalid character ' ' in \\u hexadecimal character escape",
        ),
    ] {
        assert_eq!(complaint(text).as_deref(), Some(said), "{text}");
    }
}

#[test]
fn half_a_character_is_replaced() {
    for (json, read) in [
        (r#""\ud800""#, "\u{fffd}"),
        (r#""\udc00x""#, "\u{fffd}x"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\\ud800""#, "\\ud800"),
        (r#""é\n\u0041""#, "é\nA"),
    ] {
        let whole = with_whole_characters(json);
        assert_eq!(
            serde_json::from_str::<String>(&whole).unwrap(),
            read,
            "{json}"
        );
    }
}
