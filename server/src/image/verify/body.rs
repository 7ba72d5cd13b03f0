//! Bodies of log entries: each must be of this signature, this content and this signer, or it proves nothing about them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::SectionKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::item::{Content, base64, pem};
use super::refusal::{Refusal, one_line};
use crate::image::trust::{Hash, Key, Message};

/// What an entry must be of.
pub(super) struct Bound<'a> {
    /// What was signed.
    pub(super) content: &'a Content<'a>,
    /// The message that the signature covers.
    pub(super) message: Message<'a>,
    /// The signature.
    pub(super) signature: &'a [u8],
    /// Who signed.
    pub(super) signer: Signer<'a>,
}

/// Who signed, as entries name him.
#[derive(Clone, Copy)]
pub(super) enum Signer<'a> {
    /// The holder of this certificate, in DER.
    Certificate(&'a [u8]),
    /// The holder of this key.
    Key(&'a Key),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    api_version: String,
    kind: String,
    spec: Value,
}

#[derive(Deserialize)]
struct NamedHash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
struct DataHash {
    hash: NamedHash,
}

#[derive(Deserialize)]
struct Encoded {
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedRekordSignature {
    content: String,
    public_key: Encoded,
}

#[derive(Deserialize)]
struct HashedRekord1 {
    data: DataHash,
    signature: HashedRekordSignature,
}

#[derive(Deserialize)]
struct Digest {
    algorithm: String,
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    #[serde(default)]
    x509_certificate: Option<RawBytes>,
    #[serde(default)]
    public_key: Option<RawBytes>,
}

#[derive(Deserialize)]
struct Signature2 {
    content: String,
    verifier: Verifier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedRekord2 {
    hashed_rekord_v002: HashedRekord2Inner,
}

#[derive(Deserialize)]
struct HashedRekord2Inner {
    data: Digest,
    signature: Signature2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse1 {
    payload_hash: NamedHash,
    signatures: Vec<Dsse1Signature>,
}

#[derive(Deserialize)]
struct Dsse1Signature {
    signature: String,
    verifier: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse2 {
    dsse_v002: Dsse2Inner,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse2Inner {
    payload_hash: Digest,
    signatures: Vec<Signature2>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intoto1 {
    content: Intoto1Content,
    public_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intoto1Content {
    hash: NamedHash,
    #[serde(default)]
    payload_hash: Option<NamedHash>,
}

#[derive(Deserialize)]
struct Intoto2 {
    content: Intoto2Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intoto2Content {
    envelope: Intoto2Envelope,
    payload_hash: NamedHash,
}

#[derive(Deserialize)]
struct Intoto2Envelope {
    signatures: Vec<Intoto2Signature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intoto2Signature {
    sig: String,
    public_key: String,
}

/// Checks that `body` is of what was signed, and returns its kind and version.
pub(super) fn check(body: &[u8], said: Option<&str>, bound: &Bound<'_>) -> Result<String, Refusal> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| Refusal::malformed("log entry's body", &error))?;
    let kind = format!("{} {}", body.kind, body.api_version);
    if let Some(said) = said
        && said != kind
    {
        return Err(Refusal::EntryKindDiffers {
            said: one_line(said),
            body: one_line(&kind),
        });
    }
    match kind.as_str() {
        "hashedrekord 0.0.1" => bound.hashedrekord1(&spec(body.spec)?),
        "hashedrekord 0.0.2" => bound.hashedrekord2(&spec(body.spec)?),
        "dsse 0.0.1" => bound.dsse1(&spec(body.spec)?),
        "dsse 0.0.2" => bound.dsse2(&spec(body.spec)?),
        "intoto 0.0.1" => bound.intoto1(&spec(body.spec)?),
        "intoto 0.0.2" => bound.intoto2(&spec(body.spec)?),
        other => Err(Refusal::EntryKind(one_line(other))),
    }?;
    Ok(kind)
}

fn spec<T: DeserializeOwned>(spec: Value) -> Result<T, Refusal> {
    serde_json::from_value(spec).map_err(|error| Refusal::malformed("log entry's body", &error))
}

impl Bound<'_> {
    fn hashedrekord1(&self, spec: &HashedRekord1) -> Result<(), Refusal> {
        self.message_hash(&spec.data.hash.algorithm, &hexadecimal(&spec.data.hash)?)?;
        self.signature(&base64("log entry's signature", &spec.signature.content)?)?;
        self.pem_signer(&spec.signature.public_key.content)
    }

    fn hashedrekord2(&self, spec: &HashedRekord2) -> Result<(), Refusal> {
        let spec = &spec.hashed_rekord_v002;
        let digest = base64("log entry's digest", &spec.data.digest)?;
        self.message_hash(&spec.data.algorithm, &digest)?;
        self.signature2(&spec.signature)
    }

    fn dsse1(&self, spec: &Dsse1) -> Result<(), Refusal> {
        // The envelope's own hash is not compared: white space in it means nothing, and its parts are all compared here.
        self.payload_hash(
            &spec.payload_hash.algorithm,
            &hexadecimal(&spec.payload_hash)?,
        )?;
        let [signature] = spec.signatures.as_slice() else {
            return Err(Refusal::EntryDiffers("number of signatures"));
        };
        self.signature(&base64("log entry's signature", &signature.signature)?)?;
        self.pem_signer(&signature.verifier)
    }

    fn dsse2(&self, spec: &Dsse2) -> Result<(), Refusal> {
        let spec = &spec.dsse_v002;
        let digest = base64("log entry's digest", &spec.payload_hash.digest)?;
        self.payload_hash(&spec.payload_hash.algorithm, &digest)?;
        let [signature] = spec.signatures.as_slice() else {
            return Err(Refusal::EntryDiffers("number of signatures"));
        };
        self.signature2(signature)
    }

    fn intoto1(&self, spec: &Intoto1) -> Result<(), Refusal> {
        // This kind has no signature in it: only the hash of the whole envelope binds it.
        let Content::Envelope(_, Some(bytes)) = self.content else {
            return Err(Refusal::EntryUnbound(
                "the envelope's own bytes are not known",
            ));
        };
        let hash = &spec.content.hash;
        if !hash_is(&hash.algorithm, &hexadecimal(hash)?, bytes)? {
            return Err(Refusal::EntryDiffers("envelope"));
        }
        if let Some(hash) = &spec.content.payload_hash {
            self.payload_hash(&hash.algorithm, &hexadecimal(hash)?)?;
        }
        self.pem_signer(&spec.public_key)
    }

    fn intoto2(&self, spec: &Intoto2) -> Result<(), Refusal> {
        let content = &spec.content;
        self.payload_hash(
            &content.payload_hash.algorithm,
            &hexadecimal(&content.payload_hash)?,
        )?;
        let [signature] = content.envelope.signatures.as_slice() else {
            return Err(Refusal::EntryDiffers("number of signatures"));
        };
        // Rekor wraps the signature's base64 in base64 once more.
        let inner = base64("log entry's signature", &signature.sig)?;
        if inner != STANDARD.encode(self.signature).as_bytes() {
            return Err(Refusal::EntryDiffers("signature"));
        }
        self.pem_signer(&signature.public_key)
    }

    fn signature2(&self, signature: &Signature2) -> Result<(), Refusal> {
        self.signature(&base64("log entry's signature", &signature.content)?)?;
        let verifier = &signature.verifier;
        match (&verifier.x509_certificate, &verifier.public_key) {
            (Some(certificate), None) => {
                let bytes = base64("log entry's certificate", &certificate.raw_bytes)?;
                self.signer_is(SectionKind::Certificate, &bytes)
            }
            (None, Some(key)) => self.signer_is(
                SectionKind::PublicKey,
                &base64("log entry's key", &key.raw_bytes)?,
            ),
            _ => Err(Refusal::EntryDiffers("signer")),
        }
    }

    fn message_hash(&self, algorithm: &str, logged: &[u8]) -> Result<(), Refusal> {
        let same = match self.message {
            Message::Bytes(bytes) => hash_is(algorithm, logged, bytes)?,
            Message::Sha256(digest) => {
                Hash::named(algorithm) == Some(Hash::Sha256) && logged == digest
            }
        };
        if same {
            Ok(())
        } else {
            Err(Refusal::EntryDiffers("content"))
        }
    }

    fn payload_hash(&self, algorithm: &str, logged: &[u8]) -> Result<(), Refusal> {
        let Content::Envelope(envelope, _) = self.content else {
            return Err(Refusal::EntryDiffers("kind of content"));
        };
        if hash_is(algorithm, logged, &envelope.payload)? {
            Ok(())
        } else {
            Err(Refusal::EntryDiffers("payload"))
        }
    }

    fn signature(&self, logged: &[u8]) -> Result<(), Refusal> {
        if logged == self.signature {
            Ok(())
        } else {
            Err(Refusal::EntryDiffers("signature"))
        }
    }

    fn pem_signer(&self, encoded: &str) -> Result<(), Refusal> {
        let label = match self.signer {
            Signer::Certificate(_) => SectionKind::Certificate,
            Signer::Key(_) => SectionKind::PublicKey,
        };
        let text = base64("log entry's signer", encoded)?;
        self.signer_is(label, &pem("log entry's signer", &text, label)?)
    }

    fn signer_is(&self, label: SectionKind, logged: &[u8]) -> Result<(), Refusal> {
        let same = match self.signer {
            Signer::Certificate(certificate) => {
                label == SectionKind::Certificate && logged == certificate
            }
            Signer::Key(key) => label == SectionKind::PublicKey && key.is_spki(logged),
        };
        if same {
            Ok(())
        } else {
            Err(Refusal::EntryDiffers("signer"))
        }
    }
}

fn hexadecimal(hash: &NamedHash) -> Result<Vec<u8>, Refusal> {
    hex::decode(&hash.value).map_err(|error| Refusal::malformed("log entry's hash", &error))
}

fn hash_is(algorithm: &str, logged: &[u8], bytes: &[u8]) -> Result<bool, Refusal> {
    let hash = Hash::named(algorithm).ok_or(Refusal::EntryUnbound("its hash is not supported"))?;
    Ok(hash.digest(bytes).as_ref() == logged)
}
