//! `regent wasm`: modules by themselves, without a policy.

mod ask;
mod bench;
mod inspect;
mod scaffold;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use regent_engine::wasm::bounds;
use regent_engine::wasm::metadata::{annotate, unknown_fields};
use serde_json::Value;

use crate::args::wasm::{AnnotateArgs, WasmArgs, WasmCommand};
use crate::exit_status::ExitStatus;
use crate::io::Io;
use crate::offline::documents;

/// Runs `regent wasm`.
pub fn run(args: &WasmArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    match &args.command {
        WasmCommand::Inspect(args) => inspect::run(args, io),
        WasmCommand::Run(args) => ask::run(args, io),
        WasmCommand::Bench(args) => bench::run(args, io),
        WasmCommand::Annotate(args) => write_metadata(args, io),
        WasmCommand::Scaffold(args) => scaffold::run(args, io),
    }
}

fn write_metadata(args: &AnnotateArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let wasm = read_module(&args.module)?;
    let metadata = document(&args.metadata)?;
    if !metadata.is_object() {
        bail!("`{}`: metadata is a map", args.metadata.display());
    }
    for (name, known) in unknown_fields(&metadata) {
        let known = known.map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
        writeln!(
            io.stderr,
            "warning: no tool reads the field `{name}` of metadata{known}"
        )?;
    }
    let annotated =
        annotate(&wasm, &metadata).with_context(|| args.module.display().to_string())?;
    std::fs::write(&args.output, annotated).with_context(|| args.output.display().to_string())?;
    writeln!(io.stderr, "wrote {}", args.output.display())?;
    Ok(ExitStatus::Pass)
}

/// The bytes of a module, if they are not too many.
fn read_module(path: &Path) -> Result<Vec<u8>> {
    let place = || path.display().to_string();
    let size = std::fs::metadata(path).with_context(place)?.len();
    if size > bounds::MODULE as u64 {
        bail!(
            "{}: it is {size} bytes large, and {} is the most",
            place(),
            bounds::MODULE
        );
    }
    std::fs::read(path).with_context(place)
}

/// The one document of a file.
fn document(path: &Path) -> Result<Value> {
    let read = documents::read(path).map_err(|diagnostics| {
        let messages = diagnostics.into_iter().map(|one| one.message);
        anyhow::anyhow!(messages.collect::<Vec<_>>().join("; "))
    })?;
    match read.nodes.as_slice() {
        [node] => Ok(node.to_json()),
        _ => bail!("`{}` has not one document", path.display()),
    }
}
