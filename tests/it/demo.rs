//! The demonstration, as a newcomer runs it.

use regent::exit_status::ExitStatus;

use crate::command::regent;

#[test]
fn every_answer_is_the_expected_one() {
    let ran = regent(&["demo"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("WRONG"), "{}", ran.stdout);
}
