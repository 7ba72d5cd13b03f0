//! `regent wasm scaffold`: a project with a policy, a test and a build, made of a module that ships.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::args::wasm::{Language, ScaffoldArgs};
use crate::exit_status::ExitStatus;
use crate::io::Io;

/// The longest name: Kubernetes takes 63 characters in most places.
const LONGEST: usize = 63;

/// What stands for the project's name in the texts that are not of a module.
const PROJECT: &str = "PROJECT";

/// A file of a project, by its path.
type Template = (&'static str, &'static str);

/// Files of a module that ships.
macro_rules! shipped {
    ($module:literal: $($file:literal),*) => {
        [$(($file, include_str!(concat!("../../../../wasm-modules/", $module, "/", $file)))),*]
    };
}

/// Files that are there for projects only.
macro_rules! own {
    ($folder:literal: $($file:literal),*) => {
        [$(($file, include_str!(concat!("../../../scaffold/", $folder, "/", $file)))),*]
    };
}

/// Files that each project has.
const ALL: [Template; 2] = [
    ("README.md", include_str!("../../../scaffold/README.md")),
    (".gitignore", include_str!("../../../scaffold/gitignore")),
];

/// A module in some language, whose name becomes that of the project.
struct Example {
    name: &'static str,
    own: &'static [Template],
    shipped: &'static [Template],
}

fn example(language: Language) -> Example {
    match language {
        Language::Rust => Example {
            name: "pod-guard",
            own: &own!("rust": "Cargo.toml", "build"),
            shipped: &shipped!("pod-guard": "src/lib.rs", "policy.yaml", "resources.yaml", "kyverno-test.yaml"),
        },
        Language::Assemblyscript => Example {
            name: "registry-allowlist",
            own: &own!("assemblyscript": "build"),
            shipped: &shipped!("registry-allowlist": "policy.ts", "package.json", "package-lock.json", "policy.yaml", "resources.yaml", "kyverno-test.yaml"),
        },
        Language::C => Example {
            name: "quantity-limits-c",
            own: &own!("c": "build"),
            shipped: &shipped!("quantity-limits-c": "policy.c", "policy.yaml", "resources.yaml", "kyverno-test.yaml"),
        },
        Language::Rego => Example {
            name: "required-labels",
            own: &own!("rego": "build"),
            shipped: &shipped!("required-labels": "policy.rego", "policy.yaml", "resources.yaml", "kyverno-test.yaml"),
        },
    }
}

/// Runs `regent wasm scaffold`.
pub(super) fn run(args: &ScaffoldArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let folder = args.directory.as_path();
    let name = project_name(folder)?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut there = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    if there.next().is_some() {
        bail!("`{}` is not empty", folder.display());
    }
    let example = example(args.language);
    for (path, text) in ALL.iter().chain(example.own).chain(example.shipped) {
        let text = text.replace(example.name, name).replace(PROJECT, name);
        write(&folder.join(path), &text)?;
    }
    let shown = folder.display();
    writeln!(
        io.stderr,
        "made {shown}: `{shown}/build` builds the module, and `regent test {shown}` tests it"
    )?;
    Ok(ExitStatus::Pass)
}

/// The folder's own name, which the policy, the module and the package have as well.
fn project_name(folder: &Path) -> Result<&str> {
    let name = folder.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or("");
    let is_name = name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.ends_with(|last: char| last.is_ascii_lowercase() || last.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if is_name {
        return Ok(name);
    }
    bail!(
        "`{}` does not end in a name for a policy: lower-case letters, digits and dashes, first a letter, {LONGEST} at most",
        folder.display()
    )
}

/// Writes a file that is not there yet; a build can be run.
fn write(path: &Path, text: &str) -> Result<()> {
    let place = || path.display().to_string();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(place)?;
    }
    let mode = if path.ends_with("build") {
        0o755
    } else {
        0o644
    };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(place)
}
