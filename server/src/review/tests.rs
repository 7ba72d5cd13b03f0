use regent_engine::admission::Operation;
use regent_engine::decision::Decision;
use regent_engine::image::Digest;
use regent_engine::response::PatchOperation;
use serde_json::{Value, json};

use super::{MAX_MEMORY, ReviewError, read, uid, weigh, write};

fn review() -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "a", "namespace": "default", "operation": "CREATE",
            "userInfo": {"username": "alice", "groups": ["dev"], "extra": {"k": ["v"]}},
            "object": {"kind": "Pod"}, "oldObject": null, "dryRun": true,
        },
    })
}

fn refused(pointer: &str, value: Value) -> String {
    let mut review = review();
    *review.pointer_mut(pointer).unwrap() = value;
    read(review.to_string().as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_review_is_read() {
    let request = read(review().to_string().as_bytes()).unwrap();
    assert_eq!(request.uid, "u-1");
    assert_eq!(request.operation, Operation::Create);
    assert_eq!(request.namespace.as_deref(), Some("default"));
    assert_eq!(request.sub_resource, None);
    let user = request.user_info.unwrap();
    assert_eq!(user.username, "alice");
    assert_eq!(user.extra["k"], ["v"]);
    assert!(request.dry_run && request.old_object.is_none());
}

#[test]
fn what_an_api_server_would_not_send_is_refused_by_name() {
    for (pointer, value, message) in [
        ("", json!([]), "`the review` is not an object"),
        (
            "/kind",
            json!("Pod"),
            "`kind` is `Pod`, not `AdmissionReview`",
        ),
        ("/request", Value::Null, "`request` is missing"),
        ("/request/uid", json!(""), "`request.uid` is missing"),
        ("/request/uid", json!(7), "`request.uid` is not a string"),
        (
            "/request/uid",
            json!("u".repeat(257)),
            "`request.uid` is not at most 256 bytes long",
        ),
        (
            "/request/operation",
            json!("create"),
            "`request.operation` is not one of CREATE, UPDATE, DELETE and CONNECT",
        ),
        (
            "/request/operation",
            json!("DELETE"),
            "`request.oldObject` is missing",
        ),
        (
            "/request/object",
            Value::Null,
            "`request.object` is missing",
        ),
        (
            "/request/object",
            json!([1]),
            "`request.object` is not an object",
        ),
        (
            "/request/userInfo",
            json!("root"),
            "`request.userInfo` is not an object",
        ),
        (
            "/request/userInfo/groups",
            json!([1]),
            "`request.userInfo.groups` is not a list of strings",
        ),
        (
            "/request/dryRun",
            json!("no"),
            "`request.dryRun` is not true or false",
        ),
    ] {
        assert_eq!(refused(pointer, value), message);
    }
    let version = refused("/apiVersion", json!("admission.k8s.io/v1beta1"));
    assert!(version.contains("only `admission.k8s.io/v1` is served"));
}

#[test]
fn names_are_as_long_as_names_are() {
    for (pointer, field, most) in [
        ("/request/kind/group", "request.kind.group", 253),
        ("/request/kind/version", "request.kind.version", 253),
        ("/request/kind/kind", "request.kind.kind", 253),
        ("/request/resource/group", "request.resource.group", 253),
        ("/request/resource/version", "request.resource.version", 253),
        (
            "/request/resource/resource",
            "request.resource.resource",
            253,
        ),
        ("/request/subResource", "request.subResource", 253),
        ("/request/namespace", "request.namespace", 253),
        ("/request/name", "request.name", 4096),
    ] {
        let with = |length: usize| {
            let mut review = review();
            review["request"]["subResource"] = json!("status");
            *review.pointer_mut(pointer).unwrap() = json!("k".repeat(length));
            review.to_string()
        };
        assert!(read(with(most).as_bytes()).is_ok(), "{field}");
        let refused = read(with(most + 1).as_bytes()).unwrap_err().to_string();
        let said = format!("`{field}` has {} bytes, and may have {most}", most + 1);
        assert_eq!(refused, said);
    }
}

#[test]
fn the_last_of_repeated_keys_counts() {
    let text = review()
        .to_string()
        .replace(r#""uid":"u-1""#, r#""uid":"first","uid":"last""#)
        .replace(r#"{"kind":"Pod"}"#, r#"{"spec":{"a":1},"spec":{"b":2}}"#);
    let request = read(text.as_bytes()).unwrap();
    assert_eq!(request.uid, "last");
    assert_eq!(*request.object.unwrap(), json!({"spec": {"b": 2}}));
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = review().to_string().replace(r#"{"kind":"Pod"}"#, &deep);
    let message = read(text.as_bytes()).unwrap_err().to_string();
    assert!(message.contains("recursion limit"), "{message}");
}

#[test]
fn an_answer_holds_the_response_alone() {
    let allow = Decision::Allow {
        patch: vec![
            PatchOperation::Replace {
                path: "/spec/image".into(),
                value: json!("a@sha256:00"),
            },
            PatchOperation::Remove { path: "/x".into() },
        ],
        warnings: vec!["policy p.r: careful".into()],
        audit: vec![("break-glass", "incident: p/r".into())],
    };
    let answer: Value = serde_json::from_slice(&write("u-1", &allow).unwrap()).unwrap();
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
    assert_eq!(answer["response"]["warnings"][0], "policy p.r: careful");
    let patch = answer["response"]["patch"].as_str().unwrap();
    let patch = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, patch).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&patch).unwrap(),
        json!([{"op": "replace", "path": "/spec/image", "value": "a@sha256:00"}, {"op": "remove", "path": "/x"}])
    );
    let deny = Decision::Deny {
        message: "no".into(),
    };
    let answer: Value = serde_json::from_slice(&write("u-2", &deny).unwrap()).unwrap();
    assert_eq!(
        answer,
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {"uid": "u-2", "allowed": false, "status": {"status": "Failure", "message": "no"}},
        })
    );
}

#[test]
fn a_huge_message_is_cut_at_a_character() {
    let deny = Decision::Deny {
        message: "é".repeat(100_000),
    };
    let answer: Value = serde_json::from_slice(&write("u", &deny).unwrap()).unwrap();
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.len() < 132_000 && message.ends_with("é…"));
}

#[test]
fn what_is_written_down_of_a_request_is_read_again() {
    let mut review = review();
    review["request"]["object"] = json!({
        "kind": "Pod",
        "metadata": {"name": "a", "managedFields": [{"manager": "kubectl"}]},
        "spec": {"image": "a:1"},
    });
    let request = read(review.to_string().as_bytes()).unwrap();
    let digest = Digest::from_sha256([7; 32]);
    // What stands elsewhere, or is another text by now, is left alone.
    let pins = [
        ("/spec/image", "b:1", &digest),
        ("/spec/none/0", "a:1", &digest),
        ("/spec/image", "a:1", &digest),
    ];
    let written = super::request_json(&request, pins.into_iter());
    let again = super::read_recorded(&written).unwrap();
    let object = json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": {"image": format!("a:1@{digest}")}});
    assert_eq!(again.object, Some(object.into()));
    assert_eq!(again.user_info, request.user_info);
    assert_eq!(
        (again.name, again.namespace),
        (request.name, request.namespace)
    );
}

#[test]
fn nothing_of_a_secret_is_written_down() {
    let mut review = review();
    review["request"]["kind"]["kind"] = json!("Secret");
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["object"] = json!({"kind": "Secret", "data": {"password": "aHVudGVyMg=="}});
    review["request"]["oldObject"] = review["request"]["object"].clone();
    let request = read(review.to_string().as_bytes()).unwrap();
    let written = super::request_json(&request, std::iter::empty());
    assert!(!written.to_string().contains("aHVudGVyMg"), "{written}");
    assert!(super::read_recorded(&written).is_err());
}

#[test]
fn what_takes_more_memory_than_one_request_may_is_known_before_it_is_read() {
    assert!(weigh(b"{\"request\":{\"uid\":\"a\"}}").unwrap() < 4 << 10);
    let maps = vec![r#"{"":0}"#; MAX_MEMORY / 600].join(",");
    let review = format!(r#"{{"request":{{"uid":"a","object":{{"spec":[{maps}]}}}}}}"#);
    assert!(review.len() < 3 << 20);
    let refused = weigh(review.as_bytes());
    assert!(matches!(refused, Err(ReviewError::TooLarge(_))));
    assert!(matches!(weigh(b"{"), Err(ReviewError::Json(_))));
    // It is known which request it is, so that it is refused by name.
    assert_eq!(uid(review.as_bytes()).as_deref(), Some("a"));
}
