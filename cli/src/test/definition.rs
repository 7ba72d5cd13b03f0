//! A test file, typed: what is tested with what, and what is expected.
//!
//! Knows the names of fields; opens no file but its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use regent_engine::admission::Operation;
use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::source::{Source, Span};
use regent_engine::yaml::Node;

use crate::args::facts;
use crate::offline::decode::{Fields, Problems};
use crate::offline::documents::{self, Documents};
use crate::offline::images::ImageSection;
use crate::offline::request::operation_of;
use crate::offline::values::Values;
use crate::offline::world::{CallAnswer, GlobalEntry, call_answer};

/// One test file.
#[derive(Debug)]
pub struct Definition {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub source: Arc<Source>,
    /// `metadata.name`.
    pub name: String,
    /// Paths of policies.
    pub policies: Vec<String>,
    /// Paths of resources.
    pub resources: Vec<String>,
    /// Paths of resources that rules may change besides those that they are about.
    pub target_resources: Vec<String>,
    /// Path of the values file.
    pub variables: Option<String>,
    /// Values written in the test itself.
    pub values: Option<Values>,
    /// Path of the user info file.
    pub user_info: Option<String>,
    /// Paths of exceptions.
    pub exceptions: Vec<String>,
    /// Where images come from: an extension of ours.
    pub images: ImageSection,
    /// The time that the test is run at: an extension of ours.
    pub now: Option<i64>,
    /// What is in the cluster besides, and how calls are answered.
    pub world: WorldSection,
    /// Fields that are used and that this version cannot honour.
    pub unsupported: Vec<&'static str>,
    /// What is expected.
    pub rows: Vec<ExpectedRow>,
    /// What makes it say less than it seems to.
    pub misleading: Vec<Diagnostic>,
}

/// What stands for a cluster and for services.
#[derive(Debug, Default)]
pub struct WorldSection {
    /// `clusterResources`: paths.
    pub cluster_resources: Vec<String>,
    /// `context`: path.
    pub context: Option<String>,
    /// `apiCallResponses`.
    pub answers: Vec<CallAnswer>,
    /// `globalContextEntries`.
    pub entries: Vec<GlobalEntry>,
}

impl Definition {
    /// The folder that its paths start from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// What is to be said where recorded facts that it names cannot be read.
    pub fn unreadable(&self, error: &anyhow::Error) -> Diagnostic {
        let message = format!("{error:#}");
        let named = self.images.facts.as_deref().and_then(|path| {
            let start = self.source.text.find(path)?;
            Some(Span::new(start, start + path.len()))
        });
        let span = named.unwrap_or(Span::new(0, 0));
        Diagnostic::error(Code::InvalidValue, &self.source, span, message)
    }
}

/// What is expected of some resources under one rule.
#[derive(Debug, Clone)]
pub struct ExpectedRow {
    /// Where it was written.
    pub span: Span,
    /// Name of the policy, with `namespace/` before it for a `Policy`.
    pub policy: String,
    /// Name of the rule; empty for kinds of policies without rules.
    pub rule: String,
    /// Names of resources, or `namespace/name`.
    pub resources: Vec<String>,
    /// Resources by more than their names.
    pub resource_specs: Vec<ResourceSpec>,
    /// Kind of the resources; any where it is empty.
    pub kind: String,
    /// `pass`, `fail`, `skip`, `warn` or `error`.
    pub result: String,
    /// What is done to the resources; as the values file has it where none is given.
    pub operation: Option<Operation>,
    /// Path of the objects as they must be afterwards.
    pub patched_resources: Option<String>,
    /// Whether an object that is not among them is a failure.
    pub fail_on_missing_resources: bool,
    /// Paths of the objects that must be generated.
    pub generated_resources: Vec<String>,
    /// Path of what may be copied.
    pub clone_source_resource: Option<String>,
}

/// A resource by its coordinates; what is empty matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceSpec {
    /// API group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// Fields of a test file that are known and not honoured yet: a test that uses one cannot pass.
const UNSUPPORTED: [&str; 5] = [
    "paramResources",
    "jsonPayload",
    "jsonPayloads",
    "httpPayloads",
    "envoyPayloads",
];

/// Flags of a row that say which kind of policy it is about; the policy's own kind says it better.
const POLICY_KIND_FLAGS: [&str; 7] = [
    "isValidatingAdmissionPolicy",
    "isMutatingAdmissionPolicy",
    "isValidatingPolicy",
    "isImageValidatingPolicy",
    "isMutatingPolicy",
    "isGeneratingPolicy",
    "isDeletingPolicy",
];

/// Reads the tests of a file: each of its documents is one.
pub fn read(path: &Path) -> Result<Vec<Definition>, Vec<Diagnostic>> {
    of(path, documents::read(path)?)
}

/// The tests of a file that was read.
pub fn of(path: &Path, documents: Documents) -> Result<Vec<Definition>, Vec<Diagnostic>> {
    let Documents { source, nodes } = documents;
    let mut problems = Problems::new(&source);
    if nodes.is_empty() {
        problems.error(
            Code::MissingField,
            Span::new(0, 0),
            "the file holds no test",
        );
    }
    let definitions = nodes
        .iter()
        .map(|node| definition(path, &source, node, &mut problems))
        .collect();
    if problems.found.iter().any(Diagnostic::is_error) {
        Err(problems.found)
    } else {
        Ok(definitions)
    }
}

fn definition(
    path: &Path,
    source: &Arc<Source>,
    node: &Node,
    problems: &mut Problems,
) -> Definition {
    let before = problems.found.len();
    let mut fields = Fields::open(node, "the test", problems);
    let mut misleading: Vec<_> = check_schema(&mut fields, node, problems)
        .into_iter()
        .collect();
    let name = metadata_name(&mut fields, problems);
    let unsupported = used(&UNSUPPORTED, &mut fields);
    let mut definition = Definition {
        path: path.to_owned(),
        source: Arc::clone(source),
        name,
        policies: fields.texts("policies", problems),
        resources: fields.texts("resources", problems),
        target_resources: fields.texts("targetResources", problems),
        variables: fields.text("variables", problems),
        values: fields
            .node("values")
            .map(|node| Values::decode(node, problems)),
        user_info: fields.text("userinfo", problems),
        exceptions: fields.texts("exceptions", problems),
        images: images(&mut fields, problems),
        now: now(&mut fields, problems),
        world: world(&mut fields, problems),
        unsupported,
        rows: fields
            .list("results", problems)
            .iter()
            .map(|node| row(node, problems))
            .collect(),
        misleading: Vec::new(),
    };
    if definition.rows.is_empty() {
        let place = node.get("results").map_or(node.span, |node| node.span);
        let message = "the test expects nothing: it has no `results`";
        let code = Code::MissingField;
        misleading.push(Diagnostic::warning(code, source, place, message));
    }
    definition.misleading = misleading;
    if fields
        .node("checks")
        .is_some_and(|checks| !is_empty(checks))
    {
        let message = "`checks` is not supported yet: assertions on results are written in CEL";
        problems.error(Code::NotSupportedYet, node.span, message);
    }
    fields.finish(problems);
    // What is wrong with it as a test is no help to who put something else there.
    if let (Some(kind), true) = (other_kind(node), problems.found.len() > before) {
        problems.found.truncate(before);
        let message = format!(
            "this is a `{}`, and no test",
            kind.as_str().unwrap_or_default()
        );
        let help = "a file of tests holds `kind: Test` of `cli.kyverno.io/v1alpha1`, which names the files of policies and resources".to_owned();
        problems.error_with_help(Code::InvalidValue, kind.span, message, help);
    }
    definition
}

/// The kind of a document that says it is none of tests.
fn other_kind(node: &Node) -> Option<&Node> {
    let kind = node.get("kind")?;
    kind.as_str().filter(|kind| *kind != "Test")?;
    Some(kind)
}

/// A test says its version and kind; the schema of old has a `name` at its top instead.
///
/// Which version it says does not matter to Kyverno's runner, and there are tests that rely on it.
fn check_schema(
    fields: &mut Fields<'_>,
    node: &Node,
    problems: &mut Problems,
) -> Option<Diagnostic> {
    let version = fields.text("apiVersion", problems);
    let kind = fields.text("kind", problems);
    for (name, found, wanted) in [
        ("apiVersion", version, "cli.kyverno.io/v1alpha1"),
        ("kind", kind, "Test"),
    ] {
        if found.is_none() {
            let message = format!("`{name}` is missing: the schema of old is not read");
            let help = format!("add `{name}: {wanted}`, and put the name under `metadata`");
            problems.error_with_help(Code::MissingField, node.span, message, help);
        }
    }
    // As for the version; but who put another object there by mistake must hear of it.
    let kind = other_kind(node)?;
    let other = kind.as_str()?;
    let message = format!("a file of tests holds `kind: Test`, this is `{other}`");
    let warning = Diagnostic::warning(Code::InvalidValue, problems.source(), kind.span, message);
    Some(warning)
}

fn metadata_name(fields: &mut Fields<'_>, problems: &mut Problems) -> String {
    let Some(node) = fields.node("metadata") else {
        return String::new();
    };
    // The rest of an object's metadata is Kubernetes' and says nothing to a test.
    let mut metadata = Fields::open(node, "metadata", problems);
    metadata.text("name", problems).unwrap_or_default()
}

fn images(fields: &mut Fields<'_>, problems: &mut Problems) -> ImageSection {
    let facts = fields.text("facts", problems);
    let Some(node) = fields.node("images") else {
        return ImageSection {
            facts,
            ..ImageSection::default()
        };
    };
    let mut fields = Fields::open(node, "`images`", problems);
    let mut section = ImageSection {
        oci_layouts: fields.texts("ociLayouts", problems),
        trusted_roots: fields.texts("trustedRoots", problems),
        facts,
    };
    section
        .trusted_roots
        .extend(fields.text("trustedRoot", problems));
    fields.finish(problems);
    section
}

fn now(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<i64> {
    let node = fields.node("now")?;
    match facts::time(node.as_str().unwrap_or_default()) {
        Ok(now) => Some(now),
        Err(message) => {
            problems.error(Code::InvalidValue, node.span, format!("`now`: {message}"));
            None
        }
    }
}

fn world(fields: &mut Fields<'_>, problems: &mut Problems) -> WorldSection {
    let list = fields.list("apiCallResponses", problems).iter();
    let answers = list.map(|node| call_answer(node, problems)).collect();
    let list = fields.list("globalContextEntries", problems).iter();
    let entries = list
        .map(|node| GlobalEntry::decode(node, problems))
        .collect();
    WorldSection {
        cluster_resources: fields.texts("clusterResources", problems),
        context: fields.text("context", problems),
        answers,
        entries,
    }
}

fn row(node: &Node, problems: &mut Problems) -> ExpectedRow {
    let mut fields = Fields::open(node, "a result", problems);
    for flag in POLICY_KIND_FLAGS {
        fields.flag(flag, problems);
    }
    let row = ExpectedRow {
        span: node.span,
        policy: fields.text("policy", problems).unwrap_or_default(),
        rule: fields.text("rule", problems).unwrap_or_default(),
        resources: fields.texts("resources", problems),
        resource_specs: fields
            .list("resourceSpecs", problems)
            .iter()
            .map(|node| resource_spec(node, problems))
            .collect(),
        kind: fields.text("kind", problems).unwrap_or_default(),
        result: result(&mut fields, node, problems),
        operation: operation(&mut fields, problems),
        patched_resources: fields.text("patchedResources", problems),
        fail_on_missing_resources: fields.flag("failOnMissingResources", problems),
        generated_resources: generated(&mut fields, problems),
        clone_source_resource: fields.text("cloneSourceResource", problems),
    };
    fields.finish(problems);
    if row.policy.is_empty() {
        problems.error(Code::MissingField, node.span, "a result names no `policy`");
    }
    row
}

fn generated(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<String> {
    let mut paths = fields.texts("generatedResources", problems);
    paths.extend(fields.text("generatedResource", problems));
    paths
}

fn result(fields: &mut Fields<'_>, row: &Node, problems: &mut Problems) -> String {
    let node = fields.node("result");
    let found = node.and_then(Node::as_str).unwrap_or_default();
    if !["pass", "fail", "skip", "warn", "error"].contains(&found) {
        let must = "must be pass, fail, skip, warn or error";
        let message = match node {
            None => format!("a result has no `result`, which {must}"),
            Some(_) => format!("`result` is `{found}`, and {must}"),
        };
        let span = node.map_or(row.span, |node| node.span);
        problems.error(Code::InvalidValue, span, message);
    }
    found.to_owned()
}

fn operation(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Operation> {
    let node = fields.node("operation")?;
    let found = node.as_str().unwrap_or_default();
    let operation = operation_of(found);
    if operation.is_none() {
        let message =
            format!("`operation` is `{found}`, and must be CREATE, UPDATE, DELETE or CONNECT");
        problems.error(Code::InvalidValue, node.span, message);
    }
    operation
}

fn resource_spec(node: &Node, problems: &mut Problems) -> ResourceSpec {
    let mut fields = Fields::open(node, "a resource of `resourceSpecs`", problems);
    let spec = ResourceSpec {
        group: fields.text("group", problems).unwrap_or_default(),
        version: fields.text("version", problems).unwrap_or_default(),
        kind: fields.text("kind", problems).unwrap_or_default(),
        namespace: fields.text("namespace", problems).unwrap_or_default(),
        name: fields.text("name", problems).unwrap_or_default(),
    };
    // A resource is tested as itself, so this says nothing.
    fields.text("subresource", problems);
    fields.finish(problems);
    spec
}

/// Which of some fields are written and not empty.
fn used(names: &[&'static str], fields: &mut Fields<'_>) -> Vec<&'static str> {
    names
        .iter()
        .filter(|name| fields.node(name).is_some_and(|node| !is_empty(node)))
        .copied()
        .collect()
}

fn is_empty(node: &Node) -> bool {
    use regent_engine::yaml::Value;
    match &node.value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
