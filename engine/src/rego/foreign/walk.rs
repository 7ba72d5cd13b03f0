//! All expressions of a rule, without recursion: a text can nest references deeper than a stack is.

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleAssign, RuleHead};

/// What is still to be visited.
enum Item<'a> {
    Expression(&'a Expr),
    Query(&'a Query),
}

/// Visits every expression of a rule.
pub(super) fn of_rule<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a Expr)) {
    of_items(items_of(rule), visit, &mut |_| {});
}

/// Visits every statement of a rule, also those within others.
pub(super) fn statements_of_rule<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a LiteralStmt)) {
    of_items(items_of(rule), &mut |_| {}, visit);
}

fn items_of(rule: &Rule) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    match rule {
        Rule::Spec { head, bodies, .. } => {
            of_head(head, &mut items);
            for body in bodies {
                of_assign(body.assign.as_ref(), &mut items);
                items.push(Item::Query(&body.query));
            }
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
        }
    }
}

fn of_head<'a>(head: &'a RuleHead, items: &mut Vec<Item<'a>>) {
    match head {
        RuleHead::Compr { refr, assign, .. } => {
            items.push(Item::Expression(refr));
            of_assign(assign.as_ref(), items);
        }
        RuleHead::Set { refr, key, .. } => {
            items.push(Item::Expression(refr));
            items.extend(key.iter().map(|key| Item::Expression(key)));
        }
        RuleHead::Func { args, assign, .. } => {
            items.extend(args.iter().map(|argument| Item::Expression(argument)));
            of_assign(assign.as_ref(), items);
        }
    }
}

fn of_assign<'a>(assign: Option<&'a RuleAssign>, items: &mut Vec<Item<'a>>) {
    items.extend(assign.map(|assign| Item::Expression(&assign.value)));
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
        Literal::Every { domain, query, .. } => {
            items.push(Item::Expression(domain));
            items.push(Item::Query(query));
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
            add(&[term]);
            items.push(Item::Query(query));
        }
        Expr::ObjectCompr {
            key, value, query, ..
        } => {
            add(&[key, value]);
            items.push(Item::Query(query));
        }
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
