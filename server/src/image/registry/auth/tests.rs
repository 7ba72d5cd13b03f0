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
