//! Every bound of a guest, each with its reason.

use std::time::Duration;

/// How often time is counted. A guest is stopped within two of them after its time is over.
pub const TICK: Duration = Duration::from_millis(10);

/// The time of one call where the policy does not say: policies take a millisecond, and under load the processor is shared.
/// Ten of them still fit into a webhook's ten seconds.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// The most that a policy may say: the API server waits for thirty seconds at most, and others have to be answered too.
pub const MOST_TIMEOUT: Duration = Duration::from_secs(10);

/// The memory of one call where the policy does not say. The largest module of the common kits takes 20 MiB.
pub const MEMORY: u64 = 64 << 20;

/// The most that a policy may say: eight calls at once still fit into a small node.
pub const MOST_MEMORY: u64 = 512 << 20;

/// The most elements of all tables: a table holds the functions that are called by pointer, some hundreds in real modules.
pub const TABLE_ELEMENTS: usize = 20_000;

/// Tables of an instance; compilers make one.
pub const TABLES: usize = 4;

/// The stack of a guest: a quarter of a thread's, so that a guest that recurses ends before the thread does.
pub const STACK: usize = 512 << 10;

/// The largest module. Compiling takes a second per megabyte and cannot be interrupted; the largest of Kubewarden's is 4 MiB.
pub const MODULE: usize = 16 << 20;

/// The largest answer, host call or host answer: an object is 1.5 MiB at most in etcd, and comes back whole from a mutation.
pub const MESSAGE: usize = 4 << 20;

/// The longest error text that is copied from a guest; messages take less of it.
pub const ERROR_TEXT: usize = 64 << 10;

/// The most log lines that are kept of a call; a person reads no more, and a guest in a loop writes no more.
pub const LOG_LINES: usize = 64;

/// The longest of them.
pub const LOG_LINE: usize = 1 << 10;

/// The longest message of an answer, as Kubernetes shows it.
pub const ANSWER_TEXT: usize = 2 << 10;

/// The longest warning: the API server cuts them there.
pub const WARNING: usize = 256;

/// The most warnings: the API server takes 4 KiB of all of them.
pub const WARNINGS: usize = 16;

/// How often a guest may ask: each question makes it run again from its start.
pub const QUESTIONS: usize = 16;

/// The longest name of an operation that a guest asks for.
pub const NAME: usize = 256;

/// The largest metadata of a module.
pub const METADATA: usize = 256 << 10;

/// What one call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Limits {
    /// Wall time.
    pub timeout: Duration,
    /// Bytes of memory.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: TIMEOUT,
            memory: MEMORY,
        }
    }
}

impl Limits {
    /// The time in ticks: one more, since the first may be nearly over.
    pub(super) fn ticks(&self) -> u64 {
        let ticks = self.timeout.as_millis().div_ceil(TICK.as_millis());
        u64::try_from(ticks)
            .unwrap_or(u64::MAX - 1)
            .saturating_add(1)
    }
}
