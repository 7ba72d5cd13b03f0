//! `validate.pattern` as Rego: one function for each map and list of the pattern, whose value is a status.
//!
//! `pass`, `fail` and `skip` are what they say; `nested` is a skip of a whole map or list, which what holds it may go on
//! beside, `forbidden` the failure of a negation, which is a failure also where keys of anchors are missing.

mod access;
mod lists;
mod missing;
mod plain;
mod prelude;
mod spread;

use std::sync::Arc;

use serde_json::Value;

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode, PatternScalar};
use crate::program::Judged;
use crate::rego::module::{Expression, Operator, Rule, Statement};
use crate::source::Span;
use crate::template::Template;

use super::condition::slot_at;
use super::scope::Scope;
use super::text;

/// Writes `verdict` for one pattern.
pub(super) fn compile(scope: &mut Scope, pattern: &Pattern) -> Judged<Arc<Template>> {
    let template = Arc::new(text::template(&pattern.template()));
    if plain::compile(scope, std::slice::from_ref(pattern)) == plain::Found::All {
        as_wanted_or_not(scope);
        scope.place(pattern.span);
        return Judged {
            what: template,
            slots: Vec::new(),
        };
    }
    let root = root(scope, pattern, &template);
    scope
        .rules
        .push(Rule::value("walked", root.walked, Vec::new()).at(pattern.span));
    let walked = |status: &str| {
        Statement::Holds(Expression::name("walked").equals(Expression::text(status)))
    };
    verdict(scope, "pass", vec![walked("pass")]);
    for skip in prelude::SKIPS {
        verdict(scope, "skip", vec![walked(skip)]);
    }
    verdict(scope, "fail", vec![walked("forbidden")]);
    verdict(scope, "error", vec![walked("broken")]);
    if let Some(missing) = root.missing {
        let absent = || missing.clone();
        verdict(
            scope,
            "error",
            vec![walked("fail"), Statement::Holds(absent())],
        );
        verdict(
            scope,
            "fail",
            vec![walked("fail"), Statement::Not(absent())],
        );
    } else {
        verdict(scope, "fail", vec![walked("fail")]);
    }
    finish(scope, pattern.span);
    Judged {
        what: template,
        slots: std::mem::take(&mut scope.slots),
    }
}

/// Writes `verdict` for `anyPattern`: the first that passes is enough; one that fails counts before those that skip.
pub(super) fn compile_any(scope: &mut Scope, patterns: &[Pattern]) -> Judged<Vec<Arc<Template>>> {
    let templates = |pattern: &Pattern| Arc::new(text::template(&pattern.template()));
    let templates: Vec<_> = patterns.iter().map(templates).collect();
    match plain::compile(scope, patterns) {
        plain::Found::None => {}
        plain::Found::Some => {
            let comment = "What is as wanted by a plain pattern needs no walk by the others.";
            let body = vec![Statement::Holds(Expression::name(plain::NAME))];
            let rule = Rule::value("verdict", Expression::text("pass"), body);
            scope.rules.push(rule.comment(comment));
        }
        plain::Found::All => {
            as_wanted_or_not(scope);
            scope.place(first_span(patterns));
            return Judged {
                what: templates,
                slots: Vec::new(),
            };
        }
    }
    let mut results = Vec::new();
    for (pattern, template) in patterns.iter().zip(&templates) {
        results.push(root(scope, pattern, template).walked);
    }
    let walked = Rule::value("walked", Expression::Array(results), Vec::new());
    scope.rules.push(walked);
    let among =
        |status: &str| Expression::text(status).compare(Operator::In, Expression::name("walked"));
    let failed = Expression::name("failed");
    for status in ["fail", "forbidden", "broken"] {
        scope
            .rules
            .push(Rule::holds("failed", vec![Statement::Holds(among(status))]));
    }
    let no_pass = || Statement::Not(among("pass"));
    verdict(scope, "pass", vec![Statement::Holds(among("pass"))]);
    verdict(
        scope,
        "fail",
        vec![no_pass(), Statement::Holds(failed.clone())],
    );
    for skip in prelude::SKIPS {
        let none_decides = vec![no_pass(), Statement::Not(failed.clone())];
        let body = none_decides
            .into_iter()
            .chain([Statement::Holds(among(skip))]);
        verdict(scope, "skip", body.collect());
    }
    finish(scope, first_span(patterns));
    Judged {
        what: templates,
        slots: std::mem::take(&mut scope.slots),
    }
}

/// Writes `verdict` where patterns are plain: what does not pass fails.
fn as_wanted_or_not(scope: &mut Scope) {
    for (status, holds) in [("pass", true), ("fail", false)] {
        let as_wanted = Expression::name(plain::NAME);
        let body = if holds {
            Statement::Holds(as_wanted)
        } else {
            Statement::Not(as_wanted)
        };
        let rule = Rule::value("verdict", Expression::text(status), vec![body]);
        scope.rules.push(rule);
    }
    scope.exact = true;
}

/// What the walk of a whole pattern says.
struct Root {
    walked: Expression,
    /// Whether keys of anchors are missing; none where the pattern has no such keys.
    missing: Option<Expression>,
}

/// A pattern with variables is a slot: its leaves are looked up in the slot's value. Where a key has a variable there is
/// nothing to look up by, and the host function walks the whole.
fn root(scope: &mut Scope, pattern: &Pattern, template: &Arc<Template>) -> Root {
    let resource = || Expression::path(&["input", "resource"]);
    if !pattern.has_variables() {
        let check = node(scope, pattern, &Place::default());
        let walked = check.applied(resource());
        let missing = missing::compile(scope, pattern, None);
        return Root { walked, missing };
    }
    let slot = scope.slot(template);
    let value = slot_at(slot).field("value");
    if has_variable_keys(pattern) {
        return Root {
            walked: Expression::call("regent.pattern", vec![resource(), value.clone()]),
            missing: missing::compile(scope, pattern, Some(value)),
        };
    }
    let place = Place {
        value: Some(value.clone()),
        ..Place::default()
    };
    let check = node(scope, pattern, &place);
    let walked = check.applied(resource());
    let missing = missing::compile(scope, pattern, Some(value));
    Root { walked, missing }
}

fn has_variable_keys(pattern: &Pattern) -> bool {
    match &pattern.node {
        PatternNode::Map(entries) => entries
            .iter()
            .any(|entry| entry.key.literal().is_none() || has_variable_keys(&entry.value)),
        PatternNode::List(items) => items.iter().any(has_variable_keys),
        PatternNode::Scalar(_) => false,
    }
}

/// One way to a verdict by the walk; where the pattern has variables, all must be known.
fn verdict(scope: &mut Scope, status: &str, mut body: Vec<Statement>) {
    if scope.has_plain {
        body.insert(0, Statement::Not(Expression::name(plain::NAME)));
    }
    if !scope.slots.is_empty() {
        body.push(Statement::Holds(Expression::name("known")));
    }
    scope
        .rules
        .push(Rule::value("verdict", Expression::text(status), body));
}

fn first_span(patterns: &[Pattern]) -> Span {
    patterns
        .first()
        .map_or(Span::new(0, 0), |pattern| pattern.span)
}

fn finish(scope: &mut Scope, span: Span) {
    if !scope.slots.is_empty() {
        let values = || Expression::path(&["input", "values"]);
        let is = |ok: bool| {
            Statement::Holds(Expression::path(&["one", "ok"]).equals(Expression::Bool(ok)))
        };
        let all = vec![Statement::Every("one".into(), values(), vec![is(true)])];
        scope.rules.push(Rule::holds("known", all));
        let unknown = vec![Statement::Some("one".into(), values()), is(false)];
        scope
            .rules
            .push(Rule::value("verdict", Expression::text("error"), unknown));
    }
    scope.place(span);
    scope.rules.extend(prelude::rules());
}

/// How a value is judged.
#[derive(Debug, Clone)]
enum Check {
    /// By a scalar.
    Scalar(Expression),
    /// By a pattern that is known at run time only.
    Pattern(Expression),
    /// By a function.
    Function(String),
}

impl Check {
    fn applied(&self, value: Expression) -> Expression {
        match self {
            Self::Scalar(pattern) => {
                Expression::call("regent.scalar", vec![value, pattern.clone()])
            }
            Self::Pattern(pattern) => {
                Expression::call("regent.pattern", vec![value, pattern.clone()])
            }
            Self::Function(name) => Expression::call(name, vec![value]),
        }
    }
}

/// Where in the pattern a node stands.
#[derive(Debug, Clone, Default)]
struct Place {
    /// The last two keys.
    above: Option<String>,
    key: Option<String>,
    /// What stands here in the pattern with its variables resolved; none where it has none.
    value: Option<Expression>,
}

impl Place {
    /// `raw` is the key as written, its anchor included.
    fn below(&self, key: &str, raw: &str) -> Self {
        Self {
            above: self.key.clone(),
            key: Some(key.to_owned()),
            value: self.value.clone().map(|value| value.field(raw)),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            value: self.value.clone().map(|value| {
                Expression::Index(Box::new(value), Box::new(Expression::count(index)))
            }),
            ..self.clone()
        }
    }

    /// Keys of labels and annotations may be wildcards.
    fn has_wildcard_keys(&self) -> bool {
        self.above.as_deref() == Some("metadata")
            && matches!(self.key.as_deref(), Some("labels" | "annotations"))
    }
}

fn node(scope: &mut Scope, pattern: &Pattern, place: &Place) -> Check {
    match &pattern.node {
        PatternNode::Scalar(scalar) => leaf(scope, scalar, place),
        PatternNode::Map(entries) => map(scope, pattern, entries, place),
        PatternNode::List(items) => lists::list(scope, pattern, items, place),
    }
}

/// A scalar of the pattern: a constant that is read ahead, or what its variables stand for, which may be a pattern itself.
fn leaf(scope: &mut Scope, scalar: &PatternScalar, place: &Place) -> Check {
    let value = match scalar {
        PatternScalar::Null => Value::Null,
        PatternScalar::Bool(flag) => Value::Bool(*flag),
        PatternScalar::Number(number) => Value::Number(number.clone()),
        PatternScalar::Text(text) => {
            let Some(literal) = text.literal() else {
                let value = place.value.clone().unwrap_or(Expression::Null);
                return if text.whole_variable().is_some() {
                    Check::Pattern(value)
                } else {
                    Check::Scalar(value)
                };
            };
            Value::String(literal.to_owned())
        }
    };
    scope.patterns.push(value.clone());
    Check::Scalar(Expression::constant(&value))
}

fn is_object() -> Expression {
    Expression::call("is_object", vec![Expression::name("x")])
}

fn is_array() -> Expression {
    Expression::call("is_array", vec![Expression::name("x")])
}

/// `name(x) := status if { body }`.
fn define(
    scope: &mut Scope,
    pattern: &Pattern,
    name: &str,
    status: Expression,
    body: Vec<Statement>,
) {
    let rule = Rule::function(name, &["x"], status, body);
    scope.rules.push(rule.at(pattern.span));
}

fn map(scope: &mut Scope, pattern: &Pattern, entries: &[PatternEntry], place: &Place) -> Check {
    let name = scope.fresh("map");
    let (anchors, fields) = in_phases(entries);
    let mut results = Vec::new();
    if !anchors.is_empty() {
        let anchors = anchors
            .iter()
            .map(|entry| field(scope, entry, place))
            .collect();
        results.push(Expression::call(
            "anchored",
            vec![Expression::Array(anchors)],
        ));
    }
    for entry in fields {
        results.push(field(scope, entry, place));
    }
    let status = in_order(results);
    let other = vec![Statement::Not(is_object())];
    define(scope, pattern, &name, Expression::text("fail"), other);
    define(
        scope,
        pattern,
        &name,
        status,
        vec![Statement::Holds(is_object())],
    );
    Check::Function(name)
}

fn in_order(mut results: Vec<Expression>) -> Expression {
    match results.len() {
        0 => Expression::text("pass"),
        1 => results.pop().unwrap_or(Expression::Null),
        _ => Expression::call("in_order", vec![Expression::Array(results)]),
    }
}

/// Keys in the order of judging: conditions first, then fields that hold anchors, then the others.
pub(crate) fn in_phases(entries: &[PatternEntry]) -> (Vec<&PatternEntry>, Vec<&PatternEntry>) {
    let mut sorted: Vec<&PatternEntry> = entries.iter().collect();
    sorted.sort_by(|left, right| left.raw.cmp(&right.raw));
    let (anchors, others): (Vec<_>, Vec<_>) = sorted.into_iter().partition(|entry| {
        matches!(
            entry.anchor,
            Some(Anchor::Condition | Anchor::Equality | Anchor::Negation | Anchor::Existence)
        )
    });
    let mut fields = Vec::new();
    for entry in others {
        if entry.anchor == Some(Anchor::Global) || holds_anchors(&entry.value) {
            fields.insert(0, entry);
        } else {
            fields.push(entry);
        }
    }
    (anchors, fields)
}

fn holds_anchors(pattern: &Pattern) -> bool {
    match &pattern.node {
        PatternNode::Map(entries) => entries.iter().any(|entry| {
            matches!(entry.anchor, Some(anchor) if anchor != Anchor::AddIfAbsent)
                || holds_anchors(&entry.value)
        }),
        PatternNode::List(items) => items.iter().any(holds_anchors),
        PatternNode::Scalar(_) => false,
    }
}

/// The status of one key of the map `x`.
fn field(scope: &mut Scope, entry: &PatternEntry, place: &Place) -> Expression {
    let key_text = key_text(entry);
    let below = place.below(&key_text, &entry.raw);
    let check = node(scope, &entry.value, &below);
    let access = access::of(scope, entry, place, &key_text);
    let Some(anchor) = entry.anchor.filter(|anchor| *anchor != Anchor::AddIfAbsent) else {
        let status = if is_star(&entry.value) {
            Expression::call("present", vec![access.value()])
        } else {
            check.applied(access.value())
        };
        return access.every(scope, &entry.value, status);
    };
    let name = scope.fresh("field");
    let there = check.applied(access.value());
    let or_skip = |status: Expression| Expression::call("or_skip", vec![status]);
    let (absent, present) = match anchor {
        Anchor::Condition => ("skip", or_skip(access.any(scope, &entry.value, there))),
        Anchor::Global => ("pass", or_skip(access.any(scope, &entry.value, there))),
        Anchor::Equality => ("pass", access.every(scope, &entry.value, there)),
        Anchor::Negation => ("pass", Expression::text("forbidden")),
        Anchor::Existence | Anchor::AddIfAbsent => {
            let there = existence(scope, entry, &below, &access.value());
            ("pass", access.every(scope, &entry.value, there))
        }
    };
    let holds = vec![Statement::Holds(access.is_there())];
    let not = vec![Statement::Not(access.is_there())];
    define(scope, &entry.value, &name, Expression::text(absent), not);
    define(scope, &entry.value, &name, present, holds);
    Expression::call(name, vec![Expression::name("x")])
}

/// The key without its anchor; `+(key)` means nothing here and is a key like any other.
fn key_text(entry: &PatternEntry) -> String {
    if entry.anchor == Some(Anchor::AddIfAbsent) {
        return entry.raw.clone();
    }
    entry.key.literal().unwrap_or(&entry.key.raw).to_owned()
}

fn is_star(pattern: &Pattern) -> bool {
    matches!(&pattern.node, PatternNode::Scalar(PatternScalar::Text(text)) if text.literal() == Some("*"))
}

/// `^(key)`: each map of the pattern has an element that matches it.
fn existence(
    scope: &mut Scope,
    entry: &PatternEntry,
    place: &Place,
    value: &Expression,
) -> Expression {
    let PatternNode::List(items) = &entry.value.node else {
        return Expression::text("fail");
    };
    let mut results = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let check = node(scope, item, &place.item(index));
        // Only maps are looked for; what else is written, or comes with a variable, is found nowhere.
        let is_map = match (&item.node, &check) {
            (PatternNode::Map(_), _) => None,
            (PatternNode::Scalar(_), Check::Pattern(pattern)) => {
                let is_map = Expression::call("is_object", vec![pattern.clone()]);
                Some(Statement::Holds(is_map))
            }
            (PatternNode::Scalar(_) | PatternNode::List(_), _) => {
                results.push(Expression::text("fail"));
                continue;
            }
        };
        let name = scope.fresh("exists");
        let mut some = vec![Statement::Some("element".into(), Expression::name("x"))];
        some.extend(is_map);
        let each = Expression::Collect(Box::new(check.applied(Expression::name("element"))), some);
        let found = |results: Expression| Expression::text("pass").compare(Operator::In, results);
        let assign = || Statement::Assign("results".into(), each.clone());
        let results_name = || Expression::name("results");
        define(
            scope,
            item,
            &name,
            Expression::text("fail"),
            vec![Statement::Not(is_array())],
        );
        let hit = vec![
            Statement::Holds(is_array()),
            assign(),
            Statement::Holds(found(results_name())),
        ];
        define(scope, item, &name, Expression::text("pass"), hit);
        let miss = vec![
            Statement::Holds(is_array()),
            assign(),
            Statement::Not(found(results_name())),
        ];
        define(scope, item, &name, Expression::text("fail"), miss);
        results.push(Expression::call(name, vec![value.clone()]));
    }
    in_order(results)
}
