//! A compiled module, and what it can be asked.

use std::fmt::{self, Formatter};

use serde_json::Value;
use wasmtime::InstancePre;

use super::abi::{opa, wapc, wasi};
use super::bounds::{self, Limits};
use super::call::{Outcome, Ran, Request, Terms};
use super::error::WasmError;
use super::guest::State;
use super::linker::Imports;
use super::metadata::{Abi, Inspection};
use super::runtime::{Runtime, digest};
use super::text::clean;
use super::verdict::{self, SettingsVerdict, Verdict, malformed};

/// A module that can be asked; a clone is cheap.
#[derive(Clone)]
pub struct Module {
    runtime: Runtime,
    compiled: wasmtime::Module,
    inspection: std::sync::Arc<Inspection>,
    digest: String,
    size: usize,
    abi: Abi,
    kind: std::sync::Arc<Kind>,
}

/// What is made of a module once, for all calls.
enum Kind {
    /// One whose imports are all known beforehand.
    Ready(InstancePre<State>),
    /// One of OPA's, which imports a memory of its own for each call.
    Opa(Box<Opa>),
}

struct Opa {
    imports: Imports,
    prepared: opa::Prepared,
    entry_point: i32,
}

impl fmt::Debug for Module {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Module");
        shown.field("digest", &self.digest).field("abi", &self.abi);
        shown.finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles a module: a second for each megabyte of it, and nothing can interrupt that.
    pub fn compile(runtime: &Runtime, wasm: &[u8], told: Option<Abi>) -> Result<Self, WasmError> {
        check_size(wasm)?;
        let inspection = Inspection::of(wasm)?;
        let compiled = wasmtime::Module::from_binary(runtime.engine(), wasm)
            .map_err(|error| WasmError::Invalid(clean(&format!("{error:#}"), 300)))?;
        Self::assemble(runtime, (wasm, inspection), compiled, told)
    }

    /// Makes a module of its compiled code, compiled just now or before.
    pub(super) fn assemble(
        runtime: &Runtime,
        (wasm, inspection): (&[u8], Inspection),
        compiled: wasmtime::Module,
        told: Option<Abi>,
    ) -> Result<Self, WasmError> {
        check_resources(&compiled)?;
        let mut abi = match told {
            Some(abi) => abi,
            None => inspection.abi()?,
        };
        check_exports(&inspection, abi)?;
        let imports = Imports::of(runtime.engine(), abi)?;
        imports.check(&compiled, abi)?;
        let kind = match abi {
            Abi::Wapc | Abi::Wasi => {
                let pre = imports.linker.instantiate_pre(&compiled);
                Kind::Ready(pre.map_err(|error| WasmError::Abi(clean(&format!("{error:#}"), 300)))?)
            }
            Abi::Opa | Abi::Gatekeeper => {
                let prepared = opa::prepare(runtime, &compiled, &imports, terms_of_loading())?;
                let is_told = told.is_some() || inspection.says_abi();
                if !is_told
                    && prepared
                        .entry_points
                        .iter()
                        .any(|(name, _)| is_violation(name))
                {
                    abi = Abi::Gatekeeper;
                }
                let entry_point = entry_point(&prepared.entry_points, abi)?;
                Kind::Opa(Box::new(Opa {
                    imports,
                    prepared,
                    entry_point,
                }))
            }
        };
        Ok(Self {
            runtime: runtime.clone(),
            compiled,
            inspection: std::sync::Arc::new(inspection),
            digest: digest(wasm),
            size: wasm.len(),
            abi,
            kind: std::sync::Arc::new(kind),
        })
    }

    /// Its digest, as `sha256:…`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The size of its bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The language that it speaks.
    pub fn abi(&self) -> Abi {
        self.abi
    }

    /// What it says of itself.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Names of its entry points, where OPA compiled it.
    pub fn entry_points(&self) -> Vec<&str> {
        match &*self.kind {
            Kind::Ready(_) => Vec::new(),
            Kind::Opa(opa) => {
                let entry_points = opa.prepared.entry_points.iter();
                entry_points.map(|(name, _)| name.as_str()).collect()
            }
        }
    }

    pub(super) fn compiled(&self) -> &wasmtime::Module {
        &self.compiled
    }

    /// What it says of a request.
    pub fn validate(&self, request: &Request<'_>, terms: Terms) -> Ran<Verdict> {
        match &*self.kind {
            Kind::Ready(pre) => {
                let payload = format!(
                    "{{\"request\":{},\"settings\":{}}}",
                    request.json, request.settings
                );
                let ran = self.ask(pre, ("validate", payload.into_bytes()), terms);
                ran.and_then(|answer| verdict::response(&answer))
            }
            Kind::Opa(opa) => {
                let (input, data) = documents(self.abi, request);
                let ran = opa::call(
                    &self.runtime,
                    (&self.compiled, &opa.imports, &opa.prepared),
                    (opa.entry_point, input.into_bytes(), data.as_bytes()),
                    terms,
                );
                let abi = self.abi;
                ran.and_then(|answer| of_result(abi, &answer, request.uid))
            }
        }
    }

    /// What it says of settings, as JSON. OPA's modules take any.
    pub fn validate_settings(&self, settings: &str, terms: Terms) -> Ran<SettingsVerdict> {
        let Kind::Ready(pre) = &*self.kind else {
            return Ran::answered(SettingsVerdict::Valid);
        };
        let operation = match self.abi {
            Abi::Wasi => "validate-settings",
            Abi::Wapc | Abi::Opa | Abi::Gatekeeper => wapc::VALIDATE_SETTINGS,
        };
        let ran = self.ask(pre, (operation, settings.as_bytes().to_vec()), terms);
        let mut ran = ran.and_then(|answer| verdict::settings(&answer));
        // Kits say so of settings that are of another shape.
        if let Err(WasmError::Guest(reason)) = ran.outcome {
            ran.outcome = Ok(Outcome::Answered(SettingsVerdict::Invalid(reason)));
        }
        ran
    }

    /// The version of the protocol that it speaks, where there are versions.
    pub fn protocol_version(&self, terms: Terms) -> Option<Ran<String>> {
        let (Kind::Ready(pre), Abi::Wapc) = (&*self.kind, self.abi) else {
            return None;
        };
        let ran = self.ask(pre, ("protocol_version", Vec::new()), terms);
        Some(ran.and_then(|answer| match verdict::json(&answer)? {
            Value::String(version) => Ok(clean(&version, 20)),
            _ => Err(malformed("the version is not a text")),
        }))
    }

    fn ask(
        &self,
        pre: &InstancePre<State>,
        asked: (&'static str, Vec<u8>),
        terms: Terms,
    ) -> Ran<Vec<u8>> {
        match self.abi {
            Abi::Wasi => wasi::call(&self.runtime, pre, asked, terms),
            Abi::Wapc | Abi::Opa | Abi::Gatekeeper => wapc::call(&self.runtime, pre, asked, terms),
        }
    }
}

impl<T> Ran<T> {
    fn answered(value: T) -> Self {
        Self {
            outcome: Ok(Outcome::Answered(value)),
            log: Vec::new(),
            memory: 0,
            fuel: None,
        }
    }

    fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, WasmError>) -> Ran<U> {
        let outcome = match self.outcome {
            Ok(Outcome::Answered(value)) => read(value).map(Outcome::Answered),
            Ok(Outcome::Asks(call)) => Ok(Outcome::Asks(call)),
            Err(error) => Err(error),
        };
        Ran {
            outcome,
            log: self.log,
            memory: self.memory,
            fuel: self.fuel,
        }
    }
}

fn check_size(wasm: &[u8]) -> Result<(), WasmError> {
    if wasm.len() <= bounds::MODULE {
        return Ok(());
    }
    Err(WasmError::TooLarge {
        what: "the module",
        size: wasm.len() as u64,
        most: bounds::MODULE as u64,
    })
}

/// What a module wants from the start must be within what any policy may allow.
fn check_resources(compiled: &wasmtime::Module) -> Result<(), WasmError> {
    let wanted = compiled.resources_required();
    let checks = [
        (
            "its memory",
            wanted
                .max_initial_memory_size
                .map(|pages| pages.saturating_mul(65_536)),
            bounds::MOST_MEMORY,
        ),
        (
            "its table",
            wanted.max_initial_table_size,
            bounds::TABLE_ELEMENTS as u64,
        ),
        (
            "the number of its tables",
            Some(u64::from(wanted.num_tables)),
            bounds::TABLES as u64,
        ),
    ];
    for (what, size, most) in checks {
        if let Some(size) = size.filter(|size| *size > most) {
            return Err(WasmError::TooLarge { what, size, most });
        }
    }
    Ok(())
}

fn check_exports(inspection: &Inspection, abi: Abi) -> Result<(), WasmError> {
    let needed: &[&str] = match abi {
        Abi::Wapc => &["memory", wapc::CALL],
        Abi::Wasi => &["memory", "_start"],
        Abi::Opa | Abi::Gatekeeper => &[
            "entrypoints",
            "builtins",
            "eval",
            "opa_malloc",
            "opa_json_parse",
            "opa_json_dump",
        ],
    };
    match needed.iter().find(|name| !inspection.gives(name)) {
        None => Ok(()),
        Some(name) => Err(WasmError::Abi(format!(
            "it is no module of kind `{}`: it has no `{name}`",
            abi.name()
        ))),
    }
}

/// What a module may do while it is asked what it has.
fn terms_of_loading() -> Terms {
    Terms {
        limits: Limits::default(),
        capabilities: [].into(),
        answers: [].into(),
        seconds: 0,
    }
}

fn is_violation(name: &str) -> bool {
    name == "violation" || name.ends_with("/violation")
}

/// The entry point that a module is asked at: the one of its kind's custom, else its only one.
fn entry_point(all: &[(String, i32)], abi: Abi) -> Result<i32, WasmError> {
    let found = match abi {
        Abi::Gatekeeper => all.iter().find(|(name, _)| is_violation(name)),
        Abi::Opa | Abi::Wapc | Abi::Wasi => all
            .iter()
            .find(|(name, _)| name == "policy/main")
            .or_else(|| all.first().filter(|_| all.len() == 1)),
    };
    found.map(|(_, number)| *number).ok_or_else(|| {
        WasmError::Abi(match abi {
            Abi::Gatekeeper => "it has no entry point `…/violation`".to_owned(),
            Abi::Opa | Abi::Wapc | Abi::Wasi => {
                "it has several entry points, and none is `policy/main`".to_owned()
            }
        })
    })
}

/// The input and the data of OPA's modules.
fn documents(abi: Abi, request: &Request<'_>) -> (String, String) {
    let Request { json, settings, .. } = request;
    match abi {
        Abi::Gatekeeper => (
            format!("{{\"parameters\":{settings},\"review\":{json}}}"),
            "{\"inventory\":{\"cluster\":{},\"namespace\":{}}}".to_owned(),
        ),
        Abi::Opa | Abi::Wapc | Abi::Wasi => {
            (format!("{{\"request\":{json}}}"), (*settings).to_owned())
        }
    }
}

/// What an entry point answered: OPA has a list of at most one result.
fn of_result(abi: Abi, answer: &[u8], uid: &str) -> Result<Verdict, WasmError> {
    let Value::Array(results) = verdict::json(answer)? else {
        return Err(malformed("the result is not a list"));
    };
    let result = match results.as_slice() {
        [Value::Object(one)] => one.get("result"),
        // An entry point that is undefined says neither yes nor no.
        [] => return Err(malformed("the entry point is undefined")),
        _ => None,
    };
    let result = result.ok_or_else(|| malformed("there is no result"))?;
    match abi {
        Abi::Gatekeeper => violations(result),
        Abi::Opa | Abi::Wapc | Abi::Wasi => review(result, uid),
    }
}

/// Gatekeeper's list of violations: none at all is an acceptance, and one that cannot be read is an error.
fn violations(result: &Value) -> Result<Verdict, WasmError> {
    let Value::Array(violations) = result else {
        return Err(malformed("the violations are not a list"));
    };
    let mut messages = Vec::new();
    for violation in violations {
        match violation.get("msg") {
            Some(Value::String(message)) => messages.push(message.as_str()),
            _ => return Err(malformed("a violation has no text `msg`")),
        }
    }
    let message = clean(&messages.join("; "), bounds::ANSWER_TEXT);
    Ok(Verdict::plain(violations.is_empty(), Some(message)))
}

/// An admission review, or its response alone.
fn review(result: &Value, uid: &str) -> Result<Verdict, WasmError> {
    let response = result.get("response").unwrap_or(result);
    let Some(Value::Bool(allowed)) = response.get("allowed") else {
        return Err(malformed("`allowed` is not a boolean"));
    };
    match response.get("uid") {
        None | Some(Value::Null) => {}
        Some(Value::String(said)) if said == uid || said.is_empty() => {}
        Some(_) => {
            return Err(malformed(
                "it answers another request: `uid` is not this one's",
            ));
        }
    }
    if response.get("patch").is_some_and(|patch| !patch.is_null()) {
        return Err(malformed(
            "it has a patch, which OPA's modules may not make here",
        ));
    }
    let status = response.get("status");
    let message = match status.and_then(|status| status.get("message")) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(clean(text, bounds::ANSWER_TEXT)),
        Some(_) => return Err(malformed("`status.message` is not a text")),
    };
    Ok(Verdict {
        warnings: verdict::warnings(response.get("warnings"))?,
        ..Verdict::plain(*allowed, message)
    })
}
