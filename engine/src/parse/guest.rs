//! `wasm`: which module, and what it may do.

use crate::ast::guest::Guest;
use crate::ast::module_verify::in_registry;
use crate::diagnostic::Code;
use crate::duration::Duration;
use crate::quantity::{Format, Quantity};
use crate::source::Spanned;
use crate::wasm::bounds;
use crate::wasm::call::CAPABILITIES;
use crate::wasm::metadata::{ABIS, Abi};
use crate::wildcard;
use crate::yaml::{Node, Value};

use super::fields::{Fields, Reader, one_line};
use super::module_verify;

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Guest> {
    let mut fields = reader.fields(node, "wasm")?;
    let demands = fields.refuse_empty(reader, &["digest", "verify"]);
    let module = fields.require(reader, "module");
    let module = module.and_then(|node| reader.text(node, "module"));
    let digest = fields.text(reader, "digest");
    let digest = digest.map_or(Some(None), |text| read_digest(reader, text).map(Some));
    let verify = fields.take("verify");
    let verify = verify.map_or(Some(None), |node| {
        let module = module.as_ref()?;
        module_verify::read(reader, node, Some(module)).map(Some)
    });
    let abi = fields.take("abi");
    let abi = abi.map_or(Some(None), |node| read_abi(reader, node));
    let settings = fields.take("settings");
    let timeout = timeout(reader, &mut fields);
    let memory = memory(reader, &mut fields);
    let capabilities = fields.texts(reader, "capabilities");
    let known = check_capabilities(reader, &capabilities);
    fields.finish(reader, &[]);
    let module = module.filter(|_| demands)?;
    let digest = digest?;
    check_module(reader, &module, digest.as_ref())?;
    Some(Guest {
        span: node.span,
        module,
        digest,
        verify: verify?,
        abi: abi?,
        settings: match settings {
            None => serde_json::json!({}),
            Some(node) => read_settings(reader, node)?,
        },
        settings_span: settings.map_or(node.span, |node| node.span),
        timeout: timeout?,
        memory: memory?,
        capabilities: known.then_some(capabilities)?,
        kubewarden: None,
    })
}

pub(super) fn read_digest(
    reader: &mut Reader<'_>,
    text: Spanned<String>,
) -> Option<Spanned<String>> {
    if is_digest(&text.value) {
        return Some(text);
    }
    let message = "`digest` is `sha256:` and 64 digits in hexadecimal, in lower case";
    reader.error(Code::InvalidValue, text.span, message);
    None
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        let mut all = digits.bytes();
        digits.len() == 64 && all.all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A module that comes over a network is the one that was meant, or none.
pub(super) fn check_module(
    reader: &mut Reader<'_>,
    module: &Spanned<String>,
    digest: Option<&Spanned<String>>,
) -> Option<()> {
    let text = module.value.as_str();
    if text.starts_with("http://") || text.starts_with("https://") {
        let message = "a module from a web server is not supported";
        let made = reader.error(Code::NotSupported, module.span, message);
        made.set_help("put it into a registry, or into a file beside the policy");
        return None;
    }
    let pinned = in_registry(text).is_none_or(|reference| {
        let of_reference = reference
            .split_once('@')
            .is_some_and(|(_, digest)| is_digest(digest));
        of_reference || digest.is_some()
    });
    if text.is_empty() || !pinned {
        let message = "a module in a registry is named with its digest";
        let made = reader.error(Code::InvalidValue, module.span, message);
        // Only policies of Kubewarden write it so, and they have no `digest`.
        made.set_help(if text.starts_with("registry://") {
            "write `registry://HOST/PATH@sha256:…`: a tag may move"
        } else {
            "write `oci://HOST/PATH@sha256:…`, or add `digest`: a tag may move"
        });
        return None;
    }
    Some(())
}

/// The kind, or that the module is to say.
#[expect(
    clippy::option_option,
    reason = "what could not be read is told from what is not said"
)]
fn read_abi(reader: &mut Reader<'_>, node: &Node) -> Option<Option<Spanned<Abi>>> {
    let known = ABIS.map(|(name, abi)| (name, Some(abi)));
    let words = [&known[..], &[("auto", None)]].concat();
    let abi = reader.choice(node, "abi", &words)?;
    Some(abi.value.map(|value| Spanned::new(value, abi.span)))
}

#[expect(
    clippy::option_option,
    reason = "what could not be read is told from what is not said"
)]
fn timeout(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
) -> Option<Option<std::time::Duration>> {
    let Some(node) = fields.take("timeout") else {
        return Some(None);
    };
    let text = reader.text(node, "timeout")?;
    let duration = Duration::read(&text.value).and_then(|duration| u64::try_from(duration.0).ok());
    let duration = duration.map(std::time::Duration::from_nanos);
    let most = bounds::MOST_TIMEOUT;
    let fits = duration.filter(|duration| (bounds::TICK..=most).contains(duration));
    if fits.is_none() {
        let least = bounds::TICK.as_millis();
        let most = most.as_secs();
        let message = format!("`timeout` is between {least}ms and {most}s, as in `500ms`");
        reader.error(Code::InvalidValue, text.span, message);
    }
    fits.map(Some)
}

#[expect(
    clippy::option_option,
    reason = "what could not be read is told from what is not said"
)]
fn memory(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Option<u64>> {
    let Some(node) = fields.take("memory") else {
        return Some(None);
    };
    let text = reader.text(node, "memory")?;
    let bytes = |bytes: u64| {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        Quantity::from_integer(bytes, Format::BinarySi)
    };
    let (least, most) = (bytes(1 << 20), bytes(bounds::MOST_MEMORY));
    let written = Quantity::parse(&text.value).filter(|one| *one >= least && *one <= most);
    // The whole bytes of it, bit by bit: 512 MiB have thirty.
    let found = written.map(|written| {
        (0..30).rev().fold(0_u64, |sum, bit| {
            let more = sum | 1 << bit;
            if bytes(more) <= written { more } else { sum }
        })
    });
    if found.is_none() {
        let message = "`memory` is between 1Mi and 512Mi";
        reader.error(Code::InvalidValue, text.span, message);
    }
    found.map(Some)
}

/// Each must be able to allow something.
fn check_capabilities(reader: &mut Reader<'_>, written: &[Spanned<String>]) -> bool {
    let mut all_known = true;
    for pattern in written {
        let mut names = CAPABILITIES.iter();
        if names.any(|name| wildcard::matches(&pattern.value, name)) {
            continue;
        }
        all_known = false;
        let message = format!("no capability is `{}`", one_line(&pattern.value));
        let made = reader.error(Code::InvalidValue, pattern.span, message);
        made.set_help(format!("there are `{}`", CAPABILITIES.join("`, `")));
    }
    all_known
}

pub(super) fn read_settings(reader: &mut Reader<'_>, node: &Node) -> Option<serde_json::Value> {
    if !matches!(node.value, Value::Map(_)) {
        let message = "`settings` must be a map";
        reader.error(Code::InvalidValue, node.span, message);
        return None;
    }
    Some(json(node))
}

/// A value as JSON has it.
pub(super) fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => serde_json::Value::Number(number.clone()),
        Value::String(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let fields = entries
                .iter()
                .map(|entry| (entry.key.clone(), json(&entry.value)));
            serde_json::Value::Object(fields.collect())
        }
    }
}
