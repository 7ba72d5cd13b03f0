//! All loaded policies, compiled; immutable, and swapped whole.

use std::sync::Arc;

use crate::admission::AdmissionRequest;
use crate::evaluation::{Evaluation, Occasion, Phase, Scope};
use crate::jmespath::Environment;
use crate::limits::ContextSize;
use crate::program::guest::Guest;
use crate::program::together::Programs;
use crate::program::{BreakGlass, Exception, Policy, Rule, RuleKey};
use crate::selection::Selection;

/// Compiled policies, indexed by kind and operation.
#[derive(Debug, Default)]
pub struct PolicySet {
    policies: Vec<Policy>,
    exceptions: Vec<Arc<Exception>>,
    break_glass: Vec<Arc<BreakGlass>>,
    selection: Selection,
    together: Programs,
    context_size: ContextSize,
}

impl PolicySet {
    /// Indexes compiled policies.
    pub fn new(mut policies: Vec<Policy>) -> Self {
        Self {
            selection: Selection::new(&policies),
            together: Programs::new(&mut policies),
            exceptions: Vec::new(),
            break_glass: Vec::new(),
            context_size: ContextSize::default(),
            policies,
        }
    }

    /// The same with another bound of the contexts of rules.
    #[must_use]
    pub fn bounding_contexts(self, context_size: ContextSize) -> Self {
        Self {
            context_size,
            ..self
        }
    }

    /// The same with exceptions and what breaks the glass, each for the rules that it names.
    pub fn with_exceptions(
        mut policies: Vec<Policy>,
        exceptions: Vec<Exception>,
        break_glass: Vec<BreakGlass>,
    ) -> Self {
        let exceptions: Vec<_> = exceptions.into_iter().map(Arc::new).collect();
        let break_glass: Vec<_> = break_glass.into_iter().map(Arc::new).collect();
        for policy in &mut policies {
            let key = policy.ast.key();
            for rule in &mut policy.rules {
                let ast = policy.ast.rules.get(rule.index);
                let name = ast.map_or("", |ast| ast.name.value.as_str());
                let about = exceptions.iter().filter(|one| one.is_about(&key, name));
                rule.exceptions = about.map(Arc::clone).collect();
                let lets_in = break_glass.iter();
                let lets_in = lets_in.filter(|one| one.exception.is_about(&key, name));
                rule.break_glass = lets_in.map(Arc::clone).collect();
            }
        }
        Self {
            exceptions,
            break_glass,
            ..Self::new(policies)
        }
    }

    /// Starts an evaluation of `request`; the environment says what time it is, which the engine does not know.
    pub fn evaluate(
        self: &Arc<Self>,
        request: Arc<AdmissionRequest>,
        phase: Phase,
        scope: Scope,
        environment: Environment,
    ) -> Evaluation {
        let occasion = Occasion::Webhook(phase, Some(scope));
        Evaluation::start(Arc::clone(self), request, occasion, environment)
    }

    /// The same where no webhook is answered, as in a test: policies with `admission: false` count too.
    pub fn review(
        self: &Arc<Self>,
        request: Arc<AdmissionRequest>,
        phase: Phase,
        environment: Environment,
    ) -> Evaluation {
        let occasion = Occasion::Webhook(phase, None);
        Evaluation::start(Arc::clone(self), request, occasion, environment)
    }

    /// Starts an evaluation of what is changed and generated because of `request` besides its object, which no webhook
    /// answers: the rules with `mutate.targets`, and those that generate.
    pub fn evaluate_background(
        self: &Arc<Self>,
        request: Arc<AdmissionRequest>,
        environment: Environment,
    ) -> Evaluation {
        Evaluation::start(Arc::clone(self), request, Occasion::Background, environment)
    }

    /// The longest `webhookTimeoutSeconds` of any policy.
    pub fn timeout_seconds(&self) -> Option<u32> {
        let seconds = |policy: &Policy| policy.ast.webhook_timeout_seconds();
        self.policies.iter().filter_map(seconds).max()
    }

    /// The policies, in the order of loading.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// How large the contexts of rules may become.
    pub const fn context_size(&self) -> ContextSize {
        self.context_size
    }

    /// The exceptions, in the order of loading.
    pub fn exceptions(&self) -> &[Arc<Exception>] {
        &self.exceptions
    }

    /// What breaks the glass, in the order of loading, whether it is open or not.
    pub fn break_glass(&self) -> &[Arc<BreakGlass>] {
        &self.break_glass
    }

    /// Programs that judge many rules at once.
    pub fn together(&self) -> &Programs {
        &self.together
    }

    /// The modules that rules ask, each with the rule that does.
    pub fn guests(&self) -> impl Iterator<Item = (&Policy, &Rule, &Arc<Guest>)> {
        let rules = |policy: &Policy| 0..policy.rules.len();
        self.policies.iter().flat_map(move |policy| {
            rules(policy).filter_map(move |index| {
                let rule = policy.rules.get(index)?;
                Some((policy, rule, rule.guest()?))
            })
        })
    }

    /// Rules that may be about a request, in the order of the policies.
    pub(crate) fn candidates(&self, request: &AdmissionRequest) -> Vec<RuleKey> {
        self.selection.candidates(&self.policies, request)
    }
}
