//! Rules of many policies become programs for many rules.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::rego::evaluate::{Program, RegoError};
use crate::rego::module::{Expression, Module, Operator, Rule, Statement};
use crate::template::Template;

use super::super::{Policy, RuleKey};
use super::places::Places;
use super::{
    Demand, DemandProgram, Member, Place, Programs, Seat, Selection, SelectionProgram, Wanted, slot,
};

/// Matches in one program: regorus evaluates all of them, also those that a request cannot be about.
const MAX_MATCHES: usize = 100;
/// Rules in one program; a list of their numbers must fit the registers of one body.
const MAX_RULES: usize = 64;
/// Statements in one body; regorus' bytecode has 255 registers for it.
const MAX_STATEMENTS: usize = 20;
/// A rule alone is asked as fast by its own program.
const MIN_RULES: usize = 2;

/// A rule on its way into programs.
struct Entry {
    key: RuleKey,
    name: String,
    /// Its match, among those of the rules about the same kinds.
    number: usize,
    demand: Option<Demand>,
}

pub(super) fn assemble(policies: &mut [Policy]) -> Programs {
    let mut programs = Programs::default();
    let mut buckets: BTreeMap<Vec<String>, Bucket> = BTreeMap::new();
    for (policy_index, policy) in policies.iter_mut().enumerate() {
        programs
            .seats
            .push(vec![Seat::default(); policy.rules.len()]);
        let policy_name = policy.ast.key();
        for (rule_index, rule) in policy.rules.iter_mut().enumerate() {
            let together = std::mem::take(&mut rule.together);
            let Some(selection) = together.selection else {
                continue;
            };
            let mut kinds = rule.candidates.kinds.clone();
            kinds.sort();
            let ast = policy.ast.rules.get(rule.index);
            let rule_name = ast.map_or("", |ast| ast.name.value.as_str());
            let bucket = buckets.entry(kinds).or_default();
            let number = bucket.number_of(selection);
            bucket.entries.push(Entry {
                key: (policy_index, rule_index),
                name: format!("{policy_name}, {rule_name}"),
                number,
                // Exceptions are looked at between preconditions and demand.
                demand: together.demand.filter(|_| rule.exceptions.is_empty()),
            });
        }
    }
    for bucket in buckets.into_values() {
        if bucket.entries.len() >= MIN_RULES {
            bucket.into_programs(&mut programs);
        }
    }
    programs
}

/// Rules about the same kinds.
#[derive(Default)]
struct Bucket {
    selections: Vec<Selection>,
    /// Their numbers by what they say.
    numbers: HashMap<String, usize>,
    entries: Vec<Entry>,
}

impl Bucket {
    fn number_of(&mut self, selection: Selection) -> usize {
        let next = self.selections.len();
        let said = format!("{selection:?}");
        let number = *self.numbers.entry(said).or_insert(next);
        if number == next {
            self.selections.push(selection);
        }
        number
    }

    fn into_programs(mut self, programs: &mut Programs) {
        let mut places: Vec<Option<(usize, usize)>> = Vec::new();
        for chunk in self.selections.chunks(MAX_MATCHES) {
            select(chunk, &mut places, programs);
        }
        for entry in &self.entries {
            if let Some(seat) = programs.seat_mut(entry.key) {
                seat.selection = places.get(entry.number).copied().flatten();
            }
        }
        // Rules of one match stand together: where it does not hold, they are not asked.
        self.entries.sort_by_key(|entry| entry.number);
        let judged: Vec<(&Entry, &Demand)> = self
            .entries
            .iter()
            .filter_map(|entry| Some((entry, entry.demand.as_ref()?)))
            .collect();
        for chunk in judged.chunks(MAX_RULES) {
            judge(chunk, programs);
        }
    }
}

impl Programs {
    fn seat_mut(&mut self, (policy, rule): RuleKey) -> Option<&mut Seat> {
        self.seats.get_mut(policy)?.get_mut(rule)
    }
}

/// A program that does not compile is a defect; its rules are asked one by one, by programs that do.
fn drop_defect(error: RegoError) {
    debug_assert!(false, "a program for many rules does not compile: {error}");
    drop(error);
}

/// The name of a match.
fn match_name(number: usize) -> String {
    format!("match_{number}")
}

/// `prefix_name` for each name that some rules define.
fn prefixed(rules: &[Rule], prefix: &str) -> BTreeMap<String, Expression> {
    let named = |rule: &Rule| {
        let name = rule.name().to_owned();
        let other = Expression::name(format!("{prefix}_{name}"));
        (name, other)
    };
    rules.iter().map(named).collect()
}

fn program(package: &str, rules: Vec<Rule>, entry_point: &str) -> Result<Program, RegoError> {
    let module = Module {
        package: vec!["regent".to_owned(), package.to_owned()],
        comments: Vec::new(),
        rules,
    };
    let entry_point = format!("data.regent.{package}.{entry_point}");
    Program::of(&module, vec![entry_point])
}

/// Compiles a program for some matches, and says where each is judged; where there are too many for one, two.
fn select(
    selections: &[Selection],
    places: &mut Vec<Option<(usize, usize)>>,
    programs: &mut Programs,
) {
    let index = programs.selections.len();
    match selected(selections, index) {
        Ok(known) => {
            places.extend((0..selections.len()).map(|number| Some((index, number))));
            programs.selections.push(known);
        }
        Err(_) if selections.len() > 1 => {
            let (some, others) = selections.split_at(selections.len() / 2);
            select(some, places, programs);
            select(others, places, programs);
        }
        Err(error) => {
            drop_defect(error);
            places.push(None);
        }
    }
}

/// `about` holds the numbers of the matches that hold.
fn selected(selections: &[Selection], number: usize) -> Result<SelectionProgram, RegoError> {
    let mut rules = Vec::new();
    for (number, selection) in selections.iter().enumerate() {
        let names = prefixed(&selection.rules, &match_name(number));
        let names = |name: &str| names.get(name).cloned();
        for body in &selection.bodies {
            let body = Statement::all_renamed(body, &names);
            rules.push(Rule::contains("about", Expression::count(number), body));
        }
        rules.extend(selection.rules.iter().map(|rule| rule.renamed(&names)));
    }
    Ok(SelectionProgram {
        program: program(&format!("selection_{number}"), rules, "about")?,
        matches: selections.len(),
    })
}

/// Compiles a program for some rules; where there are too many for one, two.
fn judge(members: &[(&Entry, &Demand)], programs: &mut Programs) {
    let index = programs.demands.len();
    match Judged::new(members).program(index) {
        Ok(known) => {
            for (number, member) in known.rules.iter().enumerate() {
                if let Some(seat) = programs.seat_mut(member.key) {
                    seat.demand = Some((index, number));
                }
            }
            programs.demands.push(known);
        }
        Err(_) if members.len() > 1 => {
            let (some, others) = members.split_at(members.len() / 2);
            judge(some, programs);
            judge(others, programs);
        }
        Err(error) => drop_defect(error),
    }
}

/// A program for many rules on its way.
struct Judged {
    rules: Vec<Rule>,
    members: Vec<Member>,
    slots: Slots,
    places: Places,
    /// What must hold for rules to apply, by what it says: the name of the rule that says it.
    applies: HashMap<String, String>,
    /// Whether a rule says of itself that it fails.
    has_fails: bool,
    /// Rules that fail where they apply and do not pass, by match and by what must hold for them to apply.
    exact: BTreeMap<(String, Option<String>), Vec<usize>>,
    patterns: Vec<serde_json::Value>,
}

/// Values with variables, each once.
#[derive(Default)]
struct Slots {
    numbers: HashMap<String, usize>,
    all: Vec<(String, Arc<Template>)>,
}

impl Judged {
    fn new(members: &[(&Entry, &Demand)]) -> Self {
        let mut judged = Self {
            rules: Vec::new(),
            members: Vec::new(),
            slots: Slots::default(),
            places: Places::default(),
            applies: HashMap::new(),
            has_fails: false,
            exact: BTreeMap::new(),
            patterns: Vec::new(),
        };
        for (number, (entry, demand)) in members.iter().enumerate() {
            judged.add(number, entry, demand);
        }
        judged
    }

    fn add(&mut self, number: usize, entry: &Entry, demand: &Demand) {
        let about = match_name(entry.number);
        let mut names = BTreeMap::new();
        let mut slots = BTreeSet::new();
        for (place, one) in demand.slots.iter().enumerate() {
            let index = self.slots.number_of(one);
            slots.insert(index);
            let value = Expression::path(&["input", "values", &value_name(index)]);
            names.insert(slot(place), value);
        }
        let names = |name: &str| names.get(name).cloned();
        let applies = Statement::all_renamed(&demand.applies, &names);
        let applies = self.applies(applies);
        let mut guard = vec![holds_for(&about)];
        guard.extend(
            applies
                .iter()
                .map(|name| Statement::Holds(Expression::name(name))),
        );
        for pass in &demand.passes {
            let mut body = guard.clone();
            body.extend(Statement::all_renamed(&pass.statements, &names));
            let (each, comments) = self.each(&pass.each);
            body.extend(each);
            let rule = Rule::contains("pass", Expression::count(number), body);
            let rule = rule.comment(&entry.name);
            self.rules
                .push(comments.into_iter().fold(rule, Rule::comment));
        }
        for statements in &demand.fails {
            let mut body = guard.clone();
            // Looked at first: a set that is there costs less than conditions.
            let number = Expression::count(number);
            let passes = number
                .clone()
                .compare(Operator::In, Expression::name("pass"));
            body.push(Statement::Not(passes));
            body.extend(Statement::all_renamed(statements, &names));
            let rule = Rule::contains("fail", number, body);
            self.rules.push(rule.comment(&entry.name));
            self.has_fails = true;
        }
        if demand.exact {
            let class = self.exact.entry((about.clone(), applies)).or_default();
            class.push(number);
        }
        self.patterns.extend(demand.patterns.iter().cloned());
        self.members.push(Member {
            key: entry.key,
            about,
            slots: slots.into_iter().collect(),
        });
    }

    /// What must hold of the values at some places; where that is much, in rules of its own.
    fn each(&mut self, demands: &[(Place, Wanted)]) -> (Vec<Statement>, Vec<String>) {
        let mut comments = Vec::new();
        let mut body = Vec::new();
        for (wanted, places) in by_what_is_wanted(demands) {
            let number = self.places.number_of(&places);
            let shown = |place: &Place| format!("at[{number}]: {place}");
            comments.extend(places.iter().map(shown));
            let at = Expression::path(&["input", "at"]);
            let values = Expression::Index(Box::new(at), Box::new(Expression::count(number)));
            body.push(Statement::Holds(match wanted {
                Wanted::Scalar(scalar) => {
                    let status = Expression::call(
                        "regent.scalar",
                        vec![values, Expression::constant(scalar)],
                    );
                    status.equals(Expression::text("pass"))
                }
                // A map stands where something was not of its shape.
                Wanted::None | Wanted::Shape => values.equals(Expression::Array(Vec::new())),
            }));
        }
        if body.len() > MAX_STATEMENTS {
            body = body
                .chunks(MAX_STATEMENTS)
                .map(|some| self.apart(some.to_vec()))
                .collect();
        }
        (body, comments)
    }

    /// Statements as a rule, and the statement that it holds.
    fn apart(&mut self, body: Vec<Statement>) -> Statement {
        let name = format!("part_{}", self.rules.len());
        self.rules.push(Rule::holds(&name, body));
        Statement::Holds(Expression::name(name))
    }

    /// The name of the rule that says whether rules apply; none where all do.
    fn applies(&mut self, body: Vec<Statement>) -> Option<String> {
        if body.is_empty() {
            return None;
        }
        let next = format!("applies_{}", self.applies.len());
        let said = format!("{body:?}");
        let name = self.applies.entry(said).or_insert_with(|| next.clone());
        if *name == next {
            self.rules.push(Rule::holds(&next, body));
        }
        Some(name.clone())
    }

    fn program(mut self, index: usize) -> Result<DemandProgram, RegoError> {
        let failed = if self.has_fails || !self.exact.is_empty() {
            Expression::name("fail")
        } else {
            Expression::Set(Vec::new())
        };
        for ((about, applies), numbers) in &self.exact {
            let numbers = numbers.iter().copied().map(Expression::count).collect();
            let others =
                Expression::Set(numbers).compare(Operator::Without, Expression::name("pass"));
            let mut body = vec![holds_for(about)];
            body.extend(
                applies
                    .iter()
                    .map(|name| Statement::Holds(Expression::name(name))),
            );
            body.extend([
                Statement::Assign("others".to_owned(), others),
                Statement::Some("rule".to_owned(), Expression::name("others")),
            ]);
            let rule = Rule::contains("fail", Expression::name("rule"), body);
            self.rules
                .push(rule.comment("Of these, what does not pass fails."));
        }
        let verdicts = Expression::Object(vec![
            ("fail".to_owned(), failed),
            ("pass".to_owned(), Expression::name("pass")),
        ]);
        self.rules
            .push(Rule::value("verdicts", verdicts, Vec::new()));
        let program = program(&format!("demand_{index}"), self.rules, "verdicts")?;
        Ok(DemandProgram {
            program: program.with_patterns(&self.patterns),
            rules: self.members,
            places: self.places,
            slots: self.slots.all,
        })
    }
}

impl Slots {
    fn number_of(&mut self, slot: &super::Slot) -> usize {
        let next = self.all.len();
        let number = *self.numbers.entry(slot.key.clone()).or_insert(next);
        if number == next {
            let template = Arc::clone(&slot.template);
            self.all.push((value_name(number), template));
        }
        number
    }
}

/// Places by what is wanted at them, each once, in an order that is always the same.
fn by_what_is_wanted(demands: &[(Place, Wanted)]) -> Vec<(&Wanted, BTreeSet<Place>)> {
    let mut all: Vec<(&Wanted, BTreeSet<Place>)> = Vec::new();
    for (place, wanted) in demands {
        match all.iter_mut().find(|(other, _)| *other == wanted) {
            Some((_, places)) => {
                places.insert(place.clone());
            }
            None => all.push((wanted, BTreeSet::from([place.clone()]))),
        }
    }
    all
}

/// The name of a value in `input.values`.
fn value_name(number: usize) -> String {
    format!("value_{number}")
}

/// Whether the request is one that a match holds for.
fn holds_for(about: &str) -> Statement {
    Statement::Holds(Expression::path(&["input", "about", about]))
}
