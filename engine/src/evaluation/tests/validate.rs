//! `validate` as a whole, where a construct has no test of its own beside its code.

use super::*;

/// References are replaced before anything is compiled: a rule for pods and those of autogen mean the same by them.
#[test]
fn references_stand_for_what_the_pattern_says_there() {
    let policy = r#"{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: p},
        spec: {validationFailureAction: Enforce, rules: [{name: r,
            match: {any: [{resources: {kinds: [Pod]}}]},
            validate: {pattern: {spec: {containers: [{
                name: "a-*",
                resources: {
                    =(requests): {memory: "$(<=./../../limits/memory)"},
                    limits: {memory: 2Gi},
                },
                image: "$(/spec/containers/0/name)/$(./../name)",
            }]}}}}]}}"#;
    let container = |memory: &str, image: &str| {
        json!({"containers": [{"name": "a-1", "image": image,
            "resources": {"requests": {"memory": memory}, "limits": {"memory": "2Gi"}}}]})
    };
    let set = set(policy);
    let cases = [
        (container("1Gi", "a-x/a-y"), RuleStatus::Pass),
        (container("3Gi", "a-x/a-y"), RuleStatus::Fail),
        (container("1Gi", "b-x/a-y"), RuleStatus::Fail),
    ];
    for (spec, expected) in cases {
        let metadata = json!({"name": "web", "namespace": "production"});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        let of_template = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"template": {"spec": spec}}});
        for (kind, object) in [("Pod", pod), ("Deployment", of_template)] {
            let (_, rules) = evaluate(&set, &request(kind, object), Phase::Validate, &no_facts);
            let statuses: Vec<_> = rules.iter().map(|(status, _)| *status).collect();
            assert_eq!(statuses, [expected], "{rules:?}");
        }
    }
}

/// A path that leads to nothing and one that leads nowhere are the same to a default; without one both are errors.
#[test]
fn a_default_stands_for_null() {
    let policy = |default: &str| {
        format!(
            r#"{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: p}}, spec: {{rules: [{{name: r,
                match: {{any: [{{resources: {{kinds: [ConfigMap]}}}}]}},
                context: [{{name: found, variable: {{jmesPath: request.object.data.key{default}}}}}],
                validate: {{message: "it is {{{{ found }}}}",
                    deny: {{conditions: {{any: [{{key: "{{{{ found }}}}", operator: Equals, value: 9}}]}}}}}}}}]}}}}"#
        )
    };
    let answer = |default: &str, data: Value| {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "production"}, "data": data});
        let set = set(&policy(default));
        let (_, rules) = evaluate(
            &set,
            &request("ConfigMap", object),
            Phase::Validate,
            &no_facts,
        );
        rules
    };
    let nine = vec![(RuleStatus::Fail, "it is 9".to_owned())];
    for data in [json!({"key": null}), json!({}), json!("text")] {
        assert_eq!(answer(", default: 9", data.clone()), nine);
        let without = answer("", data);
        assert_eq!(without[0].0, RuleStatus::Error, "{without:?}");
    }
}
