//! Names of imports, written out.
//!
//! The interpreter evaluates the whole of a package where one rule of it is asked for by an import's name, and the one rule
//! where its path is written out. For answers that makes no difference; for what tests reach it does.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, Module as Parsed, Rule, RuleHead};

use super::cases;
use super::edit::Edit;
use crate::rego::foreign::calls::path;
use crate::rego::foreign::walk;

/// What the imports of a module are called, and what they stand for.
pub(super) fn of_module(parsed: &Parsed) -> BTreeMap<String, String> {
    let imports = parsed.imports.iter();
    let named = imports.filter_map(|import| {
        let whole = import.refr.span().text();
        let root = whole.split(['.', '[']).next()?;
        let known = path(&import.refr);
        let name = match &import.r#as {
            Some(name) => name.text(),
            None => known.rsplit('.').next()?,
        };
        matches!(root, "data" | "input").then(|| (name.to_owned(), whole.to_owned()))
    });
    named.collect()
}

/// The changes of a rule that write its imports out; those whose names the rule gives to something else are left.
pub(super) fn written_out(rule: &Rule, aliases: &BTreeMap<String, String>) -> Vec<Edit> {
    let own = declared(rule);
    let mut edits = Vec::new();
    walk::of_rule(rule, &mut |expression| {
        let Expr::Var { span, .. } = expression else {
            return;
        };
        let name = span.text();
        if let Some(whole) = aliases.get(name).filter(|_| !own.contains(name)) {
            edits.push(Edit {
                from: span.start as usize,
                to: span.end as usize,
                text: whole.clone(),
            });
        }
    });
    edits
}

/// The names that a rule declares, its own among them.
fn declared(rule: &Rule) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut all_of = |expression: &Expr| names.extend(cases::variables(expression));
    match rule {
        Rule::Default { refr, .. } => all_of(refr),
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } => all_of(refr),
            RuleHead::Func { refr, args, .. } => {
                all_of(refr);
                for argument in args {
                    all_of(argument);
                }
            }
        },
    }
    walk::of_rule(rule, &mut |expression| {
        if let Expr::AssignExpr { lhs, .. } = expression {
            all_of(lhs);
        }
    });
    walk::statements_of_rule(rule, &mut |statement| {
        if let Literal::SomeIn { key, value, .. } = &statement.literal {
            key.iter().chain([value]).for_each(|one| all_of(one));
        }
    });
    walk::statements_of_rule(rule, &mut |statement| match &statement.literal {
        Literal::SomeVars { vars, .. } => {
            names.extend(vars.iter().map(|name| name.text().to_owned()));
        }
        Literal::Every { key, value, .. } => {
            let own = key.iter().chain([value]);
            names.extend(own.map(|name| name.text().to_owned()));
        }
        Literal::SomeIn { .. } | Literal::Expr { .. } | Literal::NotExpr { .. } => {}
    });
    names
}
