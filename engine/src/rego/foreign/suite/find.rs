//! Which rules of modules are tests, and what is changed in the modules so that each can be asked by itself.
//!
//! Knows nothing of how tests run.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module as Parsed, Rule, RuleHead, Span};

use super::edit::Edit;
use super::{Kind, State, Test, cases};
use crate::rego::foreign::ForeignError;
use crate::rego::foreign::calls::path;

/// What a name of a test begins with.
const TEST: &str = "test_";

/// What the name of a test begins with that is not to be run yet.
const TO_DO: &str = "todo_test_";

/// The tests of modules, and the changes of each module: several tests of one name get names of their own, and a test with
/// cases gets a rule beside it that says which cases were begun.
pub(super) fn tests(modules: &[&Parsed]) -> Result<Found, Vec<ForeignError>> {
    let mut found = Found::default();
    for (module, parsed) in modules.iter().enumerate() {
        found.edits.push(Vec::new());
        let package = format!("data.{}", path(&parsed.package.refr));
        for rule in &parsed.policy {
            found.rule(rule, (module, parsed), &package);
        }
    }
    let known = &found.known;
    let mut defaults = found.defaults.iter();
    if let Some(path) = defaults.find(|path| !known.contains_key(*path)) {
        let message = format!("the test `{path}` has a default and no rule");
        found.errors.push(ForeignError::new(0, None, message));
    }
    if found.errors.is_empty() {
        Ok(found)
    } else {
        Err(found.errors)
    }
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// The tests, in the order of the modules.
    pub(super) tests: Vec<Test>,
    /// The changes of each module.
    pub(super) edits: Vec<Vec<Edit>>,
    /// How many tests there are of a path.
    known: BTreeMap<String, usize>,
    defaults: BTreeSet<String>,
    errors: Vec<ForeignError>,
}

impl Found {
    fn rule(&mut self, rule: &Rule, (module, parsed): (usize, &Parsed), package: &str) {
        let Some(named) = Named::of(rule) else { return };
        let path = format!("{package}.{}", named.rule());
        let span = rule.span();
        let place = (span.line as usize, span.col as usize);
        let Rule::Spec { head, .. } = rule else {
            self.defaults.insert(path);
            return;
        };
        let before = self.known.entry(path.clone()).or_insert(0);
        let number = *before;
        *before += 1;
        let mut test = Test {
            package: package.to_owned(),
            name: named.rule(),
            module,
            place,
            state: named.state,
            rule: path,
            kind: Kind::Value,
        };
        let mut edits = Vec::new();
        if number > 0 && named.state == State::Ready {
            let Some(edit) = named.renamed(number) else {
                let message = format!("there is a test `{}` already", test.rule);
                let mut error = ForeignError::new(module, Some(place), message);
                error.help = Some("give each test a name of its own".to_owned());
                self.errors.push(error);
                return;
            };
            test.name = named.numbered(number);
            test.rule = format!("{package}.{}", named.rule_as(&edit.text));
            edits.push(edit);
        }
        if let RuleHead::Func { .. } = head {
            test.kind = Kind::Function;
        } else if let RuleHead::Compr { .. } = head
            && !named.keys.is_empty()
        {
            // The rule has values below its path, so it is asked for by another: what is put behind the text is on no line
            // of its author's.
            let end = rule.span().source.contents().len();
            let of_test = format!("{}_{module}", self.tests.len());
            let (value, begun) = (
                format!("regent_value_{of_test}"),
                format!("regent_begun_{of_test}"),
            );
            let below = test.rule.strip_prefix(package).unwrap_or("");
            let whole = format!("data.{}{below}", parsed.package.refr.span().text());
            edits.push(Edit::insert(end, format!("\n{value} = {whole}\n")));
            test.rule = format!("{package}.{value}");
            if named.has_cases() {
                let collector = cases::collector(rule, &named.keys, &begun, parsed.rego_v1);
                edits.extend(collector.map(|text| Edit::insert(end, text)));
                test.kind = Kind::Cases(format!("{package}.{begun}"));
            }
        }
        if let Some(of_module) = self.edits.get_mut(module) {
            of_module.extend(edits);
        }
        self.tests.push(test);
    }
}

/// The head of a rule that is named as a test.
struct Named<'a> {
    /// What stands before the name.
    before: Vec<String>,
    name: &'a Span,
    state: State,
    /// What stands behind the name.
    keys: Vec<Key<'a>>,
}

/// A part of a head behind the name.
pub(super) enum Key<'a> {
    /// One name.
    Field(&'a Span),
    /// What an expression says.
    Index(&'a Expr),
}

impl<'a> Named<'a> {
    fn of(rule: &'a Rule) -> Option<Self> {
        let refr = match rule {
            Rule::Default { refr, .. }
            | Rule::Spec {
                head:
                    RuleHead::Compr { refr, .. }
                    | RuleHead::Set { refr, .. }
                    | RuleHead::Func { refr, .. },
                ..
            } => refr,
        };
        let mut parts = Vec::new();
        let mut next: Option<&Expr> = Some(refr);
        while let Some(expression) = next {
            next = match expression {
                Expr::Var { span, .. } => {
                    parts.push(Key::Field(span));
                    None
                }
                Expr::RefDot { refr, field, .. } => {
                    parts.push(Key::Field(&field.0));
                    Some(refr)
                }
                Expr::RefBrack { refr, index, .. } => {
                    parts.push(Key::Index(index));
                    Some(refr)
                }
                _ => return None,
            };
        }
        parts.reverse();
        let mut before = Vec::new();
        let mut parts = parts.into_iter();
        for part in parts.by_ref() {
            let Key::Field(name) = part else { return None };
            let state = match name.text() {
                text if text.starts_with(TEST) => State::Ready,
                text if text.starts_with(TO_DO) => State::ToDo,
                text => {
                    before.push(text.to_owned());
                    continue;
                }
            };
            return Some(Self {
                before,
                name,
                state,
                keys: parts.collect(),
            });
        }
        None
    }

    /// The rule's path below its package.
    fn rule(&self) -> String {
        self.rule_as(self.name.text())
    }

    fn rule_as(&self, name: &str) -> String {
        let before = self.before.iter().map(String::as_str);
        before.chain([name]).collect::<Vec<_>>().join(".")
    }

    /// What a further test of the same name is called, as OPA does.
    fn numbered(&self, number: usize) -> String {
        let name = format!("{}#{number:02}", self.name.text());
        if self.before.is_empty() {
            name
        } else {
            format!("{}[\"{name}\"]", self.before.join("."))
        }
    }

    /// The change that gives a further test a name of its own in Rego.
    fn renamed(&self, number: usize) -> Option<Edit> {
        let (from, to) = (self.name.start as usize, self.name.end as usize);
        let text = format!("{}__regent_{number:02}", self.name.text());
        (from < to).then_some(Edit { from, to, text })
    }

    /// Whether a part behind the name is not constant.
    fn has_cases(&self) -> bool {
        self.keys.iter().any(|key| match key {
            Key::Field(_) => false,
            Key::Index(index) => !matches!(
                index,
                Expr::String { .. }
                    | Expr::RawString { .. }
                    | Expr::Number { .. }
                    | Expr::Bool { .. }
                    | Expr::Null { .. }
            ),
        })
    }
}
