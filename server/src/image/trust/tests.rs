use super::*;

#[test]
fn the_embedded_public_root_has_both_logs_and_the_timestamp_authority() {
    let root = public_sigstore().unwrap();
    let urls: Vec<_> = root.logs().iter().map(Log::url).collect();
    assert_eq!(
        urls,
        [
            "https://rekor.sigstore.dev",
            "https://log2025-1.rekor.sigstore.dev"
        ]
    );
    assert_eq!(root.certificate_logs().len(), 2);
    assert_eq!(root.certificate_authorities().len(), 2);
    assert_eq!(
        root.timestamp_authorities()[0].uri(),
        "https://timestamp.sigstore.dev/api/v1/timestamp"
    );
    assert!(root.ignored().is_empty());
}

#[test]
fn layout_does_not_change_the_id_and_content_does() {
    let json = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    let dense = TrustRoot::parse(&value.to_string()).unwrap();
    assert_eq!(dense.id(), public_sigstore().unwrap().id());
    let later = json.replacen("2021-01-12T11:53:27Z", "2021-01-12T11:53:28Z", 1);
    assert_ne!(TrustRoot::parse(&later).unwrap().id(), dense.id());
}

#[test]
fn a_root_is_chosen_by_the_url_of_any_of_its_logs() {
    let roots = TrustRoots::new(public_sigstore().unwrap());
    for url in [
        None,
        Some("https://rekor.sigstore.dev"),
        Some("HTTPS://Rekor.sigstore.dev/"),
        Some("https://log2025-1.rekor.sigstore.dev"),
        Some("https://fulcio.sigstore.dev"),
        Some("https://timestamp.sigstore.dev/api/v1/timestamp"),
    ] {
        assert!(roots.select(url).is_some(), "{url:?}");
    }
    for url in [
        "https://rekor.example.org",
        "rekor.sigstore.dev",
        "https://rekor.sigstore.dev/x",
    ] {
        assert!(roots.select(Some(url)).is_none(), "{url}");
    }
    assert_eq!(roots.urls().len(), 4, "{:?}", roots.urls());
}

#[test]
fn checkpoints_must_bear_the_name_of_their_log() {
    let root = public_sigstore().unwrap();
    let [v1, v2] = root.logs() else {
        panic!("two logs")
    };
    assert!(v1.is_origin(
        "rekor.sigstore.dev - 1193050959916656506",
        "rekor.sigstore.dev"
    ));
    assert!(!v1.is_origin("rekor.sigstore.dev - 119305x", "rekor.sigstore.dev"));
    assert!(!v1.is_origin("rekor.sigstore.dev", "rekor.sigstore.dev"));
    assert!(!v1.is_origin("other.example - 1", "rekor.sigstore.dev"));
    let name = "log2025-1.rekor.sigstore.dev";
    assert!(v2.is_origin(name, name));
    assert!(!v2.is_origin("log2025-1.rekor.example.org", name));
    assert!(!v2.is_origin("log2025-1.rekor.example.org", "log2025-1.rekor.example.org"));
}

#[test]
fn what_is_no_trust_root_is_refused_with_the_part() {
    let refused = |json: &str| TrustRoot::parse(json).unwrap_err().to_string();
    assert!(refused("nothing").contains("not a `trusted_root.json`"));
    assert!(refused("{}").contains("no log"));
    let json = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
    let bad = json.replacen("2021-01-12T11:53:27Z", "yesterday", 1);
    assert!(refused(&bad).contains("log `https://rekor.sigstore.dev` is malformed: `yesterday`"));
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    let mut twice = value.clone();
    let log = value["tlogs"][0].clone();
    twice["tlogs"].as_array_mut().unwrap().push(log);
    assert!(refused(&twice.to_string()).contains("twice"));
}

#[test]
fn a_log_with_a_new_kind_of_key_is_left_out_and_noted() {
    let json = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
    let mut value: serde_json::Value = serde_json::from_str(json).unwrap();
    // X25519: a key of an algorithm that signs nothing.
    let x25519 = "MCowBQYDK2VuAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    value["tlogs"][1]["publicKey"]["rawBytes"] = x25519.into();
    let root = TrustRoot::parse(&value.to_string()).unwrap();
    assert_eq!(root.logs().len(), 1);
    let mut pre_hashed: serde_json::Value = serde_json::from_str(json).unwrap();
    pre_hashed["tlogs"][1]["publicKey"]["keyDetails"] = "PKIX_ED25519_PH".into();
    let pre_hashed = TrustRoot::parse(&pre_hashed.to_string()).unwrap();
    assert_eq!(pre_hashed.logs().len(), 1);
    assert!(pre_hashed.ignored()[0].contains("Ed25519ph"));
    assert!(
        root.ignored()[0].contains("log2025-1"),
        "{:?}",
        root.ignored()
    );
}
