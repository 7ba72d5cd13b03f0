use super::complaint;

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
