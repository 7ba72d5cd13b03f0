use std::time::Duration;

use regent_engine::evaluation::Scope;
use regent_engine::response::FailurePolicy;
use tokio::time::Instant;

use super::{Clock, host_response};

#[test]
fn time_is_left_for_the_way_back_and_for_the_last_evaluation() {
    let started = Instant::now();
    for (limit, margin) in [(30, 1000), (10, 1000), (5, 500), (1, 100)] {
        let limit = Duration::from_secs(limit);
        let margin = Duration::from_millis(margin);
        let clock = Clock::new(started, limit);
        assert_eq!(clock.gives_up - clock.answer_by, margin);
        assert_eq!(clock.answer_by - clock.facts_by, margin);
        assert_eq!(clock.gives_up - clock.started, limit);
    }
}

#[test]
fn the_hosts_own_errors_are_let_through_only_where_every_policy_says_ignore() {
    let policy = |scope| host_response(scope, "deadline", "late").failure_policy;
    assert_eq!(policy(Scope::All), FailurePolicy::Fail);
    assert_eq!(policy(Scope::FailurePolicyFail), FailurePolicy::Fail);
    assert_eq!(policy(Scope::FailurePolicyIgnore), FailurePolicy::Ignore);
}
