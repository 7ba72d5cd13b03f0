//! `HostPath` Volumes, and Volume Types: nothing of the host's files; restricted, only kinds that are the pod's own.

use std::collections::BTreeSet;

use super::Revision;
use super::control::CheckId;
use super::pod::{Pod, Volume};
use super::violation::{BadValue, FieldError, Violation, plural, quoted, quoted_set};

pub(super) const HOST_PATH: [Revision; 1] = [(0, host_path)];
pub(super) const RESTRICTED: [Revision; 1] = [(0, restricted)];

/// Kinds of volumes that the restricted level allows.
const ALLOWED: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// The others, in the order in which one is picked where a volume has several.
const OTHERS: [&str; 21] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

fn names(volumes: &[&Volume]) -> String {
    let word = plural("volume", "volumes", volumes.len());
    let names = volumes.iter().map(|volume| volume.name.as_str());
    format!("{word} {}", quoted(names))
}

fn host_path(pod: &Pod) -> Option<Violation> {
    let mut bad = Vec::new();
    let mut errors = Vec::new();
    for (index, volume) in pod.volumes.iter().enumerate() {
        if let Some(path) = &volume.host_path {
            bad.push(volume);
            let field = format!("spec.volumes[{index}].hostPath");
            errors.push(FieldError::of_pod(field, BadValue::Text(path.clone())));
        }
    }
    (!bad.is_empty()).then(|| {
        Violation::new(
            CheckId::HostPathVolumes,
            "hostPath volumes",
            names(&bad),
            errors,
        )
    })
}

fn restricted(pod: &Pod) -> Option<Violation> {
    let mut bad = Vec::new();
    let mut errors = Vec::new();
    let mut kinds = BTreeSet::new();
    for (index, volume) in pod.volumes.iter().enumerate() {
        let has = |kind: &&'static str| {
            volume
                .kinds
                .iter()
                .any(|one| one.eq_ignore_ascii_case(kind))
        };
        if ALLOWED.iter().any(has) {
            continue;
        }
        let kind = OTHERS.into_iter().find(has).unwrap_or("unknown");
        bad.push(volume);
        kinds.insert(kind.to_owned());
        let field = format!("spec.volumes[{index}].{kind}");
        errors.push(FieldError::of_pod(field, BadValue::Forbidden));
    }
    (!bad.is_empty()).then(|| {
        let detail = format!(
            "{} {} {} {}",
            names(&bad),
            plural("uses", "use", bad.len()),
            plural(
                "restricted volume type",
                "restricted volume types",
                kinds.len()
            ),
            quoted_set(&kinds)
        );
        Violation::new(
            CheckId::RestrictedVolumes,
            "restricted volume types",
            detail,
            errors,
        )
    })
}
