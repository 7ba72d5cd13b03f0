//! `data.inventory` of modules: the objects of the kinds that policies name, each kind followed by a watch from when it is
//! first asked for.
//!
//! A kind that cannot be found or listed is an error of the rule that asks, never a kind without objects. All requests
//! between two changes are given the same snapshot. Knows nothing of where modules look for an object.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regent_engine::evaluation::inventory::{Resource, Snapshot};
use regent_engine::evaluation::need::InventoryNeed;
use serde_json::Value;
use tokio::time::Instant;

use super::client::{Client, PATIENCE};
use super::follow::Followed;
use super::path;
use crate::image::fetch::{FetchError, quoted};

/// Objects of one kind. A module that looks at all of them does so for each request: more take longer than one may.
const MAX_OBJECTS: usize = 10_000;

/// Bytes of the objects of one kind, as JSON: they are kept in memory.
const MAX_BYTES: usize = 32 << 20;

/// How long a kind is followed that no rule asks for: policies change, and memory is not for those of yesterday.
const UNUSED: Duration = Duration::from_mins(15);

/// Kinds that are followed at once; policies name a handful.
const MAX_KINDS: usize = 64;

/// The kinds that are followed.
#[derive(Debug)]
pub(super) struct Inventory {
    client: Arc<Client>,
    kinds: Mutex<HashMap<InventoryNeed, Begun>>,
}

/// The objects of a kind, and all of them as modules are given them, or that they are too many.
type Objects = Followed<Kept, Result<Arc<Snapshot>, FetchError>>;

/// A kind that is followed, and when it was last asked for.
#[derive(Debug)]
struct Begun {
    objects: Arc<Objects>,
    used: Instant,
}

/// An object, and how large it is.
#[derive(Debug)]
struct Kept {
    resource: Resource,
    bytes: usize,
}

impl Inventory {
    /// Follows nothing yet.
    pub(super) fn new(client: &Arc<Client>) -> Self {
        Self {
            client: Arc::clone(client),
            kinds: Mutex::default(),
        }
    }

    /// All objects of a kind: the same snapshot until one of them changes.
    pub(super) async fn objects(
        &self,
        need: &InventoryNeed,
        deadline: Instant,
    ) -> Result<Arc<Snapshot>, FetchError> {
        let followed = if let Some(followed) = self.known(need) {
            followed
        } else {
            let list = self.list_of(need, deadline).await?;
            self.begin(need, list)?
        };
        followed
            .view(deadline, |known| snapshot(need, known))
            .await?
    }

    fn known(&self, need: &InventoryNeed) -> Option<Arc<Objects>> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = kinds.get_mut(need)?;
        begun.used = Instant::now();
        Some(Arc::clone(&begun.objects))
    }

    /// Follows a kind, if nobody else began with it meanwhile.
    fn begin(&self, need: &InventoryNeed, list: String) -> Result<Arc<Objects>, FetchError> {
        let now = Instant::now();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = kinds.get(need) {
            return Ok(Arc::clone(&begun.objects));
        }
        kinds.retain(|_, begun| now.duration_since(begun.used) < UNUSED);
        if kinds.len() >= MAX_KINDS {
            let message = format!("objects of more than {MAX_KINDS} kinds are asked for");
            return Err(FetchError::TooLarge(message));
        }
        let of = need.clone();
        let keep = move |object: &Value| keep(&of, object);
        let objects = Arc::new(Followed::start(Arc::clone(&self.client), list, keep));
        let begun = Begun {
            objects: Arc::clone(&objects),
            used: now,
        };
        kinds.insert(need.clone(), begun);
        Ok(objects)
    }

    /// The path of a kind's list: which plural a kind has, the API server says.
    async fn list_of(
        &self,
        InventoryNeed { api_version, kind }: &InventoryNeed,
        deadline: Instant,
    ) -> Result<String, FetchError> {
        let part = |name| path::part(name).map_err(FetchError::Malformed);
        let group = match api_version.split_once('/') {
            None => format!("/api/{}", part(api_version)?),
            Some((group, version)) => format!("/apis/{}/{}", part(group)?, part(version)?),
        };
        let deadline = deadline.min(Instant::now() + PATIENCE);
        let found = self.client.get(&group, deadline).await?;
        let resources = found.get("resources").and_then(Value::as_array);
        let plural = resources.into_iter().flatten().find_map(|resource| {
            let name = resource.get("name")?.as_str()?;
            // What has a slash is a sub-resource.
            let is_it = resource.get("kind")?.as_str()? == *kind && !name.contains('/');
            is_it.then_some(name)
        });
        let plural = plural.ok_or_else(|| {
            FetchError::NotFound(format!(
                "the API server has no kind {} in {}",
                quoted(kind),
                quoted(api_version)
            ))
        })?;
        Ok(format!("{group}/{}", part(plural)?))
    }
}

/// What is kept of an object: not who last wrote which field, which is half of it and which no module asks for. Lists
/// leave the names of the kind out.
fn keep(need: &InventoryNeed, object: &Value) -> Option<Kept> {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let bytes = object.to_string().len();
    let fields = object.as_object_mut()?;
    for (field, text) in [("apiVersion", &need.api_version), ("kind", &need.kind)] {
        fields.insert(field.to_owned(), text.as_str().into());
    }
    let resource = Resource::new(need, &object)?;
    Some(Kept { resource, bytes })
}

/// All objects, where these are not too many.
fn snapshot(
    need: &InventoryNeed,
    known: &BTreeMap<String, Kept>,
) -> Result<Arc<Snapshot>, FetchError> {
    let bytes: usize = known.values().map(|kept| kept.bytes).sum();
    if known.len() > MAX_OBJECTS || bytes > MAX_BYTES {
        return Err(FetchError::TooLarge(format!(
            "there are {} objects of kind {}, of {bytes} bytes: {MAX_OBJECTS} and {MAX_BYTES} are the most that a rule can look at",
            known.len(),
            quoted(&need.kind),
        )));
    }
    let resources = known.values().map(|kept| kept.resource.clone());
    Ok(Arc::new(Snapshot::new(need.clone(), resources)))
}

#[cfg(test)]
mod tests;
