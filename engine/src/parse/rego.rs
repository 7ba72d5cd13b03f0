//! `validate.rego`.

use serde_json::Value;

use crate::ast::module_verify::in_registry;
use crate::ast::rego::{RegoModules, Version};
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::{Fields, Reader};
use super::guest::{check_module, read_digest};
use super::module_verify;

/// Words of `version`.
pub(super) const VERSIONS: [(&str, Version); 2] = [("v0", Version::V0), ("v1", Version::V1)];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<RegoModules> {
    let mut fields = reader.fields(node, "rego")?;
    let demands = fields.refuse_empty(reader, &["digest", "verify"]);
    fields.demand_one(
        reader,
        &["source", "module"],
        node.span,
        "`source` and `module`",
    );
    let source = fields.text(reader, "source");
    let file = fields.text(reader, "module");
    let digest = digest(reader, &mut fields, file.as_ref());
    let verify = fields.take("verify");
    let verify = verify.map_or(Some(None), |node| {
        module_verify::read(reader, node, file.as_ref()).map(Some)
    });
    let file = file.map_or(Some(None), |file| {
        let digest = digest.as_ref().and_then(Option::as_ref);
        read_file(reader, &file, digest).map(Some)
    });
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
    let file = file.filter(|_| demands)?;
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
        digest: digest?,
        verify: verify?,
        unread: None,
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

/// What the bytes of a module elsewhere must be.
#[expect(
    clippy::option_option,
    reason = "what could not be read is told from what is not said"
)]
fn digest(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    file: Option<&Spanned<String>>,
) -> Option<Option<Spanned<String>>> {
    let Some(text) = fields.text(reader, "digest") else {
        return Some(None);
    };
    if file.is_none() {
        let message = "`digest` says what a `module` must be, and there is none";
        reader.error(Code::ConflictingSettings, text.span, message);
        return None;
    }
    read_digest(reader, text).map(Some)
}

/// A file beside the policy, or a place in a registry.
fn read_file(
    reader: &mut Reader<'_>,
    file: &Spanned<String>,
    digest: Option<&Spanned<String>>,
) -> Option<Spanned<String>> {
    if in_registry(&file.value).is_some() {
        check_module(reader, file, digest)?;
        return Some(file.clone());
    }
    let path = file.value.strip_prefix("file://").unwrap_or(&file.value);
    if path.contains("://") {
        let message = "a module of Rego is a file beside the policy, or in a registry";
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
