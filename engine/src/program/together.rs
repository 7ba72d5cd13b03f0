//! Rules that are judged together: one program says which of many rules are about a request, another which of them pass.
//!
//! A rule's own program judges what is left open here, and all of its rules where there is no program for many. How these
//! programs look is in `docs/rego.md`.

mod assemble;
mod places;

use std::sync::Arc;

use crate::rego::evaluate::Program;
use crate::rego::module::{Rule, Statement};
use crate::template::Template;

use super::{Policy, RuleKey};
pub use places::Places;

/// What of a rule can stand in a program for many.
#[derive(Debug, Clone, Default)]
pub struct Together {
    /// Whom it is about; none where that takes facts.
    pub selection: Option<Selection>,
    /// What it demands; none where its own program must be asked.
    pub demand: Option<Demand>,
}

/// Whom a rule is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Bodies of which one must hold.
    pub bodies: Vec<Vec<Statement>>,
    /// Rules that the bodies stand on.
    pub rules: Vec<Rule>,
}

/// What a rule demands of whom it is about.
#[derive(Debug, Clone)]
pub struct Demand {
    /// What must hold for it to apply.
    pub applies: Vec<Statement>,
    /// What must hold for it to pass: any of it.
    pub passes: Vec<Pass>,
    /// Constant scalars that values are compared with.
    pub patterns: Vec<serde_json::Value>,
    /// Values with variables; in the statements [`slot`] is the name of each.
    pub slots: Vec<Slot>,
    /// What must hold for it to fail: any of it.
    pub fails: Vec<Vec<Statement>>,
    /// Whether it fails where it applies and does not pass.
    pub exact: bool,
}

/// All of this must hold.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    /// Of values with variables.
    pub statements: Vec<Statement>,
    /// Of the values at some places of the resource.
    pub each: Vec<(Place, Wanted)>,
}

/// What values at a place must be, beside the shape that it gives them.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// Each as a scalar of a pattern says.
    Scalar(serde_json::Value),
    /// There must be none.
    None,
    /// Nothing else.
    Shape,
}

/// Where in a resource values are: the steps to there from its root, which is a map.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The steps.
    pub steps: Vec<Step>,
}

/// A step of a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// To the value of a key, in each map.
    Key {
        /// The key.
        key: String,
        /// Whether it must be there; where not, maps without it have no value at the place.
        needed: bool,
        /// What the value must be.
        shape: Shape,
    },
    /// To the elements of each list, which must be maps.
    Items,
}

/// What a value is; at the end of a place it also says what is found there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// A map; at the end nothing is found.
    Map,
    /// A list; at the end its elements are found.
    List,
    /// Anything; it is found, and of a list the elements.
    Scalar,
    /// Anything but null; nothing is found.
    NotNull,
    /// Anything; that there is one is found.
    There,
}

impl Place {
    /// One step on.
    #[must_use]
    pub fn then(&self, step: Step) -> Self {
        let mut place = self.clone();
        place.steps.push(step);
        place
    }
}

/// For people: `spec.containers?[].image`.
impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = self.steps.iter().map(|step| match step {
            Step::Key { key, needed, .. } => format!(".{key}{}", if *needed { "" } else { "?" }),
            Step::Items => "[]".to_owned(),
        });
        let steps: String = steps.collect();
        formatter.write_str(steps.strip_prefix('.').unwrap_or(&steps))
    }
}

/// A value with variables.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The same for templates that are the same.
    pub key: String,
    /// What it is made of.
    pub template: Arc<Template>,
}

/// The name of a value in the bodies of a demand.
pub fn slot(number: usize) -> String {
    format!("slot_{number}")
}

/// Programs for many rules.
#[derive(Debug, Default)]
pub struct Programs {
    /// Which matches hold.
    pub selections: Vec<SelectionProgram>,
    /// Which rules pass.
    pub demands: Vec<DemandProgram>,
    /// By policy and rule.
    seats: Vec<Vec<Seat>>,
}

/// Where a rule is judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seat {
    /// The program of `selections`, and the number of its match there.
    pub selection: Option<(usize, usize)>,
    /// The program of `demands`, and the number of the rule there.
    pub demand: Option<(usize, usize)>,
}

/// Says which of some matches hold: the numbers in `about`.
#[derive(Debug)]
pub struct SelectionProgram {
    /// Its one entry point.
    pub program: Program,
    /// How many matches there are.
    pub matches: usize,
}

/// Says which of some rules pass, and which fail: the numbers in `verdicts`.
#[derive(Debug)]
pub struct DemandProgram {
    /// Its one entry point.
    pub program: Program,
    /// Its rules, by their numbers.
    pub rules: Vec<Member>,
    /// What of the resource it is asked about, `input.at`.
    pub places: Places,
    /// Values with variables, and the names that they have in `input.values`.
    pub slots: Vec<(String, Arc<Template>)>,
}

/// A rule among others.
#[derive(Debug)]
pub struct Member {
    /// Which.
    pub key: RuleKey,
    /// The name of its match in `input.about`.
    pub about: String,
    /// Which of the program's values it needs.
    pub slots: Vec<usize>,
}

impl Programs {
    /// Of policies; what their rules had ready for this is taken from them.
    pub fn new(policies: &mut [Policy]) -> Self {
        assemble::assemble(policies)
    }

    /// Where a rule is judged.
    pub fn seat(&self, (policy, rule): RuleKey) -> Seat {
        let rules = self.seats.get(policy);
        let seat = rules.and_then(|rules| rules.get(rule));
        seat.copied().unwrap_or_default()
    }
}
