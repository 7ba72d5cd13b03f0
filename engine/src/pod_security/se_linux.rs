//! `SELinux`: the type is one for containers, and user and role are the host's business.

use std::collections::BTreeSet;

use super::Revision;
use super::control::CheckId;
use super::pod::{Pod, SeLinux};
use super::violation::{BadValue, FieldError, Violation, containers, plural, quoted_set};

pub(super) const REVISIONS: [Revision; 2] = [
    (0, |pod| check(pod, &TYPES)),
    (31, |pod| check(pod, &TYPES_SINCE_31)),
];

const TYPES: [&str; 4] = ["", "container_t", "container_init_t", "container_kvm_t"];
const TYPES_SINCE_31: [&str; 5] = [
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];

fn check(pod: &Pod, types: &[&str]) -> Option<Violation> {
    let mut setters = Vec::new();
    let mut errors = Vec::new();
    let mut fields = Vec::new();
    if let Some(options) = &pod.security.se_linux {
        let bad = bad_fields(options, types);
        if !bad.is_empty() {
            setters.push("pod".to_owned());
        }
        for (field, value) in bad {
            let path = format!("spec.securityContext.seLinuxOptions.{field}");
            errors.push(FieldError::of_pod(path, BadValue::Text(value.to_owned())));
            fields.push((field, value));
        }
    }
    let mut names = Vec::new();
    for container in &pod.containers {
        let Some(options) = &container.security.se_linux else {
            continue;
        };
        let bad = bad_fields(options, types);
        if !bad.is_empty() {
            names.push(container.name.clone());
        }
        for (field, value) in bad {
            let path = format!("securityContext.seLinuxOptions.{field}");
            errors.push(container.error(&path, BadValue::Text(value.to_owned())));
            fields.push((field, value));
        }
    }
    if !names.is_empty() {
        setters.push(containers(&names));
    }
    (!setters.is_empty()).then(|| {
        let detail = format!(
            "{} set forbidden securityContext.seLinuxOptions: {}",
            setters.join(" and "),
            describe(&fields)
        );
        Violation::new(CheckId::SeLinux, "seLinuxOptions", detail, errors)
    })
}

fn bad_fields<'a>(options: &'a SeLinux, types: &[&str]) -> Vec<(&'static str, &'a str)> {
    let mut bad = Vec::new();
    if !types.contains(&options.kind.as_str()) {
        bad.push(("type", options.kind.as_str()));
    }
    for (field, value) in [("user", &options.user), ("role", &options.role)] {
        if !value.is_empty() {
            bad.push((field, value.as_str()));
        }
    }
    bad
}

fn describe(fields: &[(&str, &str)]) -> String {
    let types: BTreeSet<String> = fields
        .iter()
        .filter(|(field, _)| *field == "type")
        .map(|(_, value)| (*value).to_owned())
        .collect();
    let mut parts = Vec::new();
    if !types.is_empty() {
        let word = plural("type", "types", types.len());
        parts.push(format!("{word} {}", quoted_set(&types)));
    }
    for name in ["user", "role"] {
        if fields.iter().any(|(field, _)| *field == name) {
            parts.push(format!("{name} may not be set"));
        }
    }
    parts.join("; ")
}
