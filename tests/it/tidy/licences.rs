//! What `deny.toml` says of licences, bans and sources, checked where its tool is not installed too.

use std::fs;
use std::process::Command;

use regent_tests::workspace;
use serde_json::Value;

/// The packages of the graph on this platform: those are here, since they were built.
fn packages() -> Vec<Value> {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages: Vec<Value> = serde_json::from_value(metadata["packages"].take()).unwrap();
    assert!(packages.len() > 200, "cargo metadata was misread");
    packages
}

/// The quoted texts of a list of `deny.toml`; of a table among its items, the first.
fn listed(name: &str) -> Vec<String> {
    let text = fs::read_to_string(workspace().join("deny.toml")).unwrap();
    let (_, list) = text.split_once(&format!("\n{name} = [\n")).unwrap();
    let (list, _) = list.split_once("\n]").unwrap();
    let quoted = list.lines().filter_map(|line| line.split('"').nth(1));
    quoted.map(str::to_owned).collect()
}

/// Whether what is allowed satisfies an SPDX expression; `/` is how old manifests write `OR`.
fn is_satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    let holds = alternatives(&mut rest, allowed);
    assert!(rest.is_empty(), "`{expression}` was misread at {rest:?}");
    holds
}

fn alternatives(tokens: &mut &[&str], allowed: &[String]) -> bool {
    let mut holds = conjunction(tokens, allowed);
    while let ["OR", rest @ ..] = *tokens {
        *tokens = rest;
        holds |= conjunction(tokens, allowed);
    }
    holds
}

fn conjunction(tokens: &mut &[&str], allowed: &[String]) -> bool {
    let mut holds = licence(tokens, allowed);
    while let ["AND", rest @ ..] = *tokens {
        *tokens = rest;
        holds &= licence(tokens, allowed);
    }
    holds
}

fn licence(tokens: &mut &[&str], allowed: &[String]) -> bool {
    match *tokens {
        ["(", rest @ ..] => {
            *tokens = rest;
            let holds = alternatives(tokens, allowed);
            assert_eq!(tokens.first(), Some(&")"));
            *tokens = &tokens[1..];
            holds
        }
        [name, "WITH", exception, rest @ ..] => {
            *tokens = rest;
            allowed.contains(&format!("{name} WITH {exception}"))
        }
        [name, rest @ ..] => {
            *tokens = rest;
            allowed.iter().any(|one| one == name)
        }
        [] => panic!("an expression without its end"),
    }
}

#[test]
fn every_package_has_a_licence_that_is_allowed() {
    let allowed = listed("allow");
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| {
            let licence = package["license"].as_str();
            !licence.is_some_and(|text| is_satisfied(text, &allowed))
        })
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "not allowed by deny.toml: {refused:#?}");
}

#[test]
fn banned_crates_are_not_there() {
    let banned = listed("deny");
    assert!(banned.iter().any(|name| name == "sigstore"), "{banned:?}");
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert!(!banned.iter().any(|one| one == name), "{name} is banned");
    }
}

#[test]
fn packages_of_others_come_from_the_registry() {
    for package in packages() {
        let source = package["source"].as_str();
        let is_ours = package["manifest_path"]
            .as_str()
            .unwrap()
            .starts_with(workspace().to_str().unwrap());
        let from_registry =
            source.is_some_and(|source| source.ends_with("github.com/rust-lang/crates.io-index"));
        assert!(
            is_ours || from_registry,
            "{} comes from {source:?}",
            package["name"]
        );
    }
}

#[test]
fn expressions_of_licences_are_read() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, holds) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 OR MIT AND ISC", true),
        ("(GPL-3.0 OR MIT) AND (ISC OR GPL-3.0)", true),
        ("(GPL-3.0 OR MIT) AND GPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
    ] {
        assert_eq!(is_satisfied(expression, &allowed), holds, "{expression}");
    }
}
