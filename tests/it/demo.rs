//! The demonstration, as a newcomer runs it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;

use regent::exit_status::ExitStatus;
use regent_tests::needs;
use serde_json::Value;

use crate::command::regent;
use crate::process::{self, Process};
use crate::server::client::PATIENCE;

#[test]
fn every_answer_is_the_expected_one() {
    let ran = regent(&["demo"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("WRONG"), "{}", ran.stdout);
}

/// The line after everything that is printed to be tried.
const LAST: &str = "Everything runs until Ctrl-C.";

/// The reviews that are written to be sent, and whether they are admitted.
const REVIEWS: [(&str, bool); 3] = [
    ("/app.json", true),
    ("/unsigned.json", false),
    ("/other-builder.json", false),
];

#[test]
fn what_it_prints_to_try_works_until_it_is_told_to_end() {
    if Command::new("curl").arg("--version").output().is_err() {
        needs("curl (apt-get install curl)");
        return;
    }
    for signal in ["INT", "TERM"] {
        let mut demo =
            Process::start(process::command(&["demo", "--serve"]).stdout(Stdio::piped()));
        let printed = printed(&demo.stdout());
        let commands: Vec<_> = printed
            .iter()
            .filter(|line| line.starts_with("curl "))
            .collect();
        for (file, allowed) in REVIEWS {
            let about = |line: &&&String| line.ends_with(file);
            let command = commands.iter().find(about).expect(file);
            let answer = run(command);
            let review: Value = serde_json::from_str(&answer).expect(&answer);
            assert_eq!(review["kind"], "AdmissionReview", "{command}: {answer}");
            assert_eq!(
                review["response"]["allowed"], allowed,
                "{command}: {answer}"
            );
        }
        let metrics = commands.iter().find(|line| line.ends_with("/metrics"));
        let counted = run(metrics.expect("how to see what was counted"));
        assert!(counted.contains("regent_admission_"), "{counted}");
        assert_eq!(commands.len(), REVIEWS.len() + 1, "{printed:#?}");

        let mut words = commands[0].split(' ');
        words.find(|word| *word == "--cacert");
        let authority = Path::new(words.next().unwrap());
        assert!(authority.is_file(), "{}", authority.display());
        demo.signal(signal);
        let ended = demo.ended();
        assert!(ended.success(), "{signal}: {ended}");
        assert!(!authority.exists(), "{} stays", authority.display());
    }
}

/// Everything up to its last line.
fn printed(lines: &Receiver<String>) -> Vec<String> {
    let mut printed = Vec::new();
    loop {
        let line = lines.recv_timeout(PATIENCE).expect(LAST);
        if line == LAST {
            return printed;
        }
        printed.push(line);
    }
}

/// What a printed command answers; as a newcomer's shell runs it, but not for ever and through no proxy.
fn run(command: &str) -> String {
    let seconds = PATIENCE.as_secs().to_string();
    let ran = Command::new("timeout")
        .args([&seconds, "bash", "-c", command])
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command}: {} {said}", ran.status);
    String::from_utf8(ran.stdout).unwrap()
}
