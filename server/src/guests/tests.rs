use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regent_engine::evaluation::need::{Fact, GuestNeed};
use regent_engine::load::{Environment, Loaded, load};
use regent_engine::program::guest::Guest;
use regent_engine::source::Source;
use regent_engine::wasm::bounds::Limits;
use regent_engine::wasm::call::Outcome;

use super::{GuestSettings, Guests};

/// Accepts everything, in bytes: its response is `{"accepted":true}`.
const ACCEPTS: &str = r#"(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{\"accepted\":true,\"valid\":true}")
  (func (export "__guest_call") (param i32 i32) (result i32)
    (call $response (i32.const 8) (i32.const 30)) (i32.const 1)))"#;

fn policy(folder: &Path, more: &str) -> Loaded {
    let text = format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - name: r\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      wasm: {{module: module.wasm{more}}}\n"
    );
    let name = folder.join("policy.yaml").display().to_string();
    let loaded = load(&[Source::new(&name, text)], &Environment::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded
}

/// A module that is nowhere, with little time.
pub(super) fn guest(timeout: Duration) -> Guest {
    let folder = tempfile::tempdir().unwrap();
    let loaded = policy(folder.path(), "");
    let (_, _, guest) = loaded.policies.guests().next().unwrap();
    Guest {
        limits: Limits {
            timeout,
            ..Limits::default()
        },
        ..Guest::clone(guest)
    }
}

fn guests(cache: Option<&Path>) -> Arc<Guests> {
    Guests::start(GuestSettings {
        cache: cache.map(Path::to_owned),
        remote: None,
    })
    .unwrap()
}

fn folder_with(wat: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("module.wasm"),
        wat::parse_str(wat).unwrap(),
    )
    .unwrap();
    folder
}

fn said(guests: &Guests, loaded: &mut Loaded) -> Vec<String> {
    guests.prepare(loaded);
    let said = loaded.diagnostics.iter();
    said.map(|one| one.message.clone()).collect()
}

fn answer(guests: &Guests, loaded: &Loaded) -> Result<bool, String> {
    let (_, _, guest) = loaded.policies.guests().next().unwrap();
    let need = GuestNeed {
        guest: Arc::clone(guest),
        uid: String::new(),
        request: "{}".into(),
        answers: [].into(),
        seconds: 0,
    };
    match guests.answer(&need) {
        Fact::Guest(Ok(Outcome::Answered(verdict))) => Ok(verdict.accepted),
        Fact::Guest(Err(error)) => Err(error.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_module_is_found_beside_its_policy_and_kept_compiled() {
    let folder = folder_with(ACCEPTS);
    let cache = folder.path().join("cache");
    let mut loaded = policy(folder.path(), "");
    let first = guests(Some(&cache));
    assert_eq!(said(&first, &mut loaded), Vec::<String>::new());
    assert_eq!(answer(&first, &loaded), Ok(true));
    let mode = fs::metadata(&cache).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let kept = || {
        let files = fs::read_dir(&cache).unwrap();
        let files = files.map(|file| file.unwrap().path());
        files
            .filter(|file| file.extension().is_some_and(|end| end == "module"))
            .collect::<Vec<_>>()
    };
    let [file] = &kept()[..] else {
        panic!("{:?}", kept())
    };
    // What somebody else put there is not run: it is compiled again, and kept again.
    let own = fs::read(file).unwrap();
    let mut changed = own;
    let at = changed.len() / 2;
    changed[at] ^= 1;
    fs::write(file, &changed).unwrap();
    let second = guests(Some(&cache));
    assert_eq!(
        said(&second, &mut policy(folder.path(), "")),
        Vec::<String>::new()
    );
    assert_eq!(answer(&second, &loaded), Ok(true));
    assert_ne!(fs::read(file).unwrap(), changed);
}

#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    let folder = folder_with(ACCEPTS);
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
    let guests = guests(Some(&cache));
    let mut loaded = policy(folder.path(), "");
    assert_eq!(said(&guests, &mut loaded), Vec::<String>::new());
    assert_eq!(answer(&guests, &loaded), Ok(true));
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}

#[test]
fn a_module_that_is_not_the_one_that_was_meant_makes_its_rule_an_error() {
    let folder = folder_with(ACCEPTS);
    let wanted = format!(", digest: 'sha256:{}'", "0".repeat(64));
    let mut loaded = policy(folder.path(), &wanted);
    let guests = guests(None);
    let said = said(&guests, &mut loaded);
    assert!(said[0].contains("its digest is sha256:"), "{said:?}");
    assert!(
        answer(&guests, &loaded)
            .unwrap_err()
            .contains("its digest is")
    );
}

#[test]
fn a_module_that_is_not_there_or_refuses_its_settings_is_said_to() {
    let nowhere = tempfile::tempdir().unwrap();
    let messages = said(&guests(None), &mut policy(nowhere.path(), ""));
    assert!(messages[0].contains("cannot be read"), "{messages:?}");
    let refuses = ACCEPTS.replace("\\\"valid\\\":true}", "\\\"valid\\\":null}");
    let folder = folder_with(&refuses);
    let messages = said(&guests(None), &mut policy(folder.path(), ""));
    assert!(
        messages[0].contains("could not look at its settings"),
        "{messages:?}"
    );
}

#[test]
fn a_module_that_no_policy_names_does_not_come_back() {
    let folder = folder_with(ACCEPTS);
    let guests = guests(None);
    let mut loaded = policy(folder.path(), "");
    assert_eq!(said(&guests, &mut loaded), Vec::<String>::new());
    guests.settle(&loaded.policies);
    // A file that is broken while it is named stays in force as it was.
    fs::write(folder.path().join("module.wasm"), b"no module").unwrap();
    let mut broken = policy(folder.path(), "");
    assert_eq!(said(&guests, &mut broken).len(), 1);
    guests.settle(&broken.policies);
    assert_eq!(answer(&guests, &broken), Ok(true));
    // Once nothing names it, it answers those who began with it, and is nobody's earlier form.
    let mut nothing = load(&[], &Environment::default());
    guests.prepare(&mut nothing);
    guests.settle(&nothing.policies);
    assert_eq!(answer(&guests, &broken), Ok(true));
    let mut again = policy(folder.path(), "");
    assert_eq!(said(&guests, &mut again).len(), 1);
    guests.settle(&again.policies);
    assert!(answer(&guests, &again).is_err());
}

#[test]
fn what_is_no_file_or_has_no_end_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|made| made.success()));
    for path in [Path::new("/dev/zero"), &pipe, folder.path()] {
        let refused = super::find::read(path).unwrap_err();
        assert!(refused.ends_with("is no file"), "{refused}");
    }
}
