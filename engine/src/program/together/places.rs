//! Values at places of a resource, found once for all rules that look there.

use std::collections::HashMap;

use crate::rego::module::{Expression, Operator, Rule, Statement};

use super::{Place, Shape, Step};

/// Rules of a program whose values are the lists of the values at places.
///
/// Such a rule has no value where one at the place is not of its shape, or where one that is needed is not there: then
/// nothing holds of each.
#[derive(Default)]
pub(super) struct Places {
    /// The names by what the places are.
    names: HashMap<String, String>,
    /// The rules.
    pub(super) rules: Vec<Rule>,
}

impl Places {
    /// The name of the rule for a place.
    pub(super) fn name(&mut self, place: &Place) -> String {
        let said = format!("{place:?}");
        if let Some(name) = self.names.get(&said) {
            return name.clone();
        }
        let body = self.body(place);
        let name = format!("at_{}", self.names.len());
        let rule = Rule::value(&name, Expression::name("found"), body).comment(shown(place));
        self.rules.push(rule);
        self.names.insert(said, name.clone());
        name
    }

    /// That what is above a place has a value is a statement of its own: what is gone through counts as empty where it has
    /// none, in a list that is collected anywhere, and in bytecode everywhere.
    fn body(&mut self, place: &Place) -> Vec<Statement> {
        let (last, before) = match place.steps.split_last() {
            Some(found) => found,
            None => (&Step::Items, [].as_slice()),
        };
        let above = (!before.is_empty()).then(|| {
            let above = Place {
                base: place.base.clone(),
                steps: before.to_vec(),
            };
            Expression::name(self.name(&above))
        });
        match (last, above) {
            (Step::Key { key, needed, shape }, Some(maps)) => {
                let mut body = vec![
                    Statement::Holds(maps.clone()),
                    assign("maps", maps),
                    collect([&[some("one", "maps")], &value_of(&name("one"), key)[..]].concat()),
                ];
                if *needed {
                    let all = count(name("found")).equals(count(name("maps")));
                    body.push(Statement::Holds(all));
                }
                body.push(each(*shape));
                body
            }
            (Step::Key { key, needed, shape }, None) => {
                let base = &place.base;
                if *needed {
                    let value = base.clone().field(key);
                    return vec![
                        Statement::Holds(Expression::call(shape.test(), vec![value.clone()])),
                        assign("found", Expression::Array(vec![value])),
                    ];
                }
                let is_map = Expression::call("is_object", vec![base.clone()]);
                vec![
                    Statement::Holds(is_map),
                    collect(value_of(base, key).to_vec()),
                    each(*shape),
                ]
            }
            (Step::Items, above) => {
                let lists = above.unwrap_or_else(|| Expression::Array(vec![place.base.clone()]));
                vec![
                    Statement::Holds(lists.clone()),
                    assign("lists", lists),
                    collect(vec![some("list", "lists"), some("value", "list")]),
                    each(Shape::Map),
                ]
            }
        }
    }
}

fn name(text: &str) -> Expression {
    Expression::name(text)
}

fn assign(text: &str, value: Expression) -> Statement {
    Statement::Assign(text.to_owned(), value)
}

fn some(text: &str, of: &str) -> Statement {
    Statement::Some(text.to_owned(), name(of))
}

/// The value of a key, where it is there; that nothing in the input is a set tells what is not.
///
/// An assignment of nothing would end the whole list in bytecode, which is a defect of regorus.
fn value_of(map: &Expression, key: &str) -> [Statement; 2] {
    let nothing = || Expression::Set(Vec::new());
    let arguments = vec![map.clone(), Expression::text(key), nothing()];
    let is_there = name("value").compare(Operator::NotEqual, nothing());
    [
        assign("value", Expression::call("object.get", arguments)),
        Statement::Holds(is_there),
    ]
}

/// `found` is the list of the values that a body gives.
fn collect(body: Vec<Statement>) -> Statement {
    let values = Expression::Collect(Box::new(name("value")), body);
    assign("found", values)
}

fn count(of: Expression) -> Expression {
    Expression::call("count", vec![of])
}

/// Each value that was found is of a shape.
fn each(shape: Shape) -> Statement {
    let one = Expression::call(shape.test(), vec![name("one")]);
    Statement::Every("one".to_owned(), name("found"), vec![Statement::Holds(one)])
}

impl Shape {
    /// The function that says whether a value has the shape.
    const fn test(self) -> &'static str {
        match self {
            Self::Map => "is_object",
            Self::List => "is_array",
        }
    }
}

/// A place for people: `spec.containers?[].securityContext?`.
fn shown(place: &Place) -> String {
    let steps = place.steps.iter().map(|step| match step {
        Step::Key {
            key, needed: true, ..
        } => format!(".{key}"),
        Step::Key { key, .. } => format!(".{key}?"),
        Step::Items => "[]".to_owned(),
    });
    steps.collect::<String>().trim_start_matches('.').to_owned()
}
