//! `docs/threats.md`: each vulnerability that it names has a test under its number, and none of those that are known of
//! images is left out.

use std::collections::BTreeSet;
use std::fs;

use regent_tests::{shared_path, workspace};

use super::sources::rust_files;

/// Rows of the material's table that are about images, their evidence and trust roots.
const ABOUT_IMAGES: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "20"];

/// Numbers of vulnerabilities, `YEAR-NUMBER`; after a slash or comma the year may be left out.
fn numbers(text: &str) -> BTreeSet<String> {
    let mut year = None;
    let mut found = BTreeSet::new();
    for word in text.split(|c: char| !c.is_ascii_digit() && c != '-') {
        let word = word.trim_matches('-');
        let is_number = |text: &str| {
            (4..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        match (word.split_once('-'), year) {
            (Some((of_year, number)), _) if of_year.len() == 4 && is_number(number) => {
                year = Some(of_year);
                found.insert(word.to_owned());
            }
            (None, Some(year)) if is_number(word) => {
                found.insert(format!("{year}-{word}"));
            }
            _ => {}
        }
    }
    found
}

/// The rows of the first table below a heading.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

#[test]
fn each_vulnerability_of_images_is_named_and_has_a_test() {
    let documented = fs::read_to_string(workspace().join("docs/threats.md")).unwrap();
    let all: BTreeSet<String> = rows(&documented)
        .filter(|row| row[0].starts_with("CVE-"))
        .flat_map(|row| numbers(row[0]))
        .collect();
    let sources: Vec<String> = ["engine", "server", "tests"]
        .into_iter()
        .flat_map(rust_files)
        .map(|file| file.text)
        .collect();
    let is_tested = |number: &String| {
        let as_name = format!("cve_{}", number.replace('-', "_"));
        let as_text = format!("CVE-{number}");
        sources
            .iter()
            .any(|text| text.contains(&as_name) || text.contains(&as_text))
    };
    let untested: Vec<&String> = all.iter().filter(|number| !is_tested(number)).collect();
    assert!(all.len() > 25 && untested.is_empty(), "{untested:?}");

    let Some(known) = shared_path("reference/threats.md") else {
        return;
    };
    let known = fs::read_to_string(known).unwrap();
    let known = rows(&known).filter(|row| ABOUT_IMAGES.contains(&row[0]));
    let known: BTreeSet<String> = known.flat_map(|row| numbers(row[1])).collect();
    let missing: Vec<&String> = known.difference(&all).collect();
    assert!(known.len() > 25 && missing.is_empty(), "{missing:?}");
}
