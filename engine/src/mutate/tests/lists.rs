//! Lists with keys: the quick way gives what the slow one does, and neither takes more than there is to spend.

use super::super::lists::{self, New};
use super::super::merge_keys::Shape;
use super::super::strategic_merge::Place;
use super::*;
use crate::fuel::{self, Tank};

/// An element of few names, so that two often have the same.
fn element(dice: &mut Dice, keys: &[&str], dense: u64) -> Value {
    let mut fields = Map::new();
    for key in keys {
        match dice.roll(12) {
            0 => None,
            1 => fields.insert((*key).to_owned(), Value::Null),
            2 => fields.insert((*key).to_owned(), json!("")),
            3 => fields.insert((*key).to_owned(), json!(dice.roll(dense))),
            _ => fields.insert((*key).to_owned(), json!(format!("{}", dice.roll(dense)))),
        };
    }
    if dice.roll(2) == 0 {
        fields.insert("value".to_owned(), json!(dice.roll(9)));
    }
    if dice.roll(12) == 0 {
        let directive = ["merge", "replace", "delete"][usize::try_from(dice.roll(3)).unwrap()];
        fields.insert("$patch".to_owned(), json!(directive));
    }
    Value::Object(fields)
}

#[test]
fn elements_that_are_found_by_their_keys_are_merged_as_those_that_are_compared() {
    let mut dice = Dice(11);
    let place = Place::root(&json!({})).element(Shape::Plain);
    let mut quick = 0;
    for round in 0..40_000 {
        let keys: &[&'static str] = if round % 2 == 0 { &["k"] } else { &["k", "l"] };
        let dense = [3, 30, 300][usize::try_from(dice.roll(3)).unwrap()];
        let many = |dice: &mut Dice| -> Vec<Value> {
            (0..dice.roll(5))
                .map(|_| element(dice, keys, dense))
                .collect()
        };
        let (old, patch) = (many(&mut dice), many(&mut dice));
        let new = match dice.roll(4) {
            0 => New::Nothing,
            1 => New::Itself,
            _ => New::Elements(patch.clone()),
        };
        quick += usize::from(super::super::index::pairs(&old, &patch, keys).is_some());
        let found = lists::merge_keyed(old.clone(), &new, keys, place);
        let compared = lists::merge_each_with_each(old.clone(), &new, keys, place);
        assert_eq!(found, compared, "{new:?} into {old:?} by {keys:?}");
    }
    assert!(quick > 5_000, "{quick}");
}

fn many(length: usize) -> Value {
    let env = (0..length).map(|index| json!({"name": format!("n{index}"), "value": "v"}));
    json!({"containers": [{"name": "a", "env": env.collect::<Vec<_>>()}]})
}

#[test]
fn a_long_list_costs_as_much_as_it_is_long() {
    let object = pod(&many(9_000));
    let patch = json!({"spec": {"containers": [{"(name)": "*", "env": [{"name": "n8999", "value": "w"}]}]}});
    let _tank = Tank::fill(10_000_000);
    let merged = strategic_merge::apply(&object, &patch).unwrap();
    let env = &merged["spec"]["containers"][0]["env"];
    assert_eq!(env[0], json!({"name": "n8999", "value": "w"}));
    assert_eq!(env.as_array().map(Vec::len), Some(9_000));
    assert!(!fuel::is_spent());
}

#[test]
fn a_list_that_is_compared_one_by_one_stops_where_all_is_spent() {
    let mut spec = many(9_000);
    spec["containers"][0]["env"][1] = json!({"name": "n0"});
    let _tank = Tank::fill(10_000_000);
    let patch = json!({"spec": {"dnsPolicy": "None"}});
    assert_eq!(
        strategic_merge::apply(&pod(&spec), &patch),
        Err(PatchError::TooLarge)
    );
    assert!(fuel::is_spent());
}

#[test]
fn anchors_that_are_tried_against_many_elements_stop_where_all_is_spent() {
    let items: Vec<Value> = (0..2_000)
        .map(|_| json!({"(name)": "x", "value": "w"}))
        .collect();
    let patch = json!({"spec": {"containers": [{"name": "a", "env": items}]}});
    let _tank = Tank::fill(10_000_000);
    assert_eq!(
        strategic_merge::apply(&pod(&many(9_000)), &patch),
        Err(PatchError::TooLarge)
    );
    assert!(fuel::is_spent());
}
