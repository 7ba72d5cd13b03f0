//! `regent break-glass`: what an operator sees of a journal, and what it says to a pipeline.

use std::fs;
use std::path::Path;

use regent::exit_status::ExitStatus;
use regent_server::break_glass::journal::Journal;
use regent_server::break_glass::record::{
    Grant, Record, RefusedImage, RefusingRule, Use, Verdict, Verification, WebhookPhase,
};
use serde_json::{Value, json};

use crate::command::regent;

fn used(id: &str, name: &str) -> Record {
    Record::Use(Box::new(Use {
        id: id.to_owned(),
        time: "2026-11-27T20:10:00Z".to_owned(),
        phase: WebhookPhase::Mutate,
        object: format!("Pod production/{name}"),
        user: "jane".to_owned(),
        rules: vec![RefusingRule {
            policy: "signed".to_owned(),
            rule: "by-us".to_owned(),
            status: "fail".to_owned(),
            message: "no signatures\u{1b}[2J found\nat all".to_owned(),
            break_glass: Grant {
                name: "incident".to_owned(),
                reason: "the signer is down".to_owned(),
                ticket: Some("INC-1".to_owned()),
                expires_at: "2026-11-27T22:00:00Z".to_owned(),
            },
        }],
        images: vec![RefusedImage {
            reference: "ghcr.io/your-org/app:v1".to_owned(),
            digest: None,
        }],
        request: json!({"object": {}}),
    }))
}

fn verified(id: &str, result: Verdict) -> Record {
    Record::Verification(Verification {
        id: id.to_owned(),
        time: "2026-11-27T20:15:00Z".to_owned(),
        result,
        message: match result {
            Verdict::Verified => String::new(),
            Verdict::Refused | Verdict::Unknown => "still unsigned".to_owned(),
        },
    })
}

fn list(journal: &Path, more: &[&str]) -> (ExitStatus, String, String) {
    let journal = journal.display().to_string();
    let mut arguments = vec!["break-glass", "list", &journal];
    arguments.extend(more);
    let ran = regent(&arguments);
    (ran.status, ran.stdout, ran.stderr)
}

#[test]
fn it_is_listed_until_it_is_verified_or_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = Journal::new(&path);
    journal
        .append(&[
            used("aaaa", "web"),
            used("bbbb", "app-…"),
            verified("aaaa", Verdict::Refused),
            verified("bbbb", Verdict::Verified),
        ])
        .unwrap();
    let (status, text, _) = list(&path, &[]);
    assert_eq!(status, ExitStatus::Failed);
    let expected = "\
aaaa  2026-11-27T20:10:00Z  refused   Pod production/web by jane
    incident until 2026-11-27T22:00:00Z: the signer is down [INC-1]
    signed/by-us fail: no signatures?[2J found at all
    image ghcr.io/your-org/app:v1, digest not known
    refused 2026-11-27T20:15:00Z: still unsigned
bbbb  2026-11-27T20:10:00Z  verified  Pod production/app-… by jane
    incident until 2026-11-27T22:00:00Z: the signer is down [INC-1]
    signed/by-us fail: no signatures?[2J found at all
    image ghcr.io/your-org/app:v1, digest not known
    verified 2026-11-27T20:15:00Z
2 let in: 1 verified, 0 closed, 1 refused, 0 not to be found out, 0 not looked at yet
";
    assert_eq!(text, expected);
    let (_, open, _) = list(&path, &["--open"]);
    assert!(open.contains("aaaa") && !open.contains("bbbb"), "{open}");
    let (_, shown, _) = list(&path, &["-o", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["uses"][0]["state"], "refused");
    assert_eq!(shown["uses"][0]["message"], "still unsigned");
    assert_eq!(shown["problems"], json!([]));
    let close = |id: &str, reason: &str| {
        regent(&[
            "break-glass",
            "close",
            path.to_str().unwrap(),
            id,
            "--reason",
            reason,
        ])
    };
    for (id, reason, says) in [
        ("cccc", "gone", "the journal has no `cccc`"),
        ("bbbb", "gone", "`bbbb` is verified already"),
        ("aaaa", " ", "say why"),
    ] {
        let refused = close(id, reason);
        assert_ne!(refused.status, ExitStatus::Pass);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    let closed = close("aaaa", "rolled back");
    assert_eq!(closed.status, ExitStatus::Pass, "{}", closed.stderr);
    let (status, text, _) = list(&path, &[]);
    assert_eq!(status, ExitStatus::Pass, "{text}");
    assert!(text.contains(": rolled back\n"), "{text}");
}

#[test]
fn a_journal_that_was_changed_is_never_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = Journal::new(&path);
    let lines = [
        used("aaaa", "web"),
        used("bbbb", "web"),
        verified("aaaa", Verdict::Verified),
        verified("bbbb", Verdict::Verified),
    ];
    journal.append(&lines).unwrap();
    assert_eq!(list(&path, &[]).0, ExitStatus::Pass);
    let text = fs::read_to_string(&path).unwrap();
    let without_second: Vec<&str> = text.lines().filter(|line| !line.contains("bbbb")).collect();
    fs::write(&path, without_second.join("\n")).unwrap();
    let (status, _, said) = list(&path, &[]);
    assert_eq!(status, ExitStatus::Failed);
    assert!(
        said.contains("line 2 does not follow on the line before"),
        "{said}"
    );
    let (status, _, said) = list(&folder.path().join("none"), &[]);
    assert_eq!(status, ExitStatus::Usage);
    assert!(said.contains("none"), "{said}");
}

const TEAM: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: team}
spec:
  rules:
  - name: has-team
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {failureAction: Enforce, message: no team, pattern: {metadata: {labels: {team: '?*'}}}}
";

const GLASS: &str = "apiVersion: regent.dev/v1
kind: BreakGlass
metadata: {name: incident}
spec:
  reason: why
  startsAt: 2026-11-27T20:00:00Z
  expiresAt: 2026-11-27T22:00:00Z
  match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: jane}]}]}
  exceptions: [{policyName: team, ruleNames: [has-team]}]
";

#[test]
fn it_counts_where_exceptions_of_apply_do() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let policy = write("policy.yaml", TEAM);
    let pod = write(
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: production}\nspec: {containers: [{name: c, image: i}]}\n",
    );
    let glass = write("glass.yaml", GLASS);
    let user = write(
        "user.yaml",
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: UserInfo\nuserInfo: {username: jane}\n",
    );
    let apply = |now: &str| {
        regent(&[
            "apply",
            &policy,
            "-r",
            &pod,
            "--exception",
            &glass,
            "-u",
            &user,
            "--now",
            now,
            "--detailed-results",
        ])
    };
    let open = apply("2026-11-27T21:00:00Z");
    assert_eq!(
        open.status,
        ExitStatus::Pass,
        "{}{}",
        open.stdout,
        open.stderr
    );
    let ended = apply("2026-11-27T22:00:00Z");
    assert_eq!(
        ended.status,
        ExitStatus::Failed,
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    let checked = regent(&["check", &policy, &glass]);
    assert_eq!(checked.status, ExitStatus::Pass, "{}", checked.stderr);
}
