//! `regent wasm inspect`.

use anyhow::{Context as _, Result};
use regent_engine::wasm::metadata::Inspection;
use regent_engine::wasm::module::Module;
use regent_engine::wasm::runtime::digest;
use regent_server::guests::{GuestSettings, Guests};
use serde_json::{Value, json};

use crate::args::wasm::InspectArgs;
use crate::exit_status::ExitStatus;
use crate::io::Io;

/// Runs `regent wasm inspect`.
pub(super) fn run(args: &InspectArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let wasm = super::read_module(&args.module)?;
    let inspection = Inspection::of(&wasm).with_context(|| args.module.display().to_string())?;
    let guests = Guests::start(GuestSettings::default())?;
    let module = guests.module(&wasm, None);
    let said = json!({
        "size": wasm.len(),
        "digest": digest(&wasm),
        "abi": module.as_ref().map_or(Value::Null, |module| module.abi().name().into()),
        "problem": module.as_ref().err().map(ToString::to_string),
        "entryPoints": module.as_ref().map(Module::entry_points).unwrap_or_default(),
        "imports": inspection.imports.iter().map(|(module, name)| format!("{module}.{name}")).collect::<Vec<_>>(),
        "exports": inspection.exports,
        "hostCapabilities": inspection.host_capabilities(),
        "metadata": inspection.metadata,
    });
    if args.json {
        writeln!(io.stdout, "{said:#}")?;
    } else {
        show(&said, io)?;
    }
    Ok(match module {
        Ok(_) => ExitStatus::Pass,
        Err(_) => ExitStatus::Failed,
    })
}

fn show(said: &Value, io: &mut Io<'_>) -> Result<()> {
    let text = |name: &str| match said.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items = items.iter().filter_map(Value::as_str);
            items.collect::<Vec<_>>().join(", ")
        }
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    for (title, name) in [
        ("kind", "abi"),
        ("problem", "problem"),
        ("size", "size"),
        ("digest", "digest"),
        ("imports", "imports"),
        ("exports", "exports"),
        ("entry points", "entryPoints"),
        ("asks for", "hostCapabilities"),
        ("metadata", "metadata"),
    ] {
        let value = text(name);
        if !value.is_empty() {
            writeln!(io.stdout, "{title:<13} {value}")?;
        }
    }
    Ok(())
}
