//! `wasm` as Rego.
//!
//! What a module answers is a fact about a request, which the host puts into `input.wasm`: whether it answered, and whether
//! it accepts. What follows from it is here.

use std::sync::Arc;

use crate::ast;
use crate::ast::guest::{Changes, Guest};
use crate::builders::Builders;
use crate::program::guest as program;
use crate::rego::module::{Expression, Rule, Statement};
use crate::wasm::bounds::{self, Limits};

use super::scope::Scope;

/// Writes `verdict`.
pub(super) fn compile(scope: &mut Scope, written: &Guest) {
    let is = |field: &str, value: bool| {
        let field = Expression::path(&["input", "wasm", field]);
        Statement::Holds(field.equals(Expression::Bool(value)))
    };
    let verdicts = [
        ("pass", vec![is("answered", true), is("accepted", true)]),
        ("fail", vec![is("answered", true), is("accepted", false)]),
        ("error", vec![is("answered", false)]),
    ];
    for (text, body) in verdicts {
        let rule = Rule::value("verdict", Expression::text(text), body);
        scope.rules.push(rule.at(written.module.span));
    }
}

/// Who is asked.
pub(super) fn guest(
    (policy, rule): (&ast::Policy, &ast::Rule),
    builders: &Arc<Builders>,
    written: &Guest,
) -> Arc<program::Guest> {
    Arc::new(program::Guest {
        rule: (policy.key(), rule.name.value.clone()),
        source: policy.source.name.clone(),
        module: written.module.value.clone(),
        digest: written.digest.as_ref().map(|text| text.value.clone()),
        trust: program::ModuleTrust::of(policy, rule, builders),
        abi: written.abi.as_ref().map(|abi| abi.value),
        settings: written.settings.to_string(),
        limits: Limits {
            timeout: written.timeout.unwrap_or(bounds::TIMEOUT),
            memory: written.memory.unwrap_or(bounds::MEMORY),
        },
        capabilities: written
            .capabilities
            .iter()
            .map(|text| text.value.clone())
            .collect(),
        kinds: written.kubewarden.as_ref().map(|own| {
            let kinds = own.kinds.iter();
            kinds
                .map(|kind| (kind.api_version(), kind.kind.clone()))
                .collect()
        }),
        message: written
            .kubewarden
            .as_ref()
            .and_then(|own| own.message.clone()),
        changes: written
            .kubewarden
            .as_ref()
            .map_or(Changes::Refused, |own| own.changes),
    })
}
