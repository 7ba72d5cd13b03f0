//! What a module says of itself: Kubewarden's metadata section, its imports and its exports.

use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::suggest::nearest;

use super::bounds;
use super::error::WasmError;

/// The custom section that Kubewarden's tools write.
pub const SECTION: &str = "io.kubewarden.metadata";

/// The language that a module and its host speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Abi {
    /// Kubewarden's, over waPC.
    Wapc,
    /// A WASI command: the request on its standard input, the answer on its standard output.
    Wasi,
    /// A module that OPA compiled, which answers with an admission review.
    Opa,
    /// A module that OPA compiled, with Gatekeeper's input and its list of violations.
    Gatekeeper,
}

/// All of them, by the names that policies have for them.
pub const ABIS: [(&str, Abi); 4] = [
    ("kubewarden", Abi::Wapc),
    ("wasi", Abi::Wasi),
    ("opa", Abi::Opa),
    ("gatekeeper", Abi::Gatekeeper),
];

impl Abi {
    /// The name that policies have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wapc => "kubewarden",
            Self::Wasi => "wasi",
            Self::Opa => "opa",
            Self::Gatekeeper => "gatekeeper",
        }
    }
}

/// What a module's bytes say.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Functions, memories and the like that it asks for, as module and name.
    pub imports: Vec<(String, String)>,
    /// Names that it gives.
    pub exports: Vec<String>,
    /// Its metadata, where it has some.
    pub metadata: Option<Value>,
    /// The bytes of that, until they are read.
    unread: Option<Vec<u8>>,
}

impl Inspection {
    /// Reads a module's sections, not its code.
    pub fn of(wasm: &[u8]) -> Result<Self, WasmError> {
        let invalid = |error: wasmparser::BinaryReaderError| {
            WasmError::Invalid(super::text::clean(&error.to_string(), 200))
        };
        let mut found = Self {
            imports: Vec::new(),
            exports: Vec::new(),
            metadata: None,
            unread: None,
        };
        for payload in Parser::new(0).parse_all(wasm) {
            found.take(payload.map_err(invalid)?).map_err(invalid)?;
            if let Some(bytes) = found.unread.take() {
                found.metadata = Some(metadata(&bytes)?);
            }
        }
        Ok(found)
    }

    /// Keeps what is to be known of a section.
    fn take(&mut self, payload: Payload<'_>) -> Result<(), wasmparser::BinaryReaderError> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let name = (import.module.to_owned(), import.name.to_owned());
                    self.imports.push(name);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.exports.push(export?.name.to_owned());
                }
            }
            Payload::CustomSection(section) if section.name() == SECTION => {
                self.unread = Some(section.data().to_vec());
            }
            _ => {}
        }
        Ok(())
    }

    /// Which language it speaks: by its metadata, else by what it gives.
    pub fn abi(&self) -> Result<Abi, WasmError> {
        let mode = self
            .metadata
            .as_ref()
            .and_then(|all| all.get("executionMode"));
        match mode.and_then(Value::as_str) {
            Some("kubewarden-wapc") => return Ok(Abi::Wapc),
            Some("wasi") => return Ok(Abi::Wasi),
            Some("opa") => return Ok(Abi::Opa),
            Some("gatekeeper") => return Ok(Abi::Gatekeeper),
            Some(other) => {
                let other = super::text::clean(other, 80);
                return Err(WasmError::Abi(format!(
                    "its metadata names the unknown execution mode `{other}`"
                )));
            }
            None => {}
        }
        if self.gives("__guest_call") {
            Ok(Abi::Wapc)
        } else if self.gives("entrypoints") && self.gives("opa_eval_ctx_new") {
            // Which of the two is seen by its entry points.
            Ok(Abi::Opa)
        } else if self.gives("_start") {
            Ok(Abi::Wasi)
        } else {
            Err(WasmError::Abi(
                "it is none of the kinds that are known: it has neither `__guest_call`, nor `entrypoints`, nor `_start`"
                    .to_owned(),
            ))
        }
    }

    /// Whether its kind is told by its metadata.
    pub fn says_abi(&self) -> bool {
        let mode = self
            .metadata
            .as_ref()
            .and_then(|all| all.get("executionMode"));
        mode.is_some_and(Value::is_string)
    }

    /// Whether it has an export.
    pub fn gives(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    /// What it says it asks for, by `hostCapabilities` of its metadata.
    pub fn host_capabilities(&self) -> Vec<String> {
        let said = self
            .metadata
            .as_ref()
            .and_then(|all| all.get("hostCapabilities"));
        let items = said
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        items
            .iter()
            .filter_map(|item| item.as_str().map(|text| super::text::clean(text, 80)))
            .collect()
    }
}

/// The fields that Kubewarden's tools know.
const FIELDS: [&str; 10] = [
    "protocolVersion",
    "rules",
    "mutating",
    "backgroundAudit",
    "executionMode",
    "policyType",
    "contextAwareResources",
    "minimumKubewardenVersion",
    "hostCapabilities",
    "annotations",
];

/// Fields of metadata that nobody reads, each with the known one that it is nearest to.
pub fn unknown_fields(metadata: &Value) -> Vec<(String, Option<&'static str>)> {
    let written = metadata.as_object().into_iter().flatten();
    let unknown = written.filter(|(name, _)| !FIELDS.contains(&name.as_str()));
    unknown
        .map(|(name, _)| (super::text::clean(name, 80), nearest(name, FIELDS)))
        .collect()
}

fn metadata(bytes: &[u8]) -> Result<Value, WasmError> {
    if bytes.len() > bounds::METADATA {
        return Err(WasmError::TooLarge {
            what: "its metadata",
            size: bytes.len() as u64,
            most: bounds::METADATA as u64,
        });
    }
    serde_json::from_slice(bytes)
        .map_err(|error| WasmError::Invalid(format!("its metadata is not JSON: {error}")))
}

/// The module with metadata instead of what it has: the section is put behind all others.
pub fn annotate(wasm: &[u8], metadata: &Value) -> Result<Vec<u8>, WasmError> {
    // Read once, so that what is not a module is not made longer.
    Inspection::of(wasm)?;
    let mut annotated = without_metadata(wasm)?;
    let content = metadata.to_string();
    let mut section = Vec::new();
    leb(SECTION.len(), &mut section);
    section.extend_from_slice(SECTION.as_bytes());
    section.extend_from_slice(content.as_bytes());
    annotated.push(0);
    leb(section.len(), &mut annotated);
    annotated.extend_from_slice(&section);
    Ok(annotated)
}

fn without_metadata(wasm: &[u8]) -> Result<Vec<u8>, WasmError> {
    let invalid = |error: wasmparser::BinaryReaderError| WasmError::Invalid(error.to_string());
    let mut kept = Vec::with_capacity(wasm.len());
    let mut from = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CustomSection(section) = payload.map_err(invalid)?
            && section.name() == SECTION
        {
            // The section's id and length stand before its range.
            let content = section.range();
            let length = content.end - content.start;
            let mut head = vec![0];
            leb(length, &mut head);
            let start = content.start.saturating_sub(head.len());
            if wasm.get(start..content.start) != Some(head.as_slice()) {
                return Err(WasmError::Invalid(
                    "its metadata section cannot be replaced".to_owned(),
                ));
            }
            kept.extend_from_slice(wasm.get(from..start).unwrap_or(&[]));
            from = content.end;
        }
    }
    kept.extend_from_slice(wasm.get(from..).unwrap_or(&[]));
    Ok(kept)
}

/// A number as WebAssembly has it.
fn leb(mut number: usize, bytes: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}
