use std::fs;

use super::{MAX_FILE_BYTES, Wanted, read};

#[test]
fn directories_are_read_in_order_without_hidden_and_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("b")).unwrap();
    fs::create_dir_all(root.join(".kyverno-test")).unwrap();
    fs::write(root.join("b/two.YML"), "two").unwrap();
    fs::write(root.join("a.yaml"), "one").unwrap();
    fs::write(root.join("README.md"), "no").unwrap();
    fs::write(root.join(".kyverno-test/kyverno-test.yaml"), "no").unwrap();
    std::os::unix::fs::symlink(root, root.join("b/loop")).unwrap();
    let sources = read(&[root.to_owned()], Wanted::Documents, &mut std::io::empty());
    let texts: Vec<_> = sources.texts.iter().map(|source| &*source.text).collect();
    assert_eq!(texts, ["one", "two"]);
    assert!(sources.unreadable.is_empty(), "{:?}", sources.unreadable);
}

#[test]
fn what_cannot_be_read_is_said_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.yaml");
    let huge = folder.path().join("huge.yaml");
    let good = folder.path().join("good.yaml");
    fs::write(&latin, b"name: caf\xe9\n").unwrap();
    fs::File::create(&huge)
        .and_then(|file| file.set_len(MAX_FILE_BYTES + 1))
        .unwrap();
    fs::write(&good, "good").unwrap();
    let absent = folder.path().join("absent.yaml");
    let sources = read(
        &[latin, huge, absent, good, "-".into()],
        Wanted::Policies,
        &mut "from stdin".as_bytes(),
    );
    let texts: Vec<_> = sources.texts.iter().map(|source| &*source.text).collect();
    assert_eq!(texts, ["good", "from stdin"]);
    let messages: Vec<_> = sources
        .unreadable
        .iter()
        .map(|diagnostic| diagnostic.message.rsplit('/').next().unwrap_or_default())
        .collect();
    assert_eq!(
        messages,
        [
            "latin.yaml` is not text in UTF-8",
            "huge.yaml` cannot be read: larger than 16 MiB",
            "absent.yaml` cannot be read: No such file or directory (os error 2)",
        ]
    );
}

#[test]
fn folders_of_policies_hold_other_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.yaml", "apiVersion: v1\nkind: Pod\n");
    write("b.yaml", "apiVersion: v1\n---\napiVersion: kyverno.io/v1\n");
    write("c.yaml", "broken: [\n");
    write(
        "d.yaml",
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\n",
    );
    let sources = read(
        &[folder.path().to_owned()],
        Wanted::Policies,
        &mut std::io::empty(),
    );
    let names: Vec<_> = sources
        .texts
        .iter()
        .map(|source| source.name.rsplit('/').next().unwrap_or_default())
        .collect();
    assert_eq!(names, ["b.yaml", "c.yaml"]);
}
