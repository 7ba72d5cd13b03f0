//! Modules that policies ask: found, compiled one at a time, kept, and run within their limits.
//!
//! The engine says what a module may do and does it; this has what the engine must not have: files, a clock, threads.

mod cache;
pub(crate) mod find;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use regent_engine::diagnostic::{Code, Diagnostic, Fault};
use regent_engine::evaluation::need::{Fact, FactError, GuestNeed, Need};
use regent_engine::load::Loaded;
use regent_engine::policy_set::PolicySet;
use regent_engine::program::guest::Guest;
use regent_engine::program::{Policy, Rule};
use regent_engine::wasm::bounds::{self, Limits};
use regent_engine::wasm::call::{Outcome, Request, Terms};
use regent_engine::wasm::error::WasmError;
use regent_engine::wasm::metadata::Abi;
use regent_engine::wasm::module::Module;
use regent_engine::wasm::runtime::{Metering, Runtime, digest};
use regent_engine::wasm::verdict::SettingsVerdict;
use tokio::time::{Instant, timeout_at};

use crate::image::module::RemoteModules;
use cache::Cache;
use turns::{Turn, Turns};

/// Where modules come from, and where what is made of them is kept.
#[derive(Debug, Clone, Default)]
pub struct GuestSettings {
    /// A folder for compiled modules; none are kept where there is none.
    pub cache: Option<PathBuf>,
    /// Registries; where there are none, modules in registries are not looked for, and nothing is said of them.
    pub remote: Option<Arc<RemoteModules>>,
}

/// Where a module is, what it must be, and what it is asked with: rules that agree in this share it, and a module that
/// refuses the settings of one is still there for those of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    place: String,
    digest: Option<String>,
    trust: Option<String>,
    abi: Option<Abi>,
    settings: String,
    limits: Limits,
}

impl Name {
    fn of(guest: &Guest) -> Self {
        Self {
            place: find::place(guest),
            digest: guest.digest.clone(),
            trust: guest.trust.as_ref().map(|trust| trust.key.clone()),
            abi: guest.abi,
            settings: guest.settings.clone(),
            limits: guest.limits,
        }
    }
}

/// A module, or why it cannot be used.
#[derive(Debug, Clone)]
struct Kept {
    module: Result<Module, String>,
    /// The trust roots under which it was verified, where that is demanded: under others it does not count.
    verified_under: Option<String>,
}

/// Why a module cannot be used, or not as it is now.
#[derive(Debug)]
struct Wrong {
    reason: String,
    fault: Fault,
}

impl Wrong {
    /// A module is not to be had from where it is.
    fn gone(guest: &Guest, reason: String) -> Self {
        let fault = match &guest.trust {
            Some(_) => Fault::Untrusted,
            None if find::is_remote(guest) => Fault::Absent,
            None => Fault::Module,
        };
        Self { reason, fault }
    }

    /// A module is there, and cannot be used.
    fn unfit(reason: String) -> Self {
        let fault = Fault::Module;
        Self { reason, fault }
    }
}

/// Modules by where they are.
type Known = BTreeMap<Name, Kept>;

/// The modules of policies.
#[derive(Debug, Default)]
struct Shelf {
    /// Of those that are in force, or are being loaded.
    named: Known,
    /// Of those that were in force before: requests that began with them still ask. Nothing comes back from here.
    retired: Known,
}

/// All modules.
#[derive(Debug)]
pub struct Guests {
    runtime: Runtime,
    settings: GuestSettings,
    cache: Option<Cache>,
    known: RwLock<Shelf>,
    /// Held while modules are compiled: one at a time, so that the processor is left for requests.
    compiling: Mutex<()>,
    /// The turns of each policy's modules.
    turns: Mutex<BTreeMap<String, Arc<Turns>>>,
}

impl Guests {
    /// Starts what counts the time of modules.
    pub fn start(settings: GuestSettings) -> Result<Arc<Self>, WasmError> {
        let runtime = Runtime::new(Metering::Time)?;
        let ticker = runtime.ticker();
        let ticking = std::thread::Builder::new().name("guest-time".to_owned());
        let ticking = ticking.spawn(move || {
            while ticker.tick() {
                std::thread::sleep(bounds::TICK);
            }
        });
        if let Err(error) = ticking {
            return Err(WasmError::Internal(format!(
                "no thread for the time of modules: {error}"
            )));
        }
        let cache = settings.cache.as_deref().and_then(|folder| match Cache::open(folder) {
            Ok(cache) => Some(cache),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "compiled modules are not kept");
                None
            }
        });
        Ok(Arc::new(Self {
            runtime,
            settings,
            cache,
            known: RwLock::default(),
            compiling: Mutex::default(),
            turns: Mutex::default(),
        }))
    }

    /// Finds and compiles the modules of policies, and has each look at its settings; what is wrong is added to what is
    /// to be said of the policies. A rule whose module cannot be used is an error on each request.
    pub fn prepare(&self, loaded: &mut Loaded) {
        let said = self.prepare_set(&loaded.policies);
        loaded.diagnostics.extend(said);
    }

    fn prepare_set(&self, set: &PolicySet) -> Vec<Diagnostic> {
        let _one_at_a_time = self
            .compiling
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = self.shelf(|shelf| shelf.named.clone());
        let mut now = Known::new();
        let mut wrongs = BTreeMap::new();
        let mut diagnostics = Vec::new();
        for (policy, rule, guest) in set.guests() {
            let name = Name::of(guest);
            if !now.contains_key(&name) {
                let (kept, wrong) = self.prepare_one(&name, guest, (&now, &before));
                now.insert(name.clone(), kept);
                wrongs.insert(name.clone(), wrong);
            }
            if let Some(Some(wrong)) = wrongs.get(&name) {
                diagnostics.extend(diagnostic(policy, rule, guest, wrong));
            }
        }
        // Requests that began with the policies before still ask for their modules.
        for (name, module) in before {
            now.entry(name).or_insert(module);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.named = now;
        diagnostics
    }

    /// Forgets the modules that none of these policies names, which are in force now: what is gone does not come back as
    /// the earlier form of something.
    pub(crate) fn settle(&self, set: &PolicySet) {
        let in_force: BTreeSet<Name> = set.guests().map(|(_, _, guest)| Name::of(guest)).collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let (named, retired) = std::mem::take(&mut known.named)
            .into_iter()
            .partition(|(name, _)| in_force.contains(name));
        *known = Shelf { named, retired };
        drop(known);
        if let Some(remote) = &self.settings.remote {
            remote.settle();
        }
    }

    /// Whether a registry gave a module, or said that it has none, after policies were loaded without it.
    pub(crate) fn has_news(&self) -> bool {
        let remote = self.settings.remote.as_ref();
        remote.is_some_and(|remote| remote.has_news())
    }

    fn shelf<T>(&self, look: impl FnOnce(&Shelf) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A module of a rule, and what is to be said of it.
    fn prepare_one(
        &self,
        name: &Name,
        guest: &Guest,
        (now, before): (&Known, &Known),
    ) -> (Kept, Option<Wrong>) {
        let unusable = |reason: String| Kept {
            module: Err(reason),
            verified_under: None,
        };
        let remote = self.settings.remote.as_ref();
        if find::is_remote(guest) && remote.is_none() {
            return (unusable("registries are not asked here".to_owned()), None);
        }
        let verified_under = guest.trust.as_ref().and(remote).map(|one| one.trusted());
        let verified_under = match verified_under.transpose() {
            Ok(roots) => roots,
            Err(reason) => {
                let kept = unusable(reason.clone());
                return (kept, Some(Wrong::gone(guest, reason)));
            }
        };
        let earlier = before
            .get(name)
            .filter(|kept| kept.verified_under == verified_under)
            .and_then(|kept| kept.module.as_ref().ok());
        let loaded = match earlier.filter(|_| find::is_remote(guest)) {
            // It is named by its digest, so it is the same.
            Some(module) => Ok(module.clone()),
            None => self.load(name, guest, [now, before]),
        };
        let (module, wrong) = match loaded {
            Ok(module) => match check_settings(&module, guest) {
                Ok(()) => (Ok(module), None),
                Err(Unfit::Refused(reason)) => (Err(reason.clone()), Some(Wrong::unfit(reason))),
                // What fails here fails on requests as well, or answers them.
                Err(Unfit::Failed(reason)) => (Ok(module), Some(Wrong::unfit(reason))),
            },
            Err(wrong) => (Err(wrong.reason.clone()), Some(wrong)),
        };
        let (module, wrong) = match (wrong, earlier) {
            // It stays in force as it was.
            (Some(Wrong { reason, .. }), Some(earlier)) => {
                let fault = Fault::LaterModule;
                (Ok(earlier.clone()), Some(Wrong { reason, fault }))
            }
            (wrong, _) => (module, wrong),
        };
        let kept = Kept {
            module,
            verified_under,
        };
        (kept, wrong)
    }

    fn load(&self, name: &Name, guest: &Guest, known: [&Known; 2]) -> Result<Module, Wrong> {
        let bytes = self.bytes(guest);
        let (wasm, found) = bytes.map_err(|reason| Wrong::gone(guest, reason))?;
        let same = known.into_iter().flatten().find_map(|(known, kept)| {
            let module = kept.module.as_ref().ok()?;
            (known.abi == name.abi && module.digest() == found).then_some(module)
        });
        if let Some(module) = same {
            return Ok(module.clone());
        }
        let opened = self
            .cache
            .as_ref()
            .and_then(|cache| cache.open_module(&self.runtime, &wasm, name.abi));
        if let Some(module) = opened {
            return Ok(module);
        }
        let module = Module::compile(&self.runtime, &wasm, name.abi);
        let module = module.map_err(|error| Wrong::unfit(error.to_string()))?;
        if let Some(cache) = &self.cache {
            cache.keep(&module, &self.runtime);
        }
        Ok(module)
    }

    /// The bytes of a module and their digest. One of a registry is kept where the policy says what its bytes are, so that a
    /// restart does not need the registry.
    fn bytes(&self, guest: &Guest) -> Result<(Vec<u8>, String), String> {
        // Who signed it is not kept: where that is asked for, the registry is too.
        let remote = self.settings.remote.as_ref();
        let may_be_kept = remote.is_none_or(|remote| remote.may_be_kept());
        let is_kept = may_be_kept && find::is_remote(guest) && guest.trust.is_none();
        let kept = self.cache.as_ref().filter(|_| is_kept);
        let kept = kept.zip(guest.digest.as_ref());
        if let Some((cache, wanted)) = kept
            && let Some(wasm) = cache.fetched(wanted)
        {
            return Ok((wasm, wanted.clone()));
        }
        let wasm = find::bytes(guest, self.settings.remote.as_deref())?;
        let found = digest(&wasm);
        if let Some(wanted) = guest.digest.as_ref().filter(|wanted| **wanted != found) {
            return Err(format!(
                "its digest is {found}, and the policy wants {wanted}"
            ));
        }
        if let Some((cache, wanted)) = kept {
            cache.keep_fetched(wanted, &wasm);
        }
        Ok((wasm, found))
    }

    /// What a module says, on this thread.
    pub fn answer(&self, need: &GuestNeed) -> Fact {
        self.answer_within(need, need.guest.limits)
    }

    fn answer_within(&self, need: &GuestNeed, limits: Limits) -> Fact {
        let guest = &need.guest;
        let name = Name::of(guest);
        let module = self.shelf(|shelf| {
            let kept = shelf.named.get(&name).or_else(|| shelf.retired.get(&name));
            kept.map(|kept| kept.module.clone())
        });
        let module = match module {
            Some(Ok(module)) => module,
            Some(Err(reason)) => return Fact::Guest(Err(FactError::Unavailable(reason))),
            None => {
                let reason = "it is not loaded".to_owned();
                return Fact::Guest(Err(FactError::Unavailable(reason)));
            }
        };
        let request = Request {
            uid: &need.uid,
            json: &need.request,
            settings: &guest.settings,
        };
        let terms = Terms {
            limits,
            capabilities: Arc::clone(&guest.capabilities),
            answers: Arc::clone(&need.answers),
            seconds: need.seconds,
        };
        let ran = module.validate(&request, terms);
        log(guest, &ran.log);
        Fact::Guest(ran.outcome.map_err(|error| match error {
            WasmError::Timeout => FactError::Timeout(error.to_string()),
            other => FactError::Malformed(other.to_string()),
        }))
    }

    /// The same beside other work: on a thread where it may take its time, and not more of them than the policy may have.
    pub(crate) async fn answer_beside(
        self: &Arc<Self>,
        need: GuestNeed,
        deadline: Instant,
    ) -> Fact {
        let late = |what: &str| Fact::Guest(Err(FactError::Timeout(what.to_owned())));
        let turns = self.turns_of(&need.guest);
        let Ok(Some(turn)) = timeout_at(deadline, turns.next(&need)).await else {
            return late("other calls of the policy's modules took all the time of the request");
        };
        let this = Arc::clone(self);
        let asked = Need::Guest(need.clone());
        // The turn is held until the module ends, not until nobody waits for it any more.
        let answer = tokio::task::spawn_blocking(move || this.answer_in_turn(&need, &turns, turn));
        match timeout_at(deadline, answer).await {
            Ok(Ok(fact)) => fact,
            Ok(Err(_panicked)) => crate::host::defect(&asked),
            Err(_elapsed) => late("it did not answer before the deadline of the request"),
        }
    }

    fn answer_in_turn(&self, need: &GuestNeed, turns: &Turns, turn: Turn) -> Fact {
        let fact = self.answer_within(need, turn.limits);
        if !matches!(fact, Fact::Guest(Err(FactError::Timeout(_)))) {
            return fact;
        }
        let (policy, short) = (&need.guest.rule.0, turn.short());
        if let Some(time) = turns.was_late(need, turn) {
            tracing::warn!(
                policy,
                seconds = time.as_secs(),
                "modules of the policy ran out of their time again and again: their calls get a tenth of it for a while"
            );
        }
        match short {
            Some(time) => Fact::Guest(Err(FactError::Timeout(format!(
                "it did not answer in {} ms, all that it gets after calls that ran out of time",
                time.as_millis()
            )))),
            None => fact,
        }
    }

    fn turns_of(&self, guest: &Guest) -> Arc<Turns> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = turns.entry(guest.rule.0.clone());
        Arc::clone(policy.or_insert_with(|| Arc::new(Turns::new())))
    }

    /// A module that no policy names, for commands.
    pub fn module(&self, wasm: &[u8], abi: Option<Abi>) -> Result<Module, WasmError> {
        Module::compile(&self.runtime, wasm, abi)
    }
}

/// Why a module is not fit for a rule.
enum Unfit {
    /// It says that it cannot work with the settings.
    Refused(String),
    /// It says nothing of them.
    Failed(String),
}

/// Asks a module about its settings, as it will be given them.
fn check_settings(module: &Module, guest: &Guest) -> Result<(), Unfit> {
    let ran = module.validate_settings(&guest.settings, terms_of_settings(guest));
    log(guest, &ran.log);
    match ran.outcome {
        Ok(Outcome::Answered(SettingsVerdict::Valid)) => Ok(()),
        Ok(Outcome::Answered(SettingsVerdict::Invalid(reason))) => {
            let reason = format!("its settings are not valid: {reason}");
            Err(Unfit::Refused(reason))
        }
        Ok(Outcome::Asks(call)) => {
            let reason = format!("it asks for `{call}` to look at its settings");
            Err(Unfit::Failed(reason))
        }
        Err(error) => {
            let reason = format!("it could not look at its settings: {error}");
            Err(Unfit::Failed(reason))
        }
    }
}

/// Settings are looked at when they are loaded: by the policy's limits, and without asking anybody.
fn terms_of_settings(guest: &Guest) -> Terms {
    Terms {
        limits: guest.limits,
        capabilities: [].into(),
        answers: [].into(),
        seconds: 0,
    }
}

fn log(guest: &Guest, lines: &[String]) {
    let (policy, rule) = (&guest.rule.0, &guest.rule.1);
    for line in lines {
        tracing::debug!(policy, rule, "module says: {line}");
    }
}

fn diagnostic(policy: &Policy, rule: &Rule, guest: &Guest, wrong: &Wrong) -> Option<Diagnostic> {
    let written = policy.rule_ast(rule)?.guest()?;
    let message = format!("module `{}` cannot be used: {}", guest.module, wrong.reason);
    let span = written.module.span;
    let source = &policy.ast.source;
    let diagnostic = Diagnostic::error(Code::UnusableModule, source, span, message);
    Some(diagnostic.fault(wrong.fault))
}
