//! Modules in WebAssembly, as rules ask them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::ast;
use crate::ast::guest::Changes;
use crate::builders::Builders;
use crate::wasm::bounds::Limits;
use crate::wasm::metadata::Abi;

use super::{Body, Change, Mutate, Rule};

/// A module that a rule asks, and under which conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Guest {
    /// The policy's key and the rule's name.
    pub rule: (String, String),
    /// The name of the text that the policy stands in: a file is looked for beside it.
    pub source: String,
    /// The module, as the policy names it.
    pub module: String,
    /// What its bytes must be.
    pub digest: Option<String>,
    /// Who must have signed it, in a registry.
    pub trust: Option<Arc<ModuleTrust>>,
    /// Which language it speaks; as it says itself where the policy does not.
    pub abi: Option<Abi>,
    /// Its settings, as JSON.
    pub settings: String,
    /// What it may take.
    pub limits: Limits,
    /// What it may ask for; wildcards.
    pub capabilities: Arc<[String]>,
    /// The kinds that it may ask the cluster for, as `apiVersion` and kind; all that its host may read where none are named.
    pub kinds: Option<Arc<[(String, String)]>>,
    /// What to say of a request that it refuses, before what it says itself.
    pub message: Option<String>,
    /// What it means that it changes the object, in a rule that validates.
    pub changes: Changes,
}

/// Who must have signed a module: judged by the same programs as images, when the module is fetched.
#[derive(Debug, Clone)]
pub struct ModuleTrust {
    /// What tells one such demand from another.
    pub key: String,
    /// The demand as a policy of its own, about images.
    pub policy: Arc<ast::Policy>,
    /// Who signs for which builder.
    pub builders: Arc<Builders>,
}

impl ModuleTrust {
    /// What a rule demands of its module, where it demands something.
    pub fn of(
        policy: &ast::Policy,
        rule: &ast::Rule,
        builders: &Arc<Builders>,
    ) -> Option<Arc<Self>> {
        let verify = rule.module_verify()?;
        Some(Arc::new(Self {
            key: verify.key(policy),
            policy: Arc::new(verify.as_policy(policy, rule)),
            builders: Arc::clone(builders),
        }))
    }
}

impl PartialEq for ModuleTrust {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ModuleTrust {}

impl Hash for ModuleTrust {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl Rule {
    /// The module that it asks, if it asks one.
    pub fn guest(&self) -> Option<&Arc<Guest>> {
        match &self.body {
            Body::Wasm(wasm) => Some(&wasm.guest),
            Body::Mutate(Mutate {
                change: Change::Wasm(guest),
                ..
            }) => Some(guest),
            Body::Mutate(_)
            | Body::Validate(_)
            | Body::PodSecurity(_)
            | Body::Rego(_)
            | Body::VerifyImages(_)
            | Body::Generate(_) => None,
        }
    }
}
