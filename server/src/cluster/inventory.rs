//! `data.inventory` of modules: the objects of the kinds that policies name, each kind followed by a watch from when it is
//! first asked for.
//!
//! A kind that cannot be found or listed is an error of the rule that asks, never a kind without objects. Knows nothing
//! of where modules look for an object.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::client::{Client, PATIENCE};
use super::follow::Followed;
use super::path;
use crate::image::fetch::{FetchError, quoted};

/// Objects of one kind. Each request that looks at them has all of them in its input: more take longer than a request may.
const MAX_OBJECTS: usize = 10_000;

/// Bytes of the objects of one kind, as JSON, for the same reason.
const MAX_BYTES: usize = 32 << 20;

/// How long a kind is followed that no rule asks for: policies change, and memory is not for those of yesterday.
const UNUSED: Duration = Duration::from_mins(15);

/// Kinds that are followed at once; policies name a handful.
const MAX_KINDS: usize = 64;

/// The kinds that are followed.
#[derive(Debug)]
pub(super) struct Inventory {
    client: Arc<Client>,
    kinds: Mutex<HashMap<Kind, Begun>>,
}

/// `apiVersion` and kind.
type Kind = (String, String);

/// A kind that is followed, and when it was last asked for.
#[derive(Debug)]
struct Begun {
    objects: Arc<Followed<Kept>>,
    used: Instant,
}

/// An object, and how large it is.
#[derive(Debug)]
struct Kept {
    object: Value,
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

    /// All objects of a kind, as a list.
    pub(super) async fn objects(
        &self,
        api_version: &str,
        kind: &str,
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        let key = (api_version.to_owned(), kind.to_owned());
        let followed = if let Some(followed) = self.known(&key) {
            followed
        } else {
            let list = self.list_of(api_version, kind, deadline).await?;
            self.begin(key, list)?
        };
        followed
            .read(deadline, |known| listed(known, (api_version, kind)))
            .await?
    }

    fn known(&self, key: &Kind) -> Option<Arc<Followed<Kept>>> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = kinds.get_mut(key)?;
        begun.used = Instant::now();
        Some(Arc::clone(&begun.objects))
    }

    /// Follows a kind, if nobody else began with it meanwhile.
    fn begin(&self, key: Kind, list: String) -> Result<Arc<Followed<Kept>>, FetchError> {
        let now = Instant::now();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = kinds.get(&key) {
            return Ok(Arc::clone(&begun.objects));
        }
        kinds.retain(|_, begun| now.duration_since(begun.used) < UNUSED);
        if kinds.len() >= MAX_KINDS {
            let message = format!("objects of more than {MAX_KINDS} kinds are asked for");
            return Err(FetchError::TooLarge(message));
        }
        let objects = Arc::new(Followed::start(Arc::clone(&self.client), list, keep));
        let begun = Begun {
            objects: Arc::clone(&objects),
            used: now,
        };
        kinds.insert(key, begun);
        Ok(objects)
    }

    /// The path of a kind's list: which plural a kind has, the API server says.
    async fn list_of(
        &self,
        api_version: &str,
        kind: &str,
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
            let is_it = resource.get("kind")?.as_str()? == kind && !name.contains('/');
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

/// What is kept of an object: not who last wrote which field, which is half of it and which no module asks for.
#[expect(
    clippy::unnecessary_wraps,
    reason = "other copies leave objects out that are of no interest"
)]
fn keep(object: &Value) -> Option<Kept> {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let bytes = object.to_string().len();
    Some(Kept { object, bytes })
}

/// The objects, each with the names of its kind, which lists leave out.
fn listed(
    known: &BTreeMap<String, Kept>,
    (api_version, kind): (&str, &str),
) -> Result<Value, FetchError> {
    let bytes: usize = known.values().map(|kept| kept.bytes).sum();
    if known.len() > MAX_OBJECTS || bytes > MAX_BYTES {
        return Err(FetchError::TooLarge(format!(
            "there are {} objects of kind {}, of {bytes} bytes: {MAX_OBJECTS} and {MAX_BYTES} are the most that a rule can look at",
            known.len(),
            quoted(kind),
        )));
    }
    let named = |kept: &Kept| {
        let mut object = kept.object.clone();
        if let Some(fields) = object.as_object_mut() {
            for (field, text) in [("apiVersion", api_version), ("kind", kind)] {
                fields.insert(field.to_owned(), text.into());
            }
        }
        object
    };
    Ok(known.values().map(named).collect())
}

#[cfg(test)]
mod tests;
