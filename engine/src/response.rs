//! What rules and policies answered.

use std::sync::Arc;

use crate::image::Digest;
use crate::source::Span;

/// What became of one rule on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleStatus {
    /// The compiled program said pass.
    Pass,
    /// The resource breaks the rule.
    Fail,
    /// A failure of a rule that is not scored.
    Warn,
    /// The rule could not be decided; never an allow unless `failurePolicy: Ignore`.
    Error,
    /// The rule matched and does not apply.
    Skip,
}

impl RuleStatus {
    /// The name as reports and tests spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Skip => "skip",
        }
    }
}

/// What kind of rule answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleType {
    /// `validate`.
    Validation,
    /// `verifyImages`.
    ImageVerify,
    /// `mutate`.
    Mutation,
    /// `generate`.
    Generation,
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureAction {
    /// Refuse the request.
    Enforce,
    /// Let it through, and say so.
    Audit,
}

/// What an error means for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailurePolicy {
    /// Refuse it.
    Fail,
    /// Let it through.
    Ignore,
}

/// One operation of a JSON Patch (RFC 6902).
#[derive(Debug, Clone, PartialEq)]
pub enum PatchOperation {
    /// Adds a value.
    Add {
        /// JSON pointer (RFC 6901).
        path: String,
        /// What to add.
        value: serde_json::Value,
    },
    /// Replaces a value.
    Replace {
        /// JSON pointer (RFC 6901).
        path: String,
        /// What to put there.
        value: serde_json::Value,
    },
    /// Removes a value.
    Remove {
        /// JSON pointer (RFC 6901).
        path: String,
    },
}

impl PatchOperation {
    /// The operation as RFC 6902 writes it.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::json;
        match self {
            Self::Add { path, value } => json!({"op": "add", "path": path, "value": value}),
            Self::Replace { path, value } => json!({"op": "replace", "path": path, "value": value}),
            Self::Remove { path } => json!({"op": "remove", "path": path}),
        }
    }
}

/// What was found about one image of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageOutcome {
    /// JSON pointer of the field that holds the reference.
    pub pointer: String,
    /// The reference as the object has it.
    pub reference: String,
    /// The digest that was verified, or of an image that is refused the digest that it has, where that is known.
    pub digest: Option<Digest>,
    /// Pass, fail, error or skip.
    pub status: RuleStatus,
    /// What is to be known of a pass: that provenance of another version answered than the policy asks for.
    pub note: Option<String>,
    /// What each attestor and attestation saw, where the evaluation is traced.
    pub findings: Vec<Finding>,
}

/// What one attestor or attestation of a rule saw of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it was written.
    pub span: Span,
    /// Its place in the entry of `verifyImages`.
    pub place: String,
    /// Of an attestation, how many statements are believed.
    pub statements: usize,
    /// What it misses; none where it is satisfied.
    pub reason: Option<String>,
}

/// What became of one resource that a rule changes instead of the one that it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetOutcome {
    /// The resource as it was.
    pub object: serde_json::Value,
    /// Pass, skip or error.
    pub status: RuleStatus,
    /// Why.
    pub message: String,
    /// The resource as it is then, where it was changed.
    pub patched: Option<serde_json::Value>,
}

/// What one rule answered.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleResponse {
    /// Name of the rule, with its `autogen-` prefix where it was generated.
    pub rule: String,
    /// What kind of rule it is.
    pub rule_type: RuleType,
    /// What became of it.
    pub status: RuleStatus,
    /// Why, in the shape that Kyverno gives it.
    pub message: String,
    /// What a failure of this rule means for this resource, overrides applied.
    pub failure_action: FailureAction,
    /// Changes to the object, in order.
    pub patches: Vec<PatchOperation>,
    /// The object with these changes and those of all rules before, where the rule is one that mutates and made some.
    pub patched: Option<Arc<serde_json::Value>>,
    /// The images that the rule was about.
    pub images: Vec<ImageOutcome>,
    /// The other resources that the rule changes.
    pub targets: Vec<TargetOutcome>,
    /// The resources that the rule generates.
    pub generated: Vec<serde_json::Value>,
    /// Digests of images that are refused, put in where the request is let in all the same; nothing in an answer that is
    /// given out.
    pub digests: Vec<PatchOperation>,
    /// What lets the request in although the rule refuses it.
    pub let_in: Option<Box<LetIn>>,
    /// What reports say besides; none where that is nothing.
    pub details: Option<Box<Details>>,
}

impl RuleResponse {
    /// An answer that changes nothing and is about no image.
    pub fn new(
        rule: impl Into<String>,
        rule_type: RuleType,
        failure_action: FailureAction,
        (status, message): (RuleStatus, impl Into<String>),
    ) -> Self {
        Self {
            rule: rule.into(),
            rule_type,
            status,
            message: message.into(),
            failure_action,
            patches: Vec::new(),
            patched: None,
            images: Vec::new(),
            targets: Vec::new(),
            generated: Vec::new(),
            digests: Vec::new(),
            let_in: None,
            details: None,
        }
    }
}

/// A `BreakGlass` that lets a request in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetIn {
    /// Its name.
    pub name: String,
    /// Why it is there.
    pub reason: String,
    /// Where more is said of it.
    pub ticket: Option<String>,
    /// When it ends, in RFC 3339 and UTC.
    pub expires_at: String,
}

/// What reports say of a result besides its message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The rule's `reportProperties`, variables resolved; as written where one cannot be.
    pub properties: Vec<(String, String)>,
    /// Names of the exceptions because of which the rule was skipped.
    pub exceptions: Vec<String>,
    /// What a `podSecurity` rule found.
    pub pod_security: Option<PodSecurityDetails>,
    /// Whether the failure is that the object is too large to be judged.
    pub too_large: bool,
    /// What modules found, one text each.
    pub violations: Vec<String>,
    /// What a module wants the user to be told besides; cleaned and cut.
    pub warnings: Vec<String>,
}

/// The controls that a pod violates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSecurityDetails {
    /// The level that was asked for.
    pub level: &'static str,
    /// The version that was asked for.
    pub version: String,
    /// The checks that found something.
    pub checks: Vec<ViolatedCheck>,
}

/// A check of the Pod Security Standards that a pod does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViolatedCheck {
    /// Its id, as `capabilities_baseline`.
    pub id: &'static str,
    /// The control that it belongs to, as policies name it.
    pub control: &'static str,
    /// Images of the containers that it names; none where it names none.
    pub images: Option<Vec<String>>,
}

/// What one policy answered.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyResponse {
    /// Name of the policy.
    pub policy: String,
    /// Namespace of a `Policy`; none for a `ClusterPolicy`.
    pub namespace: Option<String>,
    /// What an error of its rules means for the request.
    pub failure_policy: FailurePolicy,
    /// Whether results other than pass are returned as warnings although the rule only audits.
    pub emit_warning: bool,
    /// Its rules that matched, in the policy's order.
    pub rules: Vec<RuleResponse>,
}

impl PolicyResponse {
    /// `name`, or `namespace/name` for a `Policy`: what tells policies apart.
    pub fn key(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.policy),
            None => self.policy.clone(),
        }
    }
}
