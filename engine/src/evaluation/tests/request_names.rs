//! What expressions see of a request: the fields that a review has in Kyverno, and no others.

use super::*;
use crate::admission::UserInfo;

/// What an expression comes to in the message of a rule that denies everything.
fn said(request: &AdmissionRequest, expression: &str) -> (RuleStatus, String) {
    let rule = format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - name: r\n    match: {{any: [{{resources: {{kinds: ['*']}}}}]}}\n    validate:\n      message: m\n      deny: {{conditions: {{all: [{{key: \"{{{{ {expression} }}}}\", operator: NotEquals, value: zz, message: \"{{{{ to_string({expression}) }}}}\"}}]}}}}\n  background: false\n"
    );
    let (_, mut rules) = evaluate(&set(&rule), request, Phase::Validate, &no_facts);
    rules.remove(0)
}

fn is_unknown(request: &AdmissionRequest, expression: &str) {
    let (status, message) = said(request, expression);
    let unknown = format!("Unknown key \"{}\"", expression.rsplit('.').next().unwrap());
    assert!(
        status == RuleStatus::Error && message.contains(&unknown),
        "{expression}: {status:?} {message}"
    );
}

#[test]
fn what_a_review_leaves_empty_is_null_or_no_field() {
    let mut review = pod("nginx:1");
    review.name = String::new();
    review.user_info = Some(UserInfo {
        username: "bob".to_owned(),
        ..UserInfo::default()
    });
    // Nothing is not `zz`, and a null key holds for no operator of the kind.
    for null in [
        "request.oldObject",
        "request.options",
        "request.oldObject.metadata.name",
    ] {
        assert_eq!(said(&review, null).0, RuleStatus::Pass, "{null}");
    }
    for unknown in [
        "request.name",
        "request.userInfo.uid",
        "request.userInfo.groups",
        "request.userInfo.extra",
    ] {
        is_unknown(&review, unknown);
    }
    let (_, message) = said(&review, "request.userInfo");
    assert!(message.contains(r#"{"username":"bob"}"#), "{message}");
    assert_eq!(
        said(&review, "request.requestResource.resource").0,
        RuleStatus::Fail
    );
    // A command makes a request of an object, which has no more than was made.
    review.uid = String::new();
    is_unknown(&review, "request.oldObject");
}

#[test]
fn an_image_has_the_parts_that_its_reference_has() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let (tagged, pinned) = (pod("nginx:v1"), pod(&format!("nginx@{digest}")));
    is_unknown(&tagged, "images.containers.c.digest");
    is_unknown(&pinned, "images.containers.c.tag");
    assert_eq!(said(&tagged, "images.containers.c.tag").0, RuleStatus::Fail);
    assert_eq!(
        said(&pinned, "images.containers.c.digest").0,
        RuleStatus::Fail
    );
}

/// Where there can be no pod, nobody knows which images there are.
#[test]
fn a_template_that_is_no_map_is_an_error_where_images_are_looked_at() {
    for (kind, spec) in [
        ("Pod", json!("x")),
        ("Deployment", json!({"template": "x"})),
        ("Deployment", json!({"template": {"spec": []}})),
    ] {
        let object =
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        let (status, message) = said(&request(kind, object), "images.containers");
        assert!(
            status == RuleStatus::Error && message.contains("invalid image config"),
            "{kind} {spec}: {status:?} {message}"
        );
    }
}

#[test]
fn an_exclusion_that_says_nothing_excludes_nothing() {
    let rule = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec:\n  rules:\n  - name: r\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    exclude: {resources: {}}\n    validate: {message: m, deny: {}}\n";
    let (_, rules) = evaluate(&set(rule), &pod("nginx:1"), Phase::Validate, &no_facts);
    assert_eq!(rules[0].0, RuleStatus::Fail);
}
