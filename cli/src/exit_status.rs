//! What the process says of itself when it ends.

use std::process::ExitCode;

use regent_engine::diagnostic::{Code, Diagnostic};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was as it should be.
    Pass,
    /// A policy failed, a test row failed, an image was not verified.
    Failed,
    /// The command was misused, or a file or a socket could not be used.
    Usage,
    /// A policy does not compile.
    DoesNotCompile,
    /// A test in Rego failed: OPA says so with this number.
    RegoFailed,
    /// There were warnings, and the user said what number they are.
    Warned(u8),
}

impl ExitStatus {
    /// What a command ends with that loads policies: what is wrong in a file counts before that another one is not there.
    pub fn of_policies<'a>(said: impl IntoIterator<Item = &'a Diagnostic>) -> Self {
        let errors = said.into_iter().filter(|one| one.is_error());
        let mut status = Self::Pass;
        for error in errors {
            if error.code != Code::UnreadableFile {
                return Self::DoesNotCompile;
            }
            status = Self::Usage;
        }
        status
    }

    /// The number that a shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Failed => 1,
            Self::Usage | Self::RegoFailed => 2,
            Self::DoesNotCompile => 3,
            Self::Warned(code) => code,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
