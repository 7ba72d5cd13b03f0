//! The engine's leaves against Kyverno's own verdicts, construct by construct: scalar patterns, operators, expressions.
//!
//! The data lies in `shared/conformance/oracle/language`; without it each test says so in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regent_engine::go_format;
use regent_engine::jmespath::{Environment, Expression};
use regent_engine::operator::{self, Operator};
use regent_engine::scalar::{self, Pattern};
use regent_tests::shared_path;
use serde_json::Value;

/// The oracle's files whose names start with `prefix`, parsed; none where the data is absent.
fn oracle(prefix: &str) -> Vec<(String, Value)> {
    let Some(folder) = shared_path("conformance/oracle/language") else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<(String, Value)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.to_owned();
            let text = name
                .starts_with(prefix)
                .then(|| fs::read_to_string(&path).expect("readable"))?;
            Some((name, serde_json::from_str(&text).expect("JSON")))
        })
        .collect();
    files.sort_by(|left, right| left.0.cmp(&right.0));
    files
}

/// One question of the oracle and Kyverno's answer.
struct Case<'a> {
    file: &'a str,
    rule: &'a Value,
    object: &'a Value,
    result: &'a str,
    message: &'a str,
}

fn cases(files: &[(String, Value)]) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    for (file, document) in files {
        let rules: BTreeMap<&str, &Value> = list(&document["policies"])
            .iter()
            .map(|policy| {
                (
                    policy["metadata"]["name"].as_str().expect("a name"),
                    &policy["spec"]["rules"][0],
                )
            })
            .collect();
        for resource in list(&document["resources"]) {
            for answer in list(&resource["results"]) {
                cases.push(Case {
                    file,
                    rule: rules[answer["policy"].as_str().expect("a policy")],
                    object: &resource["object"],
                    result: answer["result"].as_str().expect("a result"),
                    message: answer["message"].as_str().unwrap_or(""),
                });
            }
        }
    }
    cases
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Compares the differences found with the known ones, whose reasons stand beside them; one that vanished fails too.
fn settle(asked: usize, differences: &BTreeSet<String>, known: &[(&str, &str)]) {
    let known: BTreeSet<String> = known.iter().map(|(case, _)| (*case).to_owned()).collect();
    let new: Vec<&String> = differences.difference(&known).collect();
    let gone: Vec<&String> = known.difference(differences).collect();
    assert!(
        new.is_empty(),
        "{} of {asked} differ from Kyverno: {new:#?}",
        new.len()
    );
    assert!(
        asked == 0 || gone.is_empty(),
        "these agree now, take them off the list: {gone:#?}"
    );
}

#[test]
fn scalar_patterns() {
    let files = oracle("pattern-scalar");
    let (mut asked, mut differences) = (0, BTreeSet::new());
    for case in cases(&files) {
        let pattern = &case.rule["validate"]["pattern"]["spec"]["x"];
        let value = &case.object["spec"]["x"];
        if pattern.is_array() || pattern.is_object() || value.is_array() {
            continue;
        }
        asked += 1;
        let missing = case.object["spec"].get("x").is_none();
        // `*` on a key asks for presence before it is a pattern; the walk decides that, not the leaf.
        let ours = if pattern.as_str() == Some("*") {
            !value.is_null()
        } else {
            scalar::matches(&Pattern::parse(pattern), value)
        };
        if ours != (case.result == "pass") {
            let value = if missing {
                "(missing)".to_owned()
            } else {
                value.to_string()
            };
            differences.insert(format!(
                "{pattern} on {value}: {} {}",
                case.result, case.message
            ));
        }
    }
    settle(asked, &differences, &[]);
}

#[test]
fn conditions() {
    let files = oracle("condition");
    let (mut asked, mut differences) = (0, BTreeSet::new());
    for case in cases(&files) {
        let condition = &case.rule["validate"]["deny"]["conditions"]["all"][0];
        let name = condition["operator"].as_str().expect("an operator");
        let (Some(operator), Some(key)) = (Operator::parse(name), case.object["spec"].get("k"))
        else {
            continue;
        };
        assert_eq!(
            condition["key"], "{{ request.object.spec.k }}",
            "{}",
            case.file
        );
        asked += 1;
        let ours = match operator::evaluate(operator, key, &condition["value"]) {
            Ok(true) => "fail",
            Ok(false) => "pass",
            Err(_) => "error",
        };
        if ours != case.result {
            differences.insert(format!(
                "{key} {name} {}: {} {}",
                condition["value"], case.result, case.message
            ));
        }
    }
    settle(asked, &differences, &[]);
}

const ENVIRONMENT: Environment = Environment {
    seconds: 1_700_000_000,
    nanoseconds: 0,
    seed: 1,
};

fn expression(text: &str, object: &Value) -> Result<Value, String> {
    let scope = serde_json::json!({"request": {"object": object, "operation": "CREATE"}});
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    let value = expression.evaluate(&scope, &ENVIRONMENT);
    value
        .map(std::borrow::Cow::into_owned)
        .map_err(|error| error.to_string())
}

/// The message says the value's type and text; it is empty where there is no value.
#[test]
fn values_of_expressions() {
    let files = oracle("jmespath");
    let (mut asked, mut differences) = (0, BTreeSet::new());
    for case in cases(&files) {
        let Some(text) = case.rule["context"][0]["variable"]["jmesPath"].as_str() else {
            continue;
        };
        asked += 1;
        let value = expression(text, case.object);
        let said = value
            .as_ref()
            .ok()
            .filter(|value| !value.is_null())
            .map_or_else(String::new, |value| {
                let shown = |function: &str| {
                    let expression = Expression::parse(&format!("{function}(@)")).expect("parses");
                    let value = expression
                        .evaluate(value, &ENVIRONMENT)
                        .expect("has a value");
                    value.as_str().expect("a text").to_owned()
                };
                format!("{} {}", shown("type"), shown("to_string"))
            });
        if said != case.message {
            differences.insert(format!(
                "{text} on {}: {:?}, not {said:?}",
                case.object["metadata"]["name"], case.message
            ));
        }
    }
    settle(asked, &differences, &[]);
}

/// The expression stands in a message and in a condition: error texts show, too.
#[test]
fn expressions_in_place() {
    let files = oracle("jmespath");
    let (mut asked, mut differences) = (0, BTreeSet::new());
    for case in cases(&files) {
        let Some(key) = case.rule["validate"]["deny"]["conditions"]["any"][0]["key"].as_str()
        else {
            continue;
        };
        let text = key.trim_start_matches("{{").trim_end_matches("}}").trim();
        asked += 1;
        let said = match expression(text, case.object) {
            Err(error) => format!(
                "error failed to check deny conditions: failed to substitute variables in condition key: failed to resolve {text} at path : {}{error}",
                if Expression::parse(text).is_ok() {
                    "JMESPath query failed: "
                } else {
                    ""
                }
            ),
            Ok(value) => {
                match operator::evaluate(Operator::NotEquals, &value, &Value::from("\u{1}")) {
                    Ok(true) => format!(
                        "fail is {} ok",
                        value
                            .as_str()
                            .map_or_else(|| go_format::json(&value), str::to_owned)
                    ),
                    _ => "pass validation rule 'r' passed.".to_owned(),
                }
            }
        };
        let theirs = format!("{} {}", case.result, case.message);
        if said != theirs {
            differences.insert(format!(
                "{text} on {}: {theirs:?}, not {said:?}",
                case.object["metadata"]["name"]
            ));
        }
    }
    let known = [
        (
            r#"avg(request.object.spec.emptyl) on "r0": "fail ", not "error failed to check deny conditions: failed to substitute variables in condition key: failed to resolve avg(request.object.spec.emptyl) at path : JMESPath query failed: json: unsupported value: the result is no finite number""#,
            "0/0 is no number in JSON: Kyverno carries it into the condition and loses its message there",
        ),
        (
            r#"request.object.spec.m.* on "r0": "fail is [\"v1\",2] ok", not "fail is [2,\"v1\"] ok""#,
            "the values of a map come in Go's random order; ours in the order of the keys",
        ),
    ];
    settle(asked, &differences, &known);
}
