//! `AppArmor`: no profile but the runtime's or one that is on the host; none is turned off.

use std::collections::BTreeSet;

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, FieldError, Violation, containers, plural, quoted};

pub(super) const REVISIONS: [Revision; 1] = [(0, check)];

/// Annotations that set a container's profile before there was a field.
const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

fn check(pod: &Pod) -> Option<Violation> {
    let mut setters = Vec::new();
    let mut errors = Vec::new();
    let mut values = BTreeSet::new();
    if let Some(profile) = bad_type(pod.security.app_armor.as_deref()) {
        setters.push("pod".to_owned());
        values.insert(profile.to_owned());
        let path = "spec.securityContext.appArmorProfile.type";
        errors.push(FieldError::of_pod(path, BadValue::Text(profile.to_owned())));
    }
    let mut bad = Vec::new();
    for container in &pod.containers {
        if let Some(profile) = bad_type(container.security.app_armor.as_deref()) {
            bad.push(container.name.clone());
            values.insert(profile.to_owned());
            let value = BadValue::Text(profile.to_owned());
            errors.push(container.error("securityContext.appArmorProfile.type", value));
        }
    }
    if !bad.is_empty() {
        setters.push(containers(&bad));
    }
    let mut values: Vec<String> = values.into_iter().collect();
    let annotations: Vec<_> = pod.annotations.iter().filter(is_bad).collect();
    if !annotations.is_empty() {
        setters.push(plural("annotation", "annotations", annotations.len()).to_owned());
    }
    for (name, value) in annotations {
        values.push(format!("{name}={value:?}"));
        let path = format!("metadata.annotations[{name}]");
        errors.push(FieldError::of_pod(path, BadValue::Text(value.clone())));
    }
    (!setters.is_empty()).then(|| {
        let detail = format!(
            "{} must not set AppArmor profile type to {}",
            setters.join(" and "),
            quoted(values.iter().map(String::as_str))
        );
        let reason = plural(
            "forbidden AppArmor profile",
            "forbidden AppArmor profiles",
            values.len(),
        );
        Violation::new(CheckId::AppArmor, reason, detail, errors)
    })
}

fn bad_type(profile: Option<&str>) -> Option<&str> {
    profile.filter(|profile| !matches!(*profile, "RuntimeDefault" | "Localhost"))
}

fn is_bad((name, value): &(&String, &String)) -> bool {
    let allowed =
        value.is_empty() || *value == "runtime/default" || value.starts_with("localhost/");
    name.starts_with(ANNOTATION) && !allowed
}
