//! The same Rego by regorus, compiled by OPA in our host, and by OPA itself.

use std::fs;
use std::hint::black_box;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use regent_benches::numbers::{by_turns, rounded};
use regent_engine::limits;
use regent_engine::rego::evaluate::Document;
use regent_engine::rego::foreign::{Dialect, Foreign, Strictness, Text};
use serde_json::{Value, json};

use super::calls::{Asked, cases, request};
use super::{Args, repository};

/// The module that ships as Rego and as what OPA makes of it.
const MODULE: &str = "required-labels";

/// Whether labels are there and how they look, accepted and refused.
pub(crate) fn measure(args: &Args) -> Result<Value> {
    let text = fs::read_to_string(repository("wasm-modules/required-labels/policy.rego"))?;
    let accepted = request();
    let mut refused = request();
    let labels = refused.pointer_mut("/object/metadata/labels");
    *labels.context("the pod has labels")? = json!({"app.kubernetes.io/part-of": "shop"});
    let mut all = Vec::new();
    for (name, request, accepts) in [("accepted", accepted, true), ("refused", refused, false)] {
        let case = cases().into_iter().find(|case| case.name == MODULE);
        let case = case.context(MODULE)?;
        let asked = Asked::new(&case, &request)?;
        asked.ask(accepts)?;
        let module = Text {
            name: "policy.rego",
            text: &text,
        };
        let read = (Dialect::V1, Strictness::Strict);
        let foreign = Foreign::read(&[module], read, None);
        let foreign = foreign.map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
        let input = json!({"review": request, "parameters": case.settings});
        let budget = (0, limits::FOREIGN);
        let document = Document::from_json(&input);
        let answer = foreign.answer(&document, budget)?;
        ensure!(answer.is_some(), "regorus has no answer");
        let times = by_turns(
            args.turns,
            args.turn(),
            &mut [
                &mut || drop(black_box(asked.ask(accepts))),
                &mut || {
                    drop(black_box(
                        foreign.answer(&Document::from_json(&input), budget),
                    ));
                },
                &mut || drop(black_box(foreign.answer(&document, budget))),
            ],
        );
        let [wasm, regorus, without_input] = times[..] else {
            continue;
        };
        all.push(json!({
            "request": name,
            "wasm_us": rounded(wasm),
            "regorus_us": rounded(regorus),
            "regorus_with_the_input_at_hand_us": rounded(without_input),
            "opa_with_the_input_at_hand_us": opa(&input)?,
        }));
    }
    Ok(all.into())
}

/// `opa bench`, which parses the input once; or why it was passed over.
fn opa(input: &Value) -> Result<Value> {
    let Some(opa) = std::env::var_os("OPA") else {
        return Ok("passed over: `OPA` names no binary".into());
    };
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), input.to_string())?;
    let said = Command::new(opa)
        .args([
            "bench",
            "--format",
            "json",
            "--benchmem=false",
            "--metrics=false",
            "--data",
        ])
        .arg(repository("wasm-modules/required-labels/policy.rego"))
        .arg("--input")
        .arg(file.path())
        .arg("data.policy.violation")
        .output()?;
    let errors = String::from_utf8_lossy(&said.stderr);
    ensure!(said.status.success(), "opa bench: {errors}");
    let result: Value = serde_json::from_slice(&said.stdout)?;
    let number = |name: &str| result.get(name).and_then(Value::as_f64);
    let (count, nanoseconds) = number("N")
        .zip(number("T"))
        .context("opa bench has other figures")?;
    Ok(rounded(nanoseconds / count / 1e3))
}
