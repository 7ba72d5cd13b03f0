//! Why a module cannot be used, or a call of it has no answer.

use thiserror::Error;

/// Each is an error of the rule that asked, never a pass.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WasmError {
    /// It is not WebAssembly, or uses what is not supported.
    #[error("it is not a module that can be compiled: {0}")]
    Invalid(String),
    /// A part of it is larger than it may be.
    #[error("{what} is larger than it may be: {size}, and {most} is the most")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How large it is.
        size: u64,
        /// How large it may be.
        most: u64,
    },
    /// It asks for a function that there is not: the file system, the network, another host's.
    #[error("it imports `{module}.{name}`, which there is not")]
    UnknownImport {
        /// Of which module.
        module: String,
        /// Its name.
        name: String,
    },
    /// It speaks none of the languages that are known, or not the one that it was said to speak.
    #[error("{0}")]
    Abi(String),
    /// It stopped by itself, by a fault.
    #[error("it trapped: {0}")]
    Trap(String),
    /// Its time was over.
    #[error("it did not answer in time")]
    Timeout,
    /// It wanted more memory or larger tables than it may have.
    #[error("it wanted more memory than it may have")]
    Memory,
    /// It named a place that is not in its memory.
    #[error("it named a place that is outside of its memory")]
    Pointer,
    /// Its answer is not one.
    #[error("its answer is malformed: {0}")]
    Output(String),
    /// It said that it failed.
    #[error("it failed: {0}")]
    Guest(String),
    /// It asked for something that the policy does not let it ask for.
    #[error("it asked for `{0}`, which `capabilities` does not list")]
    NotAllowed(String),
    /// It asked for something that nobody may ask for.
    #[error("it asked for `{0}`, which is not supported")]
    NotSupported(String),
    /// Something that must not happen.
    #[error("internal error: {0}")]
    Internal(String),
}

impl WasmError {
    /// A short name, for metrics and tests.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::TooLarge { .. } => "too-large",
            Self::UnknownImport { .. } => "unknown-import",
            Self::Abi(_) => "abi",
            Self::Trap(_) => "trap",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Pointer => "pointer",
            Self::Output(_) => "output",
            Self::Guest(_) => "guest",
            Self::NotAllowed(_) => "not-allowed",
            Self::NotSupported(_) => "not-supported",
            Self::Internal(_) => "internal",
        }
    }
}
