//! `data.inventory` of modules: the resources of some kinds, where Gatekeeper's modules look for them.

use serde_json::{Map, Value, json};

use crate::ast::rego::InventoryKind;
use crate::program::RegoModules;
use crate::rego::evaluate::Document;

use super::need::{DataNeed, FactError, ObjectsNeed, Purpose};
use super::objects;
use super::rule::Context;

impl Context<'_> {
    /// What stands below `data` besides what is always there; none as long as facts are outstanding.
    pub(super) fn data_of(
        &mut self,
        modules: &RegoModules,
    ) -> Option<Result<Option<Document>, FactError>> {
        if modules.inventory.is_empty() {
            return Some(Ok(None));
        }
        // All are asked for before any is waited for.
        let mut facts = self.facts.borrow_mut();
        let found: Vec<_> = modules
            .inventory
            .iter()
            .map(|kind| facts.data(DataNeed::Objects(need(kind))))
            .collect();
        let found: Option<Vec<Result<Value, FactError>>> = found.into_iter().collect();
        let found: Result<Vec<Value>, FactError> = found?.into_iter().collect();
        let found = match found {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        let mut inventory = json!({"namespace": {}, "cluster": {}});
        for (kind, found) in modules.inventory.iter().zip(&found) {
            let (need, found) = (need(kind), found.as_array().into_iter().flatten());
            let meant = found.filter(|object| objects::is_meant(&need, object));
            meant.for_each(|object| place(&mut inventory, kind, object));
        }
        let inventory = Document::from_json(&inventory);
        let data = Document::object([("inventory", inventory)]);
        Some(Ok(Some(data)))
    }
}

/// What is asked for the resources of a kind.
fn need(kind: &InventoryKind) -> ObjectsNeed {
    ObjectsNeed {
        api_version: kind.api_version(),
        kind: kind.kind.clone(),
        namespace: None,
        name: None,
        purpose: Purpose::Inventory,
    }
}

/// Puts an object at `namespace.<namespace>.<apiVersion>.<kind>.<name>`, or `cluster.<apiVersion>.<kind>.<name>`.
fn place(inventory: &mut Value, kind: &InventoryKind, object: &Value) {
    let text = |pointer: &str| {
        let text = object.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or("").to_owned()
    };
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let mut path = match namespace.as_str() {
        "" => vec!["cluster".to_owned()],
        _ => vec!["namespace".to_owned(), namespace],
    };
    path.extend([kind.api_version(), kind.kind.clone(), name]);
    let mut place = inventory;
    for key in path {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Some(fields) = place.as_object_mut() else {
            return;
        };
        place = fields.entry(key).or_insert(Value::Null);
    }
    *place = object.clone();
}
