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

/// The policies of the repository, each with the checks that its control is made of at the level that it is for.
const SET: [(&str, &str); 18] = [
    ("disallow-capabilities", "capabilities_baseline"),
    ("disallow-host-namespaces", "hostNamespaces"),
    ("disallow-host-path", "hostPathVolumes"),
    ("disallow-host-ports", "hostPorts"),
    ("disallow-host-process", "windowsHostProcess"),
    ("disallow-privilege-escalation", "allowPrivilegeEscalation"),
    ("disallow-privileged-containers", "privileged"),
    ("disallow-probe-hosts", "hostProbesAndHostLifecycle"),
    ("disallow-proc-mount", "procMount"),
    ("disallow-selinux-options", "seLinuxOptions"),
    ("disallow-unconfined-seccomp", "seccompProfile_baseline"),
    ("require-non-root-user", "runAsUser"),
    ("require-run-as-non-root", "runAsNonRoot"),
    ("require-seccomp", "seccompProfile_restricted"),
    ("restrict-apparmor", "appArmorProfile"),
    ("restrict-capabilities", "capabilities_restricted"),
    ("restrict-sysctls", "sysctls"),
    ("restrict-volume-types", "restrictedVolumes"),
];

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
    let objects = objects.iter();
    objects
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

/// Where a policy of the set and its check differ; nothing where Kubernetes could not read the pod.
fn compared(set: &Arc<PolicySet>, object: &Value) -> Option<Vec<String>> {
    let pod = Pod::of_resource(object["kind"].as_str()?, object).ok()?;
    let violations = evaluate(Level::Restricted, Version::Latest, &pod);
    let violated: BTreeSet<&str> = violations.iter().map(|one| one.check.name()).collect();
    let answers = oracle::evaluate(set, object);
    let differs = |(policy, check): &(&str, &str)| {
        let of_policy = answers.iter().filter(|((name, _), _)| name == policy);
        let statuses: Vec<&str> = of_policy.map(|(_, answer)| answer.0.as_str()).collect();
        let passes = !statuses.is_empty()
            && statuses
                .iter()
                .all(|status| *status == "pass" || *status == "skip");
        let expected = !violated.contains(check);
        let line = || format!("{policy} says {statuses:?}, {check} passes: {expected}: {object}");
        (passes != expected).then(line)
    };
    Some(SET.iter().filter_map(differs).collect())
}

#[test]
fn our_own_set_decides_as_pod_security_rules_do() {
    let folder = regent_tests::workspace().join("policies/pod-security");
    let there = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<_> = there.map(|name| name.into_string().unwrap()).collect();
    let named: BTreeSet<_> = SET.iter().map(|(policy, _)| (*policy).to_owned()).collect();
    assert_eq!(there, named);
    let sources = named.iter().map(|name| {
        let path = folder.join(name).join("policy.yaml");
        Source::new(
            path.display().to_string(),
            fs::read_to_string(path).unwrap(),
        )
    });
    let loaded = load(&sources.collect::<Vec<_>>(), &Environment::default());
    assert_eq!(loaded.diagnostics, []);
    let mut random = pods::Random::new(0x9E37_79B9_7F4A_7C15);
    let made: Vec<Value> = (0..1_000).map(|_| pods::resource(&mut random)).collect();
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
