//! Texts become checked policies and exceptions, which are compiled.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ast::break_glass::BreakGlass;
use crate::ast::evidence::SLSA_VERSION_FALLBACK;
use crate::ast::exception::PolicyException;
use crate::ast::rego::RegoModules;
use crate::ast::validate::{Validate, ValidateBody};
use crate::ast::{Checked, Origin, Policy, RuleBody};
use crate::builders::Builders;
use crate::diagnostic::{Code, Diagnostic, Fault};
use crate::limits::ContextSize;
use crate::policy_set::PolicySet;
use crate::program::{self, guest::ModuleTrust};
use crate::rego::sharing::sharing;
use crate::source::{Source, Span, Spanned};
use crate::{autogen, check, compile, parse, wildcard, yaml};

use super::gatekeeper::Gatekeeper;
use super::modules::{ModuleFile, ModuleFiles, ModuleText};
use super::{BreakGlassFor, Environment, ExceptionsFrom, Holds, Loaded, Take};

/// What could be read and checked so far.
#[derive(Default)]
pub(super) struct Front {
    pub(super) policies: Vec<Checked>,
    exceptions: Vec<Arc<PolicyException>>,
    break_glass: Vec<Arc<BreakGlass>>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Where the policies of each name stand.
    places: BTreeMap<String, String>,
    builders: Arc<Builders>,
    gatekeeper: Gatekeeper,
    /// Policies that were left out, by name; none where even the name of one could not be read.
    left_out: Option<BTreeSet<String>>,
    context_size: ContextSize,
}

impl Front {
    pub(super) fn of<'a>(
        sources: impl Iterator<Item = (&'a Arc<Source>, &'a Take)>,
        environment: &Environment,
    ) -> Self {
        let mut front = Self {
            builders: Arc::new(parse::builders::all_builders(&environment.builders)),
            left_out: Some(BTreeSet::new()),
            context_size: environment.context_size,
            ..Self::default()
        };
        for (source, take) in sources {
            let (documents, mut found) = yaml::parse(source);
            if matches!(take, Take::Policies(_)) {
                found.clear();
            }
            for document in documents.iter().flat_map(parse::unlisted) {
                found.extend(front.document((source, take), document, environment));
            }
            front.say(found);
        }
        front.constraints(environment);
        front
    }

    fn document(
        &mut self,
        (source, take): (&Arc<Source>, &Take),
        document: &yaml::Node,
        environment: &Environment,
    ) -> Vec<Diagnostic> {
        let only_policies = matches!(take, Take::Policies(_));
        if parse::is_exception(document) {
            if only_policies {
                return Vec::new();
            }
            self.exception(source, document, &environment.exceptions)
        } else if parse::is_break_glass(document) {
            if only_policies || matches!(take, Take::EarlierBut(_)) {
                return Vec::new();
            }
            self.break_glass(source, document, environment.break_glass)
        } else if let Some(kind) = parse::gatekeeper::document(document) {
            if only_policies {
                return Vec::new();
            }
            self.gatekeeper.document(kind, source, document)
        } else if let Some(kind) = parse::kubewarden::document(document) {
            let read = parse::kubewarden::parse(kind, source, document);
            let said = read
                .into_iter()
                .map(|policy| self.policy(policy, take, environment));
            said.flatten().collect()
        } else {
            self.policy(parse::parse(source, document), take, environment)
        }
    }

    /// Reads the constraints, of whose templates all are known now.
    fn constraints(&mut self, environment: &Environment) {
        let gatekeeper = std::mem::take(&mut self.gatekeeper);
        for (source, document) in &gatekeeper.constraints {
            let known = (
                gatekeeper.templates.as_slice(),
                gatekeeper.synced.as_slice(),
            );
            let read = parse::gatekeeper::constraint(source, document, known);
            let said = self.policy(read, &Take::Everything, environment);
            self.say(said);
        }
    }

    /// Takes a policy; one with errors, or of a name that there is already, is left out.
    fn policy(
        &mut self,
        read: (Option<Policy>, Vec<Diagnostic>),
        take: &Take,
        environment: &Environment,
    ) -> Vec<Diagnostic> {
        let name = read.0.as_ref().map(Policy::key);
        if !take.has(name.as_deref()) {
            return Vec::new();
        }
        let (read, missing) = with_files(read, &self.builders, environment);
        let (policy, mut said) = checked(read, environment);
        let Some(policy) = policy else {
            // It is left out, whatever becomes of its modules and of trust roots.
            said.extend(missing);
            said = said.into_iter().map(|one| one.fault(Fault::Text)).collect();
            let known = self
                .left_out
                .take()
                .zip(name.filter(|name| !name.is_empty()));
            self.left_out = known.map(|(mut left_out, name)| {
                left_out.insert(name);
                left_out
            });
            return said;
        };
        said.extend(missing);
        match self.places.entry(policy.policy().key()) {
            Entry::Vacant(place) => {
                place.insert(position(policy.policy()));
                self.policies.push(policy);
            }
            Entry::Occupied(place) => said.push(duplicate(policy.policy(), place.get())),
        }
        said
    }

    /// Adds diagnostics of one source, in the order in which an author reads.
    fn say(&mut self, mut found: Vec<Diagnostic>) {
        found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span.start));
        self.diagnostics.extend(found);
    }

    /// Reads an exception; one with errors, or of a namespace whose exceptions do not count, is left out.
    fn exception(
        &mut self,
        source: &Arc<Source>,
        document: &yaml::Node,
        from: &ExceptionsFrom,
    ) -> Vec<Diagnostic> {
        let (exception, mut said) = parse::exception(source, document);
        let Some(exception) = exception else {
            return said;
        };
        add_checked(&mut said, check::exception(&exception));
        let unheard = unheard(&exception, from);
        if unheard.is_none() && !said.iter().any(Diagnostic::is_error) {
            self.exceptions.push(Arc::new(exception));
        }
        said.extend(unheard);
        said
    }

    /// Reads a break-glass; one with errors, of a name that there is already, or that does not count is left out.
    fn break_glass(
        &mut self,
        source: &Arc<Source>,
        document: &yaml::Node,
        counts: BreakGlassFor,
    ) -> Vec<Diagnostic> {
        let (written, mut said) = parse::break_glass(source, document);
        let Some(written) = written else {
            return said;
        };
        let name = &written.exception.name;
        let BreakGlassFor::AtMost(longest) = counts else {
            let message = "break-glass is not enabled: this one has no effect";
            let code = Code::NeverEvaluated;
            let warning = Diagnostic::warning(code, source, name.span, message);
            said.push(warning.help("give `serve` a `--break-glass-journal`"));
            return said;
        };
        add_checked(&mut said, check::break_glass(&written, longest));
        let mut known = self.break_glass.iter();
        if known.any(|one| one.name() == name.value) {
            let message = format!("there is another break-glass `{}`", name.value);
            let error = Diagnostic::error(Code::InvalidValue, source, name.span, message);
            said.push(error.help("what is let in is recorded by this name: give it another one"));
        }
        if !said.iter().any(Diagnostic::is_error) {
            self.break_glass.push(Arc::new(written));
        }
        said
    }

    /// Reads the exceptions of more sources, from wherever they are.
    pub(super) fn exceptions(&mut self, sources: &[(Arc<Source>, Holds)]) {
        for (source, holds) in sources {
            let (documents, mut found) = yaml::parse(source);
            for document in documents.iter().flat_map(parse::unlisted) {
                let glass = parse::is_break_glass(document);
                let longest = BreakGlassFor::LONGEST;
                found.extend(match (parse::is_exception(document), holds) {
                    _ if glass => self.break_glass(source, document, longest),
                    (true, _) => self.exception(source, document, &ExceptionsFrom::Anywhere),
                    (false, Holds::Exceptions) => parse::no_exception(source, document),
                    (false, Holds::Anything) => Vec::new(),
                });
            }
            self.say(found);
        }
    }

    pub(super) fn compile(self) -> Loaded {
        sharing(|| self.compile_all())
    }

    /// Says which exceptions are about what there is not. Policies may be elsewhere where none were read here.
    fn unknown_in_exceptions(&self) -> Vec<Diagnostic> {
        let policies = self
            .policies
            .iter()
            .map(|policy| (policy.policy().key(), policy.policy()));
        let policies: BTreeMap<String, &Policy> = policies.collect();
        let Some(left_out) = self.left_out.as_ref().filter(|_| !policies.is_empty()) else {
            return Vec::new();
        };
        let exceptions = self.exceptions.iter().map(Arc::as_ref);
        let broken = self.break_glass.iter().map(|one| &*one.exception);
        check::unknown_in_exceptions(exceptions.chain(broken), &policies, left_out)
    }

    fn compile_all(self) -> Loaded {
        let unknown = self.unknown_in_exceptions();
        let mut diagnostics = self.diagnostics;
        diagnostics.extend(unknown);
        let mut policies = Vec::new();
        for policy in &self.policies {
            match compile::compile(policy, &self.builders) {
                Ok(policy) => {
                    diagnostics.extend(unfit(&policy));
                    diagnostics.extend(doubts(&policy));
                    policies.push(policy);
                }
                Err(found) => diagnostics.extend(found),
            }
        }
        let mut exceptions = Vec::new();
        for exception in &self.exceptions {
            match compile::exception(exception) {
                Ok(exception) => exceptions.push(exception),
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        let mut break_glass = Vec::new();
        for one in &self.break_glass {
            match compile::break_glass(one) {
                Ok(one) => break_glass.push(one),
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        let set = PolicySet::with_exceptions(policies, exceptions, break_glass);
        Loaded {
            policies: Arc::new(set.bounding_contexts(self.context_size)),
            diagnostics,
        }
    }
}

/// Says that an exception does not count, if it does not.
fn unheard(exception: &PolicyException, from: &ExceptionsFrom) -> Option<Diagnostic> {
    let namespace = exception.namespace.as_ref();
    let name = namespace.map_or("default", |namespace| namespace.value.as_str());
    let (message, help) = match from {
        ExceptionsFrom::Anywhere => return None,
        ExceptionsFrom::Namespaces(namespaces) => {
            let mut patterns = namespaces.iter();
            if patterns.any(|pattern| wildcard::matches(pattern, name)) {
                return None;
            }
            let message =
                format!("exceptions of namespace `{name}` do not count: this one has no effect");
            (
                message,
                "name the namespace among those whose exceptions count",
            )
        }
        ExceptionsFrom::Nowhere => (
            "exceptions are not enabled: this one has no effect".to_owned(),
            "enable them, for the namespaces that they may be in",
        ),
    };
    let span = namespace.map_or(exception.name.span, |namespace| namespace.span);
    let code = Code::NeverEvaluated;
    Some(Diagnostic::warning(code, &exception.source, span, message).help(help))
}

/// Reads the modules of Rego that are elsewhere, by the host. A file that cannot be read or run is an error as if it stood
/// in the policy. What a registry does not give, was not signed as it must be, or does not run is nothing that the policy
/// shows: the policy stays in force, the rule has no answer, and that is said last.
fn with_files(
    (policy, mut said): (Option<Policy>, Vec<Diagnostic>),
    builders: &Arc<Builders>,
    environment: &Environment,
) -> ((Option<Policy>, Vec<Diagnostic>), Vec<Diagnostic>) {
    let Some(mut policy) = policy else {
        return ((None, said), Vec::new());
    };
    // Before anything is judged by it: modules are verified while they are read.
    if environment.exact_slsa_versions {
        let off = Spanned::new("false".to_owned(), policy.name.span);
        let annotation = SLSA_VERSION_FALLBACK.to_owned();
        policy.annotations.insert(annotation, off);
    }
    let source = Arc::clone(&policy.source);
    let trusts = policy.rules.iter();
    let trusts: Vec<_> = trusts
        .map(|rule| ModuleTrust::of(&policy, rule, builders))
        .collect();
    // Nobody is asked for the modules of a policy that is left out anyway.
    let asks = !said.iter().any(Diagnostic::is_error);
    let mut missing = Vec::new();
    for (rule, trust) in policy.rules.iter_mut().zip(trusts) {
        let RuleBody::Validate(Validate {
            body: ValidateBody::Rego(modules),
            ..
        }) = &mut rule.body
        else {
            continue;
        };
        let Some(file) = modules.file.clone() else {
            continue;
        };
        let asked = ModuleFile {
            source: source.name.clone(),
            module: file.value.clone(),
            digest: modules.digest.as_ref().map(|text| text.value.clone()),
            trust,
        };
        let files = asks.then_some(&environment.modules);
        let Err(reason) = read_module(modules, &asked, files) else {
            continue;
        };
        let diagnostic = unusable(&source, &file, &reason);
        if asked.is_remote() {
            modules.unread = Some(reason);
            missing.push(diagnostic.fault(asked.fault()));
        } else {
            said.push(diagnostic);
        }
    }
    ((Some(policy), said), missing)
}

/// Says that a module cannot be used.
fn unusable(source: &Arc<Source>, file: &Spanned<String>, reason: &str) -> Diagnostic {
    let message = format!("module `{}` cannot be used: {reason}", file.value);
    Diagnostic::error(Code::UnusableModule, source, file.span, message)
}

/// Says which modules of registries do not run: that is not seen in the policy, which stays in force.
fn unfit(policy: &program::Policy) -> Vec<Diagnostic> {
    let rules = policy.rules.iter().filter_map(|rule| {
        let program::Body::Rego(modules) = &rule.body else {
            return None;
        };
        let (reason, written) = (modules.foreign.as_ref().err()?, policy.rule_ast(rule)?);
        let RuleBody::Validate(Validate {
            body: ValidateBody::Rego(of_rule),
            ..
        }) = &written.body
        else {
            return None;
        };
        // What was not read was said when it was.
        let file = of_rule.file.as_ref().filter(|_| of_rule.unread.is_none())?;
        let fault = match written.module_verify() {
            Some(_) => Fault::Untrusted,
            None => Fault::Absent,
        };
        Some(unusable(&policy.ast.source, file, reason).fault(fault))
    });
    rules.collect()
}

/// Says what is likely not meant in the modules of a policy; what is in a template was said of the template.
fn doubts(policy: &program::Policy) -> Vec<Diagnostic> {
    let rules = policy.rules.iter().flat_map(|rule| {
        let (program::Body::Rego(modules), Some(written)) = (&rule.body, policy.rule_ast(rule))
        else {
            return Vec::new();
        };
        match &written.body {
            RuleBody::Validate(Validate {
                body: ValidateBody::Rego(of_rule),
                ..
            }) if of_rule.source.is_none() && written.origin == Origin::Written => {
                compile::rego_doubts(&policy.ast.source, of_rule, modules)
            }
            _ => Vec::new(),
        }
    });
    rules.collect()
}

/// Puts the text of a module in its place, or says why it cannot be used.
fn read_module(
    modules: &mut RegoModules,
    asked: &ModuleFile,
    asks: Option<&ModuleFiles>,
) -> Result<(), String> {
    let read = asks.map_or(Ok(ModuleText::Unread), |files| files.read(asked))?;
    match (read, modules.modules.first_mut()) {
        (ModuleText::Read(text), Some(own)) => own.value = text,
        (ModuleText::Read(_), None) | (ModuleText::Unread, _) => {
            modules.unread = Some("it is not looked for here".to_owned());
            return Ok(());
        }
    }
    Ok(())
}

/// What was read becomes a checked policy, if it has no errors.
fn checked(
    (policy, mut diagnostics): (Option<Policy>, Vec<Diagnostic>),
    environment: &Environment,
) -> (Option<Checked>, Vec<Diagnostic>) {
    let readable = !diagnostics.iter().any(Diagnostic::is_error);
    let checked = policy.and_then(|policy| {
        let (checked, said) = check::check(autogen::autogen(policy), environment);
        add_checked(&mut diagnostics, said);
        checked
    });
    (checked.filter(|_| readable), diagnostics)
}

/// Adds what checks found. Where something could not be read, they looked at what stands for it, and what they say of the
/// place that holds it would be said of nothing that the author wrote.
fn add_checked(said: &mut Vec<Diagnostic>, found: Vec<Diagnostic>) {
    let place = |one: &Diagnostic| one.labels.first().map(|label| label.span);
    let errors = said.iter().filter(|one| one.is_error());
    let unread: Vec<_> = errors.filter_map(place).collect();
    let follows = |one: &Diagnostic| {
        let whole = place(one);
        let holds = |part: &Span| {
            whole.is_some_and(|whole| whole.start <= part.start && part.end <= whole.end)
        };
        unread.iter().any(holds)
    };
    said.extend(found.into_iter().filter(|one| !follows(one)));
}

/// Where a policy's name stands, for a message about another source.
fn position(policy: &Policy) -> String {
    let (line, _) = policy.source.position(policy.name.span.start);
    format!("{}:{line}", policy.source.name)
}

/// Says that a policy is left out because an earlier one has its name.
fn duplicate(policy: &Policy, earlier: &str) -> Diagnostic {
    let message = format!("there is a policy `{}` already, at {earlier}", policy.key());
    let span = policy.name.span;
    Diagnostic::error(Code::DuplicatePolicy, &policy.source, span, message)
}
