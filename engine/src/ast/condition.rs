//! Conditions as preconditions, `deny` and attestations have them: key, operator, value.
//!
//! Knows the shapes and the operators' names, not what the operators mean.

use crate::source::{Span, Spanned};

use super::template::{Template, Text};

/// Conditions in one of the three shapes that Kyverno knows; the shape decides how messages are joined.
#[derive(Debug, Clone, PartialEq)]
pub enum Conditions {
    /// The legacy list: all of them must hold.
    List(Vec<Condition>),
    /// `{any, all}`.
    Block(ConditionBlock),
    /// A list of `{any, all}`: all of them must hold.
    Blocks(Vec<ConditionBlock>),
}

/// `{any, all}`: where both are there, both must hold. An absent one holds, an empty `any` does not.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionBlock {
    /// Where it was written.
    pub span: Span,
    /// At least one must hold.
    pub any: Option<Vec<Condition>>,
    /// All must hold.
    pub all: Option<Vec<Condition>>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Where it was written.
    pub span: Span,
    /// The left side; null where it was not written.
    pub key: Template,
    /// How they are compared.
    pub operator: Spanned<OperatorName>,
    /// The right side; null where it was not written.
    pub value: Template,
    /// What to say of it.
    pub message: Option<Text>,
}

/// An operator as it was written: Kyverno finds it in any case, and then compares some of them in the exact case only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorName {
    /// Which.
    pub operator: Operator,
    /// Whether it was written exactly as [`Operator::name`] has it. In any other case, the ordering and duration
    /// operators never hold.
    pub exact: bool,
}

/// How key and value are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// The same as `Equals`.
    Equal,
    /// Equal; a text value is a wildcard.
    Equals,
    /// The same as `NotEquals`.
    NotEqual,
    /// Not equal.
    NotEquals,
    /// Deprecated.
    In,
    /// Deprecated.
    NotIn,
    /// At least one of the key's is among the value's.
    AnyIn,
    /// All of the key's are among the value's.
    AllIn,
    /// At least one of the key's is not among the value's.
    AnyNotIn,
    /// None of the key's is among the value's.
    AllNotIn,
    /// Greater.
    GreaterThan,
    /// Greater or equal.
    GreaterThanOrEquals,
    /// Less.
    LessThan,
    /// Less or equal.
    LessThanOrEquals,
    /// Deprecated.
    DurationGreaterThan,
    /// Deprecated.
    DurationGreaterThanOrEquals,
    /// Deprecated.
    DurationLessThan,
    /// Deprecated.
    DurationLessThanOrEquals,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Equal,
        Self::Equals,
        Self::NotEqual,
        Self::NotEquals,
        Self::In,
        Self::NotIn,
        Self::AnyIn,
        Self::AllIn,
        Self::AnyNotIn,
        Self::AllNotIn,
        Self::GreaterThan,
        Self::GreaterThanOrEquals,
        Self::LessThan,
        Self::LessThanOrEquals,
        Self::DurationGreaterThan,
        Self::DurationGreaterThanOrEquals,
        Self::DurationLessThan,
        Self::DurationLessThanOrEquals,
    ];

    /// The name as Kyverno spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::Equals => "Equals",
            Self::NotEqual => "NotEqual",
            Self::NotEquals => "NotEquals",
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::AnyIn => "AnyIn",
            Self::AllIn => "AllIn",
            Self::AnyNotIn => "AnyNotIn",
            Self::AllNotIn => "AllNotIn",
            Self::GreaterThan => "GreaterThan",
            Self::GreaterThanOrEquals => "GreaterThanOrEquals",
            Self::LessThan => "LessThan",
            Self::LessThanOrEquals => "LessThanOrEquals",
            Self::DurationGreaterThan => "DurationGreaterThan",
            Self::DurationGreaterThanOrEquals => "DurationGreaterThanOrEquals",
            Self::DurationLessThan => "DurationLessThan",
            Self::DurationLessThanOrEquals => "DurationLessThanOrEquals",
        }
    }
}

impl Conditions {
    /// Its conditions in order of writing, whatever the shape.
    pub fn conditions(&self) -> Box<dyn Iterator<Item = &Condition> + '_> {
        match self {
            Self::List(conditions) => Box::new(conditions.iter()),
            Self::Block(block) => Box::new(block.conditions()),
            Self::Blocks(blocks) => Box::new(blocks.iter().flat_map(ConditionBlock::conditions)),
        }
    }
}

impl ConditionBlock {
    /// Its conditions, those of `any` first.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.any.iter().flatten().chain(self.all.iter().flatten())
    }
}
