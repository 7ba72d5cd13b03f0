//! Makes the value of an entry of a context.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::evaluation::need::{self, DataNeed, FactError};
use crate::evaluation::pull_secrets;
use crate::go_format;
use crate::jmespath::{Expression, ScopeError};
use crate::limits;
use crate::program::{ApiCall, ApiTarget, ContextEntry, ContextSource, Query};
use crate::template::{Template, TemplateError, Text};

use super::{Names, QueryError};

/// Whether an entry is a value of the policy's own, which no host is asked for.
pub(super) fn is_own(entry: &ContextEntry) -> bool {
    matches!(entry.source, ContextSource::Variable { .. })
}

type Made = Result<Value, ScopeError>;

/// Where a value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The policy's text.
    Policy,
    /// Somebody who was asked, maybe: it may be what whoever made the request must not see.
    Told,
}

impl Names<'_> {
    /// The value of an entry; an entry without one is an error of whoever asked for it.
    pub(super) fn load(&self, entry: &ContextEntry) -> Made {
        match &entry.source {
            ContextSource::Variable {
                value,
                jmes_path,
                default,
            } => self.variable(
                &entry.name,
                value.as_ref(),
                jmes_path.as_ref(),
                default.as_ref(),
            ),
            ContextSource::ConfigMap {
                name,
                namespace,
                default_namespace,
            } => {
                let name = self.plain(&entry.name, name)?;
                let namespace = match namespace {
                    Some(namespace) => self.plain(&entry.name, namespace)?,
                    None => default_namespace.clone(),
                };
                self.may_read(&namespace)?;
                self.config_map(&entry.name, DataNeed::ConfigMap { namespace, name })
            }
            ContextSource::ApiCall(call) => self.api_call(&entry.name, call),
            ContextSource::GlobalReference { name, jmes_path } => {
                let name = self.plain(&entry.name, name)?;
                let data = self.fetched(&entry.name, DataNeed::GlobalContext { name })?;
                self.picked(&entry.name, jmes_path.as_ref(), (data, Source::Told), None)
            }
            ContextSource::ImageRegistry {
                reference,
                jmes_path,
                pull_secrets,
            } => {
                let pull_secrets = pull_secrets::of(self.ground.namespace, pull_secrets)
                    .map_err(ScopeError::Failed)?;
                let need = DataNeed::ImageData {
                    reference: self.plain(&entry.name, reference)?,
                    pull_secrets,
                };
                let data = self.fetched(&entry.name, need)?;
                self.picked(&entry.name, jmes_path.as_ref(), (data, Source::Told), None)
            }
        }
    }

    fn variable(
        &self,
        name: &str,
        value: Option<&Template>,
        jmes_path: Option<&Query>,
        default: Option<&Template>,
    ) -> Made {
        let default = match default {
            Some(default) => self.resolved(name, default)?,
            None => Value::Null,
        };
        let found = match (value, jmes_path) {
            (None, None) => default,
            (Some(value), None) => self.resolved(name, value)?,
            (Some(value), Some(path)) => {
                let source = if value.is_constant() {
                    Source::Policy
                } else {
                    Source::Told
                };
                let value = self.resolved(name, value)?;
                return self.picked(name, Some(path), (value, source), Some(default));
            }
            (None, Some(path)) => match self.query(path) {
                // Nothing at the end of a path that could be gone is what the default is for, too.
                Ok(Value::Null) => default,
                Ok(found) => found,
                Err(error) if error.is_pending() => return Err(ScopeError::Pending),
                // What stands for nothing does not stand for too much.
                Err(error) if default.is_null() || error.is_too_large() => {
                    let text = path_text(path);
                    let reason = format!("failed to query path {text}: {error}");
                    return Err(failed(reason, error.is_too_large()));
                }
                Err(_) => default,
            },
        };
        not_null(name, found)
    }

    fn config_map(&self, name: &str, need: DataNeed) -> Made {
        let found = self.fetched(name, need)?;
        Ok(match found {
            Value::Object(mut fields) => {
                // A map without data is one whose data is empty.
                fields
                    .entry("data")
                    .or_insert_with(|| Value::Object(Map::new()));
                Value::Object(fields)
            }
            other => other,
        })
    }

    /// A policy of a namespace reads no other's.
    fn may_read(&self, namespace: &str) -> Result<(), ScopeError> {
        match self.ground.namespace {
            Some(own) if own != namespace => Err(ScopeError::Failed(format!(
                "a policy of namespace {own} cannot read namespace {namespace}"
            ))),
            _ => Ok(()),
        }
    }

    fn api_call(&self, name: &str, call: &ApiCall) -> Made {
        let default = match &call.default {
            Some(default) => Some(self.resolved(name, default)?),
            None => None,
        };
        let target = match &call.target {
            ApiTarget::Path(path) => need::ApiTarget::Path(self.address(name, path)?),
            ApiTarget::Service {
                url,
                headers,
                ca_bundle,
            } => need::ApiTarget::Service {
                url: self.address(name, url)?,
                headers: headers
                    .iter()
                    .map(|(key, value)| Ok((self.plain(name, key)?, self.plain(name, value)?)))
                    .collect::<Result<_, ScopeError>>()?,
                ca_bundle: match ca_bundle {
                    Some(bundle) => Some(self.plain(name, bundle)?),
                    None => None,
                },
            },
        };
        let mut body = Map::new();
        for (key, value) in &call.data {
            body.insert(key.clone(), self.resolved(name, value)?);
        }
        let need = DataNeed::ApiCall(need::ApiCall {
            target,
            method: call.method,
            body: (!body.is_empty()).then(|| go_format::json(&Value::Object(body))),
            namespace: self.ground.namespace.map(str::to_owned),
        });
        let data = match self.fetched(name, need) {
            Ok(data) => data,
            Err(ScopeError::Failed(_)) if default.is_some() => {
                return Ok(default.unwrap_or(Value::Null));
            }
            Err(error) => return Err(error),
        };
        self.picked(name, call.jmes_path.as_ref(), (data, Source::Told), default)
    }

    /// What the host says.
    fn fetched(&self, name: &str, need: DataNeed) -> Made {
        let failed = failure(name, &need);
        if !self.ground.facts.borrow().may_name(&need) {
            // The resource's size is the reason, as with whatever else is too large.
            let reason = format!(
                "{failed}one request may name {} pieces of data",
                limits::CONTEXT_DATA
            );
            return Err(ScopeError::TooLarge(reason));
        }
        let answer = self.ground.facts.borrow_mut().data(need);
        match answer {
            None => Err(ScopeError::Pending),
            Some(Ok(value)) => Ok(value),
            Some(Err(FactError::NoSource(_))) => Err(ScopeError::Absent),
            Some(Err(error)) => Err(ScopeError::Failed(format!("{failed}{}", reason(&error)))),
        }
    }

    /// What a path finds in a value; the value itself where there is no path.
    fn picked(
        &self,
        name: &str,
        path: Option<&Query>,
        (value, source): (Value, Source),
        default: Option<Value>,
    ) -> Made {
        let Some(path) = path else {
            return not_null(name, value);
        };
        let expression = match self.expression(path) {
            Ok(expression) => expression,
            Err(error) if error.is_pending() => return Err(ScopeError::Pending),
            Err(error) => return Err(unsubstituted(name, &error, error.is_too_large())),
        };
        let found = expression
            .evaluate(&value, self.ground.environment)
            .map(Cow::into_owned);
        let default = default.filter(|default| !default.is_null());
        match (found, default) {
            (Ok(Value::Null), Some(default)) => Ok(default),
            (Err(error), Some(default)) if !error.is_too_large() => Ok(default),
            (Ok(found), _) => not_null(name, found),
            (Err(error), _) => {
                let shown = match source {
                    Source::Policy => go_format::json(&value),
                    Source::Told => name.to_owned(),
                };
                let reason = format!(
                    "failed to apply jmespath {} to variable {shown}: {error}",
                    expression.text(),
                );
                Err(failed(reason, error.is_too_large()))
            }
        }
    }

    /// The expression of a text.
    pub(super) fn expression(&self, query: &Query) -> Result<Arc<Expression>, QueryError> {
        if let Some(expression) = &query.expression {
            return Ok(Arc::clone(expression));
        }
        let text = query.text.resolve_expression(&self.resolution());
        let text = text.map_err(QueryError::Text)?;
        match Expression::parse(text.trim()) {
            Ok(expression) => Ok(Arc::new(expression)),
            Err(error) => Err(QueryError::Syntax(text, error.to_string())),
        }
    }

    fn resolved(&self, name: &str, template: &Template) -> Made {
        self.template(template)
            .map_err(|error| unresolved(name, &error))
    }

    /// The value of a text that is a path or a URL.
    fn address(&self, name: &str, text: &Text) -> Result<String, ScopeError> {
        let address = text.resolve_address(&self.resolution());
        address.map_err(|error| unresolved(name, &error))
    }

    /// The value of a text as a text.
    fn plain(&self, name: &str, text: &Text) -> Result<String, ScopeError> {
        let value = self.text(text).map_err(|error| unresolved(name, &error))?;
        Ok(match value {
            Value::String(text) => text,
            other => go_format::sprint(&other).into_owned(),
        })
    }
}

fn unresolved(name: &str, error: &TemplateError) -> ScopeError {
    if error.is_pending() {
        ScopeError::Pending
    } else {
        unsubstituted(name, error, error.is_too_large())
    }
}

fn unsubstituted(name: &str, error: &dyn Display, is_too_large: bool) -> ScopeError {
    let reason = format!("failed to substitute variables in context entry {name}: {error}");
    failed(reason, is_too_large)
}

fn failed(reason: String, is_too_large: bool) -> ScopeError {
    if is_too_large {
        ScopeError::TooLarge(reason)
    } else {
        ScopeError::Failed(reason)
    }
}

fn not_null(name: &str, value: Value) -> Made {
    if value.is_null() {
        return Err(ScopeError::Failed(format!(
            "unable to add context entry for variable {name} since it evaluated to nil"
        )));
    }
    Ok(value)
}

fn path_text(path: &Query) -> String {
    path.expression.as_ref().map_or_else(
        || path.text.literal().unwrap_or("").to_owned(),
        |expression| expression.text().to_owned(),
    )
}

/// What Kyverno says before the reason why there is nothing.
fn failure(name: &str, need: &DataNeed) -> String {
    match need {
        DataNeed::ConfigMap {
            namespace,
            name: map,
        } => format!(
            "failed to retrieve config map for context entry {name}: failed to get configmap {namespace}/{map} : "
        ),
        DataNeed::ImageData { reference, .. } => {
            format!("failed to fetch image descriptor: {reference}, error: ")
        }
        DataNeed::ApiCall(_)
        | DataNeed::GlobalContext { .. }
        | DataNeed::Objects(_)
        | DataNeed::Secret { .. } => format!("failed to load context entry {name}: "),
    }
}

fn reason(error: &FactError) -> &str {
    match error {
        FactError::Unavailable(text)
        | FactError::Timeout(text)
        | FactError::NotFound(text)
        | FactError::NoSource(text)
        | FactError::Malformed(text)
        | FactError::NoRoom(text)
        | FactError::Unauthorized(text) => text,
    }
}
