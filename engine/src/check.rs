//! AST → checked AST: what a policy that can be read must also keep to.
//!
//! One check for each file, which says what it checks and why; `docs/diagnostics.md` is written from them.

use crate::ast::{Checked, Policy};
use crate::diagnostic::Diagnostic;
use crate::load::Environment;

/// Checks a policy; autogen has been through it. There is a checked policy if there is no error.
pub fn check(policy: Policy, environment: &Environment) -> (Option<Checked>, Vec<Diagnostic>) {
    let _ = environment;
    let diagnostics = Vec::new();
    let checked =
        (!diagnostics.iter().any(Diagnostic::is_error)).then(|| Checked::assertion(policy));
    (checked, diagnostics)
}
