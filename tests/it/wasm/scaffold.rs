//! Projects that `regent wasm scaffold` makes: they are built where what builds them is there, and their tests pass.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use regent::exit_status::ExitStatus;

use super::modules;
use crate::command::regent;

/// The name of each project; of no module that ships.
const NAME: &str = "our-own";

/// Makes a project, and gives it its module: built, or as it ships where nothing is there that builds it.
fn project(language: &str, shipped: &str, build: Option<Command>) -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join(NAME);
    let ran = regent(&["wasm", "scaffold", language, folder.to_str().unwrap()]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    if let Some(mut command) = build {
        let said = command.arg(folder.join("build")).output().unwrap();
        let errors = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{language}: {errors}");
    } else {
        let passed_over = format!("nothing is there that builds modules in {language}: not built");
        writeln!(std::io::stderr(), "{passed_over}").unwrap();
        let ready = modules().join(format!("{shipped}/{shipped}.wasm"));
        fs::copy(ready, folder.join(format!("{NAME}.wasm"))).unwrap();
    }
    (parent, folder)
}

fn check(language: &str, shipped: &str, build: Option<Command>) {
    let (_parent, folder) = project(language, shipped, build);
    let ran = regent(&["test", folder.to_str().unwrap(), "--strict"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(readme.starts_with(&format!("# {NAME}\n")), "{readme}");
    for file in ["policy.yaml", "kyverno-test.yaml"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(NAME) && !text.contains(shipped), "{text}");
    }
    // What is there is not written over.
    let again = regent(&["wasm", "scaffold", language, folder.to_str().unwrap()]);
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);
}

/// Where parts of a toolchain are unpacked, as `wasm-modules/build` looks for it.
fn toolchain() -> Option<PathBuf> {
    let named = std::env::var_os("WASM_TOOLCHAIN").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let place = named.or_else(|| Some(home?.join(".cache/regent/wasm-toolchain")))?;
    place.join("root/usr/bin/rustc").is_file().then_some(place)
}

fn bash() -> Command {
    Command::new("bash")
}

#[test]
fn rust() {
    let build = toolchain().map(|toolchain| {
        let mut command = bash();
        // The standard library is built once, and kept.
        command.env("CARGO_TARGET_DIR", toolchain.join("scaffold"));
        command
    });
    check("rust", "pod-guard", build);
}

#[test]
fn c() {
    check("c", "quantity-limits-c", toolchain().map(|_| bash()));
}

#[test]
fn assemblyscript() {
    // Its packages come from npm's own cache, or its registry.
    let packages = toolchain().filter(|place| place.join("assemblyscript/node_modules").is_dir());
    check(
        "assemblyscript",
        "registry-allowlist",
        packages.map(|_| bash()),
    );
}

#[test]
fn rego() {
    let opa = std::env::var_os("OPA").filter(|opa| Path::new(opa).is_file());
    check("rego", "required-labels", opa.map(|_| bash()));
}

#[test]
fn a_folder_whose_name_is_none_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    for name in ["Upper", "1st", "a_b", "ends-"] {
        let folder = parent.path().join(name);
        let ran = regent(&["wasm", "scaffold", "rego", folder.to_str().unwrap()]);
        assert_eq!(ran.status, ExitStatus::Usage, "{name}");
        assert!(!folder.exists(), "{name}");
    }
}
