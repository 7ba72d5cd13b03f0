use super::super::evaluate::{Document, Machine, Opinion, Program};
use super::*;
use crate::limits;

fn program(package: &str, comment: &str, answer: &str) -> Program {
    let text = format!(
        "# {comment}\npackage regent.{package}\n\nimport rego.v1\n\n# {comment}\nverdict := \"{answer}\" if {{\n\tinput.x\n}}\n"
    );
    let entry_point = format!("data.regent.{package}.verdict");
    Program::compile(text, vec![entry_point]).expect("compiles")
}

#[test]
fn what_says_the_same_is_compiled_once() {
    let all = sharing(|| {
        [
            program("a", "of one", "pass"),
            program("b", "of another", "pass"),
            program("c", "of one", "fail"),
        ]
    });
    let [one, same, other] = &all;
    assert!(one.shares_bytecode_with(same) && !one.shares_bytecode_with(other));
    assert!(!one.is(same) && one.text() != same.text());
    let alone = program("a", "of one", "pass");
    assert!(!alone.shares_bytecode_with(one));
    // Each answers for itself, by bytecode and by the interpreter over its own text.
    let mut machine = Machine::new(Opinion::BytecodeAndInterpreter, limits::PROGRAM);
    let input = Document::object([("x", Document::flag(true))]);
    for (program, answer) in all.iter().zip(["pass", "pass", "fail"]) {
        let said = machine.run(program, 0, &input).expect("runs");
        assert_eq!(said.expect("an answer").as_text(), Some(answer));
    }
}
