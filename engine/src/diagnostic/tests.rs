use super::{Code, Diagnostic};
use crate::source::{Source, Span};

#[test]
fn what_a_message_repeats_of_a_text_of_several_lines_stands_on_one() {
    let source = Source::new("policy.yaml", "");
    let text = "`a ||\n    b\r\n  | c\u{7}` is no expression";
    let diagnostic = Diagnostic::error(Code::InvalidExpression, &source, Span::new(0, 0), text);
    assert_eq!(diagnostic.message, "`a || b | c ` is no expression");
}
