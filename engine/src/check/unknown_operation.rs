//! What it checks: `{{ request.operation }}` is compared with operations that there are.
//!
//! Why: a request's operation is `CREATE`, `UPDATE`, `DELETE` or `CONNECT`, in upper case; a comparison with anything else
//! is decided before the request is seen.
//!
//! Example:
//!
//! ```yaml
//! - name: no-deletion
//!   match: {any: [{resources: {kinds: [Namespace]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         all: [{key: "{{ request.operation }}", operator: Equals, value: delete}]
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: no-deletion
//!   match: {any: [{resources: {kinds: [Namespace]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         all: [{key: "{{ request.operation }}", operator: Equals, value: DELETE}]
//! ```

use crate::ast::condition::Condition;
use crate::ast::template::{Template, TemplateValue};
use crate::diagnostic::Code;
use crate::source::Span;

use super::{Report, for_each_condition};

const OPERATIONS: [&str; 4] = ["CREATE", "UPDATE", "DELETE", "CONNECT"];

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        for_each_condition(rule, &mut |_, condition| {
            if is_operation(condition) {
                unknown(&condition.value, &mut found);
            }
        });
    }
    for (span, value) in found {
        let message = format!("no request has the operation `{value}`");
        let diagnostic = report.error(Code::UnknownOperation, span, message);
        report.add(diagnostic.help(format!("the operations are {}", OPERATIONS.join(", "))));
    }
}

fn is_operation(condition: &Condition) -> bool {
    let TemplateValue::Text(key) = &condition.key.value else {
        return false;
    };
    let variable = key.whole_variable();
    variable.is_some_and(|variable| variable.expression == "request.operation")
}

fn unknown(value: &Template, found: &mut Vec<(Span, String)>) {
    match &value.value {
        TemplateValue::Text(text) => {
            let literal = text
                .literal()
                .filter(|literal| !OPERATIONS.contains(literal));
            found.extend(literal.map(|literal| (value.span, literal.to_owned())));
        }
        TemplateValue::List(items) => {
            for item in items {
                unknown(item, found);
            }
        }
        TemplateValue::Null => found.push((value.span, "null".to_owned())),
        TemplateValue::Bool(flag) => found.push((value.span, flag.to_string())),
        TemplateValue::Number(number) => found.push((value.span, number.to_string())),
        TemplateValue::Map(_) => found.push((value.span, "{}".to_owned())),
    }
}
