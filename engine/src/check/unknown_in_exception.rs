//! What it checks: the policies and rules that an exception names are among those that are loaded with it.
//!
//! Why: a misspelt name excuses nothing, and nobody hears of it until a request is refused that was to be let through. It
//! is a warning, since the policy may be loaded elsewhere; `test` and `apply` say it too, and end as they would without.
//!
//! Example:
//!
//! ```yaml
//! apiVersion: kyverno.io/v1
//! kind: ClusterPolicy
//! metadata: {name: team-label}
//! spec:
//!   rules:
//!     - name: team-is-set
//!       match: {any: [{resources: {kinds: [Pod]}}]}
//!       validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ---
//! apiVersion: kyverno.io/v2
//! kind: PolicyException
//! metadata: {name: legacy, namespace: shop}
//! spec:
//!   match: {any: [{resources: {kinds: [Pod], names: [legacy-*]}}]}
//!   exceptions: [{policyName: team-label, ruleNames: [team-is-sat]}]
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! apiVersion: kyverno.io/v1
//! kind: ClusterPolicy
//! metadata: {name: team-label}
//! spec:
//!   rules:
//!     - name: team-is-set
//!       match: {any: [{resources: {kinds: [Pod]}}]}
//!       validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ---
//! apiVersion: kyverno.io/v2
//! kind: PolicyException
//! metadata: {name: legacy, namespace: shop}
//! spec:
//!   match: {any: [{resources: {kinds: [Pod], names: [legacy-*]}}]}
//!   exceptions: [{policyName: team-label, ruleNames: [team-is-set]}]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::ast::Policy;
use crate::ast::exception::{Excepted, PolicyException};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Spanned;
use crate::{suggest, wildcard};

use super::invalid_exclusion::excused_as_a_whole;

/// Says which exceptions are about what there is not, among policies by their keys; `left_out` are those that are there and
/// do not run.
pub(crate) fn unknown_in_exceptions<'a>(
    exceptions: impl Iterator<Item = &'a PolicyException>,
    policies: &BTreeMap<String, &Policy>,
    left_out: &BTreeSet<String>,
) -> Vec<Diagnostic> {
    let mut report = Report {
        suggestions: suggest::MOST,
        found: Vec::new(),
    };
    for exception in exceptions {
        for excepted in &exception.exceptions {
            let name = &excepted.policy;
            match policies.get(&name.value) {
                Some(policy) => {
                    report.rules(exception, excepted, policy);
                    let excused = excused_as_a_whole(exception, excepted, policy);
                    report.found.extend(excused.take(suggest::MOST));
                }
                None if left_out.contains(&name.value) => {}
                None => {
                    let known = policies.keys().map(String::as_str);
                    report.unknown(exception, name, "policy", known);
                }
            }
        }
    }
    report.found
}

struct Report {
    /// For how many more names a likely one is looked for.
    suggestions: usize,
    found: Vec<Diagnostic>,
}

impl Report {
    /// Says which rules of a policy an exception names that it does not have.
    fn rules(&mut self, exception: &PolicyException, excepted: &Excepted, policy: &Policy) {
        let names = || policy.rules.iter().map(|rule| rule.name.value.as_str());
        for rule in &excepted.rules {
            if !names().any(|name| wildcard::matches(&rule.value, name)) {
                self.unknown(exception, rule, "rule", names());
            }
        }
    }

    /// Says that there is nothing of a name that an exception names.
    fn unknown<'a>(
        &mut self,
        exception: &PolicyException,
        name: &Spanned<String>,
        what: &str,
        names: impl Iterator<Item = &'a str>,
    ) {
        let message = format!(
            "the exception names a {what} that is not there: `{}`",
            name.value
        );
        let code = Code::UnknownInException;
        let mut warning = Diagnostic::warning(code, &exception.source, name.span, message);
        if let Some(left) = self.suggestions.checked_sub(1) {
            self.suggestions = left;
            if let Some(nearest) = suggest::nearest(&name.value, names) {
                warning = warning.help(format!("did you mean `{nearest}`?"));
            }
        }
        self.found.push(warning);
    }
}
