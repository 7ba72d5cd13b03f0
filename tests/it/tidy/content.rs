//! What files the repository holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use regent_tests::{needs, shared, workspace};

use super::sources::{files_below, relative, rust_files};

/// Lines that a file may have at most.
const MAX_LINES: usize = 600;

/// Files that may be longer, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];

#[test]
fn files_stay_readable() {
    let long: Vec<String> = ["engine", "server", "cli", "tests", "benches"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|file| !file.path.ends_with("/tests.rs"))
        .filter(|file| !LONG_FILES.iter().any(|(path, _)| *path == file.path))
        .map(|file| (file.text.lines().count(), file.path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {long:#?}");
}

#[test]
fn modules_are_files_beside_their_folders() {
    let found: Vec<String> = ["engine", "server", "cli", "tests", "benches"]
        .into_iter()
        .flat_map(rust_files)
        .map(|file| file.path)
        .filter(|path| path.ends_with("/mod.rs"))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// Below this size files are alike by nature: an empty JSON object, the marker of an OCI layout.
const SMALLEST: u64 = 200;

/// What lies in `../shared` is other projects'; a copy would be recognised by its content.
#[test]
fn nothing_of_the_shared_material_is_in_the_repository() {
    let Some(shared) = shared() else {
        return needs("../shared (or REGENT_SHARED)");
    };
    let mut by_size: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    for path in files_below(&shared) {
        let size = fs::metadata(&path).unwrap().len();
        if size >= SMALLEST {
            by_size.entry(size).or_default().push(path);
        }
    }
    assert!(by_size.len() > 100, "the shared material is somewhere else");
    for path in files_below(&workspace()) {
        let size = fs::metadata(&path).unwrap().len();
        let Some(alike) = by_size.get(&size) else {
            continue;
        };
        let content = fs::read(&path).unwrap();
        for other in alike {
            assert!(
                fs::read(other).unwrap() != content,
                "{} is a copy of {}",
                relative(&path),
                other.display()
            );
        }
    }
}

/// Folders of policies: `policies/CATEGORY/POLICY`.
fn policy_folders() -> Vec<PathBuf> {
    let folders = |path: PathBuf| -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        folders
    };
    folders(workspace().join("policies"))
        .into_iter()
        .flat_map(folders)
        .collect()
}

#[test]
fn every_policy_has_its_four_files_and_its_name() {
    let folders = policy_folders();
    assert!(folders.len() >= 20, "{folders:?}");
    for folder in folders {
        let mut names: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        if folder.parent() == Some(&workspace().join("policies/gatekeeper")) {
            let wanted = [
                "README.md",
                "constraint.yaml",
                "samples",
                "suite.yaml",
                "template.yaml",
            ];
            assert_eq!(names, wanted, "{}", folder.display());
            continue;
        }
        if folder.parent() == Some(&workspace().join("policies/break-glass")) {
            let wanted = [
                "README.md",
                "break-glass.yaml",
                "developer.yaml",
                "kyverno-test.yaml",
                "on-call.yaml",
                "resources.yaml",
            ];
            assert_eq!(names, wanted, "{}", folder.display());
            continue;
        }
        assert_eq!(
            names,
            [
                "README.md",
                "kyverno-test.yaml",
                "policy.yaml",
                "resources.yaml"
            ],
            "{}",
            folder.display()
        );
        let policy = fs::read_to_string(folder.join("policy.yaml")).unwrap();
        let name = format!(
            "\n  name: {}\n",
            folder.file_name().unwrap().to_str().unwrap()
        );
        assert!(
            policy.contains(&name),
            "the policy in {} has another name",
            folder.display()
        );
    }
}

#[test]
fn every_policy_is_listed() {
    let list = fs::read_to_string(workspace().join("policies/README.md")).unwrap();
    for folder in policy_folders() {
        let link = format!(
            "({}/README.md)",
            relative(&folder).trim_start_matches("policies/")
        );
        assert!(
            list.contains(&link),
            "policies/README.md does not link {link}"
        );
    }
}

/// Links between the repository's own Markdown files lead somewhere.
#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files_below(&workspace()) {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            if !path.parent().unwrap().join(file).exists() {
                broken.push(format!("{} → {target}", relative(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The keyed policy of the library names the key that the demonstration's images are signed with.
#[test]
fn the_keyed_policy_names_the_key_of_its_images() {
    let key = fs::read_to_string(workspace().join("cli/demo/key.pub")).unwrap();
    let policy =
        fs::read_to_string(workspace().join("policies/provenance/keyed/policy.yaml")).unwrap();
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&policy).matches(&squeezed(&key)).count(), 2);
}
