//! What is said of a `validate` rule, in the shapes of `reference/kyverno.md` §1.5.

use std::sync::Arc;

use serde_json::Value;

use crate::evaluation::Names;
use crate::pattern::{self, Mismatch, Status};
use crate::response::RuleStatus;
use crate::template::{Template, Text};

/// What the author wants said.
pub(crate) struct Said<'a> {
    /// The rule's name.
    pub(crate) rule: &'a str,
    /// The rule's message.
    pub(crate) message: Option<&'a Text>,
}

const NO_TEXT: &str =
    "the produced message didn't resolve to a string, check your policy definition.";

impl Said<'_> {
    /// Of a rule that passed.
    pub(crate) fn passed(&self) -> String {
        format!("validation rule '{}' passed.", self.rule)
    }

    /// Of conditions that hold; `messages` are theirs.
    pub(crate) fn denied(&self, messages: &str, names: &Names<'_>) -> String {
        let Some(message) = self.written() else {
            return if messages.is_empty() {
                format!("validation error: rule {} failed", self.rule)
            } else {
                messages.to_owned()
            };
        };
        let said = match names.text(message) {
            Ok(Value::String(text)) => text,
            Ok(_) => NO_TEXT.to_owned(),
            // Kyverno says nothing then; that it was denied is said all the same.
            Err(_) => String::new(),
        };
        if messages.is_empty() {
            said
        } else {
            format!("{said}; {messages}")
        }
    }

    fn written(&self) -> Option<&Text> {
        self.message.filter(|message| !message.raw().is_empty())
    }

    /// The author's message with a full stop, or what is said instead.
    fn sentence(&self, names: &Names<'_>) -> Result<Option<String>, String> {
        let Some(message) = self.written() else {
            return Ok(None);
        };
        match names.text(message) {
            Ok(Value::String(text)) if text.ends_with('.') => Ok(Some(text)),
            Ok(Value::String(text)) => Ok(Some(format!("{text}."))),
            Ok(_) => Err(NO_TEXT.to_owned()),
            Err(error) => Err(format!(
                "validation error: variables substitution error in rule {} execution error: {error}",
                self.rule
            )),
        }
    }

    /// `validation error: ` with the author's message, and what went wrong.
    fn failed(&self, what: &str, names: &Names<'_>) -> String {
        match self.sentence(names) {
            Ok(Some(sentence)) => format!("validation error: {sentence} {what}"),
            Ok(None) => format!("validation error: {what}"),
            Err(instead) => instead,
        }
    }
}

/// What is said of an image that is denied: the author's message, and those of the conditions.
pub(crate) fn joined_message(
    message: Option<&Text>,
    conditions: &str,
    names: &Names<'_>,
) -> String {
    let written = message.filter(|message| !message.raw().is_empty());
    let said = written.map(|message| match names.text(message) {
        Ok(Value::String(text)) => text,
        Ok(_) => NO_TEXT.to_owned(),
        Err(_) => String::new(),
    });
    let parts = [said.as_deref().unwrap_or(""), conditions];
    let parts: Vec<&str> = parts.into_iter().filter(|text| !text.is_empty()).collect();
    if parts.is_empty() {
        "its attestations are denied".to_owned()
    } else {
        parts.join("; ")
    }
}

/// Patterns, walked again to say what they found.
pub(crate) struct Patterns<'a> {
    pub(crate) said: &'a Said<'a>,
    pub(crate) names: &'a Names<'a>,
    pub(crate) written: &'a [Arc<Template>],
    /// Whether one of them is enough.
    pub(crate) is_any: bool,
    pub(crate) resource: &'a Value,
}

impl Patterns<'_> {
    /// The message of a verdict.
    pub(crate) fn message(&self, status: RuleStatus) -> String {
        let rule = self.said.rule;
        if status == RuleStatus::Pass && !self.is_any {
            return self.said.passed();
        }
        let walks = self.written.iter().map(|pattern| self.walk(pattern));
        if status == RuleStatus::Pass {
            let index = { walks }.position(|walk| walk.is_ok()).unwrap_or(0);
            return format!("validation rule '{rule}' anyPattern[{index}] passed.");
        }
        let walks: Vec<Result<(), Mismatch>> = walks.collect();
        match status {
            RuleStatus::Skip if self.is_any => {
                let skipped = each(&walks, |index, mismatch| {
                    let skipped = matches!(mismatch.status, Status::Skip | Status::Nested);
                    skipped.then(|| format!("rule {rule}[{index}] skipped: {}", mismatch.reason))
                });
                skipped.join(" ")
            }
            RuleStatus::Fail | RuleStatus::Warn if self.is_any => {
                let failed = each(&walks, |index, mismatch| self.failed(index, mismatch));
                self.said.failed(&failed.join(" "), self.names)
            }
            _ => self.of_one(walks.first(), status),
        }
    }

    fn walk(&self, pattern: &Template) -> Result<(), Mismatch> {
        match self.names.value(pattern) {
            Ok(pattern) => pattern::walk(&pattern, self.resource),
            Err(error) => Err(Mismatch {
                status: Status::Fail,
                path: String::new(),
                reason: error.to_string(),
            }),
        }
    }

    fn failed(&self, index: usize, mismatch: &Mismatch) -> Option<String> {
        let rule = self.said.rule;
        match mismatch.status {
            Status::Skip | Status::Nested => None,
            Status::Fail | Status::Forbidden | Status::Broken if self.is_error(index, mismatch) => {
                Some(format!("rule {rule}[{index}] failed: {}", mismatch.reason))
            }
            Status::Fail | Status::Forbidden | Status::Broken => Some(format!(
                "rule {rule}[{index}] failed at path {}",
                mismatch.path
            )),
        }
    }

    /// Whether keys of anchors are missing, so that there is no path to say.
    fn is_error(&self, index: usize, mismatch: &Mismatch) -> bool {
        let pattern = self
            .written
            .get(index)
            .and_then(|pattern| self.names.value(pattern).ok());
        mismatch.path.is_empty()
            || (mismatch.status == Status::Fail
                && pattern
                    .is_some_and(|pattern| pattern::keys_are_missing(&pattern, self.resource)))
    }

    fn of_one(&self, walk: Option<&Result<(), Mismatch>>, status: RuleStatus) -> String {
        let rule = self.said.rule;
        let Some(Err(mismatch)) = walk else {
            // The program says otherwise: it counts, and there is no place to name.
            return self.said.failed(&format!("rule {rule} failed"), self.names);
        };
        match status {
            RuleStatus::Skip => mismatch.reason.clone(),
            RuleStatus::Error => self.said.failed(
                &format!("rule {rule} execution error: {}", mismatch.reason),
                self.names,
            ),
            RuleStatus::Pass | RuleStatus::Fail | RuleStatus::Warn => self.said.failed(
                &format!("rule {rule} failed at path {}", mismatch.path),
                self.names,
            ),
        }
    }
}

fn each(
    walks: &[Result<(), Mismatch>],
    mut say: impl FnMut(usize, &Mismatch) -> Option<String>,
) -> Vec<String> {
    walks
        .iter()
        .enumerate()
        .filter_map(|(index, walk)| say(index, walk.as_ref().err()?))
        .collect()
}
