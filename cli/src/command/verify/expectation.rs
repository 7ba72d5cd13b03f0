//! What was asked for, and which of the verified evidence is that.

use anyhow::{Context as _, Result, bail};
use regent_engine::go_regex;
use regent_engine::image::Evidence;
use regent_engine::image::PublicKey;
use regent_engine::image::evidence::{
    CertificateIdentity, Signer, Verification, VerifiedSignature, VerifiedStatement,
};
use regex::Regex;
use serde_json::Value;

use crate::args::verify::{SignerArgs, VerifyArgs};

/// cosign's short names of predicate types.
const TYPES: [(&str, &str); 11] = [
    ("custom", "https://cosign.sigstore.dev/attestation/v1"),
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("link", "https://in-toto.io/Link/v1"),
    ("spdx", "https://spdx.dev/Document"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("openvex", "https://openvex.dev/ns"),
    ("vsa", "https://slsa.dev/verification_summary/v1"),
];

/// Fulcio's extensions by which cosign knows GitHub's workflows.
const WORKFLOW: &str = "1.3.6.1.4.1.57264.1.";

/// What was asked for.
pub(super) struct Expectation {
    kind: Kind,
    /// Anybody where there is none.
    signer: Option<Wanted>,
    annotations: Vec<(String, String)>,
    log: Demand,
    certificate_log: Demand,
    timestamp: Demand,
}

/// What evidence is asked for.
enum Kind {
    Signatures,
    /// Attestations of one type.
    Attestations(String),
    AllAttestations,
    /// Whatever a bundle holds.
    Anything,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Demand {
    Needed,
    Waived,
}

enum Wanted {
    Key(String),
    Certificate {
        identity: Text,
        issuer: Text,
        /// Number of an extension below [`WORKFLOW`], its name, and its value.
        claims: Vec<(u8, &'static str, String)>,
    },
}

enum Text {
    Is(String),
    /// As it was written, and compiled.
    Matches(String, Regex),
}

/// The evidence that is what was asked for, and why the other is not.
#[derive(Default)]
pub(super) struct Selected<'a> {
    pub(super) signatures: Vec<&'a VerifiedSignature>,
    pub(super) statements: Vec<&'a VerifiedStatement>,
    /// What it is, and why it does not fit.
    pub(super) unfit: Vec<(String, String)>,
}

impl Selected<'_> {
    /// Whether nothing is what was asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.signatures.is_empty() && self.statements.is_empty()
    }
}

impl Expectation {
    /// Reads what was asked for.
    pub(super) fn new(args: &VerifyArgs, key: Option<&PublicKey>) -> Result<Self> {
        let demand = |needed| {
            if needed {
                Demand::Needed
            } else {
                Demand::Waived
            }
        };
        if args.predicate_type.is_some() && !args.annotations.is_empty() {
            bail!("--annotations are of signatures; with --type attestations are verified");
        }
        let kind = match &args.predicate_type {
            Some(name) => Kind::Attestations(predicate_type(name)?),
            None if args.show_attestations => Kind::AllAttestations,
            None if args.bundle.is_some() => Kind::Anything,
            None => Kind::Signatures,
        };
        // Showing what there is asks for nothing.
        let anybody = args.show_attestations && args.signer.is_empty();
        Ok(Self {
            kind,
            signer: if anybody {
                None
            } else {
                Some(Wanted::new(&args.signer, key)?)
            },
            annotations: args.annotations.clone(),
            log: demand(!args.proof.insecure_ignore_tlog),
            certificate_log: demand(!args.proof.insecure_ignore_sct),
            timestamp: demand(args.proof.use_signed_timestamps),
        })
    }

    /// What was asked for, in words.
    pub(super) fn wanted(&self) -> String {
        let what = match &self.kind {
            Kind::Signatures => "signature".to_owned(),
            Kind::Attestations(kind) => format!("attestation of type {kind}"),
            Kind::AllAttestations => "attestation".to_owned(),
            Kind::Anything => "evidence".to_owned(),
        };
        match &self.signer {
            None => what,
            Some(Wanted::Key(_)) => format!("{what} by the key"),
            Some(Wanted::Certificate {
                identity, issuer, ..
            }) => {
                format!(
                    "{what} by {} of the issuer {}",
                    identity.show(),
                    issuer.show()
                )
            }
        }
    }

    /// The evidence that is what was asked for.
    pub(super) fn select<'a>(&self, evidence: &'a Evidence) -> Selected<'a> {
        let mut selected = Selected::default();
        for signature in &evidence.signatures {
            let fits = match &self.kind {
                Kind::Attestations(_) | Kind::AllAttestations => {
                    Err("an attestation is asked for".to_owned())
                }
                Kind::Signatures | Kind::Anything => self
                    .fits(&signature.verified)
                    .and_then(|()| self.annotations_fit(&signature.annotations)),
            };
            match fits {
                Ok(()) => selected.signatures.push(signature),
                Err(why) => selected
                    .unfit
                    .push((by("signature", &signature.verified), why)),
            }
        }
        for statement in &evidence.statements {
            let fits = match &self.kind {
                Kind::Signatures => {
                    Err("a signature is asked for, which an attestation is not".to_owned())
                }
                Kind::Attestations(kind) if *kind != statement.predicate_type => {
                    Err(format!("{kind} is asked for"))
                }
                Kind::Attestations(_) | Kind::AllAttestations | Kind::Anything => {
                    self.fits(&statement.verified)
                }
            };
            match fits {
                Ok(()) => selected.statements.push(statement),
                Err(why) => {
                    let what = by(&statement.predicate_type, &statement.verified);
                    selected.unfit.push((what, why));
                }
            }
        }
        selected
    }

    fn fits(&self, verified: &Verification) -> Result<(), String> {
        if let Some(wanted) = &self.signer {
            wanted.fits(&verified.signer)?;
        }
        if self.log == Demand::Needed && verified.log_entries.is_empty() {
            return Err("it is in no transparency log of the trust root".to_owned());
        }
        if self.timestamp == Demand::Needed && verified.timestamps.is_empty() {
            return Err("it has no timestamp of an authority of the trust root".to_owned());
        }
        match &verified.signer {
            Signer::Certificate(identity)
                if self.certificate_log == Demand::Needed && !identity.sct_verified =>
            {
                Err("its certificate is in no certificate log of the trust root".to_owned())
            }
            Signer::Certificate(_) | Signer::Key { .. } => Ok(()),
        }
    }

    fn annotations_fit(&self, annotations: &Value) -> Result<(), String> {
        let unfit = self
            .annotations
            .iter()
            .find(|(name, value)| annotations.get(name).and_then(Value::as_str) != Some(value));
        match unfit {
            None => Ok(()),
            Some((name, value)) => Err(format!("it has no annotation {name}={value}")),
        }
    }
}

/// A predicate type by cosign's short name, or as a URI.
fn predicate_type(name: &str) -> Result<String> {
    let short = TYPES.iter().find(|(short, _)| *short == name);
    match short {
        Some((_, uri)) => Ok((*uri).to_owned()),
        None if name.contains(':') => Ok(name.to_owned()),
        None => {
            let names: Vec<_> = TYPES.iter().map(|(short, _)| *short).collect();
            bail!(
                "--type `{name}` is neither a URI nor one of {}",
                names.join(", ")
            )
        }
    }
}

/// What a piece of evidence is, and who signed it.
fn by(what: &str, verified: &Verification) -> String {
    match &verified.signer {
        Signer::Key { spki_sha256 } => format!("{what} by the key {spki_sha256}"),
        Signer::Certificate(identity) => {
            let subjects = identity.subjects.join(", ");
            format!("{what} by {subjects} of the issuer {}", identity.issuer)
        }
    }
}

impl Wanted {
    fn new(args: &SignerArgs, key: Option<&PublicKey>) -> Result<Self> {
        let identity = Text::new(
            given(args.certificate_identity.as_deref()),
            given(args.certificate_identity_regexp.as_deref()),
        )?;
        let issuer = Text::new(
            given(args.certificate_oidc_issuer.as_deref()),
            given(args.certificate_oidc_issuer_regexp.as_deref()),
        )?;
        let claims: Vec<_> = [
            (
                2,
                "workflow trigger",
                &args.certificate_github_workflow_trigger,
            ),
            (3, "workflow commit", &args.certificate_github_workflow_sha),
            (4, "workflow name", &args.certificate_github_workflow_name),
            (
                5,
                "workflow repository",
                &args.certificate_github_workflow_repository,
            ),
            (6, "workflow ref", &args.certificate_github_workflow_ref),
        ]
        .into_iter()
        .filter_map(|(number, name, value)| Some((number, name, value.clone()?)))
        .collect();
        match (key, identity, issuer) {
            (Some(key), None, None) if claims.is_empty() => Ok(Self::Key(key.spki_sha256.clone())),
            (Some(_), _, _) => {
                bail!("--key stands for the signer; certificates' options do not go with it")
            }
            (None, Some(identity), Some(issuer)) => Ok(Self::Certificate {
                identity,
                issuer,
                claims,
            }),
            (None, None, _) => {
                bail!("--certificate-identity or --certificate-identity-regexp is needed, or --key")
            }
            (None, Some(_), None) => {
                bail!("--certificate-oidc-issuer or --certificate-oidc-issuer-regexp is needed")
            }
        }
    }

    fn fits(&self, signer: &Signer) -> Result<(), String> {
        match (self, signer) {
            (Self::Key(wanted), Signer::Key { spki_sha256 }) if wanted == spki_sha256 => Ok(()),
            (Self::Key(_), _) => Err("it is not signed by the key".to_owned()),
            (Self::Certificate { .. }, Signer::Key { .. }) => {
                Err("it is signed by a key, not by a certificate".to_owned())
            }
            (
                Self::Certificate {
                    identity,
                    issuer,
                    claims,
                },
                Signer::Certificate(found),
            ) => {
                if !found.subjects.iter().any(|subject| identity.fits(subject)) {
                    return Err(format!("the identity is not {}", identity.show()));
                }
                if !issuer.fits(&found.issuer) {
                    return Err(format!("the issuer is not {}", issuer.show()));
                }
                claims.iter().try_for_each(|claim| claim_fits(claim, found))
            }
        }
    }
}

/// The text of a flag; as in cosign an empty one, which a script's unset variable is, was not given. As an expression it
/// would fit everybody.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn claim_fits(
    (number, name, wanted): &(u8, &str, String),
    found: &CertificateIdentity,
) -> Result<(), String> {
    let value = found.extensions.get(&format!("{WORKFLOW}{number}"));
    if value == Some(wanted) {
        return Ok(());
    }
    let value = value.map_or("missing", String::as_str);
    Err(format!("the {name} is {value}, not {wanted}"))
}

impl Text {
    fn new(exact: Option<&str>, pattern: Option<&str>) -> Result<Option<Self>> {
        match (exact, pattern) {
            (Some(text), _) => Ok(Some(Self::Is(text.to_owned()))),
            (None, Some(pattern)) => {
                let regex = go_regex::compile(pattern);
                let regex = regex.with_context(|| format!("the regular expression `{pattern}`"))?;
                Ok(Some(Self::Matches(pattern.to_owned(), regex)))
            }
            (None, None) => Ok(None),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Is(wanted) => wanted == text,
            Self::Matches(_, regex) => regex.is_match(text),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Is(wanted) => wanted.clone(),
            Self::Matches(pattern, _) => format!("/{pattern}/"),
        }
    }
}
