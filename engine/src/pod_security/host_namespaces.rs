//! Host Namespaces: the pod stays out of the host's network, process and IPC namespaces.

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, FieldError, Violation};

pub(super) const REVISIONS: [Revision; 1] = [(0, check)];

fn check(pod: &Pod) -> Option<Violation> {
    let shared = &pod.host_namespaces;
    if shared.is_empty() {
        return None;
    }
    let detail: Vec<String> = shared.iter().map(|field| format!("{field}=true")).collect();
    let errors = shared
        .iter()
        .map(|field| FieldError::of_pod(format!("spec.{field}"), BadValue::Flag(true)));
    Some(Violation::new(
        CheckId::HostNamespaces,
        "host namespaces",
        detail.join(", "),
        errors.collect(),
    ))
}
