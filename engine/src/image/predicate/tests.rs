use std::sync::Arc;

use serde_json::{Value, json};

use super::{KEPT, Kept, MAX_PREDICATE, Predicate, PredicateError};

fn of(statement: &str) -> Result<Predicate, PredicateError> {
    let mut left = KEPT;
    Predicate::of_statement(&Arc::from(statement.as_bytes()), &mut left)
}

#[test]
fn a_small_predicate_is_kept_as_it_is_read_and_a_large_one_as_its_text() {
    let small = of(r#"{"predicate":{"a":1}}"#).unwrap();
    assert!(matches!(small.0, Kept::Value(_)));
    assert_eq!(*small.value().unwrap(), json!({"a": 1}));

    let many = vec![r#"{"a":1}"#; 10_000];
    let large = of(&format!(r#"{{"predicate":[{}]}}"#, many.join(","))).unwrap();
    assert!(matches!(large.0, Kept::Statement(..)));
    assert_eq!(large.weight(), 0);
    assert_eq!(
        *large.value().unwrap(),
        Value::from(vec![json!({"a": 1}); 10_000])
    );
}

#[test]
fn a_predicate_that_would_take_too_much_is_refused_before_it_is_read() {
    let maps = MAX_PREDICATE / 600;
    let text = format!(r#"{{"predicate":[{}]}}"#, vec![r#"{"":0}"#; maps].join(","));
    assert!(text.len() < 1 << 20);
    assert!(matches!(of(&text), Err(PredicateError::TooLarge)));
}

#[test]
fn a_statement_without_predicate_says_nothing() {
    assert_eq!(*of("{}").unwrap().value().unwrap(), Value::Null);
    assert!(matches!(of("["), Err(PredicateError::Malformed(_))));
    assert!(matches!(
        of(r#"{"predicate":1,"predicate":2}"#),
        Err(PredicateError::Malformed(_))
    ));
}

#[test]
fn the_predicates_of_an_image_share_what_is_kept_as_it_is_read() {
    let text = format!(r#"{{"predicate":"{}"}}"#, "x".repeat(1_000));
    let statement: Arc<[u8]> = Arc::from(text.as_bytes());
    let mut left = 2_500;
    let mut next = || Predicate::of_statement(&statement, &mut left).unwrap();
    let kept = [next(), next(), next()].map(|one| matches!(one.0, Kept::Value(_)));
    assert_eq!(kept, [true, true, false]);
}
