//! Modules that are not in the text of a policy: how a host reads those of Rego, and who must have signed any of them.
//!
//! Knows neither files nor registries; what a signature proves is judged here, by the programs that judge images.

use std::sync::Arc;

use crate::admission::AdmissionRequest;
use crate::ast::module_verify::in_registry;
use crate::diagnostic::{Diagnostic, Fault};
use crate::evaluation::{Evaluation, Phase};
use crate::image::ImageReference;
use crate::jmespath::Environment;
use crate::policy_set::PolicySet;
use crate::program::guest::ModuleTrust;
use crate::response::{ImageOutcome, PolicyResponse, RuleStatus};
use crate::{check, compile};

/// A module of Rego that a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    /// The name of the text that the policy stands in: a file is looked for beside it.
    pub source: String,
    /// The file, or the place in a registry.
    pub module: String,
    /// What its bytes must be.
    pub digest: Option<String>,
    /// Who must have signed it.
    pub trust: Option<Arc<ModuleTrust>>,
}

impl ModuleFile {
    /// Whether it is in a registry.
    pub fn is_remote(&self) -> bool {
        in_registry(&self.module).is_some()
    }

    /// What it is a fault of that a registry does not give it.
    pub(super) fn fault(&self) -> Fault {
        match self.trust {
            Some(_) => Fault::Untrusted,
            None => Fault::Absent,
        }
    }
}

/// What a host says of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleText {
    /// Its text.
    Read(String),
    /// It is not looked for here: the policy is checked without it, and a rule that asks it has no answer.
    Unread,
}

/// How a host reads modules that policies name: it gives the module's text, or why there is none.
#[derive(Clone)]
pub struct ModuleFiles(Arc<ReadModule>);

type ReadModule = dyn Fn(&ModuleFile) -> Result<ModuleText, String> + Send + Sync;

impl ModuleFiles {
    /// A host that reads modules like this.
    pub fn new(
        read: impl Fn(&ModuleFile) -> Result<ModuleText, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(read))
    }

    /// What the host says of a module.
    pub fn read(&self, file: &ModuleFile) -> Result<ModuleText, String> {
        (self.0)(file)
    }
}

impl std::fmt::Debug for ModuleFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ModuleFiles")
    }
}

impl Default for ModuleFiles {
    /// A host that reads none.
    fn default() -> Self {
        Self::new(|_| Err("files are not read here".to_owned()))
    }
}

/// Whether a module was signed as a policy demands.
#[derive(Debug)]
pub struct Trial {
    /// Asks for the evidence, and for nothing else; to be run to its end.
    pub evaluation: Evaluation,
    module: String,
}

impl Trial {
    /// The trial of a module that is named by its digest.
    pub fn of(
        trust: &ModuleTrust,
        module: &ImageReference,
        environment: Environment,
    ) -> Result<Self, String> {
        let first = |diagnostics: Vec<Diagnostic>| {
            let mut errors = diagnostics.into_iter().filter(Diagnostic::is_error);
            let first = errors.next().map(|one| one.message);
            first.unwrap_or_else(|| "internal error".to_owned())
        };
        let (checked, said) = check::check((*trust.policy).clone(), &super::Environment::default());
        let checked = checked.ok_or_else(|| first(said))?;
        let policy = compile::compile(&checked, &trust.builders).map_err(first)?;
        let set = Arc::new(PolicySet::new(vec![policy]));
        let module = module.to_string();
        // The module stands where an image would.
        let request = Arc::new(AdmissionRequest::to_create_pod("module", None, &module));
        Ok(Self {
            evaluation: set.review(request, Phase::Mutate, environment),
            module,
        })
    }

    /// What became of it: nothing but a pass is one.
    pub fn end(&self, responses: &[PolicyResponse]) -> Result<(), String> {
        let rules = responses.iter().flat_map(|response| &response.rules);
        let rules: Vec<_> = rules.collect();
        let [rule] = rules.as_slice() else {
            return Err("nothing was judged".to_owned());
        };
        let verified = |image: &ImageOutcome| image.status == RuleStatus::Pass;
        let one = matches!(rule.images.as_slice(), [image] if verified(image));
        if rule.status == RuleStatus::Pass && one {
            return Ok(());
        }
        let before = format!("failed to verify image {}: ", self.module);
        let reason = rule.message.strip_prefix(&before);
        let reason = reason.unwrap_or(&rule.message);
        Err(match rule.status {
            RuleStatus::Fail => format!("its signatures are not what `verify` demands: {reason}"),
            RuleStatus::Error | RuleStatus::Warn | RuleStatus::Skip | RuleStatus::Pass => {
                format!("whether it is signed as `verify` demands is not known: {reason}")
            }
        })
    }
}
