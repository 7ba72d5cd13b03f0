//! A suite, typed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::go_regex;
use regent_engine::source::{Source, Span};
use regent_engine::yaml::{Node, Value};
use regex::Regex;

use super::API_VERSION;
use crate::offline::decode::{Fields, Problems};
use crate::offline::documents::Documents;

/// A suite.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) path: PathBuf,
    pub(super) source: Arc<Source>,
    pub(super) tests: Vec<Test>,
}

/// A template and a constraint, and what becomes of some objects.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) span: Span,
    pub(super) name: String,
    pub(super) template: String,
    pub(super) constraint: String,
    /// Whether other resources are to be generated from the objects, which nothing does here.
    pub(super) expands: bool,
    /// Whether template or constraint must be refused.
    pub(super) invalid: bool,
    pub(super) skip: bool,
    pub(super) cases: Vec<Case>,
}

/// An object, and what is expected of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) span: Span,
    pub(super) name: String,
    pub(super) object: String,
    pub(super) inventory: Vec<String>,
    pub(super) assertions: Vec<Assertion>,
    pub(super) skip: bool,
}

/// How many violations say something.
#[derive(Debug)]
pub(super) struct Assertion {
    pub(super) count: Count,
    /// What they say; any of them where there is none.
    pub(super) message: Option<Regex>,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// At least one.
    Some,
    /// None.
    None,
    /// So many.
    Exactly(u64),
}

impl Suite {
    pub(super) fn of(path: &Path, documents: Documents) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Problems::new(&documents.source);
        let mut tests = Vec::new();
        for node in &documents.nodes {
            tests.extend(read_suite(node, &mut problems));
        }
        if problems.found.is_empty() {
            Ok(Self {
                path: path.to_owned(),
                source: documents.source,
                tests,
            })
        } else {
            Err(problems.found)
        }
    }

    /// The folder that its paths start from.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

impl Case {
    /// What is expected, in a few words.
    pub(super) fn expected(&self) -> String {
        let assertions = self.assertions.iter();
        let texts: Vec<String> = assertions.map(Assertion::describe).collect();
        texts.join(", ")
    }
}

impl Assertion {
    fn describe(&self) -> String {
        let count = match self.count {
            Count::Some => "violations".to_owned(),
            Count::None => "no violations".to_owned(),
            Count::Exactly(count) => format!("{count} violations"),
        };
        match &self.message {
            Some(message) => format!("{count} of `{message}`"),
            None => count,
        }
    }

    /// What is wrong, if some messages are not as expected.
    pub(super) fn check(&self, messages: &[String]) -> Option<String> {
        let said = messages.iter();
        let said = said.filter(|text| self.message.as_ref().is_none_or(|one| one.is_match(text)));
        let found = said.count() as u64;
        let holds = match self.count {
            Count::Some => found > 0,
            Count::None => found == 0,
            Count::Exactly(count) => found == count,
        };
        (!holds).then(|| format!("expected {}, found {found}", self.describe()))
    }
}

fn read_suite(node: &Node, problems: &mut Problems) -> Vec<Test> {
    let mut fields = Fields::open(node, "the suite", problems);
    let version = fields.text("apiVersion", problems);
    let kind = fields.text("kind", problems);
    fields.node("metadata");
    let skip = fields.flag("skip", problems);
    let nodes = fields.list("tests", problems);
    if version.as_deref() != Some(API_VERSION) || kind.as_deref() != Some("Suite") {
        let message = format!("this is no `Suite` of `{API_VERSION}`");
        problems.error(Code::InvalidValue, node.span, message);
        return Vec::new();
    }
    fields.finish(problems);
    let tests = nodes.iter().map(|node| read_test(node, problems));
    let mut tests: Vec<Test> = tests.collect();
    for test in &mut tests {
        test.skip |= skip;
    }
    tests
}

fn read_test(node: &Node, problems: &mut Problems) -> Test {
    let mut fields = Fields::open(node, "the test", problems);
    let name = fields.text("name", problems);
    let template = named(&mut fields, "template", node, problems);
    let constraint = named(&mut fields, "constraint", node, problems);
    let expands = fields.node("expansion").is_some();
    let invalid = fields.flag("invalid", problems);
    let skip = fields.flag("skip", problems);
    let cases = fields.list("cases", problems);
    fields.finish(problems);
    Test {
        span: node.span,
        name: name.unwrap_or_default(),
        template,
        constraint,
        expands,
        invalid,
        skip,
        cases: cases.iter().map(|node| read_case(node, problems)).collect(),
    }
}

/// A path that must be there, and is relative.
fn named(
    fields: &mut Fields<'_>,
    name: &'static str,
    node: &Node,
    problems: &mut Problems,
) -> String {
    match fields.text(name, problems) {
        None => {
            problems.error(
                Code::MissingField,
                node.span,
                format!("there is no `{name}`"),
            );
            String::new()
        }
        Some(path) => {
            if Path::new(&path).is_absolute() {
                let message = format!("`{name}` must be relative to the suite");
                problems.error(Code::InvalidValue, node.span, message);
            }
            path
        }
    }
}

fn read_case(node: &Node, problems: &mut Problems) -> Case {
    let mut fields = Fields::open(node, "the case", problems);
    let name = fields.text("name", problems);
    let object = named(&mut fields, "object", node, problems);
    let inventory = fields.texts("inventory", problems);
    let skip = fields.flag("skip", problems);
    let written = fields.list("assertions", problems);
    if written.is_empty() {
        let message = "the case asserts nothing";
        problems.error(Code::MissingField, node.span, message);
    }
    fields.finish(problems);
    let assertions = written
        .iter()
        .filter_map(|node| read_assertion(node, problems));
    Case {
        span: node.span,
        name: name.unwrap_or_else(|| object.clone()),
        assertions: assertions.collect(),
        object,
        inventory,
        skip,
    }
}

fn read_assertion(node: &Node, problems: &mut Problems) -> Option<Assertion> {
    let mut fields = Fields::open(node, "the assertion", problems);
    let count = fields.node("violations");
    let message = fields.node("message");
    fields.finish(problems);
    let count = match count.map(|node| (&node.value, node.span)) {
        None | Some((Value::Bool(true), _)) => Some(Count::Some),
        Some((Value::Bool(false), _)) => Some(Count::None),
        Some((Value::String(text), _)) if text == "yes" => Some(Count::Some),
        Some((Value::String(text), _)) if text == "no" => Some(Count::None),
        Some((Value::Number(number), _)) if number.is_u64() => number.as_u64().map(Count::Exactly),
        Some((_, span)) => {
            let message = "`violations` is `yes`, `no`, or how many there are";
            problems.error(Code::InvalidValue, span, message);
            None
        }
    };
    let message = match message {
        None => None,
        Some(node) => {
            let pattern = node.as_str().map(go_regex::compile);
            let Some(Ok(pattern)) = pattern else {
                let message = "`message` is no regular expression";
                problems.error(Code::InvalidRegex, node.span, message);
                return None;
            };
            Some(pattern)
        }
    };
    Some(Assertion {
        count: count?,
        message,
    })
}
