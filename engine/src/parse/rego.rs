//! `validate.rego`.

use serde_json::Value;

use crate::ast::rego::{RegoModules, Version};
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::Reader;

/// Words of `version`.
pub(super) const VERSIONS: [(&str, Version); 2] = [("v0", Version::V0), ("v1", Version::V1)];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<RegoModules> {
    let mut fields = reader.fields(node, "rego")?;
    fields.demand_one(
        reader,
        &["source", "module"],
        node.span,
        "`source` and `module`",
    );
    let source = fields.text(reader, "source");
    let file = fields.text(reader, "module");
    let file = file.map_or(Some(None), |file| read_file(reader, &file).map(Some));
    let libs = fields.texts(reader, "libs");
    let version = fields.choice(reader, "version", &VERSIONS);
    let entrypoint = fields.text(reader, "entrypoint");
    let strict = fields.flag(reader, "strict");
    let parameters = fields.take("parameters").map(Node::to_json);
    let data = fields.take("data");
    let data = data.map(|node| {
        let value = node.to_json();
        if !value.is_object() {
            reader.error(Code::InvalidValue, node.span, "`data` must be a map");
        }
        value
    });
    fields.finish(reader, &[]);
    let file = file?;
    // What is in the file stands there once the host has read it.
    let own = source.or_else(|| {
        let file = file.as_ref()?;
        Some(Spanned::new(String::new(), file.span))
    });
    let mut modules = vec![own?];
    modules.extend(libs);
    Some(RegoModules {
        span: node.span,
        source: None,
        file,
        modules,
        version: version.map_or(Version::V1, |version| version.value),
        entrypoint,
        // Nothing that went wrong is a pass, unless the author asks for what OPA does.
        strict: strict.is_none_or(|strict| strict.value),
        parameters: parameters.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        data: data.filter(Value::is_object),
        inventory: Vec::new(),
        constraint: None,
    })
}

/// A file beside the policy.
fn read_file(reader: &mut Reader<'_>, file: &Spanned<String>) -> Option<Spanned<String>> {
    let path = file.value.strip_prefix("file://").unwrap_or(&file.value);
    if path.contains("://") {
        let message = "a module of Rego is a file beside the policy";
        let made = reader.error(Code::NotSupported, file.span, message);
        made.set_help("put it beside the policy, or write it into `source`");
        return None;
    }
    if path.is_empty() {
        reader.error(Code::InvalidValue, file.span, "`module` names no file");
        return None;
    }
    let path = path.to_owned();
    Some(Spanned::new(path, file.span))
}
