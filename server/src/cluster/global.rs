//! The global context: what a `GlobalContextEntry` names is kept for all policies, as it says.
//!
//! Objects of a resource are followed by a watch. The answer of a call counts for its `refreshInterval`, and is asked for
//! again by the first request after that.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regent_engine::ast::context::Method;
use regent_engine::duration;
use regent_engine::jmespath::Expression;
use serde_json::{Map, Value};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::client::Client;
use super::follow::Followed;
use super::path;
use super::service::{ServiceCall, Services};
use crate::clock;
use crate::image::fetch::{FetchError, quoted};

/// `refreshInterval` where none is written.
const REFRESH: Duration = Duration::from_mins(10);

/// All entries.
#[derive(Debug)]
pub(super) struct Globals {
    client: Arc<Client>,
    services: Arc<Services>,
    entries: Followed<Result<Arc<Entry>, String>>,
    /// What is kept for entries, by name; begun when an entry is first asked for.
    kept: Mutex<HashMap<String, Begun>>,
}

/// An entry as it was written.
#[derive(Debug, PartialEq)]
struct Entry {
    source: Source,
    /// Expressions by the names of projections.
    projections: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq)]
enum Source {
    /// The path of a list.
    Objects(String),
    Call(Call),
}

#[derive(Debug, PartialEq)]
struct Call {
    target: Target,
    method: Method,
    body: Option<String>,
    refresh: Duration,
}

#[derive(Debug, PartialEq)]
enum Target {
    Path(String),
    Service {
        url: String,
        headers: Vec<(String, String)>,
        ca_bundle: Option<String>,
    },
}

/// What was begun for an entry, as it was written then.
#[derive(Debug)]
struct Begun {
    entry: Arc<Entry>,
    kept: Arc<Kept>,
}

/// What is kept for an entry.
#[derive(Debug)]
enum Kept {
    Objects(Followed<Value>),
    /// The last answer, and when it came.
    Answer(AsyncMutex<Option<(Instant, Arc<Value>)>>),
}

impl Globals {
    /// Starts following the entries.
    pub(super) fn start(client: &Arc<Client>, services: &Arc<Services>) -> Self {
        let path = "/apis/kyverno.io/v2/globalcontextentries".to_owned();
        Self {
            client: Arc::clone(client),
            services: Arc::clone(services),
            entries: Followed::start(Arc::clone(client), path, |object| {
                Some(Entry::of(object).map(Arc::new))
            }),
            kept: Mutex::default(),
        }
    }

    /// The value of `entry`, or of `entry.projection`.
    pub(super) async fn value(&self, name: &str, deadline: Instant) -> Result<Value, FetchError> {
        let (entry_name, projection) = name
            .rsplit_once('.')
            .map_or((name, None), |(entry, projection)| {
                (entry, Some(projection))
            });
        let find = |entries: &BTreeMap<String, Result<Arc<Entry>, String>>| {
            let whole = entries.get(name).map(|entry| (name, None, entry.clone()));
            whole.or_else(|| {
                let entry = entries.get(entry_name)?;
                Some((entry_name, projection, entry.clone()))
            })
        };
        let found = self.entries.read(deadline, find).await?;
        let (entry_name, projection, entry) = found.ok_or_else(|| {
            FetchError::NotFound(format!("there is no global context entry {}", quoted(name)))
        })?;
        let entry = entry.map_err(|what| {
            let name = quoted(entry_name);
            FetchError::Malformed(format!("the global context entry {name}: {what}"))
        })?;
        let data = self.data(entry_name, &entry, deadline).await?;
        match projection {
            None => Ok(Arc::unwrap_or_clone(data)),
            Some(projection) => project(&entry, projection, data).await,
        }
    }

    async fn data(
        &self,
        name: &str,
        entry: &Arc<Entry>,
        deadline: Instant,
    ) -> Result<Arc<Value>, FetchError> {
        match &*self.kept(name, entry) {
            Kept::Objects(objects) => {
                let all = |known: &BTreeMap<String, Value>| known.values().cloned().collect();
                Ok(Arc::new(Value::Array(objects.read(deadline, all).await?)))
            }
            Kept::Answer(answer) => {
                let Source::Call(call) = &entry.source else {
                    let message = "the entry changed".to_owned();
                    return Err(FetchError::Unavailable(message));
                };
                let locked = tokio::time::timeout_at(deadline, answer.lock()).await;
                let Ok(mut answer) = locked else {
                    let message = format!(
                        "the global context entry {} was not answered in time",
                        quoted(name)
                    );
                    return Err(FetchError::Timeout(message));
                };
                if let Some((at, value)) = &*answer
                    && at.elapsed() < call.refresh
                {
                    return Ok(Arc::clone(value));
                }
                let asked = Instant::now();
                let value = Arc::new(self.ask(call, deadline).await?);
                *answer = Some((asked, Arc::clone(&value)));
                Ok(value)
            }
        }
    }

    /// What is kept for an entry as it is now written.
    fn kept(&self, name: &str, entry: &Arc<Entry>) -> Arc<Kept> {
        let mut begun = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = begun.get(name)
            && begun.entry == *entry
        {
            return Arc::clone(&begun.kept);
        }
        let made = Arc::new(match &entry.source {
            Source::Objects(path) => {
                let client = Arc::clone(&self.client);
                let keep = |object: &Value| Some(object.clone());
                Kept::Objects(Followed::start(client, path.clone(), keep))
            }
            Source::Call(_) => Kept::Answer(AsyncMutex::default()),
        });
        let now = Begun {
            entry: Arc::clone(entry),
            kept: Arc::clone(&made),
        };
        begun.insert(name.to_owned(), now);
        made
    }

    async fn ask(&self, call: &Call, deadline: Instant) -> Result<Value, FetchError> {
        match &call.target {
            Target::Path(path) => {
                let question = (call.method, call.body.as_deref());
                self.client.ask_by(path, question, deadline).await
            }
            Target::Service {
                url,
                headers,
                ca_bundle,
            } => {
                let call = ServiceCall {
                    url,
                    method: call.method,
                    headers,
                    ca_bundle: ca_bundle.as_deref(),
                    body: call.body.as_deref(),
                    deadline,
                };
                self.services.call(call).await
            }
        }
    }
}

/// What a projection makes of the data of its entry.
async fn project(entry: &Entry, name: &str, data: Arc<Value>) -> Result<Value, FetchError> {
    let malformed =
        |what: String| FetchError::Malformed(format!("the projection {}: {what}", quoted(name)));
    let text = entry
        .projections
        .get(name)
        .ok_or_else(|| FetchError::NotFound(format!("there is no projection {}", quoted(name))))?;
    let expression = Expression::parse(text).map_err(|error| malformed(error.message))?;
    // Lists of a cluster are long: what takes its time is done elsewhere.
    let evaluated = tokio::task::spawn_blocking(move || {
        let environment = clock::environment();
        let value = expression.evaluate(&*data, &environment);
        value
            .map(std::borrow::Cow::into_owned)
            .map_err(|error| error.to_string())
    });
    match evaluated.await {
        Ok(value) => value.map_err(malformed),
        Err(_panicked) => Err(malformed("internal error".to_owned())),
    }
}

impl Entry {
    fn of(object: &Value) -> Result<Self, String> {
        let spec = object.get("spec").ok_or("`spec` is missing")?;
        let source = match (spec.get("kubernetesResource"), spec.get("apiCall")) {
            (Some(resource), None) => Source::Objects(list_path(resource)?),
            (None, Some(call)) => Source::Call(Call::of(call)?),
            _ => return Err("it has to have `kubernetesResource` or `apiCall`".to_owned()),
        };
        let mut projections = BTreeMap::new();
        let written = spec.get("projections").and_then(Value::as_array);
        for projection in written.into_iter().flatten() {
            let name = text(projection, "name").ok_or("a projection has no `name`")?;
            let path = text(projection, "jmesPath").ok_or("a projection has no `jmesPath`")?;
            Expression::parse(path).map_err(|error| format!("`{path}`: {}", error.message))?;
            projections.insert(name.to_owned(), path.to_owned());
        }
        Ok(Self {
            source,
            projections,
        })
    }
}

fn list_path(resource: &Value) -> Result<String, String> {
    let required = |field: &str| {
        let name = text(resource, field).ok_or_else(|| format!("`{field}` is missing"))?;
        path::part(name)
    };
    let (version, plural) = (required("version")?, required("resource")?);
    let mut list = match text(resource, "group") {
        None => format!("/api/{version}"),
        Some(group) => format!("/apis/{}/{version}", path::part(group)?),
    };
    if let Some(namespace) = text(resource, "namespace") {
        list.push_str("/namespaces/");
        list.push_str(path::part(namespace)?);
    }
    Ok(format!("{list}/{plural}"))
}

impl Call {
    fn of(call: &Value) -> Result<Self, String> {
        let method = match text(call, "method") {
            None | Some("GET") => Method::Get,
            Some("POST") => Method::Post,
            Some(other) => return Err(format!("the method {} is not known", quoted(other))),
        };
        let refresh = match text(call, "refreshInterval") {
            None => REFRESH,
            Some(written) => {
                let nanoseconds = duration::Duration::read(written)
                    .and_then(|duration| u64::try_from(duration.0).ok());
                Duration::from_nanos(nanoseconds.ok_or_else(|| {
                    format!("`refreshInterval` {} is no duration", quoted(written))
                })?)
            }
        };
        Ok(Self {
            target: Target::of(call, method)?,
            method,
            body: body(call)?,
            refresh,
        })
    }
}

impl Target {
    fn of(call: &Value, method: Method) -> Result<Self, String> {
        if let Some(written) = text(call, "urlPath") {
            return Ok(Self::Path(path::check(written, method, None)?.to_owned()));
        }
        let service = call
            .get("service")
            .ok_or("`apiCall` has neither `urlPath` nor `service`")?;
        let mut headers = Vec::new();
        let written = service.get("headers").and_then(Value::as_array);
        for header in written.into_iter().flatten() {
            let name = text(header, "key").ok_or("a header has no `key`")?;
            let value = text(header, "value").unwrap_or_default();
            headers.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self::Service {
            url: text(service, "url").ok_or("`url` is missing")?.to_owned(),
            headers,
            ca_bundle: text(service, "caBundle").map(str::to_owned),
        })
    }
}

/// `data` as one object.
fn body(call: &Value) -> Result<Option<String>, String> {
    let mut fields = Map::new();
    let written = call.get("data").and_then(Value::as_array);
    for pair in written.into_iter().flatten() {
        let key = text(pair, "key").ok_or("an entry of `data` has no `key`")?;
        fields.insert(
            key.to_owned(),
            pair.get("value").cloned().unwrap_or(Value::Null),
        );
    }
    Ok((!fields.is_empty()).then(|| Value::Object(fields).to_string()))
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    let text = value.get(field).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
