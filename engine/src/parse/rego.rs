//! `validate.rego`.

use serde_json::Value;

use crate::ast::rego::{RegoModules, Version};
use crate::diagnostic::Code;
use crate::yaml::Node;

use super::fields::Reader;

/// Words of `version`.
pub(super) const VERSIONS: [(&str, Version); 2] = [("v0", Version::V0), ("v1", Version::V1)];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<RegoModules> {
    let mut fields = reader.fields(node, "rego")?;
    let source = fields.require(reader, "source");
    let source = source.and_then(|node| reader.text(node, "source"));
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
    fields.finish(reader, &["module"]);
    let mut modules = vec![source?];
    modules.extend(libs);
    Some(RegoModules {
        span: node.span,
        source: None,
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
