//! What SLSA provenance says, and which build level that is worth, as far as it can be said offline.

use regent_engine::image::evidence::{CertificateIdentity, Signer, VerifiedStatement};
use serde_json::Value;

/// The builder id of provenance that GitHub's own action writes on runners that GitHub hosts.
const GITHUB_HOSTED: &str = "https://github.com/actions/runner/github-hosted";
/// Workflows that build in isolation from who calls them.
const GENERATOR: &str =
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/";

/// What provenance says of a build.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Build {
    pub(super) builder: String,
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) commit: String,
    /// Path and value of each parameter that the caller chose.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) level: String,
}

/// Reads provenance of either version; nothing for other statements.
pub(super) fn read(statement: &VerifiedStatement) -> Option<Build> {
    let predicate = &*statement.predicate.value().ok()?;
    let text = |pointer: &str| {
        let value = predicate.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let mut build = match statement.predicate_type.as_str() {
        "https://slsa.dev/provenance/v0.2" => Build {
            builder: text("/builder/id"),
            kind: text("/buildType"),
            source: text("/invocation/configSource/uri"),
            commit: text("/invocation/configSource/digest/sha1"),
            parameters: parameters(predicate.pointer("/invocation/parameters")),
            level: String::new(),
        },
        "https://slsa.dev/provenance/v1" => Build {
            builder: text("/runDetails/builder/id"),
            kind: text("/buildDefinition/buildType"),
            source: text("/buildDefinition/resolvedDependencies/0/uri"),
            commit: text("/buildDefinition/resolvedDependencies/0/digest/gitCommit"),
            parameters: parameters(predicate.pointer("/buildDefinition/externalParameters")),
            level: String::new(),
        },
        _ => return None,
    };
    build.level = level(&build.builder, &statement.verified.signer);
    Some(build)
}

/// The build level that signer and builder stand for. Whether the platform keeps what it promises is not for a signature to say.
fn level(builder: &str, signer: &Signer) -> String {
    let Signer::Certificate(identity) = signer else {
        return "1: signed with a key, which does not say that the builder signed".to_owned();
    };
    let hosted = extension(identity, 11).is_none_or(|runner| runner == "github-hosted");
    let is_builder = identity.subjects.iter().any(|subject| subject == builder);
    if !hosted && (is_builder || builder == GITHUB_HOSTED) {
        return "2 at most: the build ran on a self-hosted runner".to_owned();
    }
    if builder == GITHUB_HOSTED && extension(identity, 11).is_some() {
        return "2: GitHub's runner attests what the workflow built".to_owned();
    }
    if !is_builder {
        return "1: signed by another identity than the builder".to_owned();
    }
    // A reusable workflow that others call: the caller cannot reach its signing key.
    let caller = extension(identity, 18);
    if builder.starts_with(GENERATOR) || caller.is_some_and(|caller| caller != builder) {
        return "3: the builder signed, and is a workflow apart from the one that called it"
            .to_owned();
    }
    "2: the builder signed; it is not shown to be isolated from the build".to_owned()
}

fn extension(identity: &CertificateIdentity, number: u8) -> Option<&str> {
    let id = format!("1.3.6.1.4.1.57264.1.{number}");
    identity.extensions.get(&id).map(String::as_str)
}

/// The leaves of the parameters, each with its path.
fn parameters(value: Option<&Value>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some(value) = value {
        collect(value, String::new(), &mut found);
    }
    found.retain(|(_, value)| !value.is_empty());
    found
}

fn collect(value: &Value, path: String, found: &mut Vec<(String, String)>) {
    let below = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, below(name), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, below(&index.to_string()), found);
            }
        }
        Value::Null => {}
        Value::String(text) => found.push((path, text.clone())),
        other => found.push((path, other.to_string())),
    }
}
