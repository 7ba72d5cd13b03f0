//! `regent test` over many folders in one run: time on the wall and on the processor, and the most memory that it took.
//!
//! The folders are Kyverno's own, of which each has a policy and its test; they are not part of the repository.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use regent_benches::child::sibling;
use regent_benches::numbers::{median, rounded};
use regent_benches::{machine, usage};
use serde_json::{Value, json};

/// Measures `regent test` over the folders of a corpus, and prints one JSON document
#[derive(Debug, Parser)]
struct Args {
    /// The shared material, which has `conformance/needs.json` and `conformance/kyverno-policies`
    ///
    /// [default: what the variable `REGENT_SHARED` says]
    #[arg(long, value_name = "FOLDER")]
    shared: Option<PathBuf>,
    /// How often the whole is run
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Threads of the run [default: the machine's processors]
    #[arg(long)]
    threads: Option<usize>,
    /// Cargo's own flag
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one run took.
struct Run {
    wall: Duration,
    cpu: Duration,
    /// In KiB.
    peak: u64,
    rows: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let program = sibling("regent")?;
    let named = || std::env::var_os("REGENT_SHARED").map(PathBuf::from);
    let shared = args.shared.or_else(named);
    let conformance = shared
        .context("name the shared material with `--shared` or `REGENT_SHARED`")?
        .join("conformance");
    let folders = core(&conformance, "kyverno-policies")?;
    let mut runs = Vec::new();
    for _ in 0..args.rounds.max(1) {
        runs.push(run(&program, &folders, args.threads)?);
    }
    let milliseconds = |of: fn(&Run) -> Duration| {
        let times = runs.iter().map(|run| of(run).as_secs_f64() * 1000.0);
        median(times.collect()).map(rounded)
    };
    let peak = runs.iter().map(|run| run.peak).max().unwrap_or(0);
    let document = json!({
        "machine": machine::describe(),
        "test_runner": {
            "folders": folders.len(),
            "rows": runs.first().map(|run| run.rows),
            "rounds": runs.len(),
            "wall_ms": milliseconds(|run| run.wall),
            "cpu_ms": milliseconds(|run| run.cpu),
            "peak_mib": peak / 1024,
        },
    });
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(())
}

/// Folders of a corpus that need nothing but the language.
fn core(conformance: &Path, corpus: &str) -> Result<Vec<PathBuf>> {
    let path = conformance.join("needs.json");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let needs: Value = serde_json::from_str(&text)?;
    let folders = needs.get(corpus).and_then(Value::as_object);
    let folders = folders.with_context(|| format!("{} has no {corpus}", path.display()))?;
    let core = folders.iter().filter(|(_, need)| *need == "core");
    let root = conformance.join(corpus);
    Ok(core.map(|(folder, _)| root.join(folder)).collect())
}

fn run(program: &Path, folders: &[PathBuf], threads: Option<usize>) -> Result<Run> {
    let output = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(program);
    command.args(["test", "--format", "json"]).args(folders);
    if let Some(threads) = threads {
        command.args(["--threads", &threads.to_string()]);
    }
    command
        .stdin(Stdio::null())
        .stdout(output.reopen()?)
        .stderr(Stdio::null());
    let before = usage::of_children()?;
    let began = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let mut peak = 0;
    let status = loop {
        // The most that was resident only grows: what is read last is short of it by what a millisecond adds.
        if let Ok(now) = usage::read(child.id()) {
            peak = peak.max(now.peak);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        sleep(Duration::from_millis(1));
    };
    let wall = began.elapsed();
    let cpu = usage::of_children()?.saturating_sub(before);
    ensure!(status.success(), "a test failed: {status}");
    let document: Value = serde_json::from_str(&fs::read_to_string(output.path())?)?;
    let rows = document.get("results").and_then(Value::as_array);
    let rows = rows.map_or(0, Vec::len).try_into()?;
    Ok(Run {
        wall,
        cpu,
        peak,
        rows,
    })
}
