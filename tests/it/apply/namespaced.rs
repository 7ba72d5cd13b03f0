//! Policies of a namespace, about what is and what is not in it.

use regent::exit_status::ExitStatus;

use super::Folder;

#[test]
fn a_policy_of_a_namespace_asks_for_what_is_in_it_as_in_the_cluster() {
    let asks = |path: &str| {
        let folder = Folder::new(&format!(
            "apiVersion: kyverno.io/v1
kind: Policy
metadata: {{name: asks, namespace: shop}}
spec:
  rules:
  - name: ask
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    context: [{{name: found, apiCall: {{urlPath: {path}, jmesPath: data.mode}}}}]
    validate:
      message: m
      deny: {{conditions: {{any: [{{key: '{{{{ found }}}}', operator: Equals, value: strict}}]}}}}
"
        ));
        folder.write(
            "context.yaml",
            "kind: Context
spec:
  resources:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {mode: lax}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: bank}, data: {mode: lax}}
",
        );
        folder.apply(&["--context-file", &folder.path("context.yaml")])
    };
    let own = asks("/api/v1/namespaces/shop/configmaps/settings");
    assert_eq!(own.status, ExitStatus::Pass, "{}{}", own.stdout, own.stderr);
    for path in [
        "/api/v1/namespaces/bank/configmaps/settings",
        "/api/v1/namespaces/shop/../bank/configmaps/settings",
    ] {
        let ran = asks(path);
        assert_eq!(ran.status, ExitStatus::Failed, "{path}: {}", ran.stdout);
        assert!(ran.stdout.contains("error: 1"), "{path}: {}", ran.stdout);
    }
}
