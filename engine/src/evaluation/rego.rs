//! `validate.rego`: what modules found goes to the rule's program, which says what follows from it.

use serde_json::{Value, json};

use crate::limits;
use crate::program::{self, Policy, RegoModules, Rule};
use crate::rego::evaluate::Document;
use crate::rego::foreign::Foreign;
use crate::response::{Details, RuleStatus};

use super::names::Names;
use super::rule::{Answer, Context, unexpected};

/// The most violations of which something is said; the others are counted.
const MAX_MESSAGES: usize = 20;

/// The most violations that are kept one by one.
const MAX_DETAILS: usize = 1_000;

/// The longest text of a module that is passed on, in characters.
const MAX_TEXT: usize = 1_000;

impl Context<'_> {
    /// The answer of a rule; none as long as facts are outstanding.
    pub(super) fn ask_modules(
        &mut self,
        (policy, rule): (&Policy, &Rule),
        modules: &RegoModules,
        names: &Names<'_>,
    ) -> Option<(Answer, Option<Box<Details>>)> {
        let found = self.modules_with_data(modules)?;
        let found = found.and_then(|foreign| self.violations(modules, &foreign));
        let input = self.documents.modules(document(&found));
        let status = match self.ask(&rule.program, program::VERDICT, &input).as_deref() {
            Ok("pass") => RuleStatus::Pass,
            Ok("fail") => RuleStatus::Fail,
            Ok("error") => RuleStatus::Error,
            Ok(other) => return Some((Answer::new(RuleStatus::Error, unexpected(other)), None)),
            Err(message) => return Some((Answer::new(RuleStatus::Error, message), None)),
        };
        let name = policy.rule_ast(rule).map_or("", |ast| &ast.name.value);
        let message = match (status, &found) {
            (RuleStatus::Pass, _) => format!("validation rule '{name}' passed."),
            (_, Ok(violations)) => failed(modules, violations, names),
            (_, Err(error)) => format!("the modules of rule {name} gave no answer: {error}"),
        };
        self.trace_module(status, &message);
        let violations = found.ok().filter(|found| !found.is_empty());
        let details = violations.map(|found| {
            Box::new(Details {
                violations: found.into_iter().take(MAX_DETAILS).collect(),
                ..Details::default()
            })
        });
        Some((Answer::new(status, message), details))
    }

    /// The violations that modules found.
    fn violations(&self, modules: &RegoModules, foreign: &Foreign) -> Result<Vec<String>, String> {
        let input = self.documents.review(self.request, &modules.parameters);
        let time = (self.environment.nanoseconds_since_1970(), limits::FOREIGN);
        let answer = foreign.answer(&input, time);
        let answer = answer.map_err(|error| error.to_string())?;
        let answer = answer.ok_or("the rule that answers is undefined")?;
        let answer = answer.to_json();
        violations(&answer.ok_or("what the rule that answers says is no JSON")?)
    }
}

/// What an answer says: the messages of violations, or why it says nothing.
///
/// A list or set of violations, each a text or `{msg}` (Gatekeeper, conftest); a boolean, true where the resource is as
/// demanded; or `{allowed}` of an `AdmissionReview`, below `response` or not (OPA's own webhook).
fn violations(answer: &Value) -> Result<Vec<String>, String> {
    let unknown = || {
        format!(
            "the rule that answers gives neither violations nor a boolean, but {}",
            kind_of(answer)
        )
    };
    match answer {
        Value::Array(found) => found.iter().map(violation).collect(),
        Value::Bool(true) => Ok(Vec::new()),
        Value::Bool(false) => Ok(vec![String::new()]),
        Value::Object(fields) => {
            let response = fields.get("response").unwrap_or(answer);
            match response.get("allowed") {
                Some(Value::Bool(true)) => Ok(Vec::new()),
                Some(Value::Bool(false)) => {
                    let status = response.get("status");
                    let text = |name: &str| status?.get(name)?.as_str();
                    let message = text("message").or_else(|| text("reason"));
                    Ok(vec![clean(message.unwrap_or(""))])
                }
                _ => Err(unknown()),
            }
        }
        Value::Null | Value::Number(_) | Value::String(_) => Err(unknown()),
    }
}

fn violation(found: &Value) -> Result<String, String> {
    let message = match found {
        Value::String(text) => Some(text.as_str()),
        Value::Object(fields) => {
            let message = fields.get("msg").or_else(|| fields.get("message"));
            message.and_then(Value::as_str)
        }
        _ => None,
    };
    let message = message.map(clean);
    message.ok_or_else(|| {
        format!(
            "a violation is neither a text nor has a text `msg`, but is {}",
            kind_of(found)
        )
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A module's text as it is passed on: without control characters, and not without end.
fn clean(text: &str) -> String {
    let printable = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    let mut cleaned: String = text.chars().take(MAX_TEXT).map(printable).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        cleaned.push('…');
    }
    cleaned
}

/// What is said of violations.
fn failed(modules: &RegoModules, violations: &[String], names: &Names<'_>) -> String {
    let said = modules.message.as_ref().map(|message| names.text(message));
    let mut said: Vec<String> = match said {
        Some(Ok(Value::String(text))) if !text.is_empty() => vec![text],
        _ => Vec::new(),
    };
    let told = violations.iter().filter(|text| !text.is_empty());
    said.extend(told.take(MAX_MESSAGES).cloned());
    if let Some(more @ 1..) = violations.len().checked_sub(MAX_MESSAGES) {
        said.push(format!("and {more} more"));
    }
    if said.is_empty() {
        said.push("the modules do not allow it".to_owned());
    }
    said.join("; ")
}

/// `input.modules`.
fn document(found: &Result<Vec<String>, String>) -> Document {
    let violations = found.as_ref().map_or(&[][..], Vec::as_slice);
    Document::from_json(&json!({"answered": found.is_ok(), "violations": violations}))
}
