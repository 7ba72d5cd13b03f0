//! The five invariants, as far as text can show them.

use super::sources::{RustFile, rust_files};

/// Files of the three packages that ship, tests apart.
fn shipped() -> Vec<RustFile> {
    ["engine/src", "server/src", "cli/src"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|file| !file.is_test())
        .collect()
}

/// The lines of `files` that `wanted` finds, as `path:line: text`.
fn lines(files: &[RustFile], wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (index, line) in file.code.lines().enumerate() {
            if wanted(line) {
                found.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_engine_reads_no_clock_no_file_and_starts_nothing() {
    let mut files = rust_files("engine/src");
    files.retain(|file| !file.is_test());
    let never = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "ToSocketAddrs",
        "std::process",
        "std::thread",
        "std::env",
        "SystemTime::now",
        "Instant::now",
        "thread::spawn",
    ];
    let found = lines(&files, |line| never.iter().any(|name| line.contains(name)));
    assert!(found.is_empty(), "the engine is pure: {found:#?}");
}

#[test]
fn one_function_allows() {
    let constructions: Vec<String> = shipped()
        .iter()
        .flat_map(|file| {
            let names: &[&str] = if file.path == "engine/src/decision.rs" {
                &["Decision::Allow", "Self::Allow"]
            } else {
                &["Decision::Allow"]
            };
            names
                .iter()
                .flat_map(|name| file.code.match_indices(name))
                .filter(|(at, name)| !is_pattern(&file.code, *at, at + name.len()))
                .map(|(at, _)| format!("{}:{}", file.path, line_of(&file.code, at)))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        constructions.len(),
        1,
        "`Decision::Allow` is constructed in one place: {constructions:#?}"
    );
    assert!(
        constructions[0].starts_with("engine/src/decision.rs:"),
        "{constructions:?}"
    );
}

/// Whether what stands at `start..end`, with the braces after it, is matched against and not made.
fn is_pattern(code: &str, start: usize, end: usize) -> bool {
    let (before, _) = code.split_at(start);
    let (_, after) = code.split_at(end);
    let rest = after_group(after.trim_start());
    let statement = before.rsplit([';', '{', '}']).next().unwrap_or_default();
    rest.starts_with("=>")
        || rest.starts_with('|')
        || rest.starts_with("if ")
        || (rest.starts_with('=') && !rest.starts_with("=="))
        || (rest.starts_with(')') && statement.contains("matches!("))
}

/// What follows the braces or parentheses that `text` opens with, if it does.
fn after_group(text: &str) -> &str {
    let mut depth = 0;
    for (index, letter) in text.char_indices() {
        match letter {
            '{' | '(' => depth += 1,
            '}' | ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let group = if index == 0 { 0 } else { index + 1 };
            return text.split_at(group).1.trim_start();
        }
    }
    text
}

fn line_of(code: &str, at: usize) -> usize {
    code.split_at(at).0.matches('\n').count() + 1
}

#[test]
fn patterns_are_told_from_constructions() {
    let pattern = |code: &str| {
        let at = code.find("Allow").unwrap();
        is_pattern(code, at, at + "Allow".len())
    };
    assert!(pattern("match it { Allow { patch, .. } => patch, }"));
    assert!(pattern("if let Allow { .. } = it { }"));
    assert!(pattern("let yes = matches!(it, Allow { .. });"));
    assert!(!pattern("Allow { patch: Vec::new() }"));
    assert!(!pattern("let it = Ok(Allow { patch });"));
}

#[test]
fn one_module_asserts_that_an_image_is_verified() {
    let callers = lines(&shipped(), |line| line.contains("VerifiedImage::assertion"));
    let elsewhere: Vec<&String> = callers
        .iter()
        .filter(|place| {
            !place.starts_with("server/src/image/verify.rs:")
                && !place.starts_with("server/src/image/verify/")
        })
        .collect();
    assert!(
        elsewhere.is_empty(),
        "only regent_server::image::verify may: {elsewhere:#?}"
    );
    assert_eq!(
        callers.len(),
        1,
        "`VerifiedImage::assertion` has one caller: {callers:#?}"
    );
}

#[test]
fn only_rego_names_regorus() {
    let found: Vec<String> = shipped()
        .into_iter()
        .filter(|file| !(file.path.starts_with("engine/") && file.module() == "rego"))
        .filter(|file| file.code.contains("regorus"))
        .map(|file| file.path)
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_wasm_names_wasmtime() {
    let found: Vec<String> = shipped()
        .into_iter()
        .filter(|file| !(file.path.starts_with("engine/") && file.module() == "wasm"))
        .filter(|file| file.code.contains("wasmtime") || file.code.contains("wasmparser"))
        .map(|file| file.path)
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn unsafe_is_used_once() {
    let files = shipped();
    let found = lines(&files, |line| {
        line.contains("unsafe {") || line.contains("unsafe fn")
    });
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found
            .iter()
            .all(|line| line.contains("engine/src/wasm/cache.rs")),
        "{found:#?}"
    );
}

#[test]
fn only_review_names_the_wire() {
    let found: Vec<String> = ["engine/src", "server/src"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|file| !file.is_test() && file.module() != "review")
        .filter(|file| file.code.contains("admission.k8s.io"))
        .map(|file| file.path)
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_test_is_ignored() {
    let files: Vec<RustFile> = ["engine", "server", "cli", "tests", "benches"]
        .into_iter()
        .flat_map(rust_files)
        .collect();
    let attribute = concat!("#[", "ignore");
    let found = lines(&files, |line| line.trim_start().starts_with(attribute));
    assert!(found.is_empty(), "{found:#?}");
}
