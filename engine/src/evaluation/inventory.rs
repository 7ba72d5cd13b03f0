//! `data.inventory` of modules: the resources of some kinds, where Gatekeeper's modules look for them.
//!
//! A host makes a [`Snapshot`] of a kind when something of that kind changed, and answers with the same one until then.
//! What modules see hangs on it: no answer copies a resource, and what was made of an older one goes with that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use serde_json::Value;

use crate::ast::rego::InventoryKind;
use crate::program::RegoModules;
use crate::rego::evaluate::{Document, RegoError};
use crate::rego::foreign::Foreign;

use super::need::{FactError, InventoryNeed};
use super::objects;
use super::rule::Context;

/// A resource as modules see it; a clone is cheap.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Empty for one of the cluster.
    namespace: Arc<str>,
    name: Document,
    document: Document,
}

impl Resource {
    /// Nothing where the object is not of the kind that is asked for.
    pub fn new(need: &InventoryNeed, object: &Value) -> Option<Self> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        objects::is_of_kind(&need.api_version, &need.kind, object).then(|| Self {
            namespace: text("/metadata/namespace").unwrap_or("").into(),
            name: Document::text(text("/metadata/name").unwrap_or("")),
            document: Document::from_json(object),
        })
    }
}

/// All resources of a kind as they were at one time.
pub struct Snapshot {
    need: InventoryNeed,
    /// By their names, in each namespace; those of the cluster in the empty one.
    namespaces: BTreeMap<Arc<str>, Document>,
    /// What was made of it: dropped with it, so that no module keeps an inventory that is over.
    prepared: Mutex<Vec<Arc<Prepared>>>,
}

/// Modules with an inventory below `data`.
struct Prepared {
    modules: Weak<Foreign>,
    /// The other kinds of the inventory.
    others: Vec<Weak<Snapshot>>,
    made: OnceLock<Result<Arc<Foreign>, RegoError>>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("need", &self.need)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Of resources that were read for this need; of two with one name, the last counts.
    pub fn new(need: InventoryNeed, resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut namespaces: BTreeMap<Arc<str>, Vec<(Document, Document)>> = BTreeMap::new();
        for resource in resources {
            let named = (resource.name, resource.document);
            namespaces
                .entry(resource.namespace)
                .or_default()
                .push(named);
        }
        let namespaces = namespaces
            .into_iter()
            .map(|(namespace, named)| (namespace, Document::named(named)))
            .collect();
        Self {
            need,
            namespaces,
            prepared: Mutex::default(),
        }
    }

    /// Of those objects that are of the kind.
    pub fn of<'a>(need: &InventoryNeed, objects: impl IntoIterator<Item = &'a Value>) -> Self {
        let objects = objects.into_iter();
        let resources = objects.filter_map(|object| Resource::new(need, object));
        Self::new(need.clone(), resources)
    }

    /// What was asked for.
    pub fn need(&self) -> &InventoryNeed {
        &self.need
    }

    /// The place for modules with this kind and others below `data`.
    fn prepared(&self, modules: &Arc<Foreign>, others: &[Arc<Self>]) -> Arc<Prepared> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = prepared.iter().find(|known| known.is_of(modules, others)) {
            return Arc::clone(known);
        }
        // Policies are loaded anew, and the other kinds change, while this one stays.
        prepared.retain(|known| known.is_wanted());
        let new = Arc::new(Prepared {
            modules: Arc::downgrade(modules),
            others: others.iter().map(Arc::downgrade).collect(),
            made: OnceLock::new(),
        });
        prepared.push(Arc::clone(&new));
        new
    }
}

impl Prepared {
    fn is_of(&self, modules: &Arc<Foreign>, others: &[Arc<Snapshot>]) -> bool {
        let mut pairs = self.others.iter().zip(others);
        std::ptr::eq(self.modules.as_ptr(), Arc::as_ptr(modules))
            && self.others.len() == others.len()
            && pairs.all(|(own, other)| std::ptr::eq(own.as_ptr(), Arc::as_ptr(other)))
    }

    fn is_wanted(&self) -> bool {
        self.modules.strong_count() > 0 && self.others.iter().all(|other| other.strong_count() > 0)
    }
}

/// `data.inventory` with these kinds.
pub fn document(inventory: &[Arc<Snapshot>]) -> Document {
    type Versions<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Document>>;
    let mut cluster = Versions::new();
    let mut namespaces: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
    for snapshot in inventory {
        let need = &snapshot.need;
        for (namespace, resources) in &snapshot.namespaces {
            let versions = match &**namespace {
                "" => &mut cluster,
                namespace => namespaces.entry(namespace).or_default(),
            };
            let kinds = versions.entry(&need.api_version).or_default();
            kinds.insert(&need.kind, resources.clone());
        }
    }
    let versions = |versions: Versions<'_>| {
        let versions = versions.into_iter();
        Document::object(versions.map(|(name, kinds)| (name, Document::object(kinds))))
    };
    let cluster = versions(cluster);
    let namespaces = namespaces.into_iter();
    let namespaces = namespaces.map(|(name, own)| (name, versions(own)));
    Document::object([
        ("cluster", cluster),
        ("namespace", Document::object(namespaces)),
    ])
}

/// Modules with an inventory below `data`: made once for as long as neither changes.
pub(super) fn prepared(
    modules: &Arc<Foreign>,
    inventory: &[Arc<Snapshot>],
) -> Result<Arc<Foreign>, RegoError> {
    let Some((first, others)) = inventory.split_first() else {
        return Ok(Arc::clone(modules));
    };
    let prepared = first.prepared(modules, others);
    let make = || Ok(Arc::new(modules.with_inventory(document(inventory))?));
    prepared.made.get_or_init(make).clone()
}

impl Context<'_> {
    /// The modules of a rule with what they read below `data`; none as long as facts are outstanding.
    pub(super) fn modules_with_data(
        &mut self,
        modules: &RegoModules,
    ) -> Option<Result<Arc<Foreign>, String>> {
        let foreign = match &modules.foreign {
            Ok(foreign) => foreign,
            Err(reason) => return Some(Err(reason.clone())),
        };
        // All are asked for before any is waited for.
        let mut facts = self.facts.borrow_mut();
        let found: Vec<_> = modules
            .inventory
            .iter()
            .map(|kind| facts.inventory(&need(kind)))
            .collect();
        let found: Option<Vec<Result<Arc<Snapshot>, FactError>>> = found.into_iter().collect();
        let found: Result<Vec<_>, FactError> = found?.into_iter().collect();
        Some(match found {
            Ok(found) => prepared(foreign, &found).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        })
    }
}

/// What is asked for the resources of a kind.
fn need(kind: &InventoryKind) -> InventoryNeed {
    InventoryNeed {
        api_version: kind.api_version(),
        kind: kind.kind.clone(),
    }
}

#[cfg(test)]
mod tests;
