use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use regent_engine::load::Environment;
use regent_engine::load::modules::{ModuleFiles, ModuleText};

use super::namespaces::Namespaces;
use super::retry::{FIRST, MOST, Retry};
use super::{Consequence, Snapshot, Watch, files};
use crate::guests::{GuestSettings, Guests};
use crate::metrics::Metrics;

#[test]
fn a_directory_gives_its_policies_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "b/policy.yaml",
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\n",
    );
    write("a/policy.yml", "apiVersion: \"kyverno.io/v2beta1\"\n");
    write("c.json", r#"{"apiVersion": "kyverno.io/v1"}"#);
    write("b/resources.yaml", "apiVersion: v1\nkind: Pod\n");
    write(
        "b/kyverno-test.yaml",
        "apiVersion: cli.kyverno.io/v1alpha1\n",
    );
    write("..data/policy.yaml", "apiVersion: kyverno.io/v1\n");
    write("notes.txt", "apiVersion: kyverno.io/v1\n");
    let names = || -> Vec<String> {
        let sources = files::read(&[directory.path().to_owned()], &BTreeSet::new()).unwrap();
        let strip = |name: &str| {
            name.strip_prefix(directory.path().to_str().unwrap())
                .unwrap()
                .to_owned()
        };
        sources.iter().map(|source| strip(&source.name)).collect()
    };
    assert_eq!(names(), ["/a/policy.yml", "/b/policy.yaml", "/c.json"]);
    let before = files::Fingerprint::of(&[directory.path().to_owned()], None);
    assert_eq!(
        before,
        files::Fingerprint::of(&[directory.path().to_owned()], None)
    );
    write("d.yaml", "apiVersion: kyverno.io/v1\n");
    assert_ne!(
        before,
        files::Fingerprint::of(&[directory.path().to_owned()], None)
    );
    assert_eq!(names().len(), 4);
}

#[test]
fn what_is_named_must_be_there() {
    let missing = std::path::PathBuf::from("/nonexistent/policy.yaml");
    let error = files::read(&[missing], &BTreeSet::new())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("/nonexistent/policy.yaml: "), "{error}");
    // A device claims no length, and has no end.
    let endless = files::read(&["/dev/zero".into()], &BTreeSet::new())
        .unwrap_err()
        .to_string();
    assert!(endless.contains("larger than"), "{endless}");
}

#[test]
fn namespaces_are_read_and_others_refused() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: production\n  labels:\n    tier: 'one'\n---\nkind: List\nitems:\n- kind: Namespace\n  metadata: {name: plain}\n";
    let namespaces = Namespaces::parse("n.yaml".into(), text.into()).unwrap();
    assert_eq!(namespaces.labels("production").unwrap()["tier"], "one");
    assert!(namespaces.labels("plain").unwrap().is_empty());
    assert!(namespaces.labels("other").is_none());
    for (text, message) in [
        (
            "kind: Pod\nmetadata: {name: a}\n",
            "n.yaml:1:1: not a manifest of kind `Namespace`",
        ),
        ("kind: Namespace\n", "n.yaml:1:1: `metadata` is missing"),
        (
            "kind: Namespace\nmetadata: {name: a, labels: {b: 1}}\n",
            "n.yaml:1:1: a label's value is not a text",
        ),
    ] {
        let error = Namespaces::parse("n.yaml".into(), text.into()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

const MODULE: &str = "package labels\n\nviolation contains {\"msg\": \"no team\"} if not input.review.object.metadata.labels.team\n";

const VERIFY: &str = ", verify: {attestors: [{entries: [{keyless: {issuer: 'https://issuer.example', subject: 'https://example.org/me'}}]}]}";

/// A registry that is there or not, in which nothing is signed.
#[derive(Clone)]
struct Registry {
    there: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Registry {
    fn new(there: bool) -> Self {
        Self {
            there: Arc::new(AtomicBool::new(there)),
            asked: Arc::default(),
        }
    }

    fn is_there(&self, there: bool) {
        self.there.store(there, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn watch(&self, folder: &Path) -> Watch {
        let this = self.clone();
        let modules = ModuleFiles::new(move |file| {
            this.asked.fetch_add(1, Ordering::Relaxed);
            match this.there.load(Ordering::Relaxed) {
                true if file.module.contains("/away@") => Err("it is not there".to_owned()),
                true if file.trust.is_some() => Err("nobody signed it".to_owned()),
                true => Ok(ModuleText::Read(MODULE.to_owned())),
                false => Err("the registry is away".to_owned()),
            }
        });
        let environment = Environment {
            modules,
            ..Environment::default()
        };
        let guests = Guests::start(GuestSettings::default()).unwrap();
        let metrics = Metrics::new().unwrap();
        let with = (environment, guests);
        Watch::start(vec![folder.to_owned()], None, with, metrics).unwrap()
    }
}

/// A policy whose module is in a registry.
fn policy(name: &str, verify: &str) -> String {
    let digest = "0".repeat(64);
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - name: r\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      rego: {{module: 'oci://registry.example/{name}@sha256:{digest}'{verify}}}\n"
    )
}

fn now(watch: &Watch) -> Arc<Snapshot> {
    watch.current().load_full()
}

/// The consequences of what is wrong, in order.
fn consequences(snapshot: &Snapshot) -> Vec<Consequence> {
    let problems = snapshot.problems.iter();
    problems.map(|problem| problem.consequence).collect()
}

/// The text of the one policy that is in force.
fn text(snapshot: &Snapshot) -> String {
    let [policy] = snapshot.policies.policies() else {
        panic!("not one policy");
    };
    policy.ast.source.text.clone()
}

#[test]
fn a_module_that_a_registry_does_not_give_is_asked_for_again_until_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), policy("labels", "")).unwrap();
    let registry = Registry::new(false);
    let mut watch = registry.watch(folder.path());
    let start = Instant::now();
    // The policy is in force, and its rule denies: that is no reason to be asked nothing at all.
    let snapshot = now(&watch);
    assert_eq!(snapshot.files_in_force, 1);
    assert_eq!(snapshot.policies.policies().len(), 1);
    assert_eq!(consequences(&snapshot), [Consequence::RuleIsError]);
    let said = snapshot.problems[0].to_string();
    assert!(
        said.ends_with("the registry is away (its rule is an error)"),
        "{said}"
    );
    watch.poll_at(start);
    assert_eq!(registry.asked(), 1);
    watch.poll_at(start + FIRST + Duration::from_secs(1));
    assert_eq!(registry.asked(), 2);
    watch.poll_at(start + FIRST + Duration::from_secs(2));
    assert_eq!(registry.asked(), 2);
    registry.is_there(true);
    watch.poll_at(start + FIRST * 3);
    assert_eq!(registry.asked(), 3);
    assert!(now(&watch).problems.is_empty());
    watch.poll_at(start + MOST * 2);
    assert_eq!(registry.asked(), 3);
}

#[test]
fn waits_grow_up_to_a_bound() {
    let now = Instant::now();
    let mut retry = Retry::default();
    assert!(!retry.is_due(now + MOST));
    retry.end(true, now);
    let mut wait = FIRST;
    for _ in 0..8 {
        assert!(!retry.is_due(now + wait / 2));
        assert!(retry.is_due(now + wait));
        retry.begin(now);
        retry.end(true, now);
        wait = (wait * 2).min(MOST);
    }
    assert_eq!(wait, MOST);
    retry.end(false, now);
    assert!(!retry.is_due(now + MOST));
}

#[test]
fn a_demand_for_signatures_is_in_force_though_nobody_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let (first, second) = (policy("labels", ""), policy("labels", VERIFY));
    fs::write(&path, &first).unwrap();
    let registry = Registry::new(true);
    let mut watch = registry.watch(folder.path());
    assert!(now(&watch).problems.is_empty());
    // Neither where it is known that nobody signed, nor where that cannot be found out.
    for there in [true, false] {
        registry.is_there(there);
        fs::write(&path, &second).unwrap();
        watch.reload();
        assert_eq!(consequences(&now(&watch)), [Consequence::RuleIsError]);
        assert_eq!(text(&now(&watch)), second);
        assert_eq!(now(&watch).files_in_force, 1);
        // A slip of the pen brings back what was in force last, not what was before.
        fs::write(&path, second.replace("validate:", "valdate:")).unwrap();
        watch.reload();
        assert!(consequences(&now(&watch)).contains(&Consequence::EarlierVersion));
        assert!(consequences(&now(&watch)).contains(&Consequence::RuleIsError));
        assert_eq!(text(&now(&watch)), second);
        registry.is_there(true);
        fs::write(&path, &first).unwrap();
        watch.reload();
        assert!(now(&watch).problems.is_empty());
    }
    // Who demands nothing keeps what there was, where that can be had and the new cannot.
    fs::write(&path, policy("away", "")).unwrap();
    watch.reload();
    assert_eq!(consequences(&now(&watch)), [Consequence::EarlierVersion]);
    assert_eq!(text(&now(&watch)), first);
}

#[test]
fn what_no_longer_counts_is_an_error_though_no_text_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), policy("labels", "")).unwrap();
    let registry = Registry::new(true);
    let mut watch = registry.watch(folder.path());
    fs::write(folder.path().join("no-text.yaml"), b"\xff").unwrap();
    registry.is_there(false);
    watch.reload();
    let snapshot = now(&watch);
    assert_eq!(
        consequences(&snapshot),
        [Consequence::RuleIsError, Consequence::EarlierVersion]
    );
    assert!(snapshot.problems[1].message.contains("not UTF-8"));
    assert_eq!((snapshot.files, snapshot.files_in_force), (1, 1));
    assert_eq!(text(&snapshot), policy("labels", ""));
    // It counts again as soon as the registry says so, whatever else cannot be read.
    registry.is_there(true);
    watch.poll_at(Instant::now() + FIRST);
    assert_eq!(consequences(&now(&watch)), [Consequence::EarlierVersion]);
}

#[test]
fn a_demand_for_signatures_is_in_force_though_its_file_is_broken_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let other = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: other}\nspec:\n  rules:\n  - name: r\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate: {message: m, pattern: {metadata: {name: a}}}\n";
    let broken = other.replace("pattern:", "patern:");
    let (plain, signed) = (policy("labels", ""), policy("labels", VERIFY));
    let write = |parts: [&str; 2]| fs::write(&path, parts.join("---\n")).unwrap();
    let registry = Registry::new(true);
    // Whether each policy demands who signed its modules, by name.
    let in_force = |watch: &Watch| -> Vec<(String, bool)> {
        let snapshot = now(watch);
        let policies = snapshot.policies.policies().iter();
        let mut found: Vec<_> = policies
            .map(|policy| {
                let mut rules = policy.ast.rules.iter();
                let demands = rules.any(|rule| rule.module_verify().is_some());
                (policy.ast.key(), demands)
            })
            .collect();
        found.sort();
        found
    };
    let both = |demands| vec![("other".to_owned(), false), ("p".to_owned(), demands)];
    write([other, &plain]);
    let mut watch = registry.watch(folder.path());
    assert_eq!(in_force(&watch), both(false));
    // What is broken stays as it was, and what demands something does.
    write([&broken, &signed]);
    watch.reload();
    assert_eq!(in_force(&watch), both(true));
    for problem in &now(&watch).problems {
        let of_module = problem.message.contains("nobody signed it");
        let wanted = if of_module {
            Consequence::RuleIsError
        } else {
            Consequence::EarlierVersion
        };
        assert_eq!(problem.consequence, wanted, "{problem}");
    }
    assert!(consequences(&now(&watch)).contains(&Consequence::RuleIsError));
    // Also where nothing can be read any more: the file, or the folder.
    write([&signed, "a: ["]);
    watch.reload();
    assert_eq!(in_force(&watch), both(true));
    fs::write(folder.path().join("no-text.yaml"), b"\xff").unwrap();
    watch.reload();
    assert_eq!(in_force(&watch), both(true));
    assert!(consequences(&now(&watch)).contains(&Consequence::RuleIsError));
    fs::remove_file(folder.path().join("no-text.yaml")).unwrap();
    // Where the whole file can be read, it is in force as it is.
    write([other, &plain]);
    watch.reload();
    assert_eq!(in_force(&watch), both(false));
    assert!(now(&watch).problems.is_empty());
}

/// An empty folder is a volume that is gone, unless somebody says that it is meant.
#[test]
fn paths_that_hold_no_file_any_more_keep_what_was_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    fs::write(&path, policy("labels", "")).unwrap();
    let mut watch = Registry::new(true).watch(folder.path());
    let policies = |watch: &Watch| now(watch).policies.policies().len();
    assert_eq!(policies(&watch), 1);
    fs::remove_file(&path).unwrap();
    for look in [Watch::poll, Watch::refresh, Watch::poll] {
        look(&mut watch);
        assert_eq!(policies(&watch), 1);
        let problems = &now(&watch).problems;
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}")
        };
        assert!(problem.message.contains("send SIGHUP"), "{problem}");
    }
    fs::write(&path, policy("labels", "")).unwrap();
    watch.poll();
    assert!(now(&watch).problems.is_empty());
    fs::remove_file(&path).unwrap();
    watch.reload();
    assert_eq!((policies(&watch), now(&watch).problems.len()), (0, 0));
}

/// A policy is gone when its file is: never because the file says something else, or nothing yet.
#[test]
fn a_file_that_held_a_policy_and_holds_none_keeps_it_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let first = policy("labels", "");
    fs::write(&path, &first).unwrap();
    fs::write(
        folder.path().join("pod.yaml"),
        "apiVersion: v1\nkind: Pod\n",
    )
    .unwrap();
    let mut watch = Registry::new(true).watch(folder.path());
    assert_eq!((now(&watch).files, now(&watch).problems.len()), (1, 0));
    for broken in [
        "",
        "# to be written\n",
        "apiVersion: kyv",
        "foo: [\n",
        "apiVersion: v1\nkind: Pod\n",
        &first.replace("kyverno.io", "kyvreno.io"),
        &first.replace("apiVersion", "apiVerson"),
    ] {
        fs::write(&path, broken).unwrap();
        watch.reload();
        let snapshot = now(&watch);
        let found = consequences(&snapshot);
        assert!(!found.is_empty(), "{broken}");
        let stays = |one: &Consequence| *one == Consequence::EarlierVersion;
        assert!(found.iter().all(stays), "{broken}: {found:?}");
        assert_eq!(text(&snapshot), first, "{broken}");
    }
    fs::remove_file(&path).unwrap();
    watch.reload();
    let snapshot = now(&watch);
    assert_eq!((snapshot.files, snapshot.policies.policies().len()), (0, 0));
    assert!(snapshot.problems.is_empty());
}
