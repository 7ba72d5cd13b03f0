use super::*;

fn get(path: &str) -> Result<&str, String> {
    check(path, Method::Get, None)
}

#[test]
fn paths_of_an_api_server_are_taken_as_they_are() {
    for path in [
        "/api/v1/pods",
        "/api/v1/namespaces/prod/configmaps/a.b-c",
        "/apis/networking.k8s.io/v1/namespaces/prod/networkpolicies",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
        "/api/v1/pods?labelSelector=app%3Dweb&limit=1",
        "/api/v1/pods?fieldSelector=spec.nodeName=n1",
        "/api/v1/namespaces/",
        "/version",
    ] {
        assert_eq!(get(path), Ok(path));
    }
}

/// CVE-2026-22039, CVE-2026-41068, CVE-2026-100706, CVE-2026-122310, CVE-2026-122311: what is read in two ways is refused.
#[test]
fn paths_that_could_mean_something_else_are_refused() {
    for path in [
        "",
        "api/v1/pods",
        "//api/v1/pods",
        "/api/v1//pods",
        "/api/v1/namespaces/a/../b/secrets",
        "/api/v1/namespaces/a/./secrets",
        "/api/v1/namespaces/a/%2e%2e/b/secrets",
        "/api/v1/namespaces/a%2F..%2Fb/secrets",
        "/api/v1/namespaces/a/configmaps/x#/../../b",
        "/api/v1/namespaces/a\\b/secrets",
        "/api/v1/namespaces/ä/secrets",
        "/api/v1/namespaces/a /secrets",
        "/api/v1/namespaces/a/configmaps\r\nHost: b",
        "/api/v1/pods?a=b#c",
        "/api/v1/pods?a=\u{1}",
        "http://elsewhere/api/v1/pods",
        "/api/v1/watch/pods",
        "/api/v1/pods?watch",
        "/api/v1/pods?%77atch=1",
        "/api/v1/namespaces/a/pods/b/log?%66ollow",
        "/api/v1/pods?limit=1&watch=true",
    ] {
        assert!(get(path).is_err(), "{path:?}");
    }
}

#[test]
fn a_policy_of_a_namespace_stays_in_it() {
    let own = |path| check(path, Method::Get, Some("own"));
    for path in [
        "/api/v1/namespaces/own/configmaps",
        "/api/v1/namespaces/own/configmaps/a?x=y",
        "/apis/apps/v1/namespaces/own/deployments/a",
    ] {
        assert_eq!(own(path), Ok(path));
    }
    for path in [
        "/api/v1/pods",
        "/api/v1/namespaces",
        "/api/v1/namespaces/own",
        "/api/v1/namespaces/other/configmaps",
        "/api/v1/namespaces/own2/configmaps",
        "/api/v1/namespaces/own/../other/configmaps",
        "/api/v1/configmaps?namespace=own",
        "/api/v1/nodes/namespaces/own/x",
        "/apis/apps/v1/deployments",
        "/apis/namespaces/own/x/y",
        "/namespaces/own/configmaps",
    ] {
        assert!(own(path).is_err(), "{path}");
    }
}

#[test]
fn only_questions_are_posted() {
    let post = |path| check(path, Method::Post, None);
    for path in [
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        "/apis/authentication.k8s.io/v1/tokenreviews",
    ] {
        assert_eq!(post(path), Ok(path));
    }
    for path in [
        "/api/v1/namespaces/a/configmaps",
        "/api/v1/namespaces/a/serviceaccounts/b/token",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    ] {
        assert!(post(path).is_err(), "{path}");
    }
}

#[test]
fn names_are_one_part_of_a_path() {
    assert_eq!(part("a.b-c"), Ok("a.b-c"));
    for name in ["", ".", "..", "a/b", "a%2fb", "a?b", "a b"] {
        assert!(part(name).is_err(), "{name}");
    }
}
