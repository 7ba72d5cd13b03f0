//! All expressions of a rule, without recursion: a text can nest references deeper than a stack is.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleAssign, RuleHead, Span};

use super::absent;

/// What is still to be visited.
enum Item<'a> {
    Expression(&'a Expr),
    Query(&'a Query),
    /// A query, and what is evaluated in it.
    Within(&'a Query, Vec<&'a Expr>, Vec<&'a str>),
}

/// Visits every expression of a rule.
pub(super) fn of_rule<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a Expr)) {
    of_items(items_of(rule), visit, &mut |_| {});
}

/// Visits every expression of a rule, and says whether a name is a variable's there; `arguments` are such names.
pub(super) fn with_names<'a>(
    rule: &'a Rule,
    arguments: BTreeSet<&'a str>,
    visit: &mut dyn FnMut(&'a Expr, Variables<'_>),
) {
    let mut scopes = Scopes(vec![(None, arguments)]);
    let items = items_of(rule);
    let mut items: Vec<_> = items.into_iter().map(|item| (item, 0)).collect();
    while let Some((item, scope)) = items.pop() {
        let mut within = Vec::new();
        let mut inner = scope;
        match item {
            Item::Expression(expression) => {
                let scopes = &scopes;
                visit(expression, Variables { scopes, scope });
                of_expression(expression, &mut within);
            }
            Item::Query(query) => {
                inner = scopes.add(scope, absent::made_by(query));
                for statement in &query.stmts {
                    add_statement(statement, &mut within);
                }
            }
            Item::Within(query, evaluated, names) => {
                let mut made = absent::made_by(query);
                made.extend(names);
                inner = scopes.add(scope, made);
                within.extend(evaluated.into_iter().map(Item::Expression));
                within.push(Item::Query(query));
            }
        }
        items.extend(within.into_iter().map(|item| (item, inner)));
    }
}

/// The names of variables, each with what it stands within.
struct Scopes<'a>(Vec<(Option<usize>, BTreeSet<&'a str>)>);

impl<'a> Scopes<'a> {
    fn add(&mut self, outer: usize, names: BTreeSet<&'a str>) -> usize {
        self.0.push((Some(outer), names));
        self.0.len() - 1
    }
}

/// The variables that there are at a place.
#[derive(Clone, Copy)]
pub(super) struct Variables<'s> {
    scopes: &'s Scopes<'s>,
    scope: usize,
}

impl Variables<'_> {
    /// Whether a name is one's.
    pub(super) fn have(self, name: &str) -> bool {
        let mut next = Some(self.scope);
        while let Some((outer, names)) = next.and_then(|scope| self.scopes.0.get(scope)) {
            if names.contains(name) {
                return true;
            }
            next = *outer;
        }
        false
    }
}

/// Visits every statement of a rule, also those within others.
pub(super) fn statements_of_rule<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a LiteralStmt)) {
    of_items(items_of(rule), &mut |_| {}, visit);
}

fn items_of(rule: &Rule) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    match rule {
        Rule::Spec { head, bodies, .. } => {
            let mut of_heads = Vec::new();
            of_head(head, &mut of_heads);
            for body in bodies {
                let mut evaluated = std::mem::take(&mut of_heads);
                of_assign(body.assign.as_ref(), &mut evaluated);
                items.push(Item::Within(&body.query, evaluated, Vec::new()));
            }
            items.extend(of_heads.into_iter().map(Item::Expression));
        }
        Rule::Default { args, value, .. } => {
            items.extend(args.iter().map(|argument| Item::Expression(argument)));
            items.push(Item::Expression(value));
        }
    }
    items
}

/// Visits every expression of a statement.
pub(super) fn of_statement<'a>(statement: &'a LiteralStmt, visit: &mut dyn FnMut(&'a Expr)) {
    let mut items = Vec::new();
    add_statement(statement, &mut items);
    of_items(items, visit, &mut |_| {});
}

/// Visits an expression and every one within it.
pub(super) fn of_expression_and_below<'a>(expression: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    of_items(vec![Item::Expression(expression)], visit, &mut |_| {});
}

fn of_items<'a>(
    mut items: Vec<Item<'a>>,
    visit: &mut dyn FnMut(&'a Expr),
    visit_statement: &mut dyn FnMut(&'a LiteralStmt),
) {
    while let Some(item) = items.pop() {
        match item {
            Item::Expression(expression) => {
                visit(expression);
                of_expression(expression, &mut items);
            }
            Item::Query(query) => {
                for statement in &query.stmts {
                    visit_statement(statement);
                    add_statement(statement, &mut items);
                }
            }
            Item::Within(query, evaluated, _) => {
                items.extend(evaluated.into_iter().map(Item::Expression));
                items.push(Item::Query(query));
            }
        }
    }
}

/// What is evaluated in a head: in the first body, where there is one.
fn of_head<'a>(head: &'a RuleHead, items: &mut Vec<&'a Expr>) {
    match head {
        RuleHead::Compr { refr, assign, .. } => {
            items.push(refr);
            of_assign(assign.as_ref(), items);
        }
        RuleHead::Set { refr, key, .. } => {
            items.push(refr);
            items.extend(key.iter().map(|key| &**key));
        }
        RuleHead::Func { args, assign, .. } => {
            items.extend(args.iter().map(|argument| &**argument));
            of_assign(assign.as_ref(), items);
        }
    }
}

fn of_assign<'a>(assign: Option<&'a RuleAssign>, items: &mut Vec<&'a Expr>) {
    items.extend(assign.map(|assign| &*assign.value));
}

fn add_statement<'a>(statement: &'a LiteralStmt, items: &mut Vec<Item<'a>>) {
    for modifier in &statement.with_mods {
        items.push(Item::Expression(&modifier.refr));
        items.push(Item::Expression(&modifier.r#as));
    }
    match &statement.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn {
            key,
            value,
            collection,
            ..
        } => {
            items.extend(key.iter().map(|key| Item::Expression(key)));
            items.push(Item::Expression(value));
            items.push(Item::Expression(collection));
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
            items.push(Item::Expression(expr));
        }
        Literal::Every {
            key,
            value,
            domain,
            query,
            ..
        } => {
            items.push(Item::Expression(domain));
            let names = key.iter().chain([value]).map(Span::text);
            items.push(Item::Within(query, Vec::new(), names.collect()));
        }
    }
}

fn of_expression<'a>(expression: &'a Expr, items: &mut Vec<Item<'a>>) {
    let mut add = |expressions: &[&'a Ref<Expr>]| {
        items.extend(expressions.iter().map(|one| Item::Expression(one)));
    };
    match expression {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            for item in items {
                add(&[item]);
            }
        }
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                add(&[key, value]);
            }
        }
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            items.push(Item::Within(query, vec![&**term], Vec::new()));
        }
        Expr::ObjectCompr {
            key, value, query, ..
        } => items.push(Item::Within(query, vec![&**key, &**value], Vec::new())),
        Expr::Call { fcn, params, .. } => {
            add(&[fcn]);
            for parameter in params {
                add(&[parameter]);
            }
        }
        Expr::UnaryExpr { expr, .. } => add(&[expr]),
        Expr::RefDot { refr, .. } => add(&[refr]),
        Expr::RefBrack { refr, index, .. } => add(&[refr, index]),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => add(&[lhs, rhs]),
        Expr::Membership {
            key,
            value,
            collection,
            ..
        } => {
            if let Some(key) = key {
                add(&[key]);
            }
            add(&[value, collection]);
        }
    }
}
