//! Refuses pods that want more of their node than the settings allow: host namespaces, privilege, host paths.
//!
//! Written with Kubewarden's kit, so it runs in Kubewarden as well as here.

use kubewarden_policy_sdk::request::ValidationRequest;
use kubewarden_policy_sdk::settings::Validatable;
use kubewarden_policy_sdk::{accept_request, protocol_version_guest, reject_request, validate_settings};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wapc_guest::CallResult;

/// What pods may have; nothing of it where it is not said.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    allow_privileged: bool,
    allow_host_namespaces: bool,
    /// Prefixes of paths of the node.
    allowed_host_paths: Vec<String>,
}

impl Validatable for Settings {
    fn validate(&self) -> Result<(), String> {
        match self.allowed_host_paths.iter().find(|path| !path.starts_with('/')) {
            Some(path) => Err(format!("the path {path:?} does not begin with a slash")),
            None => Ok(()),
        }
    }
}


#[unsafe(no_mangle)]
pub extern "C" fn wapc_init() {
    wapc_guest::register_function("validate", validate);
    wapc_guest::register_function("validate_settings", validate_settings::<Settings>);
    wapc_guest::register_function("protocol_version", protocol_version_guest);
}

fn validate(payload: &[u8]) -> CallResult {
    let asked: ValidationRequest<Settings> = ValidationRequest::new(payload)?;
    let found = pod_of(&asked.request.object)
        .map_or_else(Vec::new, |pod| violations(pod, &asked.settings));
    if found.is_empty() {
        accept_request()
    } else {
        reject_request(Some(found.join("; ")), Some(403), None, None)
    }
}

/// The pod's specification, wherever the kind of the object keeps it.
fn pod_of(object: &Value) -> Option<&Value> {
    ["/spec/jobTemplate/spec/template/spec", "/spec/template/spec", "/spec"]
        .iter()
        .filter_map(|path| object.pointer(path))
        .find(|spec| spec.get("containers").is_some())
}

fn violations(pod: &Value, settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    if !settings.allow_host_namespaces {
        for name in ["hostNetwork", "hostPID", "hostIPC"] {
            if pod.get(name) == Some(&Value::Bool(true)) {
                found.push(format!("{name} is not allowed"));
            }
        }
    }
    if !settings.allow_privileged {
        for container in containers(pod) {
            if container.pointer("/securityContext/privileged") == Some(&Value::Bool(true)) {
                let name = container.get("name").and_then(Value::as_str).unwrap_or("");
                found.push(format!("container {name} is privileged"));
            }
        }
    }
    for path in host_paths(pod) {
        let allowed = settings.allowed_host_paths.iter().any(|prefix| is_below(path, prefix));
        if !allowed {
            found.push(format!("the node's path {path} is not allowed"));
        }
    }
    found
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .filter_map(|list| pod.get(list)?.as_array())
        .flatten()
}

fn host_paths(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod.get("volumes").and_then(Value::as_array);
    volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| volume.pointer("/hostPath/path")?.as_str())
}

/// Whether a path is a prefix or below it: `/var/log` is not `/var/logs`, and nothing climbs out of it.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    let climbs = path.split('/').any(|part| part == "..");
    !climbs && path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
