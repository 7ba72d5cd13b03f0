use super::{parse, write};

fn again(text: &str) -> Option<String> {
    parse(text.as_bytes()).map(|document| write(&document))
}

#[test]
fn terms_are_read_and_written() {
    for text in [
        "null",
        "true",
        "-12",
        "1.5",
        "\"a \\\"b\\\" {\"",
        "[]",
        "[1,[2]]",
        "{}",
        "{\"a\":{\"b\":1}}",
        "set()",
        "{1,2}",
        "{\"a\",[\"b\"]}",
        "{\"a\":set()}",
    ] {
        assert_eq!(again(text).as_deref(), Some(text), "{text}");
    }
    assert_eq!(again(" { 1 , 2 } ").as_deref(), Some("{1,2}"));
}

#[test]
fn what_is_no_term_is_none() {
    for text in ["", "{", "[1", "{1:", "{1,}", "set(", "[1] 2", "x"] {
        assert_eq!(again(text), None, "{text}");
    }
    assert_eq!(parse("[".repeat(100_000).as_bytes()), None);
}
