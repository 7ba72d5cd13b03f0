//! Which Secrets a policy may have registries asked with.

use super::need::PullSecret;

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
        })
    };
    written.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_a_namespace_names_its_own_secrets_only() {
        let named = |own, text: &str| of(own, &[text.to_owned()]).map(|mut found| found.remove(0));
        let secret = |namespace: Option<&str>| PullSecret {
            namespace: namespace.map(str::to_owned),
            name: "a".to_owned(),
        };
        assert_eq!(named(None, "a"), Ok(secret(None)));
        assert_eq!(named(None, "x/a"), Ok(secret(Some("x"))));
        assert_eq!(named(Some("x"), "a"), Ok(secret(Some("x"))));
        assert_eq!(named(Some("x"), "x/a"), Ok(secret(Some("x"))));
        assert!(named(Some("x"), "y/a").is_err());
    }
}
