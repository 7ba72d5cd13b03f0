//! Which files of a folder are meant to hold policies: a folder of policies holds their tests and resources too.
//!
//! Whoever misspells what says so must hear of it: a policy that is passed over admits everything.

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::parse::kubewarden;
use crate::source::Source;
use crate::suggest::nearest_within;
use crate::yaml::{self, Node, Value};

/// API groups whose objects are policies, those that are not supported yet too: they are refused by name.
pub const POLICY_GROUPS: [&str; 5] = [
    "constraints.gatekeeper.sh",
    kubewarden::GROUP,
    "kyverno.io",
    "policies.kyverno.io",
    ADMISSION,
];

/// Kubernetes' own policies are in it, and the configurations of webhooks, which are none.
const ADMISSION: &str = "admissionregistration.k8s.io";

/// API groups of what policies are made of.
const OTHER_GROUPS: [&str; 4] = [
    "config.gatekeeper.sh",
    "regent.dev",
    "syncset.gatekeeper.sh",
    "templates.gatekeeper.sh",
];

/// Kinds that are looked for where the group is misspelt, or missing.
const KINDS: [&str; 7] = [
    "AdmissionPolicy",
    "BreakGlass",
    "ClusterAdmissionPolicy",
    "ClusterPolicy",
    "ConstraintTemplate",
    "Policy",
    "PolicyException",
];

/// Whether a file of a folder is to be loaded: it holds what is, or is meant to be, a policy, an exception or what policies
/// are made of; or it cannot be read, so that nobody knows.
pub fn holds_policies(source: &Arc<Source>) -> bool {
    let (documents, diagnostics) = yaml::parse(source);
    documents.iter().any(is_meant) || diagnostics.iter().any(Diagnostic::is_error)
}

/// Whether there is nothing in a text: neither a document nor something that cannot be read.
pub fn is_empty(source: &Arc<Source>) -> bool {
    yaml::parse(source) == (Vec::new(), Vec::new())
}

/// Whether a file of a folder has the name of one that is looked into.
pub fn has_policy_extension(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        let mut known = ["yaml", "yml", "json"].iter();
        known.any(|known| extension.eq_ignore_ascii_case(known))
    })
}

fn is_meant(document: &Node) -> bool {
    let text = |name| document.get(name).and_then(Node::as_str);
    let kind = text("kind").unwrap_or("");
    if kind.ends_with("List")
        && let Some(Value::List(items)) = document.get("items").map(|items| &items.value)
    {
        return items.iter().any(is_meant);
    }
    if kubewarden::document(document).is_some() {
        return true;
    }
    let Some(version) = text("apiVersion") else {
        return KINDS.contains(&kind);
    };
    let group = version.split_once('/').map_or(version, |(group, _)| group);
    if group == ADMISSION {
        return kind.contains("AdmissionPolicy");
    }
    let known = || POLICY_GROUPS.iter().chain(&OTHER_GROUPS).copied();
    // A file that was cut off has no kind yet.
    let may_be = kind.is_empty() || KINDS.contains(&kind);
    let misspelt = || may_be && nearest_within(2, group, known()).is_some();
    known().any(|one| one == group) || misspelt()
}

#[cfg(test)]
mod tests;
