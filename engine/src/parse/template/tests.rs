use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

fn check(raw: &str, expected: &Expect) {
    let source = Source::new("test", raw);
    let (text, problem) = take_apart(raw, Span::new(0, raw.len()), &source);
    let mut out = String::new();
    for part in &text.parts {
        match part {
            Part::Literal(literal) => writeln!(out, "{literal:?}").unwrap(),
            Part::Variable(Variable {
                span,
                expression,
                inner,
                shallow,
                ..
            }) => {
                let inner: Vec<_> = inner
                    .iter()
                    .map(|one| raw.get(one.span.start..one.span.end).unwrap())
                    .collect();
                let inner = if inner.is_empty() {
                    String::new()
                } else {
                    format!(" inner: {inner:?}")
                };
                writeln!(
                    out,
                    "{}..{} <{expression}> shallow: {shallow}{inner}",
                    span.start, span.end
                )
                .unwrap();
            }
        }
    }
    if let Some(problem) = problem {
        writeln!(out, "{problem:?}").unwrap();
    }
    expected.assert_eq(&out);
}

#[test]
fn variables_and_literals() {
    check("", &expect![[""]]);
    check(
        "plain",
        &expect![[r#"
        "plain"
    "#]],
    );
    check(
        "{{ a.b || 'c' }}",
        &expect![[r#"
            0..16 <a.b || 'c'> shallow: false
        "#]],
    );
    check(
        "a {{b}} c {{- d }}",
        &expect![[r#"
            "a "
            2..7 <b> shallow: false
            " c "
            10..18 <d> shallow: true
        "#]],
    );
    check(
        "{{ {x: a, y: b} }}{{{x: a}}}",
        &expect![[r#"
            0..18 <{x: a, y: b}> shallow: false
            18..28 <{x: a}> shallow: false
        "#]],
    );
}

#[test]
fn escapes() {
    check(
        r"a \{{ b }} {{ c }}",
        &expect![[r#"
            "a {{ b }} "
            11..18 <c> shallow: false
        "#]],
    );
    check(
        r"a \{{ b",
        &expect![[r#"
        "a \\{{ b"
        Open(Span { start: 3, end: 5 })
    "#]],
    );
}

#[test]
fn problems() {
    check(
        "{{ a.{{ b }} }}",
        &expect![[r#"
            0..15 <a.{{ b }}> shallow: false inner: ["{{ b }}"]
        "#]],
    );
    check(
        "a {{ b",
        &expect![[r#"
        "a {{ b"
        Open(Span { start: 2, end: 4 })
    "#]],
    );
    check(
        "{{ }}",
        &expect![[r#"
            0..5 <> shallow: false
            Empty(Span { start: 0, end: 5 })
        "#]],
    );
}

#[test]
fn variables_in_maps_of_an_expression() {
    check(
        "{{ {a: '{{b}}', {{c}}: {{ {d: {{e}}} }}} }}x",
        &expect![[r#"
            0..43 <{a: '{{b}}', {{c}}: {{ {d: {{e}}} }}}> shallow: false inner: ["{{b}}", "{{c}}", "{{ {d: {{e}}} }}"]
            "x"
        "#]],
    );
    check(
        "{{ {{{a}}: 1} }}",
        &expect![[r#"
            0..16 <{{{a}}: 1}> shallow: false inner: ["{{a}}"]
        "#]],
    );
    // A map in a map is no variable in Kyverno, and refused here.
    check(
        "{{ {a: {b: '{{c}}'}} }}",
        &expect![[r#"
            "{{ {a: {b: '"
            12..17 <c> shallow: false
            "'}} }}"
            Open(Span { start: 0, end: 2 })
        "#]],
    );
}

/// Deeper than they are resolved, variables in variables are an error; and no text is deeper than the stack.
#[test]
fn variables_nested_deeper_than_any_is_resolved_are_refused() {
    let raw = format!("{}x{}", "{{".repeat(100_000), "}}".repeat(100_000));
    let source = Source::new("test", raw.as_str());
    let (text, problem) = take_apart(&raw, Span::new(0, raw.len()), &source);
    assert!(matches!(problem, Some(Problem::Open(_))));
    let mut depth = 0;
    let mut inner = match text.parts.as_slice() {
        [Part::Literal(_), Part::Variable(variable), Part::Literal(_)] => Some(variable),
        _ => None,
    };
    while let Some(variable) = inner {
        depth += 1;
        inner = variable.inner.first();
    }
    assert_eq!(depth, limits::VARIABLE_NESTING);
}
