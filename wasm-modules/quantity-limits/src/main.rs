//! Refuses containers that ask for more than the settings allow, with the arithmetic of Kubernetes' quantities.
//!
//! A WASI command: the request on standard input, the answer on standard output, no kit.

use std::io::{Read, stdin};

use serde::Deserialize;
use serde_json::{Value, json};

/// The most that one container may have, as in `500m` and `1Gi`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cpu: Option<String>,
    memory: Option<String>,
}

fn main() {
    let operation = std::env::args().nth(1).unwrap_or_default();
    let mut input = String::new();
    if stdin().read_to_string(&mut input).is_err() {
        std::process::exit(1);
    }
    let answer = match operation.as_str() {
        "validate" => validate(&input),
        "validate-settings" => validate_settings(&input),
        _ => std::process::exit(2),
    };
    println!("{answer}");
}

fn validate_settings(input: &str) -> Value {
    match serde_json::from_str::<Settings>(input) {
        Err(error) => json!({"valid": false, "message": error.to_string()}),
        Ok(settings) => match limits(&settings) {
            Err(reason) => json!({"valid": false, "message": reason}),
            Ok(_) => json!({"valid": true}),
        },
    }
}

/// The limits by the names that containers have for them.
fn limits(settings: &Settings) -> Result<Vec<(&'static str, i128, &str)>, String> {
    let mut limits = Vec::new();
    for (name, text) in [("cpu", &settings.cpu), ("memory", &settings.memory)] {
        if let Some(text) = text {
            let limit = thousandths(text).ok_or_else(|| format!("{text:?} is not a quantity"))?;
            limits.push((name, limit, text.as_str()));
        }
    }
    if limits.is_empty() {
        return Err("neither cpu nor memory is limited".to_owned());
    }
    Ok(limits)
}

fn validate(input: &str) -> Value {
    let refuse = |message: String| json!({"accepted": false, "message": message});
    let Ok(asked) = serde_json::from_str::<Value>(input) else {
        return refuse("the request is not JSON".to_owned());
    };
    let settings = asked.get("settings").cloned().unwrap_or(json!({}));
    let settings = match serde_json::from_value::<Settings>(settings) {
        Ok(settings) => settings,
        Err(error) => return refuse(error.to_string()),
    };
    let limits = match limits(&settings) {
        Ok(limits) => limits,
        Err(reason) => return refuse(reason),
    };
    let mut found = Vec::new();
    for list in ["containers", "initContainers"] {
        let containers = asked.pointer(&format!("/request/object/spec/{list}"));
        for container in containers.and_then(Value::as_array).into_iter().flatten() {
            check(container, &limits, &mut found);
        }
    }
    if found.is_empty() {
        json!({"accepted": true})
    } else {
        refuse(found.join("; "))
    }
}

fn check(container: &Value, limits: &[(&str, i128, &str)], found: &mut Vec<String>) {
    let name = container.get("name").and_then(Value::as_str).unwrap_or("");
    for (resource, most, text) in limits {
        match container.pointer(&format!("/resources/limits/{resource}")) {
            None => found.push(format!("container {name} has no limit of {resource}")),
            Some(asked) => {
                let written = asked.as_str().map_or_else(|| asked.to_string(), str::to_owned);
                match thousandths(&written) {
                    Some(asked) if asked <= *most => {}
                    Some(_) => found.push(format!("container {name} has {resource} {written}, and {text} is the most")),
                    None => found.push(format!("container {name} has {resource} {written}, which is not a quantity")),
                }
            }
        }
    }
}

/// A quantity in thousandths, rounded up, as Kubernetes rounds.
fn thousandths(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || number.len() > 20 || fraction.contains('.') {
        return None;
    }
    // Numerator and denominator of what the suffix multiplies by.
    let (by, over): (i128, i128) = match suffix {
        "" => (1_000, 1),
        "n" => (1, 1_000_000),
        "u" => (1, 1_000),
        "m" => (1, 1),
        "k" => (1_000_000, 1),
        "M" => (1_000_000_000, 1),
        "G" => (1_000_000_000_000, 1),
        "T" => (1_000_000_000_000_000, 1),
        "Ki" => (1_000 << 10, 1),
        "Mi" => (1_000 << 20, 1),
        "Gi" => (1_000 << 30, 1),
        "Ti" => (1_000 << 40, 1),
        _ => return None,
    };
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let over = over.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let scaled = digits.checked_mul(by)?;
    Some(scaled / over + i128::from(scaled % over != 0))
}
