//! Attestors: who must have signed.

use crate::ast::verify_images::{
    Attestor, AttestorIdentity, AttestorSet, Ctlog, Extension, Keyless, Rekor, SignatureHash,
    extension_names, extension_oid,
};
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::{Fields, Reader, one_line};
use super::{key, suggest};

const HASHES: [(&str, SignatureHash); 4] = [
    ("sha224", SignatureHash::Sha224),
    ("sha256", SignatureHash::Sha256),
    ("sha384", SignatureHash::Sha384),
    ("sha512", SignatureHash::Sha512),
];

/// `attestors`; none if one of them could not be read.
pub(super) fn sets(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<AttestorSet>> {
    let items = reader.items(node, "attestors");
    let sets: Vec<_> = items.iter().map(|item| set(reader, item)).collect();
    sets.into_iter().collect()
}

fn set(reader: &mut Reader<'_>, node: &Node) -> Option<AttestorSet> {
    let mut fields = reader.fields(node, "attestors")?;
    let count = fields.take("count");
    let items = fields.items(reader, "entries");
    fields.finish(reader, &[]);
    if items.is_empty() {
        reader.error(
            Code::MissingField,
            node.span,
            "`attestors` has no `entries`",
        );
        return None;
    }
    let mut entries = Vec::new();
    let mut complete = true;
    for (index, item) in items.iter().enumerate() {
        match entry(reader, item, index) {
            Some(read) => entries.extend(read),
            None => complete = false,
        }
    }
    if !complete {
        return None;
    }
    let most = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let count = count.map(|node| reader.integer(node, "count", (0, most)));
    // A count of zero asks for all, as no count does.
    let count = count.map_or(Some(None), |read| read.map(Some))?;
    let count = count.filter(|count| count.value > 0).map(|count| {
        let value = usize::try_from(count.value).unwrap_or(usize::MAX);
        Spanned::new(value, count.span)
    });
    Some(AttestorSet {
        span: node.span,
        count,
        entries,
    })
}

/// An entry: one attestor, or one for each key.
fn entry(reader: &mut Reader<'_>, node: &Node, index: usize) -> Option<Vec<Attestor>> {
    let mut fields = reader.fields(node, "entries")?;
    let annotations = fields.text_map(reader, "annotations");
    let repository = fields.text(reader, "repository");
    let hash = fields.choice(reader, "signatureAlgorithm", &HASHES);
    let (keys, keyless) = (fields.take("keys"), fields.take("keyless"));
    let others = ["certificates", "attestor"].map(|name| fields.peek(name).is_some());
    let forms = others
        .into_iter()
        .chain([keys.is_some(), keyless.is_some()]);
    let forms = forms.filter(|there| *there).count();
    fields.finish(reader, &["certificates", "attestor"]);
    if forms != 1 {
        let message = "an attestor is one of `keyless` and `keys`";
        reader.error(Code::InvalidValue, node.span, message);
        return None;
    }
    let attestor = |identity, rekor: Rekor, ctlog| Attestor {
        span: node.span,
        index,
        identity,
        rekor,
        ctlog,
        annotations: annotations.clone(),
        repository: repository.clone(),
    };
    if let Some(node) = keyless {
        let (keyless, rekor, ctlog) = read_keyless(reader, node)?;
        return Some(vec![attestor(
            AttestorIdentity::Keyless(keyless),
            rekor,
            ctlog,
        )]);
    }
    let node = keys?;
    let mut fields = reader.fields(node, "keys")?;
    // Where both say something, the inner one counts.
    let inner = fields.choice(reader, "signatureAlgorithm", &HASHES);
    let hash = inner
        .or(hash)
        .map_or(SignatureHash::Sha256, |hash| hash.value);
    let public_keys = fields.take("publicKeys");
    let (rekor, ctlog) = logs(reader, &mut fields);
    let elsewhere = ["kms", "secret"]
        .iter()
        .any(|name| fields.peek(name).is_some());
    fields.finish(reader, &["kms", "secret"]);
    let Some(public_keys) = public_keys else {
        if !elsewhere {
            reader.error(Code::MissingField, node.span, "`keys` has no `publicKeys`");
        }
        return None;
    };
    let public_keys = key::read(reader, public_keys, hash)?;
    let (rekor, ctlog) = (rekor?, ctlog?);
    let attestors = public_keys
        .into_iter()
        .map(|key| attestor(AttestorIdentity::Key(key), rekor.clone(), ctlog.clone()));
    Some(attestors.collect())
}

fn read_keyless(reader: &mut Reader<'_>, node: &Node) -> Option<(Keyless, Rekor, Ctlog)> {
    let mut fields = reader.fields(node, "keyless")?;
    let extensions = fields.text_map(reader, "additionalExtensions");
    let extensions: Vec<_> = extensions
        .into_iter()
        .map(|(name, value)| extension(reader, name, value))
        .collect();
    let keyless = Keyless {
        span: node.span,
        issuer: not_empty(fields.text(reader, "issuer")),
        issuer_regexp: not_empty(fields.text(reader, "issuerRegExp")),
        subject: not_empty(fields.text(reader, "subject")),
        subject_regexp: not_empty(fields.text(reader, "subjectRegExp")),
        extensions: extensions.into_iter().collect::<Option<_>>()?,
    };
    let (rekor, ctlog) = logs(reader, &mut fields);
    fields.finish(reader, &["roots"]);
    Some((keyless, rekor?, ctlog?))
}

/// The empty text is Go's way to say nothing.
fn not_empty(text: Option<Spanned<String>>) -> Option<Spanned<String>> {
    text.filter(|text| !text.value.is_empty())
}

fn extension(
    reader: &mut Reader<'_>,
    name: Spanned<String>,
    value: Spanned<String>,
) -> Option<Extension> {
    if let Some(oid) = extension_oid(&name.value) {
        let oid = oid.to_owned();
        return Some(Extension { name, oid, value });
    }
    let message = format!(
        "there is no certificate extension `{}`",
        one_line(&name.value)
    );
    let nearest = suggest::nearest(&name.value, extension_names().into_keys());
    let made = reader.error(Code::InvalidValue, name.span, message);
    made.set_help(match nearest {
        Some(known) => format!("did you mean `{known}`?"),
        None => "name it as Fulcio does, or by its object identifier".to_owned(),
    });
    None
}

/// `rekor` and `ctlog`; none if they could not be read.
fn logs(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> (Option<Rekor>, Option<Ctlog>) {
    let (rekor, ctlog) = (fields.take("rekor"), fields.take("ctlog"));
    let rekor = rekor.map_or(Some(Rekor::default()), |node| read_rekor(reader, node));
    let ctlog = ctlog.map_or(Some(Ctlog::default()), |node| read_ctlog(reader, node));
    (rekor, ctlog)
}

fn read_rekor(reader: &mut Reader<'_>, node: &Node) -> Option<Rekor> {
    let mut fields = reader.fields(node, "rekor")?;
    let url = not_empty(fields.text(reader, "url"));
    let ignore_tlog = fields.flag(reader, "ignoreTlog");
    let public_key = fields
        .take("pubkey")
        .filter(|node| node.as_str() != Some(""));
    fields.finish(reader, &[]);
    let public_key = match public_key {
        None => None,
        Some(node) => {
            let mut keys = key::read(reader, node, SignatureHash::Sha256)?;
            if keys.len() > 1 {
                reader.error(Code::InvalidKey, node.span, "`pubkey` is one key");
                return None;
            }
            keys.pop()
        }
    };
    Some(Rekor {
        url,
        public_key,
        ignore_tlog: ignore_tlog.is_some_and(|flag| flag.value),
    })
}

fn read_ctlog(reader: &mut Reader<'_>, node: &Node) -> Option<Ctlog> {
    let mut fields = reader.fields(node, "ctlog")?;
    let ignore_sct = fields.flag(reader, "ignoreSCT");
    fields.finish(reader, &["pubkey", "tsaCertChain"]);
    Some(Ctlog {
        ignore_sct: ignore_sct.is_some_and(|flag| flag.value),
    })
}
