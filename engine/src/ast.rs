//! What an author wrote, typed, with the place of everything that a message may have to point at.
//!
//! Knows neither YAML nor Rego. Fields hold what was written (`None` where nothing was); methods give the value that
//! counts, defaults applied. Rules that autogen made stand after the author's, with the spans of the rule they came from.

pub mod break_glass;
pub mod condition;
pub mod context;
pub mod evidence;
pub mod exception;
pub mod extractor;
pub mod foreach;
pub mod gatekeeper;
pub mod generate;
pub mod guest;
pub mod matching;
pub mod module_verify;
pub mod mutate;
pub mod pattern;
pub mod pod_security;
pub mod rego;
pub mod template;
pub mod validate;
pub mod verify_images;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::response::{FailureAction, FailurePolicy};
use crate::source::{Source, Span, Spanned};

use condition::Conditions;
use context::ContextEntry;
use extractor::ImageExtractor;
use generate::Generate;
use guest::Guest;
use matching::{Filters, Selector};
use module_verify::ModuleVerify;
use mutate::{Mutate, MutateBody};
use validate::{Validate, ValidateBody};
use verify_images::VerifyImages;

/// A `ClusterPolicy` or `Policy`.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The text that all spans point into.
    pub source: Arc<Source>,
    /// The whole document.
    pub span: Span,
    /// Which of the two kinds.
    pub kind: PolicyKind,
    /// `metadata.name`.
    pub name: Spanned<String>,
    /// `metadata.namespace`; always there for a `Policy` (`default` where not written), never for a `ClusterPolicy`.
    pub namespace: Option<Spanned<String>>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, Spanned<String>>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, Spanned<String>>,
    /// `spec`, apart from the rules.
    pub settings: Settings,
    /// `spec.rules` in order, then what autogen made of them.
    pub rules: Vec<Rule>,
}

/// Which kind of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// For the whole cluster.
    ClusterPolicy,
    /// For the resources of its own namespace only.
    Policy,
}

/// `spec` of a policy, apart from its rules: what was written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// `applyRules`.
    pub apply_rules: Option<Spanned<ApplyRules>>,
    /// `failurePolicy`, the deprecated place.
    pub failure_policy: Option<Spanned<FailurePolicy>>,
    /// `webhookTimeoutSeconds`, the deprecated place.
    pub webhook_timeout_seconds: Option<Spanned<u32>>,
    /// `webhookConfiguration.failurePolicy`.
    pub webhook_failure_policy: Option<Spanned<FailurePolicy>>,
    /// `webhookConfiguration.timeoutSeconds`.
    pub webhook_configuration_timeout_seconds: Option<Spanned<u32>>,
    /// `validationFailureAction`, the deprecated place.
    pub validation_failure_action: Option<Spanned<FailureAction>>,
    /// `validationFailureActionOverrides`, the deprecated place.
    pub validation_failure_action_overrides: Vec<FailureActionOverride>,
    /// `emitWarning`.
    pub emit_warning: Option<Spanned<bool>>,
    /// `admission`.
    pub admission: Option<Spanned<bool>>,
    /// `background`.
    pub background: Option<Spanned<bool>>,
}

/// How many rules of a policy run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyRules {
    /// All of them.
    All,
    /// None after the first that applied.
    One,
}

/// What a failure means in some namespaces. One with neither namespaces nor selector counts everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureActionOverride {
    /// Where it was written.
    pub span: Span,
    /// The action there.
    pub action: Spanned<FailureAction>,
    /// Wildcards; any of them.
    pub namespaces: Vec<Spanned<String>>,
    /// And by the namespace's labels.
    pub namespace_selector: Option<Selector>,
}

/// One rule, the author's or autogen's.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Where it was written; for a generated rule, the rule that it came from.
    pub span: Span,
    /// Its name, with the prefix that autogen gave it; the span is that of the author's name.
    pub name: Spanned<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is about.
    pub matches: Filters,
    /// What of that it is not about.
    pub excludes: Option<Filters>,
    /// Names that its expressions may use, in order.
    pub context: Vec<ContextEntry>,
    /// When it applies.
    pub preconditions: Option<Conditions>,
    /// `imageExtractors`: where images are looked for, beside pods.
    pub image_extractors: Vec<ImageExtractor>,
    /// `reportProperties`, as written.
    pub report_properties: Vec<(Spanned<String>, template::Text)>,
    /// What it demands.
    pub body: RuleBody,
}

impl Rule {
    /// What a constraint of Gatekeeper or a policy of Kubewarden is about, beyond `matches`.
    pub fn constraint(&self) -> Option<&rego::Constraint> {
        match &self.body {
            RuleBody::Validate(Validate {
                body: ValidateBody::Rego(modules),
                ..
            }) => modules.constraint.as_ref(),
            RuleBody::Validate(_)
            | RuleBody::VerifyImages(_)
            | RuleBody::Mutate(_)
            | RuleBody::Generate(_) => {
                let of_kubewarden = self.guest()?.kubewarden.as_ref()?;
                Some(&of_kubewarden.constraint)
            }
        }
    }
}

/// Where a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From the author.
    Written,
    /// From a Pod rule, by autogen.
    Autogen {
        /// The name of the author's rule.
        base: String,
        /// Where the kinds of this rule keep their pod.
        pod: PodPath,
    },
}

/// Where a resource keeps its pod's metadata and spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PodPath {
    /// `spec.template`: Deployment and the others.
    Template,
    /// `spec.jobTemplate.spec.template`: CronJob.
    JobTemplate,
}

impl PodPath {
    /// The fields that lead to the pod.
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Template => &["spec", "template"],
            Self::JobTemplate => &["spec", "jobTemplate", "spec", "template"],
        }
    }
}

/// What a rule demands.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleBody {
    /// `validate`.
    Validate(Validate),
    /// `verifyImages`.
    VerifyImages(Vec<VerifyImages>),
    /// `mutate`.
    Mutate(Mutate),
    /// `generate`.
    Generate(Generate),
}

/// A policy that passed every check: it can be compiled.
///
/// Only `check::check` makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    policy: Policy,
}

impl Checked {
    /// States that every check passed.
    // INVARIANT: `check::check` is the only caller outside of tests, after it found no error.
    pub fn assertion(policy: Policy) -> Self {
        Self { policy }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// What a failure of a rule means, in the order of asking: the first that says something counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailureActions<'a> {
    /// The rule's overrides; the first that is about the resource's namespace.
    pub rule_overrides: &'a [FailureActionOverride],
    /// The rule's own action.
    pub rule: Option<FailureAction>,
    /// The policy's overrides; the first that is about the resource's namespace.
    pub policy_overrides: &'a [FailureActionOverride],
    /// The policy's action; Audit where it was not written.
    pub policy: FailureAction,
}

impl Rule {
    /// The module that it asks, if it asks one.
    pub fn guest(&self) -> Option<&Guest> {
        match &self.body {
            RuleBody::Validate(Validate {
                body: ValidateBody::Wasm(guest),
                ..
            })
            | RuleBody::Mutate(Mutate {
                body: MutateBody::Wasm(guest),
                ..
            }) => Some(guest),
            RuleBody::Validate(_)
            | RuleBody::Mutate(_)
            | RuleBody::VerifyImages(_)
            | RuleBody::Generate(_) => None,
        }
    }

    /// All that it demands of signatures: of images, or of the module that it asks.
    pub fn image_demands_mut(&mut self) -> Vec<&mut VerifyImages> {
        let verify = match &mut self.body {
            RuleBody::VerifyImages(entries) => return entries.iter_mut().collect(),
            RuleBody::Validate(Validate { body, .. }) => match body {
                ValidateBody::Rego(modules) => modules.verify.as_mut(),
                ValidateBody::Wasm(guest) => guest.verify.as_mut(),
                ValidateBody::Pattern(_)
                | ValidateBody::AnyPattern(_)
                | ValidateBody::Deny(_)
                | ValidateBody::Foreach(_)
                | ValidateBody::PodSecurity(_) => None,
            },
            RuleBody::Mutate(Mutate {
                body: MutateBody::Wasm(guest),
                ..
            }) => guest.verify.as_mut(),
            RuleBody::Mutate(_) | RuleBody::Generate(_) => None,
        };
        verify.into_iter().map(|verify| &mut verify.entry).collect()
    }

    /// Who must have signed the module that it asks, where it says so.
    pub fn module_verify(&self) -> Option<&ModuleVerify> {
        match &self.body {
            RuleBody::Validate(Validate {
                body: ValidateBody::Rego(modules),
                ..
            }) => modules.verify.as_deref(),
            RuleBody::Validate(_)
            | RuleBody::Mutate(_)
            | RuleBody::VerifyImages(_)
            | RuleBody::Generate(_) => self.guest()?.verify.as_deref(),
        }
    }
}

impl Policy {
    /// `name`, or `namespace/name` for a `Policy`: what tells policies apart.
    pub fn key(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{}/{}", namespace.value, self.name.value),
            None => self.name.value.clone(),
        }
    }

    /// What an error of a rule means for a request.
    pub fn failure_policy(&self) -> FailurePolicy {
        let settings = &self.settings;
        let written = settings
            .webhook_failure_policy
            .as_ref()
            .or(settings.failure_policy.as_ref());
        written.map_or(FailurePolicy::Fail, |policy| policy.value)
    }

    /// How long the API server is to wait, where the policy says.
    pub fn webhook_timeout_seconds(&self) -> Option<u32> {
        let settings = &self.settings;
        settings
            .webhook_configuration_timeout_seconds
            .as_ref()
            .or(settings.webhook_timeout_seconds.as_ref())
            .map(|seconds| seconds.value)
    }

    /// How many rules run.
    pub fn apply_rules(&self) -> ApplyRules {
        let written = self.settings.apply_rules.as_ref();
        written.map_or(ApplyRules::All, |apply| apply.value)
    }

    /// Whether results other than pass of auditing rules are returned as warnings.
    pub fn emit_warning(&self) -> bool {
        let written = self.settings.emit_warning.as_ref();
        written.is_some_and(|emit| emit.value)
    }

    /// Whether the policy is evaluated at admission.
    pub fn admission(&self) -> bool {
        let written = self.settings.admission.as_ref();
        written.is_none_or(|admission| admission.value)
    }

    /// Whether the policy is also evaluated where there is no request and no user.
    pub fn background(&self) -> bool {
        let written = self.settings.background.as_ref();
        written.is_none_or(|background| background.value)
    }

    /// Whether a failure counts as one: `policies.kyverno.io/scored: "false"` makes it a warning.
    pub fn scored(&self) -> bool {
        let written = self.annotations.get("policies.kyverno.io/scored");
        written.is_none_or(|scored| scored.value != "false")
    }

    /// What a failure of `rule` means: the first of these that says something.
    pub fn failure_action<'a>(&'a self, rule: &'a Rule) -> FailureActions<'a> {
        let (of_rule, rule_overrides) = match &rule.body {
            RuleBody::Validate(validate) => (
                validate.failure_action.as_ref().map(|action| action.value),
                validate.failure_action_overrides.as_slice(),
            ),
            RuleBody::VerifyImages(entries) => (verify_images::failure_action(entries), &[][..]),
            // A resource that could not be changed as the policy says is not let through as it is.
            RuleBody::Mutate(_) | RuleBody::Generate(_) => (Some(FailureAction::Enforce), &[][..]),
        };
        let of_policy = self.settings.validation_failure_action.as_ref();
        FailureActions {
            rule_overrides,
            rule: of_rule,
            policy_overrides: &self.settings.validation_failure_action_overrides,
            policy: of_policy.map_or(FailureAction::Audit, |action| action.value),
        }
    }
}
