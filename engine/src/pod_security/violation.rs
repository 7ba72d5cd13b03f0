//! What a check found: a reason, a detail, and the fields with their values.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::control::CheckId;

/// A check that a pod does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which check.
    pub check: CheckId,
    /// A few words.
    pub reason: String,
    /// Which containers or volumes, and what they would have to say.
    pub detail: String,
    /// The fields, in the order in which they are listed.
    pub errors: Vec<FieldError>,
    /// Whether messages list the fields; Kyverno knows none for one of the checks.
    pub listed: bool,
}

/// A field that violates a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Its path from the pod on, as `spec.containers[0].securityContext.privileged`.
    pub path: String,
    /// The name of the container that it is of.
    pub container: Option<String>,
    /// What is wrong with it.
    pub bad: BadValue,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BadValue {
    /// It must be there.
    Missing,
    /// It may not be there, or not with this value, which is not worth saying.
    Forbidden,
    /// It may not have this value.
    Text(String),
    /// It may not have this value.
    Flag(bool),
    /// It may not have this value.
    Number(i64),
    /// It may not have these values.
    Texts(Vec<String>),
}

impl Violation {
    /// A violation whose fields are listed.
    pub(super) fn new(
        check: CheckId,
        reason: impl Into<String>,
        detail: String,
        errors: Vec<FieldError>,
    ) -> Self {
        Self {
            check,
            reason: reason.into(),
            detail,
            errors,
            listed: true,
        }
    }
}

impl FieldError {
    /// Of the pod.
    pub(super) fn of_pod(path: impl Into<String>, bad: BadValue) -> Self {
        Self {
            path: path.into(),
            container: None,
            bad,
        }
    }

    /// The path with every run of digits as `*`: what `restrictedField` is compared with.
    pub fn wildcard_path(&self) -> String {
        let mut path = String::with_capacity(self.path.len());
        let mut in_digits = false;
        for character in self.path.chars() {
            let digit = character.is_ascii_digit();
            if !digit {
                path.push(character);
            } else if !in_digits {
                path.push('*');
            }
            in_digits = digit;
        }
        path
    }

    /// The values as texts: what `values` of an exclusion is compared with.
    pub fn values(&self) -> Vec<String> {
        match &self.bad {
            BadValue::Missing | BadValue::Forbidden => Vec::new(),
            BadValue::Text(text) if text.is_empty() => Vec::new(),
            BadValue::Text(text) => vec![text.clone()],
            BadValue::Flag(flag) => vec![flag.to_string()],
            BadValue::Number(number) => vec![number.to_string()],
            BadValue::Texts(texts) => texts.clone(),
        }
    }

    fn describe(&self, path: &str) -> String {
        let found = |value: &str| format!("{path} is forbidden, forbidden values found: {value}");
        match &self.bad {
            BadValue::Missing => format!("{path}: Required value"),
            BadValue::Forbidden => format!("{path}: Forbidden"),
            BadValue::Text(text) if text.is_empty() => format!("{path}: Forbidden"),
            BadValue::Text(text) => found(text),
            BadValue::Flag(flag) => found(if *flag { "true" } else { "false" }),
            BadValue::Number(number) => found(&number.to_string()),
            BadValue::Texts(texts) => found(&format!("[{}]", texts.join(" "))),
        }
    }
}

/// Violations as messages have them; paths are those of the kind of resource that the pod was found in.
///
/// Kyverno replaces the words wherever they stand in a path, `metadata` for Pods too.
pub fn listed(violations: &[Violation], kind: &str) -> String {
    let spec = match kind {
        "Pod" => "spec",
        "CronJob" => "spec.jobTemplate.spec.template.spec",
        _ => "spec.template.spec",
    };
    let mut text = String::new();
    for violation in violations {
        let fields = violation.errors.iter().filter(|_| violation.listed);
        let fields: Vec<String> = fields
            .map(|error| {
                let path = error.path.replace("spec", spec);
                error.describe(&path.replace("metadata", "spec.template.metadata"))
            })
            .collect();
        let fields = fields.join(", ");
        let reason = &violation.reason;
        // Writing to a text cannot fail.
        let _ok = write!(
            text,
            "(Forbidden reason: {reason}, field error list: [{fields}])"
        );
    }
    text
}

/// `"a", "b"`.
pub(super) fn quoted<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts
        .into_iter()
        .map(|text| format!("\"{text}\""))
        .collect();
    texts.join(", ")
}

/// `"a", "b"` of a set.
pub(super) fn quoted_set(texts: &BTreeSet<String>) -> String {
    quoted(texts.iter().map(String::as_str))
}

/// The word for one or for several.
pub(super) const fn plural<'a>(one: &'a str, several: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { several }
}

/// `container "a"`, `containers "a", "b"`.
pub(super) fn containers(names: &[String]) -> String {
    let word = plural("container", "containers", names.len());
    format!("{word} {}", quoted(names.iter().map(String::as_str)))
}
