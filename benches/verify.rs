//! Verification alone: evidence that lies in memory becomes facts, beside the signatures that this cannot do without.
//!
//! The floor of a piece of evidence is counted from what verifying it proved: one signature of the signer; for a certificate, its
//! issuer's over it, and the certificate log's; for a log entry, the log's promise and the checkpoint of its proof; for a timestamp, the
//! authority's. Keys are parsed ahead, as those of a trust root are.

use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::slice;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_ASN1_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    KeyPair as _, ParsedPublicKey, VerificationAlgorithm,
};
use clap::Parser;
use regent_benches::machine;
use regent_benches::numbers::{by_turns, rounded};
use regent_engine::image::evidence::{Signer, Verification};
use regent_engine::image::{Digest, Evidence};
use regent_engine::image::{HashAlgorithm, PublicKey};
use regent_server::image::artifact::Artifacts;
use regent_server::image::discovery::{Budget, Origin, Wanted, discover};
use regent_server::image::layout::Layouts;
use regent_server::image::trust::{Key, KeyKind, TrustRoot};
use regent_server::image::verify::verify;
use serde_json::{Value, json};

#[path = "verify/cosign.rs"]
mod cosign;

/// Measures verification alone, and prints one JSON document
#[derive(Debug, Parser)]
struct Args {
    /// Turns of each job
    #[arg(long, default_value_t = 15)]
    turns: usize,
    /// Milliseconds of a turn
    #[arg(long, default_value_t = 60)]
    turn: u64,
    /// Cargo's own flag
    #[arg(long, hide = true)]
    bench: bool,
}

/// The demonstration's images, one of each way to sign; signed by real cosign.
const IMAGES: [&str; 4] = ["app", "legacy", "keyed", "keyed-legacy"];

fn main() -> Result<()> {
    let args = Args::parse();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/demo");
    let read = |name: &str| {
        let path = demo.join(name);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    let root = TrustRoot::parse(&read("trusted_root.json")?)?;
    let pem = read("key.pub")?;
    let key = Key::from_pem(&pem)?;
    let keys = [PublicKey {
        spki_sha256: hex::encode(key.spki_sha256()),
        pem,
        hash: HashAlgorithm::Sha256,
        certificate: None,
    }];
    let cases: Value = serde_json::from_str(&read("cases.json")?)?;
    let signatures = Signatures::new()?;
    let mut pieces = Vec::new();
    for image in IMAGES {
        let digest = digest_of(&cases, image)?;
        let artifacts = artifacts(&demo.join("registry"), &digest)?;
        for (kind, piece) in split(&artifacts) {
            let evidence = verify(&piece, &digest, &keys, &root, 0)?;
            let floor = Floor::of(&evidence, &root)?;
            // Each piece of Sigstore's has a certificate of its own, whose chain nobody remembers.
            let mut check = || {
                root.chains().forget();
                drop(black_box(verify(&piece, &digest, &keys, &root, 0)));
            };
            let mut bare = || signatures.verify(&floor);
            let turn = Duration::from_millis(args.turn);
            let times = by_turns(args.turns, turn, &mut [&mut check, &mut bare]);
            let [whole, least] = times[..] else {
                continue;
            };
            pieces.push(json!({
                "image": image,
                "kind": kind,
                "signatures": floor.to_json(),
                "verification_us": rounded(whole),
                "floor_us": rounded(least),
                "ratio": rounded(whole / least),
            }));
        }
    }
    let document = json!({
        "machine": machine::describe(),
        "turns": args.turns,
        "operations_us": signatures.each(&args),
        "pieces": pieces,
        "beside_cosign": cosign::beside(&demo, &cases, args.turns)?,
    });
    writeln!(std::io::stdout(), "{document:#}")?;
    Ok(())
}

fn digest_of(cases: &Value, image: &str) -> Result<Digest> {
    let all = cases.pointer("/cases").and_then(Value::as_array);
    let found = all
        .into_iter()
        .flatten()
        .find(|case| case["case"] == image)
        .and_then(|case| case["digest"].as_str());
    let digest = Digest::parse(found.with_context(|| format!("no case `{image}`"))?);
    digest.with_context(|| format!("the digest of `{image}`"))
}

fn artifacts(layout: &PathBuf, digest: &Digest) -> Result<Artifacts> {
    let layouts = Layouts::open(slice::from_ref(layout))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let origin = Origin::Layouts(&layouts);
    Ok(runtime.block_on(discover(
        origin,
        (digest, Wanted::Sigstore),
        &Budget::alone(),
    ))?)
}

/// Every piece of evidence alone, and what it is.
fn split(artifacts: &Artifacts) -> Vec<(&'static str, Artifacts)> {
    let bundles = artifacts.bundles.iter().map(|piece| Artifacts {
        bundles: vec![piece.clone()],
        ..Artifacts::default()
    });
    let signatures = artifacts.signatures.iter().map(|piece| Artifacts {
        signatures: vec![piece.clone()],
        ..Artifacts::default()
    });
    let attestations = artifacts.attestations.iter().map(|piece| Artifacts {
        attestations: vec![piece.clone()],
        ..Artifacts::default()
    });
    let named = |name: &'static str| move |piece| (name, piece);
    bundles
        .map(named("bundle"))
        .chain(signatures.map(named("legacy signature")))
        .chain(attestations.map(named("legacy attestation")))
        .collect()
}

/// How many signatures of each kind a piece of evidence needs.
#[derive(Debug, Default)]
struct Floor {
    p256: u32,
    p384: u32,
    ed25519: u32,
}

impl Floor {
    fn of(evidence: &Evidence, root: &TrustRoot) -> Result<Self> {
        let signatures = evidence.signatures.iter().map(|found| &found.verified);
        let statements = evidence.statements.iter().map(|found| &found.verified);
        let verified: Vec<&Verification> = signatures.chain(statements).collect();
        let [verified] = verified[..] else {
            return Err(anyhow!(
                "not one piece was verified: {:?}",
                evidence.refused
            ));
        };
        let mut floor = Self {
            p256: 1,
            ..Self::default()
        };
        if let Signer::Certificate(identity) = &verified.signer {
            // Fulcio's authorities sign with P-384.
            floor.p384 += 1;
            floor.p256 += u32::from(identity.sct_verified);
        }
        for entry in &verified.log_entries {
            let log = root.logs().iter().find(|log| log.url() == entry.log_url);
            let kind = log.context("an unknown log")?.key().kind();
            let signed = u32::from(entry.promise) + u32::from(entry.inclusion_proof);
            match kind {
                KeyKind::P256 => floor.p256 += signed,
                KeyKind::P384 => floor.p384 += signed,
                KeyKind::Ed25519 => floor.ed25519 += signed,
                KeyKind::P521 | KeyKind::Rsa => ensure!(false, "a log with a {kind:?} key"),
            }
        }
        // A timestamp authority's own chain is verified with the trust root; those of `make.sh` have P-256 keys.
        floor.p256 += u32::try_from(verified.timestamps.len())?;
        Ok(floor)
    }

    fn to_json(&self) -> Value {
        json!({"p256": self.p256, "p384": self.p384, "ed25519": self.ed25519})
    }
}

/// A signature that verifies.
struct Signature {
    key: ParsedPublicKey,
    message: Vec<u8>,
    bytes: Vec<u8>,
}

impl Signature {
    fn verify(&self) {
        let verified = self.key.verify_sig(&self.message, &self.bytes);
        assert!(verified.is_ok(), "the signature was made for this");
    }
}

/// One of each kind.
struct Signatures {
    p256: Signature,
    p384: Signature,
    ed25519: Signature,
}

impl Signatures {
    fn new() -> Result<Self> {
        let p256 = (&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_ASN1);
        let p384 = (&ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1);
        let pair = Ed25519KeyPair::generate()?;
        // As long as what certificates and logs sign.
        let message = vec![7; 600];
        Ok(Self {
            p256: ecdsa(p256.0, p256.1, &message)?,
            p384: ecdsa(p384.0, p384.1, &message)?,
            ed25519: Signature {
                key: ParsedPublicKey::new(&ED25519, pair.public_key().as_ref())?,
                bytes: pair.sign(&message).as_ref().to_vec(),
                message,
            },
        })
    }

    fn verify(&self, floor: &Floor) {
        let each = [
            (floor.p256, &self.p256),
            (floor.p384, &self.p384),
            (floor.ed25519, &self.ed25519),
        ];
        for (times, signature) in each {
            (0..times).for_each(|_| signature.verify());
        }
    }

    fn each(&self, args: &Args) -> Value {
        let times = by_turns(
            args.turns,
            Duration::from_millis(args.turn),
            &mut [
                &mut || self.p256.verify(),
                &mut || self.p384.verify(),
                &mut || self.ed25519.verify(),
            ],
        );
        let names = ["p256", "p384", "ed25519"].map(str::to_owned);
        Value::Object(
            names
                .into_iter()
                .zip(times.into_iter().map(rounded))
                .collect(),
        )
    }
}

fn ecdsa(
    signing: &'static EcdsaSigningAlgorithm,
    verifying: &'static dyn VerificationAlgorithm,
    message: &[u8],
) -> Result<Signature> {
    let pair = EcdsaKeyPair::generate(signing)?;
    let signature = pair.sign(&SystemRandom::new(), message)?;
    Ok(Signature {
        key: ParsedPublicKey::new(verifying, pair.public_key().as_ref())?,
        message: message.to_vec(),
        bytes: signature.as_ref().to_vec(),
    })
}
