//! What a process has used so far, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Linux counts a process's time in hundredths of a second, whatever its own clock (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor time of all its threads, to a hundredth of a second.
    pub cpu: Duration,
    /// Resident memory in KiB.
    pub resident: u64,
    /// The part of it that no file stands behind.
    pub anonymous: u64,
    /// The most that was resident.
    pub peak: u64,
}

/// Reads the usage of a process.
pub fn read(pid: u32) -> Result<Usage> {
    let file = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    };
    let stat = file("stat")?;
    let status = file("status")?;
    Ok(Usage {
        cpu: cpu(&stat).context("/proc has no processor time")?,
        resident: kibibytes(&status, "VmRSS:").context("/proc has no resident memory")?,
        anonymous: kibibytes(&status, "RssAnon:").unwrap_or(0),
        peak: kibibytes(&status, "VmHWM:").unwrap_or(0),
    })
}

/// Processor time of the threads that a process has now, to the nanosecond; threads that ended are not in it.
pub fn precise_cpu(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let mut nanoseconds = 0;
    for task in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
        let path = task?.path().join("schedstat");
        // A thread may end between the two looks.
        let text = fs::read_to_string(path).unwrap_or_default();
        let first = text.split_whitespace().next();
        nanoseconds += first.and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Processor time of the processes that this one started and that have ended, to a hundredth of a second.
pub fn of_children() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
    times(&stat, 13).context("/proc has no processor time of children")
}

/// User and system time: the 14th and 15th field, counted behind the name in parentheses, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    times(stat, 11)
}

/// Two times that stand beside each other, so many fields behind the name.
fn times(stat: &str, skipped: usize) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(skipped);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user + system))
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
