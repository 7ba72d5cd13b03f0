//! What may depend on what: crates, and modules of the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regent_tests::workspace;

use super::sources::rust_files;

/// Packages with what they depend on, as `Cargo.lock` has them.
fn locked() -> BTreeMap<String, Vec<String>> {
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let name = package
            .lines()
            .find_map(|line| line.strip_prefix("name = "))
            .unwrap();
        let dependencies = package
            .split_once("dependencies = [")
            .map_or("", |(_, list)| list.split(']').next().unwrap())
            .lines()
            .map(|line| line.trim().trim_matches([',', '"']))
            .filter_map(|entry| entry.split(' ').next())
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        packages
            .entry(name.trim_matches('"').to_owned())
            .or_default()
            .extend(dependencies);
    }
    packages
}

/// All that `package` depends on, in the end.
fn reached(package: &str) -> BTreeSet<String> {
    let packages = locked();
    let mut reached = BTreeSet::new();
    let mut open = vec![package.to_owned()];
    while let Some(name) = open.pop() {
        for dependency in packages.get(&name).into_iter().flatten() {
            if reached.insert(dependency.clone()) {
                open.push(dependency.clone());
            }
        }
    }
    reached
}

#[test]
fn the_engine_cannot_reach_a_network_a_runtime_or_cryptography() {
    let reached = reached("regent-engine");
    assert!(
        reached.contains("regorus"),
        "Cargo.lock was misread: {reached:?}"
    );
    let never = [
        "tokio",
        "mio",
        "socket2",
        "hyper",
        "h2",
        "reqwest",
        "ureq",
        "kube",
        "rustls",
        "oci-client",
        "wasi-common",
        "wasmtime-wasi",
    ];
    for name in &reached {
        assert!(
            !never.contains(&name.as_str()),
            "regent-engine depends on {name}"
        );
        assert!(
            !name.starts_with("sigstore"),
            "regent-engine depends on {name}"
        );
        assert!(
            !name.starts_with("aws-lc"),
            "regent-engine depends on {name}"
        );
    }
}

#[test]
fn crates_point_one_way() {
    let packages = locked();
    let ours = |name: &str| -> Vec<String> {
        let list = packages.get(name).unwrap();
        let ours = list
            .iter()
            .filter(|name| *name == "regent" || name.starts_with("regent-"));
        ours.cloned().collect()
    };
    assert_eq!(ours("regent-engine"), Vec::<String>::new());
    assert_eq!(ours("regent-server"), ["regent-engine"]);
    assert_eq!(ours("regent"), ["regent-engine", "regent-server"]);
}

/// Modules of the engine with the modules that they use, tests apart.
fn engine_uses() -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in rust_files("engine/src") {
        if file.is_test() || file.module() == "lib" {
            continue;
        }
        let names = file.code.split("crate::").skip(1).flat_map(first_names);
        uses.entry(file.module().to_owned())
            .or_default()
            .extend(names);
    }
    let modules: BTreeSet<String> = uses.keys().cloned().collect();
    for (module, used) in &mut uses {
        used.retain(|name| modules.contains(name) && name != module);
    }
    uses
}

/// The first names of a path or of a braced list of paths: `{scalar, wildcard::matches}` names `scalar` and `wildcard`.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim()
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    };
    let Some(list) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut item = String::new();
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&std::mem::take(&mut item))),
            _ => {}
        }
        if depth == 0 && letter != ',' {
            item.push(letter);
        }
    }
    names.push(name(&item));
    names
}

/// For some modules, all that they may use.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("source", &[]),
    ("diagnostic", &["source"]),
    ("yaml", &["diagnostic", "go_base64", "limits", "source"]),
    (
        "ast",
        &[
            "admission",
            "go_time",
            "operator",
            "pod_security",
            "response",
            "source",
            "wasm",
        ],
    ),
    ("admission", &[]),
    ("wildcard", &["fuel"]),
    ("fuel", &[]),
    ("quantity", &[]),
    ("duration", &["go_format"]),
    ("go_base64", &[]),
    ("go_format", &[]),
];

/// For some modules, what they never use.
const NEVER_USE: [(&str, &[&str]); 11] = [
    (
        "wasm",
        &[
            "yaml",
            "parse",
            "check",
            "ast",
            "program",
            "evaluation",
            "policy_set",
        ],
    ),
    ("parse", &["compile", "program", "rego", "evaluation"]),
    ("check", &["compile", "program", "rego", "evaluation"]),
    (
        "autogen",
        &["yaml", "parse", "compile", "program", "rego", "evaluation"],
    ),
    ("compile", &["yaml", "parse", "evaluation", "policy_set"]),
    (
        "program",
        &[
            "yaml",
            "parse",
            "check",
            "compile",
            "evaluation",
            "policy_set",
        ],
    ),
    (
        "rego",
        &[
            "yaml",
            "parse",
            "check",
            "ast",
            "program",
            "evaluation",
            "policy_set",
        ],
    ),
    (
        "selection",
        &["yaml", "parse", "check", "evaluation", "policy_set"],
    ),
    ("evaluation", &["yaml", "parse", "check", "compile", "load"]),
    (
        "response",
        &["yaml", "parse", "evaluation", "policy_set", "decision"],
    ),
    (
        "decision",
        &["yaml", "parse", "evaluation", "policy_set", "ast"],
    ),
];

#[test]
fn modules_of_the_engine_use_only_what_is_below_them() {
    let uses = engine_uses();
    let mut wrong = Vec::new();
    for (module, used) in &uses {
        if let Some((_, may)) = MAY_USE.iter().find(|(name, _)| name == module) {
            wrong.extend(
                used.iter()
                    .filter(|name| !may.contains(&name.as_str()))
                    .map(|name| format!("{module} → {name}")),
            );
        }
        if let Some((_, never)) = NEVER_USE.iter().find(|(name, _)| name == module) {
            wrong.extend(
                used.iter()
                    .filter(|name| never.contains(&name.as_str()))
                    .map(|name| format!("{module} → {name}")),
            );
        }
    }
    assert!(wrong.is_empty(), "against ARCHITECTURE.md: {wrong:#?}");
}

#[test]
fn names_of_a_use_are_read() {
    assert_eq!(first_names("source::Span;"), ["source"]);
    assert_eq!(
        first_names("{scalar, rego::{Module, Rule}, wildcard};"),
        ["scalar", "rego", "wildcard"]
    );
}
