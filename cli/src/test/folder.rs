//! Running one test: everything that it names is read, and its policies are evaluated on its resources.
//!
//! Knows how Kyverno's runner prepares an evaluation; not what is expected of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regent_engine::admission::Operation;
use regent_engine::diagnostic::Diagnostic;
use regent_engine::evaluation::{Phase, Scope};
use regent_engine::load::{Environment, Loaded, load};
use regent_engine::response::{PolicyResponse, RuleResponse, RuleStatus, RuleType};
use regent_engine::source::Source;
use serde_json::Value;

use super::decode::Problems;
use super::definition::Definition;
use super::images::TestImages;
use super::patch;
use super::policies::{Named, named};
use super::values::{RequestUser, Values};
use crate::documents;
use crate::host::Host;
use crate::request::{Assumed, Assumptions, assume};
use crate::sources::{self, Wanted};

/// Everything that a test names, read.
#[derive(Debug)]
pub struct Prepared {
    /// The policies that loaded.
    loaded: Loaded,
    /// Policies as their files name them, those that did not load too.
    pub policies: Vec<Named>,
    /// What is tested, in order.
    pub resources: Vec<Resource>,
    /// What is to be said although the test runs.
    pub warnings: Vec<String>,
    values: Values,
    user: Option<RequestUser>,
    images: TestImages,
}

/// A resource and how rows name it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Namespace; `default` where none is written, as Kyverno's runner has it for every kind.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// All of it.
    pub object: Value,
}

/// What became of one resource.
#[derive(Debug)]
pub struct Evaluated {
    /// Which, by its place among the prepared ones.
    pub resource: usize,
    /// What the policies answered.
    pub answers: Vec<Answer>,
    /// Values that were given for it and that are no part of a request.
    pub left_over: BTreeSet<String>,
}

/// What one policy answered.
#[derive(Debug)]
pub struct Answer {
    /// Its name.
    pub policy: String,
    /// Its namespace, for a `Policy`.
    pub namespace: Option<String>,
    /// Its rules that matched.
    pub rules: Vec<RuleResponse>,
    /// The object with the policy's patches.
    pub patched: Value,
    /// Why a patch could not be applied.
    pub patch_error: Option<String>,
}

/// Reads what a test names.
pub fn prepare(definition: &Definition, images: TestImages) -> Result<Prepared, Vec<Diagnostic>> {
    let folder = definition.folder();
    let mut found = Vec::new();
    let texts = policy_texts(folder, definition, &mut found);
    let mut warnings = Vec::new();
    let resources = resources(folder, &definition.resources, &mut found, &mut warnings);
    let values = match &definition.variables {
        Some(path) => decoded(&folder.join(path), &mut found, Values::decode),
        None => definition.values.clone(),
    };
    let user = definition
        .user_info
        .as_ref()
        .and_then(|path| decoded(&folder.join(path), &mut found, RequestUser::decode));
    if !found.is_empty() {
        return Err(found);
    }
    let environment = Environment {
        log_urls: images.log_urls(),
    };
    let loaded = load(&texts, &environment);
    let policies = named(&texts, &loaded.diagnostics);
    Ok(Prepared {
        loaded,
        policies,
        resources,
        warnings,
        values: values.unwrap_or_default(),
        user,
        images,
    })
}

impl Prepared {
    /// Everything that is to be said about the policies.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.loaded.diagnostics
    }

    /// Evaluates all policies on all resources; `operation` overrides what the values say.
    pub fn evaluate(&self, operation: Option<Operation>) -> Vec<Evaluated> {
        (0..self.resources.len())
            .filter_map(|index| {
                let resource = self.resources.get(index)?;
                Some(self.evaluate_one(index, resource, operation))
            })
            .collect()
    }

    /// Values differ by policy, so policies are asked in groups that see the same request.
    fn evaluate_one(
        &self,
        index: usize,
        resource: &Resource,
        operation: Option<Operation>,
    ) -> Evaluated {
        let mut groups: Vec<(Assumed, Vec<&Named>)> = Vec::new();
        for policy in self.policies.iter().filter(|policy| policy.runs()) {
            let values = self.values.of(&policy.name, &resource.name);
            let assumptions = Assumptions {
                operation,
                user: self.user.as_ref(),
                sub_resources: &self.values.sub_resources,
                values: &values,
            };
            let assumed = assume(&resource.object, assumptions);
            let known = groups
                .iter_mut()
                .find(|(group, _)| group.request == assumed.request);
            match known {
                Some((_, policies)) => policies.push(policy),
                None => groups.push((assumed, vec![policy])),
            }
        }
        let mut answers = Vec::new();
        let mut left_over = BTreeSet::new();
        for (assumed, policies) in groups {
            let asked =
                |response: &PolicyResponse| policies.iter().any(|policy| policy.answers(response));
            let all = self.ask(&assumed);
            answers.extend(
                all.into_iter()
                    .filter(|(response, ..)| asked(response))
                    .map(|(response, patched, patch_error)| Answer {
                        policy: response.policy,
                        namespace: response.namespace,
                        rules: response.rules,
                        patched,
                        patch_error,
                    }),
            );
            left_over.extend(assumed.left_over);
        }
        Evaluated {
            resource: index,
            answers,
            left_over,
        }
    }

    /// Asks as a webhook is asked: first what changes the object, then what judges it as it has become.
    fn ask(&self, assumed: &Assumed) -> Vec<(PolicyResponse, Value, Option<String>)> {
        let host = Host {
            namespaces: &self.values.namespaces,
            images: &self.images,
        };
        let mut request = assumed.request.clone();
        let policies = &self.loaded.policies;
        let first =
            host.run(policies.evaluate(Arc::new(request.clone()), Phase::Mutate, Scope::All));
        let mut answers = Vec::new();
        for response in first {
            let mut of_rules = response.rules.iter().map(|rule| rule.patches.as_slice());
            let error = match &mut request.object {
                Some(object) => of_rules.find_map(|patches| patch::apply(object, patches).err()),
                None => None,
            };
            let patched = request.object.clone().unwrap_or(Value::Null);
            answers.push((response, patched, error));
        }
        let patched = request.object.clone().unwrap_or(Value::Null);
        let second = host.run(policies.evaluate(Arc::new(request), Phase::Validate, Scope::All));
        for response in second {
            let known = answers.iter_mut().find(|(known, ..)| {
                known.policy == response.policy && known.namespace == response.namespace
            });
            match known {
                Some((known, ..)) => merge(known, response),
                None => answers.push((response, patched.clone(), None)),
            }
        }
        answers
    }
}

/// A rule that verifies images answers in both phases; the worse answer is the rule's.
fn merge(known: &mut PolicyResponse, response: PolicyResponse) {
    for rule in response.rules {
        let first = known
            .rules
            .iter_mut()
            .find(|first| first.rule == rule.rule && first.rule_type == RuleType::ImageVerify);
        match first {
            Some(first) if rule.rule_type == RuleType::ImageVerify => {
                if badness(rule.status) > badness(first.status) {
                    *first = rule;
                }
            }
            _ => known.rules.push(rule),
        }
    }
}

const fn badness(status: RuleStatus) -> u8 {
    match status {
        RuleStatus::Skip => 0,
        RuleStatus::Pass => 1,
        RuleStatus::Warn => 2,
        RuleStatus::Fail => 3,
        RuleStatus::Error => 4,
    }
}

fn policy_texts(
    folder: &Path,
    definition: &Definition,
    found: &mut Vec<Diagnostic>,
) -> Vec<Arc<Source>> {
    let paths: Vec<PathBuf> = definition
        .policies
        .iter()
        .map(|path| tidy(&folder.join(path)))
        .collect();
    let sources = sources::read(&paths, Wanted::Policies, &mut std::io::empty());
    found.extend(sources.unreadable);
    sources.texts
}

/// The resources of some files, the documents of a `List` one by one, each resource once.
pub fn resources(
    folder: &Path,
    paths: &[String],
    found: &mut Vec<Diagnostic>,
    warnings: &mut Vec<String>,
) -> Vec<Resource> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| tidy(&folder.join(path))).collect();
    let sources = sources::read(&paths, Wanted::Documents, &mut std::io::empty());
    found.extend(sources.unreadable);
    let mut seen = BTreeMap::new();
    let mut resources = Vec::new();
    for source in &sources.texts {
        let (nodes, diagnostics) = regent_engine::yaml::parse(source);
        found.extend(diagnostics.into_iter().filter(Diagnostic::is_error));
        let objects = nodes.iter().map(documents::to_json).flat_map(unlisted);
        for resource in objects.map(Resource::new) {
            let key = resource.key();
            if let Some(first) = seen.insert(key.clone(), source.name.clone()) {
                warnings.push(format!(
                    "`{key}` is in `{}` again; the first is tested, that of `{first}`",
                    source.name
                ));
                seen.insert(key, first);
            } else {
                resources.push(resource);
            }
        }
    }
    resources
}

fn unlisted(object: Value) -> Vec<Value> {
    if object.get("kind").and_then(Value::as_str) != Some("List") {
        return vec![object];
    }
    match object {
        Value::Object(mut fields) => match fields.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

impl Resource {
    /// The resource that an object is.
    pub fn new(mut object: Value) -> Self {
        let namespace = object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or("default")
            .to_owned();
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            metadata.insert("namespace".to_owned(), Value::from(namespace.as_str()));
        }
        let text = |pointer: &str| {
            let value = object.pointer(pointer).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace,
            name: text("/metadata/name"),
            object,
        }
    }

    /// `apiVersion/kind/namespace/name`, as tables show it.
    pub fn key(&self) -> String {
        let Self {
            api_version,
            kind,
            namespace,
            name,
            object: _,
        } = self;
        format!("{api_version}/{kind}/{namespace}/{name}")
    }
}

/// Reads a file with one document.
fn decoded<T>(
    path: &Path,
    found: &mut Vec<Diagnostic>,
    decode: impl Fn(&regent_engine::yaml::Node, &mut Problems) -> T,
) -> Option<T> {
    let documents = match documents::read(path) {
        Ok(documents) => documents,
        Err(diagnostics) => {
            found.extend(diagnostics);
            return None;
        }
    };
    let mut problems = Problems::new(&documents.source);
    let value = documents
        .nodes
        .first()
        .map(|node| decode(node, &mut problems));
    found.append(&mut problems.found);
    value
}

/// `a/.test/../b` is `a/b`: how a person would name the file. Only where no link makes it another.
fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidy = PathBuf::new();
    for component in path.components() {
        let steps_back = component == Component::ParentDir
            && matches!(tidy.components().next_back(), Some(Component::Normal(_)));
        if steps_back {
            tidy.pop();
        } else if component != Component::CurDir {
            tidy.push(component);
        }
    }
    let same =
        matches!((path.canonicalize(), tidy.canonicalize()), (Ok(one), Ok(other)) if one == other);
    if same { tidy } else { path.to_owned() }
}
