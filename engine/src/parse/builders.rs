//! Tables of builders.

use std::sync::Arc;

use crate::ast::verify_images::extension_oid;
use crate::builders::{self, Builder, BuilderSigner, Builders};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Source;
use crate::yaml::{self, Node};

use super::fields::{Reader, one_line};

const SIGNERS: [(&str, BuilderSigner); 2] = [
    ("builder", BuilderSigner::Builder),
    ("caller", BuilderSigner::Caller),
];

/// Reads a table; an entry that could not be read is left out and said to be.
pub fn builders(source: &Arc<Source>) -> (Builders, Vec<Diagnostic>) {
    let (documents, mut diagnostics) = yaml::parse(source);
    let mut reader = Reader::new(source);
    let mut entries = Vec::new();
    for document in &documents {
        for item in reader.items(document, "table of builders") {
            entries.extend(entry(&mut reader, item));
        }
    }
    diagnostics.extend(reader.into_diagnostics());
    (Builders { entries }, diagnostics)
}

/// The table that comes along, with the entries of another behind its own.
pub fn all_builders(more: &Builders) -> Builders {
    let (mut all, diagnostics) = builders(&builders::embedded());
    debug_assert!(diagnostics.is_empty(), "{diagnostics:?}");
    all.entries.extend(more.entries.iter().cloned());
    all
}

fn entry(reader: &mut Reader<'_>, node: &Node) -> Option<Builder> {
    let mut fields = reader.fields(node, "builder")?;
    let id = fields.require(reader, "id");
    let id = id.and_then(|node| reader.text(node, "id"));
    let issuer = fields.require(reader, "issuer");
    let issuer = issuer.and_then(|node| reader.text(node, "issuer"));
    let signer = fields.require(reader, "signer");
    let signer = signer.and_then(|node| reader.choice(node, "signer", &SIGNERS));
    let level = fields.require(reader, "level");
    let level = level.and_then(|node| reader.integer(node, "level", (1, 3)));
    let mut claims = Vec::new();
    let mut complete = true;
    for (name, value) in fields.text_map(reader, "claims") {
        if let Some(oid) = extension_oid(&name.value) {
            claims.push((oid.to_owned(), value.value));
        } else {
            let name_shown = one_line(&name.value);
            let message = format!("there is no certificate extension `{name_shown}`");
            reader.error(Code::InvalidValue, name.span, message);
            complete = false;
        }
    }
    fields.finish(reader, &[]);
    let builder = Builder {
        id: id?.value,
        issuer: issuer?.value,
        signer: signer?.value,
        claims,
        level: level?.value,
    };
    complete.then_some(builder)
}
