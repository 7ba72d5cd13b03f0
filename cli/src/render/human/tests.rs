use expect_test::expect;
use regent_engine::diagnostic::{Code, Diagnostic, Fault, Label, Severity};
use regent_engine::source::{Source, Span};

use super::{Style, line, printable, render};
use crate::io::Colours;

const PLAIN: Style = Style {
    colours: Colours::Off,
    width: 80,
};

fn unknown_field() -> Diagnostic {
    Diagnostic {
        code: Code::UnknownField,
        severity: Severity::Error,
        fault: Fault::default(),
        message: "unknown field `patern`".to_owned(),
        source: Source::new("policy.yaml", "validate:\n  message: no\n  patern: {}\n"),
        labels: vec![
            Label {
                span: Span::new(26, 32),
                text: "not a field of `validate`".to_owned(),
            },
            Label {
                span: Span::new(0, 8),
                text: "in this rule".to_owned(),
            },
        ],
        help: Some("did you mean `pattern`?".to_owned()),
    }
}

#[test]
fn a_diagnostic_shows_its_lines_and_its_help() {
    expect![[r#"
        unknown-field

          × unknown field `patern`
           ╭─[policy.yaml:3:3]
         1 │ validate:
           · ────┬───
           ·     ╰── in this rule
         2 │   message: no
         3 │   patern: {}
           ·   ───┬──
           ·      ╰── not a field of `validate`
           ╰────
          help: did you mean `pattern`?
    "#]]
    .assert_eq(&render(&unknown_field(), PLAIN));
}

#[test]
fn a_diagnostic_without_a_place_is_a_message() {
    let mut diagnostic = unknown_field();
    diagnostic.labels.clear();
    diagnostic.severity = Severity::Warning;
    expect![[r#"
        unknown-field

          ⚠ unknown field `patern`
          help: did you mean `pattern`?
    "#]]
    .assert_eq(&render(&diagnostic, PLAIN));
}

#[test]
fn a_place_outside_of_the_text_is_no_panic() {
    let mut diagnostic = unknown_field();
    diagnostic.labels = vec![Label {
        span: Span::new(9_000, 4),
        text: String::new(),
    }];
    assert!(render(&diagnostic, PLAIN).contains("unknown field"));
}

#[test]
fn one_line_names_file_and_place() {
    assert_eq!(
        line(&unknown_field()),
        "policy.yaml:3:3: error[unknown-field]: unknown field `patern`"
    );
}

#[test]
fn terminal_escapes_are_made_harmless_and_keep_their_length() {
    assert_eq!(printable("a\u{1b}[31m\u{9b}é\n"), "a?[31m??é\n");
}
