use super::super::inventory::Snapshot;
use super::*;

const TEMPLATE: &str = r#"apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {name: requiredlabels}
spec:
  crd:
    spec:
      names: {kind: RequiredLabels}
      validation:
        openAPIV3Schema: {type: object}
  targets:
    - target: admission.k8s.gatekeeper.sh
      rego: |
        package requiredlabels

        import data.lib.labels

        violation[{"msg": msg, "details": {"missing": missing}}] {
          missing := labels.required(input.parameters) - labels.provided(input.review.object)
          count(missing) > 0
          msg := sprintf("missing: %v", [missing])
        }
      libs:
        - |
          package lib.labels

          provided(object) = {label | object.metadata.labels[label]}

          required(parameters) = {label | label := parameters.labels[_]}
"#;

fn constraint(spec: &str) -> String {
    format!(
        "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: RequiredLabels\nmetadata: {{name: must-have-team}}\nspec:\n  parameters: {{labels: [team]}}\n{spec}"
    )
}

/// A constraint may stand before its template.
fn constrained(spec: &str) -> Arc<PolicySet> {
    set(&format!("{}\n---\n{TEMPLATE}", constraint(spec)))
}

fn answer(set: &Arc<PolicySet>, request: AdmissionRequest) -> Option<(RuleStatus, String)> {
    let mut evaluation = set
        .evaluate(Arc::new(request), Phase::Validate, Scope::All, NOW)
        .with_second_opinion();
    let mut step = evaluation.step();
    while let Step::Need(needs) = step {
        for (id, need) in needs {
            assert!(matches!(need, Need::NamespaceLabels { .. }));
            let labels = [("tier".to_owned(), "gold".to_owned())];
            evaluation.answer(id, Fact::NamespaceLabels(Ok(labels.into_iter().collect())));
        }
        step = evaluation.step();
    }
    let Step::Done(responses) = step else {
        panic!("not done");
    };
    let mut rules = responses.into_iter().flat_map(|policy| policy.rules);
    rules.next().map(|rule| (rule.status, rule.message))
}

fn in_namespace(namespace: Option<&str>) -> AdmissionRequest {
    let mut request = pod("nginx");
    request.namespace = namespace.map(str::to_owned);
    request
}

fn namespace(name: &str) -> AdmissionRequest {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    AdmissionRequest {
        namespace: Some(name.to_owned()),
        ..request("Namespace", object)
    }
}

#[test]
fn a_constraint_asks_its_template_with_its_parameters() {
    let set = constrained("");
    let failed = Some((RuleStatus::Fail, "missing: {\"team\"}".to_owned()));
    assert_eq!(answer(&set, pod("nginx")), failed);
    let mut labelled = pod("nginx");
    object_of(&mut labelled)["metadata"]["labels"] = json!({"team": "a"});
    assert_eq!(answer(&set, labelled).unwrap().0, RuleStatus::Pass);
    let policy = &set.policies().first().unwrap().ast;
    assert_eq!(policy.key(), "RequiredLabels.must-have-team");
}

/// Whether a constraint whose `match` has a field is about a request.
fn about(spec: &str, request: AdmissionRequest) -> bool {
    answer(&constrained(&format!("  match:\n    {spec}\n")), request).is_some()
}

#[test]
fn kinds_are_those_of_a_group_and_any_where_none_is_named() {
    let kinds = "kinds: [{apiGroups: [\"\"], kinds: [Pod]}]";
    assert!(about(kinds, pod("nginx")) && !about(kinds, namespace("a")));
    assert!(!about(
        "kinds: [{apiGroups: [apps], kinds: [Pod]}]",
        pod("nginx")
    ));
    assert!(about(
        "kinds: [{apiGroups: [\"*\"], kinds: [\"*\"]}]",
        pod("nginx")
    ));
    assert!(about(
        "kinds: [{apiGroups: [apps]}, {kinds: [Pod]}]",
        pod("nginx")
    ));
}

#[test]
fn namespaces_leave_out_nothing_that_is_in_none() {
    let namespaces = "namespaces: [kube-*, \"*-system\", exact]";
    for (name, expected) in [
        ("kube-x", true),
        ("my-system", true),
        ("exact", true),
        ("other", false),
    ] {
        assert_eq!(
            about(namespaces, in_namespace(Some(name))),
            expected,
            "{name}"
        );
        assert_eq!(
            about(namespaces, namespace(name)),
            expected,
            "Namespace {name}"
        );
        let excluded = "excludedNamespaces: [kube-*, \"*-system\", exact]";
        assert_eq!(
            about(excluded, in_namespace(Some(name))),
            !expected,
            "{name}"
        );
        assert_eq!(
            about(excluded, namespace(name)),
            !expected,
            "Namespace {name}"
        );
    }
    // What is in no namespace is left out by neither.
    assert!(about(namespaces, in_namespace(None)));
    assert!(about("excludedNamespaces: [\"*\"]", in_namespace(None)));
}

#[test]
fn a_namespace_is_of_the_cluster() {
    for (scope, in_one, in_none, of_namespace) in [
        ("\"*\"", true, true, true),
        ("Namespaced", true, false, false),
        ("Cluster", false, true, true),
    ] {
        let scope = format!("scope: {scope}");
        assert_eq!(about(&scope, in_namespace(Some("a"))), in_one, "{scope}");
        assert_eq!(about(&scope, in_namespace(None)), in_none, "{scope}");
        assert_eq!(about(&scope, namespace("a")), of_namespace, "{scope}");
    }
}

#[test]
fn selectors_look_at_the_namespace_and_at_a_namespace_itself() {
    let selector = "namespaceSelector: {matchLabels: {tier: gold}}";
    assert!(about(selector, in_namespace(Some("a"))) && about(selector, in_namespace(None)));
    assert!(!about(selector, namespace("a")));
    let other =
        "namespaceSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [gold]}]}";
    assert!(!about(other, in_namespace(Some("a"))) && about(other, namespace("a")));

    assert!(!about(
        "labelSelector: {matchLabels: {app: x}}",
        pod("nginx")
    ));
    assert!(about(
        "labelSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}",
        pod("nginx")
    ));
    assert!(!about("name: other-*", pod("nginx")));
}

#[test]
fn nobody_takes_an_object_out_of_scope_by_changing_it() {
    let set = constrained("  match:\n    labelSelector: {matchLabels: {app: x}}\n");
    let mut update = pod("nginx");
    update.operation = Operation::Update;
    update.old_object.clone_from(&update.object);
    assert_eq!(answer(&set, update.clone()), None);
    Arc::make_mut(update.old_object.as_mut().unwrap())["metadata"]["labels"] = json!({"app": "x"});
    assert_eq!(answer(&set, update).unwrap().0, RuleStatus::Fail);
}

#[test]
fn what_a_violation_means_is_the_constraints() {
    let meaning = |spec: &str| {
        let set = constrained(spec);
        let mut evaluation = set.evaluate(Arc::new(pod("nginx")), Phase::Validate, Scope::All, NOW);
        let Step::Done(responses) = evaluation.step() else {
            panic!("nothing is needed");
        };
        match decide(&pod("nginx"), &responses) {
            Decision::Deny { .. } => "deny",
            Decision::Allow { warnings, .. } if warnings.is_empty() => "silence",
            Decision::Allow { .. } => "warn",
        }
    };
    assert_eq!(meaning(""), "deny");
    assert_eq!(meaning("  enforcementAction: deny\n"), "deny");
    assert_eq!(meaning("  enforcementAction: warn\n"), "warn");
    assert_eq!(meaning("  enforcementAction: dryrun\n"), "silence");
    let scoped = |point: &str| {
        format!(
            "  enforcementAction: scoped\n  scopedEnforcementActions:\n    - action: warn\n      enforcementPoints: [{{name: \"*\"}}]\n    - action: deny\n      enforcementPoints: [{{name: {point}}}]\n"
        )
    };
    assert_eq!(meaning(&scoped("validation.gatekeeper.sh")), "deny");
    assert_eq!(meaning(&scoped("audit.gatekeeper.sh")), "warn");
}

fn said(text: &str) -> Vec<String> {
    let loaded = load(&[Source::new("policy.yaml", text)], &Environment::default());
    let said = loaded.diagnostics.iter();
    said.map(|one| {
        let (line, _) = one.source.position(one.labels.first().unwrap().span.start);
        format!("{line} {}: {}", one.code.name(), one.message)
    })
    .collect()
}

#[test]
fn a_constraint_without_its_template_is_said_to_be() {
    let alone = said(&constraint(""));
    assert_eq!(
        alone,
        ["2 invalid-value: there is no template of kind `RequiredLabels`"]
    );
    let broken = TEMPLATE.replace("count(missing)", "counted(missing)");
    let both = said(&format!("{broken}---\n{}", constraint("")));
    assert_eq!(
        both,
        [
            "19 invalid-rego: source of Rego, line 7, column 3: there is no function `counted`",
            "31 invalid-value: there is no template of kind `RequiredLabels`",
        ]
    );
}

#[test]
fn what_is_not_evaluated_is_refused_by_name() {
    let cel = TEMPLATE.split("      rego: |").next().unwrap().to_owned()
        + "      code: [{engine: K8sNativeValidation, source: {}}]\n";
    assert_eq!(
        said(&cel),
        ["11 not-supported: the engine `K8sNativeValidation` is not supported"]
    );
    let both = cel.replace(
        "source: {}}]",
        "source: {}}, {engine: Rego, source: {version: v1, rego: \"package a\\nviolation contains {\\\"msg\\\": \\\"x\\\"} if true\"}}]",
    );
    assert_eq!(said(&both), [""; 0]);
    let unknown = said(&format!(
        "{TEMPLATE}---\n{}",
        constraint("  match: {kind: []}\n")
    ));
    assert_eq!(unknown, ["35 unknown-field: `match` has no field `kind`"]);
}

#[test]
fn the_inventory_holds_what_is_synced() {
    let template = TEMPLATE.split("      rego: |").next().unwrap().to_owned()
        + "      rego: |\n        package unique\n        violation[{\"msg\": other}] {\n          data.inventory.namespace[_][\"v1\"][\"Pod\"][other]\n          other != input.review.object.metadata.name\n        }\n";
    let config = "apiVersion: config.gatekeeper.sh/v1alpha1\nkind: Config\nmetadata: {name: config}\nspec:\n  sync:\n    syncOnly: [{group: \"\", version: v1, kind: Pod}]\n";
    let set = set(&format!("{template}---\n{config}---\n{}", constraint("")));
    let mut evaluation = set.evaluate(Arc::new(pod("nginx")), Phase::Validate, Scope::All, NOW);
    let Step::Need(needs) = evaluation.step() else {
        panic!("the inventory is needed");
    };
    let [(id, Need::Inventory(need))] = needs.as_slice() else {
        panic!("one kind is needed: {needs:?}");
    };
    assert_eq!(need.description(), "objects of kind `Pod`");
    let other =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "namespace": "n"}});
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}});
    let snapshot = Snapshot::of(need, &[other, service]);
    evaluation.answer(*id, Fact::Inventory(Ok(Arc::new(snapshot))));
    let Step::Done(responses) = evaluation.step() else {
        panic!("nothing more is needed");
    };
    let rule = &responses.first().unwrap().rules.first().unwrap();
    assert_eq!(
        (rule.status, rule.message.as_str()),
        (RuleStatus::Fail, "other")
    );
}
