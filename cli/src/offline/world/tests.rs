use regent_engine::evaluation::need::FactError;
use regent_engine::source::Source;
use regent_engine::yaml;
use serde_json::{Value, json};

use super::{CallAnswer, Environment, GlobalEntry, World, call_answer, context};
use crate::offline::decode::Problems;

const NOW: Environment = Environment {
    seconds: 0,
    nanoseconds: 0,
    seed: 0,
};

fn world() -> World {
    let mut world = World::default();
    let pod = |namespace: &str, name: &str, app: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
            "spec": {"nodeName": "n1"},
        })
    };
    for object in [
        pod("a", "one", "web"),
        pod("a", "two", "db"),
        pod("b", "three", "web"),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "a"}, "data": {"k": "v"}}),
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "g.io", "names": {"plural": "oxen", "kind": "Ox"}},
        }),
        json!({"apiVersion": "g.io/v1", "kind": "Ox", "metadata": {"name": "o"}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n", "namespace": "a"}}),
    ] {
        world.add(object);
    }
    world
}

fn names(world: &World, path: &str) -> Vec<String> {
    let list = world.call("GET", path).unwrap();
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn objects_are_listed_by_path_and_selectors() {
    let world = world();
    for (path, wanted) in [
        ("/api/v1/pods", &["one", "two", "three"][..]),
        ("/api/v1/namespaces/a/pods", &["one", "two"]),
        ("/api/v1/Pods?labelSelector=app=web", &["one", "three"]),
        ("/api/v1/pods?labelSelector=app%20in%20(db,x),app", &["two"]),
        ("/api/v1/pods?labelSelector=app!%3Dweb", &["two"]),
        ("/api/v1/pods?labelSelector=%21app", &[]),
        (
            "/api/v1/pods?fieldSelector=metadata.namespace=b,spec.nodeName=n1",
            &["three"],
        ),
        ("/api/v1/namespaces", &["a"]),
        ("/apis/g.io/v1/oxen", &["o"]),
        (
            "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies",
            &["n"],
        ),
        (
            "/apis/networking.k8s.io/v1/namespaces/b/networkpolicies",
            &[],
        ),
        ("/apis/g.io/v2/oxen", &[]),
    ] {
        assert_eq!(names(&world, path), wanted, "{path}");
    }
    let list = world.call("get", "/apis/g.io/v1/oxen").unwrap();
    assert_eq!(
        (&list["apiVersion"], &list["kind"]),
        (&json!("g.io/v1"), &json!("OxList"))
    );
}

#[test]
fn one_object_is_there_or_not() {
    let world = world();
    let name = |path: &str| {
        let object = world.call("GET", path);
        object.map(|object| object["metadata"]["name"].clone())
    };
    assert_eq!(name("/api/v1/namespaces/a").unwrap(), "a");
    assert_eq!(name("/api/v1/namespaces/a/pods/two").unwrap(), "two");
    for path in [
        "/api/v1/namespaces/b/pods/two",
        "/version",
        "/api/v1/pods?labelSelector=a b c",
    ] {
        assert!(name(path).is_err(), "{path}");
    }
    assert_eq!(
        world.object("ConfigMap", "a", "c").unwrap()["data"]["k"],
        "v"
    );
    assert!(matches!(
        world.object("ConfigMap", "b", "c"),
        Err(FactError::NotFound(_))
    ));
}

#[test]
fn calls_are_answered_as_described() {
    let mut world = world();
    let mut add = |method: &str, target: &str, status, body: Value| {
        world.add_answer(CallAnswer {
            target: target.to_owned(),
            method: method.to_owned(),
            status,
            body,
        });
    };
    add("POST", "https://s/x", 200, json!(1));
    add("GET", "/api/v1/pods", 200, json!({"items": []}));
    add("GET", "https://s/bad", 503, Value::Null);
    assert_eq!(world.call("POST", "https://s/x").unwrap(), json!(1));
    assert_eq!(names(&world, "/api/v1/pods"), Vec::<String>::new());
    assert!(matches!(
        world.call("GET", "https://s/bad"),
        Err(FactError::Unavailable(_))
    ));
    assert!(matches!(
        world.call("GET", "https://s/x"),
        Err(FactError::NotFound(_))
    ));
}

fn node(text: &str) -> (yaml::Node, Problems) {
    let source = Source::new("t.yaml", text);
    let mut documents = yaml::parse(&source).0;
    (documents.remove(0), Problems::new(&source))
}

#[test]
fn answers_entries_and_contexts_are_read() {
    let (text, mut problems) =
        node("{urlPath: /a, method: POST, response: {statusCode: 201, body: '{\"b\": 1}'}}");
    assert_eq!(
        call_answer(&text, &mut problems),
        CallAnswer {
            target: "/a".to_owned(),
            method: "POST".to_owned(),
            status: 201,
            body: json!({"b": 1}),
        }
    );
    let (text, _) = node(
        "{name: e, resources: [{metadata: {name: a}}], projections: [{name: names, path: '[].metadata.name'}]}",
    );
    let mut world = World::default();
    let entry = GlobalEntry::decode(&text, &mut problems);
    let more = vec![json!({"metadata": {"name": "b"}})];
    entry.put(more, &NOW, &mut world).unwrap();
    assert_eq!(world.entry("e.names").unwrap(), json!(["a", "b"]));
    assert_eq!(world.entry("e").unwrap(), json!({"names": ["a", "b"]}));
    assert!(world.entry("f").is_err());
    let (text, _) = node(
        "{kind: Context, spec: {images: [{image: 'i:1', digest: 'sha256:0', tag: '1', config: {user: root}}], resources: [{kind: ConfigMap, apiVersion: v1, metadata: {name: m, namespace: s}}]}}",
    );
    world.extend(context(&text, &mut problems));
    assert_eq!(
        world.image("i:1").unwrap(),
        json!({"image": "i:1", "identifier": "sha256:0", "configData": {"user": "root"}})
    );
    assert!(world.object("ConfigMap", "s", "m").is_ok());
    let said: Vec<_> = problems.found.iter().map(|found| &found.message).collect();
    assert_eq!(said, Vec::<&String>::new());
}
