//! What it checks: the annotation `pod-policies.kyverno.io/autogen-controllers` is `none`, or a list, without spaces, of
//! kinds that rules can be made for.
//!
//! Why: what is not such a kind is ignored, and Deployments that an author believes covered are not. `all` was never what
//! it says.
//!
//! Example:
//!
//! ```yaml
//! metadata:
//!   name: example
//!   annotations:
//!     pod-policies.kyverno.io/autogen-controllers: Deployment, CronJob
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! metadata:
//!   name: example
//!   annotations:
//!     pod-policies.kyverno.io/autogen-controllers: Deployment,CronJob
//! ```

use crate::autogen;
use crate::diagnostic::Code;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let Some(written) = report.policy.annotations.get(autogen::ANNOTATION) else {
        return;
    };
    let known = autogen::controllers();
    for name in written.value.split(',') {
        if name == "none" || known.contains(&name) || (name.is_empty() && written.value.is_empty())
        {
            continue;
        }
        let message = format!("there is no autogen for `{name}`");
        let help = match known.iter().find(|known| **known == name.trim()) {
            Some(_) => "write the list without spaces".to_owned(),
            None => format!("it is `none`, or a list of {}", known.join(",")),
        };
        let diagnostic = if name == "all" {
            report.error(Code::AutogenControllers, written.span, message)
        } else {
            report.warning(Code::AutogenControllers, written.span, message)
        };
        report.add(diagnostic.help(help));
    }
}
