//! Starting with many modules: compiled, and from the folder where compiled ones are kept.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use regent_benches::numbers::{float, median, rounded};
use regent_benches::usage;
use regent_engine::load::{Environment, load};
use regent_engine::source::Source;
use regent_server::guests::{GuestSettings, Guests};
use serde_json::{Value, json};

use super::{Args, shipped};

/// How often it is started with compiled modules.
const STARTS: usize = 7;

/// Starts a process of its own each time: first with an empty folder, then with what that left there.
pub(crate) fn measure(args: &Args) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let guard = fs::read(shipped("pod-guard"))?;
    for number in 0..args.modules {
        fs::write(
            folder.path().join(format!("{number}.wasm")),
            distinct(&guard, number)?,
        )?;
        fs::write(folder.path().join(format!("{number}.yaml")), policy(number))?;
    }
    let start = || -> Result<Value> {
        let mut command = Command::new(std::env::current_exe()?);
        let said = command.arg("--start").arg(folder.path()).output()?;
        let errors = String::from_utf8_lossy(&said.stderr);
        ensure!(said.status.success(), "{errors}");
        Ok(serde_json::from_slice(&said.stdout)?)
    };
    let compiled = start()?;
    let kept = (0..STARTS)
        .map(|_| start())
        .collect::<Result<Vec<Value>>>()?;
    let middle = |name: &str| {
        let all = kept.iter().filter_map(|one| one.get(name)?.as_f64());
        rounded(median(all.collect()).unwrap_or(f64::NAN))
    };
    Ok(json!({
        "modules": args.modules,
        "bytes_of_each": guard.len(),
        "compiled_s": compiled.get("modules_s"),
        "from_disk_s": middle("modules_s"),
        "loading_the_policies_s": middle("policies_s"),
        "memory_of_each_kib": middle("memory_of_each_kib"),
        "memory_of_each_compiled_kib": compiled.get("memory_of_each_kib"),
    }))
}

/// What the process does that is started: loads the policies, then their modules.
pub(crate) fn child(folder: &Path) -> Result<Value> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "yaml") {
            let name = path.display().to_string();
            sources.push(Source::new(&name, fs::read_to_string(&path)?));
        }
    }
    let started = Instant::now();
    let mut loaded = load(&sources, &Environment::default());
    let policies = started.elapsed();
    let before = usage::read(std::process::id())?.resident;
    let started = Instant::now();
    let guests = Guests::start(GuestSettings {
        cache: Some(folder.join("cache")),
        ..GuestSettings::default()
    })?;
    guests.prepare(&mut loaded);
    let modules = started.elapsed();
    let after = usage::read(std::process::id())?.resident;
    ensure!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let each = float(after.saturating_sub(before)) / float(sources.len().max(1) as u64);
    Ok(json!({
        "policies_s": policies.as_secs_f64(),
        "modules_s": modules.as_secs_f64(),
        "memory_of_each_kib": each,
    }))
}

/// The same module with another digest: it has a section that nobody reads.
fn distinct(wasm: &[u8], number: usize) -> Result<Vec<u8>> {
    let name = format!("number-{number}");
    let length = u8::try_from(name.len()).context("a short name")?;
    let section = [&[0, length + 1, length], name.as_bytes()].concat();
    Ok([wasm, &section].concat())
}

fn policy(number: usize) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: guard-{number}}}\nspec:\n  rules:\n  - name: asks\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      failureAction: Enforce\n      wasm:\n        module: {number}.wasm\n        settings: {{allowed_host_paths: [/var/log]}}\n"
    )
}
