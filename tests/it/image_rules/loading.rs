//! Kyverno's own policies that verify images load.

use std::fs;
use std::path::{Path, PathBuf};

use regent::exit_status::ExitStatus;
use regent_tests::{record, shared_path};

use crate::command::regent;

/// Every file below a folder that may be a policy with such rules.
fn policies(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let is_yaml = path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml");
        if entry.file_type().unwrap().is_dir() {
            policies(&path, found);
        } else if is_yaml && fs::read_to_string(&path).unwrap().contains("verifyImages") {
            found.push(path);
        }
    }
}

#[test]
fn policies_of_others_that_verify_images_load() {
    let mut found = Vec::new();
    for corpus in ["kyverno-policies", "kyverno-cli"] {
        let Some(folder) = shared_path(&format!("conformance/{corpus}")) else {
            return;
        };
        policies(&folder, &mut found);
    }
    let mut wrong = Vec::new();
    for path in &found {
        let checked = regent(&["check", path.to_str().unwrap()]);
        if checked.status != ExitStatus::Pass {
            wrong.push(format!("{}{}", checked.stdout, checked.stderr));
        }
    }
    record(
        "image-policies-loaded",
        found.len() - wrong.len(),
        found.len(),
    );
    assert!(!found.is_empty());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
