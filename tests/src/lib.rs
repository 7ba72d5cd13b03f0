//! What the tests of the whole product share: where the material is that is not in the repository, how a test says what it
//! lacks, and how it records what it counted.
//!
//! Knows nothing of policies, images or servers.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The folder of conformance material and tools: `$REGENT_SHARED`, or `../shared` beside the workspace.
///
/// `None` where there is none; the test then calls [`needs`] and returns.
pub fn shared() -> Option<PathBuf> {
    let path =
        env::var_os("REGENT_SHARED").map_or_else(|| workspace().join("../shared"), PathBuf::from);
    path.join("conformance")
        .is_dir()
        .then(|| path.canonicalize().ok())
        .flatten()
}

/// A file or folder of [`shared`], or `None` after saying with [`needs`] that it is not there.
pub fn shared_path(relative: &str) -> Option<PathBuf> {
    let path = shared()
        .map(|folder| folder.join(relative))
        .filter(|path| path.exists());
    if path.is_none() {
        needs(&format!("../shared/{relative} (or REGENT_SHARED)"));
    }
    path
}

/// Says in one line, past the capture of test output, that the running test did nothing because `what` is not there.
///
/// # Panics
///
/// Where `REGENT_TESTS_COMPLETE` is set, as in CI: there everything must be there.
pub fn needs(what: &str) {
    let current = thread::current();
    let line = format!(
        "test {} skipped: needs {what}\n",
        current.name().unwrap_or("?")
    );
    assert!(env::var_os("REGENT_TESTS_COMPLETE").is_none(), "{line}");
    // Nothing is lost where the terminal is gone.
    drop(io::stderr().write_all(line.as_bytes()));
}

/// Records how much of a conformance set passed, in `target/conformance/SET.txt`; `.ci/run` prints them at its end.
///
/// # Panics
///
/// If the file cannot be written.
pub fn record(set: &str, passed: usize, of: usize) {
    let folder = target().join("conformance");
    let written = fs::create_dir_all(&folder).and_then(|()| {
        fs::write(
            folder.join(format!("{set}.txt")),
            format!("{set}: {passed} of {of}\n"),
        )
    });
    assert!(written.is_ok(), "writing {}: {written:?}", folder.display());
}

/// Keeps what a person may want to read of a run, in `target/notes/NAME.txt`; nothing depends on it.
///
/// # Panics
///
/// If the file cannot be written.
pub fn note(name: &str, text: &str) {
    let folder = target().join("notes");
    let written = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join(format!("{name}.txt")), text));
    assert!(written.is_ok(), "writing {}: {written:?}", folder.display());
}

/// The target folder that the running test was built into.
fn target() -> PathBuf {
    // target/debug/deps/it-0123456789abcdef
    env::current_exe()
        .ok()
        .and_then(|exe| exe.ancestors().nth(3).map(Path::to_owned))
        .unwrap_or_else(|| workspace().join("target"))
}
