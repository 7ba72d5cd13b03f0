use serde_json::{Value, json};

use super::{Operator, OperatorError, evaluate};

fn check(operator: &str, holding: &[(Value, Value)], failing: &[(Value, Value)]) {
    let parsed = Operator::parse(operator).unwrap();
    for (key, value) in holding {
        assert_eq!(
            evaluate(parsed, key, value),
            Ok(true),
            "{key} {operator} {value}"
        );
    }
    for (key, value) in failing {
        assert_eq!(
            evaluate(parsed, key, value),
            Ok(false),
            "{key} {operator} {value}"
        );
    }
}

#[test]
fn names_are_looked_up_in_any_case() {
    assert_eq!(Operator::parse("eQuals"), Some(Operator::Equals));
    assert_eq!(Operator::parse("greaterthan"), Some(Operator::Miscased));
    assert_eq!(Operator::parse("Greater"), None);
    for name in [
        "Equals",
        "NotEquals",
        "In",
        "NotIn",
        "AnyIn",
        "AllNotIn",
        "LessThan",
        "DurationLessThanOrEquals",
    ] {
        assert_eq!(Operator::parse(name).map(Operator::name), Some(name));
    }
    check("greaterthan", &[], &[(json!(5), json!(1))]);
}

#[test]
fn equality_is_not_symmetric() {
    check(
        "Equals",
        &[
            (json!("abc"), json!("a*")),
            (json!("1h"), json!("60m")),
            (json!("10s"), json!(10)),
            (json!("1Gi"), json!("1024Mi")),
            (json!(5), json!("5")),
            (json!([1, {"a": 2}]), json!([1.0, {"a": 2}])),
        ],
        &[
            (json!("a*"), json!("abc")),
            (json!(null), json!(null)),
            (json!("1"), json!("x")),
            (json!(true), json!("true")),
        ],
    );
    check(
        "NotEquals",
        &[
            (json!("abc"), json!("b*")),
            (json!("1"), json!("")),
            (json!(true), json!("true")),
            (json!({}), json!(null)),
        ],
        &[
            (json!(null), json!("x")),
            (json!("1"), json!("x")),
            (json!("abc"), json!("a*")),
        ],
    );
}

#[test]
fn membership() {
    let list = json!(["a*", "b"]);
    check(
        "AnyIn",
        &[
            (json!("ax"), list.clone()),
            (json!(["c", "b"]), list.clone()),
            (json!(5), json!("1-10")),
            (json!(["x"]), json!("x")),
        ],
        &[
            (json!("c"), list.clone()),
            (json!([]), list.clone()),
            (json!("x"), json!(null)),
        ],
    );
    check(
        "AllIn",
        &[
            (json!([]), list.clone()),
            (json!(["ab", "b"]), list.clone()),
            (json!([1, 2]), json!("1-3")),
        ],
        &[(json!(["ab", "c"]), list.clone()), (json!([1]), json!(1))],
    );
    check(
        "AnyNotIn",
        &[
            (json!(["b", "c"]), list.clone()),
            (json!([5, 20]), json!("1-10")),
            (json!("z"), json!("[\"b\"]")),
        ],
        &[(json!([]), list.clone()), (json!("x"), json!({}))],
    );
    check(
        "AllNotIn",
        &[(json!(["c", "d"]), list.clone()), (json!([]), list.clone())],
        &[
            (json!(["c", "b"]), list.clone()),
            (json!(["a"]), json!(null)),
        ],
    );
    check(
        "In",
        &[(json!(["b"]), list.clone()), (json!("ax"), list.clone())],
        &[(json!(["ax"]), list.clone())],
    );
    assert_eq!(
        evaluate(Operator::In, &json!([1]), &list),
        Err(OperatorError::KeyIsNoListOfStrings("In"))
    );
}

#[test]
fn order() {
    check(
        "GreaterThan",
        &[
            (json!(5), json!(4)),
            (json!("1h"), json!(60)),
            (json!("1Gi"), json!("1G")),
            (json!("10"), json!("9s")),
            (json!("1.10.0"), json!("1.9.0")),
            (json!("1e3"), json!(5)),
        ],
        &[
            (json!("a"), json!("b")),
            (json!(true), json!(false)),
            (json!(5), json!("x")),
            (json!(5), json!(5)),
        ],
    );
    check(
        "DurationLessThan",
        &[(json!("1m"), json!(61)), (json!(5), json!("1m"))],
        &[(json!("x"), json!("1m"))],
    );
}
