//! Seccomp: profiles are the runtime's or one that is on the host; restricted, each container has one.

use std::collections::BTreeSet;

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, FieldError, Violation, containers, quoted_set};

/// Before v1.19 there were annotations for it; that version is the oldest that can be asked for.
pub(super) const BASELINE: [Revision; 1] = [(19, baseline)];
/// Since v1.25 pods for Windows, which has no such thing, are let through.
pub(super) const RESTRICTED: [Revision; 2] = [(19, restricted), (25, restricted_outside_windows)];

const PATH: &str = "securityContext.seccompProfile.type";

fn baseline(pod: &Pod) -> Option<Violation> {
    bad_profiles(pod, CheckId::SeccompBaseline)
}

fn restricted(pod: &Pod) -> Option<Violation> {
    if let Some(violation) = bad_profiles(pod, CheckId::SeccompRestricted) {
        return Some(violation);
    }
    if pod.security.seccomp.is_some() {
        return None;
    }
    let mut names = Vec::new();
    let mut errors = Vec::new();
    for container in &pod.containers {
        if container.security.seccomp.is_none() {
            names.push(container.name.clone());
            errors.push(container.error(PATH, BadValue::Missing));
        }
    }
    (!names.is_empty()).then(|| {
        let detail = format!(
            r#"pod or {} must set {PATH} to "RuntimeDefault" or "Localhost""#,
            containers(&names)
        );
        Violation::new(CheckId::SeccompRestricted, "seccompProfile", detail, errors)
    })
}

fn restricted_outside_windows(pod: &Pod) -> Option<Violation> {
    if pod.is_windows {
        None
    } else {
        restricted(pod)
    }
}

/// Profiles that are set, and are none of the two.
fn bad_profiles(pod: &Pod, check: CheckId) -> Option<Violation> {
    let mut setters = Vec::new();
    let mut errors = Vec::new();
    let mut values = BTreeSet::new();
    if let Some(profile) = bad_type(pod.security.seccomp.as_deref()) {
        setters.push("pod".to_owned());
        values.insert(profile.to_owned());
        let path = format!("spec.{PATH}");
        errors.push(FieldError::of_pod(path, BadValue::Text(profile.to_owned())));
    }
    let mut names = Vec::new();
    for container in &pod.containers {
        if let Some(profile) = bad_type(container.security.seccomp.as_deref()) {
            names.push(container.name.clone());
            values.insert(profile.to_owned());
            errors.push(container.error(PATH, BadValue::Text(profile.to_owned())));
        }
    }
    if !names.is_empty() {
        setters.push(containers(&names));
    }
    (!setters.is_empty()).then(|| {
        let detail = format!(
            "{} must not set {PATH} to {}",
            setters.join(" and "),
            quoted_set(&values)
        );
        Violation::new(check, "seccompProfile", detail, errors)
    })
}

fn bad_type(profile: Option<&str>) -> Option<&str> {
    profile.filter(|profile| !matches!(*profile, "RuntimeDefault" | "Localhost"))
}
