//! Files that are malformed, hostile or merely odd: each is said with file and line, and the others still count.

use std::fs;

use regent::exit_status::ExitStatus;
use tempfile::TempDir;

use crate::command::{Ran, regent};

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: p
spec:
  rules:
    - name: r
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        message: m
        deny: {conditions: {any: [{key: \"{{ request.object.metadata.name }}\", operator: Equals, value: bad}]}}
";
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\n";

/// What is wrong with a text, and how it is said.
fn malformed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let with = |more: &str| format!("{POD}{more}").into_bytes();
    let nested = |open: &str, close: &str| {
        with(&format!(
            "s: {}{}\n",
            open.repeat(50_000),
            close.repeat(50_000)
        ))
    };
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h"]
        .iter()
        .zip(["a", "b", "c", "d", "e", "f", "g"])
    {
        let aliases = vec![format!("*{of}"); 10].join(",");
        bomb.extend([name, ": &", name, " [", &aliases, "]\n"]);
    }
    vec![
        ("no YAML", b"kind: [\n".to_vec(), "x.yaml:"),
        (
            "not UTF-8",
            [POD.as_bytes(), b"x: \xff\n"].concat(),
            "is not text in UTF-8",
        ),
        ("a NUL", with("x: \0\n"), "x.yaml:4:"),
        ("a tab", b"a:\n\tb: c\n".to_vec(), "tab"),
        (
            "a key twice",
            with("kind: Service\n"),
            "has the key `kind` twice",
        ),
        ("deep lists", nested("[", "]"), "x.yaml:4:"),
        ("deep maps", nested("{a: ", "}"), "x.yaml:4:"),
        ("a cycle", b"a: &a\n  b: *a\n".to_vec(), "x.yaml:2:"),
        ("a bomb", with(&bomb), "values, aliases included"),
        (
            "too large",
            with(&format!("x: '{}'\n", "y".repeat(17 << 20))),
            "larger than 16 MiB",
        ),
        ("a text", b"text\n".to_vec(), "x.yaml:1:1"),
    ]
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("policy.yaml", POLICY.as_bytes());
        folder.write("pod.yaml", POD.as_bytes());
        folder
    }

    fn write(&self, name: &str, text: &[u8]) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn apply(&self, flags: &[&str]) -> Ran {
        let (policy, pod) = (self.path("policy.yaml"), self.path("pod.yaml"));
        regent(&[&["apply", &policy, "-r", &pod], flags].concat())
    }
}

fn assert_said(ran: &Ran, what: &str, said: &str) {
    assert_eq!(ran.status, ExitStatus::Failed, "{what}: {}", ran.stdout);
    assert!(ran.stderr.contains(said), "{what}: {}", ran.stderr);
    assert!(ran.stderr.len() < 10_000, "{what} fills the terminal");
}

#[test]
fn resources_that_are_malformed_leave_the_others() {
    let folder = Folder::new();
    for (what, text, said) in malformed() {
        folder.write("x.yaml", &text);
        let ran = folder.apply(&["-r", &folder.path("x.yaml")]);
        assert_said(&ran, what, said);
        assert!(ran.stdout.contains("fail: 1"), "{what}: {}", ran.stdout);
    }
}

#[test]
fn policies_that_are_malformed_leave_the_others() {
    let folder = Folder::new();
    for (what, text, said) in malformed() {
        folder.write("x.yaml", &text);
        let (bad, good, pod) = (
            folder.path("x.yaml"),
            folder.path("policy.yaml"),
            folder.path("pod.yaml"),
        );
        let ran = regent(&["apply", &bad, &good, "-r", &pod]);
        assert_said(&ran, what, said);
        assert!(ran.stdout.contains("fail: 1"), "{what}: {}", ran.stdout);
    }
}

/// What may have been a policy is no reason to pass, be it that nothing is left of it or that its name is missing.
#[test]
fn policies_of_which_no_name_can_be_read_are_errors_by_themselves() {
    let folder = Folder::new();
    fs::create_dir(folder.0.path().join("z")).unwrap();
    let test = "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
policies: [../x.yaml, ../policy.yaml]
resources: [../pod.yaml]
results:
- {policy: p, rule: r, kind: Pod, resources: [bad], result: fail}
";
    let missing = "- {policy: q, rule: r, kind: Pod, resources: [bad], result: pass}\n";
    let nameless = POLICY.replace("  name: p", "  nam: p").into_bytes();
    let nameless = ("no name", nameless, "x.yaml:4:");
    for (what, text, said) in malformed().into_iter().chain([nameless]) {
        folder.write("x.yaml", &text);
        let (bad, pod) = (folder.path("x.yaml"), folder.path("pod.yaml"));
        let ran = regent(&["apply", &bad, "-r", &pod]);
        assert_said(&ran, what, said);
        assert!(!ran.stdout.contains("error: 0"), "{what}: {}", ran.stdout);
        for (rows, summary) in [
            (String::new(), "1 tests passed and 1 tests failed"),
            (missing.to_owned(), "1 tests passed and 1 tests failed"),
        ] {
            folder.write("z/kyverno-test.yaml", format!("{test}{rows}").as_bytes());
            let ran = regent(&["test", &folder.path("z")]);
            assert_eq!(ran.status, ExitStatus::Failed, "{what}: {}", ran.stdout);
            // A file that cannot be opened ends the test before any row.
            let is_unread = ran.stdout.contains("Load error");
            assert!(
                is_unread || ran.stdout.contains(summary),
                "{what}: {}{}",
                ran.stdout,
                ran.stderr
            );
        }
    }
}

#[test]
fn values_and_users_that_are_malformed_are_errors() {
    let folder = Folder::new();
    for (what, text, said) in malformed() {
        folder.write("x.yaml", &text);
        for flag in ["-f", "--userinfo", "--context-file", "--exception"] {
            let ran = folder.apply(&[flag, &folder.path("x.yaml")]);
            assert_eq!(
                ran.status,
                ExitStatus::Failed,
                "{what} {flag}: {}",
                ran.stdout
            );
            assert!(ran.stderr.contains(said), "{what} {flag}: {}", ran.stderr);
        }
    }
}

#[test]
fn tests_that_are_malformed_leave_the_others() {
    let folder = Folder::new();
    fs::create_dir(folder.0.path().join("z")).unwrap();
    let test = "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
policies: [../policy.yaml]
resources: [../pod.yaml]
results: [{policy: p, rule: r, kind: Pod, resources: [bad], result: fail}]
";
    folder.write("z/x.yaml", test.as_bytes());
    for (what, text, said) in malformed() {
        folder.write("x.yaml", &text);
        let ran = regent(&["test", &folder.path(""), "-f", "x.yaml"]);
        assert_said(&ran, what, said);
        assert!(
            ran.stdout.contains("1 tests passed and 1 tests failed"),
            "{what}: {}",
            ran.stdout
        );
    }
}

#[test]
fn what_no_api_server_takes_is_no_resource() {
    let folder = Folder::new();
    for (text, said) in [
        ("kind: Pod\n", "the resource has no `apiVersion`"),
        ("apiVersion: v1\n", "the resource has no `kind`"),
        ("apiVersion: 1\nkind: Pod\n", "`apiVersion` must be a text"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: text\n",
            "`metadata` must be a map",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n",
            "`metadata.name` must be a text",
        ),
        (
            "apiVersion: v1\nkind: List\nitems: [text]\n",
            "a resource is a map",
        ),
        ("- apiVersion: v1\n", "a resource is a map"),
    ] {
        folder.write("x.yaml", text.as_bytes());
        let ran = folder.apply(&["-r", &folder.path("x.yaml")]);
        assert_said(&ran, text, said);
        assert!(ran.stderr.contains("x.yaml:"), "{}", ran.stderr);
    }
}

#[test]
fn what_is_only_odd_is_read() {
    let folder = Folder::new();
    for (what, text) in [
        ("a byte order mark", format!("\u{feff}{POD}")),
        ("Windows' line ends", POD.replace('\n', "\r\n")),
        ("empty documents", format!("---\n---\n{POD}---\n~\n")),
        (
            "a merge",
            "apiVersion: v1\nkind: Pod\nmetadata: {<<: {name: bad}}\n".to_owned(),
        ),
        (
            "JSON",
            "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"bad\"}}"
                .to_owned(),
        ),
        (
            "a list",
            format!(
                "apiVersion: v1\nkind: PodList\nitems:\n- {}",
                POD.replace('\n', "\n  ")
            ),
        ),
    ] {
        folder.write("pod.yaml", text.as_bytes());
        let ran = folder.apply(&[]);
        assert!(
            ran.stdout.contains("fail: 1, warn: 0, error: 0"),
            "{what}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
    folder.write("pod.yaml", POD.as_bytes());
    folder.write(
        "policy.yaml",
        format!("\u{feff}{POLICY}").replace('\n', "\r\n").as_bytes(),
    );
    assert!(
        folder
            .apply(&[])
            .stdout
            .contains("fail: 1, warn: 0, error: 0")
    );
}

#[test]
fn terminal_escapes_of_others_do_not_reach_the_terminal() {
    let folder = Folder::new();
    folder.write(
        "pod.yaml",
        b"apiVersion: v1\nkind: Pod\nmetadata: {name: \"\\e[31mred\", namespace: \"\\e[0m\"}\n",
    );
    folder.write(
        "policy.yaml",
        POLICY.replace("Equals", "NotEquals").as_bytes(),
    );
    for flags in [&[][..], &["-t", "--detailed-results"]] {
        let ran = folder.apply(flags);
        assert_eq!(ran.status, ExitStatus::Failed);
        assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
        assert!(ran.stdout.contains("?[31mred"), "{}", ran.stdout);
    }
}
