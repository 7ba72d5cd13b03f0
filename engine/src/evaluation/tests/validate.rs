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
