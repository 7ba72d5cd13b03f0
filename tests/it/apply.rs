//! `regent apply` as a user and a pipeline meet it.

use std::fs;

use regent::exit_status::ExitStatus;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Ran, regent, regent_with};

mod namespaced;

const RESOURCES: &str = "apiVersion: v1
kind: Pod
metadata: {name: good}
spec: {containers: [{name: a, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: bad, namespace: shop, uid: u-1}
spec: {containers: [{name: a, image: nginx}]}
";

fn policy(annotations: &str, kind: &str, metadata: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: {kind}
metadata:
  name: refuse-bad
  annotations: {{policies.kyverno.io/category: Names, policies.kyverno.io/severity: high{annotations}}}
{metadata}spec:
  rules:
    - name: check-name
      match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
      validate:
        message: nothing may be called bad
        deny:
          conditions:
            any: [{{key: \"{{{{ request.object.metadata.name }}}}\", operator: Equals, value: bad}}]
"
    )
}

struct Folder(TempDir);

impl Folder {
    fn new(policy: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("policy.yaml", policy);
        folder.write("resources.yaml", RESOURCES);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn apply(&self, flags: &[&str]) -> Ran {
        let (policy, resources) = (self.path("policy.yaml"), self.path("resources.yaml"));
        let arguments = ["apply", &policy, "-r", &resources];
        regent(&[&arguments, flags].concat())
    }
}

#[test]
fn failures_are_listed_and_counted() {
    let ran = Folder::new(&policy("", "ClusterPolicy", "")).apply(&[]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert_eq!(
        ran.stdout,
        "\nApplying 3 policy rule(s) to 2 resource(s)...
policy refuse-bad -> resource shop/Pod/bad failed:
1 - check-name nothing may be called bad

\npass: 1, fail: 1, warn: 0, error: 0, skip: 0 \n"
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_report_is_alone_on_stdout() {
    let folder = Folder::new(&policy("", "ClusterPolicy", ""));
    let ran = folder.apply(&["-p", "--output-format", "json"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(ran.stdout.starts_with("{\"kind\":\"ClusterReport\",\"apiVersion\":\"openreports.io/v1alpha1\",\"metadata\":{\"name\":\"merged\"},"));
    let mut report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let result = &mut report["results"][1];
    assert!(result["timestamp"]["seconds"].as_u64().unwrap() > 0);
    result["timestamp"] = json!(null);
    assert_eq!(
        *result,
        json!({
            "source": "kyverno",
            "policy": "refuse-bad",
            "rule": "check-name",
            "category": "Names",
            "severity": "high",
            "timestamp": null,
            "result": "fail",
            "scored": true,
            "resources": [{"kind": "Pod", "namespace": "shop", "name": "bad", "uid": "u-1", "apiVersion": "v1"}],
            "message": "nothing may be called bad",
            "properties": {"process": "background scan"},
        })
    );
    assert_eq!(
        report["summary"],
        json!({"pass": 1, "fail": 1, "warn": 0, "error": 0, "skip": 0})
    );
    let yaml = folder.apply(&["--policy-report", "--report-api", "wgpolicyk8s.io"]);
    assert!(
        yaml.stdout
            .starts_with("apiVersion: wgpolicyk8s.io/v1alpha2\nkind: ClusterPolicyReport\nmetadata:\n  name: merged\nresults:\n- category: Names\n"),
        "{}",
        yaml.stdout
    );
}

#[test]
fn a_policy_of_a_namespace_has_a_report_of_its_own() {
    let folder = Folder::new(&policy("", "Policy", "  namespace: shop\n"));
    let ran = folder.apply(&["-p", "--output-format", "json"]);
    let reports: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(reports[0]["results"], json!([]));
    assert_eq!(reports[1]["kind"], "Report");
    assert_eq!(reports[1]["metadata"]["namespace"], "shop");
    assert_eq!(reports[1]["results"][0]["policy"], "shop/refuse-bad");
}

#[test]
fn results_of_a_policy_that_is_not_to_be_reported_are_in_no_report() {
    let label = "  labels: {reports.kyverno.io/disabled: \"\"}\n";
    let folder = Folder::new(&policy("", "ClusterPolicy", label));
    let ran = folder.apply(&["-p", "--output-format", "json"]);
    assert_eq!(ran.status, ExitStatus::Failed, "{}", ran.stdout);
    let report: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    assert_eq!(report["results"], json!([]));
}

#[test]
fn warnings_have_the_status_that_the_user_gives_them() {
    let folder = Folder::new(&policy("", "ClusterPolicy", ""));
    let ran = folder.apply(&["--audit-warn", "--warn-exit-code", "3"]);
    assert_eq!(ran.status, ExitStatus::Warned(3));
    assert!(
        ran.stdout.contains("failed as audit warning:"),
        "{}",
        ran.stdout
    );
    let quiet = folder.apply(&["--audit-warn"]);
    assert_eq!(quiet.status, ExitStatus::Pass);
    let unscored = ", policies.kyverno.io/scored: \"false\"";
    let ran = Folder::new(&policy(unscored, "ClusterPolicy", "")).apply(&["-p"]);
    assert_eq!(ran.status, ExitStatus::Pass);
    assert!(ran.stdout.contains("result: warn"), "{}", ran.stdout);
    folder.write(
        "resources.yaml",
        "{apiVersion: v1, kind: Service, metadata: {name: s}}\n",
    );
    let ran = folder.apply(&["--warn-no-pass", "--warn-exit-code=4"]);
    assert_eq!(ran.status, ExitStatus::Warned(4));
}

#[test]
fn a_policy_that_does_not_load_is_an_error_and_the_others_run() {
    let folder = Folder::new(&policy("", "ClusterPolicy", ""));
    folder.write(
        "policies.yaml",
        &policy("", "ClusterPolicy", "").replace("deny:", "denny:"),
    );
    let (policies, resources) = (folder.path("policies.yaml"), folder.path("resources.yaml"));
    let ran = regent(&[
        "apply",
        &policies,
        &folder.path("policy.yaml"),
        "-r",
        &resources,
    ]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(ran.stdout.contains("Invalid Policies:\n1. refuse-bad\n"));
    assert!(
        ran.stdout
            .ends_with("\npass: 1, fail: 1, warn: 0, error: 1, skip: 0 \n")
    );
    assert!(ran.stderr.contains("denny"), "{}", ran.stderr);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_the_others_are() {
    let folder = Folder::new(&policy("", "ClusterPolicy", ""));
    folder.write("broken.yaml", "kind: [\n");
    let ran = folder.apply(&["--resource", &folder.path("broken.yaml"), "-p"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(ran.stdout.contains("result: pass"), "{}", ran.stdout);
    assert!(ran.stderr.contains("broken.yaml"), "{}", ran.stderr);
}

#[test]
fn standard_input_holds_policies_or_resources() {
    let folder = Folder::new("");
    let policy = policy("", "ClusterPolicy", "");
    let resources = folder.path("resources.yaml");
    let ran = regent_with(&policy, &["apply", "-", "-r", &resources, "-t"]);
    assert!(
        ran.stdout.contains("│ shop/Pod/bad     │ Fail   │"),
        "{}",
        ran.stdout
    );
    let ran = regent_with(&policy, &["apply", "-", "-r", "-"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(ran.stderr.starts_with("Error: standard input holds"));
}

#[test]
fn what_needs_a_cluster_the_network_or_cel_is_refused_by_name() {
    let folder = Folder::new(&policy("", "ClusterPolicy", ""));
    for (flags, said) in [
        (&["--cluster"][..], "`--cluster`"),
        (&["-n", "shop"], "`--namespace`"),
        (&["--http-payload", "a.json"], "`--http-payload`"),
        (
            &["-r", "https://example.com/a.yaml"],
            "`https://example.com/a.yaml`",
        ),
        (&["--set", "a=b", "-f", "values.yaml"], "`--set`"),
    ] {
        let ran = folder.apply(flags);
        assert_eq!(ran.status, ExitStatus::Failed, "{flags:?}");
        assert!(ran.stderr.contains(said), "{flags:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{flags:?}");
    }
}

#[test]
fn values_reach_the_request() {
    let created = policy("", "ClusterPolicy", "")
        .replace("kinds: [Pod]", "kinds: [Pod], operations: [CREATE]");
    let folder = Folder::new(&created);
    assert!(folder.apply(&[]).stdout.contains("pass: 1, fail: 1"));
    let ran = folder.apply(&["--set", "request.operation=DELETE"]);
    assert!(ran.stdout.contains("pass: 0, fail: 0"), "{}", ran.stdout);
    folder.write(
        "values.yaml",
        "globalValues: {request.object.metadata.name: bad}\n",
    );
    let values = folder.path("values.yaml");
    let ran = folder.apply(&["-f", &values]);
    assert!(ran.stdout.contains("fail: 2"), "{}", ran.stdout);
}

#[test]
fn what_values_say_of_an_object_is_said_of_it_from_there_on() {
    let first = policy("", "ClusterPolicy", "");
    let second = first.replace("refuse-bad", "second");
    let folder = Folder::new(&format!("{first}---\n{second}"));
    folder.write(
        "values.yaml",
        "policies: [{name: refuse-bad, resources: [{name: good, values: {request.object.metadata.name: bad}}]}]\n",
    );
    let ran = folder.apply(&[
        "-f",
        &folder.path("values.yaml"),
        "-p",
        "--output-format=json",
    ]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 4, "{report:#}");
    for result in results {
        assert_eq!(result["result"], "fail");
        assert_eq!(result["resources"][0]["name"], "bad");
    }
}

#[test]
fn values_of_a_rule_are_what_it_reads_and_not_what_it_is_chosen_by() {
    let by_namespace = policy("", "ClusterPolicy", "")
        .replace("kinds: [Pod]", "kinds: [Pod], namespaces: [shop]")
        .replace(
            "nothing may be called bad",
            "\"bad in {{ request.namespace }}\"",
        );
    let folder = Folder::new(&by_namespace);
    folder.write(
        "values.yaml",
        "policies: [{name: refuse-bad, rules: [{name: check-name, values: {request.namespace: other}}]}]\n",
    );
    let ran = folder.apply(&["-f", &folder.path("values.yaml")]);
    assert!(
        ran.stdout.contains("1 - check-name bad in other\n"),
        "{}",
        ran.stdout
    );
}

const WITH_CONTEXT: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: in-context}
spec:
  rules:
    - name: check-mode
      match: {any: [{resources: {kinds: [Pod]}}]}
      context:
        - name: settings
          configMap: {name: settings, namespace: shop}
      validate:
        message: \"{{ settings.data.mode }} {{ request.mode || 'none' }}\"
        deny: {}
";

#[test]
fn values_stand_for_what_would_be_fetched() {
    let folder = Folder::new(WITH_CONTEXT);
    let message = |values: &str| {
        folder.write("values.yaml", values);
        let ran = folder.apply(&[
            "-f",
            &folder.path("values.yaml"),
            "-p",
            "--output-format=json",
        ]);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        report["results"][0]["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        message("globalValues: {settings.data.mode: strict, request.mode: dev}"),
        "strict dev"
    );
    let rules = "{name: check-mode, values: {settings.data.mode: of-the-rule}}";
    let resources = "{name: good, values: {settings: {data: {mode: of-the-resource}}}}";
    assert_eq!(
        message(&format!(
            "policies: [{{name: in-context, resources: [{resources}]}}]"
        )),
        "of-the-resource none"
    );
    assert_eq!(
        message(&format!(
            "policies: [{{name: in-context, resources: [{resources}], rules: [{rules}]}}]"
        )),
        "of-the-rule none"
    );
}

#[test]
fn a_context_file_stands_for_the_cluster() {
    let folder = Folder::new(WITH_CONTEXT);
    folder.write(
        "context.yaml",
        "kind: Context
spec:
  resources:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {mode: lax}}
",
    );
    let ran = folder.apply(&["--context-file", &folder.path("context.yaml")]);
    assert!(
        ran.stdout.contains("1 - check-mode lax none\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn exceptions_are_counted_and_let_off() {
    let folder = Folder::new(&policy("", "ClusterPolicy", ""));
    folder.write(
        "exception.yaml",
        "apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: let-off, namespace: shop}
spec:
  match: {any: [{resources: {kinds: [Pod], names: [bad]}}]}
  exceptions: [{policyName: refuse-bad, ruleNames: [check-name]}]
",
    );
    let ran = folder.apply(&["-e", &folder.path("exception.yaml")]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        ran.stdout,
        "\nApplying 3 policy rule(s) to 2 resource(s) with 1 exception(s)...\n\npass: 1, fail: 0, warn: 0, error: 0, skip: 1 \n"
    );
}

const OF_TARGETS: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: mark-secrets}
spec:
  rules:
    - name: mark
      match: {any: [{resources: {kinds: [Pod], names: [bad]}}]}
      mutate:
        targets: [{apiVersion: v1, kind: Secret, namespace: shop, name: '*'}]
        patchStrategicMerge: {metadata: {labels: {seen: 'yes'}}}
";

#[test]
fn targets_that_nobody_names_cannot_be_changed() {
    let folder = Folder::new(OF_TARGETS);
    let ran = folder.apply(&[]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(ran.stderr.contains("`--target-resource`"), "{}", ran.stderr);
    assert!(ran.stdout.contains("error: 1"), "{}", ran.stdout);
}

#[test]
fn what_stands_here_is_what_the_target_has() {
    let policy = OF_TARGETS.replace(
        "seen: 'yes'",
        "seen: '{{@}}-again', by: \"{{request.userInfo.username || 'nobody'}}\"",
    );
    let folder = Folder::new(&policy);
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: one, namespace: shop, labels: {seen: 'once', by: x}}}";
    folder.write("targets.yaml", secret);
    let targets = folder.path("targets.yaml");
    let ran = folder.apply(&["--target-resource", &targets]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("seen: once-again"), "{}", ran.stdout);
}

#[test]
fn what_became_of_targets_is_a_result_for_each_and_written() {
    let folder = Folder::new(OF_TARGETS);
    folder.write(
        "targets.yaml",
        "{apiVersion: v1, kind: Secret, metadata: {name: one, namespace: shop}}
---
{apiVersion: v1, kind: Secret, metadata: {name: two, namespace: shop, labels: {seen: 'yes'}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: elsewhere, namespace: other}}
",
    );
    let targets = folder.path("targets.yaml");
    let ran = folder.apply(&["--target-resource", &targets]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains(
            "patched targets: \n\napiVersion: v1\nkind: Secret\nmetadata:\n  labels:\n    seen: \"yes\"\n  name: one\n"
        ),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .ends_with("\npass: 1, fail: 0, warn: 0, error: 0, skip: 1 \n"),
        "{}",
        ran.stdout
    );
    let ran = folder.apply(&["--target-resource", &targets, "-o", &folder.path("out")]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let written = fs::read_to_string(folder.path("out/bad-mutated.yaml")).unwrap();
    assert!(
        written.contains("name: bad") && written.contains("name: one"),
        "{written}"
    );
    assert!(!written.contains("elsewhere"), "{written}");
}

#[test]
fn generated_resources_are_shown_and_written() {
    let folder = Folder::new(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: settings}
spec:
  rules:
    - name: make
      match: {any: [{resources: {kinds: [Pod], names: [bad]}}]}
      generate:
        apiVersion: v1
        kind: ConfigMap
        name: of-{{ request.object.metadata.name }}
        namespace: shop
        data: {data: {a: b}}
",
    );
    let ran = folder.apply(&[]);
    assert!(
        ran.stdout.contains("\npolicy settings applied to shop/Pod/bad:\napiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\n"),
        "{}",
        ran.stdout
    );
    folder.apply(&["-o", &folder.path("out")]);
    let written = fs::read_to_string(folder.path("out/settings-generated.yaml")).unwrap();
    assert!(written.contains("name: of-bad"), "{written}");
}

const OF_PODS: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: standards}
spec:
  rules:
    - name: baseline
      match: {any: [{resources: {kinds: [Pod]}}]}
      reportProperties:
        owner: \"team-{{ request.object.metadata.name }}\"
        failMessage: ask team one
      validate: {podSecurity: {level: baseline, version: latest}}
";

const PRIVILEGED: &str = "apiVersion: v1
kind: Pod
metadata: {name: root, namespace: shop}
spec:
  hostNetwork: true
  containers: [{name: a, image: 'nginx:1', securityContext: {privileged: true}}]
";

#[test]
fn reports_say_what_kyvernos_say_of_a_result() {
    let folder = Folder::new(OF_PODS);
    folder.write("resources.yaml", PRIVILEGED);
    let ran = folder.apply(&["-p", "--output-format=json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let result = &report["results"][0];
    assert_eq!(result["message"], "ask team one");
    assert_eq!(
        result["properties"],
        json!({
            "process": "background scan",
            "owner": "team-root",
            "failMessage": "ask team one",
            "standard": "baseline",
            "version": "latest",
            "controls": "hostNamespaces,privileged",
            "controlsJSON": "[{\"ID\":\"hostNamespaces\",\"Name\":\"Host Namespaces\",\"Images\":null},{\"ID\":\"privileged\",\"Name\":\"Privileged Containers\",\"Images\":[\"docker.io/nginx:1\"]}]",
        }),
        "{report:#}"
    );
}

#[test]
fn exceptions_that_are_generated_let_off_what_failed() {
    let folder = Folder::new(OF_PODS);
    folder.write("resources.yaml", PRIVILEGED);
    let ran = folder.apply(&["--generate-exceptions", "--generated-exception-ttl", "24h"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    for line in [
        "---\napiVersion: kyverno.io/v2\nkind: PolicyException\n",
        "  name: standards-baseline-shop-root\n",
        "    cleanup.kyverno.io/ttl: 24h0m0s\n",
        "  - controlName: Host Namespaces\n",
        "    images:\n    - docker.io/nginx*\n    - nginx*\n",
    ] {
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
    folder.write("exceptions.yaml", &ran.stdout);
    let ran = folder.apply(&[
        "-e",
        &folder.path("exceptions.yaml"),
        "-p",
        "--output-format=json",
    ]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["results"][0]["result"], "skip");
    assert_eq!(
        report["results"][0]["properties"]["exceptions"],
        "standards-baseline-shop-root"
    );
}
