//! Which Secrets a policy may have registries asked with.

use serde_json::Value;

use super::need::{NamedBy, PullSecret};
use super::pod_images;

/// Secrets of one object that registries are asked with; pods name one or two.
const MOST: usize = 8;

/// What a policy names, `NAME` or `NAMESPACE/NAME`; the names of a policy of a namespace are those of that namespace.
pub(super) fn of(own: Option<&str>, written: &[String]) -> Result<Vec<PullSecret>, String> {
    let read = |text: &String| {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (own, text.as_str()),
        };
        if let Some(own) = own.filter(|own| namespace != Some(*own)) {
            return Err(format!(
                "a policy of namespace {own} cannot have registries asked with the secret {text}"
            ));
        }
        Ok(PullSecret {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            named_by: NamedBy::Trusted,
        })
    };
    written.iter().map(read).collect()
}

/// What a pod, or the pod of a controller, names in its own namespace; what is no name is nothing that helps.
pub(super) fn of_object(kind: &str, namespace: &str, object: &Value) -> Vec<PullSecret> {
    if namespace.is_empty() {
        return Vec::new();
    }
    let listed = pod_images::pod_spec(kind, object)
        .and_then(|spec| spec.get("imagePullSecrets")?.as_array());
    let names = listed.into_iter().flatten().filter_map(|secret| {
        let name = secret.get("name")?.as_str()?;
        (!name.is_empty()).then(|| name.to_owned())
    });
    let secret = |name| PullSecret {
        namespace: Some(namespace.to_owned()),
        name,
        named_by: NamedBy::Object,
    };
    names.take(MOST).map(secret).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_of_a_namespace_names_its_own_secrets_only() {
        let named = |own, text: &str| of(own, &[text.to_owned()]).map(|mut found| found.remove(0));
        let secret = |namespace: Option<&str>| PullSecret {
            namespace: namespace.map(str::to_owned),
            name: "a".to_owned(),
            named_by: NamedBy::Trusted,
        };
        assert_eq!(named(None, "a"), Ok(secret(None)));
        assert_eq!(named(None, "x/a"), Ok(secret(Some("x"))));
        assert_eq!(named(Some("x"), "a"), Ok(secret(Some("x"))));
        assert_eq!(named(Some("x"), "x/a"), Ok(secret(Some("x"))));
        assert!(named(Some("x"), "y/a").is_err());
    }

    #[test]
    fn an_object_names_those_of_its_own_namespace() {
        let names = |kind, namespace, object: &Value| {
            let found = of_object(kind, namespace, object);
            assert!(found.iter().all(|secret| {
                secret.named_by == NamedBy::Object && secret.namespace.as_deref() == Some("x")
            }));
            found
                .into_iter()
                .map(|secret| secret.name)
                .collect::<Vec<_>>()
        };
        let spec = json!({"imagePullSecrets": [{"name": "a"}, {"name": ""}, {}, 7, {"name": "b"}]});
        let pod = json!({"spec": spec});
        assert_eq!(names("Pod", "x", &pod), ["a", "b"]);
        assert!(names("Pod", "", &pod).is_empty());
        let deployment = json!({"spec": {"template": {"spec": spec}}});
        assert_eq!(names("Deployment", "x", &deployment), ["a", "b"]);
        assert!(names("Service", "x", &pod).is_empty());
        let many: Vec<Value> = (0..99).map(|_| json!({"name": "a"})).collect();
        let pod = json!({"spec": {"imagePullSecrets": many}});
        assert_eq!(names("Pod", "x", &pod).len(), MOST);
    }
}
