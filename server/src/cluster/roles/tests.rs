use serde_json::json;

use super::*;

fn user(name: &str, groups: &[&str]) -> UserInfo {
    UserInfo {
        username: name.to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        ..UserInfo::default()
    }
}

fn binding(subject: &Value, namespace: Option<&str>, kind: &str) -> Binding {
    Binding::of(&json!({
        "metadata": {"name": "b", "namespace": namespace},
        "roleRef": {"kind": kind, "name": "r"},
        "subjects": [{"kind": "User", "name": "nobody"}, subject],
    }))
    .unwrap()
}

#[test]
fn a_binding_is_about_users_groups_and_service_accounts() {
    let eve = user("eve", &["dev", "system:authenticated"]);
    let account = user("system:serviceaccount:prod:deployer", &[]);
    let named = |kind: &str, name: &str| json!({"kind": kind, "name": name});
    let deployer =
        |namespace| json!({"kind": "ServiceAccount", "name": "deployer", "namespace": namespace});
    for (subject, who, is_about) in [
        (named("User", "eve"), &eve, true),
        (named("User", "Eve"), &eve, false),
        (named("Group", "dev"), &eve, true),
        (named("Group", "eve"), &eve, false),
        (named("User", "dev"), &eve, false),
        (deployer("prod"), &account, true),
        (deployer("other"), &account, false),
        (named("ServiceAccount", "deployer"), &account, true),
        (
            named("User", "system:serviceaccount:prod:deployer"),
            &account,
            true,
        ),
        (named("Somebody", "eve"), &eve, false),
    ] {
        let binding = binding(&subject, Some("prod"), "Role");
        assert_eq!(binding.is_about(who), is_about, "{subject}");
    }
}

#[test]
fn roles_are_named_with_their_namespace() {
    let eve = json!({"kind": "User", "name": "eve"});
    let mut found = Found::default();
    found.add(&binding(&eve, Some("prod"), "Role"));
    found.add(&binding(&eve, Some("prod"), "ClusterRole"));
    found.add(&binding(&eve, None, "ClusterRole"));
    found.add(&binding(&eve, None, "Role"));
    assert_eq!(found.roles.into_iter().collect::<Vec<_>>(), ["prod:r"]);
    assert_eq!(found.cluster_roles.into_iter().collect::<Vec<_>>(), ["r"]);
}

#[test]
fn a_binding_without_subjects_is_about_nobody() {
    let object =
        json!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"}});
    assert!(!Binding::of(&object).unwrap().is_about(&user("", &[])));
}
