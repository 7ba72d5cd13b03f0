//! Envelopes as anybody could make them, right but for one thing.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use minicbor::Encoder;
use minicbor::data::Tag;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SigningKey, date_time_ymd,
};
use regent_engine::image::Digest;
use regent_server::image::artifact::{Artifacts, ManifestShape, NotaryArtifact};
use serde_json::{Value, json};

use super::{IMAGE, NOW};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";
const SCHEME: &str = "io.cncf.notary.signingScheme";
const EXPIRY: &str = "io.cncf.notary.expiry";
const SIGNED: &str = "io.cncf.notary.signingTime";
const TOKEN: &str = "io.cncf.notary.timestampSignature";
const AUTHENTIC: &str = "io.cncf.notary.authenticSigningTime";

/// What is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Nothing is wrong: the signer is an authority for the time.
    AuthorityTime,
    OtherDigest,
    OtherSize,
    OtherMediaType,
    ContentType,
    UnknownScheme,
    NoCritical,
    UnknownCritical,
    AbsentCritical,
    ExpiryNotCritical,
    Expired,
    TwoTimes,
    AuthorityWithoutTime,
    AuthorityTimeBeforeCertificate,
    OtherAlgorithm,
    NoAlgorithm,
    OtherKey,
    LeafEnded,
    RootEnded,
    LeafIsAuthority,
    LeafForServers,
    LeafForBoth,
    LeafEncrypts,
    NoUsage,
    RootIssuesNothing,
    OutOfOrder,
    WithoutRoot,
    NoChain,
    MoreCertificates,
}

/// Each with what the refusal has to say.
pub(super) const FAULTS: [(Fault, &str); 30] = [
    (Fault::None, ""),
    (Fault::AuthorityTime, ""),
    (Fault::OtherDigest, "not about this image"),
    (Fault::OtherSize, "not about this image"),
    (Fault::OtherMediaType, "not about this image"),
    (Fault::ContentType, "content type is `text/plain`"),
    (
        Fault::UnknownScheme,
        "signing scheme `notary.mine` is not known",
    ),
    (
        Fault::NoCritical,
        "signingScheme` is not marked as critical",
    ),
    (
        Fault::UnknownCritical,
        "`io.cncf.notary.verificationPlugin` is not understood",
    ),
    (Fault::AbsentCritical, "critical header"),
    (
        Fault::ExpiryNotCritical,
        "expiry` is not marked as critical",
    ),
    (Fault::Expired, "valid only until"),
    (Fault::TwoTimes, "signing time that belongs to its scheme"),
    (
        Fault::AuthorityWithoutTime,
        "signing time that belongs to its scheme",
    ),
    (
        Fault::AuthorityTimeBeforeCertificate,
        "not valid at the proven time",
    ),
    (
        Fault::OtherAlgorithm,
        "algorithm is not the one that belongs",
    ),
    (Fault::NoAlgorithm, "algorithm"),
    (Fault::OtherKey, "signature does not verify"),
    (Fault::LeafEnded, "not valid at the proven time"),
    (Fault::RootEnded, "not valid at the proven time"),
    (Fault::LeafIsAuthority, "not for signatures alone"),
    (Fault::LeafForServers, "not for signing code alone"),
    (Fault::LeafForBoth, "not for signing code alone"),
    (Fault::LeafEncrypts, "not for signatures alone"),
    (Fault::NoUsage, "no critical key usage"),
    (Fault::RootIssuesNothing, "not for issuing others"),
    (Fault::OutOfOrder, "signature does not verify"),
    (Fault::WithoutRoot, "does not end with a root"),
    (Fault::NoChain, "no certificate"),
    (Fault::MoreCertificates, "not on the way to its root"),
];

/// A root and a signer.
pub(super) struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    leaf: Vec<u8>,
    key: KeyPair,
}

fn parameters(name: &str, ended: bool) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(if ended { 2026 } else { 2030 }, 1, 1);
    parameters
}

impl Pki {
    pub(super) fn new(fault: Fault) -> Self {
        let mut root = parameters("root", fault == Fault::RootEnded);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![match fault {
            Fault::RootIssuesNothing => KeyUsagePurpose::DigitalSignature,
            _ => KeyUsagePurpose::KeyCertSign,
        }];
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let mut leaf = parameters("leaf", fault == Fault::LeafEnded);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        match fault {
            Fault::LeafIsAuthority => leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Fault::LeafForServers => {
                leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
            Fault::LeafForBoth => leaf
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth),
            Fault::LeafEncrypts => leaf.key_usages.push(KeyUsagePurpose::KeyEncipherment),
            Fault::NoUsage => leaf.key_usages.clear(),
            _ => {}
        }
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap().der().to_vec();
        Self { root, leaf, key }
    }

    pub(super) fn root_pem(&self) -> String {
        self.root.pem()
    }
}

/// Makes a token over a signature.
pub(super) type Stamp = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// An envelope in the making.
pub(super) struct Envelope {
    payload: Vec<u8>,
    /// The algorithm by its name and its number.
    algorithm: (&'static str, i64),
    content_type: &'static str,
    critical: Vec<&'static str>,
    scheme: &'static str,
    times: Vec<(&'static str, u64)>,
    /// Any other header.
    plugin: Option<&'static str>,
    chain: Vec<Vec<u8>>,
    key: KeyPair,
    /// What makes a timestamp of the signature.
    pub(super) stamp: Option<Stamp>,
}

impl Envelope {
    /// One by the signer, wrong in one thing.
    pub(super) fn of(pki: &Pki, fault: Fault) -> Self {
        let mut target = json!({"mediaType": MANIFEST, "digest": IMAGE, "size": 259});
        match fault {
            Fault::OtherDigest => target["digest"] = format!("sha256:{}", "0".repeat(64)).into(),
            Fault::OtherSize => target["size"] = 260.into(),
            Fault::OtherMediaType => target["mediaType"] = "application/json".into(),
            _ => {}
        }
        let root = pki.root.der().to_vec();
        let key = KeyPair::from_pem(&pki.key.serialize_pem()).unwrap();
        let mut made = Self {
            payload: json!({"targetArtifact": target}).to_string().into_bytes(),
            algorithm: ("ES256", -7),
            content_type: PAYLOAD,
            critical: vec![SCHEME],
            scheme: "notary.x509",
            times: vec![(SIGNED, NOW - 100)],
            plugin: None,
            chain: vec![pki.leaf.clone(), root],
            key,
            stamp: None,
        };
        made.spoil_headers(fault);
        match fault {
            Fault::OtherKey => made.key = KeyPair::generate().unwrap(),
            Fault::OutOfOrder => made.chain.reverse(),
            Fault::WithoutRoot => made.chain.truncate(1),
            Fault::NoChain => made.chain.clear(),
            Fault::MoreCertificates => {
                let other = Pki::new(Fault::None);
                made.chain.insert(1, other.root.der().to_vec());
            }
            _ => {}
        }
        made
    }

    fn spoil_headers(&mut self, fault: Fault) {
        let by_authority = |made: &mut Self| {
            made.scheme = "notary.x509.signingAuthority";
            made.times = vec![(AUTHENTIC, NOW - 100)];
            made.critical.push(AUTHENTIC);
        };
        match fault {
            Fault::ContentType => self.content_type = "text/plain",
            Fault::UnknownScheme => self.scheme = "notary.mine",
            Fault::NoCritical => self.critical.clear(),
            Fault::UnknownCritical => {
                self.plugin = Some("io.cncf.notary.verificationPlugin");
                self.critical.extend(self.plugin);
            }
            Fault::AbsentCritical => self.critical.push(EXPIRY),
            Fault::ExpiryNotCritical => self.times.push((EXPIRY, NOW + 100)),
            Fault::Expired => {
                self.times.push((EXPIRY, NOW - 1));
                self.critical.push(EXPIRY);
            }
            Fault::AuthorityTime => by_authority(self),
            Fault::TwoTimes => {
                by_authority(self);
                self.times.push((SIGNED, NOW - 100));
            }
            Fault::AuthorityWithoutTime => self.scheme = "notary.x509.signingAuthority",
            Fault::AuthorityTimeBeforeCertificate => {
                by_authority(self);
                self.times = vec![(AUTHENTIC, 1_000_000_000)];
            }
            Fault::OtherAlgorithm => self.algorithm = ("ES384", -35),
            Fault::NoAlgorithm => self.algorithm = ("none", 0),
            _ => {}
        }
    }

    /// As it would be fetched.
    pub(super) fn artifacts(&self, cose: bool) -> Artifacts {
        let (media_type, bytes) = if cose {
            ("application/cose", self.cose())
        } else {
            ("application/jose+json", self.jws().to_string().into_bytes())
        };
        Artifacts {
            notary: vec![NotaryArtifact {
                manifest: Digest::from_sha256([1; 32]),
                media_type: media_type.to_owned(),
                bytes: bytes.into(),
            }],
            shape: Some(ManifestShape {
                media_type: MANIFEST.to_owned(),
                size: 259,
            }),
            ..Artifacts::default()
        }
    }

    fn jws(&self) -> Value {
        let mut protected = json!({
            "alg": self.algorithm.0, "cty": self.content_type, "crit": self.critical, SCHEME: self.scheme,
        });
        for (name, seconds) in &self.times {
            let time = regent_engine::go_time::Time::from_unix(i64::try_from(*seconds).unwrap(), 0);
            protected[name] = time.to_string().into();
        }
        if let Some(name) = self.plugin {
            protected[name] = "mine".into();
        }
        let url = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (protected, payload) = (url(protected.to_string().as_bytes()), url(&self.payload));
        let signature = self.sign(format!("{protected}.{payload}").as_bytes());
        let chain: Vec<String> = self.chain.iter().map(|one| STANDARD.encode(one)).collect();
        let mut header = json!({"x5c": chain});
        if let Some(stamp) = &self.stamp {
            header[TOKEN] = STANDARD.encode(stamp(&signature)).into();
        }
        json!({
            "payload": payload, "protected": protected, "header": header,
            "signature": url(&signature),
        })
    }

    fn cose(&self) -> Vec<u8> {
        let protected = self.protected();
        let mut signed = Encoder::new(Vec::new());
        signed.array(4).unwrap().str("Signature1").unwrap();
        signed.bytes(&protected).unwrap().bytes(&[]).unwrap();
        signed.bytes(&self.payload).unwrap();
        let signature = self.sign(signed.writer());
        let mut whole = Encoder::new(Vec::new());
        whole.tag(Tag::new(18)).unwrap().array(4).unwrap();
        whole.bytes(&protected).unwrap();
        let headers = 1 + u64::from(self.stamp.is_some());
        whole.map(headers).unwrap().i64(33).unwrap();
        whole.array(self.chain.len() as u64).unwrap();
        for certificate in &self.chain {
            whole.bytes(certificate).unwrap();
        }
        if let Some(stamp) = &self.stamp {
            whole.str(TOKEN).unwrap().bytes(&stamp(&signature)).unwrap();
        }
        whole
            .bytes(&self.payload)
            .unwrap()
            .bytes(&signature)
            .unwrap();
        whole.into_writer()
    }

    fn protected(&self) -> Vec<u8> {
        let mut map = Encoder::new(Vec::new());
        let more = self.times.len() + usize::from(self.plugin.is_some());
        map.map(4 + more as u64).unwrap();
        map.i64(1).unwrap().i64(self.algorithm.1).unwrap();
        map.i64(2)
            .unwrap()
            .array(self.critical.len() as u64)
            .unwrap();
        for name in &self.critical {
            map.str(name).unwrap();
        }
        map.i64(3).unwrap().str(self.content_type).unwrap();
        map.str(SCHEME).unwrap().str(self.scheme).unwrap();
        for (name, seconds) in &self.times {
            map.str(name)
                .unwrap()
                .tag(Tag::new(1))
                .unwrap()
                .u64(*seconds)
                .unwrap();
        }
        if let Some(name) = self.plugin {
            map.str(name).unwrap().str("mine").unwrap();
        }
        map.into_writer()
    }

    /// The signature's two numbers, each of 32 bytes.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let der = self.key.sign(message).unwrap();
        let length = usize::from(der[3]);
        let (first, second) = (&der[4..4 + length], &der[6 + length..]);
        let mut signature = Vec::new();
        for number in [first, second] {
            let digits = &number[number.len().saturating_sub(32)..];
            signature.resize(signature.len() + 32 - digits.len(), 0);
            signature.extend_from_slice(digits);
        }
        signature
    }
}
