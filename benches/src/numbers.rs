//! Percentiles, medians and roundings.

use std::time::{Duration, Instant};

use serde_json::Value;

/// A count as a number to calculate with.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and nanoseconds of a benchmark are far below 2^52"
)]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// A duration in microseconds.
pub fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A number with as many digits as mean anything.
pub fn rounded(number: f64) -> Value {
    let digits = if number.abs() >= 100.0 {
        10.0
    } else if number.abs() >= 1.0 {
        1e2
    } else {
        1e4
    };
    Value::from((number * digits).round() / digits)
}

/// The value below which `share` of the sorted values lie; nothing of nothing.
pub fn percentile(sorted: &[u64], share: f64) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index between zero and the last"
    )]
    let index = (float(last as u64) * share).round() as usize;
    sorted.get(index.min(last)).copied()
}

/// The middle of some numbers; nothing of nothing.
pub fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    if numbers.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *numbers.get(middle.checked_sub(1)?)?;
    Some(f64::midpoint(lower, upper))
}

/// Measures two or more jobs by turns, so that a noisy neighbour meets them alike.
///
/// Each turn repeats a job for about `turn`; what comes back is, for each job, the median over the turns of the time of one call in
/// microseconds.
pub fn by_turns(turns: usize, turn: Duration, jobs: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let batches: Vec<u32> = jobs.iter_mut().map(|job| batch(turn, *job)).collect();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); jobs.len()];
    for _ in 0..turns {
        for ((job, batch), times) in jobs.iter_mut().zip(&batches).zip(&mut times) {
            let started = Instant::now();
            for _ in 0..*batch {
                job();
            }
            times.push(microseconds(started.elapsed()) / f64::from(*batch));
        }
    }
    times
        .into_iter()
        .map(|times| median(times).unwrap_or(f64::NAN))
        .collect()
}

/// How many calls fill a turn; finding out warms the caches.
fn batch(turn: Duration, job: &mut dyn FnMut()) -> u32 {
    let started = Instant::now();
    let mut calls = 0_u32;
    while started.elapsed() < turn {
        job();
        calls += 1;
    }
    calls.max(1)
}

#[cfg(test)]
mod tests;
