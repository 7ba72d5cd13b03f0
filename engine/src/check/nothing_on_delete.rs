//! What it checks: in a rule that asks for DELETE by name, lists of `foreach` and `jmesPath`s of a `context` do not look at
//! `request.object` alone.
//!
//! Why: on DELETE there is no new object. In a variable `request.object` then means the old one; in these expressions it
//! does not, in Kyverno neither. The list is empty, and the deletion that the rule is there to refuse is let through.
//!
//! Example:
//!
//! ```yaml
//! - name: keeps-its-volumes
//!   match: {any: [{resources: {kinds: [Pod], operations: [CREATE, DELETE]}}]}
//!   validate:
//!     foreach:
//!       - list: request.object.spec.volumes
//!         deny: {conditions: {all: [{key: "{{ element.name }}", operator: Equals, value: keep}]}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: keeps-its-volumes
//!   match: {any: [{resources: {kinds: [Pod], operations: [CREATE, DELETE]}}]}
//!   validate:
//!     foreach:
//!       - list: request.object.spec.volumes || request.oldObject.spec.volumes
//!         deny: {conditions: {all: [{key: "{{ element.name }}", operator: Equals, value: keep}]}}
//! ```

use crate::admission::Operation;
use crate::ast::Rule;
use crate::diagnostic::Code;

use super::expressions::names;
use super::{Report, for_each_expression_text};

const OBJECT: &str = "request.object";
const OLD_OBJECT: &str = "request.oldObject";

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules().filter(|rule| asks_for_delete(rule)) {
        for_each_expression_text(rule, &mut |text| {
            if names(&text.raw, OBJECT) && !names(&text.raw, OLD_OBJECT) {
                found.push(text.span);
            }
        });
    }
    for span in found {
        let message = "`request.object` is nothing here on DELETE";
        let diagnostic = report.warning(Code::NothingOnDelete, span, message);
        report
            .add(diagnostic.help(
                "look at `request.oldObject` too: `request.object.A || request.oldObject.A`",
            ));
    }
}

/// Whether a filter of `match` names DELETE. A rule that names no operation is rarely meant for it.
fn asks_for_delete(rule: &Rule) -> bool {
    let filters = rule.matches.filters.iter();
    let resources = filters.filter_map(|filter| filter.resources.as_ref());
    let mut operations = resources.flat_map(|resources| &resources.operations);
    operations.any(|operation| operation.value == Operation::Delete)
}
