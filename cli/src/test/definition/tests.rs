use std::fs;

use regent_engine::admission::Operation;

use super::read;
use crate::offline::images::ImageSection;

fn problems(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kyverno-test.yaml");
    fs::write(&path, text).unwrap();
    match read(&path) {
        Ok(_) => Vec::new(),
        Err(found) => found
            .iter()
            .map(|diagnostic| {
                let (line, column) = diagnostic.position();
                let help = diagnostic.help.as_deref().unwrap_or_default();
                format!("{line}:{column} {} {help}", diagnostic.message)
            })
            .collect(),
    }
}

#[test]
fn names_of_fields_have_no_case_and_unknown_ones_are_errors() {
    let text = "
apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata:
  name: t
  annotations: {a: b}
Policies: [p.yaml]
resorces: [r.yaml]
results:
- policy: p
  rule: r
  isMUtatingPolicy: true
  resources: [a]
  result: passed
";
    assert_eq!(
        problems(text),
        [
            "14:11 `result` is `passed`, and must be pass, fail, skip, warn or error ",
            "8:1 unknown field `resorces` in the test did you mean `resources`?",
        ]
    );
}

#[test]
fn the_schema_of_old_is_refused() {
    assert_eq!(
        problems("name: t\npolicies: [p.yaml]\n")[0],
        "1:1 `apiVersion` is missing: the schema of old is not read \
         add `apiVersion: cli.kyverno.io/v1alpha1`, and put the name under `metadata`"
    );
}

#[test]
fn everything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kyverno-test.yaml");
    fs::write(
        &path,
        "
apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: t}
policies: [p.yaml]
resources: [r.yaml]
paramResources: [e.yaml]
globalContextEntries: [{name: e, data: 1}]
apiCallResponses: [{urlPath: /a, response: {body: b}}]
clusterResources: [c.yaml]
context: x.yaml
targetResources: []
values:
  globalValues: {request.operation: UPDATE}
  namespaceSelector: [{name: shop, labels: {env: prod}}]
images:
  ociLayouts: [layout]
  trustedRoot: root.json
results:
- policy: ns/p
  rule: r
  kind: Pod
  resources: [a, shop/b]
  operation: DELETE
  patchedResources: out.yaml
  generatedResource: g.yaml
  result: skip
",
    )
    .unwrap();
    let tests = read(&path).unwrap();
    let test = &tests[0];
    assert_eq!(test.unsupported, ["paramResources"]);
    assert_eq!(test.world.cluster_resources, ["c.yaml"]);
    assert_eq!(test.world.context.as_deref(), Some("x.yaml"));
    assert_eq!(test.world.answers[0].target, "/a");
    assert_eq!(test.world.entries.len(), 1);
    assert_eq!(
        test.images,
        ImageSection {
            oci_layouts: vec!["layout".to_owned()],
            trusted_roots: vec!["root.json".to_owned()],
            facts: None,
        }
    );
    let values = test.values.as_ref().unwrap();
    assert_eq!(values.namespaces["shop"]["env"], "prod");
    let row = &test.rows[0];
    assert_eq!(row.operation, Some(Operation::Delete));
    assert_eq!(row.resources, ["a", "shop/b"]);
    assert_eq!(row.generated_resources, ["g.yaml"]);
}
