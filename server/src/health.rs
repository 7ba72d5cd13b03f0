//! Whether the server lives, and whether it should be asked.
//!
//! Readiness stays 200 when some policy has an error, and its body says what is wrong: taking the server out of service
//! would also take away the policies that are good, and turn every request into a failed webhook call.
//! It is 503 when not one policy file is in force though there are some, and while the server is leaving.

use std::fmt::Write as _;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::StatusCode;
use tokio::sync::watch;

use crate::listener::Stage;
use crate::watch::Snapshot;

/// Problems that are listed; the log has all of them.
const MAX_LISTED: usize = 100;

/// What health is judged by.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl Health {
    /// Whether the server should be asked, and what is wrong with it.
    pub(crate) fn readiness(&self) -> (StatusCode, String) {
        if *self.stage.borrow() > Stage::Running {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                "shutting down\n".to_owned(),
            );
        }
        describe(&self.snapshot.load())
    }
}

fn describe(snapshot: &Snapshot) -> (StatusCode, String) {
    let Snapshot {
        files,
        files_in_force,
        problems,
        ..
    } = snapshot;
    if problems.is_empty() {
        return (
            StatusCode::OK,
            format!("ok: {files} policy files in force\n"),
        );
    }
    let (status, word) = if *files_in_force == 0 {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    } else {
        (StatusCode::OK, "degraded")
    };
    let mut text = format!(
        "{word}: {files_in_force} of {files} policy files in force, {} errors\n",
        problems.len()
    );
    for problem in problems.iter().take(MAX_LISTED) {
        // Writing to a string cannot fail.
        if writeln!(text, "{problem}").is_err() {
            break;
        }
    }
    (status, text)
}
