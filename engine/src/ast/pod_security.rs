//! `podSecurity`: a level of the Pod Security Standards, and what is excluded from it.

use crate::pod_security::control::Control;
use crate::pod_security::{Exclusion, Level, Version};
use crate::source::{Span, Spanned};

/// `podSecurity` of `validate`.
#[derive(Debug, Clone, PartialEq)]
pub struct PodSecurity {
    /// Where it was written.
    pub span: Span,
    /// `level`.
    pub level: Spanned<Level>,
    /// `version`, as written.
    pub version: Option<Spanned<String>>,
    /// The version that counts.
    pub effective_version: Version,
    /// `exclude`, in order.
    pub exclude: Vec<ExcludedControl>,
}

/// An entry of `exclude`, and of `podSecurity` of an exception.
#[derive(Debug, Clone, PartialEq)]
pub struct ExcludedControl {
    /// Where it was written.
    pub span: Span,
    /// `controlName`.
    pub control: Spanned<&'static Control>,
    /// `images`.
    pub images: Vec<Spanned<String>>,
    /// `restrictedField`.
    pub restricted_field: Option<Spanned<String>>,
    /// `values`.
    pub values: Vec<Spanned<String>>,
}

impl PodSecurity {
    /// The version as messages have it.
    pub fn version_text(&self) -> &str {
        let written = self.version.as_ref();
        written.map_or("", |version| version.value.as_str())
    }
}

impl ExcludedControl {
    /// What is excused, without the places.
    pub fn exclusion(&self) -> Exclusion {
        let texts =
            |texts: &[Spanned<String>]| texts.iter().map(|text| text.value.clone()).collect();
        Exclusion {
            control: self.control.value,
            images: texts(&self.images),
            restricted_field: self
                .restricted_field
                .as_ref()
                .map(|field| field.value.clone()),
            values: texts(&self.values),
        }
    }
}
