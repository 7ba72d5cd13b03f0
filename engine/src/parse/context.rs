//! `context` of rules and of `foreach`.

use crate::ast::context::{ApiCall, ApiTarget, ContextEntry, ContextSource, Method};
use crate::ast::template::{Template, Text};
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::{Fields, Reader};
use super::registry_credentials;
use super::template;

/// Where the value of an entry comes from, as fields.
const SOURCES: [&str; 5] = [
    "variable",
    "configMap",
    "apiCall",
    "globalReference",
    "imageRegistry",
];

const METHODS: [(&str, Method); 2] = [("GET", Method::Get), ("POST", Method::Post)];

/// The entries. One that could not be read, which is an error by now, still stands for its name, so that nobody is told
/// that nothing sets it; where even the name could not be read, it is empty.
pub(super) fn read(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Vec<ContextEntry> {
    let items = fields.items(reader, "context");
    items.iter().map(|item| entry(reader, item)).collect()
}

fn entry(reader: &mut Reader<'_>, node: &Node) -> ContextEntry {
    let unread = |name: Option<Spanned<String>>| ContextEntry {
        span: node.span,
        name: name.unwrap_or_else(|| Spanned::new(String::new(), node.span)),
        source: ContextSource::Variable {
            value: None,
            jmes_path: None,
            default: None,
        },
    };
    let Some(mut fields) = reader.fields(node, "context") else {
        return unread(None);
    };
    let name = fields.require(reader, "name");
    let name = name.and_then(|node| reader.text(node, "name"));
    let written: Vec<&str> = SOURCES
        .into_iter()
        .filter(|source| fields.peek(source).is_some())
        .collect();
    let source = match written.as_slice() {
        [] => {
            let message = "an entry of `context` says where its value comes from";
            reader
                .error(Code::MissingField, node.span, message)
                .set_help(format!("it has one of `{}`", SOURCES.join("`, `")));
            fields.unless_misspelt(reader, &SOURCES);
            fields.ignore(&SOURCES);
            None
        }
        [_] => source(reader, &mut fields),
        [one, two, ..] => {
            let message =
                format!("an entry of `context` has one source: it has `{one}` and `{two}`");
            reader.error(Code::InvalidValue, node.span, message);
            fields.ignore(&SOURCES);
            None
        }
    };
    fields.finish(reader, &[]);
    match (name, source) {
        (Some(name), Some(source)) => ContextEntry {
            span: node.span,
            name,
            source,
        },
        (name, _) => unread(name),
    }
}

fn source(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<ContextSource> {
    let taken = SOURCES.map(|name| (name, fields.take(name)));
    let (name, node) = taken
        .into_iter()
        .find_map(|(name, node)| node.map(|node| (name, node)))?;
    let mut fields = reader.fields(node, name)?;
    let source = match name {
        "variable" => variable(reader, node, &mut fields),
        "configMap" => config_map(reader, &mut fields),
        "apiCall" => api_call(reader, node, &mut fields).map(ContextSource::ApiCall),
        "globalReference" => {
            let name = required(reader, &mut fields, "name");
            let jmes_path = text(reader, &mut fields, "jmesPath");
            name.map(|name| ContextSource::GlobalReference { name, jmes_path })
        }
        _ => image(reader, &mut fields),
    };
    fields.finish(reader, &[]);
    source
}

fn variable(
    reader: &mut Reader<'_>,
    node: &Node,
    fields: &mut Fields<'_>,
) -> Option<ContextSource> {
    let value = value(reader, fields, "value");
    let jmes_path = text(reader, fields, "jmesPath");
    let default = self::value(reader, fields, "default");
    if value.is_none() && jmes_path.is_none() && default.is_none() {
        let message = "`variable` has neither `value` nor `jmesPath`";
        reader.error(Code::MissingField, node.span, message);
        fields.unless_misspelt(reader, &["value", "jmesPath"]);
        return None;
    }
    Some(ContextSource::Variable {
        value,
        jmes_path,
        default,
    })
}

fn config_map(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<ContextSource> {
    let name = required(reader, fields, "name");
    let namespace = text(reader, fields, "namespace");
    name.map(|name| ContextSource::ConfigMap { name, namespace })
}

fn image(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<ContextSource> {
    let reference = required(reader, fields, "reference");
    let jmes_path = text(reader, fields, "jmesPath");
    let pull_secrets = registry_credentials::read(reader, fields);
    reference.map(|reference| ContextSource::ImageRegistry {
        reference,
        jmes_path,
        pull_secrets,
    })
}

fn api_call(reader: &mut Reader<'_>, node: &Node, fields: &mut Fields<'_>) -> Option<ApiCall> {
    let path = text(reader, fields, "urlPath");
    let service = fields.take("service");
    let method = fields.choice(reader, "method", &METHODS);
    let data = data(reader, fields);
    let jmes_path = text(reader, fields, "jmesPath");
    let default = value(reader, fields, "default");
    if let Some(path) = &path
        && !path.raw.starts_with(['/', '{', '\\'])
    {
        let message = "`urlPath` is a path: it begins with `/`";
        let made = reader.warning(Code::InvalidValue, path.span, message);
        made.set_help(format!("write `/{}`", path.raw));
    }
    let target = match (path, service) {
        (Some(_), Some(service)) => {
            let message = "`apiCall` asks one server: it has `urlPath` and `service`";
            reader.error(Code::InvalidValue, service.span, message);
            None
        }
        (Some(path), None) => Some(ApiTarget::Path(path)),
        (None, Some(node)) => self::service(reader, node),
        (None, None) => {
            let message = "`apiCall` has neither `urlPath` nor `service`";
            reader.error(Code::MissingField, node.span, message);
            fields.unless_misspelt(reader, &["urlPath", "service"]);
            None
        }
    };
    let method = method.map_or(Method::Get, |method| method.value);
    if method == Method::Get && !data.is_empty() {
        let message = "`data` is sent with `method: POST` only";
        reader.error(Code::InvalidValue, node.span, message);
    }
    Some(ApiCall {
        target: target?,
        method,
        data,
        jmes_path,
        default,
    })
}

fn service(reader: &mut Reader<'_>, node: &Node) -> Option<ApiTarget> {
    let mut fields = reader.fields(node, "service")?;
    let url = required(reader, &mut fields, "url");
    let ca_bundle = text(reader, &mut fields, "caBundle");
    let mut headers = Vec::new();
    for item in fields.items(reader, "headers") {
        let Some(mut fields) = reader.fields(item, "header") else {
            continue;
        };
        let key = required(reader, &mut fields, "key");
        let value = required(reader, &mut fields, "value");
        fields.finish(reader, &[]);
        headers.extend(key.zip(value));
    }
    fields.finish(reader, &[]);
    Some(ApiTarget::Service {
        url: url?,
        headers,
        ca_bundle,
    })
}

fn data(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Vec<(Spanned<String>, Template)> {
    let mut pairs = Vec::new();
    for item in fields.items(reader, "data") {
        let Some(mut fields) = reader.fields(item, "data") else {
            continue;
        };
        let key = fields.require(reader, "key");
        let key = key.and_then(|node| reader.text(node, "key"));
        let value = fields.require(reader, "value");
        let value = value.map(|node| template::template(reader, node));
        fields.finish(reader, &[]);
        pairs.extend(key.zip(value));
    }
    pairs
}

fn value(reader: &mut Reader<'_>, fields: &mut Fields<'_>, name: &'static str) -> Option<Template> {
    let node = fields.take(name)?;
    Some(template::template(reader, node))
}

fn text(reader: &mut Reader<'_>, fields: &mut Fields<'_>, name: &'static str) -> Option<Text> {
    let text = fields.text(reader, name)?;
    Some(template::text(reader, &text.value, text.span))
}

fn required(reader: &mut Reader<'_>, fields: &mut Fields<'_>, name: &'static str) -> Option<Text> {
    let node = fields.require(reader, name)?;
    let text = reader.text(node, name)?;
    Some(template::text(reader, &text.value, text.span))
}
