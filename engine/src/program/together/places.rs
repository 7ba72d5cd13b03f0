//! Values at places of a resource, found in one walk for all rules of a program: the lists `input.at`.
//!
//! Says where values are, never what they must be: that is for the program. Where something at a place is not of its
//! shape, or is not there and must be, a map stands for the list; no scalar of a pattern is as a map, and no list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::rego::evaluate::Document;

use super::{Place, Shape, Step};

/// Of so many values the last are looked at before one is added: most are the same, as all containers are alike.
const ALIKE: usize = 8;

/// Which lists a program needs, and where their values are.
#[derive(Debug, Default)]
pub struct Places {
    /// The numbers of the lists by their places.
    numbers: BTreeMap<BTreeSet<Place>, usize>,
    root: Node,
    shared: Shared,
}

/// What stands in the lists of all requests.
#[derive(Debug)]
struct Shared {
    nothing: Document,
    broken: Document,
    map: Value,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            nothing: Document::list([]),
            broken: Document::object([]),
            map: Value::Object(Map::new()),
        }
    }
}

/// What is looked for at a place.
#[derive(Debug, Default)]
struct Node {
    /// Lists that have their values here.
    ends: Vec<usize>,
    /// Lists that have their values here or below.
    all: Vec<usize>,
    /// Of maps: below a key.
    keys: Vec<(String, Vec<Branch>)>,
    /// Of lists: of each element.
    items: Option<Box<Node>>,
}

/// The value of a key.
#[derive(Debug)]
struct Branch {
    needed: bool,
    shape: Shape,
    node: Node,
}

/// The lists on their way.
struct Found<'r> {
    /// None where something was not of its shape.
    lists: Vec<Option<Vec<&'r Value>>>,
    /// What is found of a map: no scalar is compared with what is in it.
    map: &'r Value,
}

/// What is found where it only counts that there is something.
static THERE: Value = Value::Bool(true);

impl Places {
    /// The number of the list of the values at some places.
    pub(super) fn number_of(&mut self, places: &BTreeSet<Place>) -> usize {
        if let Some(number) = self.numbers.get(places) {
            return *number;
        }
        let number = self.numbers.len();
        self.numbers.insert(places.clone(), number);
        for place in places {
            self.root.add(number, &place.steps);
        }
        number
    }

    /// The lists of a resource.
    pub fn find(&self, resource: Option<&Value>) -> Document {
        let mut found = Found {
            lists: vec![Some(Vec::new()); self.numbers.len()],
            map: &self.shared.map,
        };
        match resource {
            Some(Value::Object(fields)) => self.root.of_map(fields, &mut found),
            _ => found.lose(&self.root.all),
        }
        let list = |list: Option<Vec<&Value>>| match list {
            None => self.shared.broken.clone(),
            Some(values) if values.is_empty() => self.shared.nothing.clone(),
            Some(values) => Document::list(values.into_iter().map(Document::from_json)),
        };
        Document::list(found.lists.into_iter().map(list))
    }
}

impl Node {
    fn add(&mut self, number: usize, steps: &[Step]) {
        if self.all.last() != Some(&number) {
            self.all.push(number);
        }
        let Some((step, rest)) = steps.split_first() else {
            return self.ends.push(number);
        };
        let below = match step {
            Step::Items => Some(&mut **self.items.get_or_insert_default()),
            Step::Key { key, needed, shape } => self.below(key, *needed, *shape),
        };
        if let Some(below) = below {
            below.add(number, rest);
        }
    }

    /// The node of the value of a key, one for all places that go through there in the same way.
    fn below(&mut self, key: &str, needed: bool, shape: Shape) -> Option<&mut Self> {
        let of_key = |one: &(String, Vec<Branch>)| one.0 == key;
        let new = || (key.to_owned(), Vec::new());
        let (_, branches) = found_or_added(&mut self.keys, of_key, new)?;
        let alike = |one: &Branch| one.needed == needed && one.shape == shape;
        let new = || Branch {
            needed,
            shape,
            node: Self::default(),
        };
        found_or_added(branches, alike, new).map(|branch| &mut branch.node)
    }

    fn of_map<'r>(&self, fields: &'r Map<String, Value>, found: &mut Found<'r>) {
        for (key, branches) in &self.keys {
            let value = fields.get(key);
            for branch in branches {
                branch.of(value, found);
            }
        }
    }

    fn of_list<'r>(&self, items: &'r [Value], found: &mut Found<'r>) {
        found.add(&self.ends, items);
        let Some(node) = &self.items else {
            return;
        };
        for item in items {
            match item {
                Value::Object(fields) => node.of_map(fields, found),
                _ => found.lose(&node.all),
            }
        }
    }
}

impl Branch {
    fn of<'r>(&self, value: Option<&'r Value>, found: &mut Found<'r>) {
        match value {
            Some(value) => self.of_value(value, found),
            None if self.needed => found.lose(&self.node.all),
            None => {}
        }
    }

    fn of_value<'r>(&self, value: &'r Value, found: &mut Found<'r>) {
        let node = &self.node;
        match (self.shape, value) {
            (Shape::Map, Value::Object(fields)) => node.of_map(fields, found),
            (Shape::List, Value::Array(items)) => node.of_list(items, found),
            (Shape::Map | Shape::List, _) | (Shape::NotNull, Value::Null) => found.lose(&node.all),
            (Shape::NotNull, _) => {}
            (Shape::Scalar, Value::Array(items)) => found.add(&node.ends, items),
            (Shape::Scalar, one) => found.add(&node.ends, std::slice::from_ref(one)),
            (Shape::There, _) => found.add(&node.ends, std::slice::from_ref(&THERE)),
        }
    }
}

impl<'r> Found<'r> {
    /// Adds values to some lists.
    fn add(&mut self, lists: &[usize], values: &'r [Value]) {
        for list in lists {
            if let Some(Some(found)) = self.lists.get_mut(*list) {
                add(found, values, self.map);
            }
        }
    }

    fn lose(&mut self, lists: &[usize]) {
        for list in lists {
            if let Some(list) = self.lists.get_mut(*list) {
                *list = None;
            }
        }
    }
}

/// Adds to a list the values that it does not end with already.
fn add<'r>(list: &mut Vec<&'r Value>, values: &'r [Value], map: &'r Value) {
    for value in values {
        let value = if value.is_object() { map } else { value };
        let mut before = list.iter().rev().take(ALIKE);
        let known = before.any(|one| *one == value);
        list.extend((!known).then_some(value));
    }
}

/// The first that is as asked for; where there is none, a new one.
fn found_or_added<T>(
    all: &mut Vec<T>,
    is: impl Fn(&T) -> bool,
    new: impl FnOnce() -> T,
) -> Option<&mut T> {
    let index = all.iter().position(is).unwrap_or(all.len());
    if index == all.len() {
        all.push(new());
    }
    all.get_mut(index)
}
