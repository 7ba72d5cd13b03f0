//! Evaluating policies on resources that are being created, as far as anybody says.
//!
//! Knows how Kyverno's command line prepares an evaluation; not what is expected of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use regent_engine::admission::{AdmissionRequest, Operation};
use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::evaluation::{Evaluation, Phase, Variables};
use regent_engine::limits::ContextSize;
use regent_engine::load::modules::ModuleFiles;
use regent_engine::load::{
    BreakGlassFor, Environment, ExceptionsFrom, Holds, Loaded, load_with_exceptions,
};
use regent_engine::response::{PolicyResponse, RuleResponse, RuleStatus, RuleType};
use regent_engine::source::Source;
use regent_server::guests::Guests;
use serde_json::Value;

use super::guests;
use super::host::{Host, Targets};
use super::images::OfflineImages;
use super::observe::{Observed, Watch};
use super::patch;
use super::policies::{Named, named};
use super::request::{Assumptions, assume, in_object, put};
use super::resources::Resource;
use super::targets;
use super::values::names::Name;
use super::values::{RequestUser, Values};
use super::world::World;

/// What is evaluated, on what, and what is assumed.
#[derive(Debug)]
pub struct Inputs {
    /// Texts of policies.
    pub policies: Vec<Arc<Source>>,
    /// What they are evaluated on, in order.
    pub resources: Vec<Resource>,
    /// What rules may change besides what they are about.
    pub targets: Vec<Resource>,
    /// Whether anything else is there for them to change.
    pub existing: Existing,
    /// What rules may copy.
    pub sources: Vec<Resource>,
    /// What is to be said although it runs.
    pub warnings: Vec<String>,
    /// Values.
    pub values: Values,
    /// Who asks, where that is known.
    pub user: Option<RequestUser>,
    /// Images.
    pub images: OfflineImages,
    /// What stands for a cluster and for services.
    pub world: World,
    /// Exceptions.
    pub exceptions: Exceptions,
    /// Versions of provenance.
    pub slsa_versions: SlsaVersions,
    /// Warnings about files that mislead.
    pub misleading: Vec<Diagnostic>,
}

/// Whether SLSA provenance of one version answers for the other, where a policy looks at the builder only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlsaVersions {
    /// It does, unless the policy says otherwise.
    EitherAnswers,
    /// It never does.
    Exact,
}

/// What exists besides the targets, for rules that change existing resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The resources that rules are evaluated on, as `test` has it.
    Resources,
    /// The targets and nothing else; where there are none, nobody knows what exists, as `apply` has it.
    Targets,
}

/// Where exceptions are looked for.
#[derive(Debug, Default)]
pub struct Exceptions {
    /// In these texts.
    pub texts: Vec<(Arc<Source>, Holds)>,
    /// Among the policies.
    pub among_policies: bool,
}

/// Everything that is needed, with the policies loaded.
#[derive(Debug)]
pub struct Prepared {
    /// The policies that loaded.
    pub loaded: Loaded,
    /// Policies as their files name them, those that did not load too.
    pub policies: Vec<Named>,
    /// What is wrong with files of policies where not even the name of one can be read.
    pub nameless: Vec<Diagnostic>,
    /// What they are evaluated on, in order; then what rules may change besides.
    pub resources: Vec<Resource>,
    /// On how many of them they are evaluated.
    evaluated: usize,
    /// What rules may copy.
    objects: Vec<Value>,
    /// What rules may change, where that is not all of it.
    targets: Option<Vec<Value>>,
    /// What is to be said although it runs.
    pub warnings: Vec<String>,
    /// What is read, and is not what it seems to be.
    misleading: Vec<Diagnostic>,
    /// What is wrong with exceptions: without them the results would be others.
    pub unusable_exceptions: Vec<Diagnostic>,
    values: Values,
    user: Option<RequestUser>,
    images: OfflineImages,
    guests: Option<Arc<Guests>>,
    world: World,
    watch: Watch,
}

/// What became of one resource.
#[derive(Debug)]
pub struct Evaluated {
    /// Which, by its place among the prepared ones.
    pub resource: usize,
    /// The resource by the name that values gave it, where they gave it another.
    pub named: Option<Resource>,
    /// What the policies answered.
    pub answers: Vec<Answer>,
    /// What was to be known besides.
    pub observed: Observed,
}

/// What one policy answered.
#[derive(Debug)]
pub struct Answer {
    /// Its name.
    pub policy: String,
    /// Its namespace, for a `Policy`.
    pub namespace: Option<String>,
    /// Its rules that matched.
    pub rules: Vec<RuleResponse>,
    /// The object with the policy's patches.
    pub patched: Arc<Value>,
    /// Why a patch could not be applied.
    pub patch_error: Option<String>,
    /// Whether a rule was to change the object and could not.
    mutation_failed: bool,
}

/// Policies that see the same request.
struct Group<'a> {
    object: Cow<'a, Value>,
    values: BTreeMap<String, Value>,
    policies: Vec<&'a Named>,
}

impl Prepared {
    /// Loads the policies.
    pub fn new(inputs: Inputs) -> Self {
        let remote = inputs.images.modules();
        let of_registries = Arc::clone(&remote);
        let environment = Environment {
            log_urls: inputs.images.log_urls(),
            exceptions: if inputs.exceptions.among_policies {
                ExceptionsFrom::Anywhere
            } else {
                ExceptionsFrom::Nowhere
            },
            break_glass: if inputs.exceptions.among_policies {
                BreakGlassFor::LONGEST
            } else {
                BreakGlassFor::Nobody
            },
            exact_slsa_versions: inputs.slsa_versions == SlsaVersions::Exact,
            builders: inputs.images.builders().clone(),
            modules: ModuleFiles::new(move |file| of_registries.read(file)),
            context_size: ContextSize::default(),
        };
        let exceptions = &inputs.exceptions.texts;
        let mut loaded = load_with_exceptions(&inputs.policies, exceptions, &environment);
        let guests = guests::prepare(&mut loaded, Some(remote));
        let of_exceptions = |one: &&Diagnostic| {
            let mut texts = exceptions.iter();
            one.is_error() && texts.any(|(text, _)| text.name == one.source.name)
        };
        let unusable = loaded.diagnostics.iter().filter(of_exceptions);
        let unusable_exceptions = unusable.cloned().collect();
        let (policies, nameless) = named(&inputs.policies, &loaded.diagnostics);
        let mut resources = inputs.resources;
        let evaluated = resources.len();
        let only_targets = inputs.existing == Existing::Targets;
        let targets = only_targets.then(|| {
            let targets = inputs.targets.iter();
            targets.map(|target| target.object.clone()).collect()
        });
        for target in inputs.targets {
            if resources.iter().all(|known| known.key() != target.key()) {
                resources.push(target);
            }
        }
        let objects = inputs.sources.iter().chain(&resources);
        Self {
            loaded,
            policies,
            nameless,
            evaluated,
            targets,
            objects: objects.map(|resource| resource.object.clone()).collect(),
            resources,
            warnings: inputs.warnings,
            misleading: inputs.misleading,
            unusable_exceptions,
            values: inputs.values,
            user: inputs.user,
            images: inputs.images,
            guests,
            world: inputs.world,
            watch: Watch::default(),
        }
    }

    /// The same, keeping what is to be known of evaluations besides their answers.
    #[must_use]
    pub fn watching(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// What is kept of evaluations.
    pub const fn watch(&self) -> Watch {
        self.watch
    }

    /// What whoever runs the policies has to know of them: why one does not run, and which exceptions are about what there
    /// is not. All else that may be meant otherwise is what `check` says.
    pub fn told(&self) -> impl Iterator<Item = &Diagnostic> {
        let diagnostics = self.loaded.diagnostics.iter();
        diagnostics.filter(|one| one.is_error() || one.code == Code::UnknownInException)
    }

    /// What misleads in the files of values and their like: one of another kind, and values that are about nothing.
    pub fn misleading(&self) -> Vec<Diagnostic> {
        let renamed = self.values.rename();
        let unknown = |name: &Name| name.unknown(&self.policies, &self.resources, renamed);
        let names = self.values.names.iter().filter_map(unknown);
        self.misleading.iter().cloned().chain(names).collect()
    }

    /// The resources that are evaluated, without those that rules may change besides.
    pub fn evaluated(&self) -> &[Resource] {
        self.resources.get(..self.evaluated).unwrap_or_default()
    }

    /// Evaluates all policies on all resources; `operation` overrides what the values say.
    pub fn evaluate(&self, operation: Option<Operation>) -> Vec<Evaluated> {
        (0..self.evaluated)
            .filter_map(|index| self.evaluate_one(index, operation))
            .flat_map(|mut evaluated| {
                let targets = targets::split(&mut evaluated, &self.resources);
                std::iter::once(evaluated).chain(targets)
            })
            .collect()
    }

    /// Evaluates all policies on the resource at `index`.
    ///
    /// Values differ by policy, so policies are asked in groups that see the same request. What values say of the object
    /// is said of it from there on: the policies that follow see it too, as in Kyverno's command line.
    pub fn evaluate_one(&self, index: usize, operation: Option<Operation>) -> Option<Evaluated> {
        let resource = self.resources.get(index)?;
        let mut object = Cow::Borrowed(&resource.object);
        let mut groups: Vec<Group<'_>> = Vec::new();
        for policy in self.policies.iter().filter(|policy| policy.runs()) {
            let name = object.pointer("/metadata/name").and_then(Value::as_str);
            let name = name.unwrap_or(&resource.name).to_owned();
            let values = self.values.of_request(&policy.name, &name);
            give_object(&mut object, &values);
            let same = |group: &&mut Group<'_>| group.values == values && group.object == object;
            match groups.iter_mut().find(same) {
                Some(group) => group.policies.push(policy),
                None => groups.push(Group {
                    object: object.clone(),
                    values,
                    policies: vec![policy],
                }),
            }
        }
        let named = Resource::new(object.into_owned(), &resource.file);
        let variables = Arc::new(
            self.values
                .variables(&resource.name, |name| self.keys(name)),
        );
        let is_only = groups.len() == 1;
        let mut answers = Vec::new();
        let mut observed = Observed::default();
        for group in groups {
            let assumptions = Assumptions {
                operation,
                user: self.user.as_ref(),
                sub_resources: &self.values.sub_resources,
                values: &group.values,
            };
            let request = assume(&group.object, assumptions);
            let is_asked = |answer: &Answer| {
                let namespace = answer.namespace.as_deref();
                let mut policies = group.policies.iter();
                is_only || policies.any(|policy| policy.is(&answer.policy, namespace))
            };
            let asked = self.ask(request, &variables, &mut observed);
            answers.extend(asked.into_iter().filter(is_asked));
        }
        Some(Evaluated {
            resource: index,
            named: (named.key() != resource.key()).then_some(named),
            answers,
            observed,
        })
    }

    /// The keys of the policies of a name: there may be one in each namespace.
    pub fn keys(&self, name: &str) -> Vec<String> {
        let loaded = self.loaded.policies.policies().iter();
        loaded
            .filter(|policy| policy.ast.name.value == name)
            .map(|policy| policy.ast.key())
            .collect()
    }

    /// Asks as a webhook is asked: first what changes the object, then what judges it as it has become.
    fn ask(
        &self,
        mut request: AdmissionRequest,
        variables: &Arc<Variables>,
        observed: &mut Observed,
    ) -> Vec<Answer> {
        let host = Host {
            namespaces: &self.values.namespaces,
            images: &self.images,
            world: &self.world,
            objects: &self.objects,
            targets: match &self.targets {
                None => Targets::Everything,
                Some(targets) if targets.is_empty() => Targets::Unknown,
                Some(targets) => Targets::Named(targets),
            },
            guests: self.guests.as_deref(),
        };
        let policies = &self.loaded.policies;
        let environment = self.images.environment();
        let evaluate = |request, phase| policies.review(request, phase, environment);
        let mut run = |evaluation: Evaluation| {
            let evaluation = evaluation.with_variables(Arc::clone(variables));
            let mut evaluation = self.watch.watched(evaluation);
            let responses = host.run(&mut evaluation);
            observed.take(&mut evaluation);
            responses
        };
        let first = run(evaluate(Arc::new(request.clone()), Phase::Mutate));
        let mut answers = changed(first, &mut request.object);
        if answers.iter().any(Answer::could_not_mutate) {
            // As in Kyverno there is no object then to go on with.
            return let_in(answers);
        }
        let patched = request.object.clone().unwrap_or_default();
        let request = Arc::new(request);
        let second = run(evaluate(Arc::clone(&request), Phase::Validate));
        let third = run(policies.evaluate_background(request, environment));
        for response in second.into_iter().chain(third) {
            let known = answers.iter_mut().find(|known| {
                known.policy == response.policy && known.namespace == response.namespace
            });
            match known {
                Some(known) => merge(&mut known.rules, response.rules),
                None => answers.push(Answer::new(response, Arc::clone(&patched), None)),
            }
        }
        let_in(answers)
    }
}

/// Shows what break-glass lets in as what exceptions let off: a rule that says nothing against the resource.
fn let_in(mut answers: Vec<Answer>) -> Vec<Answer> {
    for rule in answers.iter_mut().flat_map(|answer| &mut answer.rules) {
        if let Some(one) = rule.let_in.take() {
            let said = std::mem::take(&mut rule.message);
            rule.message = format!(
                "let in by break-glass {} until {}: {said}",
                one.name, one.expires_at
            );
            rule.status = RuleStatus::Skip;
            let details = rule.details.get_or_insert_default();
            details.exceptions.push(one.name);
        }
    }
    answers
}

/// Puts into an object what values say of it.
fn give_object(object: &mut Cow<'_, Value>, values: &BTreeMap<String, Value>) {
    for (path, value) in values {
        if let Some(keys) = in_object(path) {
            put(object.to_mut(), keys, value);
        }
    }
}

/// The object as each policy leaves it: images are patched after all other changes.
fn changed(responses: Vec<PolicyResponse>, object: &mut Option<Arc<Value>>) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut patched = object.clone().unwrap_or_default();
    for response in responses {
        let mut rules = response.rules.iter().rev();
        if let Some(last) = rules.find_map(|rule| rule.patched.as_ref()) {
            patched = Arc::clone(last);
        }
        let mut failed = response.rules.iter().filter(|rule| {
            rule.rule_type == RuleType::Mutation
                && rule.status == RuleStatus::Error
                && rule.let_in.is_none()
        });
        let mutation_failed = failed.next().is_some();
        answers.push(Answer {
            mutation_failed,
            ..Answer::new(response, Arc::clone(&patched), None)
        });
    }
    if object.is_some() {
        *object = Some(Arc::clone(&patched));
    }
    for answer in &mut answers {
        let of_images = |rule: &&RuleResponse| rule.rule_type == RuleType::ImageVerify;
        let mut images = answer.rules.iter().filter(of_images).peekable();
        if let Some(object) = object
            && images.peek().is_some()
        {
            let patched = Arc::make_mut(object);
            answer.patch_error = images.find_map(|rule| patch::apply(patched, &rule.patches).err());
            answer.patched = Arc::clone(object);
        }
    }
    answers
}

impl Answer {
    fn new(response: PolicyResponse, patched: Arc<Value>, patch_error: Option<String>) -> Self {
        Self {
            policy: response.policy,
            namespace: response.namespace,
            rules: response.rules,
            patched,
            patch_error,
            mutation_failed: false,
        }
    }

    /// What a rule did to another resource, which is as `patched` then.
    pub(super) fn of_target(&self, rule: RuleResponse, patched: Value) -> Self {
        Self {
            policy: self.policy.clone(),
            namespace: self.namespace.clone(),
            rules: vec![rule],
            patched: Arc::new(patched),
            patch_error: None,
            mutation_failed: false,
        }
    }

    /// Whether the policy was to change the object and could not; what it was to change besides is not the object.
    pub const fn could_not_mutate(&self) -> bool {
        self.patch_error.is_some() || self.mutation_failed
    }
}

/// A rule that verifies images answers in both phases; the worse answer is the rule's.
fn merge(known: &mut Vec<RuleResponse>, rules: Vec<RuleResponse>) {
    for rule in rules {
        let first = known
            .iter_mut()
            .find(|first| first.rule == rule.rule && first.rule_type == RuleType::ImageVerify);
        match first {
            Some(first) if rule.rule_type == RuleType::ImageVerify => {
                if badness(rule.status) > badness(first.status) {
                    *first = rule;
                }
            }
            _ => known.push(rule),
        }
    }
}

const fn badness(status: RuleStatus) -> u8 {
    match status {
        RuleStatus::Skip => 0,
        RuleStatus::Pass => 1,
        RuleStatus::Warn => 2,
        RuleStatus::Fail => 3,
        RuleStatus::Error => 4,
    }
}
