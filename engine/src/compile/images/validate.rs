//! `validate` of an entry as Rego: what is denied once the image is verified.
//!
//! The host asks `counted` for the statements that count, has `denied` judged for each choice of one for each name, and
//! gives the answers back as `input.denied`. Nothing that was not said to be harmless passes.

use crate::ast::evidence::Choice;
use crate::ast::verify_images::ImageValidate;
use crate::compile::scope::Scope;
use crate::compile::{condition, text};
use crate::program::{ImageDemand, Judged};
use crate::rego::module::{Expression, Operator, Rule, Statement};

use super::{Counted, used_name};

/// Writes `counted`, which has a value where the image is verified, and `denied`.
pub(in crate::compile) fn compile(
    scope: &mut Scope,
    written: &ImageValidate,
    views: &[Counted],
) -> ImageDemand {
    let mut sets = Vec::new();
    for (view, counted) in views.iter().enumerate() {
        let name = format!("counted_{view}");
        let one = || Expression::name("one");
        let mut body = match counted {
            Counted::All(among) => {
                let satisfied = Expression::name(format!("satisfied_{view}"));
                vec![
                    Statement::Holds(satisfied),
                    Statement::Some("one".into(), among.clone()),
                ]
            }
            Counted::Good(_) => {
                let used = Expression::name(used_name(view));
                vec![Statement::Some("one".into(), used)]
            }
        };
        if let Counted::Good(good) = counted {
            body.extend(good.iter().cloned());
        }
        scope.rules.push(Rule::contains(&name, one(), body));
        sets.push(Expression::name(name));
    }
    let verified = vec![Statement::Holds(Expression::name("verified"))];
    let counted = Rule::value("counted", Expression::Array(sets), verified);
    scope.rules.push(counted.at(written.span));
    let conditions = written.deny.conditions.as_ref();
    let what = conditions.map(|conditions| condition::compile(scope, "denied", conditions));
    if what.is_none() {
        let always = Rule::value("denied", Expression::text("true"), Vec::new());
        scope.rules.push(always.at(written.deny.span));
    }
    ImageDemand {
        message: written.message.as_ref().map(text::text),
        deny: Judged {
            what,
            slots: std::mem::take(&mut scope.slots),
        },
    }
}

/// The answers of `verdict` for what is verified, by those of `denied`.
pub(super) fn verdicts(scope: &mut Scope, choice: Choice) {
    let answers = |text: &str| {
        let answer = || Expression::name("answer");
        let body = vec![
            Statement::Some("answer".into(), denied()),
            Statement::Holds(answer().equals(Expression::text(text))),
        ];
        let all = Expression::Collect(Box::new(answer()), body);
        Expression::call("count", vec![all])
    };
    for (name, text) in [("refused", "true"), ("harmless", "false")] {
        scope
            .rules
            .push(Rule::value(name, answers(text), Vec::new()));
    }
    let all = || Expression::call("count", vec![denied()]);
    let name = |text: &str| Expression::name(text);
    let none = |counted: Expression| counted.equals(Expression::count(0));
    let some = |counted: Expression| counted.compare(Operator::More, Expression::count(0));
    let bodies = match choice {
        Choice::All | Choice::Latest => vec![
            ("pass", vec![some(all()), name("harmless").equals(all())]),
            ("fail", vec![some(name("refused"))]),
            (
                "error",
                vec![
                    none(name("refused")),
                    name("harmless").compare(Operator::NotEqual, all()),
                ],
            ),
            ("error", vec![none(all())]),
        ],
        Choice::Any => vec![
            ("pass", vec![some(name("harmless"))]),
            ("fail", vec![none(name("harmless")), some(name("refused"))]),
            ("error", vec![none(name("harmless")), none(name("refused"))]),
        ],
    };
    for (answer, holds) in bodies {
        let verified = Statement::Holds(Expression::name("verified"));
        let holds = holds.into_iter().map(Statement::Holds);
        let body = std::iter::once(verified).chain(holds).collect();
        scope
            .rules
            .push(Rule::value("verdict", Expression::text(answer), body));
    }
}

fn denied() -> Expression {
    Expression::path(&["input", "denied"])
}
