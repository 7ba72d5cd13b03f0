//! `regent wasm run`.

use anyhow::{Context as _, Result};
use regent_engine::wasm::bounds::Limits;
use regent_engine::wasm::call::{Outcome, Request, Terms};
use regent_engine::wasm::module::Module;
use regent_engine::wasm::verdict::{SettingsVerdict, Verdict};
use regent_server::clock;
use regent_server::guests::{GuestSettings, Guests};
use serde_json::{Value, json};

use crate::args::wasm::{AskArgs, RunArgs};
use crate::exit_status::ExitStatus;
use crate::io::Io;
use crate::offline::request::{kind_of, resource_of};

/// What is asked, read.
pub(super) struct Asked {
    pub(super) wasm: Vec<u8>,
    uid: String,
    request: String,
    settings: String,
}

impl Asked {
    pub(super) fn read(args: &AskArgs) -> Result<Self> {
        let request = request(super::document(&args.request)?);
        let settings = match &args.settings {
            Some(path) => super::document(path)?,
            None => json!({}),
        };
        let uid = request.get("uid").and_then(Value::as_str).unwrap_or("");
        Ok(Self {
            wasm: super::read_module(&args.module)?,
            uid: uid.to_owned(),
            request: request.to_string(),
            settings: settings.to_string(),
        })
    }

    pub(super) fn request(&self) -> Request<'_> {
        Request {
            uid: &self.uid,
            json: &self.request,
            settings: &self.settings,
        }
    }
}

/// The terms of a policy that does not say any, with what it lists.
pub(super) fn terms(capabilities: &[String]) -> Terms {
    Terms {
        limits: Limits::default(),
        capabilities: capabilities.into(),
        answers: [].into(),
        seconds: clock::environment().seconds,
    }
}

/// The request of a review, a request, or the request that creates an object.
fn request(mut document: Value) -> Value {
    if let Some(request) = document.get_mut("request") {
        return request.take();
    }
    if document.get("apiVersion").is_none() {
        return document;
    }
    let kind = kind_of(&document);
    let resource = resource_of(&kind);
    let metadata = |name: &str| document.pointer(&format!("/metadata/{name}")).cloned();
    let kind = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let resource = json!({"group": resource.group, "version": resource.version, "resource": resource.resource});
    json!({
        "uid": "00000000-0000-0000-0000-000000000000",
        "kind": kind,
        "requestKind": kind,
        "resource": resource,
        "requestResource": resource,
        "name": metadata("name").unwrap_or_else(|| "".into()),
        "namespace": metadata("namespace").unwrap_or_else(|| "".into()),
        "operation": "CREATE",
        "userInfo": {"username": "", "uid": "", "groups": [], "extra": {}},
        "dryRun": true,
        "object": document,
        "oldObject": null,
    })
}

/// Runs `regent wasm run`.
pub(super) fn run(args: &RunArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let asked = Asked::read(&args.ask)?;
    let guests = Guests::start(GuestSettings::default())?;
    let module = guests.module(&asked.wasm, args.ask.abi);
    let module = module.with_context(|| args.ask.module.display().to_string())?;
    if let Some(reason) = refused_settings(&module, &asked) {
        writeln!(io.stderr, "the settings cannot be used: {reason}")?;
        return Ok(ExitStatus::Failed);
    }
    let ran = module.validate(&asked.request(), terms(&args.capability));
    for line in &ran.log {
        writeln!(io.stderr, "module says: {line}")?;
    }
    match ran.outcome {
        Ok(Outcome::Answered(verdict)) => {
            writeln!(io.stdout, "{:#}", document(&verdict))?;
            Ok(if verdict.accepted {
                ExitStatus::Pass
            } else {
                ExitStatus::Failed
            })
        }
        Ok(Outcome::Asks(call)) => {
            let payload = String::from_utf8_lossy(&call.payload).into_owned();
            writeln!(
                io.stderr,
                "it asks for {call}, which nobody answers here: {payload:?}"
            )?;
            Ok(ExitStatus::Failed)
        }
        Err(error) => {
            writeln!(io.stderr, "{error}")?;
            Ok(ExitStatus::Failed)
        }
    }
}

fn refused_settings(module: &Module, asked: &Asked) -> Option<String> {
    match module
        .validate_settings(&asked.settings, terms(&[]))
        .outcome
    {
        Ok(Outcome::Answered(SettingsVerdict::Valid)) => None,
        Ok(Outcome::Answered(SettingsVerdict::Invalid(reason))) => Some(reason),
        Ok(Outcome::Asks(call)) => Some(format!("it asks for {call}")),
        Err(error) => Some(error.to_string()),
    }
}

fn document(verdict: &Verdict) -> Value {
    json!({
        "accepted": verdict.accepted,
        "message": verdict.message,
        "code": verdict.code,
        "mutatedObject": verdict.mutated,
        "warnings": verdict.warnings,
        "auditAnnotations": verdict.audit_annotations,
    })
}
