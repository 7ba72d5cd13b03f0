use std::time::Duration;

use super::series::Bounded;
use super::{CacheOutcome, HostFailure, Metrics};

#[test]
fn what_was_counted_is_rendered() {
    let metrics = Metrics::new().unwrap();
    metrics.image_cache(CacheOutcome::Hit);
    metrics.failure(HostFailure::Panic);
    metrics.http("POST", "/validate", 200, Duration::from_micros(200));
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    for line in [
        "regent_image_cache_hits_total 1",
        "regent_image_cache_misses_total 0",
        "regent_admission_failures_total{reason=\"panic\"} 1",
        "kyverno_http_requests_total{http_method=\"POST\",http_status=\"200\",http_url=\"/validate\"} 1",
        "kyverno_http_requests_duration_seconds_bucket{http_method=\"POST\",http_url=\"/validate\",le=\"0.00025\"} 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
}

#[test]
fn users_cannot_multiply_series() {
    let made = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = made.clone();
    let bounded = Bounded::new(3, move |labels: &[&str]| {
        log.lock().unwrap().push(labels.join("/"));
    });
    for namespace in 0..100 {
        bounded.with(&["Pod", &namespace.to_string(), "rule"], |()| {});
    }
    assert_eq!(
        *made.lock().unwrap(),
        [
            "Pod/0/rule",
            "Pod/1/rule",
            "Pod/2/rule",
            "_other/_other/rule"
        ]
    );
}

#[test]
fn a_label_is_not_kept_whole_whatever_it_says() {
    let made = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = made.clone();
    let bounded = Bounded::new(3, move |labels: &[&str]| {
        log.lock().unwrap().push(labels.join("/"));
    });
    bounded.with(&["é".repeat(1000).as_str(), "default", "rule"], |()| {});
    bounded.with(&["é".repeat(2000).as_str(), "default", "rule"], |()| {});
    let kept = format!("{}/default/rule", "é".repeat(128));
    assert_eq!(*made.lock().unwrap(), [kept]);
}
