//! Attestors: who must have signed.

use crate::ast::verify_images::{
    Attestor, AttestorIdentity, AttestorSet, Ctlog, Extension, Keyless, Rekor, SignatureHash,
    extension_names, extension_oid,
};
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::{Fields, Reader, one_line};
use super::key;
use crate::suggest;

const HASHES: [(&str, SignatureHash); 4] = [
    ("sha224", SignatureHash::Sha224),
    ("sha256", SignatureHash::Sha256),
    ("sha384", SignatureHash::Sha384),
    ("sha512", SignatureHash::Sha512),
];

/// How deep sets may be nested.
const MAX_DEPTH: usize = 8;

/// `attestors`; none if one of them could not be read.
pub(super) fn sets(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<AttestorSet>> {
    let items = reader.items(node, "attestors");
    let sets: Vec<_> = items.iter().map(|item| set(reader, item, 0)).collect();
    sets.into_iter().collect()
}

/// Fields of an entry that say who must have signed, as they were written before there were attestors.
pub(super) const DEPRECATED: [&str; 6] = [
    "key",
    "issuer",
    "subject",
    "roots",
    "additionalExtensions",
    "annotations",
];

/// The one attestor that an entry of `verifyImages` names by deprecated fields of its own: all of its sets must be satisfied,
/// and this is one more.
pub(super) fn deprecated(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<AttestorSet> {
    let span = fields.span;
    let key = key::written(fields, "key");
    let annotations = fields.text_map(reader, "annotations");
    let extensions_written = fields.peek("additionalExtensions").is_some();
    let extensions = extensions(reader, fields);
    let keyless = Keyless {
        span,
        issuer: not_empty(fields.text(reader, "issuer")),
        issuer_regexp: None,
        subject: not_empty(fields.text(reader, "subject")),
        subject_regexp: None,
        extensions: extensions?,
        roots: certificates(reader, fields, "roots")?,
    };
    let named = keyless.issuer.is_some() || keyless.subject.is_some() || keyless.roots.is_some();
    let identities = match (key, named || extensions_written) {
        (None, false) if annotations.is_empty() => return None,
        (None, true) => vec![AttestorIdentity::Keyless(keyless)],
        (Some(node), false) => key::identities(reader, node, SignatureHash::Sha256)?,
        (_, _) => {
            let message = "`key`, or `issuer` and `subject`, say who must have signed";
            reader.error(Code::InvalidValue, span, message);
            return None;
        }
    };
    let entries = identities.into_iter().map(|identity| Attestor {
        span,
        index: 0,
        identity,
        rekor: Rekor::default(),
        ctlog: Ctlog::default(),
        annotations: annotations.clone(),
        repository: None,
    });
    Some(AttestorSet {
        span,
        count: None,
        entries: entries.collect(),
    })
}

fn set(reader: &mut Reader<'_>, node: &Node, depth: usize) -> Option<AttestorSet> {
    let mut fields = reader.fields(node, "attestors")?;
    let count = fields.take("count");
    let before = reader.errors();
    let items = fields.items(reader, "entries");
    // What could not be read has been said.
    if items.is_empty() && reader.errors() == before {
        let message = "`attestors` has no `entries`";
        reader.error(Code::MissingField, node.span, message);
        fields.unless_misspelt(reader, &["entries"]);
    }
    fields.finish(reader, &[]);
    if depth > MAX_DEPTH {
        let message = format!("sets of attestors are nested more than {MAX_DEPTH} deep");
        reader.error(Code::InvalidValue, node.span, message);
        return None;
    }
    if items.is_empty() {
        return None;
    }
    let mut entries = Vec::new();
    let mut complete = true;
    for (index, item) in items.iter().enumerate() {
        match entry(reader, item, (index, depth)) {
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

/// The forms of an attestor.
const FORMS: [&str; 4] = ["keys", "keyless", "certificates", "attestor"];

/// An entry: one attestor, or one for each key.
fn entry(
    reader: &mut Reader<'_>,
    node: &Node,
    (index, depth): (usize, usize),
) -> Option<Vec<Attestor>> {
    let mut fields = reader.fields(node, "entries")?;
    let annotations = fields.text_map(reader, "annotations");
    let repository = fields.text(reader, "repository");
    let hash = fields.choice(reader, "signatureAlgorithm", &HASHES);
    let hash = hash.map(|hash| hash.value);
    let forms = FORMS.map(|name| fields.take(name));
    let written = forms.iter().flatten().count();
    if written != 1 {
        let message = "an attestor is one of `keyless`, `keys`, `certificates` and `attestor`";
        reader.error(Code::InvalidValue, node.span, message);
    }
    if written == 0 {
        fields.unless_misspelt(reader, &FORMS);
    }
    fields.finish(reader, &[]);
    if written != 1 {
        return None;
    }
    let beside = !annotations.is_empty() || repository.is_some() || hash.is_some();
    let attestor = |(identity, rekor, ctlog)| Attestor {
        span: node.span,
        index,
        identity,
        rekor,
        ctlog,
        annotations: annotations.clone(),
        repository: repository.clone(),
    };
    let read = match forms {
        [Some(keys), ..] => read_keys(reader, keys, hash)?,
        [_, Some(keyless), ..] => vec![read_keyless(reader, keyless)?],
        [_, _, Some(certificates), _] => vec![read_certificates(reader, certificates, hash)?],
        [.., nested] => {
            if beside {
                let message = "beside a nested `attestor` nothing else can be said";
                let made = reader.error(Code::InvalidValue, node.span, message);
                made.set_help("say it in the entries of the nested set");
                return None;
            }
            let set = set(reader, nested?, depth + 1)?;
            let identity = AttestorIdentity::Nested(set);
            vec![(identity, Rekor::default(), Ctlog::default())]
        }
    };
    Some(read.into_iter().map(attestor).collect())
}

/// Who, and which logs count for him.
type Read = (AttestorIdentity, Rekor, Ctlog);

/// Where keys are.
const KEYS: [&str; 3] = ["publicKeys", "secret", "kms"];

fn read_keys(
    reader: &mut Reader<'_>,
    node: &Node,
    hash: Option<SignatureHash>,
) -> Option<Vec<Read>> {
    let mut fields = reader.fields(node, "keys")?;
    let hash = inner_hash(reader, &mut fields, hash);
    let written = KEYS.map(|name| key::written(&mut fields, name));
    let (rekor, ctlog) = logs(reader, &mut fields);
    let count = written.iter().flatten().count();
    if count != 1 {
        let message = "`keys` has one of `publicKeys`, `secret` and `kms`";
        reader.error(Code::MissingField, node.span, message);
    }
    if count == 0 {
        fields.unless_misspelt(reader, &KEYS);
    }
    fields.finish(reader, &[]);
    if count != 1 {
        return None;
    }
    let identities = match written {
        [Some(node), ..] => key::identities(reader, node, hash?)?,
        [_, Some(node), _] => vec![key::secret(reader, node, hash?)?],
        [.., kms] => {
            key::refuse_service(reader, kms?);
            return None;
        }
    };
    let (rekor, ctlog) = (rekor?, ctlog?);
    let with_logs = |identity| (identity, rekor.clone(), ctlog.clone());
    Some(identities.into_iter().map(with_logs).collect())
}

/// The hash that signatures are made with; where both say something, the inner one counts.
fn inner_hash(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    outer: Option<SignatureHash>,
) -> Option<SignatureHash> {
    let inner = fields.choice(reader, "signatureAlgorithm", &HASHES);
    let hash = inner.as_ref().map(|hash| hash.value).or(outer);
    if hash == Some(SignatureHash::Sha224) {
        let span = inner.map_or(fields.span, |hash| hash.span);
        let message = "`signatureAlgorithm: sha224` is not supported";
        reader.error(Code::NotSupported, span, message);
        return None;
    }
    Some(hash.unwrap_or(SignatureHash::Sha256))
}

fn read_certificates(
    reader: &mut Reader<'_>,
    node: &Node,
    hash: Option<SignatureHash>,
) -> Option<Read> {
    let mut fields = reader.fields(node, "certificates")?;
    let hash = inner_hash(reader, &mut fields, hash);
    let (rekor, ctlog) = logs(reader, &mut fields);
    let certificates = key::read_certificates(reader, node, &mut fields, hash?);
    fields.finish(reader, &[]);
    let identity = AttestorIdentity::Certificates(certificates?);
    Some((identity, rekor?, ctlog?))
}

fn read_keyless(reader: &mut Reader<'_>, node: &Node) -> Option<Read> {
    let mut fields = reader.fields(node, "keyless")?;
    let extensions = extensions(reader, &mut fields);
    let roots = certificates(reader, &mut fields, "roots");
    let keyless = Keyless {
        span: node.span,
        issuer: not_empty(fields.text(reader, "issuer")),
        issuer_regexp: not_empty(fields.text(reader, "issuerRegExp")),
        subject: not_empty(fields.text(reader, "subject")),
        subject_regexp: not_empty(fields.text(reader, "subjectRegExp")),
        extensions: extensions?,
        roots: roots?,
    };
    let (rekor, ctlog) = logs(reader, &mut fields);
    fields.finish(reader, &[]);
    Some((AttestorIdentity::Keyless(keyless), rekor?, ctlog?))
}

/// Certificates of a field, where it says something; none if they could not be read.
#[expect(clippy::option_option, reason = "read, and there or not")]
fn certificates(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    name: &'static str,
) -> Option<Option<String>> {
    match key::written(fields, name) {
        None => Some(None),
        Some(node) => key::certificates(reader, node, name).map(Some),
    }
}

/// The empty text is Go's way to say nothing.
fn not_empty(text: Option<Spanned<String>>) -> Option<Spanned<String>> {
    text.filter(|text| !text.value.is_empty())
}

/// `additionalExtensions`; none if one could not be read.
fn extensions(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Vec<Extension>> {
    let written = fields.text_map(reader, "additionalExtensions");
    let read = written
        .into_iter()
        .map(|(name, value)| extension(reader, name, value));
    // All are read, for all that is wrong.
    let read: Vec<_> = read.collect();
    read.into_iter().collect()
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
    let timestamp_chain = certificates(reader, &mut fields, "tsaCertChain");
    let public_keys = match key::written(&mut fields, "pubkey") {
        None => Some(None),
        Some(node) => key::log_keys(reader, node).map(Some),
    };
    fields.finish(reader, &[]);
    Some(Ctlog {
        ignore_sct: ignore_sct.is_some_and(|flag| flag.value),
        public_keys: public_keys?,
        timestamp_chain: timestamp_chain?,
    })
}
