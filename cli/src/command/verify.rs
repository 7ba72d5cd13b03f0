//! `regent verify`: what `cosign verify` and `cosign verify-attestation` do, by the verifier that admission uses.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use regent_engine::evaluation::need::{FactError, ImageNeed};
use regent_engine::image::{Evidence, ImageReference, VerifiedImage};
use regent_engine::image::{HashAlgorithm, PolicyTrust, PublicKey};
use regent_server::image::Images;
use regent_server::image::trust::Key;
use regent_server::metrics::Metrics;
use tokio::time::Instant;

use crate::args::verify::{Hash, Output, VerifyArgs};
use crate::exit_status::ExitStatus;
use crate::images;
use crate::io::Io;
use crate::render::human::printable;
use expectation::{Expectation, Selected};

mod bundle;
mod by_policy;
mod expectation;
mod json;
mod slsa;
mod text;

/// Runs `regent verify`.
pub fn run(args: &VerifyArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    refuse_without_effect(args)?;
    let key = key(args)?;
    if args.bundle.is_some() {
        let expectation = Expectation::new(args, key.as_ref())?;
        let (name, evidence) = bundle::evidence(args, key.as_ref())?;
        return show(&name, &evidence, &expectation, (args, io));
    }
    let references = args
        .references
        .iter()
        .map(|text| ImageReference::parse(text).with_context(|| format!("`{}`", printable(text))));
    let references = references.collect::<Result<Vec<_>>>()?;
    let mut image_args = args.images.clone();
    if args.allow_insecure_registry {
        let hosts = references
            .iter()
            .map(|image| image.containerd_repository().0);
        image_args.insecure_registry.extend(hosts);
    }
    let images = images::open(&image_args, Metrics::new()?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    if !args.policy.is_empty() {
        let policies = match by_policy::policies(args, io)? {
            Ok(policies) => policies,
            Err(status) => return Ok(status),
        };
        return by_policy::run(args, &policies, (&images, &runtime), io);
    }
    let expectation = Expectation::new(args, key.as_ref())?;
    let trust = trust(args)?;
    let mut status = ExitStatus::Pass;
    for image in references {
        let need = ImageNeed {
            image,
            repository: None,
            rekor_url: args.proof.rekor_url.clone(),
            pull_secrets: Vec::new(),
            keys: key.iter().cloned().collect(),
            trust: trust.clone(),
        };
        let outcome = match runtime.block_on(find(&images, &need, args)) {
            Ok(image) => {
                let name = need.image.to_string();
                show(&name, image.evidence(), &expectation, (args, io))?
            }
            Err(error) => {
                let name = printable(&need.image.to_string());
                let error = printable(&error.to_string());
                writeln!(io.stderr, "error: {name}: {error}")?;
                ExitStatus::Usage
            }
        };
        if status == ExitStatus::Pass {
            status = outcome;
        }
    }
    Ok(status)
}

/// Refuses flags that would say nothing: whoever gives one believes that it counts.
fn refuse_without_effect(args: &VerifyArgs) -> Result<()> {
    if args.bundle.is_none() && args.artifact.is_some() {
        bail!("--artifact is what a bundle is about; --bundle names the bundle");
    }
    let proof = &args.proof;
    if args.signer.key.is_some() && proof.ca_roots.is_some() {
        bail!("--ca-roots says which certificates count, and --key that none is looked at");
    }
    if args.policy.is_empty() {
        return Ok(());
    }
    let asked = proof.insecure_ignore_tlog
        || proof.insecure_ignore_sct
        || proof.use_signed_timestamps
        || proof.rekor_url.is_some()
        || proof.ca_roots.is_some()
        || proof.timestamp_certificate_chain.is_some();
    if asked || !args.signer.is_empty() || !args.annotations.is_empty() {
        bail!(
            "--policy says who must have signed and what must be proven; flags that say it cannot stand beside it"
        );
    }
    Ok(())
}

/// The key that the flags name.
fn key(args: &VerifyArgs) -> Result<Option<PublicKey>> {
    let key = args.signer.key.as_deref().map(|path| {
        let pem = fs::read_to_string(path)?;
        let parsed = Key::from_pem(&pem)?;
        Ok::<_, anyhow::Error>(PublicKey {
            spki_sha256: hex::encode(parsed.spki_sha256()),
            pem,
            hash: hash(args.signer.signature_digest_algorithm),
            certificate: None,
        })
    });
    key.transpose().context("the public key")
}

/// Whom the flags name in place of the trust root's authorities.
fn trust(args: &VerifyArgs) -> Result<PolicyTrust> {
    let read = |flag: &str, path: &Option<PathBuf>| {
        let text = path.as_deref().map(fs::read_to_string).transpose();
        text.with_context(|| format!("--{flag}"))
    };
    let stamps = &args.proof.timestamp_certificate_chain;
    Ok(PolicyTrust {
        authorities: read("ca-roots", &args.proof.ca_roots)?,
        timestamp_authority: read("timestamp-certificate-chain", stamps)?,
        ..PolicyTrust::default()
    })
}

async fn find(
    images: &Images,
    need: &ImageNeed,
    args: &VerifyArgs,
) -> Result<VerifiedImage, FactError> {
    images.evidence(need, Instant::now() + args.timeout).await
}

fn hash(hash: Hash) -> HashAlgorithm {
    match hash {
        Hash::Sha256 => HashAlgorithm::Sha256,
        Hash::Sha384 => HashAlgorithm::Sha384,
        Hash::Sha512 => HashAlgorithm::Sha512,
    }
}

/// Shows what was found about one image or artifact, and says whether that is what was asked for.
fn show(
    name: &str,
    evidence: &Evidence,
    expectation: &Expectation,
    (args, io): (&VerifyArgs, &mut Io<'_>),
) -> Result<ExitStatus> {
    let name = printable(name);
    let selected = expectation.select(evidence);
    if selected.is_empty() {
        say_nothing_fits(&name, evidence, &selected, expectation, io)?;
        return Ok(ExitStatus::Failed);
    }
    match args.output {
        Output::Text => text::write(&name, evidence, &selected, io)?,
        Output::Json if args.show_attestations => json::attestations(&selected, io)?,
        Output::Json => {
            // An artifact is in no repository.
            let image = ImageReference::parse(&name).ok();
            let repository = image.filter(|_| args.bundle.is_none());
            let repository = repository.map_or_else(String::new, |image| image.repository());
            json::write(&repository, evidence, &selected, io)?;
        }
    }
    Ok(ExitStatus::Pass)
}

fn say_nothing_fits(
    name: &str,
    evidence: &Evidence,
    selected: &Selected<'_>,
    expectation: &Expectation,
    io: &mut Io<'_>,
) -> Result<()> {
    let wanted = printable(&expectation.wanted());
    writeln!(io.stderr, "error: {name}: no {wanted}")?;
    writeln!(io.stderr, "  digest {}", evidence.digest)?;
    for (what, why) in &selected.unfit {
        writeln!(io.stderr, "  {}: {}", printable(what), printable(why))?;
    }
    for refused in &evidence.refused {
        let claims = match refused.claims.as_str() {
            "" => "evidence",
            claims => claims,
        };
        let by = match refused.claimed_signer.as_str() {
            "" => String::new(),
            signer => format!(", said to be by {signer}"),
        };
        let line = format!("{claims}{by}, refused: {}", refused.reason);
        writeln!(io.stderr, "  {}", printable(&line))?;
    }
    let found = evidence.signatures.len() + evidence.statements.len() + evidence.refused.len();
    if found == 0 {
        writeln!(io.stderr, "  nothing lies beside the image")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
