use serde_json::{Value, json};

use super::control::{CONTROLS, Control};
use super::{Exclusion, Level, Pod, Version, evaluate, exclusion, listed};

fn pod(resource: &Value) -> Pod {
    let kind = resource["kind"].as_str().unwrap_or("Pod");
    Pod::of_resource(kind, resource).unwrap()
}

fn with(spec: &Value) -> Pod {
    pod(&json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": spec}))
}

fn said(level: Level, version: Version, pod: &Pod) -> String {
    listed(&evaluate(level, version, pod), "Pod")
}

#[test]
fn versions() {
    assert_eq!(Version::parse("latest"), Some(Version::Latest));
    assert_eq!(Version::parse("v1.24"), Some(Version::Minor(24)));
    for text in ["", "1.24", "v1.", "v1.024", "v2.0", "v1.2x", "v1.+2"] {
        assert_eq!(Version::parse(text), None, "{text}");
    }
    assert!(Version::Minor(34) < Version::Latest);
}

#[test]
fn each_check_belongs_to_one_control() {
    let mut checks: Vec<_> = CONTROLS.iter().flat_map(|control| control.checks).collect();
    checks.sort();
    let all = checks.len();
    checks.dedup();
    assert_eq!((all, checks.len()), (18, 18));
    for check in checks {
        assert!(Control::of(*check).is_some());
    }
}

#[test]
fn the_types_are_all_known() {
    // A type without a line would make an error of everything.
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"creationTimestamp": null, "managedFields": [{"time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:a": {}}}]},
        "spec": {"replicas": 2, "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
            "template": {"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}]}}},
    });
    assert!(Pod::of_resource("Deployment", &deployment).is_ok());
    assert_eq!(super::schema::unknown_types(), Vec::<String>::new());
}

#[test]
fn values_of_the_wrong_type_are_errors_and_not_absent() {
    let wrong = |resource: &Value| Pod::of_resource("Pod", resource).unwrap_err();
    assert_eq!(
        wrong(&json!({"spec": {"containers": [{"securityContext": {"privileged": "yes"}}]}})),
        "json: cannot unmarshal string into Go struct field SecurityContext.spec.containers.securityContext.privileged of type bool"
    );
    assert_eq!(
        wrong(&json!({"spec": {"containers": 3}})),
        "json: cannot unmarshal number into Go struct field PodSpec.spec.containers of type []v1.Container"
    );
    assert_eq!(
        wrong(&json!({"spec": {"volumes": [{"name": "a", "hostPath": "/"}]}})),
        "json: cannot unmarshal string into Go struct field Volume.spec.volumes.VolumeSource.hostPath of type v1.HostPathVolumeSource"
    );
    assert_eq!(
        Pod::of_resource("Service", &json!({})).unwrap_err(),
        "could not find correct resource type"
    );
}

#[test]
fn a_pod_that_says_nothing() {
    let silent = with(&json!({"containers": [{"name": "a"}]}));
    assert_eq!(said(Level::Baseline, Version::Latest, &silent), "");
    let restricted = "(Forbidden reason: allowPrivilegeEscalation != false, field error list: \
         [spec.containers[0].securityContext.allowPrivilegeEscalation: Required value])\
         (Forbidden reason: unrestricted capabilities, field error list: \
         [spec.containers[0].securityContext.capabilities.drop: Required value])\
         (Forbidden reason: runAsNonRoot != true, field error list: \
         [spec.containers[0].securityContext.runAsNonRoot: Required value])\
         (Forbidden reason: seccompProfile, field error list: \
         [spec.containers[0].securityContext.seccompProfile.type: Required value])";
    assert_eq!(
        said(Level::Restricted, Version::Latest, &silent),
        restricted
    );
    assert_eq!(said(Level::Privileged, Version::Latest, &silent), "");
}

#[test]
fn versions_change_checks() {
    let sysctl = |name: &str| with(&json!({"securityContext": {"sysctls": [{"name": name}]}}));
    let passes = |name, version| {
        evaluate(Level::Baseline, Version::Minor(version), &sysctl(name)).is_empty()
    };
    assert!(passes("net.ipv4.tcp_syncookies", 19));
    assert!(!passes("net.ipv4.ip_local_reserved_ports", 26));
    assert!(passes("net.ipv4.ip_local_reserved_ports", 27));
    assert!(!passes("net.ipv4.tcp_rmem", 31));
    assert!(passes("net.ipv4.tcp_rmem", 32));
    let windows = with(&json!({
        "os": {"name": "windows"}, "securityContext": {"runAsNonRoot": true}, "containers": [{"name": "a"}],
    }));
    assert_eq!(said(Level::Restricted, Version::Minor(25), &windows), "");
    assert_ne!(said(Level::Restricted, Version::Minor(24), &windows), "");
}

fn excluded(images: &[&str], control: &str, field: Option<&str>, values: &[&str]) -> Exclusion {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Exclusion {
        control: Control::named(control).unwrap(),
        images: texts(images),
        restricted_field: field.map(str::to_owned),
        values: texts(values),
    }
}

fn remaining(exclusions: &[Exclusion], pod: &Pod) -> String {
    let asked = (Level::Baseline, Version::Latest);
    let violations = evaluate(asked.0, asked.1, pod);
    listed(&exclusion::apply(asked, exclusions, violations, pod), "Pod")
}

#[test]
fn exclusions_take_off_what_they_are_about() {
    let adding = |capability: &str, image: &str| json!({"name": image, "image": image, "securityContext": {"capabilities": {"add": [capability]}}});
    let pod =
        with(&json!({"containers": [adding("SYS_TIME", "one:1"), adding("NET_ADMIN", "two:1")]}));
    let all = |images: &[&str]| excluded(images, "Capabilities", None, &[]);
    assert_eq!(remaining(&[all(&["*"])], &pod), "");
    assert_eq!(remaining(&[all(&["one:*"]), all(&["two:?"])], &pod), "");
    let rest = "(Forbidden reason: non-default capabilities, field error list: \
         [spec.containers[1].securityContext.capabilities.add is forbidden, forbidden values found: [NET_ADMIN]])";
    assert_eq!(remaining(&[all(&["one:*"])], &pod), rest);
    let field = "spec.containers[*].securityContext.capabilities.add";
    let by_value = excluded(&["*"], "Capabilities", Some(field), &["SYS_*"]);
    assert_eq!(remaining(&[by_value], &pod), rest);
    let other = excluded(
        &["*"],
        "Capabilities",
        Some("spec.initContainers[*].securityContext.capabilities.add"),
        &["*"],
    );
    assert!(!remaining(&[other], &pod).is_empty());
    assert!(
        !remaining(
            &[excluded(&["*"], "Privileged Containers", None, &[])],
            &pod
        )
        .is_empty()
    );
}

/// Whoever excuses a value, and be it twice, has not excused another one of the same field.
#[test]
fn exclusions_take_off_the_value_that_they_are_about() {
    let ports =
        |ports: Value| with(&json!({"containers": [{"name": "a", "image": "a", "ports": ports}]}));
    let field = "spec.containers[*].ports[*].hostPort";
    let of = |values: &[&str]| excluded(&["*"], "Host Ports", Some(field), values);
    let twice = [of(&["80"]), of(&["80"])];
    let (known, other) = (json!({"hostPort": 80}), json!({"hostPort": 666}));
    assert_eq!(remaining(&twice, &ports(json!([known]))), "");
    for both in [json!([known, other]), json!([other, known])] {
        let rest = remaining(&twice, &ports(both));
        assert!(rest.contains("666"), "{rest}");
    }
    let asked = (Level::Restricted, Version::Latest);
    let silent = excluded(&[], "Running as Non-root", None, &[]);
    let rest = |security: Value| {
        let pod = with(
            &json!({"containers": [{"name": "a", "image": "a", "securityContext": security}]}),
        );
        let all = evaluate(asked.0, asked.1, &pod);
        let rest = exclusion::apply(asked, std::slice::from_ref(&silent), all, &pod);
        listed(&rest, "Pod").contains("runAsNonRoot")
    };
    assert!(!rest(json!({})));
    assert!(rest(json!({"runAsNonRoot": false})));
}

#[test]
fn the_pods_own_fields_are_excluded_without_images() {
    let pod = with(&json!({"hostPID": true, "hostIPC": true, "containers": [{"name": "a"}]}));
    assert_eq!(
        remaining(&[excluded(&[], "Host Namespaces", None, &[])], &pod),
        ""
    );
    let field = Some("spec.hostPID");
    let rest = remaining(&[excluded(&[], "Host Namespaces", field, &["true"])], &pod);
    assert_eq!(
        rest,
        "(Forbidden reason: host namespaces, field error list: [spec.hostIPC is forbidden, forbidden values found: true])"
    );
}

#[test]
fn annotations_of_a_cron_job_and_of_its_pods_are_read() {
    let name = "container.apparmor.security.beta.kubernetes.io/a";
    for pointer in ["job", "pod"] {
        let metadata = |own| {
            let value = if own == pointer {
                "unconfined"
            } else {
                "runtime/default"
            };
            json!({"annotations": {format!("{name}-{own}"): value}})
        };
        let job = json!({"kind": "CronJob", "spec": {"jobTemplate": {
            "metadata": metadata("job"),
            "spec": {"template": {"metadata": metadata("pod"), "spec": {"containers": []}}},
        }}});
        let violations = evaluate(Level::Baseline, Version::Latest, &pod(&job));
        assert_eq!(violations.len(), 1, "{pointer}");
    }
}

/// One that looks through all errors for each would take minutes here.
#[test]
fn what_many_containers_lack_is_taken_off_one_by_one() {
    let one = |number: u32| {
        let capability = if number.is_multiple_of(3) {
            "SYS_TIME"
        } else {
            "NET_ADMIN"
        };
        json!({"name": format!("c{number}"), "image": if number == 7 { "other" } else { "istio/proxyv2" },
            "securityContext": {"capabilities": {"add": [capability]}}})
    };
    let pod = with(&json!({"containers": (0..20_000).map(one).collect::<Value>()}));
    let excused = excluded(&["istio/*"], "Capabilities", None, &[]);
    let rest = remaining(&[excused], &pod);
    assert!(
        rest.contains("spec.containers[7].securityContext"),
        "{rest}"
    );
    assert_eq!(rest.matches("spec.containers[").count(), 1, "{rest}");
}
