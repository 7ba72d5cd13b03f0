//! `regent verify`, with cosign's names.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ValueEnum};

use super::image::ImageArgs;

/// `regent verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// The images, by tag or digest
    #[arg(
        value_name = "IMAGE",
        required_unless_present = "bundle",
        conflicts_with = "bundle"
    )]
    pub references: Vec<String>,
    /// Say what each attestor and attestation of a policy saw, instead of asking for a signer; repeatable
    #[arg(long, value_name = "POLICY", conflicts_with_all = ["bundle", "predicate_type", "show_attestations"])]
    pub policy: Vec<PathBuf>,
    /// The namespace of the pod that the policy is asked about
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub namespace: String,
    /// Verify a Sigstore bundle on disk
    #[arg(long, value_name = "FILE", requires = "artifact")]
    pub bundle: Option<PathBuf>,
    /// What the bundle is about: a file, or a digest
    #[arg(long, value_name = "FILE|sha256:…", requires = "bundle")]
    pub artifact: Option<String>,
    /// Show all attestations that verified, of every type; without a signer, of everybody
    #[arg(long, conflicts_with = "predicate_type")]
    pub show_attestations: bool,
    /// Who must have signed
    #[command(flatten)]
    pub signer: SignerArgs,
    /// What must be proven
    #[command(flatten)]
    pub proof: ProofArgs,
    /// Verify attestations of this predicate type: `slsaprovenance`, `slsaprovenance1`, `spdx`, ..., or a URI
    /// [default: verify signatures]
    #[arg(long = "type", value_name = "TYPE")]
    pub predicate_type: Option<String>,
    /// An annotation that the signature must have; repeatable
    #[arg(short = 'a', long = "annotations", value_name = "NAME=VALUE", value_parser = parse_annotation)]
    pub annotations: Vec<(String, String)>,
    /// How to print what was verified
    #[arg(
        short,
        long,
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        visible_alias = "format"
    )]
    pub output: Output,
    /// How long everything may take: `30s`, `3m`
    #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Images
    #[command(flatten)]
    pub images: ImageArgs,
    /// Speak plain HTTP, or TLS that is not checked, with the registries of the images
    #[arg(long, visible_alias = "allow-http-registry", help_heading = "Images")]
    pub allow_insecure_registry: bool,
}

/// Who must have signed.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Signer")]
pub struct SignerArgs {
    /// The identity in the signer's certificate
    #[arg(
        long,
        value_name = "IDENTITY",
        conflicts_with = "certificate_identity_regexp"
    )]
    pub certificate_identity: Option<String>,
    /// A regular expression that matches the identity; unanchored, as in cosign
    #[arg(long, value_name = "REGEXP")]
    pub certificate_identity_regexp: Option<String>,
    /// The OpenID Connect issuer in the signer's certificate
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "certificate_oidc_issuer_regexp"
    )]
    pub certificate_oidc_issuer: Option<String>,
    /// A regular expression that matches the issuer; unanchored, as in cosign
    #[arg(long, value_name = "REGEXP")]
    pub certificate_oidc_issuer_regexp: Option<String>,
    /// The event that triggered the workflow that signed
    #[arg(long, value_name = "EVENT")]
    pub certificate_github_workflow_trigger: Option<String>,
    /// The commit that the workflow ran at
    #[arg(long, value_name = "COMMIT")]
    pub certificate_github_workflow_sha: Option<String>,
    /// The name of the workflow
    #[arg(long, value_name = "NAME")]
    pub certificate_github_workflow_name: Option<String>,
    /// The repository that the workflow ran for
    #[arg(long, value_name = "OWNER/NAME")]
    pub certificate_github_workflow_repository: Option<String>,
    /// The ref that the workflow ran at
    #[arg(long, value_name = "REF")]
    pub certificate_github_workflow_ref: Option<String>,
    /// The public key of the signer, in PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The hash that the key signs with; the key's usual one is tried too
    #[arg(long, value_enum, default_value = "sha256", value_name = "HASH")]
    pub signature_digest_algorithm: Hash,
}

impl SignerArgs {
    /// Whether nobody is asked for.
    pub fn is_empty(&self) -> bool {
        let Self {
            certificate_identity,
            certificate_identity_regexp,
            certificate_oidc_issuer,
            certificate_oidc_issuer_regexp,
            certificate_github_workflow_trigger,
            certificate_github_workflow_sha,
            certificate_github_workflow_name,
            certificate_github_workflow_repository,
            certificate_github_workflow_ref,
            key,
            signature_digest_algorithm: _,
        } = self;
        let texts = [
            certificate_identity,
            certificate_identity_regexp,
            certificate_oidc_issuer,
            certificate_oidc_issuer_regexp,
            certificate_github_workflow_trigger,
            certificate_github_workflow_sha,
            certificate_github_workflow_name,
            certificate_github_workflow_repository,
            certificate_github_workflow_ref,
        ];
        texts.into_iter().all(Option::is_none) && key.is_none()
    }
}

/// What must be proven.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Proof")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of cosign's, as it is typed"
)]
pub struct ProofArgs {
    /// Take evidence that is in no transparency log
    #[arg(long, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set, default_value = "false", value_name = "BOOL")]
    pub insecure_ignore_tlog: bool,
    /// Take certificates that are in no certificate log
    #[arg(long, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set, default_value = "false", value_name = "BOOL")]
    pub insecure_ignore_sct: bool,
    /// Take only evidence with a timestamp of an authority of the trust root
    #[arg(long, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set, default_value = "false", value_name = "BOOL")]
    pub use_signed_timestamps: bool,
    /// The Sigstore instance, by the URL of one of its logs; the log itself is never asked
    #[arg(long, value_name = "URL")]
    pub rekor_url: Option<String>,
    /// Certificates (PEM) that the signer's must chain to, instead of the trust root's authorities: roots, and those between
    /// that do not come with the evidence
    #[arg(long, visible_alias = "certificate-chain", value_name = "FILE")]
    pub ca_roots: Option<PathBuf>,
    /// The certificates (PEM) of the timestamp authority, instead of the trust root's
    #[arg(long, value_name = "FILE")]
    pub timestamp_certificate_chain: Option<PathBuf>,
    /// Accepted for scripts that give it to cosign: evidence is always checked offline
    #[arg(long, hide = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set, default_value = "true")]
    pub offline: bool,
}

/// How to print what was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// As cosign does: signatures as an array, attestations as one DSSE envelope a line.
    Json,
}

/// The hash that a key signs with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Hash {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

fn parse_annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .unwrap_or((text, ""));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => 0,
    };
    let number = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds));
    match number {
        Some(total @ 1..=86_400) => Ok(Duration::from_secs(total)),
        _ => Err("expected a duration of at most a day, as in `30s` or `3m`".to_owned()),
    }
}
