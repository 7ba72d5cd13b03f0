use std::time::Duration;

use super::{by_turns, median, percentile, rounded};

#[test]
fn percentiles_are_values_that_were_seen() {
    let sorted: Vec<u64> = (1..=100).collect();
    assert_eq!(percentile(&sorted, 0.0), Some(1));
    assert_eq!(percentile(&sorted, 0.5), Some(51));
    assert_eq!(percentile(&sorted, 0.999), Some(100));
    assert_eq!(percentile(&[7], 0.99), Some(7));
    assert_eq!(percentile(&[], 0.5), None);
}

#[test]
fn medians() {
    assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(median(vec![]), None);
}

#[test]
fn roundings() {
    assert_eq!(rounded(1234.56), 1234.6);
    assert_eq!(rounded(1.23456), 1.23);
    assert_eq!(rounded(0.012_345_6), 0.0123);
}

#[test]
fn every_job_gets_its_turns() {
    let (mut first, mut second) = (0_u64, 0_u64);
    let times = by_turns(
        3,
        Duration::from_micros(50),
        &mut [&mut || first += 1, &mut || second += 1],
    );
    assert_eq!(times.len(), 2);
    assert!(first >= 4 && second >= 4);
}
