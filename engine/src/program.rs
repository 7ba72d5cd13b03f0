//! What `compile` made of policies; immutable.
//!
//! Holds the syntax tree beside the programs, for messages and for values with variables; verdicts come from the
//! programs alone.

use std::sync::Arc;

use crate::admission::Operation;
use crate::ast;
use crate::ast::template::Template;
use crate::evaluation::need::{HashAlgorithm, PublicKey};
use crate::pod_security::{Exclusion, Level, Version};
use crate::rego::evaluate;
use crate::wildcard;

/// A compiled policy.
#[derive(Debug)]
pub struct Policy {
    /// What it was made from.
    pub ast: Arc<ast::Policy>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    /// Its index in the policy.
    pub index: usize,
    /// Which requests it may be about; a superset.
    pub candidates: Candidates,
    /// Whether labels of namespaces are asked for.
    pub needs_namespace_labels: bool,
    /// Its program: the entry points [`SELECTED`], [`PRECONDITIONS`] and, for `validate`, [`VERDICT`].
    pub program: evaluate::Program,
    /// Values of the preconditions, `input.values`.
    pub precondition_slots: Vec<Template>,
    /// What it demands.
    pub body: Body,
    /// Exceptions that let requests off from it, in the order of loading.
    pub exceptions: Vec<Arc<Exception>>,
}

/// A compiled `PolicyException`.
#[derive(Debug)]
pub struct Exception {
    /// `namespace/name`.
    pub key: String,
    /// Whether labels of namespaces are asked for.
    pub needs_namespace_labels: bool,
    /// Its program: the entry points [`SELECTED`] and [`EXCEPTION_CONDITIONS`].
    pub program: evaluate::Program,
    /// Values of the conditions, `input.values`.
    pub slots: Vec<Template>,
    /// Only these controls are let off, where there are any and the rule is about such.
    pub exclusions: Vec<Exclusion>,
    /// What it was made from.
    pub ast: Arc<ast::exception::PolicyException>,
}

impl Exception {
    /// Whether it is about a rule.
    pub fn is_about(&self, policy: &str, rule: &str) -> bool {
        let mut exceptions = self.ast.exceptions.iter();
        exceptions.any(|one| {
            let mut rules = one.rules.iter();
            one.policy.value == policy && rules.any(|name| wildcard::matches(&name.value, rule))
        })
    }
}

/// Entry point: `match` or `nomatch`.
pub const SELECTED: usize = 0;
/// Entry point: `true`, `false` or `error`.
pub const PRECONDITIONS: usize = 1;
/// Entry point of an exception's program: `true`, `false` or `error`.
pub const EXCEPTION_CONDITIONS: usize = 1;
/// Entry point: `pass`, `fail`, `skip` or `error`.
pub const VERDICT: usize = 2;
/// Entry point of an image's program: which statements are used.
pub const USED: usize = 0;
/// Entry point of an image's program: `pass` or `fail`.
pub const IMAGE_VERDICT: usize = 1;
/// Entry point of an image's program: the conditions of its first attestation, those of the others behind it.
pub const CONDITIONS: usize = 2;

/// What a rule demands.
#[derive(Debug)]
pub enum Body {
    /// `validate`: values of the body, `input.values` of [`VERDICT`].
    Validate(Vec<Template>),
    /// `validate` with `podSecurity`.
    PodSecurity(PodSecurity),
    /// `verifyImages`.
    VerifyImages(Vec<ImageEntry>),
}

/// What a `podSecurity` rule asks the checks.
#[derive(Debug)]
pub struct PodSecurity {
    /// The level.
    pub level: Level,
    /// The version.
    pub version: Version,
    /// What is excused.
    pub exclusions: Vec<Exclusion>,
}

impl PodSecurity {
    /// Of what was written.
    pub fn of(written: &ast::pod_security::PodSecurity) -> Self {
        let exclusions = written.exclude.iter();
        Self {
            level: written.level.value,
            version: written.effective_version,
            exclusions: exclusions
                .map(ast::pod_security::ExcludedControl::exclusion)
                .collect(),
        }
    }
}

/// An entry of `verifyImages`.
#[derive(Debug)]
pub struct ImageEntry {
    /// Its program.
    pub program: evaluate::Program,
    /// Where evidence comes from; never empty.
    pub sources: Vec<EvidenceSource>,
    /// Which statements are judged by which attestation's conditions.
    pub views: Vec<View>,
    /// Values of each attestation's conditions.
    pub condition_slots: Vec<Vec<Template>>,
}

/// Statements that are judged by the conditions of one attestation.
#[derive(Debug, Clone)]
pub struct View {
    /// The attestation's index.
    pub attestation: usize,
    /// Which sources its statements come from.
    pub sources: Vec<usize>,
}

/// Where evidence comes from, and by whose keys it may be signed.
#[derive(Debug, Clone)]
pub struct EvidenceSource {
    /// `repository`, where it is not the image's.
    pub repository: Option<String>,
    /// `rekor.url`, which names the trust root.
    pub rekor_url: Option<String>,
    /// Keys that the policy names.
    pub keys: Vec<PublicKey>,
}

impl EvidenceSource {
    /// Adds a key, once.
    pub fn add_key(&mut self, key: &ast::verify_images::PublicKey) {
        use ast::verify_images::SignatureHash;
        let key = PublicKey {
            pem: key.pem.clone(),
            spki_sha256: key.spki_sha256.clone(),
            hash: match key.hash {
                SignatureHash::Sha224 => HashAlgorithm::Sha224,
                SignatureHash::Sha256 => HashAlgorithm::Sha256,
                SignatureHash::Sha384 => HashAlgorithm::Sha384,
                SignatureHash::Sha512 => HashAlgorithm::Sha512,
            },
        };
        if !self.keys.contains(&key) {
            self.keys.push(key);
            self.keys.sort();
        }
    }
}

/// Which requests a rule may be about: a superset, by what is constant.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    /// Kinds; any where empty.
    pub kinds: Vec<String>,
    /// Operations; any where empty.
    pub operations: Vec<Operation>,
    /// The namespace of a `Policy`.
    pub namespace: Option<String>,
}

impl Policy {
    /// The rule's own part of the syntax tree.
    pub fn rule_ast(&self, rule: &Rule) -> Option<&ast::Rule> {
        self.ast.rules.get(rule.index)
    }
}
