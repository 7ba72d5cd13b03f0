//! Host Probes / Lifecycle Hooks: probes and hooks ask the pod itself, and no host that they name.

use std::collections::BTreeSet;

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, Violation, containers, plural, quoted_set};

pub(super) const REVISIONS: [Revision; 1] = [(34, check)];

fn check(pod: &Pod) -> Option<Violation> {
    let mut names = BTreeSet::new();
    let mut hosts = BTreeSet::new();
    let mut errors = Vec::new();
    for container in &pod.containers {
        for (path, host) in &container.probe_hosts {
            names.insert(container.name.clone());
            hosts.insert(host.clone());
            errors.push(container.error(path, BadValue::Text(host.clone())));
        }
    }
    if names.is_empty() {
        return None;
    }
    let names: Vec<String> = names.into_iter().collect();
    let uses = plural("uses", "use", names.len());
    let word = plural(
        "probe or lifecycle host",
        "probe or lifecycle hosts",
        hosts.len(),
    );
    let detail = format!(
        "{} {uses} {word} {}",
        containers(&names),
        quoted_set(&hosts)
    );
    let violation = Violation::new(
        CheckId::HostProbes,
        "probe or lifecycle host",
        detail,
        errors,
    );
    Some(Violation {
        listed: false,
        ..violation
    })
}
