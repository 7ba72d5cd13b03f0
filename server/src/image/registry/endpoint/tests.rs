use super::*;
use crate::outbound::place::Place;

#[test]
fn asks_where_the_operator_said() {
    let mirrors = [
        ("ghcr.io".to_owned(), "http://127.0.0.1:5000/".to_owned()),
        ("quay.io".to_owned(), "mirror.internal:5000".to_owned()),
        ("gcr.io".to_owned(), "plain.internal:5000".to_owned()),
        (
            "k8s.io".to_owned(),
            "https://plain.internal:5000".to_owned(),
        ),
    ];
    let insecure = [
        "plain.internal".to_owned(),
        "plain.internal:5000".to_owned(),
    ];
    let endpoints = Endpoints::new(&mirrors, &insecure, Loopback::Any).unwrap();
    let at = |host: &str| {
        let endpoint = endpoints.of(host);
        (endpoint.scheme, endpoint.authority, endpoint.reach)
    };
    let https = Some(Scheme::Https);
    assert_eq!(
        at("GHCR.io"),
        (
            Some(Scheme::Http),
            "127.0.0.1:5000".to_owned(),
            Reach::Anywhere
        )
    );
    assert_eq!(
        at("quay.io"),
        (https, "mirror.internal:5000".to_owned(), Reach::Anywhere)
    );
    // Of a mirror without a scheme that need not have TLS, plain HTTP is tried too.
    for (host, scheme) in [("gcr.io", None), ("k8s.io", https)] {
        let mirror = "plain.internal:5000".to_owned();
        assert_eq!(at(host), (scheme, mirror, Reach::Unverified));
    }
    assert_eq!(
        at("plain.internal"),
        (None, "plain.internal".to_owned(), Reach::Unverified)
    );
    assert_eq!(
        at("index.docker.io"),
        (https, "registry-1.docker.io".to_owned(), Reach::Guarded)
    );
    assert_eq!(
        at("localhost:5000"),
        (https, "localhost:5000".to_owned(), Reach::Anywhere)
    );
    assert_eq!(
        at("169.254.169.254"),
        (https, "169.254.169.254".to_owned(), Reach::Guarded)
    );
    assert_eq!(
        at("example.com:443"),
        (https, "example.com".to_owned(), Reach::Guarded)
    );
}

#[test]
fn asks_this_machine_only_where_the_operator_named_it() {
    let mirrors = [("ghcr.io".to_owned(), "http://127.0.0.1:5000".to_owned())];
    let insecure = ["localhost:5001".to_owned()];
    let endpoints = |loopback| Endpoints::new(&mirrors, &insecure, loopback).unwrap();
    let (named, any) = (endpoints(Loopback::Named), endpoints(Loopback::Any));
    for host in ["ghcr.io", "localhost:5001", "quay.io"] {
        assert!(!named.of(host).is_barred(), "{host}");
    }
    for host in ["127.0.0.1:5000", "localhost", "x.localhost:80", "[::1]:443"] {
        assert!(named.of(host).is_barred(), "{host}");
        assert!(!any.of(host).is_barred(), "{host}");
    }
    assert!(any.of("169.254.169.254").is_barred());
}

#[test]
fn refuses_addresses_that_are_none() {
    for address in ["ftp://a", "http://", "a/b", "user@host", "", "http://a b"] {
        let mirrors = [("ghcr.io".to_owned(), address.to_owned())];
        assert!(
            Endpoints::new(&mirrors, &[], Loopback::Any).is_err(),
            "{address}"
        );
    }
    let twice = [
        ("docker.io".to_owned(), "a".to_owned()),
        ("index.docker.io".to_owned(), "b".to_owned()),
    ];
    assert!(Endpoints::new(&twice, &[], Loopback::Any).is_err());
}

#[test]
fn knows_local_addresses_in_every_spelling() {
    for host in [
        "127.0.0.1",
        "127.9.9.9",
        "localhost",
        "x.localhost",
        "localhost.",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "0.0.0.0",
        "::",
    ] {
        assert!(is_local_host(host), "{host}");
    }
    for host in ["ghcr.io", "10.0.0.1", "2606:4700::1", "localhost.example"] {
        assert!(!is_local_host(host), "{host}");
    }
}

#[test]
fn reads_only_plain_places() {
    let base = Place {
        scheme: Scheme::Https,
        authority: "ghcr.io".to_owned(),
        path: "/v2/a".to_owned(),
    };
    let read = |location: &str| Place::read(location, &base).map(|place| place.url());
    assert_eq!(read("/b?c=d"), Some("https://ghcr.io/b?c=d".to_owned()));
    assert_eq!(
        read("https://Blob.example:443/x"),
        Some("https://blob.example:443/x".to_owned())
    );
    for location in [
        "//evil.example/x",
        "b",
        "",
        "ftp://a/b",
        "file:///etc/passwd",
        "https://user:secret@host/x",
        "https://",
        "http:\\\\evil",
        "/a b",
    ] {
        assert_eq!(read(location), None, "{location}");
    }
}
