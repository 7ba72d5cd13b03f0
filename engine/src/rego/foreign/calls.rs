//! Who calls whom: functions that nobody has, and functions that call themselves.
//!
//! The interpreter follows calls on the machine's stack. It notices a rule that needs itself, but not a function, and what
//! it calls without end takes the process down; nor does it say before it evaluates that there is no such function.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{BUILTINS, Expr, Import, Module, Rule, RuleHead};

use super::absent::{self, Elsewhere};
use super::{Dialect, ForeignError, bounded, doubtful, old, walk};

/// The longest chain of rules and functions that need each other. Real templates stay below 15; the stack of a server's
/// thread takes some hundred.
const MAX_CHAIN: usize = 64;

/// Builtins that answer by something else than their arguments, or would ask the network.
const IMPURE: [&str; 6] = [
    "http.send",
    "net.lookup_ip_addr",
    "opa.runtime",
    "rand.intn",
    "rego.parse_module",
    "uuid.rfc4122",
];

/// Builtins beside those that regorus lists and those that [`super::bounded`] adds.
const OTHERS: [&str; 2] = ["print", "time.now_ns"];

/// What modules are made of.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The package of the first module.
    pub(super) package: String,
    /// Paths of rules, functions apart.
    pub(super) rules: BTreeSet<String>,
    /// Paths of functions.
    pub(super) functions: BTreeSet<String>,
    /// Whether one reads `data.inventory`.
    pub(super) reads_inventory: bool,
    /// Paths below `data` that lead to nothing in the modules.
    pub(super) elsewhere: Elsewhere,
    /// What is likely not meant.
    pub(super) doubts: Vec<ForeignError>,
}

/// Names of all modules.
#[derive(Debug, Default)]
struct Names {
    packages: BTreeSet<String>,
    rules: BTreeSet<String>,
    functions: BTreeSet<String>,
}

/// Looks modules over.
pub(super) fn look_over(modules: &[&Module], dialect: Dialect) -> Result<Found, Vec<ForeignError>> {
    let names = Names::of(modules);
    let mut errors = Vec::new();
    let mut needs: BTreeMap<String, Node> = BTreeMap::new();
    let mut found = Found::default();
    let own = modules.first();
    found.package = own.map_or_else(String::new, |module| path(&module.package.refr));
    for (index, module) in modules.iter().enumerate() {
        let place = Place::of(module, &names, dialect);
        errors.extend(doubtful::imports(index, module));
        for rule in &module.policy {
            let node = needs.entry(place.name_of(rule)).or_insert_with(|| {
                let span = rule.span();
                Node {
                    module: index,
                    place: position(span.line, span.col),
                    needs: BTreeSet::new(),
                }
            });
            walk::of_rule(rule, &mut |expression| match expression {
                Expr::Call { fcn, .. } => match place.called(fcn) {
                    Ok(Some(function)) => {
                        node.needs.insert(function);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        errors.push(error.at(index, start(fcn)));
                    }
                },
                Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                    let path = place.resolve(&path(expression));
                    found.reads_inventory |= is_below(&path, "inventory");
                    node.needs.extend(names.rules_of(&path).cloned());
                }
                _ => {}
            });
            place.look_for_absent((index, rule), &mut found.elsewhere);
        }
    }
    errors.extend(chains(&needs, &names));
    found.doubts = doubtful::inputs(modules);
    found.rules = names.rules;
    found.functions = names.functions;
    if errors.is_empty() {
        Ok(found)
    } else {
        Err(errors)
    }
}

/// The path of a rule below `data`, from `package/rule`, `package.rule` or `data.package.rule`.
pub(super) fn rule_path(entry_point: &str) -> String {
    let path = entry_point.replace('/', ".");
    path.strip_prefix("data.").unwrap_or(&path).to_owned()
}

/// A rule or a function, and what it may need.
struct Node {
    module: usize,
    place: (usize, usize),
    needs: BTreeSet<String>,
}

/// What is wrong with a call.
struct Wrong {
    message: String,
    help: &'static str,
}

impl Wrong {
    fn at(self, module: usize, place: (usize, usize)) -> ForeignError {
        let mut error = ForeignError::new(module, Some(place), self.message);
        error.help = Some(self.help.to_owned());
        error
    }
}

/// A module, for names that its rules use.
struct Place<'a> {
    package: String,
    imports: Vec<(String, Vec<String>)>,
    names: &'a Names,
    dialect: Dialect,
}

impl<'a> Place<'a> {
    fn of(module: &Module, names: &'a Names, dialect: Dialect) -> Self {
        Self {
            package: path(&module.package.refr),
            imports: module.imports.iter().filter_map(imported).collect(),
            names,
            dialect,
        }
    }

    /// The full path of a rule.
    fn name_of(&self, rule: &Rule) -> String {
        format!("{}.{}", self.package, rule_name(rule))
    }

    /// A path as it is below `data`; one that is no other's is of this package.
    fn resolve(&self, path: &str) -> String {
        let (first, rest) = path
            .split_once('.')
            .map_or((path, None), |(first, rest)| (first, Some(rest)));
        if first == "data" {
            return rest.unwrap_or("").to_owned();
        }
        let import = self.imports.iter().find(|(name, _)| name == first);
        let target = import.map(|(_, target)| target.join("."));
        match (target, rest) {
            (Some(target), Some(rest)) => format!("{target}.{rest}"),
            (Some(target), None) => target,
            (None, _) => format!("{}.{path}", self.package),
        }
    }

    /// Takes note of the paths of a rule that lead to nothing in the modules, and of what `with` puts somewhere.
    fn look_for_absent(&self, (module, rule): (usize, &Rule), elsewhere: &mut Elsewhere) {
        absent::references(rule, &mut |reference| {
            if let Some(path) = self.absent(&parts(reference)) {
                elsewhere.misses((module, start(reference)), path);
            }
        });
        walk::statements_of_rule(rule, &mut |statement| {
            let replaced = statement.with_mods.iter();
            for path in replaced.filter_map(|with| self.below(&parts(&with.refr))) {
                elsewhere.replaces(path);
            }
        });
    }

    /// The path below `data`, where it is written as one or begins with an import.
    fn below(&self, written: &[String]) -> Option<Vec<String>> {
        let (first, rest) = written.split_first()?;
        if first == "data" {
            return Some(rest.to_vec());
        }
        let (_, target) = self.imports.iter().find(|(name, _)| name == first)?;
        Some(target.iter().chain(rest).cloned().collect())
    }

    /// The same, where it leads to nothing in the modules.
    fn absent(&self, written: &[String]) -> Option<Vec<String>> {
        let path = self.below(written)?;
        (!self.names.lead_to(&path.join("."))).then_some(path)
    }

    /// The function of the modules that is called; none where a builtin is.
    fn called(&self, function: &Expr) -> Result<Option<String>, Wrong> {
        let written = path(function);
        let full = self.resolve(&written);
        if self.names.functions.contains(&full) {
            return Ok(Some(full));
        }
        if IMPURE.contains(&written.as_str()) {
            return Err(Wrong {
                message: format!("`{written}` cannot be called"),
                help: "what a policy says follows from the request and from what the host was asked for; that is recorded and can be tested",
            });
        }
        let name = written.as_str();
        let added = OTHERS.contains(&name) || bounded::DIGESTS.iter().any(|(one, _)| *one == name);
        let old = self.dialect == Dialect::V0 && old::NAMES.contains(&name);
        if added || old || BUILTINS.contains_key(name) {
            return Ok(None);
        }
        Err(Wrong {
            message: format!("there is no function `{written}`"),
            help: "docs/rego-modules.md lists the builtins of OPA that are not there",
        })
    }
}

impl Names {
    fn of(modules: &[&Module]) -> Self {
        let mut names = Self::default();
        for module in modules {
            let package = path(&module.package.refr);
            names.packages.insert(package.clone());
            let path = |rule: &Rule| format!("{package}.{}", rule_name(rule));
            let rules = module.policy.iter().map(|rule| &**rule);
            let (functions, rules): (Vec<_>, Vec<_>) = rules.partition(|rule| is_function(rule));
            names.functions.extend(functions.into_iter().map(path));
            names.rules.extend(rules.into_iter().map(path));
        }
        names
    }

    /// Whether a path leads to something in the modules, or through it, or something leads on from it.
    fn lead_to(&self, path: &str) -> bool {
        let known = [&self.packages, &self.rules, &self.functions];
        let inside = |name: &String| self.packages.contains(name);
        path.is_empty()
            || known
                .into_iter()
                .flatten()
                .any(|name| is_below(name, path) || (is_below(path, name) && !inside(name)))
    }

    /// Rules that a path leads to, or through.
    fn rules_of<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a String> {
        let below = self.rules.range(path.to_owned()..);
        let below = below.take_while(move |rule| rule.starts_with(path));
        let above = path.match_indices('.').map(|(end, _)| path.get(..end));
        let above = above.flatten().filter_map(|prefix| self.rules.get(prefix));
        below.filter(move |rule| is_below(rule, path)).chain(above)
    }
}

/// Whether a path is another, or leads on from it.
fn is_below(path: &str, other: &str) -> bool {
    let rest = path.strip_prefix(other);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_function(rule: &Rule) -> bool {
    match rule {
        Rule::Spec { head, .. } => matches!(head, RuleHead::Func { .. }),
        Rule::Default { args, .. } => !args.is_empty(),
    }
}

/// The name of a rule in its package; of one with a reference as head, as far as that is constant.
pub(super) fn rule_name(rule: &Rule) -> String {
    match rule {
        Rule::Default { refr, .. } => path(refr),
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. }
            | RuleHead::Set { refr, .. }
            | RuleHead::Func { refr, .. } => path(refr),
        },
    }
}

/// A reference as a path, as far as it is constant.
pub(super) fn path(expression: &Expr) -> String {
    parts(expression).join(".")
}

/// The same by its parts.
pub(super) fn parts(expression: &Expr) -> Vec<String> {
    let mut parts = Vec::new();
    let mut next = Some(expression);
    while let Some(expression) = next {
        next = match expression {
            Expr::Var { span, .. } => {
                parts.push(Some(span.text().to_owned()));
                None
            }
            Expr::RefDot { refr, field, .. } => {
                parts.push(Some(field.0.text().to_owned()));
                Some(refr)
            }
            Expr::RefBrack { refr, index, .. } => {
                parts.push(match &**index {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => {
                        value.as_string().ok().map(ToString::to_string)
                    }
                    _ => None,
                });
                Some(refr)
            }
            _ => None,
        };
    }
    parts.into_iter().rev().map_while(|part| part).collect()
}

/// What an import stands for: its name, and a path below `data`.
fn imported(import: &Import) -> Option<(String, Vec<String>)> {
    let full = parts(&import.refr);
    let (_, target) = full.split_first().filter(|(first, _)| *first == "data")?;
    let name = match &import.r#as {
        Some(name) => name.text().to_owned(),
        None => target.last()?.clone(),
    };
    Some((name, target.to_vec()))
}

/// Where a reference starts.
pub(super) fn start(expression: &Expr) -> (usize, usize) {
    let mut first = expression;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = first {
        first = refr;
    }
    position(first.span().line, first.span().col)
}

fn position(line: u32, column: u32) -> (usize, usize) {
    (line as usize, column as usize)
}

/// What is wrong with who needs whom: a function that needs itself, a chain that is too long.
fn chains(needs: &BTreeMap<String, Node>, names: &Names) -> Vec<ForeignError> {
    let mut walk = Walk {
        needs,
        names,
        on_the_way: Vec::new(),
        lengths: BTreeMap::new(),
    };
    let mut errors = Vec::new();
    for (name, node) in needs {
        if let Err(message) = walk.length(name) {
            errors.push(ForeignError::new(node.module, Some(node.place), message));
        }
    }
    errors
}

/// A walk along needs.
struct Walk<'a> {
    needs: &'a BTreeMap<String, Node>,
    names: &'a Names,
    on_the_way: Vec<&'a str>,
    lengths: BTreeMap<&'a str, usize>,
}

impl<'a> Walk<'a> {
    /// The longest chain from here. Recursion ends at [`MAX_CHAIN`].
    fn length(&mut self, name: &'a str) -> Result<usize, String> {
        if let Some(length) = self.lengths.get(name) {
            return Ok(*length);
        }
        if self.on_the_way.len() >= MAX_CHAIN {
            return Err(format!(
                "rules and functions need each other in a chain of more than {MAX_CHAIN}"
            ));
        }
        let Some(node) = self.needs.get(name) else {
            return Ok(0);
        };
        self.on_the_way.push(name);
        let mut longest = 0;
        for needed in &node.needs {
            let again = self.on_the_way.iter().position(|one| one == needed);
            match again {
                Some(start) if self.are_functions(start) => {
                    let message = format!("the function `{needed}` calls itself");
                    self.on_the_way.clear();
                    return Err(message);
                }
                // A name may be a rule's and a variable's; that a rule needs itself is found when it is evaluated.
                Some(_) => {}
                None => longest = longest.max(self.length(needed)?),
            }
        }
        self.on_the_way.pop();
        self.lengths.insert(name, longest + 1);
        Ok(longest + 1)
    }

    /// Whether the way from a place on goes through functions only.
    fn are_functions(&self, start: usize) -> bool {
        let mut way = self.on_the_way.iter().skip(start);
        way.all(|name| self.names.functions.contains(*name))
    }
}
