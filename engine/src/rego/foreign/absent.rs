//! Paths below `data` that lead to nothing: who names one means something else, and OPA would say nothing.
//!
//! A name that a rule gives to a variable is that variable, whatever an import calls itself.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Query, Rule, RuleHead, Span};

use super::walk;

/// Which module, and where in it.
pub(super) type Written = (usize, (usize, usize));

/// Paths that the modules name and do not hold.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// By where they are written.
    paths: BTreeMap<Written, Vec<String>>,
    /// What `with` puts there for a while.
    replaced: BTreeSet<Vec<String>>,
}

impl Elsewhere {
    /// Takes note of a path. A reference is visited with those that it is made of: the longest is what was meant.
    pub(super) fn misses(&mut self, at: Written, path: Vec<String>) {
        let known = self.paths.entry(at).or_default();
        if path.len() > known.len() {
            *known = path;
        }
    }

    /// Takes note of a path that `with` puts something at.
    pub(super) fn replaces(&mut self, path: Vec<String>) {
        self.replaced.insert(path);
    }

    /// Those that lead to nothing in a document either.
    pub(super) fn of<'a>(
        &'a self,
        data: Option<&'a Value>,
    ) -> impl Iterator<Item = (&'a Written, &'a [String])> {
        let paths = self.paths.iter();
        let paths = paths.map(|(at, path)| (at, path.as_slice()));
        paths.filter(move |(_, path)| !self.is_there(path, data))
    }

    fn is_there(&self, path: &[String], data: Option<&Value>) -> bool {
        let replaced =
            |other: &Vec<String>| other.starts_with(path) || path.starts_with(other.as_slice());
        // What is synced is known when it is needed.
        path.first().is_some_and(|first| first == "inventory")
            || self.replaced.iter().any(replaced)
            || data.is_some_and(|data| leads(data, path))
    }
}

/// Whether a path leads to something in a document.
fn leads(data: &Value, path: &[String]) -> bool {
    let next = |value: &Value, part: &String| {
        let fields = value.as_object().ok()?;
        fields.get(&Value::from(part.as_str())).cloned()
    };
    let mut at = Some(data.clone());
    for part in path {
        at = at.and_then(|value| next(&value, part));
    }
    at.is_some()
}

/// Visits references of a rule that are no variables', each with those that it is made of.
pub(super) fn references<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a Expr)) {
    let arguments = match rule {
        Rule::Spec {
            head: RuleHead::Func { args, .. },
            ..
        }
        | Rule::Default { args, .. } => args.as_slice(),
        Rule::Spec { .. } => &[],
    };
    let mut names = BTreeSet::new();
    for argument in arguments {
        add_variables(argument, &mut names);
    }
    walk::with_names(rule, names, &mut |expression, variables| {
        let reference = matches!(
            expression,
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. }
        );
        if reference && !first(expression).is_some_and(|name| variables.have(name)) {
            visit(expression);
        }
    });
}

/// The name that a reference begins with.
fn first(expression: &Expr) -> Option<&str> {
    let mut first = expression;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = first {
        first = refr;
    }
    match first {
        Expr::Var { span, .. } => Some(span.text()),
        _ => None,
    }
}

/// The variables that a query makes, for itself and what is within it.
pub(super) fn made_by(query: &Query) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for statement in &query.stmts {
        add_made(statement, &mut names);
    }
    names
}

fn add_made<'a>(statement: &'a LiteralStmt, names: &mut BTreeSet<&'a str>) {
    match &statement.literal {
        Literal::SomeVars { vars, .. } => names.extend(vars.iter().map(Span::text)),
        Literal::SomeIn { key, value, .. } => {
            for pattern in key.iter().chain([value]) {
                add_variables(pattern, names);
            }
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
            if let Expr::AssignExpr {
                op: AssignOp::ColEq,
                lhs,
                ..
            } = &**expr
            {
                add_variables(lhs, names);
            }
        }
        // What it makes is there within it only.
        Literal::Every { .. } => {}
    }
}

/// The variables of a pattern.
fn add_variables<'a>(pattern: &'a Expr, names: &mut BTreeSet<&'a str>) {
    let mut patterns = vec![pattern];
    while let Some(pattern) = patterns.pop() {
        match pattern {
            Expr::Var { span, .. } => {
                names.insert(span.text());
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                patterns.extend(items.iter().map(|item| &**item));
            }
            Expr::Object { fields, .. } => {
                patterns.extend(fields.iter().map(|(_, _, value)| &**value));
            }
            _ => {}
        }
    }
}
