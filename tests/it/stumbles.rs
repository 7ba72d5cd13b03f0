//! What a new user stumbles over: lists of policies, files that are not there, break-glass that `serve` refuses, modules that
//! read what is not there, and explanations that must name what decided.

use std::fs;
use std::path::Path;

use regent::exit_status::ExitStatus;
use regent_tests::workspace;
use serde_json::Value;

use crate::command::{folder_of, regent, regent_with};
use crate::serve_command;

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: NAME}
spec:
  validationFailureAction: Enforce
  rules:
    - name: team
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {message: no team, pattern: {metadata: {labels: {team: \"?*\"}}}}
";

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: a, image: 'a:1'}]}
";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Two policies in a `List`, as `kubectl get -o yaml` writes one.
fn list() -> String {
    let indented = |name: &str| {
        let policy = POLICY.replace("NAME", name);
        let lines = policy.lines().map(|line| format!("    {line}\n"));
        lines.collect::<String>().replacen("    ", "  - ", 1)
    };
    let (one, two) = (indented("one"), indented("two"));
    format!("apiVersion: v1\nkind: List\nmetadata: {{resourceVersion: \"\"}}\nitems:\n{one}{two}")
}

#[test]
fn a_list_of_policies_is_its_policies() {
    let list = list();
    let folder = folder_of(&[("all.yaml", &list), ("pod.yaml", POD)]);
    let file = folder.path().join("all.yaml");
    let ran = regent(&["check", text(&file)]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    for policies in [&*file, folder.path()] {
        let pod = folder.path().join("pod.yaml");
        let ran = regent(&["apply", text(policies), "--resource", text(&pod)]);
        assert_eq!(ran.status, ExitStatus::Failed, "{}", ran.stderr);
        assert!(ran.stdout.contains("fail: 2"), "{}", ran.stdout);
    }
    let wrong = list.replacen("kinds: [Pod]", "kindz: [Pod]", 1);
    let ran = regent_with(&wrong, &["check", "-", "-o", "json"]);
    assert_eq!(ran.status, ExitStatus::DoesNotCompile);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["diagnostics"][0]["labels"][0]["line"], 12, "{said}");
    let empty = "apiVersion: v1\nkind: List\nitems: []\n";
    let ran = regent_with(empty, &["check", "-"]);
    assert_eq!(ran.status, ExitStatus::DoesNotCompile, "{}", ran.stdout);
}

#[test]
fn exceptions_in_a_list_count() {
    let exception = "apiVersion: v1
kind: List
items:
  - apiVersion: kyverno.io/v2
    kind: PolicyException
    metadata: {name: web, namespace: default}
    spec:
      match: {any: [{resources: {kinds: [Pod], names: [web]}}]}
      exceptions: [{policyName: one, ruleNames: [team]}]
";
    let policy = POLICY.replace("NAME", "one");
    let files = [
        ("p.yaml", &*policy),
        ("e.yaml", exception),
        ("pod.yaml", POD),
    ];
    let folder = folder_of(&files);
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let (policy, exception, pod) = (path("p.yaml"), path("e.yaml"), path("pod.yaml"));
    let arguments = [
        "apply",
        &policy,
        "--exception",
        &exception,
        "--resource",
        &pod,
    ];
    let ran = regent(&arguments);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("skip: 1"), "{}", ran.stdout);
}

#[test]
fn a_file_that_is_not_there_is_misuse_and_what_is_wrong_in_another_counts_before() {
    let wrong = POLICY.replace("NAME", "one").replace("pattern", "patern");
    let folder = folder_of(&[("wrong.yaml", &wrong)]);
    let wrong = folder.path().join("wrong.yaml");
    let none = folder.path().join("none.yaml");
    let image = "registry.example/a:1";
    for command in [
        &["check", text(&none)][..],
        &["compile", text(&none)],
        &["verify", image, "--policy", text(&none)],
    ] {
        let ran = regent(command);
        assert_eq!(ran.status, ExitStatus::Usage, "{command:?} {}", ran.stderr);
        assert!(ran.stderr.contains("none.yaml"), "{}", ran.stderr);
        let ran = match command {
            [verb @ ("check" | "compile"), _] => regent(&[verb, text(&none), text(&wrong)]),
            _ => regent(&[
                "verify",
                image,
                "--policy",
                text(&none),
                "--policy",
                text(&wrong),
            ]),
        };
        assert_eq!(ran.status, ExitStatus::DoesNotCompile, "{}", ran.stderr);
    }
}

#[test]
fn a_break_glass_that_serve_refuses_is_warned_of() {
    let glass = |hour: &str| {
        format!(
            "apiVersion: regent.dev/v1
kind: BreakGlass
metadata: {{name: outage}}
spec:
  reason: the registry is away
  startsAt: \"2026-11-28T10:00:00Z\"
  expiresAt: \"2026-11-28T{hour}:00:00Z\"
  match: {{any: [{{resources: {{kinds: [Pod]}}, subjects: [{{kind: Group, name: sre}}]}}]}}
  exceptions: [{{policyName: a, ruleNames: [b]}}]
"
        )
    };
    let ran = regent_with(&glass("20"), &["check", "-"]);
    assert_eq!(ran.status, ExitStatus::Pass);
    for said in ["open for 10h0m0s", "--break-glass-longest"] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let ran = regent_with(&glass("14"), &["check", "-"]);
    assert_eq!((ran.status, &*ran.stderr), (ExitStatus::Pass, ""));
}

/// What `check` says of a policy with a module.
fn of_module(lines: &str) -> (ExitStatus, String) {
    let head = POLICY.replace("NAME", "one");
    let (head, _) = head.split_once("      validate").unwrap();
    let lines = lines.lines().map(|line| format!("            {line}\n"));
    let lines: String = lines.collect();
    let policy = format!("{head}      validate:\n        rego:\n          source: |\n{lines}");
    let ran = regent_with(&policy, &["check", "-"]);
    (ran.status, ran.stderr)
}

#[test]
fn what_modules_import_and_read_must_be_there() {
    let rule = "package a\nimport rego.IMPORT\nviolation contains {\"msg\": \"no\"} if PATH\n";
    let of =
        |import: &str, path: &str| of_module(&rule.replace("IMPORT", import).replace("PATH", path));
    let good = "input.review.object.metadata.name == input.parameters.a";
    assert_eq!(of("v1", good), (ExitStatus::Pass, String::new()));
    let (status, said) = of("vi", good);
    assert_eq!(status, ExitStatus::DoesNotCompile);
    assert!(said.contains("did you mean `rego.v1`?"), "{said}");
    for (path, meant) in [
        (
            "input.review.object.a == input.parameter.a",
            "input.parameters",
        ),
        ("input.reviews.object.a", "input.review"),
        ("input[\"reviews\"].object.a", "input.review"),
    ] {
        let (status, said) = of("v1", path);
        assert_eq!(status, ExitStatus::Pass, "{said}");
        assert!(said.contains("nothing is at `input."), "{said}");
        assert!(said.contains(&format!("did you mean `{meant}`?")), "{said}");
    }
    // A variable of the same name is another thing, and so is what `with` puts there.
    let own = "f(input) if input.a == 1\nviolation contains {\"msg\": \"no\"} if f(input.review)\n";
    let (_, said) = of_module(&format!("package a\n{own}"));
    assert_eq!(said, "");
    let (_, said) = of("v1", "q with input as {\"a\": 1}\nq if input.a == 1");
    assert_eq!(said, "");
}

#[test]
fn templates_that_read_what_is_not_there_are_warned_of_once() {
    let template = "apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {name: k8sa}
spec:
  crd: {spec: {names: {kind: K8sA}}}
  targets:
    - target: admission.k8s.gatekeeper.sh
      rego: |
        package a
        violation[{\"msg\": \"no\"}] {
          input.parameter.a == 1
        }
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sA
metadata: {name: one}
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sA
metadata: {name: two}
";
    let ran = regent_with(template, &["check", "-"]);
    assert_eq!(ran.status, ExitStatus::Pass);
    assert_eq!(
        ran.stderr.matches("nothing is at").count(),
        1,
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("1 warning"), "{}", ran.stdout);
}

const EXPLAINED: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: a}
spec:
  validationFailureAction: Enforce
  rules:
    - name: excluded
      match: {any: [{resources: {kinds: [Pod]}}]}
      exclude: {any: [{resources: {names: ['w*']}}]}
      validate: {pattern: {metadata: {name: 'x*'}}}
    - name: said
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        message: \"no {{ request.object.metadata.labels.team }}\"
        deny: {}
    - name: module
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        rego:
          source: |
            package a
            violation contains {\"msg\": \"never so\"} if input.review.object.metadata.name == \"web\"
    - name: empty
      match: {any: [{resources: {kinds: [Pod]}}]}
      mutate:
        foreach:
          - list: request.object.spec.initContainers || `[]`
            patchStrategicMerge: {metadata: {labels: {a: b}}}
";

#[test]
fn explanations_name_exclude_modules_empty_lists_and_messages_without_text() {
    let test = "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: a}
policies: [policy.yaml]
resources: [pod.yaml]
results:
- {policy: a, rule: excluded, kind: Pod, resources: [web], result: fail}
- {policy: a, rule: said, kind: Pod, resources: [web], result: pass}
- {policy: a, rule: module, kind: Pod, resources: [web], result: pass}
- {policy: a, rule: empty, kind: Pod, resources: [web], result: pass}
";
    let folder = folder_of(&[
        ("policy.yaml", EXPLAINED),
        ("pod.yaml", POD),
        ("kyverno-test.yaml", test),
    ]);
    let ran = regent(&["test", text(folder.path()), "--explain", "-o", "json"]);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = said["results"].as_array().unwrap().iter();
    let explained: Vec<String> = results
        .flat_map(|result| {
            let parts = result["explanation"]["parts"].as_array().cloned();
            let rule = result["rule"].as_str().unwrap().to_owned();
            parts.unwrap_or_default().into_iter().map(move |part| {
                let (kind, line) = (part["kind"].as_str().unwrap(), &part["line"]);
                let message = part["message"].as_str().unwrap();
                format!("{rule}: {kind} {line}: {message}")
            })
        })
        .collect();
    let of = |rule: &str, kind: &str, words: &str| {
        let mut parts = explained.iter();
        parts.any(|part| part.starts_with(&format!("{rule}: {kind}")) && part.contains(words))
    };
    for (rule, kind, words) in [
        ("excluded", "exclude 9", "excludes {\"kind\":\"Pod\""),
        ("said", "message 14", "the message has no text: "),
        ("module", "module 20", "never so"),
        ("empty", "list 27", "the list is empty"),
    ] {
        assert!(of(rule, kind, words), "{rule}: {explained:#?}");
    }
    assert!(!of("excluded", "match ", ""), "{explained:#?}");
}

#[test]
fn a_server_that_cannot_start_says_so_in_its_logs() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("policy.yaml"),
        POLICY.replace("NAME", "one"),
    )
    .unwrap();
    let root = workspace().join("none.json");
    let arguments = |format| {
        let policies = text(folder.path());
        let root = text(&root);
        [
            "--policies",
            policies,
            "--tls-self-signed",
            policies,
            "--no-cluster",
            "--trusted-root",
            root,
            "--log-format",
            format,
        ]
    };
    let run = |format, log: &str| {
        let mut command = serve_command::command(&arguments(format));
        let output = command.env("REGENT_LOG", log).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, said) = run("json", "info");
    assert_eq!(code, Some(2), "{said}");
    for line in said.lines() {
        let _record: Value = serde_json::from_str(line).expect(&said);
    }
    assert!(said.contains("none.json"), "{said}");
    let (code, said) = run("json", "not=a=filter");
    assert_eq!(code, Some(2), "{said}");
    let record: Value = serde_json::from_str(said.lines().next().unwrap()).expect(&said);
    assert!(record.to_string().contains("REGENT_LOG"), "{said}");
    // Where errors are not logged, it is still said.
    let (code, said) = run("json", "off");
    assert_eq!((code, said.contains("error: ")), (Some(2), true), "{said}");
    let (code, said) = run("text", "info");
    assert_eq!((code, said.contains("error: ")), (Some(2), true), "{said}");
}

#[test]
fn facts_that_cannot_be_read_are_said_where_a_test_names_them() {
    let policy = POLICY.replace("NAME", "one");
    let test = "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: a}
policies: [policy.yaml]
resources: [pod.yaml]
facts: recorded.json
results:
- {policy: one, rule: team, kind: Pod, resources: [web], result: fail}
";
    let folder = folder_of(&[
        ("policy.yaml", &policy),
        ("pod.yaml", POD),
        ("kyverno-test.yaml", test),
        ("recorded.json", "{"),
    ]);
    let ran = regent(&["test", text(folder.path()), "-o", "json"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    let place = &said["diagnostics"][0]["labels"][0];
    assert_eq!(
        (&place["line"], &place["column"]),
        (&6.into(), &8.into()),
        "{said}"
    );
}
