//! `validate.foreach` as Rego: a module for each block, asked for each element, and the verdict over what they answered.
//!
//! The host walks the elements and stops at the first that decides; `input.blocks` has the statuses of each block's
//! elements up to there.

use crate::ast::foreach::{Foreach, ForeachBody};
use crate::ast::{self};
use crate::program::{self, Demand, Judged};
use crate::rego::evaluate::RegoError;
use crate::rego::module::{Expression, Operator, Rule, Statement};

use super::scope::Scope;
use super::{assemble, condition, confined_to, package, text, validate};

/// Writes `verdict` over the blocks, and compiles each block; `number` names the modules.
pub(super) fn compile(
    scope: &mut Scope,
    (policy, rule): (&ast::Policy, &ast::Rule),
    blocks: &[Foreach],
    number: &str,
) -> Result<Demand, RegoError> {
    scope.rules.extend(verdict());
    let mut compiled = Vec::new();
    for (index, written) in blocks.iter().enumerate() {
        let number = format!("{number}_{index}");
        compiled.push(block((policy, rule), written, &number)?);
    }
    Ok(Demand::Foreach(compiled))
}

fn block(
    (policy, rule): (&ast::Policy, &ast::Rule),
    written: &Foreach,
    number: &str,
) -> Result<program::Foreach, RegoError> {
    let mut scope = Scope::default();
    let preconditions = written.preconditions.as_ref().map(|conditions| {
        let what = condition::compile_of_element(&mut scope, "preconditions", conditions);
        let slots = std::mem::take(&mut scope.slots);
        Judged { what, slots }
    });
    if preconditions.is_none() {
        let always = Rule::value("preconditions", Expression::text("true"), Vec::new());
        scope.rules.push(always);
    }
    let demand = match &written.body {
        ForeachBody::Pattern(pattern) => validate::of_pattern(&mut scope, pattern),
        ForeachBody::AnyPattern(patterns) => validate::of_any_pattern(&mut scope, patterns),
        ForeachBody::Deny(deny) => validate::of_deny(&mut scope, deny),
        ForeachBody::Foreach(blocks) => compile(&mut scope, (policy, rule), blocks, number)?,
    };
    if preconditions.is_some() {
        scope.rules.extend(condition::prelude_of_element());
    } else if matches!(demand, Demand::Deny(_)) {
        scope.rules.extend(condition::prelude());
    }
    let package = package(policy, rule, Some(&format!("foreach{number}")));
    Ok(program::Foreach {
        list: text::query(&written.list),
        element_scope: written.element_scope.as_ref().map(|scope| scope.value),
        context: text::context(&written.context, confined_to(policy)),
        program: assemble(
            &policy.source,
            written.span,
            package,
            &mut scope,
            &["preconditions", "verdict"],
        )?,
        preconditions,
        demand,
    })
}

/// The first element that decides is the last that was asked; where nothing passed there is nothing to say.
fn verdict() -> Vec<Rule> {
    let statuses = Expression::Collect(
        Box::new(Expression::name("status")),
        vec![
            Statement::Some("block".into(), Expression::path(&["input", "blocks"])),
            Statement::Some("status".into(), Expression::name("block")),
        ],
    );
    let among =
        |status: &str| Expression::text(status).compare(Operator::In, Expression::name("statuses"));
    let holds = |status: &str| Statement::Holds(among(status));
    let not = |status: &str| Statement::Not(among(status));
    let verdict = |status: &str, body| Rule::value("verdict", Expression::text(status), body);
    vec![
        Rule::value("statuses", statuses, Vec::new()),
        verdict("fail", vec![holds("fail")]),
        verdict("error", vec![not("fail"), holds("error")]),
        verdict("pass", vec![not("fail"), not("error"), holds("pass")]),
        verdict("none", vec![not("fail"), not("error"), not("pass")]),
    ]
}
