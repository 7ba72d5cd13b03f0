//! `ConstraintTemplate`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ast::gatekeeper::ConstraintTemplate;
use crate::ast::rego::{InventoryKind, RegoModules, Version};
use crate::diagnostic::Code;
use crate::parse::fields::Reader;
use crate::parse::policy::read_metadata;
use crate::parse::rego::VERSIONS;
use crate::source::Spanned;
use crate::yaml::Node;

use super::synced;

/// The target that admission is.
const TARGET: &str = "admission.k8s.gatekeeper.sh";

/// The annotation that says which kinds `data.inventory` must hold.
const REQUIRES_SYNC: &str = "metadata.gatekeeper.sh/requires-sync-data";

pub(super) fn read(reader: &mut Reader<'_>, document: &Node) -> Option<ConstraintTemplate> {
    let mut fields = reader.fields(document, "template")?;
    fields.ignore(&["apiVersion", "kind", "status"]);
    let metadata = fields.require(reader, "metadata");
    let metadata = metadata.and_then(|node| read_metadata(reader, node));
    let spec = fields.require(reader, "spec");
    fields.finish(reader, &[]);
    let mut spec = reader.fields(spec?, "spec")?;
    let crd = spec.require(reader, "crd");
    let kind = crd.and_then(|node| read_kind(reader, node));
    let targets = spec.items(reader, "targets");
    spec.finish(reader, &[]);
    let target = if let [target] = targets {
        read_target(reader, target)
    } else {
        let count = targets.len();
        let message = format!("a template has one target, `{TARGET}`, this has {count}");
        reader.error(Code::InvalidValue, spec_span(document), message);
        None
    };
    let (modules, version) = target?;
    let metadata = metadata?;
    let annotation = metadata.annotation(REQUIRES_SYNC);
    let inventory = annotation.map(|text| synced::of_annotation(reader, text));
    let kind = kind?;
    Some(ConstraintTemplate {
        source: Arc::clone(reader.source()),
        span: document.span,
        modules: modules_of(&kind, (modules, version), inventory.unwrap_or_default()),
        kind,
    })
}

/// What its constraints ask, without parameters.
fn modules_of(
    kind: &Spanned<String>,
    (modules, version): (Vec<Spanned<String>>, Version),
    inventory: Vec<InventoryKind>,
) -> RegoModules {
    RegoModules {
        span: kind.span,
        source: None,
        file: None,
        digest: None,
        verify: None,
        unread: None,
        modules,
        version,
        entrypoint: None,
        // As in Gatekeeper: its templates are written for that.
        strict: false,
        parameters: Value::Object(Map::new()),
        data: None,
        inventory,
        constraint: None,
    }
}

fn spec_span(document: &Node) -> crate::source::Span {
    let spec = document.get("spec");
    let targets = spec.and_then(|spec| spec.get("targets")).or(spec);
    targets.map_or(document.span, |node| node.span)
}

/// `crd`: the kind. The schema of parameters is for the API server.
fn read_kind(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let mut crd = reader.fields(node, "crd")?;
    let spec = crd.require(reader, "spec");
    crd.finish(reader, &[]);
    let mut spec = reader.fields(spec?, "crd.spec")?;
    spec.ignore(&["validation"]);
    let names = spec.require(reader, "names");
    spec.finish(reader, &[]);
    let mut names = reader.fields(names?, "names")?;
    names.ignore(&["shortNames", "validation"]);
    let kind = names.require(reader, "kind");
    names.finish(reader, &[]);
    kind.and_then(|node| reader.text(node, "kind"))
}

/// The modules of a target: the template's own, and its libraries.
fn read_target(reader: &mut Reader<'_>, node: &Node) -> Option<(Vec<Spanned<String>>, Version)> {
    let mut fields = reader.fields(node, "target")?;
    let target = fields.text(reader, "target");
    let rego = fields.text(reader, "rego");
    let libs = fields.texts(reader, "libs");
    let code = fields.items(reader, "code");
    fields.ignore(&["operations"]);
    fields.finish(reader, &[]);
    if let Some(target) = target.filter(|target| target.value != TARGET) {
        let message = format!("the target of a template is `{TARGET}`");
        reader.error(Code::NotSupported, target.span, message);
        return None;
    }
    if let Some(rego) = rego {
        return Some((own_first(rego, libs), Version::V0));
    }
    let engine = |node: &Node| node.get("engine").and_then(Node::as_str).map(str::to_owned);
    let Some(code) = code
        .iter()
        .find(|code| engine(code).as_deref() == Some("Rego"))
    else {
        let engines: Vec<String> = code.iter().filter_map(engine).collect();
        let (code, message) = if engines.is_empty() {
            (Code::MissingField, "the target has no `rego`".to_owned())
        } else {
            let message = format!("the engine `{}` is not supported", engines.join("`, `"));
            (Code::NotSupported, message)
        };
        reader
            .error(code, node.span, message)
            .set_help("templates in Rego are: `rego`, or `code` with the engine `Rego`");
        return None;
    };
    read_code(reader, code)
}

fn read_code(reader: &mut Reader<'_>, node: &Node) -> Option<(Vec<Spanned<String>>, Version)> {
    let mut fields = reader.fields(node, "code")?;
    fields.ignore(&["engine"]);
    let source = fields.require(reader, "source");
    fields.finish(reader, &[]);
    let mut source = reader.fields(source?, "source")?;
    let version = source.choice(reader, "version", &VERSIONS);
    let rego = source.require(reader, "rego");
    let rego = rego.and_then(|node| reader.text(node, "rego"));
    let libs = source.texts(reader, "libs");
    source.finish(reader, &[]);
    let version = version.map_or(Version::V0, |version| version.value);
    Some((own_first(rego?, libs), version))
}

fn own_first(own: Spanned<String>, libs: Vec<Spanned<String>>) -> Vec<Spanned<String>> {
    let mut modules = vec![own];
    modules.extend(libs);
    modules
}
