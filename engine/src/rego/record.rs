//! What programs were asked and what they answered, kept where somebody wants to know: another engine can be asked the same.

use super::evaluate::{Document, Program, RegoError, interpret};

/// One question to a program, and its answer.
#[derive(Debug, Clone)]
pub struct Asked {
    pub(super) program: Program,
    pub(super) entry_point: usize,
    pub(super) input: Document,
    pub(super) answer: Result<Option<Document>, RegoError>,
}

impl Asked {
    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The path of the rule that was asked, as in `data.regent.x_policy.x_rule.verdict`.
    pub fn entry_point(&self) -> &str {
        self.program.entry_point(self.entry_point).unwrap_or("")
    }

    /// The input document.
    pub fn input(&self) -> &Document {
        &self.input
    }

    /// The answer; none where it is undefined.
    pub fn answer(&self) -> &Result<Option<Document>, RegoError> {
        &self.answer
    }

    /// What the interpreter answers to the same question, over the same text.
    pub fn second_opinion(&self) -> Result<Option<Document>, RegoError> {
        interpret(&self.program, self.entry_point, &self.input)
    }
}
