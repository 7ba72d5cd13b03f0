use serde_json::Value;

use super::{Weight, of};

fn weighed(text: &str) -> usize {
    serde_json::from_str::<Weight>(text).unwrap().0
}

#[test]
fn a_text_weighs_what_its_value_weighs() {
    for text in [
        "null",
        "true",
        "1",
        "-1",
        "1.5",
        r#""""#,
        r#""a\u0041\n""#,
        "[]",
        "[1,[2],[]]",
        "{}",
        r#"{"":0}"#,
        r#"{"a":{"b":[1,2,3,4,5]},"c":"text","d":null}"#,
        r#"[{"a":1},{"a":1},{"a":1},{"a":1},{"a":1}]"#,
        r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1}"#,
    ] {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(weighed(text), of(&value), "{text}");
    }
}

#[test]
fn small_maps_weigh_far_more_than_their_text() {
    let maps = vec![r#"{"":0}"#; 1_000].join(",");
    let text = format!("[{maps}]");
    assert!(weighed(&text) > 80 * text.len());
}

#[test]
fn what_is_no_json_has_no_weight() {
    for text in ["", "[", "{\"a\"}", "1 2", "nul"] {
        serde_json::from_str::<Weight>(text).unwrap_err();
    }
    // As deep as values may be, and no deeper.
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    serde_json::from_str::<Weight>(&deep(127)).unwrap();
    serde_json::from_str::<Weight>(&deep(200)).unwrap_err();
}
