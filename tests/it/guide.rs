//! The guide of `README.md`, followed to the letter: a policy is written, tested, broken, explained and mended.

use std::fs;

use regent::exit_status::ExitStatus;
use regent_tests::workspace;

use crate::command::regent;

/// A file of the guide: the block below the line that names it.
fn file<'a>(guide: &'a str, name: &str) -> &'a str {
    let head = format!("`{name}`\n\n```yaml\n");
    let (_, rest) = guide.split_once(&head).expect(name);
    rest.split_once("```").expect("the end of a block").0
}

#[test]
fn the_guide_can_be_followed() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let (_, guide) = readme.split_once("## Write a policy").expect("the guide");
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("team-label");
    fs::create_dir(&folder).unwrap();
    for name in ["policy.yaml", "resources.yaml", "kyverno-test.yaml"] {
        fs::write(folder.join(name), file(guide, name)).unwrap();
    }
    let commands = guide.lines().filter(|line| line.starts_with("regent "));
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), 4);
    let in_root = root.path().to_str().unwrap();
    for line in &commands {
        let line = line.split('#').next().unwrap_or(line);
        let words: Vec<String> = line
            .split_whitespace()
            .skip(1)
            .map(|word| word.replace("team-label", &format!("{in_root}/team-label")))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = regent(&words);
        // The second pod is refused, as it should be.
        let expected = if words[0] == "apply" {
            ExitStatus::Failed
        } else {
            ExitStatus::Pass
        };
        assert_eq!(ran.status, expected, "{line}: {}{}", ran.stdout, ran.stderr);
    }

    let policy = folder.join("policy.yaml");
    let good = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, good.replace("labels:", "=(labels):")).unwrap();
    let ran = regent(&["test", folder.to_str().unwrap(), "--explain"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    let said = ran.stderr.replace(&format!("{in_root}/"), "");
    let (_, shown) = guide.split_once("```\n  ✓ ").expect("what is explained");
    for line in shown.split_once("\n```").expect("its end").0.lines() {
        assert!(said.contains(line.trim()), "{line}\n{said}");
    }
    fs::write(&policy, good).unwrap();
    let ran = regent(&["test", folder.to_str().unwrap()]);
    assert_eq!(ran.status, ExitStatus::Pass);
}
