use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use regent_engine::image::ImageReference;
use tokio::time::Instant;

use super::*;
use crate::image::registry::endpoint::Loopback;
use crate::image::registry::{Registries, RegistrySettings};
use crate::metrics::Metrics;
use crate::outbound::room::Taken;

/// Where a registry, called by its name or mirrored, may send us for a blob; nothing where it may not.
fn redirected(image: &str, mirror: Option<&str>, to: &str) -> Option<(String, Reach)> {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.json");
    std::fs::write(&config, "{}").unwrap();
    let image = ImageReference::parse(image).unwrap();
    let mirror = mirror.map(|address| (image.registry.clone(), address.to_owned()));
    let settings = RegistrySettings {
        mirrors: Vec::from_iter(mirror),
        docker_config: Some(config),
        loopback: Loopback::Any,
        ..RegistrySettings::default()
    };
    let registries = Registries::new(&settings, Metrics::new().unwrap()).unwrap();
    let registries: Arc<Registries> = Arc::new(registries);
    let deadline = Instant::now() + Duration::from_secs(1);
    let repository = registries.repository(&image, &[], deadline);
    let base = Place {
        scheme: repository.endpoint.scheme.unwrap(),
        authority: repository.endpoint.authority.clone(),
        path: "/v2/".to_owned(),
    };
    let mut headers = HeaderMap::new();
    headers.insert("location", to.parse().unwrap());
    let answer = Answer {
        status: StatusCode::TEMPORARY_REDIRECT,
        headers,
        body: Bytes::new(),
        taken: Taken::default(),
    };
    match repository.redirect(&answer, &base, &base) {
        Ok((place, reach)) => Some((place.url(), reach)),
        Err(FetchError::Redirect(_)) => None,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_registry_elsewhere_cannot_send_us_here() {
    for to in [
        "https://127.0.0.1/x",
        "https://localhost:8443/x",
        "https://[::1]/x",
        "https://[::ffff:169.254.169.254]/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/x",
        "http://store.example/x",
        "http://registry.example/x",
        "https://user:secret@store.example/x",
    ] {
        assert_eq!(redirected("registry.example/a", None, to), None, "{to}");
    }
    let mirror = Some("https://mirror.example");
    assert_eq!(
        redirected("registry.example/a", mirror, "https://127.0.0.1/x"),
        None
    );
}

#[test]
fn stores_are_reached_with_care() {
    let store = "https://store.example/x?sig=y";
    assert_eq!(
        redirected("registry.example/a", None, store),
        Some((store.to_owned(), Reach::Guarded))
    );
    assert_eq!(
        redirected("registry.example/a", None, "/elsewhere"),
        Some((
            "https://registry.example/elsewhere".to_owned(),
            Reach::Guarded
        ))
    );
    let local = Some("http://127.0.0.1:5000");
    assert_eq!(
        redirected("registry.example/a", local, "http://127.0.0.1:6000/x"),
        Some(("http://127.0.0.1:6000/x".to_owned(), Reach::Anywhere))
    );
}
