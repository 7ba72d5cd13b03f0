//! Texts with variables, parsed once: from here on no constant expression is parsed again.
//!
//! What is wrong with an expression was said when the policy was checked; one that is wrong all the same fails where it is
//! reached.

use std::sync::Arc;

use crate::ast;
use crate::ast::context::{ContextEntry, ContextSource};
use crate::jmespath::Expression;
use crate::program;
use crate::template::{Template, Text};

pub(super) fn template(written: &ast::template::Template) -> Template {
    Template::compile(written).0
}

pub(super) fn text(written: &ast::template::Text) -> Text {
    Text::compile(written).0
}

/// A text that is an expression.
pub(super) fn query(written: &ast::template::Text) -> program::Query {
    let text = text(written);
    let expression = text
        .literal()
        .and_then(|text| Expression::parse(text.trim()).ok());
    program::Query {
        text,
        expression: expression.map(Arc::new),
    }
}

/// The entries of a context; `namespace` is where names without one are looked up.
pub(super) fn context(
    entries: &[ContextEntry],
    namespace: Option<&str>,
) -> Vec<program::ContextEntry> {
    let entry = |entry: &ContextEntry| program::ContextEntry {
        name: entry.name.value.clone(),
        source: source(&entry.source, namespace.unwrap_or("default")),
    };
    entries.iter().map(entry).collect()
}

fn source(written: &ContextSource, namespace: &str) -> program::ContextSource {
    match written {
        ContextSource::Variable {
            value,
            jmes_path,
            default,
        } => program::ContextSource::Variable {
            value: value.as_ref().map(template),
            jmes_path: jmes_path.as_ref().map(query),
            default: default.as_ref().map(template),
        },
        ContextSource::ConfigMap {
            name,
            namespace: written,
        } => program::ContextSource::ConfigMap {
            name: text(name),
            namespace: written.as_ref().map(text),
            default_namespace: namespace.to_owned(),
        },
        ContextSource::ApiCall(call) => program::ContextSource::ApiCall(api_call(call)),
        ContextSource::GlobalReference { name, jmes_path } => {
            program::ContextSource::GlobalReference {
                name: text(name),
                jmes_path: jmes_path.as_ref().map(query),
            }
        }
        ContextSource::ImageRegistry {
            reference,
            jmes_path,
            pull_secrets,
        } => program::ContextSource::ImageRegistry {
            reference: text(reference),
            jmes_path: jmes_path.as_ref().map(query),
            pull_secrets: pull_secrets.clone(),
        },
    }
}

fn api_call(call: &ast::context::ApiCall) -> program::ApiCall {
    use ast::context::ApiTarget;
    let target = match &call.target {
        ApiTarget::Path(path) => program::ApiTarget::Path(text(path)),
        ApiTarget::Service {
            url,
            headers,
            ca_bundle,
        } => program::ApiTarget::Service {
            url: text(url),
            headers: headers
                .iter()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            ca_bundle: ca_bundle.as_ref().map(text),
        },
    };
    program::ApiCall {
        target,
        method: call.method,
        data: call
            .data
            .iter()
            .map(|(key, value)| (key.value.clone(), template(value)))
            .collect(),
        jmes_path: call.jmes_path.as_ref().map(query),
        default: call.default.as_ref().map(template),
    }
}
