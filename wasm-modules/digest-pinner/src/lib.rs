//! Writes the digest of each image of a pod behind its tag, as the registry knows it now.
//!
//! Asks its host for digests: `capabilities: ["oci/v1/manifest_digest"]`.

use kubewarden_policy_sdk::host_capabilities::oci::get_manifest_digest;
use kubewarden_policy_sdk::request::ValidationRequest;
use kubewarden_policy_sdk::settings::Validatable;
use kubewarden_policy_sdk::{
    accept_request, mutate_request, protocol_version_guest, reject_request, validate_settings,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wapc_guest::CallResult;

/// Images that stay as they are, by how they begin.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    leave: Vec<String>,
}

impl Validatable for Settings {
    fn validate(&self) -> Result<(), String> {
        if self.leave.iter().any(String::is_empty) {
            return Err("an empty prefix leaves every image as it is".to_owned());
        }
        Ok(())
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
    let mut object = asked.request.object;
    match pin(&mut object, &asked.settings) {
        Ok(0) => accept_request(),
        Ok(_) => mutate_request(object),
        Err(reason) => reject_request(Some(reason), Some(403), None, None),
    }
}

/// Pins what can be pinned, and says how many images that were.
fn pin(object: &mut Value, settings: &Settings) -> Result<usize, String> {
    let mut pinned = 0;
    for list in ["containers", "initContainers"] {
        let containers = object.pointer_mut(&format!("/spec/{list}"));
        for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(Value::String(image)) = container.get_mut("image") else {
                continue;
            };
            let left = settings.leave.iter().any(|prefix| image.starts_with(prefix));
            if left || image.contains('@') {
                continue;
            }
            let answer = get_manifest_digest(image)
                .map_err(|error| format!("the digest of {image} is not known: {error}"))?;
            *image = format!("{image}@{}", answer.digest);
            pinned += 1;
        }
    }
    Ok(pinned)
}
