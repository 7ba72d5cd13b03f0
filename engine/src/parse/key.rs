//! Public keys and certificates in PEM.

use crate::ast::verify_images::{
    AttestorIdentity, Certificates, KeyPlace, PublicKey, RemoteKey, SignatureHash,
};
use crate::diagnostic::Code;
use crate::image::pem::{self, CertificateBlock, KeyBlock};
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::{Fields, Reader};

/// The scheme of a key in a secret of the cluster.
const SECRET_SCHEME: &str = "k8s://";

/// Who `publicKeys` names: the holder of each key, or of the one in a secret; none if it could not be read.
pub(super) fn identities(
    reader: &mut Reader<'_>,
    node: &Node,
    hash: SignatureHash,
) -> Option<Vec<AttestorIdentity>> {
    let text = reader.text(node, "publicKeys")?.value;
    let Some(place) = text.trim().strip_prefix(SECRET_SCHEME) else {
        let keys = read(reader, node, hash)?;
        return Some(keys.into_iter().map(AttestorIdentity::Key).collect());
    };
    match place.split_once('/') {
        Some((namespace, name)) if is_name(namespace) && is_name(name) => {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            Some(vec![remote(
                node,
                KeyPlace::Secret { namespace, name },
                hash,
            )])
        }
        _ => {
            let message = "a key in a secret is `k8s://NAMESPACE/NAME`";
            reader.error(Code::InvalidKey, node.span, message);
            None
        }
    }
}

/// Who `secret` names; none if it could not be read.
pub(super) fn secret(
    reader: &mut Reader<'_>,
    node: &Node,
    hash: SignatureHash,
) -> Option<AttestorIdentity> {
    let mut fields = reader.fields(node, "secret")?;
    let (name, namespace) = (
        fields.text(reader, "name"),
        fields.text(reader, "namespace"),
    );
    fields.finish(reader, &[]);
    let is_named =
        |text: &Option<Spanned<String>>| text.as_ref().is_some_and(|text| is_name(&text.value));
    if !is_named(&name) || !is_named(&namespace) {
        let message = "`secret` needs the `name` and the `namespace` of a secret";
        reader.error(Code::InvalidKey, node.span, message);
        return None;
    }
    let place = KeyPlace::Secret {
        namespace: namespace?.value,
        name: name?.value,
    };
    Some(remote(node, place, hash))
}

fn remote(node: &Node, place: KeyPlace, hash: SignatureHash) -> AttestorIdentity {
    AttestorIdentity::RemoteKey(RemoteKey {
        span: node.span,
        place,
        hash,
    })
}

/// Whether a text can be the name of a secret or a namespace.
fn is_name(text: &str) -> bool {
    let may =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    !text.is_empty() && text.len() <= 253 && text.bytes().all(may)
}

/// Says that a key management service is not asked.
pub(super) fn refuse_service(reader: &mut Reader<'_>, node: &Node) {
    let message = "a key in a key management service is not supported";
    reader
        .error(Code::NotSupported, node.span, message)
        .set_help(
            "write the public key into `publicKeys`: `cosign public-key --key URI` prints it",
        );
}

/// The keys of a text, at least one; none if one could not be read.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    hash: SignatureHash,
) -> Option<Vec<PublicKey>> {
    let text = reader.text(node, "publicKeys")?.value;
    let trimmed = text.trim();
    if trimmed.contains("{{") {
        let message = "a variable in a key is not supported";
        reader.error(Code::NotSupported, node.span, message);
        return None;
    }
    if trimmed.contains("://") {
        refuse_service(reader, node);
        return None;
    }
    match pem::public_keys(trimmed) {
        Ok(blocks) => {
            let keys = blocks
                .into_iter()
                .map(|block| public_key(node, block, hash));
            Some(keys.collect())
        }
        Err(reason) => {
            let message = format!("the key cannot be read: {reason}");
            reader
                .error(Code::InvalidKey, node.span, message)
                .set_help("a key is PEM that begins with `-----BEGIN PUBLIC KEY-----`");
            None
        }
    }
}

fn public_key(node: &Node, block: KeyBlock, hash: SignatureHash) -> PublicKey {
    PublicKey {
        span: node.span,
        pem: block.pem,
        spki_sha256: block.spki_sha256,
        hash,
        certificate: None,
    }
}

/// `cert` and `certChain` of `certificates`; none if one could not be read.
///
/// A certificate alone counts as its key. With a chain the key counts only while the certificate is valid under it, and a
/// chain alone stands for all certificates that it vouches for.
pub(super) fn read_certificates(
    reader: &mut Reader<'_>,
    node: &Node,
    fields: &mut Fields<'_>,
    hash: SignatureHash,
) -> Option<Certificates> {
    let (cert, chain) = (written(fields, "cert"), written(fields, "certChain"));
    if cert.is_none() && chain.is_none() {
        let message = "`certificates` has neither `cert` nor `certChain`";
        reader.error(Code::MissingField, node.span, message);
        return None;
    }
    let authorities = match chain {
        None => None,
        Some(node) => Some(certificates(reader, node, "certChain")?),
    };
    let mut certificate = None;
    let key = match cert {
        None => None,
        Some(node) => {
            let mut blocks = read_blocks(reader, node, "cert")?;
            if blocks.len() > 1 {
                reader.error(Code::InvalidKey, node.span, "`cert` is one certificate");
                return None;
            }
            let block = blocks.pop()?;
            let mut key = public_key(node, block.key, hash);
            certificate = Some(block.pem.clone());
            key.certificate = authorities.is_some().then_some(block.pem);
            Some(key)
        }
    };
    Some(Certificates {
        span: node.span,
        key,
        certificate,
        authorities,
    })
}

/// A field that says something: the empty text is Go's way to say nothing.
pub(super) fn written<'n>(fields: &mut Fields<'n>, name: &'static str) -> Option<&'n Node> {
    let node = fields.take(name)?;
    (node.as_str() != Some("")).then_some(node)
}

/// Certificates as PEM, one after the other; none if one could not be read.
pub(super) fn certificates(
    reader: &mut Reader<'_>,
    node: &Node,
    name: &'static str,
) -> Option<String> {
    let blocks = read_blocks(reader, node, name)?;
    Some(blocks.into_iter().map(|block| block.pem).collect())
}

/// Public keys as PEM, one after the other; none if one could not be read.
pub(super) fn log_keys(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let keys = read(reader, node, SignatureHash::Sha256)?;
    Some(keys.into_iter().map(|key| key.pem).collect())
}

fn read_blocks(
    reader: &mut Reader<'_>,
    node: &Node,
    name: &'static str,
) -> Option<Vec<CertificateBlock>> {
    let text = reader.text(node, name)?.value;
    if text.contains("{{") {
        let message = format!("a variable in `{name}` is not supported");
        reader.error(Code::NotSupported, node.span, message);
        return None;
    }
    match pem::certificates(text.trim()) {
        Ok(blocks) => Some(blocks),
        Err(reason) => {
            let message = format!("`{name}` cannot be read: {reason}");
            reader
                .error(Code::InvalidKey, node.span, message)
                .set_help("a certificate is PEM that begins with `-----BEGIN CERTIFICATE-----`");
            None
        }
    }
}
