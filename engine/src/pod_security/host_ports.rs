//! Host Ports: no container takes a port of the host.

use std::collections::BTreeSet;

use super::Revision;
use super::control::CheckId;
use super::pod::Pod;
use super::violation::{BadValue, Violation, containers, plural};

pub(super) const REVISIONS: [Revision; 1] = [(0, check)];

fn check(pod: &Pod) -> Option<Violation> {
    let mut bad = Vec::new();
    let mut errors = Vec::new();
    let mut ports = BTreeSet::new();
    for container in &pod.containers {
        let taken = container.host_ports.iter().enumerate();
        let taken: Vec<(usize, i64)> = taken
            .map(|(index, port)| (index, *port))
            .filter(|(_, port)| *port != 0)
            .collect();
        if taken.is_empty() {
            continue;
        }
        bad.push(container.name.clone());
        for (index, port) in taken {
            ports.insert(port.to_string());
            let path = format!("ports[{index}].hostPort");
            errors.push(container.error(&path, BadValue::Number(port)));
        }
    }
    if bad.is_empty() {
        return None;
    }
    let uses = plural("uses", "use", bad.len());
    let word = plural("hostPort", "hostPorts", ports.len());
    let ports: Vec<String> = ports.into_iter().collect();
    let detail = format!("{} {uses} {word} {}", containers(&bad), ports.join(", "));
    Some(Violation::new(
        CheckId::HostPorts,
        "hostPort",
        detail,
        errors,
    ))
}
