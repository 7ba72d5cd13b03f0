//! `podSecurity` rules: against what Kyverno says of the shared corpora, and our own set of policies against them.

mod pods;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use regent_engine::load::{Environment, load};
use regent_engine::pod_security::{Level, Pod, Version, evaluate};
use regent_engine::policy_set::PolicySet;
use regent_engine::source::Source;
use serde_json::Value;

use super::oracle;

/// The policies of a recorded folder that have a `podSecurity` rule.
fn sources(folder: &Path, document: &Value) -> Vec<Arc<Source>> {
    let paths = document["policies"].as_array();
    let texts = paths.into_iter().flatten().filter_map(|path| {
        let path = folder.join(path.as_str()?);
        Some((path.display().to_string(), fs::read_to_string(path).ok()?))
    });
    texts
        .filter(|(_, text)| text.contains("podSecurity:"))
        .map(|(name, text)| Source::new(name, text))
        .collect()
}

/// How many resources of a recorded folder were asked about, and where the answers differ.
fn differences(corpora: &Path, corpus: &str, document: &Value) -> (usize, Vec<String>) {
    let folder = document["folder"].as_str().unwrap();
    let sources = sources(&corpora.join(corpus).join(folder), document);
    if sources.is_empty() {
        return (0, Vec::new());
    }
    let loaded = load(&sources, &Environment::default());
    let resources = document["resources"].as_array().unwrap();
    let different = resources.iter().filter_map(|resource| {
        let object = &resource["object"];
        let want = oracle::wanted(resource);
        let got = oracle::evaluate(&loaded.policies, object);
        (want != got).then(|| format!("{object}: Kyverno {want:?}, Regent {got:?}"))
    });
    (resources.len(), different.collect())
}

#[test]
fn the_corpora_are_judged_as_by_kyverno_to_the_word() {
    let Some(recorded) = regent_tests::shared_path("conformance/oracle") else {
        return;
    };
    let corpora = recorded.parent().unwrap();
    let mut asked = 0;
    let mut wrong = Vec::new();
    for (set, corpus) in [("policies", "kyverno-policies"), ("cli", "kyverno-cli")] {
        for entry in fs::read_dir(recorded.join(set)).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let document: Value = serde_json::from_str(&text).unwrap();
            let (of, different) = differences(corpora, corpus, &document);
            asked += of;
            wrong.extend(different);
        }
    }
    regent_tests::record("oracle-pod-security", asked - wrong.len(), asked);
    assert!(asked > 0, "no folder has such a policy");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The policies of the repository, each with the level that its control is of, and the check behind it.
const SET: [(&str, Level, &str); 18] = {
    use Level::{Baseline, Restricted};
    [
        ("disallow-capabilities", Baseline, "capabilities_baseline"),
        ("disallow-host-namespaces", Baseline, "hostNamespaces"),
        ("disallow-host-path", Baseline, "hostPathVolumes"),
        ("disallow-host-ports", Baseline, "hostPorts"),
        ("disallow-host-process", Baseline, "windowsHostProcess"),
        (
            "disallow-privilege-escalation",
            Restricted,
            "allowPrivilegeEscalation",
        ),
        ("disallow-privileged-containers", Baseline, "privileged"),
        (
            "disallow-probe-hosts",
            Baseline,
            "hostProbesAndHostLifecycle",
        ),
        ("disallow-proc-mount", Baseline, "procMount"),
        ("disallow-selinux-options", Baseline, "seLinuxOptions"),
        (
            "disallow-unconfined-seccomp",
            Baseline,
            "seccompProfile_baseline",
        ),
        ("require-non-root-user", Restricted, "runAsUser"),
        ("require-run-as-non-root", Restricted, "runAsNonRoot"),
        ("require-seccomp", Restricted, "seccompProfile_restricted"),
        ("restrict-apparmor", Baseline, "appArmorProfile"),
        (
            "restrict-capabilities",
            Restricted,
            "capabilities_restricted",
        ),
        ("restrict-sysctls", Baseline, "sysctls"),
        ("restrict-volume-types", Restricted, "restrictedVolumes"),
    ]
};

/// A `podSecurity` rule of a level, as a policy of its name.
fn rule_of(level: Level) -> Arc<Source> {
    let level = level.name();
    let text = format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: {level}}}\nspec:\n  rules:\n  - name: level\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate: {{podSecurity: {{level: {level}, version: latest}}}}\n"
    );
    Source::new(format!("{level}.yaml"), text)
}

/// How many pods are made, and about how many of those that are found are looked at.
const MADE: usize = 300;
const FOUND: usize = 150;

/// Pods and what makes pods, of the shared material.
fn found() -> Vec<Value> {
    let Some(recorded) = regent_tests::shared_path("conformance/oracle/policies") else {
        return Vec::new();
    };
    let mut objects = BTreeSet::new();
    for entry in fs::read_dir(recorded).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let resources = document["resources"].as_array().unwrap().iter();
        let specs = resources
            .map(|resource| &resource["object"])
            .filter(|object| {
                let kind = object["kind"].as_str().unwrap_or("");
                [
                    "Pod",
                    "Deployment",
                    "StatefulSet",
                    "DaemonSet",
                    "Job",
                    "CronJob",
                ]
                .contains(&kind)
            });
        objects.extend(specs.map(Value::to_string));
    }
    // Every so many: they are mutants of each other.
    let step = (objects.len() / FOUND).max(1);
    let objects = objects.iter().step_by(step);
    objects
        .map(|text| stored(serde_json::from_str(text).unwrap()))
        .collect()
}

/// An object as the API server would have it: it drops what is null.
fn stored(object: Value) -> Value {
    match object {
        Value::Object(fields) => {
            let written = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(written.map(|(name, value)| (name, stored(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(stored).collect()),
        other => other,
    }
}

/// Whether there is a pod that Kubernetes takes: one with containers.
fn has_containers(object: &Value) -> bool {
    let paths = [
        "/spec",
        "/spec/template/spec",
        "/spec/jobTemplate/spec/template/spec",
    ];
    let mut specs = paths.into_iter().filter_map(|path| object.pointer(path));
    let list = |spec: &Value| {
        spec.get("containers")
            .and_then(Value::as_array)
            .map(Vec::len)
    };
    specs.any(|spec| list(spec).is_some_and(|length| length > 0))
}

/// Where policies of the set and `podSecurity` rules differ; nothing where there is no pod that Kubernetes could read.
fn compared(set: &Arc<PolicySet>, object: &Value) -> Option<Vec<String>> {
    let kind = object["kind"].as_str().filter(|_| has_containers(object))?;
    let pod = Pod::of_resource(kind, object).ok()?;
    let violations = evaluate(Level::Restricted, Version::Latest, &pod);
    let violated: BTreeSet<&str> = violations.iter().map(|one| one.check.name()).collect();
    let answers = oracle::evaluate_once(set, object);
    let passes = |policy: &str| {
        let of_policy = answers.iter().filter(|((name, _), _)| name == policy);
        let statuses: Vec<&str> = of_policy.map(|(_, answer)| answer.0.as_str()).collect();
        let passes = statuses
            .iter()
            .all(|status| ["pass", "skip"].contains(status));
        (!statuses.is_empty()).then_some(passes)
    };
    // Kinds that autogen makes no rule for are nobody's business.
    passes(Level::Restricted.name())?;
    let mut different = Vec::new();
    for (policy, _, check) in &SET {
        let expected = Some(!violated.contains(check));
        if passes(policy) != expected {
            different.push(format!(
                "{policy}: {:?}, {check}: {expected:?}",
                passes(policy)
            ));
        }
    }
    for level in [Level::Baseline, Level::Restricted] {
        let mut of_level = SET.iter().filter(|(_, of, _)| *of <= level);
        let together = of_level.all(|(policy, _, _)| passes(policy) == Some(true));
        if passes(level.name()) != Some(together) {
            different.push(format!("together: {together}, {}: otherwise", level.name()));
        }
    }
    Some(
        different
            .iter()
            .map(|line| format!("{line}: {object}"))
            .collect(),
    )
}

#[test]
fn our_own_set_decides_as_pod_security_rules_do() {
    let folder = regent_tests::workspace().join("policies/pod-security");
    let there = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<_> = there.map(|name| name.into_string().unwrap()).collect();
    let named: BTreeSet<_> = SET
        .iter()
        .map(|(policy, _, _)| (*policy).to_owned())
        .collect();
    assert_eq!(there, named);
    let sources = named.iter().map(|name| {
        let path = folder.join(name).join("policy.yaml");
        Source::new(
            path.display().to_string(),
            fs::read_to_string(path).unwrap(),
        )
    });
    let rules = [Level::Baseline, Level::Restricted].map(rule_of);
    let sources: Vec<_> = sources.chain(rules).collect();
    let loaded = load(&sources, &Environment::default());
    assert_eq!(loaded.diagnostics, []);
    let mut random = pods::Random::new(0x9E37_79B9_7F4A_7C15);
    let made: Vec<Value> = (0..MADE).map(|_| pods::resource(&mut random)).collect();
    let mut read = 0;
    let mut wrong = Vec::new();
    for object in made.iter().chain(&found()) {
        let Some(differences) = compared(&loaded.policies, object) else {
            continue;
        };
        read += 1;
        wrong.extend(differences);
    }
    assert!(read >= made.len(), "only {read} pods were read");
    let first: Vec<_> = wrong.iter().take(20).cloned().collect();
    assert!(
        wrong.is_empty(),
        "{} of {read} pods:\n{}",
        wrong.len(),
        first.join("\n")
    );
}
