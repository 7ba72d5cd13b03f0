use std::fs;

use super::*;

fn parse(text: &str) -> Result<Access, String> {
    Access::parse(Path::new("/etc/k/config"), text, None)
}

fn config(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: other, context: {{cluster: x, user: y}}}}, {{name: c, context: {{cluster: k, user: u}}}}]\n\
         clusters: [{{name: k, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    )
}

#[test]
fn a_kubeconfig_says_where_the_cluster_is_and_who_asks() {
    let text = config(
        "server: 'https://api.internal:6443/prefix/', certificate-authority: pki/ca.crt",
        "tokenFile: /run/token, token: unused",
    );
    let access = parse(&text).unwrap();
    assert_eq!(access.server.url(), "https://api.internal:6443/prefix");
    let authority = Material::File("/etc/k/pki/ca.crt".into());
    assert_eq!(access.trust, Trust::Authority(authority));
    assert_eq!(access.token, Some(Material::File("/run/token".into())));

    let text = config(
        "server: 'https://api:6443', certificate-authority-data: Y2E=",
        "client-certificate-data: Yw==, client-key-data: aw==",
    );
    let access = parse(&text).unwrap();
    let given = |bytes: &[u8]| Material::Given(bytes.to_vec());
    assert_eq!(access.trust, Trust::Authority(given(b"ca")));
    assert_eq!(access.certificate, Some((given(b"c"), given(b"k"))));
    assert!(!format!("{access:?}").contains("107"), "keys are not shown");
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let server = "server: 'https://api:6443'";
    for (cluster, user, what) in [
        ("server: nowhere", "token: t", "`nowhere`"),
        ("certificate-authority: ca", "token: t", "`server`"),
        (server, "exec: {command: aws}", "`exec`"),
        (server, "auth-provider: {name: gcp}", "`auth-provider`"),
        (server, "as: somebody, token: t", "`as`"),
        (server, "client-certificate: c", "`client-key`"),
        (
            "server: 'https://api', proxy-url: 'http://p'",
            "token: t",
            "`proxy-url`",
        ),
        (
            "server: 'https://api', certificate-authority-data: '?'",
            "token: t",
            "base64",
        ),
    ] {
        let error = parse(&config(cluster, user)).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
    let error = parse("current-context: c\ncontexts: []\n").unwrap_err();
    assert!(error.contains("`contexts` has no `c`"), "{error}");
    let path = Path::new("config");
    let named = Access::parse(path, &config(server, "token: t"), Some("other")).unwrap_err();
    assert!(named.contains("`clusters` has no `x`"), "{named}");
}

#[test]
fn a_pod_finds_its_service_account() {
    let folder = tempfile::tempdir().unwrap();
    let find = || Access::mounted(folder.path(), "fd00::1", "443");
    assert!(matches!(find(), Err(AccessError::NotMounted(_))));
    for name in ["token", "ca.crt"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let access = find().unwrap();
    assert_eq!(access.server.url(), "https://[fd00::1]:443");
    assert_eq!(access.token.unwrap().read().unwrap(), b"token");
}
