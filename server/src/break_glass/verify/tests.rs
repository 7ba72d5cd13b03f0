use regent_engine::response::{FailureAction, FailurePolicy, RuleType};

use super::super::record::Grant;
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

fn response(rules: &[(&str, RuleStatus)]) -> PolicyResponse {
    let rule = |(name, status): &(&str, RuleStatus)| RuleResponse {
        rule: (*name).to_owned(),
        rule_type: RuleType::Validation,
        status: *status,
        message: format!("{name} says so"),
        failure_action: FailureAction::Enforce,
        patches: Vec::new(),
        patched: None,
        images: Vec::new(),
        targets: Vec::new(),
        generated: Vec::new(),
        digests: Vec::new(),
        let_in: None,
        details: None,
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
    let two = [refusing("p", "a"), refusing("p", "b")];
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
    let elsewhere = [refusing("team/p", "a")];
    let (verdict, _) = judged(&elsewhere, &[response(&[("a", Pass)])]);
    assert_eq!(verdict, Verdict::Unknown);
}
