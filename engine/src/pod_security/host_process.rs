//! `HostProcess`: nothing runs as a process of a Windows host.

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, FieldError, Violation, containers};

pub(super) const REVISIONS: [Revision; 1] = [(0, check)];

fn check(pod: &Pod) -> Option<Violation> {
    let mut setters = Vec::new();
    let mut errors = Vec::new();
    if pod.security.host_process == Some(true) {
        setters.push("pod".to_owned());
        let path = "spec.securityContext.windowsOptions.hostProcess";
        errors.push(FieldError::of_pod(path, BadValue::Flag(true)));
    }
    let mut bad = Vec::new();
    for container in &pod.containers {
        if container.security.host_process == Some(true) {
            bad.push(container.name.clone());
            let path = "securityContext.windowsOptions.hostProcess";
            errors.push(container.error(path, BadValue::Flag(true)));
        }
    }
    if !bad.is_empty() {
        setters.push(containers(&bad));
    }
    (!setters.is_empty()).then(|| {
        let detail = format!(
            "{} must not set securityContext.windowsOptions.hostProcess=true",
            setters.join(" and ")
        );
        Violation::new(CheckId::HostProcess, "hostProcess", detail, errors)
    })
}
