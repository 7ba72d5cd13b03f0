//! Running the command line in the process, with what a user would see captured.

use std::fs;

use regent::exit_status::ExitStatus;
use regent::io::Io;
use tempfile::TempDir;

/// What a command left behind.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `regent` with arguments and a text on stdin.
pub(crate) fn regent_with(stdin: &str, arguments: &[&str]) -> Ran {
    let mut stdin = stdin.as_bytes();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut io = Io::of_buffers(&mut stdin, &mut stdout, &mut stderr);
    let all = std::iter::once("regent").chain(arguments.iter().copied());
    let status = regent::run(all.map(Into::into), &mut io);
    Ran {
        status,
        stdout: String::from_utf8(stdout).expect("stdout is text"),
        stderr: String::from_utf8(stderr).expect("stderr is text"),
    }
}

/// Runs `regent` with arguments.
pub(crate) fn regent(arguments: &[&str]) -> Ran {
    regent_with("", arguments)
}

/// A folder with some files.
pub(crate) fn folder_of(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}
