//! What is wrong with a policy, said to its author: plain data with places, many at once.
//!
//! Knows nothing of terminals: rendering is the command line's business.

use std::sync::Arc;

use crate::source::{Source, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Legal, and likely not meant.
    Warning,
    /// The policy is not run.
    Error,
}

/// What an error is a fault of, and so what is left of the policy that it is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// Of the text: the policy is left out.
    #[default]
    Text,
    /// Of a module: the policy runs, and the rule that asks the module is an error.
    Module,
    /// Of a module that has an earlier form, which the host goes on with.
    LaterModule,
    /// Of nobody: a registry does not give a module, and may later. The rule is an error until then.
    Absent,
    /// Of a module that is not known to be signed as the policy demands: the rule is an error until it is.
    Untrusted,
    /// Of the trust roots: none has what the policy names. The policy runs, and the rule that needs it is an error.
    TrustRoots,
}

/// A place in the source, and what is to be said there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words shown under it; may be empty.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which of the closed list of things it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What it is a fault of, where it is an error.
    pub fault: Fault,
    /// One line: lower case, no full stop, the author's text in backticks.
    pub message: String,
    /// The text that the labels point into.
    pub source: Arc<Source>,
    /// Where; the first is the main one.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

/// The closed list of diagnostics, in kebab case when printed.
///
/// Each has its section in `docs/diagnostics.md`: a check's from the head of `check/<code>.rs`, the others' from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The file cannot be read, or is not UTF-8; said by hosts, since the engine opens no files.
    UnreadableFile,
    /// The text is not YAML, or not as Kubernetes reads it.
    InvalidYaml,
    /// A field that the kind does not have.
    UnknownField,
    /// A field whose value has the wrong type or form.
    InvalidValue,
    /// A field that must be there is not.
    MissingField,
    /// Part of the language that Regent does not run, by name.
    NotSupported,
    /// What is written in CEL, which this version does not run, by name.
    NotSupportedYet,
    /// An operator that no condition knows.
    UnknownOperator,
    /// A public key that cannot be read.
    InvalidKey,
    /// A module of Rego that cannot be run as it is.
    InvalidRego,
    /// A policy of a name that an earlier one has.
    DuplicatePolicy,
    /// Two rules of a policy have the same name.
    DuplicateRuleName,
    /// A name that is longer than Kubernetes' labels can be.
    NameTooLong,
    /// The same setting in its old and in its new place.
    ConflictingSettings,
    /// A variable where none can be.
    VariableNotAllowed,
    /// An expression that is not JMESPath.
    InvalidExpression,
    /// A variable that nothing sets.
    UnknownVariable,
    /// A reference `$(...)` of a pattern that leads to no text of the same pattern.
    UnknownReference,
    /// An element's variable outside of `foreach`.
    ElementOutsideForeach,
    /// A name that the language needs for itself.
    ReservedName,
    /// Two entries of a `context` have the same name.
    DuplicateContextName,
    /// A policy that is never evaluated.
    NeverEvaluated,
    /// An exception for a policy or a rule that there is not.
    UnknownInException,
    /// User data in a policy that is also evaluated where there is no user.
    UserDataInBackground,
    /// `match: *` together with what needs a kind.
    WildcardKind,
    /// An entry of `kinds` that is no kind of any object.
    UnknownKind,
    /// A filter that is matched and excluded again.
    EmptyMatch,
    /// A rule that can be about nothing.
    UnreachableRule,
    /// A condition that nothing of the request is compared in, or that never holds.
    ConstantCondition,
    /// A key that begins or ends as an anchor and is none.
    MalformedAnchor,
    /// A pattern that matches nothing, whatever the resource.
    ImpossiblePattern,
    /// An element of a list in a pattern that is never compared.
    IgnoredElement,
    /// A text of the resource that is read as a pattern.
    PatternFromResource,
    /// An element of a list in a strategic merge patch that is about no element of the object.
    ElementWithoutKey,
    /// A `Policy` that reaches into another namespace.
    OtherNamespace,
    /// A generated resource with a namespace that it cannot have, or without the one that it needs.
    WrongScope,
    /// A rule that verifies a tag and lets it move.
    MutableTag,
    /// An entry of `verifyImages` that every image passes.
    NothingDemanded,
    /// An expression that finds nothing where an object is deleted.
    NothingOnDelete,
    /// An exclusion of `podSecurity` that excuses nothing, or more than is meant.
    InvalidExclusion,
    /// A regular expression that does not compile.
    InvalidRegex,
    /// A regular expression for an identity that matches inside of a longer one.
    UnanchoredRegex,
    /// `rekor.url` of a log that no trust root has.
    UnknownLog,
    /// `mutateDigest: true` in a rule that only audits.
    MutateDigestAudit,
    /// An attestation that nobody is named to have signed.
    AttestationWithoutKeyless,
    /// An attestation that any of several workflows may sign.
    WildcardAttestor,
    /// An attestor that any identity satisfies.
    AnyIdentity,
    /// An operator in a case in which it never holds.
    OperatorCase,
    /// An operation that no request has.
    UnknownOperation,
    /// The annotation for autogen names what it cannot make rules for.
    AutogenControllers,
    /// A module that cannot be found, compiled or used with its settings; said by hosts, since the engine opens no files.
    UnusableModule,
    /// The policy compiled to something that does not run: a defect of Regent.
    InternalError,
}

impl Code {
    /// All of them, in the order of `docs/diagnostics.md`.
    pub const ALL: [Self; 52] = [
        Self::UnreadableFile,
        Self::InvalidYaml,
        Self::UnknownField,
        Self::InvalidValue,
        Self::MissingField,
        Self::NotSupported,
        Self::NotSupportedYet,
        Self::UnknownOperator,
        Self::InvalidKey,
        Self::InvalidRego,
        Self::DuplicatePolicy,
        Self::DuplicateRuleName,
        Self::NameTooLong,
        Self::ConflictingSettings,
        Self::VariableNotAllowed,
        Self::InvalidExpression,
        Self::UnknownVariable,
        Self::UnknownReference,
        Self::ElementOutsideForeach,
        Self::ReservedName,
        Self::DuplicateContextName,
        Self::NeverEvaluated,
        Self::UnknownInException,
        Self::UserDataInBackground,
        Self::WildcardKind,
        Self::UnknownKind,
        Self::EmptyMatch,
        Self::UnreachableRule,
        Self::ConstantCondition,
        Self::MalformedAnchor,
        Self::ImpossiblePattern,
        Self::IgnoredElement,
        Self::PatternFromResource,
        Self::ElementWithoutKey,
        Self::OtherNamespace,
        Self::WrongScope,
        Self::MutableTag,
        Self::NothingDemanded,
        Self::NothingOnDelete,
        Self::InvalidExclusion,
        Self::InvalidRegex,
        Self::UnanchoredRegex,
        Self::UnknownLog,
        Self::MutateDigestAudit,
        Self::AttestationWithoutKeyless,
        Self::WildcardAttestor,
        Self::AnyIdentity,
        Self::OperatorCase,
        Self::UnknownOperation,
        Self::AutogenControllers,
        Self::UnusableModule,
        Self::InternalError,
    ];

    /// Whether it says that something is right, and not run all the same.
    pub const fn is_unsupported(self) -> bool {
        matches!(self, Self::NotSupported | Self::NotSupportedYet)
    }

    /// The name in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnreadableFile => "unreadable-file",
            Self::InvalidYaml => "invalid-yaml",
            Self::UnknownField => "unknown-field",
            Self::InvalidValue => "invalid-value",
            Self::MissingField => "missing-field",
            Self::NotSupported => "not-supported",
            Self::NotSupportedYet => "not-supported-yet",
            Self::UnknownOperator => "unknown-operator",
            Self::InvalidKey => "invalid-key",
            Self::InvalidRego => "invalid-rego",
            Self::DuplicatePolicy => "duplicate-policy",
            Self::DuplicateRuleName => "duplicate-rule-name",
            Self::NameTooLong => "name-too-long",
            Self::ConflictingSettings => "conflicting-settings",
            Self::VariableNotAllowed => "variable-not-allowed",
            Self::InvalidExpression => "invalid-expression",
            Self::UnknownVariable => "unknown-variable",
            Self::UnknownReference => "unknown-reference",
            Self::ElementOutsideForeach => "element-outside-foreach",
            Self::ReservedName => "reserved-name",
            Self::DuplicateContextName => "duplicate-context-name",
            Self::NeverEvaluated => "never-evaluated",
            Self::UnknownInException => "unknown-in-exception",
            Self::UserDataInBackground => "user-data-in-background",
            Self::WildcardKind => "wildcard-kind",
            Self::UnknownKind => "unknown-kind",
            Self::EmptyMatch => "empty-match",
            Self::UnreachableRule => "unreachable-rule",
            Self::ConstantCondition => "constant-condition",
            Self::MalformedAnchor => "malformed-anchor",
            Self::ImpossiblePattern => "impossible-pattern",
            Self::IgnoredElement => "ignored-element",
            Self::PatternFromResource => "pattern-from-resource",
            Self::ElementWithoutKey => "element-without-key",
            Self::OtherNamespace => "other-namespace",
            Self::WrongScope => "wrong-scope",
            Self::MutableTag => "mutable-tag",
            Self::NothingDemanded => "nothing-demanded",
            Self::NothingOnDelete => "nothing-on-delete",
            Self::InvalidExclusion => "invalid-exclusion",
            Self::InvalidRegex => "invalid-regex",
            Self::UnanchoredRegex => "unanchored-regex",
            Self::UnknownLog => "unknown-log",
            Self::MutateDigestAudit => "mutate-digest-audit",
            Self::AttestationWithoutKeyless => "attestation-without-keyless",
            Self::WildcardAttestor => "wildcard-attestor",
            Self::AnyIdentity => "any-identity",
            Self::OperatorCase => "operator-case",
            Self::UnknownOperation => "unknown-operation",
            Self::AutogenControllers => "autogen-controllers",
            Self::UnusableModule => "unusable-module",
            Self::InternalError => "internal-error",
        }
    }
}

impl Diagnostic {
    /// An error at a place. What the message repeats of the author's text is put on one line.
    pub fn error(code: Code, source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            fault: Fault::default(),
            message: on_one_line(message.into()),
            source: Arc::clone(source),
            labels: vec![Label {
                span,
                text: String::new(),
            }],
            help: None,
        }
    }

    /// A warning at a place.
    pub fn warning(
        code: Code,
        source: &Arc<Source>,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, source, span, message)
        }
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As a fault of something else than the text.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// With another place, and what is to be said there.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Whether the policy that it is about, or a rule of it, is not run because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The place of its first label, counted from one; the start of the text where it has none.
    pub fn position(&self) -> (usize, usize) {
        let span = self.labels.first().map_or(0, |label| label.span.start);
        self.source.position(span)
    }
}

/// A line break with the indentation behind it becomes a space, and so does any other control character.
fn on_one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ").replace(char::is_control, " ")
}

#[cfg(test)]
mod tests;
