//! What the checks read of a pod.

use std::collections::BTreeMap;

use serde_json::Value;

use super::schema::{self, field};
use super::violation::{BadValue, FieldError};

/// A pod, or the template of one.
#[derive(Debug, Clone, Default)]
pub struct Pod {
    pub(super) annotations: BTreeMap<String, String>,
    /// The fields that share a namespace of the host, where they are true.
    pub(super) host_namespaces: Vec<&'static str>,
    pub(super) is_windows: bool,
    pub(super) security: Security,
    pub(super) sysctls: Vec<String>,
    pub(super) volumes: Vec<Volume>,
    /// All of them: first those that run before the others, last those that come to a running pod.
    pub(super) containers: Vec<Container>,
}

/// A container.
#[derive(Debug, Clone, Default)]
pub(super) struct Container {
    pub(super) name: String,
    image: String,
    /// `spec.containers[0]`.
    path: String,
    /// Whether there is a `securityContext`.
    pub(super) has_security: bool,
    pub(super) security: Security,
    pub(super) host_ports: Vec<i64>,
    /// Hosts that probes and hooks name, with the path below the container.
    pub(super) probe_hosts: Vec<(String, String)>,
}

/// `securityContext` of a pod or of a container.
#[derive(Debug, Clone, Default)]
pub(super) struct Security {
    pub(super) privileged: Option<bool>,
    pub(super) allow_privilege_escalation: Option<bool>,
    pub(super) run_as_non_root: Option<bool>,
    pub(super) run_as_user: Option<i64>,
    pub(super) host_process: Option<bool>,
    pub(super) proc_mount: Option<String>,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) se_linux: Option<SeLinux>,
    /// The type of the profile; empty where there is a profile without one.
    pub(super) seccomp: Option<String>,
    /// The same.
    pub(super) app_armor: Option<String>,
}

/// `capabilities`.
#[derive(Debug, Clone, Default)]
pub(super) struct Capabilities {
    pub(super) add: Vec<String>,
    pub(super) drop: Vec<String>,
}

/// `seLinuxOptions`; empty where not written.
#[derive(Debug, Clone, Default)]
pub(super) struct SeLinux {
    pub(super) kind: String,
    pub(super) user: String,
    pub(super) role: String,
}

/// A volume.
#[derive(Debug, Clone, Default)]
pub(super) struct Volume {
    pub(super) name: String,
    /// Fields that are there beside the name.
    pub(super) kinds: Vec<String>,
    /// `hostPath.path`, where there is a `hostPath`.
    pub(super) host_path: Option<String>,
}

impl Pod {
    /// The pod of a resource; why there is none, in Kyverno's words.
    pub fn of_resource(kind: &str, resource: &Value) -> Result<Self, String> {
        let (root, fields): (_, &[&str]) = match kind {
            "Pod" => ("Pod", &[]),
            "DaemonSet"
            | "Deployment"
            | "Job"
            | "StatefulSet"
            | "ReplicaSet"
            | "ReplicationController" => ("Deployment", &["spec", "template"]),
            "CronJob" => ("CronJob", &["spec", "jobTemplate", "spec", "template"]),
            _ => return Err("could not find correct resource type".to_owned()),
        };
        if let Some(message) = schema::mismatch(root, resource) {
            return Err(message);
        }
        let nothing = Value::Null;
        let template = fields
            .iter()
            .try_fold(resource, |value, name| field(value, name));
        let mut pod = Self::of_template(template.unwrap_or(&nothing));
        if kind == "CronJob" {
            // Kyverno reads these annotations instead of the template's; both are read, so that none is missed.
            let job = field(resource, "spec").and_then(|spec| field(spec, "jobTemplate"));
            pod.annotations.extend(annotations(job.unwrap_or(&nothing)));
        }
        Ok(pod)
    }

    fn of_template(template: &Value) -> Self {
        let nothing = Value::Null;
        let spec = field(template, "spec").unwrap_or(&nothing);
        let security = field(spec, "securityContext").unwrap_or(&nothing);
        let mut shared = vec!["hostNetwork", "hostPID", "hostIPC"];
        shared.retain(|name| flag(spec, name) == Some(true));
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let containers = lists.into_iter().flat_map(|list| {
            let items = items(spec, list).iter().enumerate();
            items.map(move |(index, item)| container(item, format!("spec.{list}[{index}]")))
        });
        let os = field(spec, "os").map(|os| text(os, "name"));
        Self {
            annotations: annotations(template),
            host_namespaces: shared,
            is_windows: os.is_some_and(|os| os == "windows"),
            security: read_security(security),
            sysctls: items(security, "sysctls")
                .iter()
                .map(|sysctl| text(sysctl, "name"))
                .collect(),
            volumes: items(spec, "volumes").iter().map(volume).collect(),
            containers: containers.collect(),
        }
    }

    /// How many containers it has.
    pub fn size(&self) -> usize {
        self.containers.len()
    }

    /// The pod without its containers, and with one that says nothing.
    pub(super) fn without_containers(&self) -> Self {
        let silent = Container {
            name: "fake".to_owned(),
            path: "spec.containers[0]".to_owned(),
            ..Container::default()
        };
        Self {
            containers: vec![silent],
            ..self.clone()
        }
    }

    /// Only the containers with some images, and nothing else of the pod.
    pub(super) fn with_images(&self, mut is_wanted: impl FnMut(&str) -> bool) -> Self {
        let wanted = self.containers.iter();
        Self {
            containers: wanted
                .filter(|container| is_wanted(&container.image))
                .cloned()
                .collect(),
            ..Self::default()
        }
    }
}

impl Container {
    /// An error in a field of this container.
    pub(super) fn error(&self, field: &str, bad: BadValue) -> FieldError {
        FieldError {
            path: format!("{}.{field}", self.path),
            container: Some(self.name.clone()),
            bad,
        }
    }
}

fn container(value: &Value, path: String) -> Container {
    let security = field(value, "securityContext");
    let ports = items(value, "ports");
    Container {
        name: text(value, "name"),
        image: text(value, "image"),
        path,
        has_security: security.is_some(),
        security: security.map(read_security).unwrap_or_default(),
        host_ports: ports
            .iter()
            .map(|port| number(port, "hostPort").unwrap_or(0))
            .collect(),
        probe_hosts: probe_hosts(value),
    }
}

fn probe_hosts(container: &Value) -> Vec<(String, String)> {
    let probes = [
        &["livenessProbe"][..],
        &["readinessProbe"],
        &["startupProbe"],
        &["lifecycle", "postStart"],
        &["lifecycle", "preStop"],
    ];
    let mut hosts = Vec::new();
    for probe in probes {
        let found = probe
            .iter()
            .try_fold(container, |value, name| field(value, name));
        for action in ["httpGet", "tcpSocket"] {
            let host = found.and_then(|found| field(found, action));
            let host = host.map(|action| text(action, "host"));
            if let Some(host) = host.filter(|host| !host.is_empty()) {
                hosts.push((format!("{}.{action}.host", probe.join(".")), host));
            }
        }
    }
    hosts
}

fn read_security(value: &Value) -> Security {
    let capabilities = field(value, "capabilities");
    let options = field(value, "seLinuxOptions");
    let windows = field(value, "windowsOptions");
    let profile = |name: &str| field(value, name).map(|profile| text(profile, "type"));
    Security {
        privileged: flag(value, "privileged"),
        allow_privilege_escalation: flag(value, "allowPrivilegeEscalation"),
        run_as_non_root: flag(value, "runAsNonRoot"),
        run_as_user: number(value, "runAsUser"),
        host_process: windows.and_then(|windows| flag(windows, "hostProcess")),
        proc_mount: field(value, "procMount").map(|_| text(value, "procMount")),
        capabilities: capabilities.map(|capabilities| Capabilities {
            add: texts(capabilities, "add"),
            drop: texts(capabilities, "drop"),
        }),
        se_linux: options.map(|options| SeLinux {
            kind: text(options, "type"),
            user: text(options, "user"),
            role: text(options, "role"),
        }),
        seccomp: profile("seccompProfile"),
        app_armor: profile("appArmorProfile"),
    }
}

fn volume(value: &Value) -> Volume {
    let fields = value.as_object().into_iter().flatten();
    Volume {
        name: text(value, "name"),
        kinds: fields
            .filter(|(_, value)| !value.is_null())
            .map(|(name, _)| name.clone())
            .collect(),
        host_path: field(value, "hostPath").map(|path| text(path, "path")),
    }
}

fn annotations(template: &Value) -> BTreeMap<String, String> {
    let metadata = field(template, "metadata");
    let written = metadata.and_then(|metadata| field(metadata, "annotations"));
    let entries = written.and_then(Value::as_object).into_iter().flatten();
    entries
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned()))
        .collect()
}

fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    let list = field(value, name).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> String {
    let text = field(value, name).and_then(Value::as_str);
    text.unwrap_or("").to_owned()
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let texts = items(value, name).iter();
    texts
        .map(|text| text.as_str().unwrap_or("").to_owned())
        .collect()
}

fn flag(value: &Value, name: &str) -> Option<bool> {
    field(value, name).and_then(Value::as_bool)
}

/// A whole number, as 8080 or 8080.0, which the decoder reads alike.
fn number(value: &Value, name: &str) -> Option<i64> {
    let number = field(value, name)?.as_number()?;
    crate::go_format::parse_int(&crate::go_format::number(number))
}
