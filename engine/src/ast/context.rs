//! `context`: names for what expressions need besides the request.
//!
//! Knows what may be written, not where it comes from: most entries are needs that a host answers.

use crate::source::{Span, Spanned};

use super::template::{Template, Text};

/// An entry of `context`.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextEntry {
    /// Where it was written.
    pub span: Span,
    /// The name.
    pub name: Spanned<String>,
    /// What stands behind it.
    pub source: ContextSource,
}

/// What stands behind a name.
#[derive(Debug, Clone, PartialEq)]
pub enum ContextSource {
    /// `variable`: a value of the policy's own.
    Variable {
        /// `value`.
        value: Option<Template>,
        /// `jmesPath`, on the value; on everything where there is no value.
        jmes_path: Option<Text>,
        /// `default`, where the above has no value.
        default: Option<Template>,
    },
    /// `configMap`.
    ConfigMap {
        /// `name`.
        name: Text,
        /// `namespace`; that of the policy, or `default`, where it was not written.
        namespace: Option<Text>,
    },
    /// `apiCall`.
    ApiCall(ApiCall),
    /// `globalReference`.
    GlobalReference {
        /// `name`: of the entry, with a projection behind a dot.
        name: Text,
        /// `jmesPath`, on what it holds.
        jmes_path: Option<Text>,
    },
    /// `imageRegistry`.
    ImageRegistry {
        /// `reference`.
        reference: Text,
        /// `jmesPath`, on what is known of the image.
        jmes_path: Option<Text>,
        /// `imageRegistryCredentials.secrets`: Secrets that show registries who asks.
        pull_secrets: Vec<String>,
    },
}

/// `apiCall`.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiCall {
    /// Who is asked.
    pub target: ApiTarget,
    /// `method`.
    pub method: Method,
    /// `data`, the fields of the body.
    pub data: Vec<(Spanned<String>, Template)>,
    /// `jmesPath`, on the answer.
    pub jmes_path: Option<Text>,
    /// `default`, where there is no answer.
    pub default: Option<Template>,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiTarget {
    /// `urlPath`: the API server.
    Path(Text),
    /// `service`: somebody else.
    Service {
        /// `url`.
        url: Text,
        /// `headers`.
        headers: Vec<(Text, Text)>,
        /// `caBundle`, certificates in PEM.
        ca_bundle: Option<Text>,
    },
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
}

impl Method {
    /// The name as HTTP spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl ContextEntry {
    /// `jmesPath`, whatever the source.
    pub fn jmes_path(&self) -> Option<&Text> {
        match &self.source {
            ContextSource::Variable { jmes_path, .. }
            | ContextSource::GlobalReference { jmes_path, .. }
            | ContextSource::ImageRegistry { jmes_path, .. } => jmes_path.as_ref(),
            ContextSource::ApiCall(call) => call.jmes_path.as_ref(),
            ContextSource::ConfigMap { .. } => None,
        }
    }

    /// Calls `visit` for each text of the entry that may hold variables.
    pub fn for_each_text<'a>(&'a self, visit: &mut dyn FnMut(&'a Text)) {
        let jmes_path = match &self.source {
            ContextSource::Variable {
                value,
                jmes_path,
                default,
            } => {
                for template in value.iter().chain(default) {
                    template.for_each_text(visit);
                }
                jmes_path
            }
            ContextSource::ConfigMap { name, namespace } => {
                visit(name);
                namespace
            }
            ContextSource::ApiCall(call) => {
                call.for_each_text(visit);
                &call.jmes_path
            }
            ContextSource::GlobalReference { name, jmes_path } => {
                visit(name);
                jmes_path
            }
            ContextSource::ImageRegistry {
                reference,
                jmes_path,
                pull_secrets: _,
            } => {
                visit(reference);
                jmes_path
            }
        };
        if let Some(text) = jmes_path {
            visit(text);
        }
    }
}

impl ApiCall {
    fn for_each_text<'a>(&'a self, visit: &mut dyn FnMut(&'a Text)) {
        match &self.target {
            ApiTarget::Path(path) => visit(path),
            ApiTarget::Service {
                url,
                headers,
                ca_bundle,
            } => {
                visit(url);
                for (name, value) in headers {
                    visit(name);
                    visit(value);
                }
                if let Some(bundle) = ca_bundle {
                    visit(bundle);
                }
            }
        }
        for (_, template) in &self.data {
            template.for_each_text(visit);
        }
        if let Some(template) = &self.default {
            template.for_each_text(visit);
        }
    }
}
