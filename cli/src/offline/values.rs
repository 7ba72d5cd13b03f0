//! Values files and user info files: what a test says of the world around its resources.
//!
//! Knows nothing of policies.

use std::collections::BTreeMap;

use regent_engine::admission::UserInfo;
use regent_engine::diagnostic::Code;
use regent_engine::evaluation::Variables;
use regent_engine::yaml::{Entry, Node};
use serde_json::{Map, Value};

use super::decode::{Fields, Problems};
use super::request::{is_of_request, put, split};
use names::Name;

pub mod names;

/// `kind: Values`.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// For every policy and resource.
    pub globals: Vec<(String, Value)>,
    /// For some policies.
    pub policies: Vec<PolicyValues>,
    /// Labels of namespaces.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Kinds that stand for sub-resources of others.
    pub sub_resources: Vec<SubResource>,
    /// What they are about, as it is written.
    pub names: Vec<Name>,
}

/// Values for one policy.
#[derive(Debug, Clone, Default)]
pub struct PolicyValues {
    /// The policy.
    pub name: String,
    /// Values by resource.
    pub resources: Vec<(String, Vec<(String, Value)>)>,
    /// Values by rule.
    pub rules: Vec<(String, Vec<(String, Value)>)>,
    /// Values for each element of a rule's `foreach`.
    pub elements: Vec<ElementValues>,
}

/// `foreachValues` of one name.
#[derive(Debug, Clone, Default)]
pub struct ElementValues {
    /// The rule.
    pub rule: String,
    /// The name, as a path.
    pub path: String,
    /// A value for each element; never empty.
    pub values: Vec<Value>,
}

/// A kind of object that is sent to a sub-resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubResource {
    /// Group, version and kind of the object.
    pub object: (String, String, String),
    /// Name, as in `pods/exec`.
    pub name: String,
    /// Group, version and kind of what it belongs to.
    pub parent: (String, String, String),
    /// Name of what it belongs to, as in `pods`.
    pub parent_name: String,
}

impl Values {
    /// Reads a values document.
    pub fn decode(node: &Node, problems: &mut Problems) -> Self {
        let mut fields = Fields::open(node, "the values", problems);
        fields.type_of("Values", problems);
        // The rest of an object's metadata is Kubernetes' and says nothing to a test.
        fields.node("metadata");
        let mut values = Self {
            globals: pairs(fields.map("globalValues", problems)),
            policies: fields
                .list("policies", problems)
                .iter()
                .map(|node| policy_values(node, problems))
                .collect(),
            namespaces: BTreeMap::new(),
            sub_resources: fields
                .list("subresources", problems)
                .iter()
                .map(|node| sub_resource(node, problems))
                .collect(),
            names: names::of(node, problems.source()),
        };
        for node in fields.list("namespaceSelector", problems) {
            let mut selector = Fields::open(node, "a namespace selector", problems);
            let name = selector.text("name", problems).unwrap_or_default();
            let labels = labels(selector.map("labels", problems));
            selector.finish(problems);
            values.namespaces.insert(name, labels);
        }
        // Whole namespaces come after selectors and win, as in Kyverno's runner.
        for node in fields.list("namespaces", problems) {
            let object = node.to_json();
            let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
            let name = text("/metadata/name").unwrap_or_default().to_owned();
            let metadata = node.get("metadata");
            let found = metadata.and_then(|metadata| metadata.get("labels"));
            let found = match found.map(|labels| &labels.value) {
                Some(regent_engine::yaml::Value::Map(entries)) => labels(entries),
                _ => BTreeMap::new(),
            };
            values.namespaces.insert(name, found);
        }
        fields.finish(problems);
        values
    }

    /// Whether they give resources other names or namespaces than those that are written.
    pub fn rename(&self) -> bool {
        let of_policies = self.policies.iter().flat_map(|policy| {
            let of_resources = policy.resources.iter().chain(&policy.rules);
            of_resources.flat_map(|(_, values)| values)
        });
        let names = ["request.object.metadata.name", "request.name"];
        let mut all = self.globals.iter().chain(of_policies);
        // Those of namespaces begin so too.
        all.any(|(path, _)| names.iter().any(|name| path.starts_with(name)))
    }

    /// The values that are part of the request for a resource, as a policy sees it; the narrower win.
    pub fn of_request(&self, policy: &str, resource: &str) -> BTreeMap<String, Value> {
        let of_request = |(path, _): &&(String, Value)| is_of_request(path);
        let globals = self.globals.iter().filter(of_request).cloned();
        let mut found: BTreeMap<_, _> = globals.collect();
        for values in self.of_resource(policy, resource) {
            found.extend(values.iter().filter(of_request).cloned());
        }
        found
    }

    /// The values that are names in expressions, for a resource; `keys` are those of the policies of a name.
    pub fn variables(&self, resource: &str, keys: impl Fn(&str) -> Vec<String>) -> Variables {
        let mut variables = Variables::default();
        add(&mut variables.everywhere, &self.globals);
        for policy in &self.policies {
            for key in keys(&policy.name) {
                self.add_of_policy(&mut variables, policy, &key, resource);
            }
        }
        variables
    }

    fn add_of_policy(
        &self,
        variables: &mut Variables,
        policy: &PolicyValues,
        key: &str,
        resource: &str,
    ) {
        for values in self.of_resource(&policy.name, resource) {
            let place = variables.of_policies.entry(key.to_owned()).or_default();
            add(place, values);
        }
        for (rule, values) in &policy.rules {
            let place = (key.to_owned(), rule.clone());
            // A rule is chosen by the request as it is; what it reads of the request may be given.
            put_all(variables.of_rules.entry(place).or_default(), values);
        }
        for one in &policy.elements {
            let place = (key.to_owned(), one.rule.clone());
            let of_elements = variables.of_elements.entry(place).or_default();
            if of_elements.len() < one.values.len() {
                of_elements.resize_with(one.values.len(), Map::new);
            }
            for (names, value) in of_elements.iter_mut().zip(&one.values) {
                put_all(names, [&(one.path.clone(), value.clone())]);
            }
        }
    }

    fn of_resource<'v>(
        &'v self,
        policy: &'v str,
        resource: &'v str,
    ) -> impl Iterator<Item = &'v [(String, Value)]> {
        let policies = self.policies.iter();
        policies
            .filter(move |values| values.name == policy)
            .flat_map(|values| &values.resources)
            .filter(move |(name, _)| name == resource)
            .map(|(_, values)| values.as_slice())
    }
}

/// Puts values at their paths, all but those that are part of the request.
fn add(names: &mut Map<String, Value>, values: &[(String, Value)]) {
    let names_of = |(path, _): &&(String, Value)| !is_of_request(path);
    put_all(names, values.iter().filter(names_of));
}

/// Puts values at their paths.
fn put_all<'v>(
    names: &mut Map<String, Value>,
    values: impl IntoIterator<Item = &'v (String, Value)>,
) {
    for (path, value) in values {
        let mut keys = split(path);
        let name = keys.remove(0);
        put(names.entry(name).or_insert(Value::Null), keys, value);
    }
}

fn policy_values(node: &Node, problems: &mut Problems) -> PolicyValues {
    let mut fields = Fields::open(node, "the values of a policy", problems);
    let mut elements = Vec::new();
    let mut named = |name, problems: &mut Problems| {
        let mut found = Vec::new();
        for node in fields.list(name, problems) {
            let mut fields = Fields::open(node, "named values", problems);
            let of = fields.text("name", problems).unwrap_or_default();
            let values = pairs(fields.map("values", problems));
            if name == "rules" {
                let lists = fields.map("foreachValues", problems);
                elements.extend(of_elements(&of, lists, problems));
            }
            fields.finish(problems);
            found.push((of, values));
        }
        found
    };
    let resources = named("resources", problems);
    let rules = named("rules", problems);
    let name = fields.text("name", problems).unwrap_or_default();
    fields.finish(problems);
    PolicyValues {
        name,
        resources,
        rules,
        elements,
    }
}

/// `foreachValues` of a rule.
fn of_elements(rule: &str, entries: &[Entry], problems: &mut Problems) -> Vec<ElementValues> {
    let mut found = Vec::new();
    for entry in entries {
        match entry.value.to_json() {
            Value::Array(values) if !values.is_empty() => found.push(ElementValues {
                rule: rule.to_owned(),
                path: entry.key.clone(),
                values,
            }),
            _ => {
                let message = "`foreachValues` takes a list, with a value for each element";
                problems.error(Code::InvalidValue, entry.value.span, message);
            }
        }
    }
    found
}

fn sub_resource(node: &Node, problems: &mut Problems) -> SubResource {
    let mut fields = Fields::open(node, "a sub-resource", problems);
    let mut api_resource = |name, problems: &mut Problems| {
        let mut found = ((String::new(), String::new(), String::new()), String::new());
        if let Some(node) = fields.node(name) {
            // The rest of Kubernetes' `APIResource` says nothing to a test.
            let mut fields = Fields::open(node, "an API resource", problems);
            let mut text = |name| fields.text(name, problems).unwrap_or_default();
            found = ((text("group"), text("version"), text("kind")), text("name"));
        }
        found
    };
    let (object, name) = api_resource("subresource", problems);
    let (parent, parent_name) = api_resource("parentResource", problems);
    fields.finish(problems);
    SubResource {
        object,
        name,
        parent,
        parent_name,
    }
}

/// `kind: UserInfo`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestUser {
    /// Who asks.
    pub user_info: UserInfo,
    /// Roles as `namespace:name`.
    pub roles: Vec<String>,
    /// Cluster roles.
    pub cluster_roles: Vec<String>,
}

impl RequestUser {
    /// Reads a user info document.
    pub fn decode(node: &Node, problems: &mut Problems) -> Self {
        let mut fields = Fields::open(node, "the user info", problems);
        fields.type_of("UserInfo", problems);
        fields.node("metadata");
        let mut user = Self {
            user_info: UserInfo::default(),
            roles: fields.texts("roles", problems),
            cluster_roles: fields.texts("clusterRoles", problems),
        };
        if let Some(node) = fields.node("userInfo") {
            let mut fields = Fields::open(node, "`userInfo`", problems);
            user.user_info = UserInfo {
                username: fields.text("username", problems).unwrap_or_default(),
                uid: fields.text("uid", problems).unwrap_or_default(),
                groups: fields.texts("groups", problems),
                extra: extra(fields.map("extra", problems)),
            };
            fields.finish(problems);
        }
        fields.finish(problems);
        user
    }
}

fn pairs(entries: &[Entry]) -> Vec<(String, Value)> {
    entries
        .iter()
        .map(|entry| (entry.key.clone(), entry.value.to_json()))
        .collect()
}

fn labels(entries: &[Entry]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|entry| {
            let value = entry.value.as_str().unwrap_or_default();
            (entry.key.clone(), value.to_owned())
        })
        .collect()
}

fn extra(entries: &[Entry]) -> BTreeMap<String, Vec<String>> {
    pairs(entries)
        .into_iter()
        .map(|(key, value)| {
            let values = value.as_array().into_iter().flatten();
            let texts = values.filter_map(Value::as_str).map(str::to_owned);
            (key, texts.collect())
        })
        .collect()
}
