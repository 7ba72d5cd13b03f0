//! The index of candidates leaves out no rule whose program says that it is about a request.

use std::collections::BTreeSet;

use super::super::documents::Documents;
use super::together::{Dice, loaded, policy};
use super::*;
use crate::limits;
use crate::program::{RuleKey, SELECTED};
use crate::rego::evaluate::{Document, Machine, Opinion};

const NAMESPACES: [&str; 4] = ["production", "team-a", "team-b", ""];

fn filter(dice: &mut Dice) -> Value {
    let mut resources = serde_json::Map::new();
    let kinds = [
        json!(["Pod"]),
        json!(["Pod", "Deployment"]),
        json!(["Namespace"]),
        json!(["*"]),
        json!(["*/*"]),
        json!(["Pod/exec"]),
        json!(["apps/v1/Deployment"]),
        json!(["ClusterRole", "Depl*"]),
    ];
    resources.insert("kinds".into(), dice.one_of(&kinds));
    let namespaces = [
        json!(["production"]),
        json!(["team-a", "production"]),
        json!(["team-*"]),
        json!(["team-?", "production"]),
        json!(["*"]),
        json!([""]),
        json!(["web"]),
    ];
    if dice.roll(3) > 0 {
        resources.insert("namespaces".into(), dice.one_of(&namespaces));
    }
    let names = [json!(["web"]), json!(["w*"]), json!(["production"])];
    if dice.roll(4) == 0 {
        resources.insert("names".into(), dice.one_of(&names));
    }
    let operations = [json!(["CREATE"]), json!(["DELETE", "UPDATE"])];
    if dice.roll(3) == 0 {
        resources.insert("operations".into(), dice.one_of(&operations));
    }
    json!({"resources": resources})
}

fn matching(dice: &mut Dice) -> Value {
    let filters: Vec<Value> = (0..=dice.roll(2)).map(|_| filter(dice)).collect();
    match dice.roll(3) {
        0 => json!({"all": filters}),
        1 => filters[0].clone(),
        _ => json!({"any": filters}),
    }
}

fn asked(dice: &mut Dice) -> AdmissionRequest {
    let kinds = ["Pod", "Deployment", "Namespace", "ClusterRole", "CronJob"];
    let (kind, namespace) = (dice.one_of(&kinds), dice.one_of(&NAMESPACES));
    let name = dice.one_of(&["web", "production", "team-a", "other"]);
    let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
    let mut request = request(kind, object);
    let scoped = !matches!(kind, "Namespace" | "ClusterRole");
    request.namespace = (scoped && !namespace.is_empty()).then(|| namespace.to_owned());
    request.operation = dice.one_of(&[Operation::Create, Operation::Update, Operation::Delete]);
    if request.operation != Operation::Create {
        request.old_object.clone_from(&request.object);
    }
    if request.operation == Operation::Delete {
        request.object = None;
    }
    request.sub_resource = (dice.roll(4) == 0).then(|| "exec".to_owned());
    request
}

/// What the rules' own programs say, each asked.
fn selected(set: &PolicySet, request: &Arc<AdmissionRequest>) -> BTreeSet<RuleKey> {
    let input = Documents::new(request).input(None, Document::list([]));
    let mut machine = Machine::new(Opinion::Bytecode, limits::PROGRAM);
    let mut found = BTreeSet::new();
    for (policy, one) in set.policies().iter().enumerate() {
        for (index, rule) in one.rules.iter().enumerate() {
            let answer = machine.run(&rule.program, SELECTED, &input).expect("runs");
            if answer.expect("an answer").as_text() == Some("match") {
                found.insert((policy, index));
            }
        }
    }
    found
}

#[test]
fn what_a_program_selects_is_a_candidate() {
    let mut dice = Dice(3);
    let body = json!({"validate": {"pattern": {"metadata": {"name": "?*"}}}});
    let (mut all, mut candidates, mut found) = (0, 0, 0);
    for _ in 0..8 {
        let policies: Vec<Value> = (0..30)
            .map(|index| {
                let mut policy = policy(&format!("p{index}"), &matching(&mut dice), &body);
                if dice.roll(4) == 0 {
                    policy["kind"] = json!("Policy");
                    policy["metadata"]["namespace"] = json!(dice.one_of(&NAMESPACES[..3]));
                }
                policy
            })
            .collect();
        let set = loaded_where_valid(&policies);
        for _ in 0..60 {
            let request = Arc::new(asked(&mut dice));
            let indexed: BTreeSet<RuleKey> = set.candidates(&request).into_iter().collect();
            let selected = selected(&set, &request);
            assert!(
                selected.is_subset(&indexed),
                "{request:?}\n{:?}",
                selected.difference(&indexed).collect::<Vec<_>>()
            );
            all += set
                .policies()
                .iter()
                .map(|one| one.rules.len())
                .sum::<usize>();
            candidates += indexed.len();
            found += selected.len();
        }
    }
    // The index is of use, and there was something to be left out wrongly.
    assert!(
        candidates * 2 < all && found > 500,
        "{found} {candidates} {all}"
    );
}

/// The policies that load: what is confined to a namespace may not be about what is in none.
fn loaded_where_valid(policies: &[Value]) -> Arc<PolicySet> {
    let valid = |policy: &&Value| {
        let source = Source::new("policy.yaml", policy.to_string());
        let loaded = load(&[source], &Environment::default());
        loaded.policies.policies().len() == 1
    };
    let valid: Vec<Value> = policies.iter().filter(valid).cloned().collect();
    loaded(&valid)
}
