//! What Go's reader of YAML says of a text that is none.
//!
//! Both readers follow libyaml, and mostly stumble over the same; what they say is put into the other's words. Whether a
//! text is YAML is decided elsewhere.

use crate::diagnostic::Diagnostic;

/// What Go says where it finds out by the grammar; it counts lines otherwise there.
const OF_THE_GRAMMAR: [&str; 6] = [
    "did not find expected node content",
    "did not find expected '-' indicator",
    "did not find expected ',' or ']'",
    "did not find expected ',' or '}'",
    "did not find expected key",
    "did not find expected <document start>",
];

/// The reason why a text is no YAML, as `sigs.k8s.io/yaml` gives it.
pub(crate) fn complaint(text: &str, diagnostic: &Diagnostic) -> String {
    let Some(reason) = diagnostic.message.strip_prefix("this is not YAML: ") else {
        return format!("yaml: {}", diagnostic.message);
    };
    let at = diagnostic
        .labels
        .first()
        .map_or(0, |label| label.span.start);
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    let reason = match reason.split_once(", ") {
        Some((context, reason)) if context.starts_with("while ") => reason,
        _ => reason,
    };
    let reason = match reason {
        "found unknown anchor" => {
            let name: String = rest
                .chars()
                .skip_while(|character| *character == '*')
                .take_while(|character| {
                    character.is_ascii_alphanumeric() || "_-".contains(*character)
                })
                .collect();
            return format!("yaml: unknown anchor '{name}' referenced");
        }
        "expected ',' or ']'" => "did not find expected ',' or ']'",
        "misplaced bracket" => "did not find expected node content",
        "tabs disallowed within this context (block indentation)" => {
            "found character that cannot start any token"
        }
        "invalid trailing content after double-quoted scalar" => "did not find expected key",
        other if other.starts_with("unexpected character: ") => {
            "found character that cannot start any token"
        }
        other => other,
    };
    let mut line = before.matches('\n').count();
    if OF_THE_GRAMMAR.contains(&reason) {
        // The end of the text is a line of its own.
        line += usize::from(rest.is_empty() && !before.ends_with('\n'));
    } else if line > 0 {
        line += 1;
    }
    match line {
        0 => format!("yaml: {reason}"),
        line => format!("yaml: line {line}: {reason}"),
    }
}
