//! What it checks: ordering and duration operators are written in their exact case.
//!
//! Why: Kyverno finds an operator in any case, and then compares these in their exact case only: `greaterthan` is accepted
//! and never holds.
//!
//! Example:
//!
//! ```yaml
//! - name: few-replicas
//!   match: {any: [{resources: {kinds: [Deployment]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         all: [{key: "{{ request.object.spec.replicas }}", operator: greaterthan, value: 10}]
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: few-replicas
//!   match: {any: [{resources: {kinds: [Deployment]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         all: [{key: "{{ request.object.spec.replicas }}", operator: GreaterThan, value: 10}]
//! ```

use crate::ast::condition::Operator;
use crate::diagnostic::Code;

use super::{Report, for_each_condition};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        for_each_condition(rule, &mut |_, condition| {
            let name = &condition.operator.value;
            if !name.exact && orders(name.operator) {
                found.push((condition.operator.span, name.operator.name()));
            }
        });
    }
    for (span, name) in found {
        let message = "an operator in this case never holds";
        let diagnostic = report.warning(Code::OperatorCase, span, message);
        report.add(diagnostic.help(format!("write `{name}`")));
    }
}

fn orders(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::GreaterThan
            | Operator::GreaterThanOrEquals
            | Operator::LessThan
            | Operator::LessThanOrEquals
            | Operator::DurationGreaterThan
            | Operator::DurationGreaterThanOrEquals
            | Operator::DurationLessThan
            | Operator::DurationLessThanOrEquals
    )
}
