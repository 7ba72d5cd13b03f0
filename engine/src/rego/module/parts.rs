//! Rules in parts: one body of regorus' bytecode has 255 registers, and what an author lists can be longer.
//!
//! A part is a rule, or a function of the variables that it uses, which stands for the rest of a body or for some elements
//! of an array. It says the same as what it stands for; only a rule that is too large for one body is taken apart.

use std::collections::BTreeSet;

use super::{Expression, Head, Module, Rule, Statement};

/// How much stands in one body. A name, a constant, a field or a call counts one and takes two registers at most.
const LARGEST: usize = 100;
/// How many arguments a function of bytecode has at most.
const ARGUMENTS: usize = 8;

impl Module {
    /// The same with large rules in parts.
    #[must_use]
    pub fn in_parts(&self) -> Self {
        let mut parts = Parts {
            taken: self.rules.iter().map(|rule| rule.name().into()).collect(),
            ..Parts::default()
        };
        for rule in &self.rules {
            parts.rule(rule.clone());
        }
        Self {
            rules: parts.rules,
            ..self.clone()
        }
    }
}

#[derive(Default)]
struct Parts {
    rules: Vec<Rule>,
    taken: BTreeSet<String>,
    names: usize,
}

/// The rule that is taken apart.
struct Whole {
    name: String,
    span: Option<crate::source::Span>,
    /// What is bound in it.
    variables: BTreeSet<String>,
}

/// What holds elements of a kind: an array, or an object.
struct Kind<'a, T> {
    of: &'a dyn Fn(Vec<T>) -> Expression,
    size: &'a dyn Fn(&T) -> usize,
    /// What joins two of it.
    function: &'a str,
}

impl Parts {
    /// Adds a rule, taken apart where it is large.
    fn rule(&mut self, mut rule: Rule) {
        let value = rule.head.value();
        if size(value) + rule.body.iter().map(size_of).sum::<usize>() <= LARGEST {
            self.rules.push(rule);
            return;
        }
        let mut variables = bound(&rule.body);
        if let Head::Function(_, arguments, _) = &rule.head {
            variables.extend(arguments.iter().cloned());
        }
        value.all_bound(&mut variables);
        for one in &rule.body {
            one.all_bound(&mut variables);
        }
        let whole = Whole {
            name: rule.name().to_owned(),
            span: rule.span,
            variables,
        };
        self.arrays(&whole, rule.head.value_mut());
        for statement in &mut rule.body {
            self.arrays_of(&whole, statement);
        }
        self.body(&whole, &mut rule);
        self.rules.push(rule);
    }

    /// Puts the rest of a large body into a part.
    fn body(&mut self, whole: &Whole, rule: &mut Rule) {
        let value = rule.head.value();
        let mut taken = size(value);
        let fits = |statement: &&Statement| {
            taken += size_of(statement);
            taken <= LARGEST
        };
        let first = rule.body.iter().take_while(fits).count().max(1);
        if first >= rule.body.len() {
            return;
        }
        let rest = rule.body.split_off(first);
        let own = bound(&rest);
        if own.is_empty() {
            self.flat(whole, rule, rest);
            return;
        }
        let mut needed = BTreeSet::new();
        value.free(&mut needed);
        // What the rest finds and the value is made of is the value of the rest.
        let found = needed.iter().any(|name| own.contains(name));
        let is_set = matches!(rule.head, Head::Contains(..));
        let result = if found && !is_set {
            value.clone()
        } else if found {
            // A set has each value that the rest finds; a function has one.
            rule.body.extend(rest);
            return;
        } else {
            Expression::Bool(true)
        };
        let mut uses = BTreeSet::new();
        result.free(&mut uses);
        for one in &rest {
            one.free(&mut uses);
        }
        uses.retain(|name| whole.variables.contains(name) && !own.contains(name));
        match self.part(whole, &uses, result, rest.clone()) {
            Some(call) if found => {
                *rule.head.value_mut() = call;
            }
            Some(call) => rule.body.push(Statement::Holds(call)),
            None => rule.body.extend(rest),
        }
    }

    /// Puts statements that bind nothing into parts beside each other, and those into parts again.
    fn flat(&mut self, whole: &Whole, rule: &mut Rule, rest: Vec<Statement>) {
        let before = rule.body.len() + rest.len();
        for some in in_sizes(rest, &size_of) {
            let mut uses = BTreeSet::new();
            for one in &some {
                one.free(&mut uses);
            }
            uses.retain(|name| whole.variables.contains(name));
            match self.part(whole, &uses, Expression::Bool(true), some.clone()) {
                Some(call) => rule.body.push(Statement::Holds(call)),
                None => rule.body.extend(some),
            }
        }
        if rule.body.len() < before {
            self.body(whole, rule);
        }
    }

    /// Adds a part, and gives what stands for it; none where it needs more arguments than there can be.
    fn part(
        &mut self,
        whole: &Whole,
        uses: &BTreeSet<String>,
        value: Expression,
        body: Vec<Statement>,
    ) -> Option<Expression> {
        if uses.len() > ARGUMENTS {
            return None;
        }
        let name = self.fresh(&whole.name);
        let (mut rule, call) = if uses.is_empty() {
            (Rule::value(&name, value, body), Expression::name(name))
        } else {
            let arguments: Vec<&str> = uses.iter().map(String::as_str).collect();
            let call = arguments.iter().map(|name| Expression::name(*name));
            let call = Expression::call(&name, call.collect());
            (Rule::function(&name, &arguments, value, body), call)
        };
        rule.span = whole.span;
        self.rule(rule.comment(format!("A part of `{}`.", whole.name)));
        Some(call)
    }

    fn fresh(&mut self, of: &str) -> String {
        let of = of.split("_part_").next().unwrap_or(of);
        loop {
            self.names += 1;
            let name = format!("{of}_part_{}", self.names);
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    /// Takes large arrays apart, wherever they stand in a statement.
    fn arrays_of(&mut self, whole: &Whole, statement: &mut Statement) {
        match statement {
            Statement::Holds(value)
            | Statement::Not(value)
            | Statement::Assign(_, value)
            | Statement::Some(_, value)
            | Statement::SomeIndexed(_, _, value) => self.arrays(whole, value),
            Statement::Every(_, value, body) => {
                self.arrays(whole, value);
                for one in body.iter_mut() {
                    self.arrays_of(whole, one);
                }
            }
        }
    }

    /// Takes large arrays and objects apart, inner ones first.
    fn arrays(&mut self, whole: &Whole, value: &mut Expression) {
        if size(value) <= LARGEST {
            return;
        }
        match value {
            Expression::Null
            | Expression::Bool(_)
            | Expression::Number(_)
            | Expression::Text(_)
            | Expression::Name(_) => {}
            Expression::Field(base, _) => self.arrays(whole, base),
            Expression::Index(left, right) | Expression::Binary(left, _, right) => {
                self.arrays(whole, left);
                self.arrays(whole, right);
            }
            Expression::Call(_, values) | Expression::Set(values) => {
                for one in values.iter_mut() {
                    self.arrays(whole, one);
                }
            }
            Expression::Collect(one, body) => {
                self.arrays(whole, one);
                for one in body.iter_mut() {
                    self.arrays_of(whole, one);
                }
            }
            Expression::Array(values) => {
                let mut values = std::mem::take(values);
                for one in &mut values {
                    self.arrays(whole, one);
                }
                *value = self.joined(
                    whole,
                    values,
                    &Kind {
                        of: &Expression::Array,
                        size: &size,
                        function: "array.concat",
                    },
                );
            }
            Expression::Object(fields) => {
                let mut fields = std::mem::take(fields);
                for (_, field) in &mut fields {
                    self.arrays(whole, field);
                }
                let size = |(_, field): &(String, Expression)| 1 + size(field);
                *value = self.joined(
                    whole,
                    fields,
                    &Kind {
                        of: &Expression::Object,
                        size: &size,
                        function: "object.union",
                    },
                );
            }
        }
    }

    /// Some elements as what a function joins of parts.
    fn joined<T: Clone>(
        &mut self,
        whole: &Whole,
        elements: Vec<T>,
        kind: &Kind<'_, T>,
    ) -> Expression {
        let Kind { of, size, function } = kind;
        let mut parts: Vec<Expression> = Vec::new();
        for some in in_sizes(elements, size) {
            let some = of(some);
            parts.push(self.apart(whole, &some).unwrap_or(some));
        }
        // A part that joins others joins ten.
        while parts.len() > JOINED {
            let groups = parts.chunks(JOINED).map(|some| chained(some, function));
            let groups: Vec<Expression> = groups.collect();
            let apart = |group: Expression| self.apart(whole, &group).unwrap_or(group);
            parts = groups.into_iter().map(apart).collect();
        }
        chained(&parts, function)
    }

    /// A value as a part.
    fn apart(&mut self, whole: &Whole, value: &Expression) -> Option<Expression> {
        let mut uses = BTreeSet::new();
        value.free(&mut uses);
        uses.retain(|name| whole.variables.contains(name));
        self.part(whole, &uses, value.clone(), Vec::new())
    }
}

/// How many parts are joined in one.
const JOINED: usize = 10;

/// `function(first, function(second, …))`.
fn chained(parts: &[Expression], function: &str) -> Expression {
    let mut parts = parts.iter().rev().cloned();
    let last = parts.next().unwrap_or(Expression::Null);
    parts.fold(last, |rest, one| {
        Expression::call(function, vec![one, rest])
    })
}

/// Elements in order, in groups that are not large; one that is large alone stands alone.
fn in_sizes<T>(elements: Vec<T>, size: &dyn Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut groups = Vec::new();
    let (mut group, mut used) = (Vec::new(), 0);
    for element in elements {
        let more = size(&element);
        if used + more >= LARGEST && !group.is_empty() {
            groups.push(std::mem::take(&mut group));
            used = 0;
        }
        used += more;
        group.push(element);
    }
    groups.push(group);
    groups
}

/// How much stands in a value; a constant is one.
fn size(value: &Expression) -> usize {
    let all = |values: &[Expression]| values.iter().map(size).sum::<usize>();
    if is_constant(value) {
        return 1;
    }
    1 + match value {
        Expression::Null
        | Expression::Bool(_)
        | Expression::Number(_)
        | Expression::Text(_)
        | Expression::Name(_) => 0,
        Expression::Field(base, _) => size(base),
        Expression::Index(left, right) | Expression::Binary(left, _, right) => {
            size(left) + size(right)
        }
        Expression::Call(_, values) | Expression::Array(values) | Expression::Set(values) => {
            all(values)
        }
        Expression::Object(fields) => fields.iter().map(|(_, field)| 1 + size(field)).sum(),
        Expression::Collect(value, body) => {
            3 + size(value) + body.iter().map(size_of).sum::<usize>()
        }
    }
}

fn is_constant(value: &Expression) -> bool {
    match value {
        Expression::Null | Expression::Bool(_) | Expression::Number(_) | Expression::Text(_) => {
            true
        }
        Expression::Array(values) | Expression::Set(values) => values.iter().all(is_constant),
        Expression::Object(fields) => fields.iter().all(|(_, field)| is_constant(field)),
        Expression::Name(_)
        | Expression::Field(..)
        | Expression::Index(..)
        | Expression::Call(..)
        | Expression::Binary(..)
        | Expression::Collect(..) => false,
    }
}

fn size_of(statement: &Statement) -> usize {
    match statement {
        Statement::Holds(value) | Statement::Not(value) | Statement::Assign(_, value) => {
            1 + size(value)
        }
        Statement::Some(_, value) | Statement::SomeIndexed(_, _, value) => 3 + size(value),
        Statement::Every(_, value, body) => {
            3 + size(value) + body.iter().map(size_of).sum::<usize>()
        }
    }
}

/// The variables that a body binds.
fn bound(body: &[Statement]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in body {
        match statement {
            Statement::Assign(name, _) | Statement::Some(name, _) => {
                names.insert(name.clone());
            }
            Statement::SomeIndexed(index, name, _) => names.extend([index.clone(), name.clone()]),
            Statement::Holds(_) | Statement::Not(_) | Statement::Every(..) => {}
        }
    }
    names
}

impl Head {
    /// The value, or the element.
    const fn value(&self) -> &Expression {
        let (Self::Contains(_, value) | Self::Value(_, value) | Self::Function(_, _, value)) = self;
        value
    }

    const fn value_mut(&mut self) -> &mut Expression {
        let (Self::Contains(_, value) | Self::Value(_, value) | Self::Function(_, _, value)) = self;
        value
    }
}

impl Statement {
    /// Adds the names that it uses.
    fn free(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Holds(value)
            | Self::Not(value)
            | Self::Assign(_, value)
            | Self::Some(_, value)
            | Self::SomeIndexed(_, _, value) => value.free(names),
            Self::Every(name, value, body) => {
                value.free(names);
                let mut inner = BTreeSet::new();
                for one in body {
                    one.free(&mut inner);
                }
                let own = bound(body);
                names.extend(
                    inner
                        .into_iter()
                        .filter(|one| one != name && !own.contains(one)),
                );
            }
        }
    }

    /// Adds the names that anything within it binds.
    fn all_bound(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Holds(value)
            | Self::Not(value)
            | Self::Assign(_, value)
            | Self::Some(_, value)
            | Self::SomeIndexed(_, _, value) => value.all_bound(names),
            Self::Every(name, value, body) => {
                names.insert(name.clone());
                names.extend(bound(body));
                value.all_bound(names);
                for one in body {
                    one.all_bound(names);
                }
            }
        }
    }
}

impl Expression {
    /// Adds the names that it uses, those of functions left out.
    fn free(&self, names: &mut BTreeSet<String>) {
        if let Self::Name(name) = self {
            names.insert(name.clone());
        }
        if let Self::Collect(value, body) = self {
            let mut inner = BTreeSet::new();
            value.free(&mut inner);
            for one in body {
                one.free(&mut inner);
            }
            let own = bound(body);
            names.extend(inner.into_iter().filter(|one| !own.contains(one)));
        } else {
            self.within(&mut |one| one.free(names));
        }
    }

    fn all_bound(&self, names: &mut BTreeSet<String>) {
        if let Self::Collect(value, body) = self {
            names.extend(bound(body));
            value.all_bound(names);
            for one in body {
                one.all_bound(names);
            }
        } else {
            self.within(&mut |one| one.all_bound(names));
        }
    }

    /// What it is made of, where it binds nothing.
    fn within(&self, each: &mut dyn FnMut(&Self)) {
        match self {
            Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Text(_)
            | Self::Name(_)
            | Self::Collect(..) => {}
            Self::Field(base, _) => each(base),
            Self::Index(left, right) | Self::Binary(left, _, right) => {
                each(left);
                each(right);
            }
            Self::Call(_, values) | Self::Array(values) | Self::Set(values) => {
                values.iter().for_each(each);
            }
            Self::Object(fields) => fields.iter().for_each(|(_, field)| each(field)),
        }
    }
}
