//! Conditions as Rego: the answer is `true`, `false` or `error`, and an error counts only where Kyverno would reach it.
//!
//! Values with variables are slots, `{"ok": true, "value": …}` or `{"ok": false}`, that the host fills. Of an element's
//! preconditions the host also says `why` there is no value, and the answer may be `missing`.

use std::sync::Arc;

use crate::ast::condition::{Condition, ConditionBlock, Conditions, OperatorName};
use crate::ast::template::Template;
use crate::operator;
use crate::program;
use crate::rego::module::{Expression, Operator, Rule, Statement};

use super::scope::Scope;
use super::text;

/// What a condition says without a value of its sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// That it is an error.
    Error,
    /// What the host says of the value.
    Told,
}

/// Writes the rules of `conditions` and `name`, whose value is `true`, `false` or `error` as a text.
pub(super) fn compile(
    scope: &mut Scope,
    name: &str,
    conditions: &Conditions,
) -> program::Conditions {
    written(scope, (name, Unknown::Error), conditions)
}

/// The same for an element, whose value may be `missing` too.
pub(super) fn compile_of_element(
    scope: &mut Scope,
    name: &str,
    conditions: &Conditions,
) -> program::Conditions {
    written(scope, (name, Unknown::Told), conditions)
}

fn written(
    scope: &mut Scope,
    (name, unknown): (&str, Unknown),
    conditions: &Conditions,
) -> program::Conditions {
    let of = (name, unknown);
    let (value, compiled) = match conditions {
        Conditions::List(written) => {
            let (value, compiled) = list(scope, of, written, "true");
            (value, program::Conditions::List(compiled))
        }
        Conditions::Block(written) => {
            let (value, compiled) = block(scope, of, written);
            (value, program::Conditions::Block(compiled))
        }
        Conditions::Blocks(blocks) => {
            let (results, compiled) = blocks.iter().map(|one| block(scope, of, one)).unzip();
            (
                decided(scope, name, results, "true"),
                program::Conditions::Blocks(compiled),
            )
        }
    };
    match value {
        // A condition that stands alone is the answer: a rule that only repeats it would be one more to call.
        Expression::Name(only) => {
            let as_name = |word: &str| (word == only).then(|| Expression::name(name));
            let own = scope.rules.iter_mut().filter(|rule| rule.name() == only);
            own.for_each(|rule| *rule = rule.renamed(&as_name));
        }
        value => scope.rules.push(Rule::value(name, value, Vec::new())),
    }
    compiled
}

/// `any` is looked at first, and `all` in any case.
fn block(
    scope: &mut Scope,
    of: (&str, Unknown),
    block: &ConditionBlock,
) -> (Expression, program::ConditionBlock) {
    let mut parts = Vec::new();
    let mut part = |scope: &mut Scope, written: &Option<Vec<Condition>>, neutral| {
        let (value, compiled) = list(scope, of, written.as_ref()?, neutral);
        parts.push(value);
        Some(compiled)
    };
    let any = part(scope, &block.any, "false");
    let all = part(scope, &block.all, "true");
    let value = match <[Expression; 1]>::try_from(parts) {
        Ok([only]) => only,
        Err(parts) => Expression::call("both", vec![Expression::Array(parts)]),
    };
    (value, program::ConditionBlock { any, all })
}

fn list(
    scope: &mut Scope,
    of: (&str, Unknown),
    written: &[Condition],
    neutral: &str,
) -> (Expression, Vec<program::Condition>) {
    let (results, compiled) = written.iter().map(|one| condition(scope, of, one)).unzip();
    (decided(scope, of.0, results, neutral), compiled)
}

/// The first answer that is not neutral decides; where there is one answer alone, it does whatever it is.
fn decided(
    scope: &mut Scope,
    prefix: &str,
    mut results: Vec<Expression>,
    neutral: &str,
) -> Expression {
    while results.len() > TOGETHER {
        let parts = results.chunks(TOGETHER).map(<[Expression]>::to_vec);
        let part = |part| {
            let name = scope.fresh(prefix);
            let value = first_other(part, neutral);
            scope.rules.push(Rule::value(&name, value, Vec::new()));
            Expression::name(name)
        };
        results = parts.map(part).collect();
    }
    match <[Expression; 1]>::try_from(results) {
        Ok([only]) => only,
        Err(results) => first_other(results, neutral),
    }
}

fn first_other(results: Vec<Expression>, neutral: &str) -> Expression {
    Expression::call(
        "first_other",
        vec![Expression::Array(results), Expression::text(neutral)],
    )
}

/// How many answers one rule looks at: each takes a register of its bytecode, of which there are 255.
const TOGETHER: usize = 100;

/// One comparison, as a rule of its own.
fn condition(
    scope: &mut Scope,
    (prefix, unknown): (&str, Unknown),
    condition: &Condition,
) -> (Expression, program::Condition) {
    let name = scope.fresh(prefix);
    let written = operator_text(&condition.operator.value);
    let mut slots = Vec::new();
    let compiled = program::Condition {
        span: condition.span,
        key: Arc::new(text::template(&condition.key)),
        operator: operator::Operator::parse(&written),
        value: Arc::new(text::template(&condition.value)),
        message: condition.message.as_ref().map(text::text),
    };
    let key = operand(scope, &condition.key, &compiled.key, &mut slots);
    let value = operand(scope, &condition.value, &compiled.value, &mut slots);
    let call = Expression::call(
        "regent.condition",
        vec![key, Expression::text(written), value],
    );
    let ok = |slot: usize, ok: bool| {
        let flag = slot_at(slot).field("ok");
        Statement::Holds(flag.equals(Expression::Bool(ok)))
    };
    let known = slots.iter().map(|slot| ok(*slot, true)).collect();
    scope
        .rules
        .push(Rule::value(&name, call, known).at(condition.span));
    let mut before = Vec::new();
    for slot in slots {
        let (value, body) = match unknown {
            Unknown::Error => (Expression::text("error"), vec![ok(slot, false)]),
            // The first without a value is the reason: two might give two.
            Unknown::Told => {
                let mut body: Vec<_> = before.iter().map(|known| ok(*known, true)).collect();
                body.push(ok(slot, false));
                before.push(slot);
                (slot_at(slot).field("why"), body)
            }
        };
        let rule = Rule::value(&name, value, body);
        scope.rules.push(rule.at(condition.span));
    }
    (Expression::name(name), compiled)
}

fn operand(
    scope: &mut Scope,
    template: &Template,
    compiled: &Arc<crate::template::Template>,
    slots: &mut Vec<usize>,
) -> Expression {
    if let Some(value) = constant_operand(template) {
        return value;
    }
    let slot = scope.slot(compiled);
    slots.push(slot);
    slot_at(slot).field("value")
}

/// In the wrong case an ordering operator never holds; the host function knows that by the name.
pub(super) fn operator_text(operator: &OperatorName) -> String {
    let name = operator.operator.name();
    if operator.exact {
        name.to_owned()
    } else {
        name.to_lowercase()
    }
}

/// A value without variables, where it can stand in the text.
pub(super) fn constant_operand(template: &Template) -> Option<Expression> {
    let value = template.constant()?;
    (depth(&value) < MAX_LITERAL_DEPTH).then(|| Expression::constant(&value))
}

/// Parsing of nested literals takes twice as long for each level: deeper constants come in as values.
const MAX_LITERAL_DEPTH: usize = 4;

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// `input.values[slot]`.
pub(super) fn slot_at(slot: usize) -> Expression {
    let values = Expression::path(&["input", "values"]);
    Expression::Index(Box::new(values), Box::new(Expression::count(slot)))
}

/// The functions that the rules above use where no value is told to be missing.
pub(super) fn prelude() -> Vec<Rule> {
    functions(Unknown::Error)
}

/// The same where one may be.
pub(super) fn prelude_of_element() -> Vec<Rule> {
    functions(Unknown::Told)
}

fn functions(unknown: Unknown) -> Vec<Rule> {
    let head = Expression::Index(
        Box::new(Expression::name("others")),
        Box::new(Expression::count(0)),
    );
    let neutral = || Expression::name("neutral");
    let function =
        |name: &str, arguments: &[&str], value, body| Rule::function(name, arguments, value, body);
    let two: &[&str] = &["results", "neutral"];
    let all_true = others(Expression::text("true"), Operator::Equal);
    let error = || within("error");
    let missing = || within("missing");
    let mut unmet = vec![Statement::Holds(within("false")), Statement::Not(error())];
    if unknown == Unknown::Told {
        unmet.push(Statement::Not(missing()));
    }
    let mut functions = vec![
        function("first_other", two, head, others(neutral(), Operator::More))
            .comment("The first result that is not the neutral one."),
        function(
            "first_other",
            two,
            neutral(),
            others(neutral(), Operator::Equal),
        ),
        function(
            "both",
            &["results"],
            Expression::text("error"),
            vec![Statement::Holds(error())],
        )
        .comment("Whether all hold; an error is one also beside what does not hold."),
        function("both", &["results"], Expression::text("false"), unmet),
        function("both", &["results"], Expression::text("true"), all_true),
    ];
    if unknown == Unknown::Told {
        let body = vec![Statement::Holds(missing()), Statement::Not(error())];
        functions.push(function(
            "both",
            &["results"],
            Expression::text("missing"),
            body,
        ));
    }
    functions
}

/// The results that are not neutral, and how their number is to zero.
fn others(neutral: Expression, operator: Operator) -> Vec<Statement> {
    let result = || Expression::name("result");
    let body = vec![
        Statement::Some("result".into(), Expression::name("results")),
        Statement::Holds(result().compare(Operator::NotEqual, neutral)),
    ];
    let count = Expression::call("count", vec![Expression::name("others")]);
    vec![
        Statement::Assign(
            "others".into(),
            Expression::Collect(Box::new(result()), body),
        ),
        Statement::Holds(count.compare(operator, Expression::count(0))),
    ]
}

fn within(result: &str) -> Expression {
    Expression::text(result).compare(Operator::In, Expression::name("results"))
}
