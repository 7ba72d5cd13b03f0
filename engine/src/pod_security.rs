//! The Pod Security Standards: which of their controls a pod violates, at a level and in a version.
//!
//! A check gives the reason, the detail and the field errors that Kyverno's `podSecurity` rules report, in the order in
//! which these run. Pure facts about a pod: what a violation means is the business of the rule's program.
//!
//! Two things are as in Kyverno and not as in the API server: the restricted level runs the baseline's checks beside
//! those that replace them, and a check that is newer than the version runs in its first form, so that an older version
//! never forbids less than was known when Kyverno was built. The privileged level forbids nothing.

mod app_armor;
mod capabilities;
pub mod control;
pub mod exclusion;
mod host_namespaces;
mod host_ports;
mod host_process;
mod pod;
mod privilege;
mod probes;
mod proc_mount;
mod run_as;
mod schema;
mod se_linux;
mod seccomp;
mod sysctls;
mod violation;
mod volumes;

pub use control::CheckId;
pub use exclusion::Exclusion;
pub use pod::Pod;
pub use violation::{BadValue, FieldError, Violation, listed};

/// A level of the standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing is forbidden.
    Privileged,
    /// Known ways to escalate are forbidden.
    Baseline,
    /// Pods are hardened as far as is good practice.
    Restricted,
}

impl Level {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// A version of the standards, which is one of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// `v1.<minor>`.
    Minor(u32),
    /// `latest`, and where none is written.
    Latest,
}

/// The oldest version that can be asked for.
pub const OLDEST: u32 = 19;
/// The newest version that can be asked for by its number: the last that changed a check.
pub const NEWEST: u32 = 34;

impl Version {
    /// Reads `v1.24` or `latest`; any number, in range or not.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Self::Latest);
        }
        let digits = text.strip_prefix("v1.")?;
        let canonical = digits == "0" || !digits.starts_with('0');
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (canonical && plain)
            .then(|| digits.parse().ok())?
            .map(Self::Minor)
    }
}

/// A check in the form that it has from a version on.
type Revision = (u32, fn(&Pod) -> Option<Violation>);

struct Check {
    level: Level,
    /// Oldest first; never empty.
    revisions: &'static [Revision],
}

/// All checks, in the order in which their violations are listed.
const CHECKS: [Check; 18] = {
    use Level::{Baseline, Restricted};
    const fn of(level: Level, revisions: &'static [Revision]) -> Check {
        Check { level, revisions }
    }
    [
        of(Restricted, &privilege::ESCALATION),
        of(Baseline, &app_armor::REVISIONS),
        of(Baseline, &capabilities::BASELINE),
        of(Restricted, &capabilities::RESTRICTED),
        of(Baseline, &host_namespaces::REVISIONS),
        of(Baseline, &volumes::HOST_PATH),
        of(Baseline, &host_ports::REVISIONS),
        of(Baseline, &probes::REVISIONS),
        of(Baseline, &privilege::PRIVILEGED),
        of(Baseline, &proc_mount::REVISIONS),
        of(Restricted, &volumes::RESTRICTED),
        of(Restricted, &run_as::NON_ROOT),
        of(Restricted, &run_as::USER),
        of(Baseline, &se_linux::REVISIONS),
        of(Baseline, &seccomp::BASELINE),
        of(Restricted, &seccomp::RESTRICTED),
        of(Baseline, &sysctls::REVISIONS),
        of(Baseline, &host_process::REVISIONS),
    ]
};

/// What a pod violates, before anything is excluded.
pub fn evaluate(level: Level, version: Version, pod: &Pod) -> Vec<Violation> {
    let checks = CHECKS.iter().filter(|check| check.level <= level);
    checks
        .filter_map(|check| {
            let mut revisions = check.revisions.iter().rev();
            let current = revisions.find(|(from, _)| Version::Minor(*from) <= version);
            let (_, run) = current.or(check.revisions.first())?;
            run(pod)
        })
        .collect()
}

#[cfg(test)]
mod tests;
