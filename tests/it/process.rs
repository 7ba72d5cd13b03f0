//! The command line as a process of its own, for what only a process can show: its exit status, its files, and signals.
//!
//! The process is this test program itself, told to be the command line; so the tests need nothing that was built apart.

use std::env;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use regent::io::Io;

use crate::server::client::PATIENCE;

/// What a process is told to be the command line with: arguments, one a line.
const ARGUMENTS: &str = "REGENT_TESTS_PROCESS";

/// The command line, in a process that a test starts; among the tests it has nothing to do.
#[test]
#[expect(
    clippy::exit,
    reason = "it is a process of its own, whose exit status is looked at"
)]
fn is_the_command_line_where_it_is_told_to() {
    let Ok(arguments) = env::var(ARGUMENTS) else {
        return;
    };
    let (mut stdin, mut stdout, mut stderr) = Io::process_streams();
    let mut io = Io::of_process(&mut stdin, &mut stdout, &mut stderr);
    let status = regent::run(arguments.lines().map(Into::into), &mut io);
    std::process::exit(status.code().into());
}

/// `regent` with arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let all = [&["regent"], arguments].concat();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture"])
        .arg("process::is_the_command_line_where_it_is_told_to")
        .env(ARGUMENTS, all.join("\n"))
        .env_remove("REGENT_LOG")
        .stdin(Stdio::null());
    command
}

/// A process that ends with the test at the latest.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// The lines of its stdout, if that is a pipe, as they come.
    pub(crate) fn stdout(&mut self) -> Receiver<String> {
        lines(self.0.stdout.take().unwrap())
    }

    /// The lines of its stderr, if that is a pipe, as they come.
    pub(crate) fn stderr(&mut self) -> Receiver<String> {
        lines(self.0.stderr.take().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("bash")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.0.id()))
            .status();
        assert!(sent.unwrap().success());
    }

    /// How it ended, once it has.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it goes on");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already in most tests; nothing is lost then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // The test may have ended before the process did.
            drop(sender.send(line));
        }
    });
    lines
}
