//! Sysctls: only those that are namespaced and cannot reach beyond the pod.

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, FieldError, Violation};

pub(super) const REVISIONS: [Revision; 4] = [
    (0, |pod| check(pod, 0)),
    (27, |pod| check(pod, 27)),
    (29, |pod| check(pod, 29)),
    (32, |pod| check(pod, 32)),
];

/// Safe ones, with the version since which they are allowed.
const SAFE: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

fn check(pod: &Pod, version: u32) -> Option<Violation> {
    let safe = |name: &str| {
        SAFE.iter()
            .any(|(safe, since)| *safe == name && *since <= version)
    };
    let mut names = Vec::new();
    let mut errors = Vec::new();
    for (index, name) in pod.sysctls.iter().enumerate() {
        if !safe(name) {
            names.push(name.as_str());
            let path = format!("spec.securityContext.sysctls[{index}].name");
            errors.push(FieldError::of_pod(path, BadValue::Text(name.clone())));
        }
    }
    (!names.is_empty()).then(|| {
        Violation::new(
            CheckId::Sysctls,
            "forbidden sysctls",
            names.join(", "),
            errors,
        )
    })
}
