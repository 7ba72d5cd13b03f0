//! `podSecurity` rules: against what Kyverno says of the shared corpora.

use std::fs;
use std::path::Path;

use regent_engine::load::{Environment, load};
use regent_engine::source::Source;
use serde_json::Value;

use super::oracle;

/// The policies of a recorded folder that have a `podSecurity` rule.
fn sources(folder: &Path, document: &Value) -> Vec<std::sync::Arc<Source>> {
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
