//! What came of a run, as JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::numbers::{float, percentile, rounded};
use crate::usage::Usage;

use super::connection::Tally;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    latencies: Vec<u64>,
    allowed: u64,
    denied: u64,
    transport: u64,
    status: u64,
    malformed: u64,
    wrong_uid: u64,
    took: Duration,
    used: Option<(Usage, Usage)>,
}

impl Report {
    pub(super) fn new(mut tally: Tally, took: Duration, used: Option<(Usage, Usage)>) -> Self {
        tally.latencies.sort_unstable();
        Self {
            latencies: tally.latencies,
            allowed: tally.allowed,
            denied: tally.denied,
            transport: tally.transport,
            status: tally.status,
            malformed: tally.malformed,
            wrong_uid: tally.wrong_uid,
            took,
            used,
        }
    }

    /// Requests that were answered while measuring.
    pub fn requests(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// Answered requests a second.
    pub fn rate(&self) -> f64 {
        float(self.requests()) / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The time that `share` of the requests took at most, in milliseconds; not a number where none was answered.
    pub fn latency(&self, share: f64) -> f64 {
        percentile(&self.latencies, share).map_or(f64::NAN, |found| float(found) / 1e6)
    }

    /// Answers that allow, and that deny.
    pub fn answers(&self) -> (u64, u64) {
        (self.allowed, self.denied)
    }

    /// Everything that went wrong, while warming up too where there was no answer.
    pub fn errors(&self) -> u64 {
        self.transport + self.status + self.malformed + self.wrong_uid
    }

    /// Processor time of the server for each request, in milliseconds; not a number where it was not looked at.
    pub fn cpu(&self) -> f64 {
        let Some((before, after)) = self.used else {
            return f64::NAN;
        };
        let used = after.cpu.saturating_sub(before.cpu);
        used.as_secs_f64() * 1e3 / float(self.requests().max(1))
    }

    /// Resident memory of the server at the end in MiB; not a number where it was not looked at.
    pub fn resident(&self) -> f64 {
        self.used
            .map_or(f64::NAN, |(_, after)| mebibytes(after.resident))
    }

    /// The whole as JSON.
    pub fn to_json(&self) -> Value {
        let mut document = json!({
            "requests": self.requests(),
            "seconds": rounded(self.took.as_secs_f64()),
            "requests_per_second": rounded(self.rate()),
            "latency_ms": {
                "p50": rounded(self.latency(0.5)),
                "p99": rounded(self.latency(0.99)),
                "p99_9": rounded(self.latency(0.999)),
                "max": rounded(self.latency(1.0)),
            },
            "answers": {"allowed": self.allowed, "denied": self.denied},
            "errors": {
                "transport": self.transport,
                "http_status": self.status,
                "malformed": self.malformed,
                "wrong_uid": self.wrong_uid,
            },
        });
        if let (Some((_, after)), Some(fields)) = (self.used, document.as_object_mut()) {
            fields.insert("server".to_owned(), Value::Object(self.server(&after)));
        }
        document
    }

    fn server(&self, after: &Usage) -> Map<String, Value> {
        let fields = [
            ("cpu_ms_per_request", self.cpu()),
            ("rss_mib", mebibytes(after.resident)),
            ("rss_anonymous_mib", mebibytes(after.anonymous)),
            ("rss_peak_mib", mebibytes(after.peak)),
        ];
        fields
            .into_iter()
            .map(|(name, number)| (name.to_owned(), rounded(number)))
            .collect()
    }
}

fn mebibytes(kibibytes: u64) -> f64 {
    float(kibibytes) / 1024.0
}
