use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::tempdir;

use super::super::history::{History, State};
use super::super::record::{Closed, Grant, RefusingRule, Use, Verdict, Verification, WebhookPhase};
use super::*;

fn used(id: &str) -> Record {
    Record::Use(Box::new(Use {
        id: id.to_owned(),
        time: "2026-11-27T20:00:00Z".to_owned(),
        phase: WebhookPhase::Validate,
        object: "Pod production/web".to_owned(),
        user: "jane".to_owned(),
        rules: vec![RefusingRule {
            policy: "signed".to_owned(),
            rule: "by-us".to_owned(),
            status: "fail".to_owned(),
            message: "of nobody\nknown".to_owned(),
            break_glass: Grant {
                name: "incident".to_owned(),
                reason: "the signer is down".to_owned(),
                ticket: None,
                expires_at: "2026-11-27T22:00:00Z".to_owned(),
            },
        }],
        images: Vec::new(),
        request: serde_json::json!({"uid": id, "object": {"n": 18_446_744_073_709_551_615_u64, "f": 0.1}}),
    }))
}

fn verified(id: &str, result: Verdict) -> Record {
    Record::Verification(Verification {
        id: id.to_owned(),
        time: "2026-11-27T21:00:00Z".to_owned(),
        result,
        message: "why".to_owned(),
    })
}

fn records(journal: &Journal) -> Vec<Record> {
    let mut records = Vec::new();
    let each = |entry: Entry| {
        assert!(entry.follows, "line {}", entry.line);
        let record = entry.record.expect("a record");
        assert_eq!(journal.at(entry.place).unwrap(), record);
        records.push(record);
    };
    journal.read(each).unwrap();
    records
}

#[test]
fn what_is_written_is_read_again_by_others_too() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("journal");
    let (one, two) = (Journal::new(&path), Journal::new(&path));
    one.append(&[used("a")]).unwrap();
    // Each finds out what the other wrote.
    two.append(&[used("b"), verified("a", Verdict::Refused)])
        .unwrap();
    one.append(&[verified("a", Verdict::Verified)]).unwrap();
    let expected = [
        used("a"),
        used("b"),
        verified("a", Verdict::Refused),
        verified("a", Verdict::Verified),
    ];
    assert_eq!(records(&two), expected);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_was_changed_or_taken_out_is_seen() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = Journal::new(&path);
    journal
        .append(&[used("a"), used("b"), used("c"), used("d")])
        .unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let problems = |text: &str| {
        fs::write(&path, text).unwrap();
        History::of(&journal).unwrap().problems
    };
    assert_eq!(problems(&text), Vec::<String>::new());
    let lines: Vec<&str> = text.lines().collect();
    let without = |index: usize| {
        let mut lines = lines.clone();
        lines.remove(index);
        lines.join("\n")
    };
    let broken = |line: usize| {
        format!("line {line} does not follow on the line before, which was changed or taken out")
    };
    assert_eq!(problems(&without(0)), [broken(1)]);
    assert_eq!(problems(&without(1)), [broken(2)]);
    let changed = text.replacen("\"uid\":\"b\"", "\"uid\":\"x\"", 1);
    assert_eq!(problems(&changed), [broken(3)]);
    let unread = text.replacen("\"kind\":\"use\"", "\"kind\":\"loan\"", 1);
    let found = problems(&unread);
    assert!(found[0].starts_with("line 1 cannot be read: "), "{found:?}");
    assert_eq!(found[1..], [broken(2)]);
}

#[test]
fn a_line_that_broke_off_takes_no_other_with_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = Journal::new(&path);
    journal.append(&[used("a")]).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut broken = whole.clone();
    broken.extend_from_slice(&whole[..40]);
    fs::write(&path, broken).unwrap();
    journal.append(&[used("b")]).unwrap();
    let history = History::of(&journal).unwrap();
    let ids: Vec<&str> = history
        .uses
        .iter()
        .map(|past| past.used.id.as_str())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(history.problems.len(), 1, "{:?}", history.problems);
    assert!(history.problems[0].starts_with("line 2 cannot be read"));
}

#[test]
fn a_use_stands_where_the_last_line_about_it_says() {
    let folder = tempdir().unwrap();
    let journal = Journal::new(&folder.path().join("journal"));
    let closed = Record::Closed(Closed {
        id: "c".to_owned(),
        time: "2026-11-27T23:00:00Z".to_owned(),
        reason: "deleted".to_owned(),
    });
    journal
        .append(&[
            used("a"),
            used("b"),
            used("c"),
            verified("b", Verdict::Refused),
            verified("c", Verdict::Refused),
            closed,
            // Whoever looked at it had read the journal before.
            verified("c", Verdict::Refused),
            verified("z", Verdict::Verified),
        ])
        .unwrap();
    let history = History::of(&journal).unwrap();
    let states: Vec<_> = history.uses.iter().map(|past| past.state.name()).collect();
    assert_eq!(states, ["open", "refused", "closed"]);
    assert!(matches!(history.uses[0].state, State::Open));
    assert_eq!(
        history.problems,
        ["line 8 is about `z`, which is not there"]
    );
}

#[test]
fn nothing_is_written_where_there_is_no_room_or_no_folder() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("journal");
    let file = File::create(&path).unwrap();
    file.set_len(MAX_BYTES).unwrap();
    let full = Journal::new(&path).append(&[used("a")]).unwrap_err();
    assert!(matches!(full, JournalError::Full(_)), "{full}");
    // What becomes of those that are there is written all the same.
    let journal = Journal::new(&path);
    journal.append(&[verified("a", Verdict::Verified)]).unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(MAX_BYTES)
        .unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), MAX_BYTES);
    let nowhere = Journal::new(&folder.path().join("none/journal"));
    let error = nowhere.append(&[used("a")]).unwrap_err();
    assert!(error.to_string().starts_with("the journal `"), "{error}");
    assert!(nowhere.try_open().is_err());
}

#[test]
fn who_holds_it_is_not_waited_for_long() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("journal");
    let held = File::create(&path).unwrap();
    held.lock().unwrap();
    let error = Journal::new(&path).append(&[used("a")]).unwrap_err();
    assert!(matches!(error, JournalError::Held(_)), "{error}");
    held.unlock().unwrap();
    Journal::new(&path).append(&[used("a")]).unwrap();
}
