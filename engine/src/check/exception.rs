//! What an exception must keep to; the checks of policies, as far as they are about what it has too.

use crate::ast::condition::Conditions;
use crate::ast::exception::PolicyException;
use crate::diagnostic::{Code, Diagnostic};

use super::{invalid_exclusion, invalid_expression, unknown_kind};

/// Checks an exception. There is none to be run where there is an error.
pub fn exception(exception: &PolicyException) -> Vec<Diagnostic> {
    let source = &exception.source;
    let controls = exception.pod_security.iter();
    let mut found: Vec<_> = controls
        .flat_map(|control| invalid_exclusion::problems(source, control))
        .collect();
    found.extend(unknown_kind::problems(source, &exception.matches));
    let mut expressions = Vec::new();
    for condition in exception.conditions.iter().flat_map(Conditions::conditions) {
        let mut visit = |text| invalid_expression::in_text(text, &mut expressions);
        condition.key.for_each_text(&mut visit);
        condition.value.for_each_text(&mut visit);
    }
    found.extend(invalid_expression::diagnostics(source, expressions));
    if exception.background() {
        let mut filters = exception.matches.filters.iter();
        if let Some(filter) = filters.find(|filter| filter.names_users()) {
            // It is only a warning: where there is no user, the exception is about nothing.
            let message = "users are matched in an exception that also counts in the background";
            let code = Code::UserDataInBackground;
            let warning = Diagnostic::warning(code, source, filter.span, message);
            found.push(warning.help("set `spec.background: false`"));
        }
    }
    found
}
