//! The conditions of attestations: which statements they are judged for, and what they say of each.

use serde_json::{Value, json};

use crate::ast::verify_images::{SLSA_V1, SLSA_V02};
use crate::evaluation::names::{Builder, Predicate};
use crate::evaluation::values::Values;
use crate::explain;
use crate::image::Evidence;
use crate::image::evidence::VerifiedStatement;
use crate::program;
use crate::program::evidence::View;
use crate::rego::evaluate::Document;

use super::{UNKNOWN, Verifier};

/// The most statements whose conditions are judged before it is known which of them are used.
const MOST_AT_ONCE: usize = 4;

/// What conditions said.
pub(super) struct Conditions {
    /// For each view the statements that are used, as source and index.
    pub(super) used: Vec<Vec<(usize, usize)>>,
    /// For each view, source and statement the answer; null where it is not used.
    pub(super) results: Value,
    /// The first error.
    pub(super) error: Option<String>,
}

/// Answers of one view by source and statement, and the first error.
type Answers = (Vec<Vec<Value>>, Option<String>);

impl Verifier<'_, '_> {
    /// What the conditions said, where the image passes and that can be found in one run of the program.
    ///
    /// Which statements are used is known only after a run, and the conditions of those that are not used count for
    /// nothing: so where there are few, all that might be used are judged first. A refusal, an error and everything
    /// that is to be explained is left to the other way, which judges nothing that is not used.
    pub(super) fn passes_at_once(
        &mut self,
        evidence: &[&Evidence],
        facts: &[(&'static str, Document)],
    ) -> Option<Conditions> {
        if self.program.validate.is_some() || !self.asks_nobody || self.context.is_traced() {
            return None;
        }
        let views = &self.program.views;
        let candidates: Vec<_> = views
            .iter()
            .map(|view| self.candidates(view, evidence))
            .collect();
        if candidates.iter().map(Vec::len).sum::<usize>() > MOST_AT_ONCE {
            return None;
        }
        let mut results = Vec::new();
        for (view, candidates) in views.iter().zip(&candidates) {
            match self.view(view.attestation, candidates, evidence)? {
                Ok((of_sources, None)) => results.push(of_sources),
                Ok((_, Some(_))) | Err(_) => return None,
            }
        }
        let results = json!(results);
        let conditions = ("conditions", Document::from_json(&results));
        let input = Document::object(facts.iter().cloned().chain([conditions]));
        let run = self
            .context
            .machine
            .run(&self.program.program, program::IMAGE_PASSED, &input);
        let used = run.ok()??;
        Some(Conditions {
            used: read_used(&used)?,
            results,
            error: None,
        })
    }

    /// The statements of a view's sources that are of its type, or of the other SLSA version.
    fn candidates(&self, view: &View, evidence: &[&Evidence]) -> Vec<(usize, usize)> {
        let attestation = self.ast.attestations.get(view.attestation);
        let asked = attestation.map_or("", |one| one.predicate_type.value.as_str());
        let is_slsa = |text: &str| matches!(text, SLSA_V1 | SLSA_V02);
        let may_answer = |statement: &VerifiedStatement| {
            let found = statement.predicate_type.as_str();
            found == asked || (is_slsa(found) && is_slsa(asked))
        };
        let of_source = |source: usize| {
            let statements = evidence.get(source).map_or(&[][..], |one| &one.statements);
            let with_index = statements.iter().enumerate();
            with_index
                .filter(|(_, statement)| may_answer(statement))
                .map(move |(index, _)| (source, index))
                .collect::<Vec<_>>()
        };
        view.sources
            .iter()
            .flat_map(|source| of_source(*source))
            .collect()
    }

    /// Judges the conditions of each attestation for each statement that is used; none as long as facts are outstanding.
    pub(super) fn conditions(
        &mut self,
        evidence: &[&Evidence],
        facts: &[(&'static str, Document)],
    ) -> Option<Result<Conditions, String>> {
        let used = match self.used(facts) {
            Ok(used) => used,
            Err(message) => return Some(Err(message)),
        };
        let mut results = Vec::new();
        let mut error = None;
        for (view, used) in self.program.views.iter().zip(&used) {
            match self.view(view.attestation, used, evidence)? {
                Ok((of_sources, reason)) => {
                    error = error.or(reason);
                    results.push(of_sources);
                }
                Err(message) => return Some(Err(message)),
            }
        }
        Some(Ok(Conditions {
            used,
            results: json!(results),
            error,
        }))
    }

    /// The answers of one view by source and statement, null where a statement is not used, and the first error.
    fn view(
        &mut self,
        attestation: usize,
        used: &[(usize, usize)],
        evidence: &[&Evidence],
    ) -> Option<Result<Answers, String>> {
        let mut error = None;
        let mut of_sources: Vec<Vec<Value>> = evidence
            .iter()
            .map(|one| vec![Value::Null; one.statements.len()])
            .collect();
        for (source, index) in used {
            let statement = statement(evidence, (*source, *index));
            let cell = of_sources
                .get_mut(*source)
                .and_then(|row| row.get_mut(*index));
            let (Some(statement), Some(cell)) = (statement, cell) else {
                return Some(Err(UNKNOWN.to_owned()));
            };
            match self.condition(attestation, statement)? {
                Ok((answer, reason)) => {
                    error = error.or(reason);
                    *cell = Value::from(answer);
                }
                Err(message) => return Some(Err(message)),
            }
        }
        Some(Ok((of_sources, error)))
    }

    /// For each view the statements that are used.
    fn used(
        &mut self,
        facts: &[(&'static str, Document)],
    ) -> Result<Vec<Vec<(usize, usize)>>, String> {
        let input = Document::object(facts.iter().cloned());
        let answer = self
            .context
            .machine
            .run(&self.program.program, program::USED, &input);
        match answer {
            Ok(Some(used)) => {
                read_used(&used).ok_or_else(|| "the compiled rule gave no statements".to_owned())
            }
            Ok(None) => Err("the compiled rule gave no statements".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// One statement: `true`, `false` or `error`, and why; none as long as facts are outstanding.
    fn condition(
        &mut self,
        attestation: usize,
        statement: &VerifiedStatement,
    ) -> Option<Result<(String, Option<String>), String>> {
        let Some(judged) = self.program.conditions.get(attestation) else {
            return Some(Err("the compiled rule lacks an attestation".to_owned()));
        };
        let said = match statement.predicate.value() {
            Ok(said) => said,
            Err(error) => return Some(Err(error.to_string())),
        };
        let names = self
            .names
            .with_predicate(predicate(&statement.predicate_type, &said));
        let slots = judged.as_ref().map_or(&[][..], |judged| &judged.slots);
        let values = Values::of(&names, slots)?;
        let input = Document::object([("values", values.document())]);
        let entry = program::CONDITIONS + attestation;
        let answer = match self.context.ask(&self.program.program, entry, &input) {
            Ok(answer) => answer,
            Err(message) => return Some(Err(message)),
        };
        if let Some(judged) = judged {
            let program = &self.program.program;
            self.context
                .trace_conditions(program, &judged.what, &names, &answer);
        }
        let reason = judged
            .as_ref()
            .filter(|_| answer == "error")
            .map(|judged| explain::conditions::walk(&judged.what, &names).error());
        Some(Ok((answer, reason)))
    }
}

/// A statement by its source and its place there, as programs name them.
pub(super) fn statement<'e>(
    evidence: &[&'e Evidence],
    (source, index): (usize, usize),
) -> Option<&'e VerifiedStatement> {
    evidence.get(source)?.statements.get(index)
}

/// For each view pairs of source and statement, as programs give them.
pub(super) fn read_used(used: &Document) -> Option<Vec<Vec<(usize, usize)>>> {
    let number = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let pair = |pair: &Value| Some((number(pair.get(0)?)?, number(pair.get(1)?)?));
    let json = used.to_json()?;
    json.as_array()?
        .iter()
        .map(|view| view.as_array()?.iter().map(pair).collect())
        .collect()
}

/// The fields of a predicate as conditions see them: `builder` is where SLSA v1 has it in `runDetails`.
///
/// A field `builder` that a v1 predicate has beside that is not seen: what was believed is what is judged.
fn predicate<'a>(kind: &str, said: &'a Value) -> Predicate<'a> {
    Predicate {
        fields: said.as_object(),
        builder: if kind == SLSA_V1 {
            Builder::Alias(said.pointer("/runDetails/builder"))
        } else {
            Builder::Field
        },
    }
}
