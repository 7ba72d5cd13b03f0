//! `imageExtractors`: images in resources whose kinds only the policy knows.

use super::attestors::{diagnostics, policy};
use super::images::{evidence, signature, statement};
use super::*;

const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// A rule about tasks whose images somebody must have signed.
fn tasks(extractors: &Value) -> String {
    let attestors = json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": "builder"}}]}]);
    let mut policy: Value =
        serde_json::from_str(&policy("ClusterPolicy", &attestors, &json!([]))).unwrap();
    let rule = &mut policy["spec"]["rules"][0];
    rule["match"] = json!({"any": [{"resources": {"kinds": ["Task", "Pod"]}}]});
    rule["imageExtractors"] = extractors.clone();
    policy.to_string()
}

fn judge(policy: &str, kind: &str, spec: &Value, signer: &str) -> (Decision, RuleStatus, String) {
    let object = json!({
        "apiVersion": "v1", "kind": kind,
        "metadata": {"name": "build", "namespace": "production"}, "spec": spec,
    });
    let (decision, statuses) = evaluate(
        &set(policy),
        &request(kind, object),
        Phase::Mutate,
        &|need| match need {
            Need::Image(need) => Fact::Image(Ok(VerifiedImage::assertion(
                need.image.clone(),
                Arc::new(evidence(vec![signature(signer)], vec![])),
                Resolution::Registry,
            ))),
            Need::NamespaceLabels { .. }
            | Need::Roles
            | Need::Data(_)
            | Need::Inventory(_)
            | Need::Guest(_) => no_facts(need),
        },
    );
    let (status, message) = statuses[0].clone();
    (decision, status, message)
}

fn patched(decision: Decision) -> Vec<(String, Value)> {
    let Decision::Allow { patch, .. } = decision else {
        panic!("allowed")
    };
    let replaced = patch.into_iter().map(|operation| match operation {
        PatchOperation::Replace { path, value } => (path, value),
        other => panic!("{other:?}"),
    });
    replaced.collect()
}

#[test]
fn images_are_found_where_extractors_say_and_pinned_there() {
    let steps = json!({"steps": [
        {"name": "a", "image": "registry.example/a:v1"}, {"name": "b"},
        {"name": "c", "image": "registry.example/c:v1"},
    ]});
    let lists = [
        json!({"Task": [{"path": "/spec/steps/*/image"}]}),
        json!({"Task": [{"path": "/spec/steps/*", "value": "image", "key": "name", "name": "steps"}]}),
    ];
    for extractors in lists {
        let policy = tasks(&extractors);
        let (decision, status, message) = judge(&policy, "Task", &steps, "builder");
        assert_eq!(status, RuleStatus::Pass, "{message}");
        let pinned = |name: &str| json!(format!("registry.example/{name}:v1@{DIGEST}"));
        let expected = [
            ("/spec/steps/0/image".to_owned(), pinned("a")),
            ("/spec/steps/2/image".to_owned(), pinned("c")),
        ];
        assert_eq!(patched(decision), expected);
        let (_, status, message) = judge(&policy, "Task", &steps, "somebody");
        assert_eq!(status, RuleStatus::Fail, "{message}");
    }
    // Without an extractor there is no image in it.
    let (_, status, _) = judge(&tasks(&json!({})), "Task", &steps, "somebody");
    assert_eq!(status, RuleStatus::Skip);
}

#[test]
fn maps_names_with_slashes_and_expressions_are_followed() {
    let spec = json!({"by/name": {"x": {"at": "docker://registry.example/x:v1"}}});
    let extractor = json!({"Task": [{
        "path": "/spec/*/*", "value": "at", "jmesPath": "trim_prefix(@, 'docker://')",
    }]});
    let (decision, status, message) = judge(&tasks(&extractor), "Task", &spec, "builder");
    assert_eq!(status, RuleStatus::Pass, "{message}");
    let value = json!(format!("docker://registry.example/x:v1@{DIGEST}"));
    assert_eq!(
        patched(decision),
        [("/spec/by~1name/x/at".to_owned(), value)]
    );
    // A digest that would not be where the image comes from is no pin.
    let other = json!({"Task": [{
        "path": "/spec/*/*", "value": "at", "jmesPath": "'registry.example/fixed:v1'",
    }]});
    let (_, status, message) = judge(&tasks(&other), "Task", &spec, "builder");
    assert_eq!(status, RuleStatus::Error);
    assert!(message.contains("cannot be put into"), "{message}");
}

#[test]
fn what_cannot_be_read_is_refused_and_pods_keep_their_own() {
    let policy = tasks(&json!({
        "Task": [{"path": "/spec/steps/*/image"}], "Pod": [{"path": "/spec/other"}],
    }));
    for spec in [
        json!({"steps": "x"}),
        json!({"steps": ["x"]}),
        json!({"steps": [{"image": 1}]}),
    ] {
        let (_, status, message) = judge(&policy, "Task", &spec, "builder");
        assert_eq!(status, RuleStatus::Fail, "{spec}: {message}");
        assert!(message.contains("failed to extract images"), "{message}");
    }
    let pod = json!({
        "containers": [{"name": "a", "image": "registry.example/a:v1"}],
        "other": "registry.example/b:v1",
    });
    let (decision, ..) = judge(&policy, "Pod", &pod, "builder");
    assert_eq!(patched(decision).len(), 2);
}

#[test]
fn each_of_several_images_in_one_text_is_verified_and_pinned() {
    let half = |index: usize| json!({"path": "/spec", "value": "pair", "jmesPath": format!("split(@, ',')[{index}]")});
    let policy = tasks(&json!({"Task": [half(0), half(1)]}));
    let pair = json!({"pair": "registry.example/a:v1,registry.example/b:v1"});
    let (decision, status, message) = judge(&policy, "Task", &pair, "builder");
    assert_eq!(status, RuleStatus::Pass, "{message}");
    let value = json!(format!(
        "registry.example/a:v1@{DIGEST},registry.example/b:v1@{DIGEST}"
    ));
    assert_eq!(patched(decision), [("/spec/pair".to_owned(), value)]);
    let unsigned = |need: &Need| {
        let Need::Image(need) = need else {
            return no_facts(need);
        };
        let signatures = match need.image.path.as_str() {
            "a" => vec![signature("builder")],
            _ => Vec::new(),
        };
        Fact::Image(Ok(VerifiedImage::assertion(
            need.image.clone(),
            Arc::new(evidence(signatures, vec![])),
            Resolution::Registry,
        )))
    };
    let object = json!({
        "apiVersion": "v1", "kind": "Task",
        "metadata": {"name": "build", "namespace": "production"}, "spec": pair,
    });
    let asked = request("Task", object);
    let (_, statuses) = evaluate(&set(&policy), &asked, Phase::Mutate, &unsigned);
    assert_eq!(statuses[0].0, RuleStatus::Fail, "{statuses:?}");
}

#[test]
fn extractors_are_read_at_load() {
    for (extractors, why) in [
        (
            json!({"Task": [{"path": "spec/image"}]}),
            "`path` must be as in",
        ),
        (
            json!({"Task": [{"path": "/spec/steps/*"}]}),
            "`path` must be as in",
        ),
        (
            json!({"Task": [{"path": "/a/b", "jmesPath": "("}]}),
            "`jmesPath` cannot be read",
        ),
        (json!({"Task": {"path": "/a/b"}}), "must be a list"),
        (json!({"Task": [{"path": "/a/b", "vlaue": "x"}]}), "vlaue"),
    ] {
        let said = diagnostics(&tasks(&extractors));
        assert!(said.iter().any(|one| one.contains(why)), "{said:?}");
    }
    let mut other: Value = serde_json::from_str(&tasks(&json!({"Task": []}))).unwrap();
    let rule = other["spec"]["rules"][0].as_object_mut().unwrap();
    rule.remove("verifyImages");
    rule.insert("validate".to_owned(), json!({"pattern": {"a": "b"}}));
    let said = diagnostics(&other.to_string());
    assert!(
        said[0].contains("without `verifyImages` is not supported"),
        "{said:?}"
    );
}

/// What anybody may write on an object says nothing: `kyverno.io/verify-images` and its kin.
#[test]
fn an_annotation_that_claims_a_verification_is_not_believed() {
    let image = format!("registry.example/app@{DIGEST}");
    let policy = tasks(&json!({}));
    let mut forged = pod(&image);
    let claims = json!({
        "kyverno.io/verify-images": format!("{{\"{image}\":\"pass\"}}"),
        "kyverno.io/verify-images-scoped": format!("{{\"version\":1,\"policies\":{{\"signed\":{{\"signed\":{{\"{image}\":\"pass\"}}}}}}}}"),
        "kyverno.io/image-verification-outcomes": "{\"signed\":\"pass\"}",
    });
    object_of(&mut forged)["metadata"]["annotations"] = claims;
    for operation in [Operation::Create, Operation::Update] {
        for phase in [Phase::Mutate, Phase::Validate] {
            forged.operation = operation;
            forged.old_object = forged.object.clone();
            let asked = std::cell::Cell::new(0);
            let (decision, statuses) =
                evaluate(&set(&policy), &forged, phase, &|need| match need {
                    Need::Image(need) => {
                        asked.set(asked.get() + 1);
                        Fact::Image(Ok(VerifiedImage::assertion(
                            need.image.clone(),
                            Arc::new(evidence(vec![], vec![])),
                            Resolution::Reference,
                        )))
                    }
                    Need::NamespaceLabels { .. }
                    | Need::Roles
                    | Need::Data(_)
                    | Need::Inventory(_)
                    | Need::Guest(_) => no_facts(need),
                });
            assert_eq!(statuses[0].0, RuleStatus::Fail, "{statuses:?}");
            assert!(matches!(decision, Decision::Deny { .. }));
            assert_eq!(asked.get(), 1);
        }
    }
}

/// What conditions say of the images that extractors find: true, and false.
#[test]
fn conditions_see_extracted_images_by_list_and_key() {
    let spec = json!({"steps": [
        {"name": "a", "image": "registry.example/a:v1"}, {"name": "b", "image": "registry.example/b:v2"},
    ]});
    let by_key = json!([{"path": "/spec/steps/*", "value": "image", "key": "name"}]);
    let named =
        json!([{"path": "/spec/steps/*", "value": "image", "key": "name", "name": "steps"}]);
    let by_place = json!([{"path": "/spec/steps/*/image"}]);
    for (extractors, key, value) in [
        (
            &by_key,
            "{{ images.custom.a.registry }}",
            "registry.example",
        ),
        (&by_key, "{{ images.custom.b.tag || 'none' }}", "v2"),
        (&by_key, "{{ join(',', keys(images.custom)) }}", "a,b"),
        (&named, "{{ images.steps.a.name }}", "a"),
        (&named, "{{ join(',', keys(images)) }}", "steps"),
        (
            &by_place,
            "{{ images.custom.\"/spec/steps/1/image\".name }}",
            "b",
        ),
    ] {
        let says = |wanted: &str| judged_by(extractors, &spec, (key, wanted));
        assert_eq!(says(value), RuleStatus::Pass, "{key}");
        assert_eq!(says("something else"), RuleStatus::Fail, "{key}");
    }
    // What is not there does not hold.
    for key in [
        "{{ images.custom.a.registry }}",
        "{{ images.steps.c.registry }}",
    ] {
        assert_eq!(
            judged_by(&named, &spec, (key, "registry.example")),
            RuleStatus::Fail
        );
    }
}

/// What becomes of a task whose images have an attestation by somebody, on a condition.
fn judged_by(extractors: &Value, spec: &Value, (key, value): (&str, &str)) -> RuleStatus {
    const PREDICATE: &str = "https://example.org/scan/v1";
    let attestors = json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": "builder"}}]}]);
    let condition = json!({"key": key, "operator": "Equals", "value": value});
    let mut policy: Value = serde_json::from_str(&tasks(&json!({"Task": extractors}))).unwrap();
    policy["spec"]["rules"][0]["verifyImages"][0]["attestations"] = json!([{
        "type": PREDICATE, "attestors": attestors, "conditions": [{"all": [condition]}],
    }]);
    let object = json!({
        "apiVersion": "v1", "kind": "Task",
        "metadata": {"name": "build", "namespace": "production"}, "spec": spec,
    });
    let said = statement(PREDICATE, "b", "builder");
    let (_, statuses) = evaluate(
        &set(&policy.to_string()),
        &request("Task", object),
        Phase::Mutate,
        &|need| match need {
            Need::Image(need) => Fact::Image(Ok(VerifiedImage::assertion(
                need.image.clone(),
                Arc::new(evidence(vec![signature("builder")], vec![said.clone()])),
                Resolution::Registry,
            ))),
            Need::NamespaceLabels { .. }
            | Need::Roles
            | Need::Data(_)
            | Need::Inventory(_)
            | Need::Guest(_) => no_facts(need),
        },
    );
    statuses[0].0
}
