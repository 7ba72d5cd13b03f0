//! /proc Mount Type: `/proc` is mounted with its default masks.

use std::collections::BTreeSet;

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, Violation, containers, quoted_set};

pub(super) const REVISIONS: [Revision; 1] = [(0, check)];

fn check(pod: &Pod) -> Option<Violation> {
    let mut bad = Vec::new();
    let mut errors = Vec::new();
    let mut types = BTreeSet::new();
    for container in &pod.containers {
        let written = container.security.proc_mount.as_deref();
        if let Some(mount) = written.filter(|mount| *mount != "Default") {
            bad.push(container.name.clone());
            types.insert(mount.to_owned());
            let value = BadValue::Text(mount.to_owned());
            errors.push(container.error("securityContext.procMount", value));
        }
    }
    (!bad.is_empty()).then(|| {
        let detail = format!(
            "{} must not set securityContext.procMount to {}",
            containers(&bad),
            quoted_set(&types)
        );
        Violation::new(CheckId::ProcMount, "procMount", detail, errors)
    })
}
