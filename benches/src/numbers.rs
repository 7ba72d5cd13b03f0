//! Percentiles, medians and roundings.

use std::fs;
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
/// microseconds. That is the time on the processor, where the system tells it: others may want the same one.
pub fn by_turns(turns: usize, turn: Duration, jobs: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let batches: Vec<u32> = jobs.iter_mut().map(|job| batch(turn, *job)).collect();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); jobs.len()];
    for _ in 0..turns {
        for ((job, batch), times) in jobs.iter_mut().zip(&batches).zip(&mut times) {
            let clock = Clock::start();
            for _ in 0..*batch {
                job();
            }
            times.push(microseconds(clock.elapsed()) / f64::from(*batch));
        }
    }
    times
        .into_iter()
        .map(|times| median(times).unwrap_or(f64::NAN))
        .collect()
}

/// Measures the time of this thread: on the processor where the system tells it, else on the wall.
#[derive(Debug)]
pub struct Clock {
    wall: Instant,
    processor: Option<Duration>,
}

impl Clock {
    /// Starts.
    pub fn start() -> Self {
        Self {
            wall: Instant::now(),
            processor: on_processor(),
        }
    }

    /// The time since then.
    pub fn elapsed(&self) -> Duration {
        match (self.processor, on_processor()) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => self.wall.elapsed(),
        }
    }
}

/// How long this thread was on a processor, to a tick of the scheduler.
fn on_processor() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// How many calls fill a turn; finding out warms the caches.
fn batch(turn: Duration, job: &mut dyn FnMut()) -> u32 {
    let mut calls = 1_u32;
    loop {
        let (clock, started) = (Clock::start(), Instant::now());
        (0..calls).for_each(|_| job());
        // Not longer than ten turns, whoever else wants the processor.
        if clock.elapsed() * 2 > turn || started.elapsed() > turn * 10 || calls > u32::MAX / 2 {
            return calls;
        }
        calls *= 2;
    }
}

#[cfg(test)]
mod tests;
