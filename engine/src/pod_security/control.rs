//! The controls by the names that policies use, and the checks behind them.

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckId {
    /// `allowPrivilegeEscalation`.
    PrivilegeEscalation,
    /// `appArmorProfile`.
    AppArmor,
    /// `capabilities_baseline`.
    CapabilitiesBaseline,
    /// `capabilities_restricted`.
    CapabilitiesRestricted,
    /// `hostNamespaces`.
    HostNamespaces,
    /// `hostPathVolumes`.
    HostPathVolumes,
    /// `hostPorts`.
    HostPorts,
    /// `hostProbesAndHostLifecycle`.
    HostProbes,
    /// `privileged`.
    Privileged,
    /// `procMount`.
    ProcMount,
    /// `restrictedVolumes`.
    RestrictedVolumes,
    /// `runAsNonRoot`.
    RunAsNonRoot,
    /// `runAsUser`.
    RunAsUser,
    /// `seLinuxOptions`.
    SeLinux,
    /// `seccompProfile_baseline`.
    SeccompBaseline,
    /// `seccompProfile_restricted`.
    SeccompRestricted,
    /// `sysctls`.
    Sysctls,
    /// `windowsHostProcess`.
    HostProcess,
}

/// Where a control's fields are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the pod only: an exclusion names no images.
    Pod,
    /// In containers only: an exclusion names their images.
    Containers,
    /// In both.
    Both,
}

/// A control.
#[derive(Debug, PartialEq, Eq)]
pub struct Control {
    /// Its name.
    pub name: &'static str,
    /// The checks behind it.
    pub checks: &'static [CheckId],
    /// Where its fields are.
    pub reach: Reach,
    /// Whether only the restricted level has it.
    pub restricted_only: bool,
}

const fn control(name: &'static str, reach: Reach, checks: &'static [CheckId]) -> Control {
    Control {
        name,
        checks,
        reach,
        restricted_only: false,
    }
}

const fn restricted(name: &'static str, reach: Reach, checks: &'static [CheckId]) -> Control {
    Control {
        restricted_only: true,
        ..control(name, reach, checks)
    }
}

/// All controls.
pub const CONTROLS: [Control; 16] = {
    use CheckId as Id;
    use Reach::{Both, Containers, Pod};
    [
        control("HostProcess", Both, &[Id::HostProcess]),
        control("Host Namespaces", Pod, &[Id::HostNamespaces]),
        control("Privileged Containers", Containers, &[Id::Privileged]),
        control(
            "Capabilities",
            Containers,
            &[Id::CapabilitiesBaseline, Id::CapabilitiesRestricted],
        ),
        control("HostPath Volumes", Pod, &[Id::HostPathVolumes]),
        control("Host Ports", Containers, &[Id::HostPorts]),
        control(
            "Host Probes / Lifecycle Hooks",
            Containers,
            &[Id::HostProbes],
        ),
        control("AppArmor", Both, &[Id::AppArmor]),
        control("SELinux", Both, &[Id::SeLinux]),
        control("/proc Mount Type", Containers, &[Id::ProcMount]),
        control(
            "Seccomp",
            Both,
            &[Id::SeccompBaseline, Id::SeccompRestricted],
        ),
        control("Sysctls", Pod, &[Id::Sysctls]),
        restricted("Volume Types", Pod, &[Id::RestrictedVolumes]),
        restricted(
            "Privilege Escalation",
            Containers,
            &[Id::PrivilegeEscalation],
        ),
        restricted("Running as Non-root", Both, &[Id::RunAsNonRoot]),
        restricted("Running as Non-root user", Both, &[Id::RunAsUser]),
    ]
};

impl Control {
    /// The control of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CONTROLS.iter().find(|control| control.name == name)
    }

    /// The control that a check belongs to.
    pub fn of(check: CheckId) -> Option<&'static Self> {
        CONTROLS
            .iter()
            .find(|control| control.checks.contains(&check))
    }
}

impl CheckId {
    /// Kyverno's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrivilegeEscalation => "allowPrivilegeEscalation",
            Self::AppArmor => "appArmorProfile",
            Self::CapabilitiesBaseline => "capabilities_baseline",
            Self::CapabilitiesRestricted => "capabilities_restricted",
            Self::HostNamespaces => "hostNamespaces",
            Self::HostPathVolumes => "hostPathVolumes",
            Self::HostPorts => "hostPorts",
            Self::HostProbes => "hostProbesAndHostLifecycle",
            Self::Privileged => "privileged",
            Self::ProcMount => "procMount",
            Self::RestrictedVolumes => "restrictedVolumes",
            Self::RunAsNonRoot => "runAsNonRoot",
            Self::RunAsUser => "runAsUser",
            Self::SeLinux => "seLinuxOptions",
            Self::SeccompBaseline => "seccompProfile_baseline",
            Self::SeccompRestricted => "seccompProfile_restricted",
            Self::Sysctls => "sysctls",
            Self::HostProcess => "windowsHostProcess",
        }
    }
}
