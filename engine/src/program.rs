//! What `compile` made of policies; immutable.
//!
//! Holds the syntax tree beside the programs, for messages and for values with variables; verdicts come from the
//! programs alone.

pub mod evidence;
pub mod extractor;
pub mod guest;
mod parts;
mod pod_security;
pub mod together;

use std::sync::Arc;

use crate::admission::Operation;
use crate::ast;
use crate::ast::context::Method;
use crate::ast::matching::Selector;
use crate::ast::mutate::{Order, Step};
use crate::ast::rego::InventoryKind;
use crate::builders::Builders;
use crate::jmespath::Expression;
use crate::mutate::json_patch;
use crate::operator::Operator;
use crate::pod_security::Exclusion;
use crate::rego::evaluate;
use crate::rego::foreign::Foreign;
use crate::source::Span;
use crate::template::{Template, Text};
use crate::wildcard;
use together::Together;

use evidence::{EvidenceSource, RemoteKey, View};
use extractor::ImageExtractor;
use guest::Guest;

pub use pod_security::PodSecurity;

/// A compiled policy.
#[derive(Debug)]
pub struct Policy {
    /// What it was made from.
    pub ast: Arc<ast::Policy>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    /// Its index in the policy.
    pub index: usize,
    /// Which requests it may be about; a superset.
    pub candidates: Candidates,
    /// Whether labels of namespaces are asked for.
    pub needs_namespace_labels: bool,
    /// Whether the roles of the user are asked for.
    pub needs_roles: bool,
    /// Its program: the entry points [`SELECTED`], [`PRECONDITIONS`] and, for `validate`, [`VERDICT`].
    pub program: evaluate::Program,
    /// Names that its expressions may use.
    pub context: Vec<ContextEntry>,
    /// When it applies.
    pub preconditions: Option<Judged<Conditions>>,
    /// Where images are looked for, beside pods.
    pub image_extractors: Vec<ImageExtractor>,
    /// `reportProperties`.
    pub report_properties: Vec<(String, Text)>,
    /// What it demands.
    pub body: Body,
    /// Exceptions that let requests off from it, in the order of loading.
    pub exceptions: Vec<Arc<Exception>>,
    /// What lets requests in that it refuses, in the order of loading.
    pub break_glass: Vec<Arc<BreakGlass>>,
    /// What of it can be judged together with other rules.
    pub together: Together,
}

/// Names a rule: its policy's index and its own.
pub type RuleKey = (usize, usize);

/// A compiled `PolicyException`.
#[derive(Debug)]
pub struct Exception {
    /// `namespace/name`.
    pub key: String,
    /// Whether labels of namespaces are asked for.
    pub needs_namespace_labels: bool,
    /// Whether the roles of the user are asked for.
    pub needs_roles: bool,
    /// Its program: the entry points [`SELECTED`] and [`EXCEPTION_CONDITIONS`].
    pub program: evaluate::Program,
    /// Values of the conditions, `input.values`.
    pub slots: Vec<Arc<Template>>,
    /// Only these controls are let off, where there are any and the rule is about such.
    pub exclusions: Vec<Exclusion>,
    /// What it was made from.
    pub ast: Arc<ast::exception::PolicyException>,
}

impl Exception {
    /// Whether it is about a rule.
    pub fn is_about(&self, policy: &str, rule: &str) -> bool {
        let mut exceptions = self.ast.exceptions.iter();
        exceptions.any(|one| {
            let mut rules = one.rules.iter();
            one.policy.value == policy && rules.any(|name| wildcard::matches(&name.value, rule))
        })
    }
}

/// A compiled `BreakGlass`.
#[derive(Debug)]
pub struct BreakGlass {
    /// Whom and what it is about.
    pub exception: Exception,
    /// What it was made from.
    pub ast: Arc<ast::break_glass::BreakGlass>,
}

/// Entry point: `match` or `nomatch`.
pub const SELECTED: usize = 0;
/// Entry point: `true`, `false` or `error`.
pub const PRECONDITIONS: usize = 1;
/// Entry point of an exception's program: `true`, `false` or `error`.
pub const EXCEPTION_CONDITIONS: usize = 1;
/// Entry point: `pass`, `fail`, `skip` or `error`.
pub const VERDICT: usize = 2;
/// Entry point of an image's program: which statements are used.
pub const USED: usize = 0;
/// Entry point of an image's program: `pass` or `fail`, with `validate` also `error`.
pub const IMAGE_VERDICT: usize = 1;
/// Entry point of an image's program: what is used, where the verdict is `pass`.
pub const IMAGE_PASSED: usize = 2;
/// Entry point of an image's program: the conditions of its first attestation, those of the others behind it.
pub const CONDITIONS: usize = 3;

/// What a rule demands.
#[derive(Debug)]
pub enum Body {
    /// `validate`.
    Validate(Validate),
    /// `validate` with `podSecurity`.
    PodSecurity(PodSecurity),
    /// `validate` with `rego`.
    Rego(Box<RegoModules>),
    /// `validate` with `wasm`.
    Wasm(Wasm),
    /// `verifyImages`.
    VerifyImages(Vec<ImageEntry>),
    /// `mutate`.
    Mutate(Mutate),
    /// `generate`.
    Generate(Generation),
}

/// `mutate` of a rule.
#[derive(Debug)]
pub struct Mutate {
    /// What is changed instead of the resource that the rule is about.
    pub targets: Vec<Target>,
    /// What is done.
    pub change: Change,
}

/// What is done to a resource.
#[derive(Debug)]
pub enum Change {
    /// One patch, and where it was written.
    Patch(Patch, Span),
    /// A patch for each element of some lists.
    Foreach(Vec<ChangeForeach>),
    /// What a module makes of it.
    Wasm(Arc<Guest>),
}

/// A patch.
#[derive(Debug)]
pub enum Patch {
    /// A strategic merge, anchors included.
    StrategicMerge(Template),
    /// A JSON patch without variables.
    Constant(Vec<json_patch::Operation>),
    /// A JSON patch.
    Json {
        /// The operations.
        operations: Template,
        /// Values that are texts, whatever they resolve to.
        quoted: Vec<Vec<Step>>,
        /// Values that are a number or a boolean where their text is one.
        plain: Vec<Vec<Step>>,
    },
}

/// A block of `mutate.foreach`.
#[derive(Debug)]
pub struct ChangeForeach {
    /// The expression of the elements.
    pub list: Query,
    /// The same, as it was written.
    pub list_text: String,
    /// In which order they are gone through.
    pub order: Order,
    /// Names that are made anew for each element.
    pub context: Vec<ContextEntry>,
    /// Its program: the entry point [`ELEMENT_PRECONDITIONS`].
    pub program: evaluate::Program,
    /// Of each element.
    pub preconditions: Option<Judged<Conditions>>,
    /// What is done for each element.
    pub change: Change,
}

/// An entry of `mutate.targets`.
#[derive(Debug)]
pub struct Target {
    /// `apiVersion`.
    pub api_version: Text,
    /// `kind`.
    pub kind: Text,
    /// `namespace`, with wildcards.
    pub namespace: Option<Text>,
    /// `name`, with wildcards.
    pub name: Option<Text>,
    /// `uid`.
    pub uid: Option<Text>,
    /// `selector`.
    pub selector: Option<Selector>,
    /// Names that are made anew for each target.
    pub context: Vec<ContextEntry>,
    /// Its program: the entry point [`ELEMENT_PRECONDITIONS`].
    pub program: evaluate::Program,
    /// Of each target.
    pub preconditions: Option<Judged<Conditions>>,
}

/// `generate` of a rule.
#[derive(Debug)]
pub enum Generation {
    /// One resource, or the copies of some.
    Resource(Box<Generated>),
    /// The same for each element of some lists.
    Foreach(Vec<GenerationForeach>),
}

/// A block of `generate.foreach`.
#[derive(Debug)]
pub struct GenerationForeach {
    /// The expression of the elements.
    pub list: Query,
    /// The same, as it was written.
    pub list_text: String,
    /// Names that are made anew for each element.
    pub context: Vec<ContextEntry>,
    /// Its program: the entry point [`ELEMENT_PRECONDITIONS`].
    pub program: evaluate::Program,
    /// Of each element.
    pub preconditions: Option<Judged<Conditions>>,
    /// What is made for each element.
    pub resource: Generated,
}

/// What is made.
#[derive(Debug)]
pub enum Generated {
    /// A new resource.
    Data {
        /// Which.
        resource: Reference,
        /// All but its identity.
        data: Template,
    },
    /// The copy of one.
    Clone {
        /// Which.
        resource: Reference,
        /// The name of what is copied.
        source_name: Text,
        /// Its namespace.
        source_namespace: Option<Text>,
    },
    /// Copies of some, each under its own name.
    CloneList(CloneList),
}

/// What is copied where.
#[derive(Debug)]
pub struct CloneList {
    /// Where copies are made.
    pub namespace: Option<Text>,
    /// Where they are copied from.
    pub source_namespace: Option<Text>,
    /// Their types, as `v1/Secret`.
    pub kinds: Vec<Text>,
    /// By their labels.
    pub selector: Option<Selector>,
}

/// Which resource is made.
#[derive(Debug)]
pub struct Reference {
    /// `apiVersion`.
    pub api_version: Text,
    /// `kind`.
    pub kind: Text,
    /// `name`.
    pub name: Text,
    /// `namespace`.
    pub namespace: Option<Text>,
}

/// Modules that somebody else wrote, as they are asked.
#[derive(Debug)]
pub struct RegoModules {
    /// What to say of a resource that fails, before what they say.
    pub message: Option<Text>,
    /// The modules, or why they cannot be asked.
    pub foreign: Result<Arc<Foreign>, String>,
    /// `input.parameters`.
    pub parameters: evaluate::Document,
    /// What `data.inventory` holds.
    pub inventory: Vec<InventoryKind>,
}

/// `validate.wasm` of a rule.
#[derive(Debug)]
pub struct Wasm {
    /// What to say of a resource that fails.
    pub message: Option<Text>,
    /// Who is asked.
    pub guest: Arc<Guest>,
}

/// An entry of `verifyImages`.
#[derive(Debug)]
pub struct ImageEntry {
    /// Its program.
    pub program: evaluate::Program,
    /// Where evidence comes from; never empty.
    pub sources: Vec<EvidenceSource>,
    /// Keys that are asked for.
    pub remote_keys: Vec<RemoteKey>,
    /// Which statements are judged by which attestation's conditions.
    pub views: Vec<View>,
    /// Whether the program compares the name of the image with what statements are about: `input.image`.
    pub compares_name: bool,
    /// Who signs for which builder.
    pub builders: Arc<Builders>,
    /// The conditions of each attestation.
    pub conditions: Vec<Option<Judged<Conditions>>>,
    /// What is denied of a verified image.
    pub validate: Option<ImageDemand>,
}

/// `validate` of an entry of `verifyImages`.
#[derive(Debug)]
pub struct ImageDemand {
    /// What to say of an image that is denied.
    pub message: Option<Text>,
    /// What is denied; without conditions, every image.
    pub deny: Judged<Option<Conditions>>,
}

impl ImageEntry {
    /// Entry point, where there is `validate`: for each view the statements that count; nothing where the image is not
    /// verified.
    pub fn counted(&self) -> usize {
        CONDITIONS + self.conditions.len()
    }

    /// Entry point, where there is `validate`: `true`, `false` or `error`.
    pub fn denied(&self) -> usize {
        self.counted() + 1
    }
}

/// What the program judges, as it is explained, with the values that the program needs for it: `input.values`.
#[derive(Debug)]
pub struct Judged<T> {
    /// What is judged.
    pub what: T,
    /// Templates of the values, in order.
    pub slots: Vec<Arc<Template>>,
}

/// `validate` of a rule.
#[derive(Debug)]
pub struct Validate {
    /// What to say of a resource that fails.
    pub message: Option<Text>,
    /// What is demanded.
    pub demand: Demand,
}

/// What is demanded.
#[derive(Debug)]
pub enum Demand {
    /// The resource is as the pattern says.
    Pattern(Judged<Arc<Template>>),
    /// The resource is as one of them says.
    AnyPattern(Judged<Vec<Arc<Template>>>),
    /// The conditions do not hold; without any, nothing is as demanded.
    Deny(Judged<Option<Conditions>>),
    /// Each element of some lists is as demanded.
    Foreach(Vec<Foreach>),
}

/// A block of `foreach`.
#[derive(Debug)]
pub struct Foreach {
    /// The expression of the elements.
    pub list: Query,
    /// Whether a pattern is about the element; where it is not said, it is where the element is a map.
    pub element_scope: Option<bool>,
    /// Names that are made anew for each element.
    pub context: Vec<ContextEntry>,
    /// Its program: the entry points [`ELEMENT_PRECONDITIONS`] and [`ELEMENT_VERDICT`].
    pub program: evaluate::Program,
    /// Of each element.
    pub preconditions: Option<Judged<Conditions>>,
    /// Of each element.
    pub demand: Demand,
}

/// Entry point of a block's program: `true`, `false` or `error`.
pub const ELEMENT_PRECONDITIONS: usize = 0;
/// Entry point of a block's program: `pass`, `fail`, `skip` or `error`; of nested blocks also `none`.
pub const ELEMENT_VERDICT: usize = 1;

/// A text that is an expression.
#[derive(Debug, Clone)]
pub struct Query {
    /// The text with its variables.
    pub text: Text,
    /// The expression, where the text holds no variable.
    pub expression: Option<Arc<Expression>>,
}

/// Conditions as they are explained.
#[derive(Debug, Clone)]
pub enum Conditions {
    /// All of them must hold.
    List(Vec<Condition>),
    /// `{any, all}`.
    Block(ConditionBlock),
    /// All of them must hold.
    Blocks(Vec<ConditionBlock>),
}

/// `{any, all}`.
#[derive(Debug, Clone)]
pub struct ConditionBlock {
    /// At least one must hold.
    pub any: Option<Vec<Condition>>,
    /// All must hold.
    pub all: Option<Vec<Condition>>,
}

/// One comparison.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Where it was written.
    pub span: Span,
    /// The left side.
    pub key: Arc<Template>,
    /// How they are compared; none where the operator never holds in the case that it was written in.
    pub operator: Option<Operator>,
    /// The right side.
    pub value: Arc<Template>,
    /// What to say of it.
    pub message: Option<Text>,
}

/// An entry of `context`.
#[derive(Debug)]
pub struct ContextEntry {
    /// The name.
    pub name: String,
    /// What stands behind it.
    pub source: ContextSource,
}

/// What stands behind a name.
#[derive(Debug)]
pub enum ContextSource {
    /// A value of the policy's own.
    Variable {
        /// The value.
        value: Option<Template>,
        /// On the value; on everything where there is no value.
        jmes_path: Option<Query>,
        /// Where the above has no value.
        default: Option<Template>,
    },
    /// A `ConfigMap`.
    ConfigMap {
        /// Its name.
        name: Text,
        /// Its namespace.
        namespace: Option<Text>,
        /// The namespace where none was written.
        default_namespace: String,
    },
    /// A call.
    ApiCall(ApiCall),
    /// A `GlobalContextEntry`.
    GlobalReference {
        /// Its name, with a projection behind a dot.
        name: Text,
        /// On what it holds.
        jmes_path: Option<Query>,
    },
    /// What a registry knows of an image.
    ImageRegistry {
        /// The image.
        reference: Text,
        /// On what is known.
        jmes_path: Option<Query>,
        /// Secrets that show registries who asks, as `NAME` or `NAMESPACE/NAME`.
        pull_secrets: Vec<String>,
    },
}

/// A call.
#[derive(Debug)]
pub struct ApiCall {
    /// Who is asked.
    pub target: ApiTarget,
    /// How.
    pub method: Method,
    /// Fields of the body.
    pub data: Vec<(String, Template)>,
    /// On the answer.
    pub jmes_path: Option<Query>,
    /// Where there is no answer.
    pub default: Option<Template>,
}

/// Who is asked.
#[derive(Debug)]
pub enum ApiTarget {
    /// The API server.
    Path(Text),
    /// Somebody else.
    Service {
        /// The URL.
        url: Text,
        /// Headers.
        headers: Vec<(Text, Text)>,
        /// Certificates in PEM.
        ca_bundle: Option<Text>,
    },
}

/// Which requests a rule may be about: a superset, by what is constant.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    /// Kinds; any where empty.
    pub kinds: Vec<String>,
    /// Operations; any where empty.
    pub operations: Vec<Operation>,
    /// The namespace of a `Policy`.
    pub namespace: Option<String>,
    /// Namespaces that the match names, with wildcards; any where empty.
    pub namespaces: Vec<String>,
    /// Resources, in the plural, without sub-resources; any where empty.
    pub resources: Vec<String>,
}

impl Rule {
    /// Whether the rule is about other resources than the request's: no webhook asks it.
    pub fn is_background(&self) -> bool {
        match &self.body {
            Body::Generate(_) => true,
            Body::Mutate(mutate) => !mutate.targets.is_empty(),
            Body::Validate(_)
            | Body::PodSecurity(_)
            | Body::Rego(_)
            | Body::Wasm(_)
            | Body::VerifyImages(_) => false,
        }
    }
}

impl Policy {
    /// The rule's own part of the syntax tree.
    pub fn rule_ast(&self, rule: &Rule) -> Option<&ast::Rule> {
        self.ast.rules.get(rule.index)
    }
}
