use std::fs;

use super::files;
use super::namespaces::Namespaces;

#[test]
fn a_directory_gives_its_policies_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "b/policy.yaml",
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\n",
    );
    write("a/policy.yml", "apiVersion: \"kyverno.io/v2beta1\"\n");
    write("c.json", r#"{"apiVersion": "kyverno.io/v1"}"#);
    write("b/resources.yaml", "apiVersion: v1\nkind: Pod\n");
    write(
        "b/kyverno-test.yaml",
        "apiVersion: cli.kyverno.io/v1alpha1\n",
    );
    write("..data/policy.yaml", "apiVersion: kyverno.io/v1\n");
    write("notes.txt", "apiVersion: kyverno.io/v1\n");
    let names = || -> Vec<String> {
        let sources = files::read(&[directory.path().to_owned()]).unwrap();
        let strip = |name: &str| {
            name.strip_prefix(directory.path().to_str().unwrap())
                .unwrap()
                .to_owned()
        };
        sources.iter().map(|source| strip(&source.name)).collect()
    };
    assert_eq!(names(), ["/a/policy.yml", "/b/policy.yaml", "/c.json"]);
    let before = files::Fingerprint::of(&[directory.path().to_owned()], None);
    assert_eq!(
        before,
        files::Fingerprint::of(&[directory.path().to_owned()], None)
    );
    write("d.yaml", "apiVersion: kyverno.io/v1\n");
    assert_ne!(
        before,
        files::Fingerprint::of(&[directory.path().to_owned()], None)
    );
    assert_eq!(names().len(), 4);
}

#[test]
fn what_is_named_must_be_there() {
    let missing = std::path::PathBuf::from("/nonexistent/policy.yaml");
    let error = files::read(&[missing]).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/policy.yaml: "), "{error}");
}

#[test]
fn namespaces_are_read_and_others_refused() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: production\n  labels:\n    tier: 'one'\n---\nkind: List\nitems:\n- kind: Namespace\n  metadata: {name: plain}\n";
    let namespaces = Namespaces::parse("n.yaml".into(), text.into()).unwrap();
    assert_eq!(namespaces.labels("production").unwrap()["tier"], "one");
    assert!(namespaces.labels("plain").unwrap().is_empty());
    assert!(namespaces.labels("other").is_none());
    for (text, message) in [
        (
            "kind: Pod\nmetadata: {name: a}\n",
            "n.yaml:1:1: not a manifest of kind `Namespace`",
        ),
        ("kind: Namespace\n", "n.yaml:1:1: `metadata` is missing"),
        (
            "kind: Namespace\nmetadata: {name: a, labels: {b: 1}}\n",
            "n.yaml:1:1: a label's value is not a text",
        ),
    ] {
        let error = Namespaces::parse("n.yaml".into(), text.into()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
