//! Running as Non-root, and Running as Non-root user: containers say that they are not root, and do not ask to be.

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, FieldError, Violation, containers};

pub(super) const NON_ROOT: [Revision; 1] = [(0, non_root)];
pub(super) const USER: [Revision; 1] = [(23, user)];

/// Who sets a value that is bad: the pod, containers by name.
#[derive(Default)]
struct Setters {
    words: Vec<String>,
    errors: Vec<FieldError>,
}

fn setters(
    pod: &Pod,
    field: &str,
    value: &BadValue,
    is_bad: impl Fn(&super::pod::Security) -> bool,
) -> Setters {
    let mut found = Setters::default();
    let path = format!("securityContext.{field}");
    if is_bad(&pod.security) {
        found.words.push("pod".to_owned());
        let error = FieldError::of_pod(format!("spec.{path}"), value.clone());
        found.errors.push(error);
    }
    let mut names = Vec::new();
    for container in &pod.containers {
        if is_bad(&container.security) {
            names.push(container.name.clone());
            found.errors.push(container.error(&path, value.clone()));
        }
    }
    if !names.is_empty() {
        found.words.push(containers(&names));
    }
    found
}

fn non_root(pod: &Pod) -> Option<Violation> {
    let mut bad = setters(pod, "runAsNonRoot", &BadValue::Flag(false), |security| {
        security.run_as_non_root == Some(false)
    });
    let mut details = Vec::new();
    if !bad.words.is_empty() {
        details.push(format!(
            "{} must not set securityContext.runAsNonRoot=false",
            bad.words.join(" and ")
        ));
    }
    let mut silent = Vec::new();
    for container in &pod.containers {
        let says = container.security.run_as_non_root.is_some();
        if !says && pod.security.run_as_non_root != Some(true) {
            silent.push(container.name.clone());
            bad.errors
                .push(container.error("securityContext.runAsNonRoot", BadValue::Missing));
        }
    }
    if !silent.is_empty() {
        details.push(format!(
            "pod or {} must set securityContext.runAsNonRoot=true",
            containers(&silent)
        ));
    }
    (!details.is_empty()).then(|| {
        Violation::new(
            CheckId::RunAsNonRoot,
            "runAsNonRoot != true",
            details.join("\n"),
            bad.errors,
        )
    })
}

fn user(pod: &Pod) -> Option<Violation> {
    let bad = setters(pod, "runAsUser", &BadValue::Number(0), |security| {
        security.run_as_user == Some(0)
    });
    (!bad.words.is_empty()).then(|| {
        let detail = format!("{} must not set runAsUser=0", bad.words.join(" and "));
        Violation::new(CheckId::RunAsUser, "runAsUser=0", detail, bad.errors)
    })
}
