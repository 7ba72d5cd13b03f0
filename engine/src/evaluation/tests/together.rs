//! What is judged together is judged as alone, and by bytecode as by the interpreter: the evaluation with second opinion
//! says so where it is not.

use serde_json::{Map, Value, json};

use super::*;
use crate::pattern::{Status, walk};

/// The same numbers each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("fits") % sides
    }

    pub(super) fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())].clone()
    }
}

const KEYS: [&str; 6] = ["a", "b", "c", "labels", "metadata", "e-f"];

fn leaf(dice: &mut Dice) -> Value {
    dice.one_of(&[
        json!("x"),
        json!("x | y"),
        json!("!x"),
        json!("x*"),
        json!("*"),
        json!("?*"),
        json!(">1 & <5"),
        json!("1Mi"),
        json!(""),
        json!("null"),
        json!(true),
        json!(false),
        json!(0),
        json!(3),
        json!(1.5),
        json!("0"),
        json!(null),
    ])
}

fn pattern(dice: &mut Dice, depth: usize, anchors: &[&str]) -> Value {
    match dice.roll(if depth == 0 { 1 } else { 5 }) {
        0 | 1 => leaf(dice),
        2 => {
            let item = if dice.roll(3) == 0 {
                leaf(dice)
            } else {
                map(dice, depth - 1, anchors)
            };
            json!([item])
        }
        _ => map(dice, depth - 1, anchors),
    }
}

fn map(dice: &mut Dice, depth: usize, anchors: &[&str]) -> Value {
    let mut entries = Map::new();
    for _ in 0..=dice.roll(3) {
        let key = dice.one_of(&KEYS);
        let anchor = dice.one_of(anchors);
        let key = match anchor {
            "" => key.to_owned(),
            "()" => format!("({key})"),
            other => format!("{other}({key})"),
        };
        entries.insert(key, pattern(dice, depth, anchors));
    }
    Value::Object(entries)
}

/// Something that a pattern may be about: as it says more often than by chance.
fn value(dice: &mut Dice, pattern: &Value, depth: usize) -> Value {
    if depth == 0 || dice.roll(8) == 0 {
        return dice.one_of(&[
            json!("x"),
            json!("y"),
            json!(null),
            json!(0),
            json!(3),
            json!("3"),
            json!(true),
            json!(false),
            json!([]),
            json!({}),
            json!(["x", "x"]),
            json!([{"a": "x"}]),
            json!({"a": "x"}),
            json!(1_048_576),
            json!(""),
        ]);
    }
    match pattern {
        Value::Object(entries) => {
            let mut fields = Map::new();
            for (key, below) in entries {
                let bare = key.trim_start_matches(['=', 'X', '<', '^']);
                let bare = bare.trim_matches(['(', ')']);
                if dice.roll(4) != 0 {
                    fields.insert(bare.to_owned(), value(dice, below, depth - 1));
                }
            }
            Value::Object(fields)
        }
        Value::Array(items) => {
            let first = items.first().cloned().unwrap_or(Value::Null);
            let items = (0..dice.roll(3)).map(|_| value(dice, &first, depth - 1));
            Value::Array(items.collect())
        }
        Value::String(text) => json!(text.split(" | ").last()),
        leaf => leaf.clone(),
    }
}

pub(super) fn policy(name: &str, matches: &Value, more: &Value) -> Value {
    let mut rule = json!({"name": "r", "match": matches});
    let fields = rule.as_object_mut().expect("a map");
    fields.extend(more.as_object().expect("a map").clone());
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": name},
        "spec": {"background": false, "rules": [rule]},
    })
}

pub(super) fn loaded(policies: &[Value]) -> Arc<PolicySet> {
    let text: Vec<String> = policies.iter().map(Value::to_string).collect();
    let source = Source::new("policy.yaml", text.join("\n---\n"));
    let loaded = load(&[source], &Environment::default());
    let errors = loaded.diagnostics.iter().filter(|one| one.is_error());
    let errors: Vec<&str> = errors.map(|one| one.message.as_str()).collect();
    assert_eq!(
        loaded.policies.policies().len(),
        policies.len(),
        "{errors:?}"
    );
    loaded.policies
}

fn matching(dice: &mut Dice) -> Value {
    let resources = |fields: Value| json!({"any": [{"resources": fields}]});
    dice.one_of(&[
        resources(json!({"kinds": ["Widget"]})),
        resources(json!({"kinds": ["Widget"], "namespaces": ["production"]})),
        resources(json!({"kinds": ["Widget"], "namespaces": ["team-*", "x"]})),
        resources(json!({"kinds": ["Widget"], "selector": {"matchLabels": {"app": "web"}}})),
        resources(json!({"kinds": ["Widget", "Gadget"], "names": ["w*"]})),
        json!({"all": [{"resources": {"kinds": ["Widget"]}}, {"subjects": [{"kind": "User", "name": "u"}]}]}),
    ])
}

fn condition(dice: &mut Dice) -> Value {
    let key = dice.one_of(&[
        "{{ request.object.spec.a }}",
        "{{ request.object.spec.b || 'none' }}",
        "{{ request.object.metadata.name }}",
        "{{ request.object.spec.c | length(@) }}",
        "x",
    ]);
    let operator = dice.one_of(&["Equals", "NotEquals", "AnyIn", "GreaterThan"]);
    let value = dice.one_of(&[
        json!("x"),
        json!("w1"),
        json!(["x", "y"]),
        json!(1),
        json!("{{ request.object.spec.a }}"),
    ]);
    json!({"key": key, "operator": operator, "value": value})
}

fn conditions(dice: &mut Dice) -> Value {
    let list =
        |dice: &mut Dice| -> Vec<Value> { (0..dice.roll(3)).map(|_| condition(dice)).collect() };
    let (some, more) = (list(dice), list(dice));
    match dice.roll(4) {
        0 => json!({"any": some}),
        1 => json!({"all": some}),
        2 => json!({"any": some, "all": more}),
        _ => json!(some),
    }
}

fn validate(dice: &mut Dice) -> Value {
    const PLAIN: [&str; 4] = ["", "", "=", "X"];
    const ALL: [&str; 7] = ["", "=", "X", "()", "^", "<", ""];
    let anchors: &[&str] = if dice.roll(3) == 0 { &ALL } else { &PLAIN };
    let one = |dice: &mut Dice| json!({"spec": pattern(dice, 3, anchors)});
    let body = match dice.roll(4) {
        0 => json!({"anyPattern": [one(dice), one(dice)]}),
        1 => json!({"deny": {"conditions": conditions(dice)}}),
        _ => json!({"pattern": one(dice)}),
    };
    let mut rule = json!({"validate": body});
    if dice.roll(3) == 0 {
        rule["preconditions"] = conditions(dice);
    }
    rule
}

fn widget(spec: &Value) -> AdmissionRequest {
    let labels = json!({"app": "web"});
    let metadata = json!({"name": "w1", "namespace": "production", "labels": labels});
    request(
        "Widget",
        json!({"apiVersion": "v1", "kind": "Widget", "metadata": metadata, "spec": spec}),
    )
}

#[test]
fn random_policies_are_judged_together_as_alone() {
    let mut dice = Dice(1);
    let mut counts = [0; 4];
    for _ in 0..10 {
        let rules: Vec<Value> = (0..20).map(|_| validate(&mut dice)).collect();
        let policies: Vec<Value> = rules
            .iter()
            .enumerate()
            .map(|(index, rule)| policy(&format!("p{index}"), &matching(&mut dice), rule))
            .collect();
        let set = loaded(&policies);
        for rule in &rules {
            let near = ["/validate/pattern/spec", "/validate/anyPattern/0/spec"];
            let near = near.into_iter().find_map(|place| rule.pointer(place));
            let spec = value(
                &mut dice,
                near.unwrap_or(&json!({"a": 1, "b": 1, "c": 1})),
                4,
            );
            let request = widget(&spec);
            let (_, answers) = evaluate(&set, &request, Phase::Validate, &no_facts);
            for (status, message) in answers {
                assert!(
                    !message.contains("judged with others") && !message.contains("bytecode says"),
                    "{message}\n{spec}\n{rule}"
                );
                let place = match status {
                    RuleStatus::Pass => 0,
                    RuleStatus::Fail => 1,
                    RuleStatus::Skip => 2,
                    _ => 3,
                };
                counts[place] += 1;
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 40), "{counts:?}");
}

/// The other walk of a pattern, which explains, says the same of plain patterns.
#[test]
fn random_plain_patterns_are_judged_as_walked() {
    let mut dice = Dice(7);
    let mut counts = [0; 2];
    for _ in 0..25 {
        let patterns: Vec<Value> = (0..8)
            .map(|_| json!({"spec": pattern(&mut dice, 4, &["", "=", "=", "X"])}))
            .collect();
        let matches = json!({"any": [{"resources": {"kinds": ["Widget"]}}]});
        let policies: Vec<Value> = patterns
            .iter()
            .enumerate()
            .map(|(index, pattern)| {
                let rule = json!({"validate": {"pattern": pattern}});
                policy(&format!("p{index}"), &matches, &rule)
            })
            .collect();
        let set = loaded(&policies);
        for near in &patterns {
            let spec = value(&mut dice, &near["spec"], 5);
            let request = widget(&spec);
            let object = request.object.clone().expect("an object");
            let (_, rules) = evaluate(&set, &request, Phase::Validate, &no_facts);
            for (pattern, (status, message)) in patterns.iter().zip(rules) {
                let expected = match walk(pattern, &object).map_err(|mismatch| mismatch.status) {
                    Ok(()) => RuleStatus::Pass,
                    Err(Status::Fail | Status::Forbidden) => RuleStatus::Fail,
                    Err(Status::Skip | Status::Nested) => RuleStatus::Skip,
                    Err(Status::Broken) => RuleStatus::Error,
                };
                assert_eq!(status, expected, "{message}\n{pattern}\n{object}");
                counts[usize::from(status == RuleStatus::Fail)] += 1;
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}
