//! Rules that change the object, other resources, or generate: in their order, waiting, and refusing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::need::{DataNeed, Fact, FactError, Need};
use super::super::{Phase, Scope, Step};
use super::{NOW, evaluate, no_facts, object_of, pod, request, set};
use crate::admission::{AdmissionRequest, Operation};
use crate::decision::Decision;
use crate::load::{Environment, load};
use crate::mutate::json_patch;
use crate::response::{PolicyResponse, RuleStatus};
use crate::source::Source;

fn policy(name: &str, rules: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\nspec:\n  rules:\n{rules}\n"
    )
}

fn label(rule: &str, name: &str, value: &str) -> String {
    format!(
        "  - name: {rule}\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    mutate: {{patchStrategicMerge: {{metadata: {{labels: {{{name}: \"{value}\"}}}}}}}}\n"
    )
}

/// The object that the API server would store.
fn stored(request: &AdmissionRequest, decision: &Decision) -> Value {
    let Decision::Allow { patch, .. } = decision else {
        panic!("{decision:?}");
    };
    let operations: Vec<Value> = patch
        .iter()
        .map(|operation| match operation {
            crate::response::PatchOperation::Add { path, value } => {
                json!({"op": "add", "path": path, "value": value})
            }
            crate::response::PatchOperation::Replace { path, value } => {
                json!({"op": "replace", "path": path, "value": value})
            }
            crate::response::PatchOperation::Remove { path } => {
                json!({"op": "remove", "path": path})
            }
        })
        .collect();
    let operations = json_patch::parse(&Value::Array(operations)).unwrap();
    json_patch::apply(request.object.as_deref().unwrap(), &operations).unwrap()
}

#[test]
fn each_rule_sees_what_those_before_it_made() {
    let first = policy(
        "a",
        &(label("one", "x", "1") + &label("two", "w", "{{ request.object.metadata.labels.x }}2")),
    );
    let second = policy(
        "b",
        &label("three", "z", "{{ request.object.metadata.labels.w }}3"),
    );
    let set = set(&format!("{first}---\n{second}"));
    let request = pod("nginx");
    let (decision, statuses) = evaluate(&set, &request, Phase::Mutate, &no_facts);
    assert_eq!(
        stored(&request, &decision)["metadata"]["labels"],
        json!({"x": "1", "w": "12", "z": "123"})
    );
    let message = "mutated Pod/web in namespace production";
    assert!(
        statuses
            .iter()
            .all(|(status, said)| *status == RuleStatus::Pass && said == message)
    );
    let (_, judged) = evaluate(&set, &request, Phase::Validate, &no_facts);
    assert!(judged.is_empty(), "nothing is changed where it is judged");
}

#[test]
fn images_are_looked_for_in_the_changed_object() {
    let rules = "  - name: verify
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages:
    - imageReferences: ['mirror.example.com/*']
      attestors: [{entries: [{keyless: {issuer: i, subject: s}}]}]
  - name: prepend
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate:
      patchStrategicMerge:
        spec: {containers: [{name: side, image: side}, {name: c, image: mirror.example.com/app}]}
";
    let text = policy("p", rules).replace("spec:\n", "spec:\n  validationFailureAction: Enforce\n");
    let set = set(&text);
    let mut evaluation = set.evaluate(Arc::new(pod("nginx")), Phase::Mutate, Scope::All, NOW);
    let Step::Need(needs) = evaluation.step() else {
        panic!("the image is asked for");
    };
    let [(_, Need::Image(need))] = needs.as_slice() else {
        panic!("{needs:?}");
    };
    assert_eq!(need.image.to_string(), "mirror.example.com/app:latest");
}

#[test]
fn a_rule_that_waits_makes_the_later_ones_wait() {
    let waits = "  - name: waits
    match: {any: [{resources: {kinds: [Pod]}}]}
    context: [{name: map, configMap: {name: m, namespace: ns}}]
    mutate: {patchStrategicMerge: {metadata: {labels: {x: '{{ map.data.x }}'}}}}
";
    let set = set(&policy(
        "p",
        &(waits.to_owned() + &label("later", "w", "{{ request.object.metadata.labels.x }}")),
    ));
    let request = pod("nginx");
    let answer = |need: &Need| match need {
        Need::Data(DataNeed::ConfigMap { .. }) => Fact::Data(Ok(json!({"data": {"x": "v"}}))),
        other => Fact::missing(other, FactError::NotFound("nothing".into())),
    };
    let (decision, _) = evaluate(&set, &request, Phase::Mutate, &answer);
    assert_eq!(
        stored(&request, &decision)["metadata"]["labels"],
        json!({"x": "v", "w": "v"})
    );
}

#[test]
fn what_cannot_be_changed_is_refused_unless_the_policy_ignores_it() {
    let failing = label("fails", "x", "{{ request.object.metadata.labels.none }}");
    let text = policy("p", &(failing + &label("later", "w", "1")));
    let request = pod("nginx");
    let (decision, statuses) = evaluate(&set(&text), &request, Phase::Mutate, &no_facts);
    let Decision::Deny { message } = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(
        message,
        "mutation policy p error: failed to apply policy p rules [fails: variable substitution failed: failed to resolve request.object.metadata.labels.none at path /mutate/patchStrategicMerge/metadata/labels/x: JMESPath query failed: Unknown key \"labels\" in path]"
    );
    assert_eq!(statuses.len(), 1, "the later rules are not run");
    let ignoring = text.replace("spec:\n", "spec:\n  failurePolicy: Ignore\n");
    let (decision, _) = evaluate(&set(&ignoring), &request, Phase::Mutate, &no_facts);
    assert_eq!(
        Some(&stored(&request, &decision)),
        request.object.as_deref()
    );
}

#[test]
fn no_patch_makes_the_object_another() {
    for (field, value) in [
        ("/metadata/name", "other"),
        ("/metadata/namespace", "kube-system"),
        ("/metadata/uid", "u"),
        ("/kind", "Secret"),
    ] {
        let rule = format!(
            "  - name: r\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    mutate:\n      patchesJson6902: '[{{\"op\": \"add\", \"path\": \"{field}\", \"value\": \"{value}\"}}]'\n"
        );
        let (decision, statuses) = evaluate(
            &set(&policy("p", &rule)),
            &pod("nginx"),
            Phase::Mutate,
            &no_facts,
        );
        assert!(matches!(decision, Decision::Deny { .. }), "{field}");
        assert!(
            statuses[0].1.contains("which says what the object is"),
            "{statuses:?}"
        );
    }
}

#[test]
fn nothing_is_changed_on_delete_and_one_rule_is_enough_where_one_applies() {
    let text = policy("p", &(label("one", "x", "1") + &label("two", "w", "1")));
    let mut deleted = pod("nginx");
    deleted.operation = Operation::Delete;
    deleted.old_object = deleted.object.take();
    let (_, statuses) = evaluate(&set(&text), &deleted, Phase::Mutate, &no_facts);
    assert!(statuses.is_empty());
    let one = text.replace("spec:\n", "spec:\n  applyRules: One\n");
    let request = pod("nginx");
    let (decision, statuses) = evaluate(&set(&one), &request, Phase::Mutate, &no_facts);
    assert_eq!(
        stored(&request, &decision)["metadata"]["labels"],
        json!({"x": "1"})
    );
    assert_eq!(statuses.len(), 1);
}

#[test]
fn controllers_of_pods_are_changed_in_their_templates() {
    let rule = "  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate:
      foreach:
      - list: request.object.spec.containers
        patchStrategicMerge:
          spec: {containers: [{name: '{{ element.name }}', image: 'mirror/{{ element.image }}'}]}
";
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"},
        "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}}},
    });
    let request = request("Deployment", object);
    let (decision, _) = evaluate(&set(&policy("p", rule)), &request, Phase::Mutate, &no_facts);
    assert_eq!(
        stored(&request, &decision).pointer("/spec/template/spec/containers"),
        Some(&json!([{"name": "a", "image": "mirror/x"}, {"name": "b", "image": "mirror/y"}]))
    );
}

#[test]
fn foreach_in_foreach() {
    let rule = "  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate:
      foreach:
      - list: request.object.spec.containers
        preconditions: {all: [{key: '{{ element.name }}', operator: NotEquals, value: skipped}]}
        foreach:
        - list: element.env
          patchesJson6902: |-
            - op: replace
              path: /spec/containers/{{ elementIndex0 }}/env/{{ elementIndex1 }}/value
              value: \"{{ element.name }}={{ element0.name }}\"
";
    let spec = json!({"containers": [
        {"name": "a", "env": [{"name": "X"}, {"name": "Y", "value": "old"}]},
        {"name": "skipped", "env": [{"name": "Z", "value": "kept"}]},
    ]});
    let object =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
    let mut request = request("Pod", object);
    let (_, statuses) = evaluate(&set(&policy("p", rule)), &request, Phase::Mutate, &no_facts);
    assert_eq!(
        statuses[0].0,
        RuleStatus::Error,
        "there is nothing to replace: {statuses:?}"
    );
    *object_of(&mut request)
        .pointer_mut("/spec/containers/0/env/0")
        .unwrap() = json!({"name": "X", "value": "old"});
    let (decision, _) = evaluate(&set(&policy("p", rule)), &request, Phase::Mutate, &no_facts);
    assert_eq!(
        stored(&request, &decision)["spec"]["containers"],
        json!([
            {"name": "a", "env": [{"name": "X", "value": "X=a"}, {"name": "Y", "value": "Y=a"}]},
            {"name": "skipped", "env": [{"name": "Z", "value": "kept"}]},
        ])
    );
}

#[test]
fn values_are_no_operations() {
    let rule = "  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate:
      patchesJson6902: |-
        - op: add
          path: /metadata/labels
          value:
            quoted: \"{{ request.object.metadata.annotations.x }}\"
            plain: {{ request.object.metadata.annotations.x }}
            number: {{ request.object.metadata.annotations.n }}
            text: \"{{ request.object.metadata.annotations.n }}\"
";
    let evil = "a\"\n- op: remove\n  path: /spec\n- {op: add";
    let mut request = pod("nginx");
    object_of(&mut request)["metadata"]["annotations"] = json!({"x": evil, "n": "5"});
    let (decision, _) = evaluate(&set(&policy("p", rule)), &request, Phase::Mutate, &no_facts);
    let stored = stored(&request, &decision);
    assert_eq!(
        stored["metadata"]["labels"],
        json!({"quoted": evil, "plain": evil, "number": 5, "text": "5"})
    );
    assert!(stored["spec"].is_object());
}

/// What is done to other resources, with these in the cluster.
fn background(text: &str, request: &AdmissionRequest, cluster: &Value) -> Vec<PolicyResponse> {
    let mut evaluation = set(text).evaluate_background(Arc::new(request.clone()), NOW);
    loop {
        match evaluation.step() {
            Step::Done(responses) => return responses,
            Step::Need(needs) => {
                for (id, need) in needs {
                    assert!(matches!(need, Need::Data(DataNeed::Objects(_))), "{need:?}");
                    evaluation.answer(id, Fact::Data(Ok(cluster.clone())));
                }
            }
        }
    }
}

#[test]
fn a_target_may_be_named_by_its_uid() {
    let rule = "  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate:
      targets: [{apiVersion: v1, kind: Secret, namespace: production, uid: '{{ request.object.metadata.name }}-2'}]
      patchStrategicMerge: {metadata: {labels: {seen: 'yes'}}}
";
    let secret = |uid: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("s-{uid}"), "namespace": "production", "uid": uid}});
    let cluster = json!([secret("web-1"), secret("web-2"), secret("web-22")]);
    let responses = background(&policy("p", rule), &pod("nginx"), &cluster);
    let targets = &responses[0].rules[0].targets;
    let seen: Vec<_> = targets.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(seen, ["mutated Secret/s-web-2 in namespace production"]);
}

/// From the second block on, `target` is what those before made of it; `request.object` stays what the request is about.
#[test]
fn each_block_of_a_target_sees_what_those_before_made_of_it() {
    let rule = "  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate:
      targets: [{apiVersion: v1, kind: Secret, namespace: production, name: s}]
      foreach:
      - list: target.data.keys(@)
        patchStrategicMerge: {metadata: {labels: {'one-{{ element }}': '{{ request.object.metadata.name }}'}}}
      - list: target.metadata.labels.keys(@)
        patchStrategicMerge: {metadata: {labels: {'two-{{ element }}': '{{ request.object.metadata.name }}'}}}
";
    let cluster = json!([{"apiVersion": "v1", "kind": "Secret", "data": {"a": ""},
        "metadata": {"name": "s", "namespace": "production"}}]);
    let responses = background(&policy("p", rule), &pod("nginx"), &cluster);
    let target = &responses[0].rules[0].targets[0];
    let patched = target.patched.as_ref().expect(&target.message);
    let labels = json!({"one-a": "web", "two-one-a": "web"});
    assert_eq!(patched["metadata"]["labels"], labels);
}

#[test]
fn targets_are_changed_and_the_object_is_not() {
    let rule = "  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate:
      targets:
      - {apiVersion: v1, kind: Secret, namespace: '{{ request.namespace }}', name: 'web-*', preconditions: {all: [{key: '{{ target.type }}', operator: Equals, value: Opaque}]}}
      patchStrategicMerge: {metadata: {labels: {of: '{{ request.object.metadata.name }}-{{ target.metadata.name }}'}}}
";
    let secret = |name: &str, namespace: &str, of: &str| json!({"apiVersion": "v1", "kind": "Secret", "type": of, "metadata": {"name": name, "namespace": namespace}});
    let cluster = json!([
        secret("web-a", "production", "Opaque"),
        secret("web-b", "production", "other"),
        secret("web-c", "elsewhere", "Opaque"),
        secret("db", "production", "Opaque"),
    ]);
    let responses = background(&policy("p", rule), &pod("nginx"), &cluster);
    let targets = &responses[0].rules[0].targets;
    let seen: Vec<_> = targets
        .iter()
        .map(|one| (one.status, one.message.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (
                RuleStatus::Pass,
                "mutated Secret/web-a in namespace production"
            ),
            (RuleStatus::Skip, "preconditions not met"),
        ]
    );
    let patched = targets[0].patched.as_ref().unwrap();
    assert_eq!(patched["metadata"]["labels"], json!({"of": "web-web-a"}));
    let (decision, statuses) = evaluate(
        &set(&policy("p", rule)),
        &pod("nginx"),
        Phase::Mutate,
        &no_facts,
    );
    assert!(
        statuses.is_empty(),
        "no webhook asks the rule: {decision:?}"
    );
}

#[test]
fn resources_are_generated_from_data_and_copies() {
    let head = "    match: {any: [{resources: {kinds: [Pod]}}]}\n    generate:\n";
    let rules = format!(
        "  - name: data\n{head}      apiVersion: v1
      kind: ConfigMap
      name: '{{{{ request.object.metadata.name }}}}'
      namespace: made
      data: {{data: {{image: '{{{{ request.object.spec.containers[0].image }}}}'}}}}
  - name: clone\n{head}      apiVersion: v1
      kind: Secret
      name: copy
      namespace: made
      clone: {{name: source, namespace: here}}
  - name: list\n{head}      namespace: made
      cloneList: {{namespace: here, kinds: [v1/Secret], selector: {{matchLabels: {{copied: 'yes'}}}}}}
  - name: each\n{head}      foreach:
      - list: request.object.spec.containers
        apiVersion: v1
        kind: ConfigMap
        name: 'c-{{{{ element.name }}}}'
        namespace: made
        data: {{}}
"
    );
    let source = json!({
        "apiVersion": "v1", "kind": "Secret", "data": {"k": "dg=="},
        "metadata": {"name": "source", "namespace": "here", "uid": "1", "labels": {"copied": "yes"}},
    });
    let made: Vec<_> = background(&policy("p", &rules), &pod("nginx"), &json!([source]))
        .into_iter()
        .flat_map(|policy| policy.rules)
        .map(|rule| (rule.status, rule.generated))
        .collect();
    let metadata = |name: &str| json!({"name": name, "namespace": "made"});
    let copy = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "data": {"k": "dg=="},
            "metadata": {"name": name, "namespace": "made", "labels": {"copied": "yes"}},
        })
    };
    assert_eq!(
        made,
        [
            (
                RuleStatus::Pass,
                vec![
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"image": "nginx"}, "metadata": metadata("web")})
                ]
            ),
            (RuleStatus::Pass, vec![copy("copy")]),
            (RuleStatus::Pass, vec![copy("source")]),
            (
                RuleStatus::Pass,
                vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("c-c")})]
            ),
        ]
    );
}

#[test]
fn a_source_that_is_not_there_is_an_error() {
    let rule = "  - name: r
    match: {any: [{resources: {kinds: [Pod]}}]}
    generate: {apiVersion: v1, kind: Secret, name: a, namespace: b, clone: {name: c, namespace: d}}
";
    let responses = background(&policy("p", rule), &pod("nginx"), &json!([]));
    assert_eq!(responses[0].rules[0].status, RuleStatus::Error);
}

/// Whether loading a rule that mutates says a message.
fn check(mutate: &str, message: &str) {
    let rule = format!(
        "  - name: r\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    mutate: {mutate}\n"
    );
    let source = Source::new("p.yaml", policy("p", &rule));
    let loaded = load(&[source], &Environment::default());
    let said: Vec<String> = loaded
        .diagnostics
        .into_iter()
        .map(|one| one.message)
        .collect();
    assert!(said.iter().any(|one| one == message), "{mutate}: {said:?}");
}

#[test]
fn mistakes_in_patches_are_said_at_load() {
    for (mutate, message) in [
        (
            "{}",
            "a patch is missing: there is none of `patchStrategicMerge`, `patchesJson6902`, `foreach`, `wasm`",
        ),
        (
            "{patchStrategicMerge: {}, foreach: []}",
            "one patch at a time: there is `patchStrategicMerge` and `foreach`",
        ),
        (
            "{patchStrategicMerge: text}",
            "`patchStrategicMerge` must be a map, this is a text",
        ),
        (
            "{patchStrategicMerge: {spec: {$retainKeys: [a]}}}",
            "the directive `$retainKeys` is not supported",
        ),
    ] {
        check(mutate, message);
    }
}

#[test]
fn mistakes_in_json_patches_and_names_are_said_at_load() {
    for (mutate, message) in [
        (
            "{patchesJson6902: '[{op: add, path: spec, value: 1}]'}",
            "the path `spec` of a JSON patch does not begin with `/`",
        ),
        (
            "{patchesJson6902: '[{op: frob, path: /spec}]'}",
            "a JSON patch has no operation `frob`",
        ),
        (
            "{patchesJson6902: '[{op: add, path: /spec}]'}",
            "the operation `add` has no `value`",
        ),
        (
            "{patchesJson6902: 'x: 1'}",
            "`patchesJson6902` is a list of operations",
        ),
        (
            "{patchStrategicMerg: {}}",
            "`mutate` has no field `patchStrategicMerg`",
        ),
        (
            "{patchStrategicMerge: {metadata: {labels: {x: '{{ nobody.x }}'}}}}",
            "nothing sets the name `nobody`",
        ),
        (
            "{patchStrategicMerge: {metadata: {labels: {x: '{{ element.x }}'}}}}",
            "there is no `element` outside of `foreach`",
        ),
        (
            "{foreach: [{patchStrategicMerge: {}}]}",
            "`foreach` has no `list`",
        ),
    ] {
        check(mutate, message);
    }
}

/// What one mutate rule of Pods says to a Pod with annotations, and the object as it is then.
fn with_annotations(mutate: &str, annotations: &Value) -> ((RuleStatus, String), Option<Value>) {
    let set = set(&policy(
        "p",
        &format!(
            "  - name: r\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    mutate: {mutate}\n"
        ),
    ));
    let mut request = pod("x");
    object_of(&mut request)["metadata"]["annotations"] = annotations.clone();
    let (decision, rules) = evaluate(&set, &request, Phase::Mutate, &no_facts);
    let stored = matches!(decision, Decision::Allow { .. }).then(|| stored(&request, &decision));
    (rules[0].clone(), stored)
}

#[test]
fn keys_of_variables_say_nothing_of_how_a_patch_is_merged() {
    let patch = r#"{patchStrategicMerge: {metadata: {annotations: {"{{ request.object.metadata.annotations.k }}": "v"}}, spec: {hostNetwork: false}}}"#;
    let plain = with_annotations(patch, &json!({"k": "plain"})).1.unwrap();
    assert_eq!(
        plain["metadata"]["annotations"],
        json!({"k": "plain", "plain": "v"})
    );
    let whole = r#"{patchStrategicMerge: {metadata: {annotations: "{{ parse_json(request.object.metadata.annotations.k) }}"}}}"#;
    let around = r#"{patchStrategicMerge: {metadata: {annotations: {"+({{ request.object.metadata.annotations.k }})": "v"}}}}"#;
    assert_eq!(
        with_annotations(around, &json!({"k": "plain"})).1.unwrap()["metadata"]["annotations"],
        json!({"k": "plain", "plain": "v"})
    );
    for key in [
        "$patch",
        "(zz)",
        "<(zz)",
        "+(zz)",
        "$setElementOrder/x",
        "$retainKeys",
    ] {
        let json = json!({ key: "delete" }).to_string();
        for (mutate, value) in [(patch, key), (around, key), (whole, json.as_str())] {
            let ((status, message), _) = with_annotations(mutate, &json!({"k": value}));
            assert_eq!(status, RuleStatus::Error, "{mutate} {key}: {message}");
            assert!(message.contains("came from a variable"), "{message}");
        }
    }
}

#[test]
fn what_elements_make_too_large_is_a_failure() {
    let foreach = r#"{foreach: [{list: "['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']", patchStrategicMerge:
        {metadata: {annotations: {"{{ element }}": "{{ request.object.metadata.annotations.k }}"}}}}]}"#;
    let ((status, message), _) = with_annotations(foreach, &json!({"k": "a".repeat(1_000)}));
    assert_eq!(status, RuleStatus::Pass, "{message}");
    let ((status, message), stored) =
        with_annotations(foreach, &json!({"k": "a".repeat(1_000_000)}));
    assert_eq!(status, RuleStatus::Fail, "{message}");
    assert!(message.contains("larger than"), "{message}");
    assert_eq!(stored, None);
}
