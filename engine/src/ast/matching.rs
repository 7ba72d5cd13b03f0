//! What a rule is about: `match` and `exclude`.
//!
//! Nothing here holds variables; texts are wildcards where their field says so.

use crate::admission::Operation;
use crate::source::{Span, Spanned};

/// `match` or `exclude`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// Where it was written.
    pub span: Span,
    /// How the filters are combined. The legacy form, fields directly below `match`, is `All` of one.
    pub combination: Combination,
    /// The filters.
    pub filters: Vec<Filter>,
}

/// How filters are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combination {
    /// One of them is enough.
    Any,
    /// All of them must match.
    All,
}

/// A resource and a user; all that is given must match, and of each list one entry is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Where it was written.
    pub span: Span,
    /// The resource.
    pub resources: Option<Resources>,
    /// The user.
    pub subjects: Vec<Subject>,
    /// Roles of the user, `namespace:name`; wildcards.
    pub roles: Vec<Spanned<String>>,
    /// Cluster roles of the user.
    pub cluster_roles: Vec<Spanned<String>>,
}

/// A resource: all that is given must match, and of each list one entry is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Resources {
    /// Where it was written.
    pub span: Span,
    /// Kinds; any kind where empty.
    pub kinds: Vec<Kind>,
    /// Names, `name` and `names` together; wildcards.
    pub names: Vec<Spanned<String>>,
    /// Namespaces; wildcards, compared with the name of a Namespace itself.
    pub namespaces: Vec<Spanned<String>>,
    /// Annotations that must all be there; wildcards in key and value.
    pub annotations: Vec<(Spanned<String>, Spanned<String>)>,
    /// The resource's labels.
    pub selector: Option<Selector>,
    /// The labels of its namespace; never matches a Namespace itself.
    pub namespace_selector: Option<Selector>,
    /// Operations; any where empty.
    pub operations: Vec<Spanned<Operation>>,
}

/// An entry of `kinds`, taken apart; every part is a wildcard, `*` where it was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Where it was written.
    pub span: Span,
    /// As written.
    pub raw: String,
    /// API group; the core group is matched as the empty text.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Sub-resource; empty for the resource itself (`*` as sub-resource matches the resource itself too).
    pub subresource: String,
}

/// A label selector. Both parts must match; an empty one matches everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Where it was written.
    pub span: Span,
    /// `matchLabels`; wildcards in key and value.
    pub match_labels: Vec<(Spanned<String>, Spanned<String>)>,
    /// `matchExpressions`.
    pub match_expressions: Vec<Requirement>,
}

/// An entry of `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Where it was written.
    pub span: Span,
    /// The label.
    pub key: Spanned<String>,
    /// What of it.
    pub operator: SelectorOperator,
    /// Not empty for `In` and `NotIn`, empty for the others.
    pub values: Vec<Spanned<String>>,
}

/// Operators of `matchExpressions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SelectorOperator {
    /// The label is there, with one of the values.
    In,
    /// The label is absent, or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// A user, a group or a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Where it was written.
    pub span: Span,
    /// Which of the three.
    pub kind: SubjectKind,
    /// Its name; a wildcard.
    pub name: Spanned<String>,
    /// Namespace of a service account; none for the others.
    pub namespace: Option<Spanned<String>>,
}

/// Kinds of subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// By user name.
    User,
    /// By a group of the user.
    Group,
    /// By the user name `system:serviceaccount:NAMESPACE:NAME`.
    ServiceAccount,
}

impl Filter {
    /// One that every request matches.
    pub fn everything(span: Span) -> Self {
        Self {
            span,
            resources: Some(Resources {
                span,
                kinds: Vec::new(),
                names: Vec::new(),
                namespaces: Vec::new(),
                annotations: Vec::new(),
                selector: None,
                namespace_selector: None,
                operations: Vec::new(),
            }),
            subjects: Vec::new(),
            roles: Vec::new(),
            cluster_roles: Vec::new(),
        }
    }

    /// Whether it says anything of the user.
    pub fn names_users(&self) -> bool {
        !(self.subjects.is_empty() && self.roles.is_empty() && self.cluster_roles.is_empty())
    }
}

/// `*`, or `v1`, `v1beta1` and the like.
pub(crate) fn is_version(part: &str) -> bool {
    let Some(rest) = part.strip_prefix('v') else {
        return part == "*";
    };
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let major = digits(rest);
    let stage = rest.get(major..).unwrap_or("");
    let level = stage.strip_prefix("alpha").or(stage.strip_prefix("beta"));
    major > 0
        && (stage.is_empty()
            || level.is_some_and(|level| !level.is_empty() && digits(level) == level.len()))
}
