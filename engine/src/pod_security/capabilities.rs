//! Capabilities: none beyond the runtime's defaults is added; restricted, all are dropped and one may be added.

use std::collections::BTreeSet;

use super::Revision;
use super::control::CheckId;
use super::pod::{Container, Pod};
use super::violation::{BadValue, Violation, containers, quoted_set};

pub(super) const BASELINE: [Revision; 1] = [(0, baseline)];
/// Since v1.25 pods for Windows, which has no such thing, are let through.
pub(super) const RESTRICTED: [Revision; 2] = [(22, restricted), (25, restricted_outside_windows)];

/// What container runtimes give anyway.
const DEFAULTS: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What a container adds beyond what is allowed, by container.
struct Added {
    names: Vec<String>,
    errors: Vec<super::FieldError>,
    capabilities: BTreeSet<String>,
}

fn baseline(pod: &Pod) -> Option<Violation> {
    let added = added(pod, |capability| DEFAULTS.contains(&capability));
    (!added.names.is_empty()).then(|| {
        Violation::new(
            CheckId::CapabilitiesBaseline,
            "non-default capabilities",
            added.detail(),
            added.errors,
        )
    })
}

fn restricted(pod: &Pod) -> Option<Violation> {
    let mut keeping = Vec::new();
    let mut errors = Vec::new();
    for container in &pod.containers {
        if let Some(value) = missing_drop(container) {
            keeping.push(container.name.clone());
            errors.push(container.error("securityContext.capabilities.drop", value));
        }
    }
    let added = added(pod, |capability| capability == "NET_BIND_SERVICE");
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!(
            r#"{} must set securityContext.capabilities.drop=["ALL"]"#,
            containers(&keeping)
        ));
    }
    if !added.names.is_empty() {
        details.push(added.detail());
    }
    errors.extend(added.errors);
    (!details.is_empty()).then(|| {
        Violation::new(
            CheckId::CapabilitiesRestricted,
            "unrestricted capabilities",
            details.join("; "),
            errors,
        )
    })
}

fn restricted_outside_windows(pod: &Pod) -> Option<Violation> {
    if pod.is_windows {
        None
    } else {
        restricted(pod)
    }
}

/// What is wrong with the dropped capabilities; nothing where all are.
fn missing_drop(container: &Container) -> Option<BadValue> {
    let Some(capabilities) = &container.security.capabilities else {
        return Some(BadValue::Missing);
    };
    let drop = &capabilities.drop;
    if drop.iter().any(|capability| capability == "ALL") {
        return None;
    }
    if drop.is_empty() {
        return Some(BadValue::Missing);
    }
    let sorted: BTreeSet<&String> = drop.iter().collect();
    Some(BadValue::Texts(sorted.into_iter().cloned().collect()))
}

fn added(pod: &Pod, allowed: impl Fn(&str) -> bool) -> Added {
    let mut found = Added {
        names: Vec::new(),
        errors: Vec::new(),
        capabilities: BTreeSet::new(),
    };
    for container in &pod.containers {
        let capabilities = container.security.capabilities.iter();
        let bad: BTreeSet<String> = capabilities
            .flat_map(|capabilities| &capabilities.add)
            .filter(|capability| !allowed(capability))
            .cloned()
            .collect();
        if bad.is_empty() {
            continue;
        }
        found.names.push(container.name.clone());
        let value = BadValue::Texts(bad.iter().cloned().collect());
        found
            .errors
            .push(container.error("securityContext.capabilities.add", value));
        found.capabilities.extend(bad);
    }
    found
}

impl Added {
    fn detail(&self) -> String {
        format!(
            "{} must not include {} in securityContext.capabilities.add",
            containers(&self.names),
            quoted_set(&self.capabilities)
        )
    }
}
