//! What it checks: a policy that looks at who asks says `background: false`.
//!
//! Why: a scan of what is there has no user. What such a rule would answer there is no answer.
//!
//! Example:
//!
//! ```yaml
//! - name: not-by-ci
//!   match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: "ci-*"}]}]}
//!   validate: {message: "CI creates no Pods", deny: {}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! spec:
//!   background: false
//!   rules:
//!     - name: not-by-ci
//!       match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: "ci-*"}]}]}
//!       validate: {message: "CI creates no Pods", deny: {}}
//! ```

use crate::ast::{Rule, RuleBody};
use crate::diagnostic::Code;

use super::expressions::names;
use super::{Report, for_each_text};

const USER_DATA: [&str; 5] = [
    "serviceAccountName",
    "serviceAccountNamespace",
    "request.userInfo",
    "request.roles",
    "request.clusterRoles",
];

pub(super) fn check(report: &mut Report<'_>) {
    if !report.policy.background() {
        return;
    }
    let mut found = Vec::new();
    // A rule about other resources runs for a request of somebody.
    let changes_others =
        |rule: &Rule| matches!(&rule.body, RuleBody::Mutate(mutate) if !mutate.targets.is_empty());
    for rule in report.rules().filter(|rule| !changes_others(rule)) {
        let filters = rule.matches.filters.iter();
        let filters = filters.chain(rule.excludes.iter().flat_map(|excludes| &excludes.filters));
        for filter in filters.filter(|filter| filter.names_users()) {
            found.push((filter.span, "users are matched".to_owned()));
        }
        for_each_text(rule, &mut |_, text| {
            found.extend(text.variables().filter_map(|variable| {
                let named = |name: &&str| names(&variable.expression, name);
                let name = USER_DATA.into_iter().find(named)?;
                Some((variable.span, format!("`{name}` is used")))
            }));
        });
    }
    for (span, what) in found {
        let message = format!("{what} in a policy that is evaluated in the background");
        let diagnostic = report.error(Code::UserDataInBackground, span, message);
        report.add(diagnostic.help("set `spec.background: false`"));
    }
}
