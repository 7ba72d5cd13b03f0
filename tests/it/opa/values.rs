//! Arguments for the library's functions: what is read in many ways, and patterns of every kind.

use std::fs;

use regent_tests::workspace;
use serde_json::{Value, json};

/// Cases: a function and its arguments.
pub(super) fn cases() -> Vec<(&'static str, Vec<Value>)> {
    let text =
        fs::read_to_string(workspace().join("engine/src/rego/library/tests/values.json")).unwrap();
    let text: Value = serde_json::from_str(&text).unwrap();
    let listed = |what: &str| text[what].as_array().unwrap().clone();
    let (values, operators) = (listed("values"), listed("operators"));
    let patterns = [values.clone(), listed("leaves")].concat();
    let mut cases = Vec::new();
    for key in &values {
        for value in &values {
            for operator in &operators {
                let arguments = vec![key.clone(), operator.clone(), value.clone()];
                cases.push(("regent.condition", arguments));
            }
        }
        for pattern in &patterns {
            cases.push(("regent.scalar", vec![key.clone(), pattern.clone()]));
            cases.push(("regent.wildcard", vec![key.clone(), pattern.clone()]));
        }
    }
    // Every case takes OPA some tenth of a millisecond or more; a part of them stands for the rest.
    let mut random = Lcg(7);
    cases.retain(|_| random.next(6) == 0);
    for _ in 0..3_000 {
        let pattern = pattern(&mut random, 3);
        let value = resource(&mut random, 3);
        for function in ["regent.pattern", "regent.keys_missing"] {
            cases.push((function, vec![value.clone(), pattern.clone()]));
        }
    }
    cases
}

struct Lcg(u64);

impl Lcg {
    fn next(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.next(of.len())]
    }
}

const KEYS: [&str; 5] = ["a", "b", "metadata", "labels", "annotations"];

fn resource(random: &mut Lcg, depth: usize) -> Value {
    match random.next(if depth == 0 { 4 } else { 10 }) {
        0 => json!("x"),
        1 => json!(5),
        2 => Value::Null,
        3 => json!("1Gi"),
        4..8 => {
            let count = random.next(4);
            let field = |random: &mut Lcg| {
                let key = random.one(&KEYS).to_owned();
                (key, resource(random, depth - 1))
            };
            Value::Object((0..count).map(|_| field(random)).collect())
        }
        _ => {
            let count = random.next(3);
            Value::Array((0..count).map(|_| resource(random, depth - 1)).collect())
        }
    }
}

fn pattern(random: &mut Lcg, depth: usize) -> Value {
    match random.next(if depth == 0 { 5 } else { 12 }) {
        0 => json!("x"),
        1 => json!(random.one(&["*", "?*", "!x"])),
        2 => json!(5),
        3 => json!(">1"),
        4 => Value::Null,
        5..10 => {
            let count = random.next(4);
            let field = |random: &mut Lcg| {
                let key = random.one(&["a", "b", "metadata", "labels", "annotations", "l*", "?"]);
                let anchor = random.one(&["", "", "()", "=()", "X()", "^()", "<()", "+()"]);
                let key = match anchor {
                    "" => key.to_owned(),
                    anchor => anchor.replace("()", &format!("({key})")),
                };
                (key, pattern(random, depth - 1))
            };
            Value::Object((0..count).map(|_| field(random)).collect())
        }
        _ => {
            let count = random.next(3);
            Value::Array((0..count).map(|_| pattern(random, depth - 1)).collect())
        }
    }
}
