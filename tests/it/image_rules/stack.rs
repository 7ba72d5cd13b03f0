//! A real Sigstore that runs while a test does.
//!
//! `../shared/tools/real-sigstore` has the stack; its `core` has no certificate log and no Rekor of the first version, whose
//! evidence is in the recorded layouts. `SIGSTORE_STACK=full` has those too, where they were built: CONTRIBUTING.md says how.
//! It runs in a network of its own, so that it needs root.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use regent_tests::{needs, shared_path};
use tempfile::TempDir;

/// What `core` needs to have been built.
const PARTS: [&str; 7] = [
    "crane",
    "cosign",
    "fulcio",
    "timestamp-server",
    "rekor-tiles-posix",
    "sigtool",
    "ociserve",
];

/// What it needs besides for a certificate log and the first Rekor, both over a database.
const MORE_PARTS: [&str; 5] = [
    "trillian_log_server",
    "trillian_log_signer",
    "createtree",
    "ct_server",
    "rekor-server",
];

/// The stack, up until it is dropped.
pub(super) struct Stack {
    script: PathBuf,
    bin: PathBuf,
    state: TempDir,
    is_full: bool,
}

impl Stack {
    /// Starts it; none after saying what is missing.
    pub(super) fn start() -> Option<Self> {
        let script = shared_path("tools/real-sigstore/real-sigstore.sh")?;
        let built = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache/regent/sigstore"));
        let bin = env::var_os("SIGSTORE_BIN")
            .map(PathBuf::from)
            .or_else(built)?;
        let is_root = user() == Some(0);
        if !is_root || PARTS.iter().any(|part| !bin.join(part).is_file()) {
            needs(
                "root, and a real Sigstore at $SIGSTORE_BIN or ~/.cache/regent/sigstore (`real-sigstore.sh build`)",
            );
            return None;
        }
        let is_full = env::var_os("SIGSTORE_STACK").is_some_and(|stack| stack == "full");
        if is_full && MORE_PARTS.iter().any(|part| !bin.join(part).is_file()) {
            needs("all parts of a real Sigstore at $SIGSTORE_BIN (`real-sigstore.sh build`)");
            return None;
        }
        let stack = Self {
            script,
            bin,
            state: tempfile::tempdir().unwrap(),
            is_full,
        };
        let (up, said) = stack.run(&[], &["up", if is_full { "full" } else { "core" }]);
        assert!(up, "the stack does not start: {said}");
        Some(stack)
    }

    /// Whether it has a certificate log and the first Rekor.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// A file among what the stack keeps.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    /// Whether a command of the stack went well, and what it printed.
    pub(super) fn run(&self, environment: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
        let ran = Command::new(&self.script)
            .args(arguments)
            .env("STATE", self.state.path())
            .env("BIN", &self.bin)
            .env("NICE", "nice -n 0")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let said = if ran.status.success() {
            said
        } else {
            said + &String::from_utf8_lossy(&ran.stderr)
        };
        (ran.status.success(), said)
    }

    /// Runs what has to go well.
    pub(super) fn must(&self, environment: &[(&str, &str)], arguments: &[&str]) -> String {
        let (well, said) = self.run(environment, arguments);
        assert!(well, "{arguments:?}: {said}");
        said.trim().to_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(&[], &["down"]);
    }
}

/// Who runs this test.
fn user() -> Option<u32> {
    let ran = Command::new("id").arg("-u").output().ok()?;
    String::from_utf8_lossy(&ran.stdout).trim().parse().ok()
}
