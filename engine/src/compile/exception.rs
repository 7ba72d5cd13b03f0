//! A `PolicyException`, or what a `BreakGlass` has of one, as Rego: `selected` says whether it is about a request,
//! `conditions` whether these hold.

use std::sync::Arc;

use crate::ast::break_glass::BreakGlass;
use crate::ast::exception::PolicyException;
use crate::diagnostic::Diagnostic;
use crate::program;
use crate::rego::evaluate::RegoError;
use crate::rego::module::{Expression, Rule};

use super::scope::Scope;
use super::{condition, matching};

/// Compiles a `BreakGlass` that was checked.
pub fn break_glass(written: &Arc<BreakGlass>) -> Result<program::BreakGlass, Diagnostic> {
    Ok(program::BreakGlass {
        exception: exception(&written.exception)?,
        ast: Arc::clone(written),
    })
}

/// Compiles an exception that was checked.
pub fn exception(exception: &Arc<PolicyException>) -> Result<program::Exception, Diagnostic> {
    compile(exception).map_err(|error| super::internal(&exception.source, exception.span, &error))
}

fn compile(written: &Arc<PolicyException>) -> Result<program::Exception, RegoError> {
    let mut scope = Scope::default();
    matching::compile_exception(&mut scope, &written.matches);
    if let Some(conditions) = &written.conditions {
        condition::compile(&mut scope, "conditions", conditions);
        scope.rules.extend(condition::prelude());
    } else {
        let always = Rule::value("conditions", Expression::text("true"), Vec::new());
        scope.rules.push(always);
    }
    let slots = std::mem::take(&mut scope.slots);
    let package = ["regent", "exceptions", &super::word(&written.key())];
    let filters = &written.matches.filters;
    Ok(program::Exception {
        key: written.key(),
        needs_namespace_labels: filters.iter().any(super::selects_namespaces),
        needs_roles: filters.iter().any(super::selects_roles),
        program: super::assemble(
            &written.source,
            written.span,
            package.map(str::to_owned).to_vec(),
            &mut scope,
            &["selected", "conditions"],
        )?,
        slots,
        exclusions: written
            .pod_security
            .iter()
            .map(crate::ast::pod_security::ExcludedControl::exclusion)
            .collect(),
        ast: Arc::clone(written),
    })
}
