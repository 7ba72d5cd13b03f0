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

/// A wildcard in a key of labels or annotations stands for every key that it matches: whoever writes them cannot choose
/// which of them is looked at. A condition holds where it does of one.
#[test]
fn every_key_that_a_wildcard_matches_is_looked_at() {
    let with = |anchored: &str, rest: &str| {
        format!(
            r#"{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: p}},
            spec: {{validationFailureAction: Enforce, rules: [{{name: r,
            match: {{any: [{{resources: {{kinds: [Pod]}}}}]}},
            validate: {{message: m, pattern: {{metadata: {{labels: {{"{anchored}": {rest}}}}}}}}}}}]}}}}"#
        )
    };
    let (pass, fail, skip) = (RuleStatus::Pass, RuleStatus::Fail, RuleStatus::Skip);
    let none = json!({"other": "x"});
    let good = json!({"a/1": "good", "a/2": "good", "other": "x"});
    let last = json!({"a/1": "good", "a/2": "bad"});
    let first = json!({"a/1": "bad", "a/2": "good"});
    let bad = json!({"a/1": "bad", "a/2": "bad"});
    let cases = [
        ("a/*", "good", [fail, pass, fail, fail, fail]),
        ("a/*", "'*'", [fail, pass, pass, pass, pass]),
        ("=(a/*)", "good", [pass, pass, fail, fail, fail]),
        ("X(a/*)", "good", [pass, fail, fail, fail, fail]),
        ("(a/*)", "good", [skip, pass, pass, pass, skip]),
        ("<(a/*)", "good", [pass, pass, pass, pass, skip]),
        ("^(a/*)", "[{b: c}]", [pass, fail, fail, fail, fail]),
        (
            "a/{{ request.object.kind }}*",
            "good",
            [fail, fail, fail, fail, fail],
        ),
        (
            "=(a/*)",
            "\"{{ request.object.spec.containers[0].image }}\"",
            [pass, pass, fail, fail, fail],
        ),
        (
            "(a/*)",
            "\"{{ request.object.spec.containers[0].image }}\"",
            [skip, pass, pass, pass, skip],
        ),
        (
            "=({{ request.object.spec.containers[0].name }}/*)",
            "good",
            [pass, pass, fail, fail, fail],
        ),
        (
            "<({{ request.object.spec.containers[0].name }}/*)",
            "good",
            [pass, pass, pass, pass, skip],
        ),
    ];
    for (key, value, expected) in cases {
        let set = set(&with(key, value));
        let labels = [&none, &good, &last, &first, &bad];
        for (labels, expected) in labels.into_iter().zip(expected) {
            let mut pod = pod("good");
            let object = object_of(&mut pod);
            object["metadata"]["labels"] = labels.clone();
            object["spec"]["containers"][0]["name"] = json!("a");
            let (_, rules) = evaluate(&set, &pod, Phase::Validate, &no_facts);
            let errs = (key.starts_with('(') || key.starts_with('^')) && expected == fail;
            let expected = if errs { RuleStatus::Error } else { expected };
            assert_eq!(
                rules[0].0, expected,
                "{key}: {value} of {labels}: {rules:?}"
            );
            let mut traced = set
                .evaluate(Arc::new(pod), Phase::Validate, Scope::All, NOW)
                .tracing();
            assert!(matches!(traced.step(), Step::Done(_)));
            for trace in traced.take_traces() {
                assert!(trace.disagreements.is_empty(), "{key}: {trace:?}");
            }
        }
    }
}

/// A list of conditions may be longer than a program has registers; each is looked at, and the first that decides does.
#[test]
fn long_lists_of_conditions_are_judged_whole() {
    let policy = |kind: &str, many: usize, preconditions: &str| {
        let conditions: Vec<_> = (0..many)
            .map(|index| {
                let key = format!("{{{{ request.object.data.k{index} || 'none' }}}}");
                json!({"key": key, "operator": "Equals", "value": "bad"})
            })
            .collect();
        let policy = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "p"},
            "spec": {"validationFailureAction": "Enforce", "rules": [{"name": "r",
                "match": {"any": [{"resources": {"kinds": ["ConfigMap"]}}]},
                "preconditions": {preconditions: conditions},
                "validate": {"message": "m", "deny": {"conditions": {kind: conditions}}}}]}});
        policy.to_string()
    };
    let status = |policy: &str, bad: &[usize]| {
        let data: serde_json::Map<_, _> = bad
            .iter()
            .map(|index| (format!("k{index}"), json!("bad")))
            .collect();
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "production"}, "data": data});
        let of = request("ConfigMap", object);
        let (_, rules) = evaluate(&set(policy), &of, Phase::Validate, &no_facts);
        rules.first().map(|(status, _)| *status)
    };
    for many in [300, 600] {
        let any = policy("any", many, "any");
        assert_eq!(status(&any, &[]), Some(RuleStatus::Skip));
        assert_eq!(status(&any, &[many - 1]), Some(RuleStatus::Fail));
        let all = policy("all", many, "any");
        let each: Vec<_> = (0..many).collect();
        assert_eq!(status(&all, &each), Some(RuleStatus::Fail));
        assert_eq!(status(&all, &each[1..]), Some(RuleStatus::Pass));
    }
}
