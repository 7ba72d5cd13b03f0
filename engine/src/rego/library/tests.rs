use std::collections::BTreeSet;

use regorus::{Engine, Value};
use serde_json::json;

use super::super::builtins::BUILTINS;
use super::super::evaluate::{from_json, to_json};

/// Calls each function for each case in one evaluation.
const CALLS: &str = "package calls

import data.regent
import rego.v1

answer(\"regent.scalar\", of) := regent.scalar(of[0], of[1])

answer(\"regent.wildcard\", of) := regent.wildcard(of[0], of[1])

answer(\"regent.condition\", of) := regent.condition(of[0], of[1], of[2])

answer(\"regent.pattern\", of) := regent.pattern(of[0], of[1])

answer(\"regent.keys_missing\", of) := regent.keys_missing(of[0], of[1])

answers := [one |
	some case in input
	one := {\"case\": case, \"answer\": answer(case[0], case[1])}
]
";

/// The cases whose answer in Rego is another than the host function's, or none.
fn differences(cases: &[(&str, Vec<serde_json::Value>)]) -> Vec<String> {
    let mut engine = Engine::new();
    for (name, text) in [
        ("regent.rego", super::text()),
        ("calls.rego", CALLS.to_owned()),
    ] {
        engine.add_policy(name.to_owned(), text).expect("parses");
    }
    let input: Vec<Value> = cases.iter().map(|case| from_json(&json!(case))).collect();
    engine.set_input(Value::from(input));
    let answers = engine
        .eval_rule("data.calls.answers".to_owned())
        .expect("runs");
    let answers = to_json(&answers).expect("JSON");
    let answers: BTreeSet<String> = answers
        .as_array()
        .expect("a list")
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut found = Vec::new();
    for (name, arguments) in cases {
        let builtin = BUILTINS
            .iter()
            .find(|builtin| builtin.name == *name)
            .expect("known");
        let answer = builtin.answer(arguments);
        let line = json!({"case": (name, arguments), "answer": answer}).to_string();
        if !answers.contains(&line) {
            found.push(line);
        }
    }
    found
}

/// Some of all cases, other ones for each of the tests.
fn sample(
    function: &str,
    seed: u64,
    make: impl Fn(&mut dyn FnMut(usize) -> usize) -> Vec<serde_json::Value>,
) {
    let mut state = seed;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % bound
    };
    let cases: Vec<_> = (0..CASES).map(|_| (function, make(&mut next))).collect();
    let found = differences(&cases);
    assert!(
        found.is_empty(),
        "{} of {}: {found:#?}",
        found.len(),
        cases.len()
    );
}

/// The interpreter takes a millisecond or more for each; `tests/it/opa.rs` asks OPA many more.
const CASES: usize = 400;

#[test]
fn conditions_agree_with_the_host_function() {
    let (values, operators) = (listed("values"), listed("operators"));
    sample("regent.condition", 3, |next| {
        let (key, value) = (&values[next(values.len())], &values[next(values.len())]);
        vec![
            key.clone(),
            operators[next(operators.len())].clone(),
            value.clone(),
        ]
    });
}

#[test]
fn scalars_and_wildcards_agree_with_the_host_functions() {
    let values = listed("values");
    let patterns = [values.clone(), listed("leaves")].concat();
    for function in ["regent.scalar", "regent.wildcard"] {
        sample(function, 5, |next| {
            vec![
                values[next(values.len())].clone(),
                patterns[next(patterns.len())].clone(),
            ]
        });
    }
}

/// Values that are read in many ways, and patterns and operators for them; `tests/it/opa.rs` takes the same.
fn listed(what: &str) -> Vec<serde_json::Value> {
    let listed: serde_json::Value =
        serde_json::from_str(include_str!("tests/values.json")).expect("JSON");
    listed[what].as_array().expect("a list").clone()
}
