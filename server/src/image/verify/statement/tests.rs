use serde_json::json;

use super::*;

const IMAGE: &str = "abababababababababababababababababababababababababababababababab";

fn read(statement: &Value) -> Result<Statement, Refusal> {
    Statement::read(statement.to_string().as_bytes(), IMAGE)
}

fn about(subjects: &Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://example.org/x",
        "predicate": { "a": 1 },
    })
}

#[test]
fn one_subject_that_is_the_image_is_enough() {
    let subjects = json!([
        { "name": "other", "digest": { "sha256": "cd".repeat(32) } },
        { "name": "this", "digest": { "sha1": "00", "sha256": IMAGE }, "annotations": { "a": "b" } },
    ]);
    let statement = read(&about(&subjects)).unwrap();
    assert_eq!(statement.annotations, json!({ "a": "b" }));
}

#[test]
fn statements_about_anything_else_are_refused() {
    let upper = IMAGE.to_uppercase();
    for subjects in [
        json!([]),
        json!([{ "name": IMAGE }]),
        json!([{ "digest": { "sha512": IMAGE } }]),
        json!([{ "digest": { "sha256": upper } }]),
        json!([{ "digest": { "sha256": [IMAGE] } }]),
        json!([{ "digest": { "sha256": format!("{IMAGE}\0") } }]),
    ] {
        assert!(
            matches!(read(&about(&subjects)), Err(Refusal::OtherSubject(_))),
            "{subjects}"
        );
    }
}

#[test]
fn limits_and_types_are_kept() {
    let subject = json!({ "digest": { "sha256": IMAGE } });
    let many = |count| read(&about(&vec![subject.clone(); count].into()));
    assert!(many(MAX_SUBJECTS).is_ok());
    assert!(matches!(
        many(MAX_SUBJECTS + 1),
        Err(Refusal::TooMany {
            what: "subjects",
            ..
        })
    ));
    let digests: Map<_, _> = (0..=MAX_DIGESTS)
        .map(|n| (n.to_string(), json!("x")))
        .collect();
    let refused = read(&about(&json!([{ "digest": digests }])));
    assert!(matches!(
        refused,
        Err(Refusal::TooMany {
            what: "digests of a subject",
            ..
        })
    ));
    let mut other = about(&json!([subject]));
    other["_type"] = json!("https://in-toto.io/Statement/v2");
    assert!(matches!(read(&other), Err(Refusal::StatementType(_))));
    assert!(matches!(
        Statement::read(b"[", IMAGE),
        Err(Refusal::Malformed("statement", _))
    ));
    assert_eq!(
        claimed_type(b"{\"predicateType\":\"a\\nb\"}").as_deref(),
        Some("a b")
    );
}

#[test]
fn what_takes_far_more_memory_than_text_is_refused() {
    let small = vec![r#"{"digest":{"sha1":{}}}"#; 20_000].join(",");
    let text = |subjects: &str| {
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{subjects}]}}"#
        )
    };
    let refused = Statement::read(text(&small).as_bytes(), IMAGE);
    assert!(matches!(
        refused,
        Err(Refusal::TooLarge {
            what: "statement's subjects",
            ..
        })
    ));
    let small = vec![r#"{"":0}"#; 1_000].join(",");
    let written = format!(r#"{{"digest":{{"sha256":"{IMAGE}"}},"annotations":[{small}]}}"#);
    let refused = Statement::read(text(&written).as_bytes(), IMAGE);
    assert!(matches!(
        refused,
        Err(Refusal::TooLarge {
            what: "subject's annotations",
            ..
        })
    ));
}
