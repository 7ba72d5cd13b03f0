use std::time::Duration;

use serde_json::json;

use super::evaluate::{Budget, Document, Machine, Opinion, Program, RegoError};
use super::module::{Expression, Module, Rule, Statement};
use super::writer;
use crate::source::Span;

const BUDGET: Budget = Budget {
    instructions: 100_000,
    time: Duration::from_secs(5),
};

fn program(rules: Vec<Rule>) -> Program {
    let module = Module {
        package: vec!["regent".into(), "test".into()],
        comments: vec![],
        rules,
    };
    Program::compile(
        writer::write(&module).text,
        vec!["data.regent.test.answer".into()],
    )
    .expect("compiles")
}

fn answer(
    rules: Vec<Rule>,
    input: &serde_json::Value,
) -> Result<Option<serde_json::Value>, RegoError> {
    let mut machine = Machine::new(Opinion::BytecodeAndInterpreter, BUDGET);
    let answer = machine.run(&program(rules), 0, &Document::from_json(input))?;
    Ok(answer.map(|answer| answer.to_json().expect("JSON")))
}

struct Lcg(u64);

impl Lcg {
    fn next(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[test]
fn every_text_survives_rego() {
    let mut random = Lcg(11);
    let alphabet: Vec<char> =
        "\"\\\n\r\t\0\u{7f}\u{85}\u{a0}\u{2028}\u{feff}\u{fffd}\u{10ffff}😀é${}`'#/*x0 :=[]{}|&%"
            .chars()
            .collect();
    for round in 0..300 {
        let length = if round % 10 == 0 {
            3_000
        } else {
            random.next(12)
        };
        let text: String = (0..length)
            .map(|_| alphabet[random.next(alphabet.len())])
            .collect();
        let rule =
            Rule::value("answer", Expression::text(text.clone()), vec![]).comment(text.clone());
        assert_eq!(answer(vec![rule], &json!({})), Ok(Some(json!(text))));
    }
}

#[test]
fn odd_fields_are_reached_by_their_name() {
    for name in ["a.b/c", "data", "every", "", "\"]}", "0"] {
        let rule = Rule::value("answer", Expression::path(&["input", "x", name]), vec![]);
        assert_eq!(
            answer(vec![rule], &json!({"x": {name: 5}})),
            Ok(Some(json!(5)))
        );
    }
}

#[test]
fn undefined_is_no_answer() {
    let rule = Rule::value("answer", Expression::path(&["input", "absent"]), vec![]);
    assert_eq!(answer(vec![rule], &json!({})), Ok(None));
}

#[test]
fn builtins_answer_in_bytecode_and_interpreter_alike() {
    let call = |name: &str, arguments: Vec<Expression>| {
        vec![Rule::value(
            "answer",
            Expression::call(name, arguments),
            vec![],
        )]
    };
    let value = || Expression::path(&["input", "v"]);
    let matches = call("regent.scalar", vec![value(), Expression::text(">=1Gi")]);
    assert_eq!(
        answer(matches.clone(), &json!({"v": "2Gi"})),
        Ok(Some(json!("pass")))
    );
    assert_eq!(
        answer(matches, &json!({"v": "1Mi"})),
        Ok(Some(json!("fail")))
    );
    let wildcard = call("regent.wildcard", vec![value(), Expression::text("a?*")]);
    assert_eq!(
        answer(wildcard.clone(), &json!({"v": "abc"})),
        Ok(Some(json!(true)))
    );
    assert_eq!(answer(wildcard, &json!({"v": 5})), Ok(Some(json!(false))));
    let condition = call(
        "regent.condition",
        vec![
            value(),
            Expression::text("AnyIn"),
            Expression::Array(vec![Expression::text("x*")]),
        ],
    );
    assert_eq!(
        answer(condition, &json!({"v": "xy"})),
        Ok(Some(json!("true")))
    );
}

#[test]
fn every_some_and_collections_agree() {
    let each = Expression::name("c")
        .field("n")
        .compare(super::module::Operator::In, Expression::texts(["a", "b"]));
    let body = vec![Statement::Every(
        "c".into(),
        Expression::path(&["input", "cs"]),
        vec![Statement::Holds(each)],
    )];
    let rules = vec![
        Rule::value(
            "answer",
            Expression::text("all"),
            vec![Statement::Holds(Expression::name("all"))],
        ),
        Rule::value(
            "answer",
            Expression::text("not all"),
            vec![Statement::Not(Expression::name("all"))],
        ),
        Rule::holds("all", body),
    ];
    assert_eq!(
        answer(rules.clone(), &json!({"cs": [{"n": "a"}, {"n": "b"}]})),
        Ok(Some(json!("all")))
    );
    assert_eq!(
        answer(rules.clone(), &json!({"cs": [{"n": "a"}, {"n": "c"}]})),
        Ok(Some(json!("not all")))
    );
    assert_eq!(
        answer(rules.clone(), &json!({"cs": []})),
        Ok(Some(json!("all")))
    );
    assert_eq!(answer(rules, &json!({})), Ok(Some(json!("not all"))));
}

#[test]
fn a_program_that_takes_too_long_has_no_answer() {
    let squared = vec![
        Statement::Some("x".into(), Expression::path(&["input", "l"])),
        Statement::Some("y".into(), Expression::path(&["input", "l"])),
        Statement::Some("z".into(), Expression::path(&["input", "l"])),
        Statement::Holds(Expression::name("x").equals(Expression::name("y"))),
        Statement::Holds(Expression::name("y").equals(Expression::name("z"))),
        Statement::Holds(Expression::name("x").equals(Expression::count(0))),
    ];
    let rule = Rule::contains("answer", Expression::count(1), squared);
    let input = json!({"l": (1..200).collect::<Vec<i32>>()});
    let mut machine = Machine::new(Opinion::Bytecode, BUDGET);
    let ran = machine.run(&program(vec![rule]), 0, &Document::from_json(&input));
    assert_eq!(ran, Err(RegoError::LimitExceeded));
}

#[test]
fn lines_lead_back_to_the_policy() {
    let span = Span::new(5, 9);
    let module = Module {
        package: vec!["a".into()],
        comments: vec![],
        rules: vec![
            Rule::holds("x", vec![Statement::Holds(Expression::Bool(true))]),
            Rule::holds("y", vec![Statement::Holds(Expression::Bool(true))])
                .comment("line 5: y\nthe rest")
                .at(span),
        ],
    };
    let text = writer::write(&module);
    let line = text
        .text
        .lines()
        .position(|line| line.starts_with("y if"))
        .expect("y")
        + 1;
    assert_eq!(text.span_of(line), Some(span));
    assert_eq!(text.span_of(1), None);
    assert!(text.text.contains("# line 5: y the rest\n"));
}

/// A host function is called where a body, an `every`, a comprehension or a negation says, and never for a value that is not there.
#[test]
fn host_functions_are_called_in_place() {
    let matches = |value: Expression| {
        let status = Expression::call("regent.scalar", vec![value, Expression::text("a*")]);
        status.equals(Expression::text("pass"))
    };
    let values = || Expression::path(&["input", "values"]);
    let each = || vec![Statement::Holds(matches(Expression::name("one")))];
    let some = vec![
        Statement::Some("one".into(), values()),
        Statement::Holds(matches(Expression::name("one"))),
    ];
    let rules = vec![
        Rule::holds(
            "all",
            vec![Statement::Every("one".into(), values(), each())],
        ),
        Rule::value(
            "answer",
            Expression::text("all"),
            vec![Statement::Holds(Expression::name("all"))],
        ),
        Rule::value(
            "answer",
            Expression::Collect(Box::new(Expression::name("one")), some),
            vec![Statement::Not(Expression::name("all"))],
        ),
    ];
    for (values, expected) in [
        (json!(["ab", "a"]), json!("all")),
        (json!(["ab", "b", ["a"]]), json!(["ab", ["a"]])),
        (json!([]), json!("all")),
    ] {
        let input = json!({"values": values});
        assert_eq!(answer(rules.clone(), &input), Ok(Some(expected)));
    }
    let absent = Expression::call(
        "regent.scalar",
        vec![
            Expression::path(&["input", "absent"]),
            Expression::text("*"),
        ],
    );
    let rule = Rule::value("answer", absent, vec![]);
    assert_eq!(answer(vec![rule], &json!({})), Ok(None));
}

/// As deep as a policy may be nested, with a function for each level and more, bytecode stays within a thread's stack.
#[test]
fn functions_may_call_each_other_deeply() {
    const DEPTH: usize = 400;
    let mut rules: Vec<Rule> = (0..DEPTH)
        .map(|level| {
            let below = Expression::call(format!("f_{}", level + 1), vec![Expression::name("x")]);
            Rule::function(format!("f_{level}"), &["x"], below, vec![])
        })
        .collect();
    let last = Expression::call(
        "regent.scalar",
        vec![Expression::name("x"), Expression::text("?*")],
    );
    rules.push(Rule::function(format!("f_{DEPTH}"), &["x"], last, vec![]));
    let first = Expression::call("f_0", vec![Expression::text("x")]);
    rules.push(Rule::value("answer", first, vec![]));
    let mut machine = Machine::new(Opinion::Bytecode, BUDGET);
    let answer = machine.run(&program(rules), 0, &Document::from_json(&json!({})));
    let answer = answer.map(|answer| answer.and_then(|answer| answer.to_json()));
    assert_eq!(answer, Ok(Some(json!("pass"))));
}
