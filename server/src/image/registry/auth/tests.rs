use super::*;

fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
    Challenge::Bearer(BearerChallenge {
        realm: realm.to_owned(),
        service: service.map(str::to_owned),
        scope: scope.map(str::to_owned),
    })
}

#[test]
fn reads_challenges() {
    assert_eq!(
        Challenge::read(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull,push""#
        ),
        Some(bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:library/alpine:pull,push")
        ))
    );
    assert_eq!(
        Challenge::read("bearer realm=https://a/b, error=\"insufficient_scope\""),
        Some(bearer("https://a/b", None, None))
    );
    assert_eq!(Challenge::read("Basic realm=\"x\""), Some(Challenge::Basic));
    assert_eq!(Challenge::read("Bearer service=\"x\""), None);
    assert_eq!(Challenge::read("Negotiate"), None);
    assert_eq!(Challenge::read(""), None);
    assert_eq!(Challenge::read(&"Bearer realm=\"".repeat(9000)), None);
}

#[test]
fn encodes_forms() {
    assert_eq!(
        form_of(&[("scope", "repository:a/b:pull"), ("service", "a&b=c é")]),
        "scope=repository%3Aa%2Fb%3Apull&service=a%26b%3Dc%20%C3%A9"
    );
}

fn realm(named: &str) -> Result<Call, FetchError> {
    let endpoint = Endpoint {
        name: "registry.example".to_owned(),
        scheme: Some(Scheme::Https),
        authority: "registry.example".to_owned(),
        reach: Reach::Guarded,
    };
    let purpose = Purpose {
        pull_secrets: &[],
        endpoint: &endpoint,
        scheme: Scheme::Https,
        repository: "acme/app",
        deadline: Instant::now(),
        patience: Patience::Retry,
    };
    let challenge = BearerChallenge {
        realm: named.to_owned(),
        service: None,
        scope: None,
    };
    let login = Login::Password("robot".to_owned(), Secret::new("hunter2"));
    token_call(purpose, &challenge, Some(&login))
}

#[test]
fn passwords_go_to_token_servers_over_https_and_not_to_this_machine() {
    let call = realm("https://auth.example/token?x=y").unwrap();
    assert_eq!(
        call.place.url(),
        "https://auth.example/token?x=y&scope=repository%3Aacme%2Fapp%3Apull"
    );
    assert_eq!(call.reach, Reach::Guarded);
    assert!(!format!("{call:?}").contains("hunter2"));
    for named in [
        "http://auth.example/token",
        "https://127.0.0.1/token",
        "https://169.254.169.254/token",
        "ftp://auth.example/",
        "https://a:b@auth.example/",
        "token",
    ] {
        let refused = realm(named);
        assert!(matches!(refused, Err(FetchError::Redirect(_))), "{named}");
    }
}

#[test]
fn an_identity_token_goes_into_a_form() {
    let endpoint = Endpoint {
        name: "registry.example".to_owned(),
        scheme: Some(Scheme::Https),
        authority: "registry.example".to_owned(),
        reach: Reach::Guarded,
    };
    let purpose = Purpose {
        pull_secrets: &[],
        endpoint: &endpoint,
        scheme: Scheme::Https,
        repository: "acme/app",
        deadline: Instant::now(),
        patience: Patience::Retry,
    };
    let challenge = BearerChallenge {
        realm: "https://auth.example/token".to_owned(),
        service: Some("s".to_owned()),
        scope: Some("x".to_owned()),
    };
    let login = Login::IdentityToken(Secret::new("refresh"));
    let call = token_call(purpose, &challenge, Some(&login)).unwrap();
    assert_eq!(call.method, Method::POST);
    assert_eq!(call.place.path, "/token");
    let form = "scope=x&service=s&grant_type=refresh_token&client_id=regent&refresh_token=refresh";
    assert_eq!(call.body, form);
    assert!(call.headers.get(AUTHORIZATION).is_none());
}
