use super::*;

fn policy(demand: &str) -> Arc<PolicySet> {
    set(&format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: standards}}\nspec:\n  rules:\n  - name: level\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      podSecurity: {demand}\n"
    ))
}

fn answer(set: &Arc<PolicySet>, request: AdmissionRequest) -> Vec<(String, RuleStatus, String)> {
    let mut evaluation = set
        .evaluate(Arc::new(request), Phase::Validate, Scope::All, NOW)
        .with_second_opinion();
    let Step::Done(responses) = evaluation.step() else {
        panic!("nothing is needed");
    };
    let rules = responses.into_iter().flat_map(|policy| policy.rules);
    rules
        .map(|rule| (rule.rule, rule.status, rule.message))
        .collect()
}

fn one(demand: &str, object: Value) -> (RuleStatus, String) {
    let kind = object["kind"].as_str().unwrap().to_owned();
    let answers = answer(&policy(demand), request(&kind, object));
    assert_eq!(answers.len(), 1, "{answers:?}");
    let (_, status, message) = answers.into_iter().next().unwrap();
    (status, message)
}

fn shares_the_host() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"hostPID": true, "containers": [{"name": "c", "image": "d"}]}})
}

#[test]
fn a_pod_below_its_level_fails_and_the_message_says_why() {
    let (status, message) = one("{level: baseline, version: latest}", shares_the_host());
    assert_eq!(status, RuleStatus::Fail);
    assert_eq!(
        message,
        "Validation rule 'level' failed. It violates PodSecurity \"baseline:latest\": (Forbidden reason: host namespaces, \
         field error list: [spec.hostPID is forbidden, forbidden values found: true])"
    );
    let (status, message) = one("{level: privileged}", shares_the_host());
    assert_eq!(
        (status, message.as_str()),
        (RuleStatus::Pass, "Validation rule 'level' passed.")
    );
    let excluded = "{level: baseline, exclude: [{controlName: Host Namespaces}]}";
    assert_eq!(one(excluded, shares_the_host()).0, RuleStatus::Pass);
}

#[test]
fn a_pod_that_cannot_be_read_is_an_error() {
    let mut pod = shares_the_host();
    pod["spec"]["hostPID"] = "true".into();
    let (status, message) = one("{level: privileged}", pod);
    assert_eq!(status, RuleStatus::Error);
    assert_eq!(
        message,
        "Error while getting new resource: json: cannot unmarshal string into Go struct field PodSpec.spec.hostPID of type bool"
    );
}

#[test]
fn what_makes_pods_is_judged_by_its_template() {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"template": {"spec": {"hostPID": true}}}});
    let answers = answer(
        &policy("{level: baseline}"),
        request("Deployment", deployment),
    );
    assert_eq!(
        answers,
        [(
            "autogen-level".to_owned(),
            RuleStatus::Fail,
            "Validation rule 'autogen-level' failed. It violates PodSecurity \"baseline:\": (Forbidden reason: host namespaces, \
             field error list: [spec.template.spec.hostPID is forbidden, forbidden values found: true])"
                .to_owned()
        )]
    );
}

#[test]
fn nothing_is_said_of_a_pod_that_goes_away() {
    let mut request = request("Pod", shares_the_host());
    request.old_object = request.object.take();
    request.operation = Operation::Delete;
    assert_eq!(answer(&policy("{level: baseline}"), request), []);
}

#[test]
fn an_update_of_a_pod_that_was_below_its_level_is_skipped_under_enforce() {
    let updated = |action: &str, was: Value| {
        let policy = set(&format!(
            "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: a}}\nspec:\n  rules:\n  - name: level\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate: {{failureAction: {action}, podSecurity: {{level: baseline}}}}\n"
        ));
        let mut request = request("Pod", shares_the_host());
        request.old_object = Some(Arc::new(was));
        request.operation = Operation::Update;
        let answers = answer(&policy, request);
        (answers[0].1, answers[0].2.clone())
    };
    let (status, message) = updated("Enforce", shares_the_host());
    assert_eq!(status, RuleStatus::Skip);
    assert_eq!(
        message,
        "skipping the rule evaluation as pre-existing violations are allowed"
    );
    assert_eq!(updated("Audit", shares_the_host()).0, RuleStatus::Fail);
    let mut harmless = shares_the_host();
    harmless["spec"]["hostPID"] = false.into();
    assert_eq!(updated("Enforce", harmless).0, RuleStatus::Fail);
}
