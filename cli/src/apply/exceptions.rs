//! Exceptions that would let off everything that failed, as `--generate-exceptions` writes them.
//!
//! Knows results; whether an exception is wise is for who reads it.

use regent_engine::duration::Duration;
use regent_engine::response::{RuleResponse, RuleStatus};
use regent_engine::yaml_text;
use serde_json::{Map, Value, json};

use super::results::{AuditFailures, Response, result};
use crate::offline::resources::Resource;

/// Kinds of the API server's own that are in no namespace.
const OF_THE_CLUSTER: [&str; 16] = [
    "APIService",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "CSIDriver",
    "CSINode",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingWebhookConfiguration",
];

/// An exception for each failure, as documents of one text.
pub fn text(responses: &[Response<'_>], audit: AuditFailures, ttl: Duration) -> String {
    let mut text = String::new();
    for response in responses {
        let rules = response.answer.rules.iter();
        for rule in rules.filter(|rule| result(rule, audit) == RuleStatus::Fail) {
            let document = yaml_text::document(&exception(response, rule, ttl));
            text.push_str("---\n");
            text.push_str(&document);
            text.push('\n');
        }
    }
    text
}

fn exception(response: &Response<'_>, rule: &RuleResponse, ttl: Duration) -> Value {
    let policy = response.policy.key();
    let Resource {
        kind,
        name,
        namespace,
        ..
    } = response.resource;
    // A resource without a namespace was put into one when it was read, and must be found without it in a cluster.
    let in_namespace = !OF_THE_CLUSTER.contains(&kind.as_str());
    let mut resources = json!({"kinds": [kind], "names": [name]});
    if let Value::Object(resources) = &mut resources
        && in_namespace
    {
        resources.insert("namespaces".to_owned(), json!([namespace]));
    }
    let parts = [&policy, &rule.rule, namespace, name];
    let parts = parts.map(|part| part.replace('/', "-"));
    let mut metadata = json!({"name": parts.join("-")});
    if let Value::Object(metadata) = &mut metadata
        && ttl > Duration::from_seconds(0)
    {
        let labels = json!({"cleanup.kyverno.io/ttl": ttl.to_string()});
        metadata.insert("labels".to_owned(), labels);
    }
    let mut spec = json!({
        "match": {"all": [{"resources": resources}]},
        "exceptions": [{"policyName": policy, "ruleNames": [rule.rule]}],
    });
    if let Value::Object(spec) = &mut spec
        && let Some(details) = &rule.details
        && let Some(found) = &details.pod_security
    {
        let controls = found.checks.iter().map(|check| {
            let mut control = Map::new();
            control.insert("controlName".to_owned(), json!(check.control));
            if let Some(images) = &check.images {
                let images: Vec<_> = images.iter().flat_map(|image| any_version(image)).collect();
                control.insert("images".to_owned(), json!(images));
            }
            Value::Object(control)
        });
        spec.insert("podSecurity".to_owned(), controls.collect());
    }
    json!({
        "apiVersion": "kyverno.io/v2",
        "kind": "PolicyException",
        "metadata": metadata,
        "spec": spec,
    })
}

/// An image of any tag and digest, as wildcards: images are compared as pods write them, which may leave the default
/// registry out.
fn any_version(image: &str) -> Vec<String> {
    let bare = image.split_once('@').map_or(image, |(before, _)| before);
    // What comes before a port is no version.
    let path = bare.rfind('/').map_or(0, |slash| slash + 1);
    let tag = bare.get(path..).and_then(|name| name.find(':'));
    let end = tag.map_or(bare.len(), |tag| path + tag);
    let name = bare.get(..end).unwrap_or(bare);
    let short = name.strip_prefix("docker.io/");
    let names = std::iter::once(name).chain(short);
    names.map(|name| format!("{name}*")).collect()
}

#[cfg(test)]
mod tests;
