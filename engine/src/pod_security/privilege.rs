//! Privileged Containers, and Privilege Escalation: no container is privileged, or may become more than its parent is.

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, Violation, containers};

pub(super) const PRIVILEGED: [Revision; 1] = [(0, privileged)];
/// Since v1.25 pods for Windows, which has no such thing, are let through.
pub(super) const ESCALATION: [Revision; 2] = [(8, escalation), (25, escalation_outside_windows)];

fn privileged(pod: &Pod) -> Option<Violation> {
    let mut bad = Vec::new();
    let mut errors = Vec::new();
    for container in &pod.containers {
        if container.security.privileged == Some(true) {
            bad.push(container.name.clone());
            errors.push(container.error("securityContext.privileged", BadValue::Flag(true)));
        }
    }
    (!bad.is_empty()).then(|| {
        let detail = format!(
            "{} must not set securityContext.privileged=true",
            containers(&bad)
        );
        Violation::new(CheckId::Privileged, "privileged", detail, errors)
    })
}

fn escalation(pod: &Pod) -> Option<Violation> {
    let mut bad = Vec::new();
    let mut errors = Vec::new();
    for container in &pod.containers {
        let value = match container.security.allow_privilege_escalation {
            Some(false) => continue,
            Some(true) => BadValue::Flag(true),
            None if container.has_security => BadValue::Text("nil".to_owned()),
            None => BadValue::Missing,
        };
        bad.push(container.name.clone());
        errors.push(container.error("securityContext.allowPrivilegeEscalation", value));
    }
    (!bad.is_empty()).then(|| {
        let detail = format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
            containers(&bad)
        );
        Violation::new(
            CheckId::PrivilegeEscalation,
            "allowPrivilegeEscalation != false",
            detail,
            errors,
        )
    })
}

fn escalation_outside_windows(pod: &Pod) -> Option<Violation> {
    if pod.is_windows {
        None
    } else {
        escalation(pod)
    }
}
