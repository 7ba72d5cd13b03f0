//! Which heads and expressions of modules tests reached.
//!
//! The interpreter remembers lines. So modules are laid out anew, with each head's value and each expression on a line of
//! its own, and a line that was evaluated says that its part was.

use std::collections::BTreeSet;

use regorus::Engine;
use regorus::unstable::{Literal, Module as Parsed, Rule, RuleBody, RuleHead, Span};

use super::edit::{self, Edit};
use super::{Suite, Test, add_data, aliases, ask, read};
use crate::rego::evaluate::{Budget, RegoError};
use crate::rego::foreign::{ForeignError, Text, walk};

/// Where tests have been.
#[derive(Debug)]
pub struct Coverage {
    engine: Engine,
    /// The parts of each module.
    modules: Vec<Vec<Part>>,
    /// The lines of each module, as it is laid out anew, that were evaluated.
    lines: Vec<BTreeSet<u32>>,
}

/// A head or an expression.
#[derive(Debug)]
struct Part {
    at: Extent,
    /// The lines that it is on in the module as it is laid out anew.
    lines: (u32, u32),
    /// Whether it counts where it is not reached: `some … in …` does not, as in OPA.
    counts: bool,
}

/// From where to where a part of a module is: lines and columns, counted from one; the end is the column after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// Its first line and column.
    pub start: (usize, usize),
    /// Its last line, and the column after its last.
    pub end: (usize, usize),
}

/// What was reached of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// What was evaluated; of a head, that it had a value.
    pub covered: BTreeSet<Extent>,
    /// What was not.
    pub not_covered: BTreeSet<Extent>,
}

impl Reached {
    /// How many lines parts are on that were evaluated, and that were not; a line can be both.
    pub fn lines(&self) -> (usize, usize) {
        let count = |extents: &BTreeSet<Extent>| {
            let lines = extents.iter().flat_map(|at| at.start.0..=at.end.0);
            lines.collect::<BTreeSet<_>>().len()
        };
        (count(&self.covered), count(&self.not_covered))
    }
}

impl Coverage {
    /// Lays modules out.
    pub fn new(suite: &Suite) -> Result<Self, Vec<ForeignError>> {
        let mut texts = Vec::new();
        let mut modules = Vec::new();
        let mut known = suite.engine.clone();
        let read_texts = suite.texts.iter().zip(&suite.lines);
        for (parsed, (text, own)) in known.get_modules().iter().zip(read_texts) {
            let (parts, laid_out) = lay_out(parsed, text, *own);
            texts.push(laid_out);
            modules.push(parts);
        }
        let numbers: Vec<String> = (0..texts.len()).map(|index| index.to_string()).collect();
        let modules_by_number = numbers.iter().zip(&texts);
        let laid_out = modules_by_number.map(|(name, text)| Text { name, text });
        let mut engine = read(&laid_out.collect::<Vec<_>>(), suite.dialect)?;
        add_data(&mut engine, &suite.data)?;
        engine.set_enable_coverage(true);
        Ok(Self {
            engine,
            lines: vec![BTreeSet::new(); modules.len()],
            modules,
        })
    }

    /// Adds what a test reaches.
    pub fn add(&mut self, test: &Test, moment: (i64, Budget)) -> Result<(), RegoError> {
        let mut engine = self.engine.clone();
        ask(&mut engine, test, moment)?;
        let report = engine.get_coverage_report();
        let report = report.map_err(|error| RegoError::Internal(error.to_string()))?;
        for file in report.files {
            let index: Option<usize> = file.path.parse().ok();
            if let Some(lines) = index.and_then(|index| self.lines.get_mut(index)) {
                lines.extend(file.covered);
            }
        }
        Ok(())
    }

    /// What was reached of each module.
    pub fn reached(&self) -> Vec<Reached> {
        let modules = self.modules.iter().zip(&self.lines);
        let of_module = |(parts, lines): (&Vec<Part>, &BTreeSet<u32>)| {
            let is_reached = |part: &&Part| {
                let (first, last) = part.lines;
                lines.range(first..=last).next().is_some()
            };
            let (yes, no): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(is_reached);
            let counted = no.into_iter().filter(|part| part.counts);
            let mut reached = Reached {
                covered: yes.into_iter().map(|part| part.at).collect(),
                not_covered: counted.map(|part| part.at).collect(),
            };
            // What stands within an expression that was evaluated counts with it, as in OPA.
            let Reached {
                covered,
                not_covered,
            } = &mut reached;
            let is_within = |at: &Extent| {
                let mut around = covered.iter();
                around.any(|other| other.start <= at.start && at.end <= other.end)
            };
            not_covered.retain(|at| !is_within(at));
            reached
        };
        modules.map(of_module).collect()
    }
}

/// A part before the module is laid out anew: where it is, and where the text is that is evaluated for it.
struct Planned {
    at: Extent,
    evaluated: (usize, usize),
    counts: bool,
}

/// The parts of a module, and its text with each on lines of its own. What was put behind its `own` lines, for cases
/// of tests, is no part of it.
fn lay_out(parsed: &Parsed, text: &str, own: usize) -> (Vec<Part>, String) {
    let mut plan = Plan {
        text,
        planned: Vec::new(),
        edits: Vec::new(),
        alternatives: Vec::new(),
    };
    let rules = parsed.policy.iter();
    let aliases = aliases::of_module(parsed);
    for rule in rules.filter(|rule| rule.span().line as usize <= own) {
        plan.edits.extend(aliases::written_out(rule, &aliases));
        plan.rule(rule);
    }
    let Plan {
        planned,
        edits,
        alternatives,
        ..
    } = plan;
    let mut breaks: Vec<usize> = edits
        .iter()
        .flat_map(|edit| std::iter::repeat_n(edit.from, edit.text.matches('\n').count()))
        .collect();
    breaks.sort_unstable();
    let line_of = |at: usize, is_end: bool| {
        let own = text
            .get(..at)
            .map_or(0, |before| before.matches('\n').count());
        let added = breaks.partition_point(|place| if is_end { *place < at } else { *place <= at });
        u32::try_from(own + added + 1).unwrap_or(u32::MAX)
    };
    let parts = planned.into_iter().map(|planned| {
        let (from, to) = planned.evaluated;
        // A value that was put in has one line, between its two breaks.
        let lines = if from == to {
            let before = line_of(from, true) + 1;
            (before, before)
        } else {
            (line_of(from, false), line_of(to, true))
        };
        Part {
            at: planned.at,
            lines,
            counts: planned.counts,
        }
    });
    let mut parts: Vec<Part> = parts.collect();
    let mut made = edit::apply(text, edits);
    for (index, at) in alternatives.into_iter().enumerate() {
        made.extend(["\n", ALTERNATIVE, &index.to_string(), "(value) =\nvalue"]);
        let line = u32::try_from(made.matches('\n').count() + 1).unwrap_or(u32::MAX);
        parts.push(Part {
            at,
            lines: (line, line),
            counts: true,
        });
    }
    made.push('\n');
    (parts, made)
}

/// The interpreter does not tell which values of `else` it evaluated. So each goes through a function of its own, and of
/// functions it tells.
const ALTERNATIVE: &str = "regent_alternative_";

struct Plan<'a> {
    text: &'a str,
    planned: Vec<Planned>,
    edits: Vec<Edit>,
    /// The heads of `else`.
    alternatives: Vec<Extent>,
}

impl Plan<'_> {
    fn rule(&mut self, rule: &Rule) {
        match rule {
            Rule::Default { span, value, .. } => self.value(span, value.span()),
            Rule::Spec { head, bodies, .. } => {
                self.head(head);
                for body in bodies.iter().filter(|body| body.is_else) {
                    self.alternative(body);
                }
            }
        }
        walk::statements_of_rule(rule, &mut |statement| {
            // To declare a variable is no step.
            if matches!(statement.literal, Literal::SomeVars { .. }) {
                return;
            }
            self.value(&statement.span, &statement.span);
            let is_declaration = matches!(statement.literal, Literal::SomeIn { .. });
            if let Some(last) = self.planned.last_mut() {
                last.counts = !is_declaration;
            }
        });
    }

    fn head(&mut self, head: &RuleHead) {
        match head {
            RuleHead::Compr { span, assign, .. } | RuleHead::Func { span, assign, .. } => {
                match assign {
                    Some(assign) => self.value(span, assign.value.span()),
                    None => self.truth(span, span.end as usize),
                }
            }
            RuleHead::Set { span, key, .. } => {
                if let Some(key) = key {
                    self.value(span, key.span());
                }
            }
        }
    }

    fn alternative(&mut self, body: &RuleBody) {
        let mut head = body.span.clone();
        let name = format!("{ALTERNATIVE}{}", self.alternatives.len());
        if let Some(assign) = &body.assign {
            let (from, to) = edit::whole(assign.value.span());
            head.end = assign.value.span().end;
            self.edits.push(Edit::insert(from, format!("{name}(")));
            self.edits.push(Edit::insert(to, ")"));
        } else {
            head.end = body.span.start.saturating_add(ELSE);
            let called = format!(" = {name}(true) ");
            self.edits.push(Edit::insert(head.end as usize, called));
        }
        let at = self.extent(&head);
        self.alternatives.push(at);
    }

    /// A part that has a text to be evaluated.
    fn value(&mut self, at: &Span, evaluated: &Span) {
        let (from, to) = edit::whole(evaluated);
        self.edits.push(Edit::insert(from, "\n"));
        self.planned.push(Planned {
            at: self.extent(at),
            evaluated: (from, to),
            counts: true,
        });
    }

    /// A head without a value: it is true.
    fn truth(&mut self, at: &Span, behind: usize) {
        self.edits.push(Edit::insert(behind, " =\ntrue\n"));
        self.planned.push(Planned {
            at: self.extent(at),
            evaluated: (behind, behind),
            counts: true,
        });
    }

    fn extent(&self, span: &Span) -> Extent {
        let place = |at: usize| {
            let before = self.text.get(..at).unwrap_or("");
            let line = before.rsplit('\n').next().unwrap_or("");
            (before.matches('\n').count() + 1, line.chars().count() + 1)
        };
        let (from, to) = edit::whole(span);
        Extent {
            start: place(from),
            end: place(to),
        }
    }
}

/// The length of `else`.
const ELSE: u32 = 4;
