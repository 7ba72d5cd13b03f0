use super::*;

fn parse(text: &str) -> Result<Credentials, String> {
    Credentials::parse(text.as_bytes())
}

fn far() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

#[tokio::test]
async fn reads_the_forms_of_docker() {
    let credentials = parse(
        r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "bmFtZTpwYTpzcw=="},
            "ghcr.io": {"username": "someone", "password": "secret"},
            "quay.io": {"auth": "", "identitytoken": "refresh"},
            "registry.example:5000": {}
        }, "HttpHeaders": {"x": "y"}}"#,
    )
    .unwrap();
    let password =
        |name: &str, secret: &str| Some(Login::Password(name.to_owned(), Secret::new(secret)));
    let of = async |host: &str| credentials.of(host, far()).await.unwrap();
    assert_eq!(of("docker.io").await, password("name", "pa:ss"));
    assert_eq!(of("ghcr.io").await, password("someone", "secret"));
    assert_eq!(
        of("quay.io").await,
        Some(Login::IdentityToken(Secret::new("refresh")))
    );
    assert_eq!(of("registry.example:5000").await, None);
    assert_eq!(of("ghcr.io.evil.example").await, None);
}

#[test]
fn refuses_what_it_would_misread() {
    let missing = parse(r#"{"credsStore": "regent-is-not-installed"}"#).unwrap_err();
    assert!(
        missing.contains("`docker-credential-regent-is-not-installed` is not in the PATH"),
        "{missing}"
    );
    let path = parse(r#"{"credHelpers": {"ghcr.io": "../../evil"}}"#).unwrap_err();
    assert!(path.contains("no usable name"), "{path}");
    let part = parse(r#"{"auths": {"ghcr.io/your-org": {"auth": "YTpi"}}}"#).unwrap_err();
    assert!(part.contains("is no registry host"), "{part}");
    let secret = parse(r#"{"auths": {"ghcr.io": {"auth": "hunter2"}}}"#).unwrap_err();
    assert!(!secret.contains("hunter2"), "{secret}");
    let garbage = parse(r#"{"auths": "hunter2"}"#).unwrap_err();
    assert!(!garbage.contains("hunter2"), "{garbage}");
}

#[test]
fn shows_no_secret() {
    let credentials = parse(r#"{"auths": {"ghcr.io": {"auth": "bmFtZTpodW50ZXIy"}}}"#).unwrap();
    assert!(!format!("{credentials:?}").contains("hunter2"));
}

#[tokio::test]
async fn reads_what_clusters_have_and_runs_none_of_its_helpers() {
    let secret = |field: &str, text: &str| {
        Credentials::of_secret(&serde_json::json!({"data": {field: STANDARD.encode(text)}}))
    };
    let of =
        async |credentials: &Credentials, host: &str| credentials.of(host, far()).await.unwrap();
    let login = Some(Login::Password("a".to_owned(), Secret::new("b")));
    let new = secret(
        ".dockerconfigjson",
        r#"{"auths": {"ghcr.io": {"auth": "YTpi"}, "ghcr.io/team": {"auth": "YTpi"}, "*.example": {"auth": "YTpi"}},
            "credHelpers": {"quay.io": "regent-is-not-installed"}, "credsStore": "regent-is-not-installed"}"#,
    )
    .unwrap();
    assert_eq!(of(&new, "ghcr.io").await, login);
    assert_eq!(of(&new, "quay.io").await, None);
    let old = secret(".dockercfg", r#"{"https://ghcr.io": {"auth": "YTpi"}}"#).unwrap();
    assert_eq!(of(&old, "ghcr.io").await, login);
    for (field, text) in [
        ("password", "x"),
        (".dockerconfigjson", "hunter2"),
        (
            ".dockerconfigjson",
            r#"{"auths": {"a": {"auth": "hunter2"}}}"#,
        ),
    ] {
        let error = secret(field, text).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn asks_helpers_in_time() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let helper = |name: &str, script: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let echo = helper(
        "echo",
        r#"read host; printf '{"ServerURL":"%s","Username":"%s","Secret":"s"}' "$host" "$host""#,
    );
    assert_eq!(
        ask(&echo, "ghcr.io", far()).await.unwrap(),
        Some(Login::Password("ghcr.io".to_owned(), Secret::new("s")))
    );
    let none = helper(
        "none",
        "echo credentials not found in native keychain; exit 1",
    );
    assert_eq!(ask(&none, "ghcr.io", far()).await.unwrap(), None);
    let broken = helper("broken", "exit 3");
    let broken = ask(&broken, "ghcr.io", far()).await.unwrap_err();
    assert!(matches!(broken, FetchError::Unavailable(_)));
    let slow = helper("slow", "exec sleep 60");
    let soon = Instant::now() + Duration::from_millis(200);
    let slow = ask(&slow, "ghcr.io", soon).await.unwrap_err();
    assert!(matches!(slow, FetchError::Timeout(_)));
}
