//! `validate.rego` as programs: the author's modules as they are, and what follows from what they say.
//!
//! What they found stands in `input.modules`: whether they answered, and the violations.

use std::sync::Arc;

use crate::ast::gatekeeper::ConstraintTemplate;
use crate::ast::module_verify::in_registry;
use crate::ast::rego::{RegoModules, Version};
use crate::ast::template::Text as Message;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::program;
use crate::rego::evaluate::Document;
use crate::rego::foreign::{Dialect, Foreign, ForeignError, Strictness, Text};
use crate::rego::module::{Expression, Operator, Rule, Statement};
use crate::source::{Source, Span, Spanned};
use crate::suggest::MOST;

use super::scope::Scope;
use super::text;

/// Writes `verdict`.
pub(super) fn compile(scope: &mut Scope, written: &RegoModules) {
    let input = |field: &str| Expression::path(&["input", "modules", field]);
    let answered = |flag| Statement::Holds(input("answered").equals(Expression::Bool(flag)));
    let count = || Expression::call("count", vec![input("violations")]);
    let none = Statement::Holds(count().equals(Expression::count(0)));
    let some = Statement::Holds(count().compare(Operator::More, Expression::count(0)));
    let verdicts = [
        ("pass", vec![answered(true), none]),
        ("fail", vec![answered(true), some]),
        ("error", vec![answered(false)]),
    ];
    for (text, body) in verdicts {
        let rule = Rule::value("verdict", Expression::text(text), body);
        scope.rules.push(rule.at(written.span));
    }
}

/// Reads the modules; what is wrong with them is said at their lines.
pub(super) fn modules(
    source: &Arc<Source>,
    message: Option<&Message>,
    written: &RegoModules,
) -> Result<program::RegoModules, Vec<Diagnostic>> {
    let source = written.source.as_ref().unwrap_or(source);
    let made = |foreign: Result<Foreign, String>| program::RegoModules {
        message: message.map(text::text),
        inventory: match &foreign {
            Ok(foreign) if foreign.reads_inventory() => written.inventory.clone(),
            Ok(_) | Err(_) => Vec::new(),
        },
        foreign: foreign.map(Arc::new),
        parameters: Document::from_json(&written.parameters),
    };
    if let Some(reason) = &written.unread {
        return Ok(made(Err(reason.clone())));
    }
    let names = 0..written.modules.len();
    let names: Vec<String> = names.map(|index| name(written, index)).collect();
    let texts: Vec<Text<'_>> = written
        .modules
        .iter()
        .zip(&names)
        .map(|(module, name)| Text {
            name,
            text: &module.value,
        })
        .collect();
    let dialect = match written.version {
        Version::V0 => Dialect::V0,
        Version::V1 => Dialect::V1,
    };
    let strictness = if written.strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    let entrypoint = written.entrypoint.as_ref();
    let entrypoint = entrypoint.map(|entrypoint| entrypoint.value.as_str());
    let data = written.data.as_ref().map(Document::from_json);
    let foreign = Foreign::read(&texts, (dialect, strictness), entrypoint);
    // What else there is for a template, Gatekeeper says: `data.inventory` by what is synced.
    let foreign = match written.source {
        None => foreign.and_then(|foreign| foreign.with_data(data.as_ref())),
        Some(_) => foreign,
    };
    let foreign = foreign.map_err(|errors| {
        let errors = errors.iter();
        errors
            .map(|error| diagnostic(source, written, error))
            .collect::<Vec<_>>()
    });
    match foreign {
        // That it does not run is nothing that the policy shows, which stays in force: the rule has no answer.
        Err(said) if is_remote(written) => {
            let first = said.into_iter().next().map(|first| first.message);
            Ok(made(Err(
                first.unwrap_or_else(|| "it cannot be run".to_owned())
            )))
        }
        foreign => foreign.map(|foreign| made(Ok(foreign))),
    }
}

/// What is wrong with the modules of a template, of which there need not be a constraint.
pub fn template(template: &ConstraintTemplate) -> Vec<Diagnostic> {
    let (source, written) = (&template.source, &template.modules);
    match modules(source, None, written) {
        Ok(modules) => doubts(source, written, &modules),
        Err(said) => said,
    }
}

/// What is likely not meant in the modules of a rule, or of a template.
pub fn doubts(
    source: &Arc<Source>,
    written: &RegoModules,
    modules: &program::RegoModules,
) -> Vec<Diagnostic> {
    let foreign = modules.foreign.as_ref().ok();
    let doubts = foreign.map_or(&[][..], |foreign| foreign.doubts());
    let said = doubts.iter().take(MOST).map(|doubt| Diagnostic {
        severity: Severity::Warning,
        ..diagnostic(source, written, doubt)
    });
    said.collect()
}

/// Whether a registry has the first of the modules.
fn is_remote(written: &RegoModules) -> bool {
    let file = written.file.as_ref();
    file.is_some_and(|file| in_registry(&file.value).is_some())
}

/// What messages of an evaluation call a module.
fn name(written: &RegoModules, index: usize) -> String {
    match (index, &written.file) {
        (0, Some(file)) => file.value.clone(),
        (0, None) => "source".to_owned(),
        (number, _) => format!("libs[{}]", number - 1),
    }
}

fn diagnostic(source: &Arc<Source>, written: &RegoModules, error: &ForeignError) -> Diagnostic {
    let entrypoint = written.entrypoint.as_ref().map(|one| one.span);
    let span = match (error.place, written.modules.get(error.module)) {
        // In a file of its own it has no line in the policy.
        (Some(_), Some(module)) if error.module == 0 && written.file.is_some() => module.span,
        (Some(place), Some(module)) => line_of(source, module, place.0),
        (None, Some(module)) => entrypoint.unwrap_or(module.span),
        (_, None) => written.span,
    };
    let place = error.place.map_or_else(String::new, |(line, column)| {
        format!(
            "{} of Rego, line {line}, column {column}: ",
            name(written, error.module)
        )
    });
    let message = format!("{place}{}", error.message);
    let diagnostic = Diagnostic::error(Code::InvalidRego, source, span, message);
    match &error.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}

/// The line of a module in the file that it stands in; the whole module where that is not a block of lines.
fn line_of(source: &Source, module: &Spanned<String>, line: usize) -> Span {
    let Span { start, end } = module.span;
    let written = source.text.get(start..end).unwrap_or("");
    let first = module.value.lines().next().unwrap_or("").trim();
    let mut lines = written.lines().enumerate();
    let head = lines.find(|(_, text)| text.trim() == first);
    let Some((head, _)) = head else {
        return module.span;
    };
    let mut offset = start;
    for (index, text) in written.split_inclusive('\n').enumerate() {
        if index == head + line - 1 {
            let blank = text.len() - text.trim_start().len();
            return Span::new(offset + blank, offset + text.trim_end().len());
        }
        offset += text.len();
    }
    module.span
}
