use serde_json::{Value, json};

use super::{Deletion, Resolution, Template, Text};
use crate::ast::template as ast;
use crate::jmespath::Environment;
use crate::source::Span;

const NOWHERE: Span = Span::new(0, 0);
const ENVIRONMENT: Environment = Environment {
    seconds: 0,
    nanoseconds: 0,
    seed: 0,
};

fn text(raw: &str) -> ast::Text {
    ast::Text {
        span: NOWHERE,
        raw: raw.to_owned(),
        parts: Vec::new(),
    }
}

fn written(value: &Value) -> ast::Template {
    let value = match value {
        Value::Null => ast::TemplateValue::Null,
        Value::Bool(flag) => ast::TemplateValue::Bool(*flag),
        Value::Number(number) => ast::TemplateValue::Number(number.clone()),
        Value::String(raw) => ast::TemplateValue::Text(text(raw)),
        Value::Array(items) => ast::TemplateValue::List(items.iter().map(written).collect()),
        Value::Object(fields) => ast::TemplateValue::Map(
            fields
                .iter()
                .map(|(key, value)| (text(key), written(value)))
                .collect(),
        ),
    };
    ast::Template {
        span: NOWHERE,
        value,
    }
}

fn resolve_on(deletion: Deletion, template: &Value) -> Result<Value, String> {
    let scope = json!({
        "request": {
            "object": {"name": "web", "n": 5, "evil": "{{ request.object.name }}", "none": null, "spec": {"c": [{"image": "i"}]},
                "breakout": "a', 'c') || request.object.name || join('x", "key": "x\" || request.object.\"name", "named": "n"},
            "oldObject": {"name": "old", "text": "my request.object"},
        },
        "element": "name",
    });
    let (template, _errors) = Template::compile(&written(template));
    let with = Resolution {
        scope: &scope,
        environment: &ENVIRONMENT,
        deletion,
        here: &["request", "object"],
    };
    let value = template.resolve(&with).map(std::borrow::Cow::into_owned);
    value.map_err(|error| error.to_string())
}

fn check(cases: &[(Value, Value)]) {
    for (template, expected) in cases {
        assert_eq!(
            resolve_on(Deletion::Keep, template).as_ref(),
            Ok(expected),
            "{template}"
        );
    }
}

#[test]
fn variables_are_substituted() {
    check(&[
        (json!("{{request.object.n}}"), json!(5)),
        (
            json!("a {{ request.object.n }} {{- request.object.name }}"),
            json!("a 5 web"),
        ),
        (
            json!("{{ request.object.spec }}!"),
            json!("{\"c\":[{\"image\":\"i\"}]}!"),
        ),
        (json!("{{ {a: request.object.n} }}"), json!({"a": 5})),
        (
            json!({"k-{{element}}": ["{{element}}", 1, null]}),
            json!({"k-name": ["name", 1, null]}),
        ),
        (
            json!({"{{request.object.none}}": 1}),
            json!({"{{request.object.none}}": 1}),
        ),
        (json!("{{ request.object.{{ element }} }}"), json!("web")),
        (json!("x{{ request.object.{{element}} }}"), json!("xweb")),
        (
            json!("\\{{ request.object.n }}"),
            json!("{{ request.object.n }}"),
        ),
        (json!("\\{{ {{ element }} }}"), json!("{{ name }}")),
        (json!("{{ unclosed"), json!("{{ unclosed")),
        (json!("{{{ x"), json!("{{{ x")),
        (
            json!({"spec": {"(c)": [{"image": "{{@}}:1"}]}}),
            json!({"spec": {"(c)": [{"image": "i:1"}]}}),
        ),
        (
            json!({"spec": {"=(c)": [{"image": "{{ to_upper(@) }}"}]}}),
            json!({"spec": {"=(c)": [{"image": "I"}]}}),
        ),
        (
            json!({"spec": "{{ @.c[0].image }}-{{ length(@.c) }}"}),
            json!({"spec": "i-1"}),
        ),
        (
            json!({"spec": {"c": "{{ @[?@.image == 'i'].image | @[0] }}"}}),
            json!({"spec": {"c": "i"}}),
        ),
        (
            json!({"n": "{{ add(@, request.object.n) }}"}),
            json!({"n": 10}),
        ),
        // What is not there is null where an unknown key is.
        (json!({"none": "{{ @ || 'x' }}"}), json!({"none": "x"})),
        (
            json!({"spec": "{{ @.{{ element }} || 'x' }}"}),
            json!({"spec": "x"}),
        ),
    ]);
}

#[test]
fn results_are_data() {
    check(&[
        (
            json!("{{ request.object.evil }}"),
            json!("{{ request.object.name }}"),
        ),
        (
            json!("x {{ request.object.evil }}"),
            json!("x {{ request.object.name }}"),
        ),
    ]);
}

#[test]
fn a_value_inside_of_a_variable_stays_within_its_token() {
    check(&[
        (
            json!("{{ regex_replace_all('^a', '{{ request.object.breakout }}', 'b') }}"),
            json!("b', 'c') || request.object.name || join('x"),
        ),
        (
            json!("{{ request.object.\"{{ request.object.key }}\" || 'no' }}"),
            json!("no"),
        ),
        (
            json!("{{ request.object.{{ request.object.named }} }}"),
            json!(5),
        ),
    ]);
    let unquoted = resolve_on(
        Deletion::Keep,
        &json!({"a": "{{ request.object.{{ request.object.breakout }} }}"}),
    );
    let unquoted = unquoted.unwrap_err();
    assert!(
        unquoted.starts_with(
            "failed to resolve request.object.{{request.object.breakout}} at path /a: the text "
        ) && unquoted.ends_with("where only a name, a path or a number can be put in"),
        "{unquoted}"
    );
}

#[test]
fn on_delete_a_value_is_not_rewritten() {
    assert_eq!(
        resolve_on(
            Deletion::Delete,
            &json!("{{ join(' ', ['{{ request.object.text }}', request.object.name]) }}")
        ),
        Ok(json!("my request.object old"))
    );
}

#[test]
fn failures_say_where() {
    for (template, expected) in [
        (
            json!({"a": ["{{ request.object.zip }}"]}),
            "failed to resolve request.object.zip at path /a/0: JMESPath query failed: Unknown key \"zip\" in path",
        ),
        (
            json!("{{ a. }}"),
            "failed to resolve a. at path : incorrect query a.: SyntaxError: Expected identifier, lbracket, or lbrace",
        ),
        (
            json!("{{ }}"),
            "failed to resolve  at path : invalid query (nil)",
        ),
        (
            json!({"zip": {"zap": "{{ to_upper(@) }}{{ @.a }}"}}),
            "failed to resolve to_upper(@) at path /zip/zap: JMESPath query failed: Invalid type for: <nil>, expected: []jmespath.JpType{\"string\"}",
        ),
        (
            json!({"zip": ["{{ @.a }}"]}),
            "failed to resolve @.a at path /zip/0: JMESPath query failed: Unknown key \"zip\" in path",
        ),
        (
            json!({"spec": "{{ @.a }}"}),
            "failed to resolve @.a at path /spec: JMESPath query failed: Unknown key \"a\" in path",
        ),
        (
            json!({"{{request.object.n}}": 1}),
            "expected string after substituting variables in key \"{{request.object.n}}\"",
        ),
    ] {
        assert_eq!(
            resolve_on(Deletion::Keep, &template),
            Err(expected.to_owned())
        );
    }
}

/// An address with `VALUE` at each `{{ value }}`.
fn address(written: &str, value: &Value) -> Result<String, String> {
    let scope = json!({ "value": value });
    let with = Resolution {
        scope: &scope,
        environment: &ENVIRONMENT,
        deletion: Deletion::Keep,
        here: &[],
    };
    let (template, _errors) = Text::compile(&text(written));
    template
        .resolve_address(&with)
        .map_err(|error| error.to_string())
}

#[test]
fn a_value_stays_within_its_part_of_an_address() {
    let good = [
        ("/api/v1/namespaces/{{ value }}/pods", json!("a-b.c")),
        (
            "/apis/{{ value }}/namespaces/x/deployments",
            json!("apps/v1"),
        ),
        ("{{ value }}", json!("/api/v1/namespaces?limit=5")),
        ("{{ value }}/pods", json!("/api/v1/namespaces/a")),
        ("/api/v1/pods?limit={{ value }}", json!(5)),
        ("/api/v1/pods?labelSelector={{ value }}", json!("a=b,c=d/e")),
        ("https://{{ value }}.example.com/x", json!("a-b")),
        (
            "https://example.com/check?image={{ value }}",
            json!("ghcr.io/a/b:c@sha256:d"),
        ),
    ];
    for (written, value) in good {
        let plain = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let expected = written.replace("{{ value }}", &plain);
        assert_eq!(address(written, &value), Ok(expected));
    }
    let bad = [
        (
            "/api/v1/namespaces/{{ value }}/configmaps/allowed",
            "attacker/configmaps/mine?x=",
        ),
        (
            "/api/v1/namespaces/{{ value }}/configmaps/allowed",
            "attacker/configmaps/mine#",
        ),
        ("/api/v1/namespaces/{{ value }}", "a?watch=1"),
        (
            "/apis/{{ value }}/namespaces/x/deployments",
            "apps/v1/namespaces/y/deployments/mine?x=",
        ),
        ("/apis/x/{{ value }}", "apps/v1"),
        ("/api/v1/pods?limit={{ value }}", "5&labelSelector=a"),
        ("https://{{ value }}.example.com/x", "evil.io/"),
        ("https://{{ value }}.example.com/x", "evil.io:443"),
        ("https://user{{ value }}.example.com/x", "@evil.io"),
        ("https://example.com/{{ value }}", "../admin"),
        ("https://example.com/{{ value }}", "a?admin=1"),
        ("https://example.com/{{ value }}", "..\\admin"),
    ];
    for (written, value) in bad {
        let refused = address(written, &json!(value));
        assert!(
            refused
                .as_ref()
                .is_err_and(|error| error.contains("would end its part of the address")),
            "{written}: {refused:?}"
        );
    }
}

#[test]
fn on_delete_the_old_object_is_read() {
    assert_eq!(
        resolve_on(Deletion::Delete, &json!("{{ request.object.name }}")),
        Ok(json!("old"))
    );
    assert_eq!(
        resolve_on(Deletion::Delete, &json!("{{ request.object.{{element}} }}")),
        Ok(json!("old"))
    );
    assert_eq!(
        resolve_on(Deletion::Delete, &json!("{{ request.object.zip }}")),
        Err("failed to resolve request.oldObject.zip at path : JMESPath query failed: Unknown key \"zip\" in path".to_owned()),
    );
}

/// Kyverno resolves what is innermost first, so that the map around it holds no braces by then.
#[test]
fn variables_in_a_map_of_the_expression_are_resolved_first() {
    check(&[
        (
            json!("{{ {a: '{{request.object.name}}', b: `{{request.object.n}}`} }}"),
            json!({"a": "web", "b": 5}),
        ),
        (
            json!("{{ {{{element}}: request.object.{{element}}}.name }} {{{ {{element}}: `1`}}}"),
            json!("web {\"name\":1}"),
        ),
        (
            json!("{{ request.object.spec.c[].{x: image, y: '{{ request.object.evil }}'} }}"),
            json!([{"x": "i", "y": "{{ request.object.name }}"}]),
        ),
    ]);
    let breakout = json!("{{ {a: {{request.object.breakout}}} }}");
    let refused = resolve_on(Deletion::Keep, &breakout).unwrap_err();
    assert!(refused.contains("stands outside of quotes"), "{refused}");
}

#[test]
fn deep_nesting_ends() {
    // The outermost braces are text, and what is left inside of them is no expression.
    let deep = "{{".repeat(1_000) + &"}}".repeat(1_000);
    let result = resolve_on(Deletion::Keep, &json!(deep));
    assert!(result.is_err(), "{result:?}");
}
