//! Functions over lists of statuses, which every pattern's module has.

use crate::rego::module::{Expression, Operator, Rule, Statement};

fn results() -> Expression {
    Expression::name("results")
}

fn among(status: &str) -> Expression {
    Expression::text(status).compare(Operator::In, results())
}

/// Those results that are one of some statuses, as `name`.
fn those(name: &str, statuses: &[&str]) -> Statement {
    let body = vec![
        Statement::Some("one".into(), results()),
        Statement::Holds(
            Expression::name("one")
                .compare(Operator::In, Expression::texts(statuses.iter().copied())),
        ),
    ];
    Statement::Assign(
        name.into(),
        Expression::Collect(Box::new(Expression::name("one")), body),
    )
}

fn some_of(name: &str) -> Statement {
    let count = Expression::call("count", vec![Expression::name(name)]);
    Statement::Holds(count.compare(Operator::More, Expression::count(0)))
}

fn none_of(name: &str) -> Statement {
    let count = Expression::call("count", vec![Expression::name(name)]);
    Statement::Holds(count.equals(Expression::count(0)))
}

fn first(name: &str) -> Expression {
    Expression::Index(
        Box::new(Expression::name(name)),
        Box::new(Expression::count(0)),
    )
}

const HARD: &[&str] = &["fail", "forbidden", "broken"];
pub(super) const SKIPS: &[&str] = &["skip", "nested"];

/// All functions.
pub(super) fn rules() -> Vec<Rule> {
    let mut rules = in_order();
    rules.extend(anchored());
    rules.extend(each());
    rules.extend(of_one());
    rules
}

fn function(name: &str, value: Expression, body: Vec<Statement>) -> Rule {
    Rule::function(name, &["results"], value, body)
}

fn in_order() -> Vec<Rule> {
    const OTHER: &[&str] = &["fail", "forbidden", "broken", "skip", "nested"];
    vec![
        function(
            "in_order",
            first("others"),
            vec![those("others", OTHER), some_of("others")],
        )
        .comment("The first status that is not a pass."),
        function(
            "in_order",
            Expression::text("pass"),
            vec![those("others", OTHER), none_of("others")],
        ),
    ]
}

/// Anchors of one map: where one skips, failures of the others do not count.
fn anchored() -> Vec<Rule> {
    let pass = || Expression::text("pass");
    let nested = || Expression::text("nested");
    let skips = || vec![those("skips", SKIPS), some_of("skips")];
    let with = |mut body: Vec<Statement>, more: Vec<Statement>| {
        body.extend(more);
        body
    };
    let forbidden = || {
        vec![
            Statement::Not(among("skip")),
            Statement::Holds(among("forbidden")),
        ]
    };
    let no_skips = || vec![those("skips", SKIPS), none_of("skips"), those("hard", HARD)];
    vec![
        function(
            "anchored",
            first("hard"),
            with(no_skips(), vec![some_of("hard")]),
        )
        .comment("Anchors of one map: beside one that skips, failures do not count."),
        function("anchored", pass(), with(no_skips(), vec![none_of("hard")])),
        function(
            "anchored",
            Expression::text("forbidden"),
            with(skips(), forbidden()),
        ),
        function(
            "anchored",
            nested(),
            with(skips(), vec![Statement::Holds(among("skip"))]),
        ),
        function(
            "anchored",
            nested(),
            with(
                skips(),
                vec![
                    Statement::Not(among("skip")),
                    Statement::Not(among("forbidden")),
                    Statement::Not(among("pass")),
                ],
            ),
        ),
        function(
            "anchored",
            pass(),
            with(
                skips(),
                vec![
                    Statement::Not(among("skip")),
                    Statement::Not(among("forbidden")),
                    Statement::Holds(among("pass")),
                ],
            ),
        ),
    ]
}

/// Elements of one list: those that skip do not count, unless all do.
fn each() -> Vec<Rule> {
    let no_hard = || vec![those("hard", HARD), none_of("hard")];
    let with = |mut body: Vec<Statement>, more: Vec<Statement>| {
        body.extend(more);
        body
    };
    let skips = || those("skips", SKIPS);
    vec![
        function(
            "each",
            first("hard"),
            vec![those("hard", HARD), some_of("hard")],
        )
        .comment("Elements of one list: those that skip do not count, unless all do."),
        function(
            "each",
            Expression::text("pass"),
            with(no_hard(), vec![Statement::Holds(among("pass"))]),
        ),
        function(
            "each",
            Expression::text("pass"),
            with(
                no_hard(),
                vec![Statement::Not(among("pass")), skips(), none_of("skips")],
            ),
        ),
        function(
            "each",
            Expression::text("nested"),
            with(
                no_hard(),
                vec![Statement::Not(among("pass")), skips(), some_of("skips")],
            ),
        ),
    ]
}

/// Functions of one status or value.
fn of_one() -> Vec<Rule> {
    let one = |name: &str, value: Expression, condition: Expression| {
        Rule::function(name, &["one"], value, vec![Statement::Holds(condition)])
    };
    let is = |text: &str| Expression::name("one").equals(Expression::text(text));
    let is_not =
        |text: &str| Expression::name("one").compare(Operator::NotEqual, Expression::text(text));
    let null = |operator| Expression::name("one").compare(operator, Expression::Null);
    let empty = |operator| {
        let count = Expression::call("count", vec![Expression::name("one")]);
        count.compare(operator, Expression::count(0))
    };
    vec![
        one("or_skip", Expression::text("pass"), is("pass"))
            .comment("A condition that does not hold skips."),
        one("or_skip", Expression::text("skip"), is_not("pass")),
        one(
            "present",
            Expression::text("pass"),
            null(Operator::NotEqual),
        )
        .comment("There, and not null."),
        one("present", Expression::text("fail"), null(Operator::Equal)),
        one("or_null", Expression::name("one"), empty(Operator::More))
            .comment("What is not there counts as null."),
        one(
            "or_null",
            Expression::Array(vec![Expression::Null]),
            empty(Operator::Equal),
        ),
        function(
            "one_passes",
            Expression::text("pass"),
            vec![Statement::Holds(among("pass"))],
        )
        .comment("One of them is enough."),
        function(
            "one_passes",
            Expression::text("fail"),
            vec![Statement::Not(among("pass"))],
        ),
    ]
}
