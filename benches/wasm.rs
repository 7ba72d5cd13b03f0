//! Guest modules: what a call takes beside the guest's own work, starting with many, memory, the same Rego elsewhere, and
//! what a module that runs away does to others.
//!
//! The guest's own work is measured in a bare host that has an instance at hand: what it does not do (an instance of its
//! own for each call, limits, checked answers) is the part over it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use regent_benches::machine;
use serde_json::{Value, json};

#[path = "wasm/calls.rs"]
mod calls;
#[path = "wasm/floor.rs"]
mod floor;
#[path = "wasm/rego.rs"]
mod rego;
#[path = "wasm/runaway.rs"]
mod runaway;
#[path = "wasm/start.rs"]
mod start;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures guest modules, and prints one JSON document
#[derive(Debug, Parser)]
struct Args {
    /// Calls of each module of which the percentiles are
    #[arg(long, default_value_t = 5_000)]
    calls: usize,
    /// Turns of each job whose processor time is measured
    #[arg(long, default_value_t = 15)]
    turns: usize,
    /// Milliseconds of a turn
    #[arg(long, default_value_t = 60)]
    turn: u64,
    /// Evaluations after which memory is looked at
    #[arg(long, default_value_t = 10_000)]
    evaluations: usize,
    /// Modules to start with
    #[arg(long, default_value_t = 50)]
    modules: usize,
    /// Rounds with a module that runs away, and as many without
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    /// Seconds of such a round
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Requests a second of the others meanwhile
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Requests a second that run away
    #[arg(long, default_value_t = 50.0)]
    runaway_rate: f64,
    /// Only sections whose name holds this: calls, start, flat, rego, runaway
    #[arg(long, default_value = "")]
    section: String,
    /// The binary [default: the one that was built in the same profile]
    #[arg(long, value_name = "FILE")]
    regent: Option<PathBuf>,
    /// Starts with the policies of a folder, and says what that took: how this program measures it
    #[arg(long, hide = true, value_name = "DIR")]
    start: Option<PathBuf>,
    /// Cargo's own flag
    #[arg(long, hide = true)]
    bench: bool,
}

/// What measures a section.
type Measure = fn(&Args) -> Result<Value>;

impl Args {
    fn wants(&self, section: &str) -> bool {
        section.contains(&self.section)
    }

    fn turn(&self) -> Duration {
        Duration::from_millis(self.turn)
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(folder) = &args.start {
        return print(&start::child(folder)?);
    }
    let mut document = json!({
        "machine": machine::describe(),
        "request_bytes": calls::request().to_string().len(),
    });
    let sections: [(&str, Measure); 5] = [
        ("calls", calls::measure),
        ("start", start::measure),
        ("flat", calls::flat),
        ("rego", rego::measure),
        ("runaway", runaway::measure),
    ];
    for (name, measure) in sections {
        if let Some(fields) = document.as_object_mut().filter(|_| args.wants(name)) {
            fields.insert(name.to_owned(), measure(&args)?);
        }
    }
    print(&document)
}

fn print(document: &Value) -> Result<()> {
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(())
}

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A module that ships.
fn shipped(name: &str) -> PathBuf {
    repository(&format!("wasm-modules/{name}/{name}.wasm"))
}
