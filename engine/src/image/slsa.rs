//! What SLSA provenance and verification summaries say, in one form, beside what the signer's certificate claims.
//!
//! Facts and no verdict: who may say it, and whether it is what a policy asks for, is judged elsewhere.

use serde_json::{Map, Value};

use super::evidence::{CertificateIdentity, Signer, VerifiedStatement};

mod resource;

pub use resource::Resource;

/// Predicate types of SLSA provenance, and the name under which either can answer for the other.
pub const PROVENANCE_V1: &str = "https://slsa.dev/provenance/v1";
/// The older one.
pub const PROVENANCE_V02: &str = "https://slsa.dev/provenance/v0.2";
/// What somebody says who has verified provenance.
pub const SUMMARY_V1: &str = "https://slsa.dev/verification_summary/v1";

/// Fulcio's extensions.
const RUNNER: &str = "1.3.6.1.4.1.57264.1.11";
const SIGNER_URI: &str = "1.3.6.1.4.1.57264.1.9";
const BUILD_CONFIG: &str = "1.3.6.1.4.1.57264.1.18";
/// Newer, and what stood for it before.
const SOURCE: [&str; 2] = ["1.3.6.1.4.1.57264.1.12", "1.3.6.1.4.1.57264.1.5"];
const COMMIT: [&str; 2] = ["1.3.6.1.4.1.57264.1.13", "1.3.6.1.4.1.57264.1.3"];
const REF: [&str; 2] = ["1.3.6.1.4.1.57264.1.14", "1.3.6.1.4.1.57264.1.6"];

/// External parameters of a build that are understood: where its source is, and what a person typed who started it.
const PARAMETERS: [&str; 4] = ["inputs", "source", "vars", "workflow"];
const WORKFLOW_PARAMETERS: [&str; 3] = ["path", "ref", "repository"];

/// Facts about one statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slsa {
    /// The builder that it names.
    pub builder: Option<String>,
    /// The source repository.
    pub source: Option<String>,
    /// The ref of it that was built.
    pub git_ref: Option<String>,
    /// The path of the workflow that was run.
    pub workflow: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// Whether the certificate says that the machine was the caller's own.
    pub self_hosted: bool,
    /// Whether the certificate says that the signing workflow is not the one that was started.
    pub reusable: bool,
    /// What does not fit together, if anything does not.
    pub inconsistency: Option<String>,
    /// Of a summary, the levels of the build track that were verified.
    pub levels: Vec<u64>,
    /// Of a summary, whether the verification passed.
    pub passed: bool,
    /// Of a summary, its `resourceUri`.
    pub resource_uri: Option<String>,
}

impl Slsa {
    /// What a statement says; nothing where it is of another type.
    pub fn of(statement: &VerifiedStatement) -> Option<Self> {
        // The type first: a large predicate of another one is not read for nothing.
        let read = match statement.predicate_type.as_str() {
            PROVENANCE_V1 => provenance_v1,
            PROVENANCE_V02 => provenance_v02,
            SUMMARY_V1 => summary,
            _ => return None,
        };
        let said = read(&*statement.predicate.value().ok()?);
        Some(match &statement.verified.signer {
            Signer::Certificate(certificate) if statement.predicate_type != SUMMARY_V1 => {
                said.beside(certificate)
            }
            Signer::Certificate(_) | Signer::Key { .. } => said,
        })
    }

    /// Of a summary, the image that it names; nothing where that cannot be read.
    pub fn resource(&self) -> Option<Resource> {
        Resource::read(self.resource_uri.as_deref()?)
    }

    /// The same with what the certificate claims: both must agree where both say something.
    fn beside(mut self, certificate: &CertificateIdentity) -> Self {
        let claim = |oid: &str| certificate.extensions.get(oid).map(String::as_str);
        let source = claim(SOURCE[0]).map(str::to_owned);
        let source =
            source.or_else(|| claim(SOURCE[1]).map(|path| format!("https://github.com/{path}")));
        let either = |oids: [&str; 2]| claim(oids[0]).or(claim(oids[1])).map(str::to_owned);
        let workflow = claim(BUILD_CONFIG).and_then(|uri| {
            let (uri, _) = uri.split_once('@').unwrap_or((uri, ""));
            let path = uri.strip_prefix(source.as_deref()?)?;
            Some(path.trim_start_matches('/').to_owned())
        });
        self.self_hosted = claim(RUNNER).is_some_and(|runner| runner != "github-hosted");
        self.reusable = matches!(
            (claim(SIGNER_URI), claim(BUILD_CONFIG)),
            (Some(signer), Some(started)) if signer != started
        );
        let pairs = [
            ("source", &mut self.source, source),
            ("ref", &mut self.git_ref, either(REF)),
            ("workflow", &mut self.workflow, workflow),
            ("commit", &mut self.commit, either(COMMIT)),
        ];
        for (what, said, claimed) in pairs {
            let Some(claimed) = claimed else { continue };
            match said {
                Some(said) if *said != claimed => {
                    let text = format!("{what} {said}, but the certificate says {claimed}");
                    self.inconsistency.get_or_insert(text);
                }
                Some(_) => {}
                None => *said = Some(claimed),
            }
        }
        self
    }
}

fn provenance_v1(predicate: &Value) -> Slsa {
    let text = |pointer: &str| text_at(predicate, pointer);
    let parameters = predicate.pointer("/buildDefinition/externalParameters");
    let parameter = |pointer: &str| text_at(parameters?, pointer);
    let written = parameter("/source").or_else(|| parameter("/source/uri"));
    let dependency = git(predicate.pointer("/buildDefinition/resolvedDependencies"));
    let (uri, git_ref) = repository(written.or_else(|| text_at(dependency?, "/uri")));
    let source = parameter("/workflow/repository").map(|uri| plain(&uri).to_owned());
    let commit = |name| text_at(dependency?, name);
    Slsa {
        builder: text("/runDetails/builder/id"),
        inconsistency: unknown_parameter(parameters).or_else(|| {
            let (said, depended) = (source.as_ref()?, uri.as_ref()?);
            let differs = said != depended;
            differs.then(|| format!("source {said}, but it was built from {depended}"))
        }),
        source: source.or(uri),
        git_ref: parameter("/workflow/ref").or(git_ref),
        workflow: parameter("/workflow/path"),
        commit: commit("/digest/gitCommit").or_else(|| commit("/digest/sha1")),
        ..Slsa::default()
    }
}

fn provenance_v02(predicate: &Value) -> Slsa {
    let text = |pointer: &str| text_at(predicate, pointer);
    let (source, git_ref) = repository(text("/invocation/configSource/uri"));
    let material = git(predicate.get("materials"));
    let (material, _) = repository(material.and_then(|one| text_at(one, "/uri")));
    let differs = |(said, built): (&String, &String)| {
        (said != built).then(|| format!("source {said}, but it was built from {built}"))
    };
    Slsa {
        builder: text("/builder/id"),
        inconsistency: unknown_parameter(predicate.pointer("/invocation/parameters"))
            .or_else(|| source.as_ref().zip(material.as_ref()).and_then(differs)),
        source: source.or(material),
        git_ref,
        workflow: text("/invocation/configSource/entryPoint"),
        commit: text("/invocation/configSource/digest/sha1"),
        ..Slsa::default()
    }
}

fn summary(predicate: &Value) -> Slsa {
    let levels = predicate.get("verifiedLevels").and_then(Value::as_array);
    let level = |level: &Value| {
        let number = level.as_str()?.strip_prefix("SLSA_BUILD_LEVEL_")?;
        number.parse().ok()
    };
    Slsa {
        levels: levels.into_iter().flatten().filter_map(level).collect(),
        passed: predicate.get("verificationResult").and_then(Value::as_str) == Some("PASSED"),
        resource_uri: text_at(predicate, "/resourceUri"),
        ..Slsa::default()
    }
}

/// A parameter that is not understood could have changed what was built.
fn unknown_parameter(parameters: Option<&Value>) -> Option<String> {
    let unknown = |fields: &Map<String, Value>, known: &[&str]| {
        let name = fields.keys().find(|name| !known.contains(&name.as_str()))?;
        Some(format!("external parameter {name}, which is not known"))
    };
    let parameters = parameters.filter(|written| !written.is_null())?;
    let Some(fields) = parameters.as_object() else {
        return Some("external parameters that are no map, which are not known".to_owned());
    };
    let workflow = fields.get("workflow").and_then(Value::as_object);
    unknown(fields, &PARAMETERS)
        .or_else(|| workflow.and_then(|fields| unknown(fields, &WORKFLOW_PARAMETERS)))
}

/// The first of what was built from that is a repository.
fn git(list: Option<&Value>) -> Option<&Value> {
    let is_git = |one: &&Value| {
        let uri = one.get("uri").and_then(Value::as_str);
        uri.is_some_and(|uri| uri.starts_with("git+"))
    };
    list?.as_array()?.iter().find(is_git)
}

fn text_at(value: &Value, pointer: &str) -> Option<String> {
    let text = value.pointer(pointer)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// A repository and the ref in it, of `git+https://host/path@ref`.
fn repository(uri: Option<String>) -> (Option<String>, Option<String>) {
    let Some(uri) = uri else { return (None, None) };
    let start = uri.find("://").map_or(0, |at| at + 3);
    match uri.get(start..).and_then(|rest| rest.split_once('@')) {
        Some((path, git_ref)) => {
            let scheme = uri.get(..start).unwrap_or("");
            let uri = format!("{scheme}{path}");
            (Some(plain(&uri).to_owned()), Some(git_ref.to_owned()))
        }
        None => (Some(plain(&uri).to_owned()), None),
    }
}

/// A repository's address as people write it.
fn plain(uri: &str) -> &str {
    let uri = uri.strip_prefix("git+").unwrap_or(uri);
    let uri = uri.trim_end_matches('/');
    uri.strip_suffix(".git").unwrap_or(uri)
}

#[cfg(test)]
mod tests;
