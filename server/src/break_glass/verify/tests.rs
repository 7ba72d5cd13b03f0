use regent_engine::image::Digest;
use regent_engine::response::{FailureAction, FailurePolicy, ImageOutcome, RuleType};
use serde_json::Value;

use super::super::record::{Grant, WebhookPhase};
use super::*;

fn refusing(policy: &str, rule: &str) -> RefusingRule {
    RefusingRule {
        policy: policy.to_owned(),
        rule: rule.to_owned(),
        status: "fail".to_owned(),
        message: String::new(),
        break_glass: Grant {
            name: "incident".to_owned(),
            reason: "why".to_owned(),
            ticket: None,
            expires_at: "2026-11-27T22:00:00Z".to_owned(),
        },
    }
}

fn used(rules: Vec<RefusingRule>) -> Use {
    Use {
        id: "a".to_owned(),
        time: String::new(),
        phase: WebhookPhase::Mutate,
        object: String::new(),
        user: String::new(),
        rules,
        images: Vec::new(),
        request: Value::Null,
    }
}

fn response(rules: &[(&str, RuleStatus)]) -> PolicyResponse {
    let rule = |(name, status): &(&str, RuleStatus)| {
        let said = (*status, format!("{name} says so"));
        RuleResponse::new(*name, RuleType::Validation, FailureAction::Enforce, said)
    };
    PolicyResponse {
        policy: "p".to_owned(),
        namespace: None,
        failure_policy: FailurePolicy::Fail,
        emit_warning: false,
        rules: rules.iter().map(rule).collect(),
    }
}

#[test]
fn verified_is_what_all_rules_pass_that_refused_it() {
    use RuleStatus::{Error, Fail, Pass, Skip};
    let two = used(vec![refusing("p", "a"), refusing("p", "b")]);
    let said = |rules: &[(&str, RuleStatus)]| judged(&two, &[response(rules)]);
    assert_eq!(
        said(&[("a", Pass), ("b", Pass), ("c", Fail)]),
        (Verdict::Verified, String::new())
    );
    assert_eq!(
        said(&[("a", Error), ("b", Fail)]),
        (
            Verdict::Refused,
            "p/a: a says so; p/b: b says so".to_owned()
        )
    );
    assert_eq!(
        said(&[("a", Pass), ("b", Error)]),
        (Verdict::Unknown, "p/b: b says so".to_owned())
    );
    // What is not asked any more was not answered.
    let gone = "p/b: the rule is not about it any more".to_owned();
    assert_eq!(
        said(&[("a", Pass), ("b", Skip)]),
        (Verdict::Unknown, gone.clone())
    );
    assert_eq!(said(&[("a", Pass)]), (Verdict::Unknown, gone));
    let elsewhere = used(vec![refusing("team/p", "a")]);
    let (verdict, _) = judged(&elsewhere, &[response(&[("a", Pass)])]);
    assert_eq!(verdict, Verdict::Unknown);
}

#[test]
fn only_the_image_that_was_let_in_counts() {
    let (was, other) = (Digest::from_sha256([1; 32]), Digest::from_sha256([2; 32]));
    let said = |reference: &str, recorded: Option<&Digest>, passed: Option<&Digest>| {
        let mut used = used(vec![refusing("p", "a")]);
        used.images.push(RefusedImage {
            reference: reference.to_owned(),
            digest: recorded.map(ToString::to_string),
        });
        let mut answer = response(&[("a", RuleStatus::Pass)]);
        for rule in &mut answer.rules {
            rule.images.push(ImageOutcome {
                pointer: "/spec/containers/0/image".to_owned(),
                reference: reference.to_owned(),
                digest: passed.cloned(),
                status: RuleStatus::Pass,
                note: None,
                findings: Vec::new(),
            });
        }
        judged(&used, &[answer]).0
    };
    assert_eq!(said("a:1", Some(&was), Some(&was)), Verdict::Verified);
    // The tag was moved to an image that is in order.
    assert_eq!(said("a:1", Some(&was), Some(&other)), Verdict::Unknown);
    assert_eq!(said("a:1", Some(&was), None), Verdict::Unknown);
    assert_eq!(said("a:1", None, Some(&other)), Verdict::Unknown);
    assert_eq!(
        said(&format!("a:1@{was}"), None, Some(&was)),
        Verdict::Verified
    );
}

/// What a rule goes on refusing is not said to be another image.
#[test]
fn an_image_that_is_refused_again_is_not_said_to_have_changed() {
    let was = Digest::from_sha256([1; 32]);
    let mut used = used(vec![refusing("p", "a")]);
    used.images.push(RefusedImage {
        reference: format!("a@{was}"),
        digest: None,
    });
    let refused = judged(&used, &[response(&[("a", RuleStatus::Fail)])]);
    assert_eq!(refused, (Verdict::Refused, "p/a: a says so".to_owned()));
}
